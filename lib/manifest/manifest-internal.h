/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A manifest in memory: its bytes, in one piece, and an index of images, stages and inputs. The
 * strings of the index are in an arena; of listings there is nothing but where they stand.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <imagecache/manifest.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "tree/line.h"

struct manifest_input {
        const char *name;
        enum imgc_input_type type;
        enum imgc_on_change on_change;
        uint32_t flags; /* IMGC_INPUT_SECRET, …_APPEND */
        bool absent;
        struct span line;       /* its JSON; json_parse() reads it again */
        const char *digest;     /* NULL of what has none */
        struct listing listing; /* data is NULL where there is none */
        uint64_t line_number;   /* of `line`, from 1 */
};

struct manifest_stage {
        const char *name;
        const char *key;
        struct span line;              /* its JSON */
        struct span text;              /* line, inputs and listings, with line feeds */
        uint64_t line_number, n_lines; /* of the first, from 1; in `text` */
        uint32_t first_input, n_inputs;
};

struct manifest_image {
        const char *name;
        const char *scope;
        struct span line; /* its JSON */
        uint32_t first_stage, n_stages;
};

struct imgc_manifest {
        atomic_uint references;
        const char *data;
        size_t size;
        bool is_mapped; /* data is a mapping, else allocated */
        struct arena arena;
        const char *name;
        const char *builder;
        enum imgc_digest_algorithm digest;
        bool listings;
        uint32_t max_append;
        struct span line; /* the first line's JSON */
        const char *head; /* the same without `info` */
        struct manifest_image *images;
        struct manifest_stage *stages;
        struct manifest_input *inputs;
        uint32_t n_images, n_stages, n_inputs;
};

/* Makes a manifest of bytes, and takes them over where it succeeds. name: for messages.
 * is_ours: they were just made by this library, so that digests and keys need no check. */
int manifest_of_bytes(struct imgc_context *context, const char *data, size_t size, bool is_mapped,
                      const char *name, bool is_ours, struct imgc_manifest **ret,
                      struct imgc_error **reterr);

/* UINT32_MAX where there is none. */
uint32_t manifest_find_image(const struct imgc_manifest *manifest, const char *name);
/* The stage's number in manifest->stages. */
uint32_t manifest_find_stage(const struct imgc_manifest *manifest, uint32_t image,
                             const char *name);

DEFINE_CLEANUP(struct imgc_manifest *, imgc_manifest_unref)
