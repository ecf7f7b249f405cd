/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what is asked for to a plan: the steps in their order. */
#include <errno.h>

#include "core/context.h"
#include "core/io.h"
#include "core/options.h"
#include "manifest/json.h"
#include "plan/compare.h"
#include "plan/explain.h"
#include "plan/plan.h"

/* ------------------------------------------------------------------------------ keeping */

/* Enters a record that is kept with all that it stands on: used whatever it is. */
static bool keep_record(struct planner *planner, const struct imgc_record *record)
{
        bool ok = table_set(&planner->kept_ids, record->id, 0);

        for (size_t i = 0; ok && i < record->n_ancestors; i++)
                ok = record->ancestors[i].id &&
                     table_set(&planner->kept_ids, record->ancestors[i].id, 0);
        return ok;
}

static int keep_image(struct planner *planner, const char *name, struct imgc_error **reterr)
{
        uint32_t image = project_find_image(planner->project, name);
        const struct project_image *of;
        struct image_work *work;

        if (image == NONE)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan", NULL,
                                     "keep: the project has no image \"%.255s\"", name);
        of = &planner->project->images[image];
        work = &planner->images[image];
        for (uint32_t k = 0; of->outputs[k]; k++)
                if (work->output_states[k] == IMGC_OUTPUT_MISSING ||
                    work->output_states[k] == IMGC_OUTPUT_CHANGED)
                        work->output_record = NULL;
        if (!of->outputs[0] || !work->output_record || !work->output_record->record ||
            work->output_record->malformed ||
            strcmp(work->output_record->record->scope, of->scope) != 0)
                return error_message(
                        reterr, IMGC_ERROR_NOT_FOUND, -ENOENT, "plan", NULL,
                        "keep: nothing is known of what made the outputs of image \"%s\"",
                        of->name);
        work->kept_id = work->output_record->record->id;
        return keep_record(planner, work->output_record->record) ? 0 : error_no_memory(reterr);
}

static int keep_images(struct planner *planner, struct imgc_error **reterr)
{
        const char *const *keep = planner->options->keep;
        int r;

        if (!keep || !keep[0])
                return 0;
        r = outputs_judge(planner, reterr);
        for (size_t i = 0; r >= 0 && keep[i]; i++)
                r = keep_image(planner, keep[i], reterr);
        /* Judged without keys; what was found out is thrown away by resolve.c. */
        return r;
}

/* ------------------------------------------------------------------------------ outcome */

static void tell_appends(struct planner *planner, uint32_t image, struct plan_image *ret)
{
        const struct choice *choice = &planner->images[image].choice;
        const struct node *node = &planner->nodes[choice->restore_node];
        const struct old_stage *old_stage = compare_read(planner, choice->restore->record);
        struct buffer items = {0};

        for (uint32_t i = 0; old_stage && i < node->sealed->n_inputs; i++) {
                const struct manifest_input *now =
                        &planner->manifest->inputs[node->sealed->first_input + i];
                const struct json *json, *a, *b;
                uint32_t k = compare_find(old_stage, now->name);

                if (!(now->flags & IMGC_INPUT_APPEND) || now->on_change != IMGC_ON_CHANGE_REBUILD ||
                    k == NONE)
                        continue;
                json = compare_parse_now(planner, node, i);
                a = json_get(old_stage->inputs[k].json, "items");
                b = json ? json_get(json, "items") : NULL;
                for (const struct json *item = a && b ? b->first : NULL; item; item = item->next) {
                        _cleanup_buffer_ struct buffer text = {0};
                        struct plan_item one = {
                                .input = project_input_of(planner->project, node->of, i)->name};

                        if (compare_has_item(a, item))
                                continue;
                        if (json_is_plain_string(item))
                                buffer_add(&text, item->text, item->size);
                        else
                                json_add(&text, item);
                        one.item = text.failed ? NULL : planner_copy(planner, text.data, text.size);
                        buffer_add(&items, &one, sizeof(one));
                }
        }
        ret->told.n_appends = (uint32_t)(items.size / sizeof(struct plan_item));
        ret->appends = planner_alloc(planner, ret->told.n_appends, sizeof(struct plan_item));
        if (ret->appends && items.size)
                memcpy(ret->appends, items.data, items.size);
        planner->failed |= items.failed;
        buffer_free(&items);
}

