/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Why an image is not up to date.
 *
 * Where a stage that runs has records under its key, what stands in their way is the reason. Where
 * it has none, something is other than it was, and the nearest record says what: the one with the
 * most equal stages before it, then with the fewest changes, then the deepest and the newest.
 */
#include <time.h>

#include "plan/explain.h"

/* How many records of a stage are looked at for the nearest. */
#define LIMIT_NEAREST 64u

/* ------------------------------------------------------------------------------ verdicts */

static const char *date_of(struct planner *planner, int64_t seconds)
{
        time_t t = seconds;
        char text[64];
        struct tm tm;

        if (!gmtime_r(&t, &tm) || !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm))
                return planner_print(planner, "%lld", (long long)seconds);
        return planner_copy(planner, text, strlen(text));
}

static const char *number_of(struct planner *planner, int64_t number)
{
        return planner_print(planner, "%lld", (long long)number);
}

static void add_values(struct reasons *reasons, enum imgc_reason_code code,
                       const struct verdict *verdict)
{
        struct planner *planner = reasons->planner;
        const struct imgc_record *record = verdict->record;
        const struct imgc_read_fact *fact = verdict->fact;
        const char *a = NULL, *b = NULL, *path = NULL;

        switch (code) {
        case IMGC_REASON_EXPIRED:
                a = date_of(planner, verdict->old_number);
                b = date_of(planner, verdict->new_number);
                break;
        case IMGC_REASON_SUPERSEDED:
        case IMGC_REASON_APPEND_LIMIT:
                a = number_of(planner, verdict->old_number);
                b = number_of(planner, verdict->new_number);
                break;
        case IMGC_REASON_EVICTED:
        case IMGC_REASON_DAMAGED:
                a = record && record->gone_seconds ? date_of(planner, record->gone_seconds) : NULL;
                b = record ? record->gone_rule : NULL;
                break;
        case IMGC_REASON_ID_MAP:
                a = record ? record->uid_map : NULL;
                b = planner->lookup->uid_map;
                break;
        case IMGC_REASON_READ_CHANGED:
                reasons->input = fact ? fact->root : NULL;
                path = fact ? fact->path : NULL;
                break;
        default:
                break;
        }
        reasons_add(reasons, code, path, NULL, a, b);
        reasons->input = NULL;
}

void explain_verdict(struct reasons *reasons, const struct verdict *verdict)
{
        struct planner *planner = reasons->planner;
        const struct imgc_ancestor *ancestor = verdict->ancestor;
        const char *image = reasons->image, *stage = reasons->stage, *place;
        struct known *known;
        uint32_t number;

        if (verdict->code != IMGC_REASON_UPSTREAM || !ancestor) {
                add_values(reasons, verdict->code, verdict);
                return;
        }
        place = planner_print(planner, "%s\n%s", ancestor->scope, ancestor->stage);
        number = place ? table_get(&planner->by_place, place) : TABLE_NOTHING;
        reasons->image = number != TABLE_NOTHING ?
                                 image_of(planner, &planner->nodes[number])->name :
                                 planner_copy(planner, ancestor->scope, strlen(ancestor->scope));
        reasons->stage = planner_copy(planner, ancestor->stage, strlen(ancestor->stage));
        known = judge_find(planner, ancestor->id);
        add_values(reasons, verdict->cause ? verdict->cause : IMGC_REASON_UPSTREAM,
                   known && known->own.code ? &known->own : verdict);
        if (reasons->list.size) {
                struct imgc_reason *last = reasons_at(reasons, reasons_count(reasons) - 1);

                last->code = IMGC_REASON_UPSTREAM;
                last->cause = verdict->cause;
        }
        reasons->image = image;
        reasons->stage = stage;
}

/* ------------------------------------------------------------------------------ nearest */

struct nearness {
        uint32_t prefix, changes, depth;
        uint64_t generation;
        int64_t begin_seconds;
};

static bool is_nearer(const struct nearness *a, const struct nearness *b)
{
        if (a->prefix != b->prefix)
                return a->prefix > b->prefix;
        if (a->changes != b->changes)
                return a->changes < b->changes;
        if (a->depth != b->depth)
                return a->depth > b->depth;
        if (a->generation != b->generation)
                return a->generation > b->generation;
        return a->begin_seconds > b->begin_seconds;
}

