/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object and what it tells. */
#include "plan/plan.h"

#include <errno.h>

#include "core/error.h"
#include "core/io.h"
#include "core/options.h"

IMGC_EXPORT struct imgc_plan *imgc_plan_ref(struct imgc_plan *plan)
{
        atomic_fetch_add_explicit(&plan->references, 1, memory_order_relaxed);
        return plan;
}

IMGC_EXPORT struct imgc_plan *imgc_plan_unref(struct imgc_plan *plan)
{
        if (!plan || atomic_fetch_sub_explicit(&plan->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        imgc_project_unref(plan->project);
        arena_free(&plan->arena);
        free(plan);
        return NULL;
}

/* ------------------------------------------------------------------------------ words */

static const char *const decision_names[] = {
        [IMGC_DECISION_UP_TO_DATE] = "up-to-date", [IMGC_DECISION_RESUME] = "resume",
        [IMGC_DECISION_APPEND] = "append",         [IMGC_DECISION_REBUILD] = "rebuild",
        [IMGC_DECISION_NOT_NEEDED] = "not-needed", [IMGC_DECISION_KEPT] = "kept",
};

static const char *const state_names[] = {
        [IMGC_OUTPUT_VALID] = "valid",
        [IMGC_OUTPUT_MISSING] = "missing",
        [IMGC_OUTPUT_CHANGED] = "changed",
        [IMGC_OUTPUT_OUTDATED] = "outdated",
};

static const char *const code_names[] = {
        [IMGC_REASON_NEVER_BUILT] = "never-built",
        [IMGC_REASON_INPUT_ADDED] = "input-added",
        [IMGC_REASON_INPUT_REMOVED] = "input-removed",
        [IMGC_REASON_INPUT_CHANGED] = "input-changed",
        [IMGC_REASON_INPUT_MOVED] = "input-moved",
        [IMGC_REASON_STAGE_ADDED] = "stage-added",
        [IMGC_REASON_STAGE_REMOVED] = "stage-removed",
        [IMGC_REASON_STAGE_MOVED] = "stage-moved",
        [IMGC_REASON_UPSTREAM] = "upstream",
        [IMGC_REASON_BUILDER] = "builder",
        [IMGC_REASON_FORMAT] = "format",
        [IMGC_REASON_FORCED] = "forced",
        [IMGC_REASON_REFRESHED] = "refreshed",
        [IMGC_REASON_EVICTED] = "evicted",
        [IMGC_REASON_UNREACHABLE] = "unreachable",
        [IMGC_REASON_OUTPUT_MISSING] = "output-missing",
        [IMGC_REASON_OUTPUT_CHANGED] = "output-changed",
        [IMGC_REASON_READ_CHANGED] = "read-changed",
        [IMGC_REASON_SUPERSEDED] = "superseded",
        [IMGC_REASON_EXPIRED] = "expired",
        [IMGC_REASON_DAMAGED] = "damaged",
        [IMGC_REASON_APPEND_LIMIT] = "append-limit",
        [IMGC_REASON_ID_MAP] = "id-map",
        [IMGC_REASON_NO_SNAPSHOT] = "no-snapshot",
        [IMGC_REASON_TENTATIVE] = "tentative",
};

IMGC_EXPORT const char *imgc_decision_get_name(enum imgc_decision decision)
{
        return (size_t)decision < ELEMENTSOF(decision_names) ? decision_names[decision] : NULL;
}

IMGC_EXPORT const char *imgc_output_state_get_name(enum imgc_output_state state)
{
        return (size_t)state < ELEMENTSOF(state_names) ? state_names[state] : NULL;
}

IMGC_EXPORT const char *imgc_reason_code_get_name(enum imgc_reason_code code)
{
        return (size_t)code < ELEMENTSOF(code_names) ? code_names[code] : NULL;
}

/* ------------------------------------------------------------------------------ answers */

IMGC_EXPORT int imgc_plan_has_work(const struct imgc_plan *plan)
{
        return plan->has_work;
}

IMGC_EXPORT int imgc_plan_get_refusal(const struct imgc_plan *plan, const char **ret_image,
                                      const char **ret_stage)
{
        if (!plan->refused_image)
                return 0;
        if (ret_image)
                *ret_image = plan->refused_image;
        if (ret_stage)
                *ret_stage = plan->refused_stage;
        return 1;
}

IMGC_EXPORT uint32_t imgc_plan_get_n_images(const struct imgc_plan *plan)
{
        return plan->project->n_images;
}

static const struct plan_image *get_image(const struct imgc_plan *plan, uint32_t image)
{
        return image < plan->project->n_images ? &plan->images[image] : NULL;
}

IMGC_EXPORT int imgc_plan_get_image(const struct imgc_plan *plan, uint32_t image,
                                    struct imgc_plan_image *ret)
{
        const struct plan_image *found = get_image(plan, image);
        const size_t size = ret->size;

        if (!found)
                return -ERANGE;
        memcpy(ret, &found->told, MIN(size, sizeof(found->told)));
        ret->size = size;
        return 0;
}

IMGC_EXPORT const char *imgc_plan_get_run(const struct imgc_plan *plan, uint32_t image,
                                          uint32_t index)
{
        return get_image(plan, image) ? plan_run_name(plan, image, index) : NULL;
}

IMGC_EXPORT int imgc_plan_get_append(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                                     const char **ret_input, const char **ret_item)
{
        const struct plan_image *found = get_image(plan, image);

        if (!found || index >= found->told.n_appends)
                return -ERANGE;
        *ret_input = found->appends[index].input;
        *ret_item = found->appends[index].item;
        return 0;
}

IMGC_EXPORT int imgc_plan_get_output(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                                     const char **ret_path)
{
        const struct plan_image *found = get_image(plan, image);

        if (!found || index >= found->told.n_outputs)
                return -ERANGE;
        *ret_path = plan->project->images[image].outputs[index];
        return found->output_states[index];
}

static int get_reason(const struct imgc_reason *reasons, uint32_t n, uint32_t index,
                      struct imgc_reason *ret)
{
        const size_t size = ret->size;

        if (index >= n)
                return -ERANGE;
        memcpy(ret, &reasons[index], MIN(size, sizeof(*reasons)));
        ret->size = size;
        return 0;
}

IMGC_EXPORT int imgc_plan_get_reason(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                                     struct imgc_reason *ret)
{
        const struct plan_image *found = get_image(plan, image);

        return found ? get_reason(found->reasons, found->told.n_reasons, index, ret) : -ERANGE;
}

IMGC_EXPORT int imgc_plan_get_stale(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                                    struct imgc_reason *ret)
{
        const struct plan_image *found = get_image(plan, image);

        return found ? get_reason(found->stale, found->told.n_stale, index, ret) : -ERANGE;
}

/* ------------------------------------------------------------------------------ reports */

IMGC_EXPORT int imgc_plan_report(const struct imgc_plan *plan,
                                 const struct imgc_plan_report_options *options,
                                 imgc_write_fn write, void *userdata, struct imgc_error **reterr)
{
        static void (*const formats[])(struct plan_report * report) = {
                [IMGC_PLAN_TEXT] = plan_report_text,
                [IMGC_PLAN_JSON] = plan_report_json,
                [IMGC_PLAN_DOT] = plan_report_dot,
        };
        const uint32_t flags = IMGC_PLAN_REPORT_COLOR | IMGC_PLAN_REPORT_VERBOSE;
        struct plan_report report = {.plan = plan, .options = IMGC_PLAN_REPORT_OPTIONS_INIT};
        int r = 0;

        if (options) {
                r = options_check_size(options, options->size, sizeof(*options));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "report", NULL,
                                            "report options of an unknown size");
                memcpy(&report.options, options, MIN(options->size, sizeof(*options)));
        }
        if (report.options.format >= ELEMENTSOF(formats) || report.options.flags & ~flags)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "report", NULL,
                                    "unknown value in report options");
        formats[report.options.format](&report);
        if (report.out.failed)
                r = -ENOMEM;
        else if (report.out.size)
                r = write(userdata, report.out.data, report.out.size);
        buffer_free(&report.out);
        return r < 0 ? error_errno(reterr, r, "write a report", NULL) : 0;
}
