/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inputs of a project file. What they mean together is checked where they are added. */
#include <errno.h>

#include "manifest/project-parse.h"
#include "manifest/words.h"

#define COMMON "input type on_change"

static int get_on_change(struct loader *loader, const struct json *object, uint32_t *ret)
{
        const char *word = NULL;
        int r = loader_get_string(loader, object, "on_change", false, &word);

        if (r < 0 || !word)
                return r;
        r = on_change_from_word(word);
        if (r < 0)
                return loader_fail(loader, json_get(object, "on_change")->offset, "on_change",
                                   "expected \"rebuild\", \"stale\" or \"show\"");
        *ret = (uint32_t)r;
        return 0;
}

/* An option's value goes on as its canonical text. */
static int get_option(struct loader *loader, const struct json *object, struct buffer *ret)
{
        const struct json *value = json_get(object, "value");

        if (!value)
                return loader_fail(loader, object->offset, NULL, "missing member \"value\"");
        json_add(ret, value);
        return buffer_string(ret) ? 0 : error_no_memory(loader->reterr);
}

static int add_value(struct loader *loader, const struct json *object, enum imgc_input_type type,
                     const char *name)
{
        static const char *const members[] = {
                [IMGC_INPUT_OPTION] = COMMON " secret value",
                [IMGC_INPUT_LIST] = COMMON " secret items",
                [IMGC_INPUT_SET] = COMMON " secret items append",
                [IMGC_INPUT_ENV] = COMMON " secret",
                [IMGC_INPUT_DIGEST] = COMMON " secret value",
        };
        struct imgc_value_input_options o = IMGC_VALUE_INPUT_OPTIONS_INIT;
        _cleanup_buffer_ struct buffer value = {0};
        int r;

        o.name = name;
        o.type = type;
        r = loader_check_members(loader, object, members[type]);
        if (r >= 0)
                r = get_on_change(loader, object, &o.on_change);
        if (r >= 0)
                r = loader_get_flag(loader, object, "secret", IMGC_INPUT_SECRET, &o.flags);
        if (r >= 0)
                r = loader_get_flag(loader, object, "append", IMGC_INPUT_APPEND, &o.flags);
        if (r >= 0 && type == IMGC_INPUT_OPTION) {
                r = get_option(loader, object, &value);
                o.value = value.data;
        } else if (r >= 0 && type == IMGC_INPUT_DIGEST) {
                r = loader_get_string(loader, object, "value", true, &o.value);
        } else if (r >= 0 && type != IMGC_INPUT_ENV) {
                r = loader_get_strings(loader, object, "items", true, &o.items);
        }
        return r < 0 ? r : imgc_project_builder_add_value(loader->builder, &o, loader->reterr);
}

static int get_kind(struct loader *loader, const struct json *object, uint32_t *ret)
{
        const char *word = NULL;
        int r = loader_get_string(loader, object, "kind", false, &word);

        if (r < 0 || !word)
                return r;
        r = tree_kind_from_word(word);
        if (r == -ENOTSUP)
                return builder_fail_unsupported(
                        loader->builder, loader->reterr,
                        "kinds \"archive\" and \"disk\" are not read by this release");
        if (r < 0)
                return loader_fail(
                        loader, json_get(object, "kind")->offset, "kind",
                        "expected \"directory\", \"file\", \"archive\", \"mtree\" or \"disk\"");
        *ret = (uint32_t)r;
        return 0;
}

static int get_tree_flags(struct loader *loader, const struct json *object, uint32_t *flags)
{
        static const struct {
                const char *name;
                uint32_t flag;
        } members[] = {
                {"secret", IMGC_INPUT_SECRET},
                {"optional", IMGC_INPUT_OPTIONAL},
                {"one_filesystem", IMGC_INPUT_ONE_FILESYSTEM},
                {"ignore_root", IMGC_INPUT_IGNORE_ROOT},
        };
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTSOF(members); i++)
                r = loader_get_flag(loader, object, members[i].name, members[i].flag, flags);
        return r;
}

