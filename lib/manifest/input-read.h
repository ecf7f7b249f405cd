/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading the inputs of a stage, and their lines in a manifest. */
#pragma once

#include <imagecache/manifest.h>

#include "core/buffer.h"
#include "manifest/project-internal.h"
#include "tree/tree.h"

struct seal_settings {
        struct imgc_context *context;
        const struct imgc_project *project;
        uint32_t flags; /* enum imgc_seal_flags */
        imgc_env_fn env;
        void *env_userdata;
        const void *secret;
        size_t secret_size;
};

/* What was found of one input. */
struct seen {
        struct imgc_tree *tree; /* NULL of a tree: absent */
        struct buffer value;    /* a variable's, as JSON */
        const char *link;       /* a key, or results as JSON; the caller's */
        bool gone;              /* with SEEN_GONE: what should exist does not */
};

/* Takes the caller's options over. The secret stays the caller's. */
int seal_settings_init(struct imgc_context *context, const struct imgc_project *project,
                       const struct imgc_seal_options *options, struct seal_settings *ret,
                       struct imgc_error **reterr);

/* What does not exist is told by `gone`, not as an error. */
#define SEEN_GONE (1u << 0)

/* Reads the variables and trees of a stage; links are the caller's affair. seen: one for each
 * input, zeroed; to be cleaned by seen_done() whatever comes of it. */
int inputs_read(const struct seal_settings *settings, const struct project_stage *stage,
                unsigned flags, struct seen *seen, struct imgc_error **reterr);

void seen_done(struct seen *seen);

/* Adds an input's line without its line feed. with_info: with what is not in the key. */
int input_add_line(const struct seal_settings *settings, const struct project_input *input,
                   const struct seen *seen, bool with_info, struct buffer *ret,
                   struct imgc_error **reterr);

/* "PLACE: what the error says". */
int error_at_place(const char *place, struct imgc_error *error, int r, struct imgc_error **reterr);
