/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Building a project: inputs. Values get their canonical spelling here. */
#include <errno.h>
#include <inttypes.h>

#include "core/io.h"
#include "core/limits.h"
#include "core/text.h"
#include "manifest/json.h"
#include "manifest/pattern.h"
#include "manifest/project-builder.h"
#include "manifest/words.h"
#include "tree/digest.h"
#include "tree/tree.h"

/* What all inputs have. Fills name, place, type, on_change and flags. */
static int begin_input(struct imgc_project_builder *builder, const char *name,
                       enum imgc_input_type type, uint32_t on_change, uint32_t flags,
                       struct project_input *ret, struct imgc_error **reterr)
{
        const struct project_stage *stage = builder_last_stage(builder);
        const struct project_input *inputs = builder_inputs(builder);
        const char *reason;
        int r;

        if (!stage)
                return builder_fail(builder, reterr,
                                    "there is no stage yet that it could belong to");
        r = builder_check_siblings(builder, stage->n_inputs, reterr);
        if (r < 0)
                return r;
        reason = name_check(name, type == IMGC_INPUT_ENV ? "=" : "");
        if (reason)
                return builder_fail(builder, reterr, "%s", reason);
        for (size_t i = stage->first_input; i < builder_n(builder, input); i++)
                if (!strcmp(inputs[i].name, name))
                        return builder_fail(builder, reterr,
                                            "another input of the stage has the same name");
        if (!on_change_word(on_change))
                return builder_fail(builder, reterr, "unknown value in the options");
        *ret = (struct project_input){
                .type = type,
                .on_change = (enum imgc_on_change)on_change,
                .flags = flags,
                .uid = IMGC_ID_KEEP,
                .gid = IMGC_ID_KEEP,
                .name = builder_copy(builder, name),
                .place = buffer_string(&builder->place) ?
                                 builder_copy(builder, builder->place.data) :
                                 NULL,
        };
        return ret->name && ret->place ? 0 : error_no_memory(reterr);
}

static int end_input(struct imgc_project_builder *builder, const struct project_input *input,
                     struct imgc_error **reterr)
{
        if (!buffer_reserve(&builder->inputs, sizeof(*input)))
                return error_no_memory(reterr);
        buffer_add(&builder->inputs, input, sizeof(*input));
        builder_last_stage(builder)->n_inputs++;
        return 0;
}

/* ------------------------------------------------------------------------------ values */

static unsigned depth_of(const struct json *value)
{
        unsigned deepest = 0;

        if (value->type != JSON_ARRAY && value->type != JSON_OBJECT)
                return 0;
        for (const struct json *item = value->first; item; item = item->next)
                deepest = MAX(deepest, depth_of(item));
        return deepest + 1;
}

static int canonical_option(struct imgc_project_builder *builder, const char *text,
                            struct buffer *ret, struct imgc_error **reterr)
{
        _cleanup_arena_ struct arena arena = {0};
        struct json_fault fault;
        struct json *value;
        size_t size, line, column;
        int r;

        if (!text)
                return builder_fail(builder, reterr, "it has no value");
        size = strlen(text);
        if (size > LIMIT_JSON_BYTES)
                return builder_fail(builder, reterr, "the value is too large");
        r = json_parse(&arena, text, size, &value, &fault);
        if (r == -ENOMEM)
                return error_no_memory(reterr);
        if (r < 0) {
                json_place(text, fault.offset, &line, &column);
                return builder_fail(builder, reterr, "value, line %zu, column %zu: %s", line,
                                    column, fault.reason);
        }
        /* It stands in an object of its own in a manifest. */
        if (depth_of(value) >= LIMIT_JSON_DEPTH)
                return builder_fail(builder, reterr, "the value is nested too deeply");
        json_add(ret, value);
        return 0;
}

