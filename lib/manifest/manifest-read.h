/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a manifest: manifest-read.c (lines, order, listings, keys), manifest-decode.c (what a
 * line says). */
#pragma once

#include "manifest/json.h"
#include "manifest/line.h"
#include "manifest/manifest-internal.h"

/* Takes lines apart. What it finds lives in the arena, or is static. */
struct decoder {
        struct arena *arena;
        const char *fault;  /* what is wrong, the first of all; NULL */
        const char *member; /* with it, or NULL */
        bool no_memory;
};

struct stage_facts {
        const char *key;
        const char *previous; /* results as JSON, or NULL */
};

/* Each fills what the functions of line.h need to write the line again. Where the decoder has a
 * fault afterwards, nothing of it may be used. What they let through is refused by comparing. */
void decode_head(struct decoder *decoder, const struct json *line, struct head_facts *ret);
void decode_image(struct decoder *decoder, const struct json *line, struct project_image *ret);
/* digest: the manifest's, for results. */
void decode_stage(struct decoder *decoder, const struct json *line,
                  enum imgc_digest_algorithm digest, struct project_stage *ret,
                  struct project_read **ret_reads, struct stage_facts *ret_facts);
void decode_input(struct decoder *decoder, const struct json *line,
                  enum imgc_digest_algorithm digest, struct project_input *ret,
                  struct input_facts *ret_facts);