/* A stage runs for sure where it is sealed, or stands by key on one that runs for sure. */
static bool is_certain(const struct planner *planner, const struct node *node, const bool *certain)
{
        if (node->key)
                return true;
        for (uint32_t k = 0; k < node->n_links; k++) {
                const struct link *link = &planner->links[node->first_link + k];

                if (link->by == IMGC_BY_KEY && certain[link->to])
                        return true;
        }
        return false;
}

static void tell_image(struct planner *planner, uint32_t image, bool *certain,
                       struct plan_image *ret)
{
        const struct image_work *work = &planner->images[image];
        const struct choice *choice = &work->choice;
        const struct project_image *of = &planner->project->images[image];

        ret->told = (struct imgc_plan_image){
                .size = sizeof(ret->told),
                .image = of->name,
                .decision = choice->decision,
                .first_run = choice->first_run,
                .n_run = of->n_stages - choice->first_run,
                .n_reasons = (uint32_t)(work->reasons.size / sizeof(struct imgc_reason)),
                .n_stale = (uint32_t)(work->stale.size / sizeof(struct imgc_reason)),
        };
        while (of->outputs[ret->told.n_outputs])
                ret->told.n_outputs++;
        for (uint32_t s = 0; s < of->n_stages; s++) {
                const struct node *node = node_of(planner, image, s);
                const bool runs = s >= choice->first_run;

                ret->told.tentative |= runs && !node->key;
                certain[node_number(planner, node)] = runs && is_certain(planner, node, certain);
                if (certain[node_number(planner, node)] &&
                    ret->told.n_certain == s - choice->first_run)
                        ret->told.n_certain++;
        }
        if (choice->restore_node != NONE) {
                const struct node *node = &planner->nodes[choice->restore_node];
                const struct imgc_record *record = choice->restore ? choice->restore->record : NULL;
                const char *key = record ? record->key : node->key;

                ret->told.restore_stage = node->of->name;
                ret->told.restore_key = planner_copy(planner, key, strlen(key));
                ret->told.restore_id =
                        record ? planner_copy(planner, record->id, strlen(record->id)) : NULL;
        }
        if (choice->decision == IMGC_DECISION_APPEND)
                tell_appends(planner, image, ret);
        ret->output_states = work->output_states;
        ret->reasons = planner_alloc(planner, ret->told.n_reasons, sizeof(*ret->reasons));
        ret->stale = planner_alloc(planner, ret->told.n_stale, sizeof(*ret->stale));
        if (ret->reasons && work->reasons.size)
                memcpy(ret->reasons, work->reasons.data, work->reasons.size);
        if (ret->stale && work->stale.size)
                memcpy(ret->stale, work->stale.data, work->stale.size);
}

static void tell_refusal(const struct imgc_plan_options *options, struct imgc_plan *plan)
{
        for (uint32_t i = 0;
             options->flags & IMGC_PLAN_FAIL_ON_REBUILD && i < plan->project->n_images; i++) {
                const struct plan_image *image = &plan->images[i];

                for (uint32_t k = 0; !plan->refused_image && k < image->told.n_run; k++) {
                        const char *stage = plan_run_name(plan, i, k);

                        if (options->fail_stage ? strcmp(options->fail_stage, stage) != 0 :
                                                  image->told.decision != IMGC_DECISION_REBUILD)
                                continue;
                        plan->refused_image = image->told.image;
                        plan->refused_stage = stage;
                }
        }
}

static int tell(struct planner *planner, struct imgc_project *project, struct imgc_plan **ret,
                struct imgc_error **reterr)
{
        _cleanup_(imgc_plan_unrefp) struct imgc_plan *plan = imgc_io_calloc(1, sizeof(*plan));
        bool *certain = planner_alloc(planner, planner->n_nodes, sizeof(*certain));