static int canonical_value(struct imgc_project_builder *builder,
                           const struct imgc_value_input_options *o, struct buffer *ret,
                           struct imgc_error **reterr)
{
        if (o->type == IMGC_INPUT_OPTION)
                return canonical_option(builder, o->value, ret, reterr);
        if (o->type == IMGC_INPUT_LIST || o->type == IMGC_INPUT_SET) {
                if (!o->items)
                        return builder_fail(builder, reterr, "it has no items");
                if (o->type == IMGC_INPUT_LIST)
                        json_add_strings(ret, o->items);
                else if (json_add_set(ret, o->items) < 0)
                        return error_no_memory(reterr);
                return 0;
        }
        if (o->type == IMGC_INPUT_DIGEST && !o->value)
                return builder_fail(builder, reterr, "it has no value");
        if (o->value)
                json_add_bytes(ret, o->value, strlen(o->value));
        else
                buffer_add_literal(ret, "null");
        return 0;
}

static int check_value(struct imgc_project_builder *builder,
                       const struct imgc_value_input_options *o, struct imgc_error **reterr)
{
        bool is_list = o->type == IMGC_INPUT_LIST || o->type == IMGC_INPUT_SET;
        uint32_t allowed = IMGC_INPUT_SECRET | (o->type == IMGC_INPUT_SET ? IMGC_INPUT_APPEND : 0) |
                           (o->type == IMGC_INPUT_ENV ? IMGC_INPUT_ENV_GIVEN : 0);

        if (o->type < IMGC_INPUT_OPTION || o->type > IMGC_INPUT_DIGEST)
                return builder_fail(builder, reterr, "its type is none of a value");
        if (o->flags & ~allowed || o->reserved)
                return builder_fail(builder, reterr,
                                    "flags that an input of this type cannot have");
        if ((o->flags & (IMGC_INPUT_SECRET | IMGC_INPUT_APPEND)) ==
            (IMGC_INPUT_SECRET | IMGC_INPUT_APPEND))
                return builder_fail(builder, reterr,
                                    "a secret shows no items that could be appended");
        if (is_list ? !!o->value : !!o->items)
                return builder_fail(builder, reterr,
                                    is_list ? "a list has items, not a value" :
                                              "a value has no items");
        if (o->type == IMGC_INPUT_ENV && o->value && !(o->flags & IMGC_INPUT_ENV_GIVEN))
                return builder_fail(builder, reterr, "it has a value without IMGC_INPUT_ENV_GIVEN");
        return 0;
}

IMGC_EXPORT int imgc_project_builder_add_value(struct imgc_project_builder *builder,
                                               const struct imgc_value_input_options *options,
                                               struct imgc_error **reterr)
{
        struct imgc_value_input_options o = IMGC_VALUE_INPUT_OPTIONS_INIT;
        _cleanup_buffer_ struct buffer value = {0};
        struct project_input input;
        int r;

        builder_set_place(builder, "input",
                          options && options->size > sizeof(size_t) ? options->name : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (r >= 0)
                r = check_value(builder, &o, reterr);
        if (r >= 0)
                r = begin_input(builder, o.name, (enum imgc_input_type)o.type, o.on_change, o.flags,
                                &input, reterr);
        if (r >= 0 && (o.type != IMGC_INPUT_ENV || o.flags & IMGC_INPUT_ENV_GIVEN)) {
                r = canonical_value(builder, &o, &value, reterr);
                if (r >= 0) {
                        input.value = buffer_string(&value) ? builder_copy(builder, value.data) :
                                                              NULL;
                        if (!input.value)
                                r = error_no_memory(reterr);
                }
                /* May be a secret, which the arena cannot take back, but this can. */
                if (value.data)
                        explicit_bzero(value.data, value.size);
        }
        return r < 0 ? r : end_input(builder, &input, reterr);
}

/* ------------------------------------------------------------------------------ trees */

static int check_tree(struct imgc_project_builder *builder, const struct imgc_tree_input_options *o,
                      struct imgc_error **reterr)
{
        bool is_tree = o->type == IMGC_INPUT_TREE, is_files = o->type == IMGC_INPUT_FILES;
        uint32_t allowed = IMGC_INPUT_SECRET | IMGC_INPUT_OPTIONAL |
                           (is_tree ? IMGC_INPUT_ONE_FILESYSTEM | IMGC_INPUT_IGNORE_ROOT : 0) |
                           (o->data ? IMGC_INPUT_EXECUTABLE : 0);
        int n_sources = !!o->path + !!o->paths + !!o->tree + !!o->data;