static struct nearness measure(struct planner *planner, uint32_t image, uint32_t depth,
                               struct known *known)
{
        struct nearness nearness = {
                .depth = depth,
                .generation = known->record->generation,
                .begin_seconds = known->record->begin_seconds,
        };
        const struct node *node;
        struct known *below;

        for (; nearness.prefix <= depth; nearness.prefix++) {
                node = node_of(planner, image, nearness.prefix);
                below = resolve_below(planner, known, node);
                if (!node->key || !below || !below->record ||
                    strcmp(below->record->key, node->key) != 0)
                        break;
        }
        /* All equal, and nothing known of what follows: anything that says more is nearer. */
        if (nearness.prefix > depth) {
                nearness.changes = NONE;
                return nearness;
        }
        node = node_of(planner, image, nearness.prefix);
        below = resolve_below(planner, known, node);
        nearness.changes = below && below->record && !below->malformed ?
                                   MIN(compare_count(planner, node, below->record), NONE - 1) :
                                   NONE - 1;
        return nearness;
}

static const struct imgc_record *find_nearest(struct planner *planner, uint32_t image)
{
        const struct project_image *of = &planner->project->images[image];
        const struct imgc_record *best = NULL;
        struct nearness best_nearness = {0};

        for (uint32_t s = of->n_stages; s-- > 0;) {
                const struct imgc_record *const *records = NULL;
                size_t n = 0;

                if (planner->lookup->find_by_stage(planner->lookup->userdata, of->scope,
                                                   node_of(planner, image, s)->of->name, &records,
                                                   &n) <= 0)
                        continue;
                /* The newest are the last. */
                for (size_t i = n > LIMIT_NEAREST ? n - LIMIT_NEAREST : 0; i < n; i++) {
                        struct known *known = judge_know(planner, records[i]);
                        struct nearness nearness;

                        if (!known || known->malformed)
                                continue;
                        nearness = measure(planner, image, s, known);
                        if (!best || is_nearer(&nearness, &best_nearness)) {
                                best = known->record;
                                best_nearness = nearness;
                        }
                }
        }
        return best;
}

/* ------------------------------------------------------------------------------ stages */

struct explainer {
        struct reasons *reasons;
        uint32_t image;
        const struct imgc_record *nearest;
        bool found; /* a reason that explains all that follows */
        bool compared;
};

/* The verdict that says most: of a record that is right but gone, else of the newest. */
static void explain_records(struct explainer *explainer, struct node *node)
{
        struct planner *planner = explainer->reasons->planner;
        const struct verdict *verdict = NULL;

        for (size_t i = 0; i < node->n_records; i++) {
                struct known *known = node->records[i];
                const struct verdict *full = judge_full(planner, known);

                if (!full->code && judge_is_present(known)) {
                        /* Right, there, and not taken: something it stands on is made again. */
                        return;
                }
                if (!full->code) {
                        const struct verdict gone = {.record = known->record};

                        if (known->record->flags & IMGC_RECORD_EVICTED)
                                add_values(explainer->reasons, IMGC_REASON_EVICTED, &gone);
                        return;
                }
                if (!verdict)
                        verdict = full;
        }
        /* What stands on an earlier stage of the same image was explained there. */
        if (verdict->code == IMGC_REASON_UPSTREAM && verdict->ancestor && explainer->found &&
            !strcmp(verdict->ancestor->scope, image_of(planner, node)->scope))
                return;
        explain_verdict(explainer->reasons, verdict);
        explainer->found = true;
}

static void explain_unknown(struct explainer *explainer, const struct node *node)
{
        struct planner *planner = explainer->reasons->planner;

        for (uint32_t k = 0; k < node->n_links; k++) {
                const struct link *link = &planner->links[node->first_link + k];
                const struct node *to = &planner->nodes[link->to];

                if (to->image != node->image &&
                    (!to->key || !to->results || link->by == IMGC_BY_KEY) &&
                    (node_runs(planner, to) || !to->key)) {
                        explain_link(explainer->reasons, to, explainer->nearest);
                        explainer->found = true;
                }
        }
        if (!explainer->found)
                reasons_add(explainer->reasons, IMGC_REASON_TENTATIVE, NULL, NULL, NULL, NULL);
        explainer->found = true;
}

