/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last predicate: everything that a record was built on can still be used, by its own record,
 * and is one snapshot per stage.
 *
 * "Per stage" means per key: two images of one scope may have stages of one name that are not
 * the same, and standing on both of them mixes nothing. Ancestors that were appended to have
 * other keys by nature.
 */
#include "plan/model.h"

static enum imgc_reason_code fail(struct verdict *verdict, const struct imgc_record *record,
                                  const struct imgc_ancestor *ancestor, enum imgc_reason_code cause)
{
        verdict->record = record;
        verdict->ancestor = ancestor;
        verdict->cause = cause;
        return IMGC_REASON_UPSTREAM;
}

bool judge_results_equal(const struct imgc_record *record, const struct imgc_ancestor *ancestor)
{
        if (record->n_results != ancestor->n_results)
                return false;
        for (size_t i = 0; i < record->n_results; i++) {
                const char *a = record->results[i].digest, *b = ancestor->result_digests[i];

                if ((!a || !b) ? a != b : strcmp(a, b) != 0)
                        return false;
        }
        return true;
}

/* Linked by output: whether something that can be used has the same results now. */
static bool has_equal(struct planner *planner, const struct imgc_ancestor *ancestor)
{
        const char *place = planner_print(planner, "%s\n%s", ancestor->scope, ancestor->stage);
        uint32_t i = place ? table_get(&planner->by_place, place) : NONE;

        for (; i != NONE; i = planner->nodes[i].next_place) {
                struct node *node = &planner->nodes[i];

                judge_load(planner, node);
                for (size_t k = 0; k < node->n_records; k++)
                        if (judge_results_equal(node->records[k]->record, ancestor) &&
                            judge_is_usable(planner, node->records[k]))
                                return true;
        }
        return false;
}

static enum imgc_reason_code check_ancestor(struct planner *planner, const struct imgc_ancestor *a,
                                            struct verdict *verdict)
{
        struct known *known = judge_find(planner, a->id);
        const struct verdict *own;
        uint32_t number;

        if (!known)
                return fail(verdict, NULL, a, 0);
        own = judge_own(planner, known);
        if (own->code)
                return fail(verdict, known->record, a,
                            known->record      ? own->code :
                            known->unreachable ? own->code :
                                                 0);
        if (known->kept)
                return 0;
        if (strcmp(known->record->key, a->key) != 0)
                return fail(verdict, known->record, a, IMGC_REASON_DAMAGED);
        if (a->flags & IMGC_ANCESTOR_APPEND)
                return 0;
        number = table_get(&planner->by_key, a->key);
        /* A key that is in ours by way of others, but of no stage of this project. */
        if (number == TABLE_NOTHING)
                return fail(verdict, known->record, a, IMGC_REASON_DAMAGED);
        if (planner->images[planner->nodes[number].image].kept)
                return fail(verdict, known->record, a, IMGC_REASON_SUPERSEDED);
        return 0;
}

/* Two snapshots of one key among the ancestors. */
static const struct imgc_ancestor *find_mixture(struct planner *planner,
                                                const struct imgc_record *record)
{
        const uint32_t stamp = ++planner->stamp;

        for (size_t i = 0; i < record->n_ancestors; i++) {
                const struct imgc_ancestor *a = &record->ancestors[i];
                uint32_t number = a->flags ? TABLE_NOTHING : table_get(&planner->by_key, a->key);
                struct node *node = number == TABLE_NOTHING ? NULL : &planner->nodes[number];

                if (!node)
                        continue;
                if (node->stamp == stamp && strcmp(node->stamp_id, a->id) != 0)
                        return a;
                node->stamp = stamp;
                node->stamp_id = a->id;
        }
        return NULL;
}

/* Whether the record names, as linked by key, what its stage links to by key. One that is cut
 * short must not pass for want of something to judge. */
static bool is_complete(struct planner *planner, const struct imgc_record *record)
{
        const uint32_t number = table_get(&planner->by_key, record->key);
        const uint32_t stamp = planner->stamp;
        const struct node *node;

        if (number == TABLE_NOTHING)
                return true;
        node = &planner->nodes[number];
        for (uint32_t k = 0; k < node->n_links; k++) {
                const struct link *link = &planner->links[node->first_link + k];
                const struct node *to = &planner->nodes[link->to];

                if (link->by == IMGC_BY_KEY && to->key &&
                    planner->nodes[to->same_key].stamp != stamp)
                        return false;
        }
        return true;
}

const struct verdict *judge_full(struct planner *planner, struct known *known)
{
        struct verdict *verdict = &known->full;
        const struct imgc_record *record = known->record;
        const struct imgc_ancestor *mixed;

        if (known->has_full)
                return verdict;
        *verdict = *judge_own(planner, known);
        known->has_full = true;
        if (verdict->code || known->kept)
                return verdict;
        for (size_t i = 0; !verdict->code && i < record->n_ancestors; i++) {
                const struct imgc_ancestor *a = &record->ancestors[i];

                if (a->flags & IMGC_ANCESTOR_BEHIND)
                        continue;
                if (!(a->flags & IMGC_ANCESTOR_BY_OUTPUT))
                        verdict->code = check_ancestor(planner, a, verdict);
                else if (!has_equal(planner, a))
                        verdict->code = fail(verdict, NULL, a, 0);
        }
        if (verdict->code)
                return verdict;
        mixed = find_mixture(planner, record);
        if (mixed)
                verdict->code = fail(verdict, record, mixed, IMGC_REASON_UPSTREAM);
        else if (!is_complete(planner, record))
                verdict->code = IMGC_REASON_DAMAGED;
        return verdict;
}
