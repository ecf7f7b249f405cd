/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seals what can be sealed now, and plans over it.
 *
 * A link by output needs results that only a plan can find, and a plan needs sealed inputs. So
 * stages are sealed with stand-ins for results; inputs are read once, and resolve.c computes the
 * keys that depend on such links.
 */
#include <errno.h>

#include "core/error.h"
#include "core/io.h"
#include "manifest/manifest-internal.h"
#include "plan/plan.h"

/* An input that does not exist: what the stage waits for, and the error if that does not come. */
struct missing {
        uint32_t stage; /* the stage that could not be sealed */
        struct imgc_error *error;
        int r;
};

struct sealing {
        struct imgc_context *context;
        struct imgc_project *project;
        struct imgc_sealer *sealer;
        struct missing *missing; /* of each image */
        uint32_t *n_sealed;      /* of each image */
        const char **stand_ins;
};

static bool is_sealed(const struct sealing *sealing, uint32_t image, uint32_t stage)
{
        return stage < sealing->n_sealed[image];
}

/* Whether everything that a stage links to is sealed. */
static bool has_links(const struct sealing *sealing, const struct project_stage *stage)
{
        for (uint32_t k = 0; k < stage->n_inputs; k++) {
                const struct project_input *input = project_input_of(sealing->project, stage, k);

                if (input->type == IMGC_INPUT_IMAGE &&
                    !is_sealed(sealing, input->image, input->stage))
                        return false;
        }
        return true;
}

static int set_stand_ins(struct sealing *sealing, uint32_t image, const struct project_stage *stage,
                         struct imgc_error **reterr)
{
        return imgc_sealer_set_results(sealing->sealer, sealing->project->images[image].name,
                                       stage->name, sealing->stand_ins, stage->n_results, reterr);
}

static int seal_image(struct sealing *sealing, uint32_t image, struct imgc_error **reterr)
{
        const struct project_image *of = &sealing->project->images[image];
        struct missing *missing = &sealing->missing[image];
        int r = 0;

        for (uint32_t s = 0; s < of->n_stages; s++) {
                const struct project_stage *stage = project_stage_of(sealing->project, image, s);
                struct imgc_error *error = NULL;

                missing->stage = s;
                if (!has_links(sealing, stage))
                        return 0;
                r = imgc_sealer_seal_next(sealing->sealer, of->name, NULL, &error);
                if (r == -ENOENT) {
                        missing->error = error;
                        missing->r = r;
                        return 0;
                }
                if (r < 0)
                        return error_give(reterr, error, r);
                sealing->n_sealed[image]++;
                r = set_stand_ins(sealing, image, stage, reterr);
                if (r < 0)
                        return r;
        }
        missing->stage = of->n_stages;
        return 0;
}

/* ------------------------------------------------------------------------------ what is missing */

static bool is_below(const char *path, const char *output)
{
        size_t n = strlen(output);

        while (n && output[n - 1] == '/')
                n--;
        return n && !strncmp(path, output, n) && (!path[n] || path[n] == '/');
}

static bool has_to_run(const struct imgc_plan *plan, uint32_t image)
{
        const struct imgc_plan_image *told = &plan->images[image].told;

        return told->n_run || (told->n_outputs && told->decision == IMGC_DECISION_RESUME);
}

/* Whether an image that has yet to run has one of the stage's paths among its outputs. */
static bool is_made_by(const struct imgc_plan *plan, const struct project_stage *stage,
                       uint32_t image)
{
        const char *const *outputs = plan->project->images[image].outputs;

        for (uint32_t k = 0; k < stage->n_inputs; k++) {
                const struct project_input *input = project_input_of(plan->project, stage, k);

                for (size_t i = 0; outputs[i]; i++) {
                        if (input->path && is_below(input->path, outputs[i]))
                                return true;
                        for (size_t p = 0; input->patterns && input->patterns[p]; p++)
                                if (is_below(input->patterns[p], outputs[i]))
                                        return true;
                }
        }
        return false;
}