        if (!plan || !certain)
                return error_no_memory(reterr);
        plan->references = 1;
        plan->project = imgc_project_ref(project);
        plan->images = planner_alloc(planner, project->n_images, sizeof(*plan->images));
        for (uint32_t i = 0; plan->images && i < project->n_images; i++) {
                struct plan_image *image = &plan->images[i];
                bool wanted;

                tell_image(planner, i, certain, image);
                wanted = image->told.decision >= IMGC_DECISION_RESUME &&
                         image->told.decision <= IMGC_DECISION_REBUILD;
                plan->has_work |= wanted &&
                                  (image->told.n_run ||
                                   (image->told.n_outputs && !planner->images[i].outputs_valid));
        }
        if (planner->failed)
                return error_no_memory(reterr);
        tell_refusal(planner->options, plan);
        plan->arena = TAKE(planner->arena, (struct arena){0});
        *ret = TAKE_PTR(plan);
        return 0;
}

/* ------------------------------------------------------------------------------ steps */

static void planner_done(struct planner *planner)
{
        for (uint32_t i = 0; planner->images && i < planner->project->n_images; i++) {
                buffer_free(&planner->images[i].reasons);
                buffer_free(&planner->images[i].stale);
        }
        table_free(&planner->by_key);
        table_free(&planner->by_place);
        table_free(&planner->by_id);
        table_free(&planner->kept_ids);
        free(planner->known);
        arena_free(&planner->arena);
}

static int run_steps(struct planner *planner, struct imgc_project *project, struct imgc_plan **ret,
                     struct imgc_error **reterr)
{
        int r = graph_build(planner, reterr);

        if (r >= 0)
                r = keep_images(planner, reterr);
        if (r < 0)
                return r;
        resolve_and_choose(planner);
        if (context_is_cancelled(planner->context))
                return error_reason(reterr, IMGC_ERROR_CANCELLED, -ECANCELED, "plan", NULL,
                                    "cancelled");
        if (!planner->failed && planner->contradicts)
                return error_message(
                        reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan", NULL,
                        "keep: an image that is kept stands on another result than what must run");
        for (uint32_t i = 0; !planner->failed && i < project->n_images; i++)
                explain_image(planner, i);
        return planner->failed ? error_no_memory(reterr) : tell(planner, project, ret, reterr);
}

static int check_arguments(const struct imgc_plan_lookup *lookup,
                           const struct imgc_plan_options *options, struct imgc_error **reterr)
{
        const uint32_t flags = IMGC_PLAN_REFRESH | IMGC_PLAN_NO_APPEND | IMGC_PLAN_FAIL_ON_REBUILD;
        const char *reason = NULL;

        if (!lookup || lookup->size < sizeof(*lookup) || !lookup->find_by_key ||
            !lookup->find_by_stage || !lookup->find_by_id || !lookup->get_floor ||
            !lookup->get_output || !lookup->get_state)
                reason = "the look-up is not whole";
        else if (options->flags & ~flags || options->reserved)
                reason = "unknown value in the options";
        return reason ? error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan", NULL,
                                     "%s", reason) :
                        0;
}

int plan_decide(struct imgc_context *context, struct imgc_project *project,
                struct imgc_manifest *manifest, bool resolves,
                const struct imgc_plan_lookup *lookup, const struct imgc_plan_options *options,
                struct imgc_plan **ret, struct imgc_error **reterr)
{
        struct imgc_plan_options o = IMGC_PLAN_OPTIONS_INIT;
        struct planner planner = {
                .context = context,
                .project = project,
                .manifest = manifest,
                .lookup = lookup,
                .options = &o,
                .resolves = resolves,
        };
        int r;

        if (options) {
                r = options_check_size(options, options->size, sizeof(o));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "plan", NULL,
                                            "options of an unknown size");
                memcpy(&o, options, MIN(options->size, sizeof(o)));
        }
        r = check_arguments(lookup, &o, reterr);
        if (r >= 0)
                r = run_steps(&planner, project, ret, reterr);
        planner_done(&planner);
        return r;
}

IMGC_EXPORT int imgc_plan_new(struct imgc_context *context, struct imgc_project *project,
                              struct imgc_manifest *manifest, const struct imgc_plan_lookup *lookup,
                              const struct imgc_plan_options *options, struct imgc_plan **ret,
                              struct imgc_error **reterr)
{
        return plan_decide(context, project, manifest, false, lookup, options, ret, reterr);
}
