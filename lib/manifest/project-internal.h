/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model of a project: checked, with all values in their canonical spelling.
 *
 * Images, stages and inputs are arrays of the whole project in order; each image has a range of
 * stages, each stage a range of inputs.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <imagecache/project.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "tree/fields.h"

#define MAX_AGE_UNLIMITED UINT64_MAX

struct project_input {
        const char *name;
        const char *place; /* for messages */
        enum imgc_input_type type;
        enum imgc_on_change on_change;
        uint32_t flags; /* enum imgc_input_flags */

        /* Values: canonical JSON; of a variable NULL where it is to be asked for. */
        const char *value;

        /* Trees. */
        enum imgc_tree_kind kind;
        uint32_t uid, gid;
        fields_t fields;
        bool fields_given;          /* else a listing brings its own */
        const char *const *exclude; /* NULL: none */
        const char *target;         /* NULL: none */
        const char *label;
        const char *path;
        const char *const *patterns; /* files: without "." and empty components */
        struct imgc_tree *tree;      /* read earlier */

        /* Links: an earlier image, and a stage by its number in that image. */
        uint32_t image, stage;
        enum imgc_link_by by;
};

struct project_read {
        const char *root;
        const char *label; /* what stands in the key */
        const char *const *exclude;
        const char *method; /* NULL: "declared" */
};

struct project_stage {
        const char *name;
        const char *place;
        enum imgc_snapshot_mode snapshot;
        enum imgc_link_by previous;
        uint64_t max_age_seconds;
        const char *const *results;
        uint32_t n_results;
        uint32_t first_read, n_reads;
        uint32_t first_input, n_inputs;
};

struct project_image {
        const char *name;
        const char *scope;
        const char *const *outputs;
        uint32_t first_stage, n_stages;
};

struct imgc_project {
        atomic_uint references;
        struct arena arena; /* all strings */
        const char *name;
        const char *builder;
        enum imgc_digest_algorithm digest;
        uint32_t max_append;
        int dirfd; /* what relative paths are relative to */
        struct project_image *images;
        struct project_stage *stages;
        struct project_read *reads;
        struct project_input *inputs;
        uint32_t n_images, n_stages, n_reads, n_inputs;
};

static inline const struct project_stage *project_stage_of(const struct imgc_project *project,
                                                           uint32_t image, uint32_t stage)
{
        return &project->stages[project->images[image].first_stage + stage];
}

static inline const struct project_input *project_input_of(const struct imgc_project *project,
                                                           const struct project_stage *stage,
                                                           uint32_t input)
{
        return &project->inputs[stage->first_input + input];
}

/* The number of the image of that name, or UINT32_MAX. */
uint32_t project_find_image(const struct imgc_project *project, const char *name);
/* The number of the stage in its image, or UINT32_MAX. */
uint32_t project_find_stage(const struct imgc_project *project, uint32_t image, const char *name);

DEFINE_CLEANUP(struct imgc_project *, imgc_project_unref)