/* An input may be missing only where something before the stage has yet to run and may make it. */
static bool may_come(const struct imgc_plan *plan, uint32_t image, uint32_t stage)
{
        const struct plan_image *own = &plan->images[image];
        const struct project_stage *of = project_stage_of(plan->project, image, stage);

        if (own->told.decision == IMGC_DECISION_NOT_NEEDED ||
            own->told.decision == IMGC_DECISION_KEPT)
                return true;
        if (own->told.n_run && own->told.first_run < stage)
                return true;
        for (uint32_t i = 0; i < image; i++)
                if (has_to_run(plan, i) && is_made_by(plan, of, i))
                        return true;
        return false;
}

static int check_missing(struct sealing *sealing, const struct imgc_plan *plan,
                         struct imgc_error **reterr)
{
        for (uint32_t i = 0; i < sealing->project->n_images; i++) {
                struct missing *missing = &sealing->missing[i];

                if (missing->error && !may_come(plan, i, missing->stage))
                        return error_give(reterr, TAKE_PTR(missing->error), missing->r);
        }
        return 0;
}

/* ------------------------------------------------------------------------------ the call */

static int prepare(struct sealing *sealing, const struct imgc_seal_options *seal,
                   struct imgc_error **reterr)
{
        static const char zeros[] =
                "0000000000000000000000000000000000000000000000000000000000000000";
        const struct imgc_project *project = sealing->project;
        /* As long as the project's digests. */
        const char *stand_in = project->digest == IMGC_DIGEST_SHA256 ? zeros : zeros + 32;
        uint32_t n_results = 0;
        int r = imgc_sealer_new(sealing->context, sealing->project, seal, &sealing->sealer, reterr);

        if (r < 0)
                return r;
        for (uint32_t i = 0; i < project->n_stages; i++)
                n_results = MAX(n_results, project->stages[i].n_results);
        sealing->missing = imgc_io_calloc(project->n_images + 1, sizeof(*sealing->missing));
        sealing->n_sealed = imgc_io_calloc(project->n_images + 1, sizeof(*sealing->n_sealed));
        sealing->stand_ins = imgc_io_calloc((size_t)n_results + 1, sizeof(*sealing->stand_ins));
        if (!sealing->missing || !sealing->n_sealed || !sealing->stand_ins)
                return error_no_memory(reterr);
        for (uint32_t i = 0; i < n_results; i++)
                sealing->stand_ins[i] = stand_in;
        return 0;
}

IMGC_EXPORT int imgc_plan_project(struct imgc_context *context, struct imgc_project *project,
                                  const struct imgc_seal_options *seal,
                                  const struct imgc_plan_lookup *lookup,
                                  const struct imgc_plan_options *options, struct imgc_plan **ret,
                                  struct imgc_error **reterr)
{
        struct sealing sealing = {.context = context, .project = project};
        _cleanup_(imgc_manifest_unrefp) struct imgc_manifest *manifest = NULL;
        _cleanup_(imgc_plan_unrefp) struct imgc_plan *plan = NULL;
        int r = prepare(&sealing, seal, reterr);

        for (uint32_t i = 0; r >= 0 && i < project->n_images; i++)
                r = seal_image(&sealing, i, reterr);
        if (r >= 0)
                r = imgc_sealer_get_manifest(sealing.sealer, &manifest, reterr);
        if (r >= 0)
                r = plan_decide(context, project, manifest, true, lookup, options, &plan, reterr);
        if (r >= 0)
                r = check_missing(&sealing, plan, reterr);
        for (uint32_t i = 0; sealing.missing && i < project->n_images; i++)
                imgc_error_unref(sealing.missing[i].error);
        free(sealing.missing);
        free(sealing.n_sealed);
        free(sealing.stand_ins);
        imgc_sealer_free(sealing.sealer);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(plan);
        return 0;
}
