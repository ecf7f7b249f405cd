/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/words.h"

#include <errno.h>

#include "core/io.h"
#include "core/text.h"
#include "manifest/json.h"

static const char *const input_types[] = {
        [IMGC_INPUT_OPTION] = "option", [IMGC_INPUT_LIST] = "list",
        [IMGC_INPUT_SET] = "set",       [IMGC_INPUT_ENV] = "env",
        [IMGC_INPUT_DIGEST] = "digest", [IMGC_INPUT_TREE] = "tree",
        [IMGC_INPUT_FILE] = "file",     [IMGC_INPUT_FILES] = "files",
        [IMGC_INPUT_IMAGE] = "image",
};

static const char *const on_changes[] = {
        [IMGC_ON_CHANGE_REBUILD] = "rebuild",
        [IMGC_ON_CHANGE_STALE] = "stale",
        [IMGC_ON_CHANGE_SHOW] = "show",
};

static const char *const tree_kinds[] = {
        [IMGC_TREE_KIND_DIRECTORY] = "directory",
        [IMGC_TREE_KIND_FILE] = "file",
        [IMGC_TREE_KIND_LISTING] = "mtree",
};

#define WORD(table, number) ((number) < ELEMENTSOF(table) ? (table)[number] : NULL)

static int number_of(const char *const *table, size_t n, const char *word)
{
        for (size_t i = 0; i < n; i++)
                if (table[i] && !strcmp(table[i], word))
                        return (int)i;
        return -EINVAL;
}

IMGC_EXPORT const char *imgc_input_type_get_name(enum imgc_input_type type)
{
        return WORD(input_types, (uint32_t)type);
}

const char *on_change_word(uint32_t on_change)
{
        return WORD(on_changes, on_change);
}

const char *tree_kind_word(uint32_t kind)
{
        return WORD(tree_kinds, kind);
}

int input_type_from_word(const char *word)
{
        return number_of(input_types, ELEMENTSOF(input_types), word);
}

int on_change_from_word(const char *word)
{
        return number_of(on_changes, ELEMENTSOF(on_changes), word);
}

int tree_kind_from_word(const char *word)
{
        if (!strcmp(word, "archive") || !strcmp(word, "disk"))
                return -ENOTSUP;
        return number_of(tree_kinds, ELEMENTSOF(tree_kinds), word);
}

const char *name_check(const char *name, const char *forbidden)
{
        size_t size;

        if (!name || !*name)
                return "it has no name";
        size = strlen(name);
        if (size > 255)
                return "its name has more than 255 bytes";
        if (!utf8_is_valid(name, size))
                return "its name is not UTF-8";
        if (!strcmp(name, ".") || !strcmp(name, ".."))
                return "its name is \".\" or \"..\"";
        for (const char *p = name; *p; p++) {
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        return "its name has a control character";
                if (strchr(forbidden, *p))
                        return *p == '/' ? "its name has a '/'" :
                               *p == ':' ? "its name has a ':'" :
                                           "its name has a '='";
        }
        return NULL;
}

void fields_word(fields_t fields, char ret[static FIELDS_WORD_MAX])
{
        static const char *const profiles[] = {"content", "image", "output", "exact"};
        const char *bad;
        size_t bad_size;
        fields_t profile;

        for (size_t i = 0; i < ELEMENTSOF(profiles); i++)
                if (fields_parse(profiles[i], &profile, &bad, &bad_size) >= 0 &&
                    profile == fields) {
                        memcpy(ret, profiles[i], strlen(profiles[i]) + 1);
                        return;
                }
        fields_format(fields, ret);
}

const char *path_label(const char *path, size_t *ret_size)
{
        size_t size = strlen(path);
        const char *slash;

        *ret_size = size;
        if (*path != '/')
                return path;
        while (size > 1 && path[size - 1] == '/')
                size--;
        slash = memrchr(path, '/', size);
        if (size > 1) {
                size -= (size_t)(slash + 1 - path);
                path = slash + 1;
        }
        *ret_size = size;
        return path;
}

void json_add_strings(struct buffer *buffer, const char *const *strings)
{
        buffer_add_char(buffer, '[');
        for (size_t i = 0; strings && strings[i]; i++) {
                if (i)
                        buffer_add_char(buffer, ',');
                json_add_bytes(buffer, strings[i], strlen(strings[i]));
        }
        buffer_add_char(buffer, ']');
}

static int compare_strings(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int json_add_set(struct buffer *buffer, const char *const *items)
{
        _cleanup_free_ const char **sorted = NULL;
        size_t n = 0, kept = 0;

        while (items[n])
                n++;
        sorted = imgc_io_calloc(n + 1, sizeof(*sorted));
        if (!sorted)
                return -ENOMEM;
        memcpy(sorted, items, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare_strings);
        for (size_t i = 0; i < n; i++)
                if (!kept || strcmp(sorted[i], sorted[kept - 1]) != 0)
                        sorted[kept++] = sorted[i];
        sorted[kept] = NULL;
        json_add_strings(buffer, sorted);
        return 0;
}
