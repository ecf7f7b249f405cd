/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The lines of a manifest, each as an object of canonical JSON without its line feed.
 *
 * What writes a manifest and what reads one both come here: the reader takes a line apart and
 * accepts it only if these functions make the same bytes of it.
 */
#pragma once

#include "core/buffer.h"
#include "manifest/project-internal.h"

struct head_facts {
        const char *name;
        const char *builder;
        enum imgc_digest_algorithm digest;
        uint64_t n_lines;
        bool listings;
        uint32_t max_append;
};

/* What is known of an input besides its declaration. */
struct input_facts {
        const char *value;  /* values: JSON */
        const char *digest; /* trees: NULL where absent */
        fields_t fields;
        uint64_t n_bytes, n_entries;
        const char *link; /* a key, or results as JSON */
        const char *link_image, *link_stage;
        const char *hmac; /* secrets: stands for all of the above */
};

/* with_info: with what is not in the key. */
void line_add_head(struct buffer *out, const struct head_facts *head, bool with_info);
void line_add_image(struct buffer *out, const struct project_image *image);
/* previous: results as JSON where the stage before counts by output. */
void line_add_stage(struct buffer *out, const struct project_stage *stage,
                    const struct project_read *reads, const char *key, const char *previous,
                    bool with_info);
void line_add_input(struct buffer *out, const struct project_input *input,
                    const struct input_facts *facts, bool with_info);