        if (o->type < IMGC_INPUT_TREE || o->type > IMGC_INPUT_FILES)
                return builder_fail(builder, reterr, "its type is none of a tree");
        if (o->flags & ~allowed)
                return builder_fail(builder, reterr,
                                    "flags that an input of this type cannot have");
        if (n_sources == 0)
                return builder_fail(builder, reterr,
                                    is_files ? "it has no patterns" : "it has no path");
        if (n_sources > 1)
                return builder_fail(builder, reterr, "it comes from more than one place");
        if (is_files ? !o->paths : !!o->paths)
                return builder_fail(builder, reterr,
                                    "patterns belong to inputs of type \"files\", and only they");
        if (o->data && o->type != IMGC_INPUT_FILE)
                return builder_fail(builder, reterr, "only a file has its content from memory");
        if (o->kind && !tree_kind_word(o->kind))
                return builder_fail(builder, reterr, "unknown kind");
        if (o->kind && !is_tree)
                return builder_fail(builder, reterr, "only an input of type \"tree\" has a kind");
        if (o->exclude && *o->exclude && o->type == IMGC_INPUT_FILE)
                return builder_fail(builder, reterr, "a file has nothing to exclude");
        if (is_files && o->label)
                return builder_fail(builder, reterr, "files by pattern have no label");
        if (o->path && !*o->path)
                return builder_fail(builder, reterr, "its path is empty");
        return builder_check_exclude(builder, o->exclude, reterr);
}

static int check_target(struct imgc_project_builder *builder, const char *target,
                        struct imgc_error **reterr)
{
        if (target && !*target)
                return builder_fail(builder, reterr, "its target is empty");
        while (target) {
                const char *end = strchrnul(target, '/');

                if (end - target == 2 && !memcmp(target, "..", 2))
                        return builder_fail(builder, reterr, "its target has a component \"..\"");
                target = *end ? end + 1 : NULL;
        }
        return 0;
}

static int set_fields(struct imgc_project_builder *builder, const struct imgc_tree_input_options *o,
                      struct project_input *input, struct imgc_error **reterr)
{
        const char *text = o->fields                  ? o->fields :
                           o->type == IMGC_INPUT_TREE ? "image" :
                                                        "content",
                   *bad;
        size_t bad_size;

        if (fields_parse(text, &input->fields, &bad, &bad_size) < 0)
                return builder_fail(builder, reterr, "unknown profile or field '%.*s'",
                                    (int)MIN(bad_size, (size_t)64), bad);
        input->fields_given = o->fields || o->type != IMGC_INPUT_TREE;
        return 0;
}

static int set_patterns(struct imgc_project_builder *builder, const char *const *paths,
                        struct project_input *input, struct imgc_error **reterr)
{
        const char **patterns;
        size_t n = 0;

        while (paths[n])
                n++;
        if (!n)
                return builder_fail(builder, reterr, "it has no patterns");
        if (n > LIMIT_EXCLUDE_PATTERNS)
                return builder_fail(builder, reterr, "it has more than %u patterns",
                                    LIMIT_EXCLUDE_PATTERNS);
        patterns = arena_alloc(&builder->project->arena, (n + 1) * sizeof(*patterns));
        if (!patterns)
                return error_no_memory(reterr);
        for (size_t i = 0; i < n; i++) {
                _cleanup_buffer_ struct buffer pattern = {0};
                const char *reason = pattern_normalize(paths[i], &pattern);

                if (reason)
                        return builder_fail(builder, reterr, "%s", reason);
                patterns[i] = buffer_string(&pattern) ? builder_copy(builder, pattern.data) : NULL;
                if (!patterns[i])
                        return error_no_memory(reterr);
        }
        patterns[n] = NULL;
        input->patterns = patterns;
        return 0;
}

/* A file's content as a tree: what a file of it would be listed as. */
static int tree_of_data(struct imgc_project_builder *builder,
                        const struct imgc_tree_input_options *o, fields_t fields,
                        struct imgc_tree **ret, struct imgc_error **reterr)
{
        const fields_t known = FIELD_BIT(FIELD_TYPE) | FIELD_BIT(FIELD_EXEC) |
                               FIELD_BIT(FIELD_SIZE) | FIELD_BIT(FIELD_LINK) |
                               FIELD_BIT(FIELD_CONTENT);
        enum imgc_digest_algorithm algorithm = builder->project->digest;
        _cleanup_(hasher_freep) struct hasher *hasher = NULL;
        _cleanup_buffer_ struct buffer listing = {0};
        unsigned char digest[DIGEST_BYTES_MAX];
        char text[FIELDS_STRING_MAX];

