/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The chain of predicates: whether a record can be used now, and if not, why.
 *
 * Each predicate is one function that owns its reason. The first one, equal keys, is the look-up
 * itself. A record is judged once; its verdict does not depend on who asks.
 */
#include <errno.h>
#include <stdlib.h>

#include "core/io.h"
#include "plan/compare.h"
#include "plan/model.h"

/* ------------------------------------------------------------------------------ records met */

static bool is_key(const char *key)
{
        return key && strlen(key) == KEY_HEX_SIZE - 1 &&
               strspn(key, "0123456789abcdef") == KEY_HEX_SIZE - 1;
}

/* Whether a store can have meant this. What comes from a damaged one must not be followed. */
static bool is_malformed(const struct imgc_record *record)
{
        if (record->size < sizeof(*record) || !record->id || !*record->id || !record->scope ||
            !record->stage || !is_key(record->key))
                return true;
        if ((!record->results && record->n_results) || (!record->reads && record->n_reads) ||
            (!record->ancestors && record->n_ancestors) || (!record->lines && record->lines_bytes))
                return true;
        for (size_t i = 0; i < record->n_ancestors; i++) {
                const struct imgc_ancestor *a = &record->ancestors[i];

                if (!a->id || !a->scope || !a->stage || !is_key(a->key) ||
                    (!a->result_digests && a->n_results))
                        return true;
        }
        for (size_t i = 0; i < record->n_reads; i++)
                if (!record->reads[i].root && !record->reads[i].path)
                        return true;
        return false;
}

static uint32_t find_place(struct planner *planner, const char *scope, const char *stage)
{
        const char *place = planner_print(planner, "%s\n%s", scope, stage);

        return place ? table_get(&planner->by_place, place) : NONE;
}

static uint32_t node_of_record(struct planner *planner, const struct imgc_record *record)
{
        uint32_t node = table_get(&planner->by_key, record->key);

        return node != TABLE_NOTHING ? node : find_place(planner, record->scope, record->stage);
}

static struct known *know(struct planner *planner, const char *id, const struct imgc_record *record)
{
        struct known *known = planner_alloc(planner, 1, sizeof(*known));

        if (!known)
                return NULL;
        known->record = record;
        known->malformed = record && is_malformed(record);
        known->kept = record && !known->malformed &&
                      table_get(&planner->kept_ids, id) != TABLE_NOTHING;
        known->node = record && !known->malformed ? node_of_record(planner, record) : NONE;
        if (planner->n_known == planner->known_capacity) {
                size_t capacity = planner->known_capacity ? planner->known_capacity * 2 : 64;
                struct known **larger = imgc_io_realloc(planner->known, capacity * sizeof(*larger));

                if (!larger) {
                        planner->failed = true;
                        return NULL;
                }
                planner->known = larger;
                planner->known_capacity = capacity;
        }
        if (!table_set(&planner->by_id, id, (uint32_t)planner->n_known)) {
                planner->failed = true;
                return NULL;
        }
        planner->known[planner->n_known++] = known;
        return known;
}

struct known *judge_know(struct planner *planner, const struct imgc_record *record)
{
        struct known *known;
        uint32_t number;

        if (!record || !record->id)
                return NULL;
        number = table_get(&planner->by_id, record->id);
        if (number == TABLE_NOTHING)
                return know(planner, record->id, record);
        known = planner->known[number];
        /* A store that did not give it by its id, and gives it now, is not to be trusted with it. */
        if (!known->record) {
                known->record = record;
                known->malformed = is_malformed(record);
                known->unreachable = true;
        }
        return known;
}

struct known *judge_find(struct planner *planner, const char *id)
{
        uint32_t number = table_get(&planner->by_id, id);
        const struct imgc_record *record = NULL;
        struct known *known;
        int r;

        if (number != TABLE_NOTHING)
                return planner->known[number];
        r = planner->lookup->find_by_id(planner->lookup->userdata, id, &record);
        if (r > 0 && (!record || !record->id || strcmp(record->id, id) != 0))
                r = -EIO;
        known = know(planner, r > 0 ? record->id : planner_copy(planner, id, strlen(id)),
                     r > 0 ? record : NULL);
        if (known)
                known->unreachable = r < 0;
        return known;
}

