/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/manifest-read.h"

#include <errno.h>

#include "manifest/words.h"
#include "tree/digest.h"

/* ------------------------------------------------------------------------------ members */

static void fault(struct decoder *decoder, const char *what, const char *member)
{
        if (!decoder->fault) {
                decoder->fault = what;
                decoder->member = member;
        }
}

static const struct json *get(struct decoder *decoder, const struct json *object, const char *name,
                              enum json_kind type, bool required)
{
        const struct json *value = object ? json_get(object, name) : NULL;

        if (!value && required)
                fault(decoder, "missing member", name);
        if (!value || value->type == type)
                return value;
        fault(decoder, "value of the wrong type", name);
        return NULL;
}

/* "" where it is missing or no string, so that what follows need not look. */
static const char *get_string(struct decoder *decoder, const struct json *object, const char *name)
{
        const struct json *value = get(decoder, object, name, JSON_STRING, true);

        if (!value)
                return "";
        if (!json_is_plain_string(value))
                fault(decoder, "string with NUL", name);
        return value->text;
}

static const char *bytes_of(struct decoder *decoder, const struct json *value, const char *name)
{
        const char *bytes = "";
        size_t size = 0;
        int r = json_get_bytes(decoder->arena, value, &bytes, &size);

        if (r == -ENOMEM)
                decoder->no_memory = true;
        if (r < 0 || strlen(bytes) != size)
                fault(decoder, "value of the wrong type", name);
        return bytes;
}

/* A string of any bytes; NULL where it is missing. */
static const char *find_bytes(struct decoder *decoder, const struct json *object, const char *name)
{
        const struct json *value = object ? json_get(object, name) : NULL;

        return value ? bytes_of(decoder, value, name) : NULL;
}

static const char *get_bytes(struct decoder *decoder, const struct json *object, const char *name)
{
        const char *bytes = find_bytes(decoder, object, name);

        if (!bytes)
                fault(decoder, "missing member", name);
        return bytes ? bytes : "";
}

/* What path_label() makes of a path: relative, or "/" alone. */
static const char *get_label(struct decoder *decoder, const struct json *object)
{
        const char *label = get_bytes(decoder, object, "label");

        if (label && (!*label || (*label == '/' && label[1])))
                fault(decoder, "value that is not allowed", "label");
        return label;
}

/* NULL where the member is missing. */
static const char *const *find_strings(struct decoder *decoder, const struct json *object,
                                       const char *name)
{
        const struct json *array = get(decoder, object, name, JSON_ARRAY, false);
        const char **strings;
        size_t n = 0;

        if (!array)
                return NULL;
        strings = arena_alloc(decoder->arena, (array->n + 1) * sizeof(*strings));
        if (!strings) {
                decoder->no_memory = true;
                return NULL;
        }
        for (const struct json *item = array->first; item; item = item->next)
                strings[n++] = bytes_of(decoder, item, name);
        strings[n] = NULL;
        return strings;
}

static uint64_t get_integer(struct decoder *decoder, const struct json *object, const char *name)
{
        const struct json *value = get(decoder, object, name, JSON_INTEGER, true);

        if (value && value->integer < 0)
                fault(decoder, "negative number", name);
        return value && value->integer > 0 ? (uint64_t)value->integer : 0;
}

static uint32_t find_id(struct decoder *decoder, const struct json *object, const char *name)
{
        const struct json *value = get(decoder, object, name, JSON_INTEGER, false);

        if (!value)
                return IMGC_ID_KEEP;
        if (value->integer < 0 || value->integer >= IMGC_ID_KEEP)
                fault(decoder, "number out of range", name);
        return (uint32_t)value->integer;
}

static bool find_flag(struct decoder *decoder, const struct json *object, const char *name)
{
        const struct json *value = get(decoder, object, name, JSON_BOOLEAN, false);

        return value && value->boolean;
}

/* A value as canonical text. */
static const char *text_of(struct decoder *decoder, const struct json *value)
{
        _cleanup_buffer_ struct buffer text = {0};
        const char *copy = NULL;

        if (value)
                json_add(&text, value);
        if (buffer_string(&text))
                copy = arena_copy(decoder->arena, text.data, text.size + 1);
        if (!copy)
                decoder->no_memory = true;
        return copy ? copy : "";
}

static const char *get_name(struct decoder *decoder, const struct json *object, const char *member,
                            const char *forbidden)
{
        const char *name = get_string(decoder, object, member);
        const char *reason = name_check(name, forbidden);

        if (reason)
                fault(decoder, reason, member);
        return name;
}

static bool is_hex(const char *s, size_t size)
{
        return strlen(s) == size && strspn(s, "0123456789abcdef") == size;
}