static void explain_stage(struct explainer *explainer, struct node *node)
{
        struct reasons *reasons = explainer->reasons;
        struct planner *planner = reasons->planner;
        size_t before = reasons->list.size;

        reasons->image = image_of(planner, node)->name;
        reasons->stage = node->of->name;
        judge_load(planner, node);
        if (node->forced && !explainer->found) {
                reasons_add(reasons, IMGC_REASON_FORCED, NULL, NULL, NULL, NULL);
                explainer->found = true;
        } else if (node->unreachable) {
                reasons_add(reasons, IMGC_REASON_UNREACHABLE, NULL, NULL, NULL, NULL);
                explainer->found = true;
        } else if (node->n_records) {
                explain_records(explainer, node);
        } else if (!node->key && !explainer->found && !explainer->nearest) {
                /* Told below: never built. */
                return;
        } else if (!explainer->compared && explainer->nearest) {
                explainer->compared = true;
                explain_chain(reasons, explainer->image, 0,
                              planner->project->images[explainer->image].n_stages - 1,
                              explainer->nearest);
                explainer->found |= reasons->list.size > before;
        }
        if (!node->key && !explainer->found) {
                reasons->image = image_of(planner, node)->name;
                reasons->stage = node->of->name;
                explain_unknown(explainer, node);
        }
}

/* A set that only grew, and was not appended to. */
static void explain_refused_append(struct explainer *explainer, struct node *node)
{
        struct verdict why;

        if (append_find(explainer->reasons->planner, node, &why) || !why.code)
                return;
        explainer->reasons->image = image_of(explainer->reasons->planner, node)->name;
        explainer->reasons->stage = node->of->name;
        explain_verdict(explainer->reasons, &why);
}

/* ------------------------------------------------------------------------------ images */

static void explain_outputs(struct explainer *explainer)
{
        struct planner *planner = explainer->reasons->planner;
        const struct image_work *work = &planner->images[explainer->image];
        const char *const *outputs = planner->project->images[explainer->image].outputs;

        explainer->reasons->stage = NULL;
        for (uint32_t k = 0; outputs[k]; k++) {
                if (work->output_states[k] == IMGC_OUTPUT_MISSING)
                        reasons_add(explainer->reasons, IMGC_REASON_OUTPUT_MISSING, outputs[k],
                                    NULL, NULL, NULL);
                else if (work->output_states[k] == IMGC_OUTPUT_CHANGED && work->outputs_unreachable)
                        reasons_add(explainer->reasons, IMGC_REASON_UNREACHABLE, outputs[k], NULL,
                                    NULL, NULL);
                else if (work->output_states[k] != IMGC_OUTPUT_VALID)
                        reasons_add(explainer->reasons, IMGC_REASON_OUTPUT_CHANGED, outputs[k],
                                    work->output_states[k] == IMGC_OUTPUT_OUTDATED ? "key" :
                                                                                     "content",
                                    NULL, NULL);
        }
}

/* The record that is used of an image: what is restored, or made its outputs, or would serve; of
 * one that is not needed, what a later image stands on. */
static struct known *find_used(struct planner *planner, uint32_t image)
{
        struct image_work *work = &planner->images[image];
        const uint32_t n = planner->project->images[image].n_stages;
        struct node *last = n ? node_of(planner, image, n - 1) : NULL;

        if (work->choice.restore || !last)
                return work->choice.restore;
        if (work->choice.decision == IMGC_DECISION_UP_TO_DATE && work->outputs_valid)
                return work->output_record;
        for (size_t i = 0; work->choice.decision == IMGC_DECISION_UP_TO_DATE && i < last->n_records;
             i++)
                if (judge_is_present(last->records[i]) &&
                    judge_is_usable(planner, last->records[i]))
                        return last->records[i];
        for (uint32_t s = n; work->choice.decision == IMGC_DECISION_NOT_NEEDED && s-- > 0;) {
                for (uint32_t other = image + 1; other < planner->project->n_images; other++) {
                        struct known *used = planner->images[other].choice.decision ==
                                                             IMGC_DECISION_NOT_NEEDED ?
                                                     NULL :
                                                     find_used(planner, other);
                        struct known *below =
                                used ? resolve_below(planner, used, node_of(planner, image, s)) :
                                       NULL;

                        if (below && below->record && !below->malformed)
                                return below;
                }
        }
        return NULL;
}