bool judge_is_present(const struct known *known)
{
        const uint32_t flags = IMGC_RECORD_SNAPSHOT | IMGC_RECORD_EVICTED | IMGC_RECORD_DAMAGED;

        return known->record && (known->record->flags & flags) == IMGC_RECORD_SNAPSHOT;
}

/* Newest first. */
static int compare_known(const void *a, const void *b)
{
        const struct imgc_record *x = (*(struct known *const *)a)->record,
                                 *y = (*(struct known *const *)b)->record;

        if (x->generation != y->generation)
                return x->generation > y->generation ? -1 : 1;
        if (x->begin_seconds != y->begin_seconds)
                return x->begin_seconds > y->begin_seconds ? -1 : 1;
        return strcmp(x->id, y->id);
}

void judge_load(struct planner *planner, struct node *node)
{
        const struct imgc_record *const *records = NULL;
        size_t n = 0;
        int r;

        if (node->has_records || !node->key)
                return;
        node->has_records = true;
        r = planner->lookup->find_by_key(planner->lookup->userdata, node->key, &records, &n);
        node->unreachable = r < 0;
        if (r <= 0 || !n)
                return;
        node->records = planner_alloc(planner, n, sizeof(struct known *));
        for (size_t i = 0; node->records && i < n; i++) {
                struct known *known = judge_know(planner, records[i]);

                if (known && !known->malformed && !strcmp(known->record->key, node->key) &&
                    !strcmp(known->record->scope, image_of(planner, node)->scope) &&
                    !strcmp(known->record->stage, node->of->name))
                        node->records[node->n_records++] = known;
        }
        if (node->n_records > 1)
                qsort(node->records, node->n_records, sizeof(struct known *), compare_known);
}

/* ------------------------------------------------------------------------------ predicates */

typedef enum imgc_reason_code (*predicate_fn)(struct planner *planner, const struct known *known,
                                              const struct node *node, struct verdict *verdict);

static const char *const *excludes_of(const struct planner *planner, const struct node *node,
                                      const char *root)
{
        for (uint32_t i = 0; root && i < node->of->n_reads; i++) {
                const struct project_read *read =
                        &planner->project->reads[node->of->first_read + i];

                if (!strcmp(read->root, root) || !strcmp(read->label, root))
                        return read->exclude;
        }
        return NULL;
}

static enum imgc_reason_code check_reads(struct planner *planner, const struct known *known,
                                         const struct node *node, struct verdict *verdict)
{
        const struct imgc_record *record = known->record;

        for (size_t i = 0; i < record->n_reads; i++) {
                const struct imgc_read_fact *fact = &record->reads[i];
                struct imgc_state_query query = {
                        .size = sizeof(query),
                        .kind = fact->kind,
                        .algorithm = planner->project->digest,
                        .image = image_of(planner, node)->name,
                        .stage = node->of->name,
                        .root = fact->root,
                        .path = fact->path,
                        .exclude = excludes_of(planner, node, fact->root),
                };
                const char *digest = NULL;
                int r = planner->lookup->get_state(planner->lookup->userdata, &query, &digest);

                verdict->fact = fact;
                if (r < 0)
                        return IMGC_REASON_UNREACHABLE;
                if (fact->kind == IMGC_READ_ABSENT || !fact->digest) {
                        if (r > 0)
                                return IMGC_REASON_READ_CHANGED;
                } else if (!r || !digest || strcmp(digest, fact->digest) != 0) {
                        return IMGC_REASON_READ_CHANGED;
                }
        }
        verdict->fact = NULL;
        return 0;
}

static enum imgc_reason_code check_floor(struct planner *planner, const struct known *known,
                                         const struct node *node, struct verdict *verdict)
{
        struct node *place = &planner->nodes[node->first_place];
        const struct imgc_record *record = known->record;

        /* Both raise the floor when the stage begins. */
        if (node->forced)
                return IMGC_REASON_FORCED;
        if (planner->options->flags & IMGC_PLAN_REFRESH && compare_is_stale(planner, node, record))
                return IMGC_REASON_REFRESHED;
        if (!place->has_floor) {
                place->has_floor = true;
                if (planner->lookup->get_floor(planner->lookup->userdata, record->scope,
                                               record->stage, &place->floor) < 0)
                        place->floor_unreachable = true;
        }
        if (place->floor_unreachable)
                return IMGC_REASON_UNREACHABLE;
        verdict->old_number = (int64_t)record->generation;
        verdict->new_number = (int64_t)place->floor;
        return record->generation < place->floor ? IMGC_REASON_SUPERSEDED : 0;
}