static const char *get_hex(struct decoder *decoder, const struct json *object, const char *member,
                           size_t n_bytes)
{
        const char *hex = get_string(decoder, object, member);

        if (!is_hex(hex, n_bytes * 2))
                fault(decoder, "value that is no digest", member);
        return hex;
}

/* {"NAME":"<digest>"|null,…} */
static const char *get_results(struct decoder *decoder, const struct json *object,
                               const char *member, enum imgc_digest_algorithm digest)
{
        const struct json *results = get(decoder, object, member, JSON_OBJECT, true);

        for (const struct json *result = results ? results->first : NULL; result;
             result = result->next) {
                const char *reason = name_check(result->name, "/");

                if (reason)
                        fault(decoder, reason, member);
                if (result->type != JSON_NULL && (result->type != JSON_STRING ||
                                                  !is_hex(result->text, digest_bytes(digest) * 2) ||
                                                  result->size != digest_bytes(digest) * 2))
                        fault(decoder, "value that is no digest", member);
        }
        return text_of(decoder, results);
}

/* ------------------------------------------------------------------------------ lines */

void decode_head(struct decoder *decoder, const struct json *line, struct head_facts *ret)
{
        const struct json *info = get(decoder, line, "info", JSON_OBJECT, true);
        const struct json *version = get(decoder, line, "version", JSON_INTEGER, true);
        uint64_t max_append;
        int r;

        if (strcmp(get_string(decoder, line, "imagecache"), "manifest") != 0)
                fault(decoder, "not a manifest", NULL);
        if (version && version->integer != 1)
                fault(decoder, "a version that is not known to this library", "version");
        r = imgc_digest_algorithm_from_name(get_string(decoder, line, "digest"));
        if (r < 0)
                fault(decoder, "unknown digest", "digest");
        max_append = get_integer(decoder, info, "max_append");
        if (max_append > UINT32_MAX)
                fault(decoder, "number out of range", "max_append");
        get(decoder, info, "listings", JSON_BOOLEAN, true);
        *ret = (struct head_facts){
                .name = get_name(decoder, line, "name", ""),
                .builder = get_name(decoder, line, "builder", ""),
                .digest = r < 0 ? IMGC_DIGEST_XXH128 : (enum imgc_digest_algorithm)r,
                .n_lines = get_integer(decoder, info, "lines"),
                .listings = find_flag(decoder, info, "listings"),
                .max_append = (uint32_t)max_append,
        };
}

void decode_image(struct decoder *decoder, const struct json *line, struct project_image *ret)
{
        const struct json *info = get(decoder, line, "info", JSON_OBJECT, true);
        static const char *const none[] = {NULL};

        *ret = (struct project_image){
                .name = get_name(decoder, line, "image", "/:"),
                .scope = get_name(decoder, line, "scope", ""),
                .outputs = find_strings(decoder, info, "outputs"),
        };
        if (!ret->outputs) {
                fault(decoder, "missing member", "outputs");
                ret->outputs = none;
        }
}

static void decode_reads(struct decoder *decoder, const struct json *line,
                         struct project_stage *stage, struct project_read **ret)
{
        const struct json *array = get(decoder, line, "reads", JSON_ARRAY, false);
        uint32_t n = 0;

        if (!array)
                return;
        *ret = arena_alloc(decoder->arena, (array->n + 1) * sizeof(**ret));
        if (!*ret) {
                decoder->no_memory = true;
                return;
        }
        for (const struct json *item = array->first; item; item = item->next) {
                if (item->type != JSON_OBJECT) {
                        fault(decoder, "value of the wrong type", "reads");
                        return;
                }
                (*ret)[n++] = (struct project_read){
                        .label = get_bytes(decoder, item, "root"),
                        .exclude = find_strings(decoder, item, "exclude"),
                        .method = json_get(item, "method") ? get_name(decoder, item, "method", "") :
                                                             NULL,
                };
                if ((*ret)[n - 1].method && !strcmp((*ret)[n - 1].method, "declared"))
                        fault(decoder, "default that should be left out", "method");
        }
        stage->n_reads = n;
}

static void decode_stage_info(struct decoder *decoder, const struct json *info,
                              enum imgc_digest_algorithm digest, struct project_stage *stage,
                              struct stage_facts *facts)
{
        const struct json *age = info ? json_get(info, "max_age_seconds") : NULL;
        const struct json *snapshot = info ? json_get(info, "snapshot") : NULL;