        if (fields & ~known)
                return builder_fail(builder, reterr,
                                    "content from memory has the fields of \"content\" only");
        if (hasher_new(builder->context, algorithm, &hasher) < 0 ||
            hasher_digest(hasher, o->data, o->data_bytes, digest) < 0)
                return error_no_memory(reterr);
        fields_format(fields, text);
        buffer_printf(&listing, "#mtree imagecache=1 digest=%s fields=%s\n. type=file",
                      imgc_digest_algorithm_get_name(algorithm), text);
        if (has_field(fields, FIELD_EXEC) && o->flags & IMGC_INPUT_EXECUTABLE)
                buffer_add_literal(&listing, " exec=1");
        if (has_field(fields, FIELD_SIZE))
                buffer_printf(&listing, " size=%zu", o->data_bytes);
        if (has_field(fields, FIELD_CONTENT)) {
                buffer_printf(&listing, " %s=", imgc_digest_algorithm_get_name(algorithm));
                buffer_add_hex(&listing, digest, digest_bytes(algorithm));
        }
        buffer_add_char(&listing, '\n');
        if (listing.failed)
                return error_no_memory(reterr);
        return imgc_tree_parse(builder->context, listing.data, listing.size, NULL, ret, reterr);
}

static int set_tree(struct imgc_project_builder *builder, const struct imgc_tree_input_options *o,
                    struct project_input *input, struct imgc_error **reterr)
{
        struct imgc_tree *tree = o->tree;

        if (o->data)
                return tree_of_data(builder, o, input->fields, &input->tree, reterr);
        if (tree->algorithm != builder->project->digest)
                return builder_fail(builder, reterr,
                                    "the tree was read with another digest than the project's");
        if (o->fields && tree->fields != input->fields)
                return builder_fail(builder, reterr, "the tree was read with other fields");
        if (o->kind && tree->kind != (enum imgc_tree_kind)o->kind)
                return builder_fail(builder, reterr, "the tree is of another kind");
        if (o->type == IMGC_INPUT_FILE &&
            (tree->n_entries != 1 || tree->kind == IMGC_TREE_KIND_DIRECTORY))
                return builder_fail(builder, reterr, "the tree is not a single file");
        input->fields = tree->fields;
        input->fields_given = true;
        input->tree = imgc_tree_ref(tree);
        return 0;
}

static int copy_tree(struct imgc_project_builder *builder, const struct imgc_tree_input_options *o,
                     struct project_input *input, struct imgc_error **reterr)
{
        size_t label_size;
        const char *label = o->label ? o->label : o->path ? o->path : o->name;

        label = path_label(label, &label_size);
        /* Files by pattern have their patterns. */
        input->label = o->paths ? NULL : builder_copy_bytes(builder, label, label_size);
        input->path = o->path ? builder_copy(builder, o->path) : NULL;
        input->target = o->target ? builder_copy(builder, o->target) : NULL;
        input->exclude = o->exclude && *o->exclude ? builder_copy_strings(builder, o->exclude) :
                                                     NULL;
        if ((!o->paths && !input->label) || (o->path && !input->path) ||
            (o->target && !input->target) || (o->exclude && *o->exclude && !input->exclude))
                return error_no_memory(reterr);
        input->kind = (enum imgc_tree_kind)o->kind;
        input->uid = o->uid;
        input->gid = o->gid;
        return 0;
}

IMGC_EXPORT int imgc_project_builder_add_tree(struct imgc_project_builder *builder,
                                              const struct imgc_tree_input_options *options,
                                              struct imgc_error **reterr)
{
        struct imgc_tree_input_options o = IMGC_TREE_INPUT_OPTIONS_INIT;
        struct project_input input = {0};
        int r;