static bool is_too_old(const struct planner *planner, const struct node *node, int64_t begin,
                       struct verdict *verdict)
{
        const int64_t now = planner->lookup->now_seconds;
        const uint64_t max = node->of->max_age_seconds;
        int64_t age, oldest;

        if (max == MAX_AGE_UNLIMITED)
                return false;
        if (max > INT64_MAX || __builtin_sub_overflow(now, (int64_t)max, &oldest))
                oldest = INT64_MIN;
        /* A clock that went back must not make anything young. */
        if (!__builtin_sub_overflow(now, begin, &age) && age >= 0 && (uint64_t)age <= max)
                return false;
        verdict->old_number = begin;
        verdict->new_number = oldest;
        return true;
}

static enum imgc_reason_code check_age(struct planner *planner, const struct known *known,
                                       const struct node *node, struct verdict *verdict)
{
        const struct imgc_record *record = known->record;

        if (is_too_old(planner, node, record->begin_seconds, verdict))
                return IMGC_REASON_EXPIRED;
        /* What was appended to is in it, as old as it is. */
        for (size_t i = 0; i < record->n_ancestors; i++) {
                const struct imgc_ancestor *a = &record->ancestors[i];

                if (a->flags & IMGC_ANCESTOR_APPEND && !strcmp(a->stage, record->stage) &&
                    !strcmp(a->scope, record->scope) &&
                    is_too_old(planner, node, a->begin_seconds, verdict))
                        return IMGC_REASON_EXPIRED;
        }
        return 0;
}

static enum imgc_reason_code check_damage(struct planner *planner, const struct known *known,
                                          const struct node *node, struct verdict *verdict)
{
        (void)planner;
        (void)node;
        (void)verdict;
        return known->record->flags & IMGC_RECORD_DAMAGED ? IMGC_REASON_DAMAGED : 0;
}

static enum imgc_reason_code check_append(struct planner *planner, const struct known *known,
                                          const struct node *node, struct verdict *verdict)
{
        (void)node;
        if (known->record->append_depth <= planner->project->max_append)
                return 0;
        verdict->old_number = known->record->append_depth;
        verdict->new_number = planner->project->max_append;
        return IMGC_REASON_APPEND_LIMIT;
}

static enum imgc_reason_code check_id_map(struct planner *planner, const struct known *known,
                                          const struct node *node, struct verdict *verdict)
{
        const struct imgc_plan_lookup *lookup = planner->lookup;
        const char *made = known->record->uid_map;
        int r;

        (void)node;
        (void)verdict;
        if (lookup->fits_uid_map)
                r = lookup->fits_uid_map(lookup->userdata, made);
        else
                r = made && lookup->uid_map ? !strcmp(made, lookup->uid_map) :
                                              made == lookup->uid_map;
        return r < 0 ? IMGC_REASON_UNREACHABLE : r ? 0 : IMGC_REASON_ID_MAP;
}

static const predicate_fn predicates[] = {
        check_reads, check_floor, check_age, check_damage, check_append, check_id_map,
};

const struct verdict *judge_own(struct planner *planner, struct known *known)
{
        struct verdict *verdict = &known->own;

        if (known->has_own)
                return verdict;
        known->has_own = true;
        verdict->record = known->record;
        if (known->unreachable)
                verdict->code = IMGC_REASON_UNREACHABLE;
        else if (!known->record || known->malformed)
                verdict->code = IMGC_REASON_DAMAGED;
        else if (known->kept)
                verdict->code = 0;
        else if (known->node == NONE)
                /* A stage that the project has not: nothing says how old it may be. */
                verdict->code = IMGC_REASON_SUPERSEDED;
        for (size_t i = 0; !verdict->code && !known->kept && i < ELEMENTSOF(predicates); i++)
                verdict->code =
                        predicates[i](planner, known, &planner->nodes[known->node], verdict);
        return verdict;
}