        facts->key = get_hex(decoder, info, "key", 32);
        facts->previous = stage->previous == IMGC_BY_OUTPUT ?
                                  get_results(decoder, info, "previous", digest) :
                                  NULL;
        stage->max_age_seconds = MAX_AGE_UNLIMITED;
        if (!age || age->type != JSON_NULL)
                stage->max_age_seconds = get_integer(decoder, info, "max_age_seconds");
        if (!snapshot)
                fault(decoder, "missing member", "snapshot");
        else if (snapshot->type == JSON_BOOLEAN)
                stage->snapshot = snapshot->boolean ? IMGC_SNAPSHOT_YES : IMGC_SNAPSHOT_NO;
        else if (!strcmp(get_string(decoder, info, "snapshot"), "auto"))
                stage->snapshot = IMGC_SNAPSHOT_AUTO;
        else
                fault(decoder, "unknown value", "snapshot");
}

void decode_stage(struct decoder *decoder, const struct json *line,
                  enum imgc_digest_algorithm digest, struct project_stage *ret,
                  struct project_read **ret_reads, struct stage_facts *ret_facts)
{
        static const char *const root_alone[] = {"root", NULL};
        const char *const *results = find_strings(decoder, line, "results");

        *ret = (struct project_stage){.name = get_name(decoder, line, "stage", "")};
        if (json_get(line, "previous")) {
                if (strcmp(get_string(decoder, line, "previous"), "output") != 0)
                        fault(decoder, "unknown value", "previous");
                ret->previous = IMGC_BY_OUTPUT;
        }
        ret->results = results ? results : root_alone;
        for (; ret->results[ret->n_results]; ret->n_results++) {
                const char *name = ret->results[ret->n_results], *reason = name_check(name, "/");

                if (reason)
                        fault(decoder, reason, "results");
                for (uint32_t i = 0; i < ret->n_results; i++)
                        if (!strcmp(name, ret->results[i]))
                                fault(decoder, "a name twice", "results");
        }
        decode_reads(decoder, line, ret, ret_reads);
        decode_stage_info(decoder, get(decoder, line, "info", JSON_OBJECT, true), digest, ret,
                          ret_facts);
}

/* ------------------------------------------------------------------------------ inputs */

static void decode_value(struct decoder *decoder, const struct json *line,
                         struct project_input *input, struct input_facts *facts)
{
        bool is_list = input->type == IMGC_INPUT_LIST || input->type == IMGC_INPUT_SET;
        const struct json *value = json_get(line, is_list ? "items" : "value");
        _cleanup_buffer_ struct buffer text = {0};
        const char *const *items;

        if (find_flag(decoder, line, "append")) {
                input->flags |= IMGC_INPUT_APPEND;
                if (input->type != IMGC_INPUT_SET)
                        fault(decoder, "a member that this type cannot have", "append");
        }
        if (!value) {
                fault(decoder, "missing member", is_list ? "items" : "value");
        } else if (is_list) {
                items = find_strings(decoder, line, "items");
                if (items && input->type == IMGC_INPUT_LIST)
                        json_add_strings(&text, items);
                else if (items && json_add_set(&text, items) < 0)
                        decoder->no_memory = true;
        } else if (input->type == IMGC_INPUT_OPTION ||
                   (input->type == IMGC_INPUT_ENV && value->type == JSON_NULL)) {
                json_add(&text, value);
        } else {
                const char *bytes = bytes_of(decoder, value, "value");

                json_add_bytes(&text, bytes, strlen(bytes));
        }
        facts->value = buffer_string(&text) ? arena_copy(decoder->arena, text.data, text.size + 1) :
                                              NULL;
        if (!facts->value) {
                decoder->no_memory = true;
                facts->value = "";
        }
}

static void decode_fields(struct decoder *decoder, const struct json *line, fields_t *ret)
{
        const char *bad;
        size_t bad_size;

        if (fields_parse(get_string(decoder, line, "fields"), ret, &bad, &bad_size) < 0) {
                fault(decoder, "unknown profile or field", "fields");
                *ret = 0;
        }
}

static void decode_kind(struct decoder *decoder, const struct json *line,
                        struct project_input *input)
{
        int r;

        if (!json_get(line, "kind"))
                return;
        r = tree_kind_from_word(get_string(decoder, line, "kind"));
        if (r < 0 || input->type != IMGC_INPUT_TREE)
                fault(decoder, r < 0 ? "unknown value" : "a member that this type cannot have",
                      "kind");
        input->kind = r < 0 ? IMGC_TREE_KIND_AUTO : (enum imgc_tree_kind)r;
}