        builder_set_place(builder, "input",
                          options && options->size > sizeof(size_t) ? options->name : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (!o.type)
                o.type = IMGC_INPUT_TREE;
        if (r >= 0)
                r = check_tree(builder, &o, reterr);
        if (r >= 0)
                r = check_target(builder, o.target, reterr);
        if (r >= 0)
                r = begin_input(builder, o.name, (enum imgc_input_type)o.type, o.on_change,
                                o.flags & ~(uint32_t)IMGC_INPUT_EXECUTABLE, &input, reterr);
        if (r >= 0)
                r = set_fields(builder, &o, &input, reterr);
        if (r >= 0)
                r = copy_tree(builder, &o, &input, reterr);
        if (r >= 0 && o.paths)
                r = set_patterns(builder, o.paths, &input, reterr);
        if (r >= 0 && (o.tree || o.data))
                r = set_tree(builder, &o, &input, reterr);
        if (r >= 0)
                r = end_input(builder, &input, reterr);
        if (r < 0)
                imgc_tree_unref(input.tree);
        return r;
}

/* ------------------------------------------------------------------------------ links */

/* Only what was added before can be linked to, so that there are no cycles. */
static int find_stage(struct imgc_project_builder *builder, const struct imgc_link_input_options *o,
                      struct project_input *input, struct imgc_error **reterr)
{
        const struct project_image *images = builder_images(builder);
        size_t n = builder_n(builder, image) - 1, i = 0;
        const struct project_stage *stage;
        uint32_t s;

        if (!strcmp(images[n].name, o->image))
                return builder_fail(builder, reterr, "an image cannot link to itself");
        while (i < n && strcmp(images[i].name, o->image) != 0)
                i++;
        if (i == n)
                return builder_fail(builder, reterr, "there is no image \"%.255s\" before this one",
                                    o->image);
        stage = builder_stages(builder) + images[i].first_stage;
        for (s = 0; o->stage && s < images[i].n_stages && strcmp(stage[s].name, o->stage) != 0;)
                s++;
        if (s == images[i].n_stages)
                return builder_fail(builder, reterr, "image \"%s\" has no stage \"%.255s\"",
                                    images[i].name, o->stage);
        if (!o->stage)
                s = images[i].n_stages - 1;
        if (o->by == IMGC_BY_OUTPUT && stage[s].snapshot != IMGC_SNAPSHOT_YES)
                return builder_fail(
                        builder, reterr,
                        "it is judged by the output of stage \"%s\", which keeps no snapshot",
                        stage[s].name);
        input->image = (uint32_t)i;
        input->stage = s;
        input->by = (enum imgc_link_by)o->by;
        return 0;
}

IMGC_EXPORT int imgc_project_builder_add_link(struct imgc_project_builder *builder,
                                              const struct imgc_link_input_options *options,
                                              struct imgc_error **reterr)
{
        struct imgc_link_input_options o = IMGC_LINK_INPUT_OPTIONS_INIT;
        struct project_input input = {0};
        int r;

        builder_set_place(builder, "input",
                          options && options->size > sizeof(size_t) ? options->name : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (r < 0)
                return r;
        if (!o.image)
                return builder_fail(builder, reterr, "it names no image");
        if (o.by > IMGC_BY_OUTPUT)
                return builder_fail(builder, reterr, "unknown value in the options");
        r = begin_input(builder, o.name, IMGC_INPUT_IMAGE, o.on_change, 0, &input, reterr);
        if (r >= 0)
                r = find_stage(builder, &o, &input, reterr);
        return r < 0 ? r : end_input(builder, &input, reterr);
}
