/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A session that pretends: it asks for a plan, "runs" the first stage that the plan names, writes
 * the record that a store would write, and asks again, until there is nothing to do. Results are
 * digests made of what went in.
 *
 * Every restore is checked against what a real session would find: that the keys of the stages it
 * skips are those of the records it takes.
 */
#pragma once

#include <stdbool.h>

#include <imagecache/plan.h>

#include "core/buffer.h"

#define SESSION_STEPS_MAX  4000
#define SESSION_IMAGES_MAX 256

struct session {
        struct imgc_context *context;
        struct imgc_memory_store *store;
        uint64_t generation;
        int64_t now;
        uint32_t next_id;
        const char *uid_map;
        uint32_t n_run;       /* stages run by the last build */
        struct buffer ran;    /* "image/stage image/stage", ended by NUL */
        struct buffer unkept; /* ids of records without snapshots, each with its NUL */

        /* The digest of a result; NULL: made of the stage's inputs, less what follows a '#' in
         * each value, and of the results it stands on. */
        const char *(*result_of)(void *userdata, const char *image, const char *stage);
        void *userdata;
        /* Told of every record. */
        void (*made)(void *userdata, const struct imgc_record *record, uint32_t image,
                     uint32_t stage);

        /* What stands instead of the environment. */
        imgc_env_fn env;
        /* Stops after so many stages, as if the builder had been interrupted; 0: never. */
        uint32_t stop_after;
};

void session_open(struct session *session, struct imgc_context *context);
void session_close(struct session *session);

/* Builds what the plan says. options may be NULL. Returns 0 or the negative errno of planning. */
int session_build(struct session *session, struct imgc_project *project,
                  const struct imgc_plan_options *options, struct imgc_error **reterr);

/* The plan as the store stands. */
int session_plan(struct session *session, struct imgc_project *project,
                 const struct imgc_plan_options *options, struct imgc_plan **ret,
                 struct imgc_error **reterr);
