/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A store in memory: records as copies, found by key, by scope and stage, and by id.
 *
 * Strings live in one arena until the store goes; what is set again leaves the earlier string
 * there.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <imagecache/plan.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/error.h"
#include "core/io.h"
#include "plan/table.h"

/* Records under one name, in the order of their adding. */
struct bucket {
        const struct imgc_record **records;
        size_t n, capacity;
};

struct memory_output {
        const char *digest, *id; /* id NULL: forgotten */
};

struct imgc_memory_store {
        atomic_uint references;
        struct arena arena;
        struct table ids, keys, stages, floors, outputs, states;
        struct buffer records;       /* struct imgc_record *; NULL: removed */
        struct buffer buckets;       /* struct bucket */
        struct buffer floor_values;  /* uint64_t */
        struct buffer output_values; /* struct memory_output */
        struct buffer state_values;  /* const char * */
        int64_t now_seconds;
        const char *uid_map;
};

#define AT(buffer, type, i) ((type *)(void *)(buffer).data + (i))
#define N_OF(buffer, type)  ((buffer).size / sizeof(type))

DEFINE_CLEANUP(struct imgc_memory_store *, imgc_memory_store_unref)

IMGC_EXPORT int imgc_memory_store_new(struct imgc_memory_store **ret, struct imgc_error **reterr)
{
        struct imgc_memory_store *store = imgc_io_calloc(1, sizeof(*store));

        if (!store)
                return error_no_memory(reterr);
        store->references = 1;
        *ret = store;
        return 0;
}

IMGC_EXPORT struct imgc_memory_store *imgc_memory_store_ref(struct imgc_memory_store *store)
{
        atomic_fetch_add_explicit(&store->references, 1, memory_order_relaxed);
        return store;
}