static void explain_stale(struct planner *planner, uint32_t image, struct reasons *stale)
{
        const struct choice *choice = &planner->images[image].choice;
        struct known *used = find_used(planner, image);

        for (uint32_t s = 0; used && s < choice->first_run; s++) {
                const struct node *node = node_of(planner, image, s);
                struct known *below = resolve_below(planner, used, node);

                stale->image = image_of(planner, node)->name;
                stale->stage = node->of->name;
                if (below && below->record && !below->malformed)
                        explain_inputs(stale, node, below->record, IMGC_ON_CHANGE_STALE,
                                       used->record);
        }
}

static bool is_same_text(const char *a, const char *b)
{
        return (!a || !b) ? a == b : !strcmp(a, b);
}

/* What several stages stand on is told once. */
static void drop_repeated(struct reasons *reasons)
{
        struct imgc_reason *all = reasons_at(reasons, 0);
        size_t kept = 0;

        for (size_t i = 0; i < reasons_count(reasons); i++) {
                size_t k = all[i].code == IMGC_REASON_UPSTREAM ? 0 : kept;

                while (k < kept && (all[k].code != all[i].code || all[k].cause != all[i].cause ||
                                    !is_same_text(all[k].image, all[i].image) ||
                                    !is_same_text(all[k].stage, all[i].stage) ||
                                    !is_same_text(all[k].input, all[i].input) ||
                                    !is_same_text(all[k].path, all[i].path) ||
                                    !is_same_text(all[k].attribute, all[i].attribute)))
                        k++;
                if (k == kept)
                        all[kept++] = all[i];
        }
        reasons->list.size = kept * sizeof(*all);
}

static void explain_runs(struct explainer *explainer)
{
        struct reasons *reasons = explainer->reasons;
        struct planner *planner = reasons->planner;
        const struct choice *choice = &planner->images[explainer->image].choice;
        const struct project_image *of = &planner->project->images[explainer->image];
        struct image_work *work = &planner->images[explainer->image];

        for (uint32_t s = choice->first_run; s < of->n_stages && !planner->failed; s++) {
                struct node *node = node_of(planner, explainer->image, s);

                explain_stage(explainer, node);
                if (choice->decision != IMGC_DECISION_APPEND && !node->n_records)
                        explain_refused_append(explainer, node);
        }
        reasons->image = of->name;
        reasons->stage = NULL;
        if (explainer->found)
                return;
        if (choice->first_run < of->n_stages) {
                struct node *first = node_of(planner, explainer->image, choice->first_run);

                for (uint32_t s = choice->first_run; s < of->n_stages && first->n_records; s++)
                        first = node_of(planner, explainer->image, s);
                if (!first->n_records) {
                        bool ended = work->output_record && work->output_record->record &&
                                     explainer->nearest;

                        reasons->stage = explainer->nearest ? first->of->name : NULL;
                        reasons_add(reasons,
                                    ended ? IMGC_REASON_STAGE_ADDED : IMGC_REASON_NEVER_BUILT, NULL,
                                    NULL, NULL, NULL);
                        return;
                }
        }
        explain_outputs(explainer);
        if (!reasons_count(reasons) && choice->first_run < of->n_stages) {
                reasons->stage =
                        of->n_stages ?
                                node_of(planner, explainer->image, of->n_stages - 1)->of->name :
                                NULL;
                reasons_add(reasons, IMGC_REASON_NO_SNAPSHOT, NULL, NULL, NULL, NULL);
        }
}

void explain_image(struct planner *planner, uint32_t image)
{
        struct image_work *work = &planner->images[image];
        struct reasons reasons = {.planner = planner,
                                  .image = planner->project->images[image].name};
        struct reasons stale = {.planner = planner};
        struct explainer explainer = {.reasons = &reasons, .image = image};

        if (work->choice.decision >= IMGC_DECISION_RESUME &&
            work->choice.decision <= IMGC_DECISION_REBUILD) {
                explainer.nearest = find_nearest(planner, image);
                explain_runs(&explainer);
                drop_repeated(&reasons);
        }
        explain_stale(planner, image, &stale);
        work->reasons = reasons.list;
        work->stale = stale.list;
}