static void decode_tree(struct decoder *decoder, const struct json *line,
                        enum imgc_digest_algorithm digest, struct project_input *input,
                        struct input_facts *facts)
{
        const struct json *info = get(decoder, line, "info", JSON_OBJECT, true);
        bool is_tree = input->type == IMGC_INPUT_TREE, by_pattern = input->type == IMGC_INPUT_FILES;

        decode_fields(decoder, line, &facts->fields);
        decode_kind(decoder, line, input);
        if (!find_flag(decoder, line, "absent"))
                facts->digest = get_hex(decoder, line, "digest", digest_bytes(digest));
        input->uid = find_id(decoder, line, "uid");
        input->gid = find_id(decoder, line, "gid");
        input->target = find_bytes(decoder, line, "target");
        input->exclude = find_strings(decoder, line, "exclude");
        input->patterns = find_strings(decoder, line, "paths");
        input->flags |= find_flag(decoder, line, "one_filesystem") ? IMGC_INPUT_ONE_FILESYSTEM : 0;
        input->flags |= find_flag(decoder, line, "ignore_root") ? IMGC_INPUT_IGNORE_ROOT : 0;
        facts->n_bytes = get_integer(decoder, info, "bytes");
        facts->n_entries = get_integer(decoder, info, "entries");
        input->label = by_pattern ? NULL : get_label(decoder, info);
        if (!input->patterns != !by_pattern)
                fault(decoder,
                      by_pattern ? "missing member" : "a member that this type cannot have",
                      "paths");
        if (input->exclude && (!*input->exclude || input->type == IMGC_INPUT_FILE))
                fault(decoder, "a member that does not belong here", "exclude");
        if (input->flags & (IMGC_INPUT_ONE_FILESYSTEM | IMGC_INPUT_IGNORE_ROOT) && !is_tree)
                fault(decoder, "a member that this type cannot have",
                      "one_filesystem or ignore_root");
        if (!facts->digest && (facts->n_bytes || facts->n_entries))
                fault(decoder, "something absent has entries", "info");
}

static void decode_link(struct decoder *decoder, const struct json *line,
                        enum imgc_digest_algorithm digest, struct project_input *input,
                        struct input_facts *facts)
{
        const struct json *info = get(decoder, line, "info", JSON_OBJECT, true);

        if (json_get(line, "by")) {
                if (strcmp(get_string(decoder, line, "by"), "output") != 0)
                        fault(decoder, "unknown value", "by");
                input->by = IMGC_BY_OUTPUT;
        }
        facts->link = input->by == IMGC_BY_OUTPUT ? get_results(decoder, line, "results", digest) :
                                                    get_hex(decoder, line, "key", 32);
        facts->link_image = get_name(decoder, info, "image", "/:");
        facts->link_stage = get_name(decoder, info, "stage", "");
}

static void decode_secret(struct decoder *decoder, const struct json *line,
                          struct project_input *input, struct input_facts *facts)
{
        input->flags |= IMGC_INPUT_SECRET;
        facts->hmac = get_hex(decoder, line, "hmac", 32);
        if (input->type == IMGC_INPUT_IMAGE)
                fault(decoder, "a member that this type cannot have", "secret");
        if (input->type == IMGC_INPUT_TREE || input->type == IMGC_INPUT_FILE)
                input->label = get_label(decoder, get(decoder, line, "info", JSON_OBJECT, true));
}

void decode_input(struct decoder *decoder, const struct json *line,
                  enum imgc_digest_algorithm digest, struct project_input *ret,
                  struct input_facts *ret_facts)
{
        int type = input_type_from_word(get_string(decoder, line, "type"));
        int on_change = IMGC_ON_CHANGE_REBUILD;

        if (type < 0) {
                fault(decoder, "unknown type", "type");
                return;
        }
        if (json_get(line, "on_change")) {
                on_change = on_change_from_word(get_string(decoder, line, "on_change"));
                if (on_change < 0) {
                        fault(decoder, "unknown value", "on_change");
                        return;
                }
        }
        *ret = (struct project_input){
                .name = get_name(decoder, line, "input", type == IMGC_INPUT_ENV ? "=" : ""),
                .type = (enum imgc_input_type)type,
                .on_change = (enum imgc_on_change)on_change,
                .uid = IMGC_ID_KEEP,
                .gid = IMGC_ID_KEEP,
        };
        *ret_facts = (struct input_facts){0};
        if (find_flag(decoder, line, "secret"))
                decode_secret(decoder, line, ret, ret_facts);
        else if (type == IMGC_INPUT_IMAGE)
                decode_link(decoder, line, digest, ret, ret_facts);
        else if (type >= IMGC_INPUT_TREE)
                decode_tree(decoder, line, digest, ret, ret_facts);
        else
                decode_value(decoder, line, ret, ret_facts);
}