IMGC_EXPORT struct imgc_memory_store *imgc_memory_store_unref(struct imgc_memory_store *store)
{
        if (!store || atomic_fetch_sub_explicit(&store->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        for (size_t i = 0; i < N_OF(store->buckets, struct bucket); i++)
                free(AT(store->buckets, struct bucket, i)->records);
        table_free(&store->ids);
        table_free(&store->keys);
        table_free(&store->stages);
        table_free(&store->floors);
        table_free(&store->outputs);
        table_free(&store->states);
        buffer_free(&store->records);
        buffer_free(&store->buckets);
        buffer_free(&store->floor_values);
        buffer_free(&store->output_values);
        buffer_free(&store->state_values);
        arena_free(&store->arena);
        free(store);
        return NULL;
}

/* ------------------------------------------------------------------------------ copies */

/* Copies an optional string; *failed is set without memory. */
static const char *copy(struct imgc_memory_store *store, const char *string, bool *failed)
{
        char *result = string ? arena_copy(&store->arena, string, strlen(string) + 1) : NULL;

        *failed |= string && !result;
        return result;
}

static void *copy_array(struct imgc_memory_store *store, const void *data, size_t n, size_t size,
                        bool *failed)
{
        void *result = n ? arena_alloc(&store->arena, n * size) : NULL;

        *failed |= n && !result;
        return result ? memcpy(result, data, n * size) : NULL;
}

static void copy_ancestor(struct imgc_memory_store *store, struct imgc_ancestor *a, bool *failed)
{
        const char **digests =
                copy_array(store, a->result_digests, a->n_results, sizeof(*digests), failed);

        for (uint32_t i = 0; digests && i < a->n_results; i++)
                digests[i] = copy(store, digests[i], failed);
        a->result_digests = digests;
        a->id = copy(store, a->id, failed);
        a->scope = copy(store, a->scope, failed);
        a->stage = copy(store, a->stage, failed);
        a->key = copy(store, a->key, failed);
        a->uid_map = copy(store, a->uid_map, failed);
        a->read_set = copy(store, a->read_set, failed);
}

static void copy_arrays(struct imgc_memory_store *store, struct imgc_record *r, bool *failed)
{
        struct imgc_record_result *results =
                copy_array(store, r->results, r->n_results, sizeof(*results), failed);
        struct imgc_read_fact *reads =
                copy_array(store, r->reads, r->n_reads, sizeof(*reads), failed);
        struct imgc_ancestor *ancestors =
                copy_array(store, r->ancestors, r->n_ancestors, sizeof(*ancestors), failed);

        for (size_t i = 0; results && i < r->n_results; i++) {
                results[i].name = copy(store, results[i].name, failed);
                results[i].digest = copy(store, results[i].digest, failed);
                results[i].exact_digest = copy(store, results[i].exact_digest, failed);
        }
        for (size_t i = 0; reads && i < r->n_reads; i++) {
                reads[i].root = copy(store, reads[i].root, failed);
                reads[i].path = copy(store, reads[i].path, failed);
                reads[i].digest = copy(store, reads[i].digest, failed);
        }
        for (size_t i = 0; ancestors && i < r->n_ancestors; i++)
                copy_ancestor(store, &ancestors[i], failed);
        r->results = results;
        r->reads = reads;
        r->ancestors = ancestors;
}

static struct imgc_record *copy_record(struct imgc_memory_store *store,
                                       const struct imgc_record *record)
{
        struct imgc_record *r = arena_alloc(&store->arena, sizeof(*r));
        bool failed = !r;

        if (!r)
                return NULL;
        *r = *record;
        r->size = sizeof(*r);
        r->id = copy(store, r->id, &failed);
        r->scope = copy(store, r->scope, &failed);
        r->stage = copy(store, r->stage, &failed);
        r->key = copy(store, r->key, &failed);
        r->uid_map = copy(store, r->uid_map, &failed);
        r->gone_rule = copy(store, r->gone_rule, &failed);
        r->head = copy(store, r->head, &failed);
        r->previous = copy(store, r->previous, &failed);
        if (r->lines) {
                r->lines = arena_copy(&store->arena, r->lines, r->lines_bytes);
                failed |= !r->lines;
        }
        if (!failed)
                copy_arrays(store, r, &failed);
        return failed ? NULL : r;
}

/* ------------------------------------------------------------------------------ records */

/* The name of a place in a table: parts that have no line feeds, joined by them. */
static const char *join(struct imgc_memory_store *store, const char *a, const char *b,
                        const char *c)
{
        _cleanup_buffer_ struct buffer text = {0};

        buffer_printf(&text, "%s\n%s\n%s", a ? a : "", b ? b : "", c ? c : "");
        return buffer_string(&text) ? arena_copy(&store->arena, text.data, text.size + 1) : NULL;
}

static bool add_to_bucket(struct imgc_memory_store *store, struct table *table, const char *name,
                          const struct imgc_record *record)
{
        uint32_t number = name ? table_get(table, name) : TABLE_NOTHING;
        struct bucket *bucket, fresh = {0};

        if (!name)
                return false;
        if (number == TABLE_NOTHING) {
                number = (uint32_t)N_OF(store->buckets, struct bucket);
                buffer_add(&store->buckets, &fresh, sizeof(fresh));
                if (store->buckets.failed || !table_set(table, name, number))
                        return false;
        }
        bucket = AT(store->buckets, struct bucket, number);
        if (bucket->n == bucket->capacity) {
                size_t capacity = bucket->capacity ? bucket->capacity * 2 : 4;
                const struct imgc_record **larger =
                        imgc_io_realloc(bucket->records, capacity * sizeof(*larger));

                if (!larger)
                        return false;
                bucket->records = larger;
                bucket->capacity = capacity;
        }
        bucket->records[bucket->n++] = record;
        return true;
}

static void remove_from_bucket(struct imgc_memory_store *store, const struct table *table,
                               const char *name, const struct imgc_record *record)
{
        uint32_t number = table_get(table, name);
        struct bucket *bucket = number == TABLE_NOTHING ? NULL :
                                                          AT(store->buckets, struct bucket, number);
        size_t kept = 0;

        for (size_t i = 0; bucket && i < bucket->n; i++)
                if (bucket->records[i] != record)
                        bucket->records[kept++] = bucket->records[i];
        if (bucket)
                bucket->n = kept;
}

static struct imgc_record **find_slot(const struct imgc_memory_store *store, const char *id)
{
        uint32_t number = table_get(&store->ids, id);

        return number == TABLE_NOTHING || !*AT(store->records, struct imgc_record *, number) ?
                       NULL :
                       AT(store->records, struct imgc_record *, number);
}

static const char *check_record(const struct imgc_record *record)
{
        if (!record || record->size < sizeof(*record))
                return "it has another size";
        if (!record->id || !*record->id || !record->scope || !record->stage || !record->key)
                return "it lacks an id, a scope, a stage or a key";
        if ((record->n_results && !record->results) || (record->n_reads && !record->reads) ||
            (record->n_ancestors && !record->ancestors) || (record->lines_bytes && !record->lines))
                return "an array is missing";
        for (size_t i = 0; i < record->n_ancestors; i++)
                if (record->ancestors[i].n_results && !record->ancestors[i].result_digests)
                        return "an array is missing";
        return NULL;
}

IMGC_EXPORT int imgc_memory_store_add_record(struct imgc_memory_store *store,
                                             const struct imgc_record *record,
                                             struct imgc_error **reterr)
{
        const char *reason = check_record(record);
        struct imgc_record *r;
        uint32_t number = (uint32_t)N_OF(store->records, struct imgc_record *);

        if (reason)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "add a record",
                                    NULL, "%s", reason);
        if (find_slot(store, record->id))
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EEXIST, "add a record",
                                    NULL, "there is one of that id");
        r = copy_record(store, record);
        buffer_add(&store->records, &r, sizeof(r));
        if (!r || store->records.failed || !table_set(&store->ids, r->id, number) ||
            !add_to_bucket(store, &store->keys, r->key, r) ||
            !add_to_bucket(store, &store->stages, join(store, r->scope, r->stage, NULL), r))
                return error_no_memory(reterr);
        return 0;
}