static int add_tree(struct loader *loader, const struct json *object, enum imgc_input_type type,
                    const char *name)
{
        static const char *const members[] = {
                [IMGC_INPUT_TREE] = COMMON
                " secret optional path kind fields exclude target uid gid "
                "one_filesystem ignore_root",
                [IMGC_INPUT_FILE] = COMMON " secret optional path fields target uid gid",
                [IMGC_INPUT_FILES] = COMMON " secret optional paths fields exclude target uid gid",
        };
        struct imgc_tree_input_options o = IMGC_TREE_INPUT_OPTIONS_INIT;
        int64_t uid = IMGC_ID_KEEP, gid = IMGC_ID_KEEP;
        bool by_pattern = type == IMGC_INPUT_FILES;
        int r;

        o.name = name;
        o.type = type;
        r = loader_check_members(loader, object, members[type]);
        if (r >= 0)
                r = get_on_change(loader, object, &o.on_change);
        if (r >= 0)
                r = get_tree_flags(loader, object, &o.flags);
        if (r >= 0)
                r = get_kind(loader, object, &o.kind);
        if (r >= 0)
                r = loader_get_string(loader, object, "path", !by_pattern, &o.path);
        if (r >= 0)
                r = loader_get_strings(loader, object, "paths", by_pattern, &o.paths);
        if (r >= 0)
                r = loader_get_string(loader, object, "fields", false, &o.fields);
        if (r >= 0)
                r = loader_get_strings(loader, object, "exclude", false, &o.exclude);
        if (r >= 0)
                r = loader_get_string(loader, object, "target", false, &o.target);
        if (r >= 0)
                r = loader_get_integer(loader, object, "uid", IMGC_ID_KEEP - 1, &uid);
        if (r >= 0)
                r = loader_get_integer(loader, object, "gid", IMGC_ID_KEEP - 1, &gid);
        if (r < 0)
                return r;
        o.uid = (uint32_t)uid;
        o.gid = (uint32_t)gid;
        return imgc_project_builder_add_tree(loader->builder, &o, loader->reterr);
}

static int add_link(struct loader *loader, const struct json *object, const char *name)
{
        struct imgc_link_input_options o = IMGC_LINK_INPUT_OPTIONS_INIT;
        const char *by = NULL;
        int r;

        o.name = name;
        r = loader_check_members(loader, object, COMMON " image stage by");
        if (r >= 0)
                r = get_on_change(loader, object, &o.on_change);
        if (r >= 0)
                r = loader_get_string(loader, object, "image", true, &o.image);
        if (r >= 0)
                r = loader_get_string(loader, object, "stage", false, &o.stage);
        if (r >= 0)
                r = loader_get_string(loader, object, "by", false, &by);
        if (r < 0)
                return r;
        if (by && strcmp(by, "key") != 0 && strcmp(by, "output") != 0)
                return loader_fail(loader, json_get(object, "by")->offset, "by",
                                   "expected \"key\" or \"output\"");
        o.by = by && !strcmp(by, "output") ? IMGC_BY_OUTPUT : IMGC_BY_KEY;
        return imgc_project_builder_add_link(loader->builder, &o, loader->reterr);
}

int loader_add_input(struct loader *loader, const struct json *object)
{
        const char *name, *word;
        int type, r;

        r = loader_check_object(loader, object);
        if (r >= 0)
                r = loader_get_string(loader, object, "input", true, &name);
        if (r >= 0)
                r = loader_get_string(loader, object, "type", true, &word);
        if (r < 0)
                return r;
        loader_set_place(loader, object);
        if (!strcmp(word, "layout"))
                return builder_fail_unsupported(
                        loader->builder, loader->reterr,
                        "inputs of type \"layout\" are not read by this release");
        type = input_type_from_word(word);
        if (type < 0)
                return loader_fail(loader, json_get(object, "type")->offset, "type",
                                   "unknown type \"%.64s\"", word);
        if (type == IMGC_INPUT_IMAGE)
                return add_link(loader, object, name);
        if (type >= IMGC_INPUT_TREE)
                return add_tree(loader, object, (enum imgc_input_type)type, name);
        return add_value(loader, object, (enum imgc_input_type)type, name);
}
