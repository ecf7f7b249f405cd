/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object: the outcome of planning, with copies of all that it tells. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <imagecache/plan.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "manifest/project-internal.h"

struct plan_item {
        const char *input;
        const char *item;
};

struct plan_image {
        struct imgc_plan_image told;
        uint8_t *output_states;
        struct plan_item *appends;
        struct imgc_reason *reasons, *stale;
};

struct imgc_plan {
        atomic_uint references;
        struct imgc_project *project; /* its names are borrowed */
        struct arena arena;
        struct plan_image *images;
        bool has_work;
        const char *refused_image, *refused_stage;
};

/* imgc_plan_new() for a manifest that was sealed with results that are not known: `resolves`. */
int plan_decide(struct imgc_context *context, struct imgc_project *project,
                struct imgc_manifest *manifest, bool resolves,
                const struct imgc_plan_lookup *lookup, const struct imgc_plan_options *options,
                struct imgc_plan **ret, struct imgc_error **reterr);

/* Reports: each writes into `out`. */
struct plan_report {
        const struct imgc_plan *plan;
        struct imgc_plan_report_options options;
        struct buffer out;
};

void plan_report_text(struct plan_report *report);
void plan_report_json(struct plan_report *report);
void plan_report_dot(struct plan_report *report);

static inline const char *plan_run_name(const struct imgc_plan *plan, uint32_t image,
                                        uint32_t index)
{
        const struct plan_image *of = &plan->images[image];

        return index < of->told.n_run ?
                       project_stage_of(plan->project, image, of->told.first_run + index)->name :
                       NULL;
}

DEFINE_CLEANUP(struct imgc_plan *, imgc_plan_unref)