static int fail_missing(struct imgc_error **reterr, const char *operation)
{
        return error_reason(reterr, IMGC_ERROR_NOT_FOUND, -ENOENT, operation, NULL,
                            "there is none of that id");
}

IMGC_EXPORT int imgc_memory_store_set_flags(struct imgc_memory_store *store, const char *id,
                                            uint32_t flags, int64_t gone_seconds,
                                            const char *gone_rule, struct imgc_error **reterr)
{
        struct imgc_record **slot = find_slot(store, id);
        bool failed = false;
        const char *rule;

        if (!slot)
                return fail_missing(reterr, "mark a record");
        rule = copy(store, gone_rule, &failed);
        if (failed)
                return error_no_memory(reterr);
        (*slot)->flags = flags;
        (*slot)->gone_seconds = gone_seconds;
        (*slot)->gone_rule = rule;
        return 0;
}

IMGC_EXPORT int imgc_memory_store_remove_record(struct imgc_memory_store *store, const char *id,
                                                struct imgc_error **reterr)
{
        struct imgc_record **slot = find_slot(store, id);
        const char *place;

        if (!slot)
                return fail_missing(reterr, "forget a record");
        place = join(store, (*slot)->scope, (*slot)->stage, NULL);
        if (!place)
                return error_no_memory(reterr);
        remove_from_bucket(store, &store->keys, (*slot)->key, *slot);
        remove_from_bucket(store, &store->stages, place, *slot);
        *slot = NULL;
        return 0;
}

/* ------------------------------------------------------------------------------ facts */

/* The place of a value in a table and its array, which grows where the name is new. */
static void *place_of(struct table *table, struct buffer *values, size_t size, const char *name)
{
        static const char zero[sizeof(struct memory_output)];
        uint32_t number = name ? table_get(table, name) : TABLE_NOTHING;

        if (!name)
                return NULL;
        if (number == TABLE_NOTHING) {
                number = (uint32_t)(values->size / size);
                buffer_add(values, zero, size);
                if (values->failed || !table_set(table, name, number))
                        return NULL;
        }
        return values->data + number * size;
}

IMGC_EXPORT int imgc_memory_store_set_floor(struct imgc_memory_store *store, const char *scope,
                                            const char *stage, uint64_t generation,
                                            struct imgc_error **reterr)
{
        uint64_t *value = place_of(&store->floors, &store->floor_values, sizeof(*value),
                                   join(store, scope, stage, NULL));

        if (!value)
                return error_no_memory(reterr);
        *value = MAX(*value, generation);
        return 0;
}

IMGC_EXPORT int imgc_memory_store_set_output(struct imgc_memory_store *store, const char *image,
                                             const char *path, const char *digest, const char *id,
                                             struct imgc_error **reterr)
{
        bool failed = false;
        struct memory_output fresh = {.digest = copy(store, digest, &failed),
                                      .id = copy(store, id, &failed)};
        struct memory_output *value = place_of(&store->outputs, &store->output_values,
                                               sizeof(*value), join(store, image, path, NULL));

        if (!value || failed)
                return error_no_memory(reterr);
        *value = fresh;
        return 0;
}

/* Kinds are one digit. */
static const char *state_name(struct imgc_memory_store *store, uint32_t kind, const char *root,
                              const char *path)
{
        const char digit[2] = {(char)('0' + kind % 10), '\0'};

        return join(store, digit, root, path);
}

IMGC_EXPORT int imgc_memory_store_set_state(struct imgc_memory_store *store, uint32_t kind,
                                            const char *root, const char *path, const char *digest,
                                            struct imgc_error **reterr)
{
        bool failed = false;
        const char *fresh = copy(store, digest, &failed);
        const char **value = place_of(&store->states, &store->state_values, sizeof(*value),
                                      state_name(store, kind, root, path));

