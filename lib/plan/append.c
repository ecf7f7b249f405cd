/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stage could be appended to: the snapshot of it that has most of its sets already. */
#include "plan/compare.h"
#include "plan/model.h"

static bool has_append_sets(const struct planner *planner, const struct node *node)
{
        for (uint32_t i = 0; i < node->of->n_inputs; i++)
                if (project_input_of(planner->project, node->of, i)->flags & IMGC_INPUT_APPEND)
                        return true;
        return false;
}

/* Predicates of the ancestor, and whether one more may follow. Its key differs from the stage's,
 * so that what it stands on is judged as anything else's: linked by key, its ancestors have the
 * stage's own keys. */
static bool may_follow(struct planner *planner, struct known *known, struct verdict *ret_why)
{
        const struct imgc_record *record = known->record;
        const struct verdict *full;

        if (record->append_depth >= planner->max_append) {
                *ret_why = (struct verdict){
                        .code = IMGC_REASON_APPEND_LIMIT,
                        .record = record,
                        .old_number = record->append_depth,
                        .new_number = planner->max_append,
                };
                return false;
        }
        full = judge_full(planner, known);
        if (full->code) {
                *ret_why = *full;
                return false;
        }
        if (!judge_is_present(known)) {
                *ret_why = (struct verdict){
                        .code = record->flags & IMGC_RECORD_EVICTED ? IMGC_REASON_EVICTED :
                                                                      IMGC_REASON_NO_SNAPSHOT,
                        .record = record,
                };
                return false;
        }
        return !known->banned;
}

struct known *append_find(struct planner *planner, struct node *node, struct verdict *ret_why)
{
        const struct imgc_record *const *records = NULL;
        struct known *best = NULL;
        size_t n = 0, best_items = SIZE_MAX, refused_items = SIZE_MAX;

        *ret_why = (struct verdict){0};
        if (!node->sealed || !node->key || node->forced || !has_append_sets(planner, node))
                return NULL;
        if (planner->lookup->find_by_stage(planner->lookup->userdata,
                                           image_of(planner, node)->scope, node->of->name, &records,
                                           &n) <= 0)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                struct known *known = judge_know(planner, records[i]);
                struct verdict why = {0};
                size_t items;

                if (!known || known->malformed ||
                    !compare_is_growth(planner, node, known->record, &items))
                        continue;
                if (!may_follow(planner, known, &why)) {
                        if (items < refused_items && why.code) {
                                refused_items = items;
                                *ret_why = why;
                        }
                } else if (items < best_items ||
                           (items == best_items &&
                            known->record->generation > best->record->generation)) {
                        best = known;
                        best_items = items;
                }
        }
        if (best)
                *ret_why = (struct verdict){0};
        return best;
}