        if (!value || failed)
                return error_no_memory(reterr);
        *value = fresh;
        return 0;
}

IMGC_EXPORT void imgc_memory_store_set_now(struct imgc_memory_store *store, int64_t now_seconds)
{
        store->now_seconds = now_seconds;
}

IMGC_EXPORT int imgc_memory_store_set_uid_map(struct imgc_memory_store *store, const char *uid_map,
                                              struct imgc_error **reterr)
{
        bool failed = false;
        const char *fresh = copy(store, uid_map, &failed);

        if (failed)
                return error_no_memory(reterr);
        store->uid_map = fresh;
        return 0;
}

/* ------------------------------------------------------------------------------ look-up */

static int give_bucket(const struct imgc_memory_store *store, const struct table *table,
                       const char *name, const struct imgc_record *const **ret, size_t *ret_n)
{
        uint32_t number = table_get(table, name);
        const struct bucket *bucket;

        if (number == TABLE_NOTHING)
                return 0;
        bucket = AT(store->buckets, struct bucket, number);
        *ret = bucket->records;
        *ret_n = bucket->n;
        return bucket->n > 0;
}

static int find_by_key(void *userdata, const char *key, const struct imgc_record *const **ret,
                       size_t *ret_n)
{
        const struct imgc_memory_store *store = userdata;

        return give_bucket(store, &store->keys, key, ret, ret_n);
}

/* Looks a joined name up without keeping it. */
static int find_joined(const struct table *table, const char *a, const char *b, const char *c,
                       uint32_t *ret)
{
        _cleanup_buffer_ struct buffer text = {0};
        const char *name;

        buffer_printf(&text, "%s\n%s\n%s", a ? a : "", b ? b : "", c ? c : "");
        name = buffer_string(&text);
        if (!name)
                return -ENOMEM;
        *ret = table_get(table, name);
        return *ret != TABLE_NOTHING;
}

static int find_by_stage(void *userdata, const char *scope, const char *stage,
                         const struct imgc_record *const **ret, size_t *ret_n)
{
        const struct imgc_memory_store *store = userdata;
        const struct bucket *bucket;
        uint32_t number;
        int r = find_joined(&store->stages, scope, stage, NULL, &number);

        if (r <= 0)
                return r;
        bucket = AT(store->buckets, struct bucket, number);
        *ret = bucket->records;
        *ret_n = bucket->n;
        return bucket->n > 0;
}

static int find_by_id(void *userdata, const char *id, const struct imgc_record **ret)
{
        struct imgc_record **slot = find_slot(userdata, id);

        if (!slot)
                return 0;
        *ret = *slot;
        return 1;
}

static int get_floor(void *userdata, const char *scope, const char *stage, uint64_t *ret)
{
        const struct imgc_memory_store *store = userdata;
        uint32_t number;
        int r = find_joined(&store->floors, scope, stage, NULL, &number);

        if (r > 0)
                *ret = *AT(store->floor_values, uint64_t, number);
        return r;
}

static int get_output(void *userdata, const char *image, const char *path,
                      struct imgc_recorded_output *ret)
{
        const struct imgc_memory_store *store = userdata;
        const struct memory_output *value;
        uint32_t number;
        int r = find_joined(&store->outputs, image, path, NULL, &number);

        if (r <= 0)
                return r;
        value = AT(store->output_values, struct memory_output, number);
        ret->digest = value->digest;
        ret->id = value->id;
        return value->id != NULL;
}

static int get_state(void *userdata, const struct imgc_state_query *query, const char **ret)
{
        const struct imgc_memory_store *store = userdata;
        const char kind[2] = {(char)('0' + query->kind % 10), '\0'};
        uint32_t number;
        int r;

        r = find_joined(&store->states, kind, query->kind ? query->root : query->image, query->path,
                        &number);
        if (r <= 0)
                return r;
        *ret = *AT(store->state_values, const char *, number);
        return *ret != NULL;
}

IMGC_EXPORT void imgc_memory_store_get_lookup(struct imgc_memory_store *store,
                                              struct imgc_plan_lookup *ret)
{
        *ret = (struct imgc_plan_lookup){
                .size = sizeof(*ret),
                .userdata = store,
                .find_by_key = find_by_key,
                .find_by_stage = find_by_stage,
                .find_by_id = find_by_id,
                .get_floor = get_floor,
                .get_output = get_output,
                .get_state = get_state,
                .now_seconds = store->now_seconds,
                .uid_map = store->uid_map,
        };
}
