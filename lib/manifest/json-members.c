/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members of the objects in a project file, with their types checked. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "manifest/project-parse.h"

size_t loader_enter(struct loader *loader, const char *name, size_t index)
{
        size_t before = loader->path.size;

        buffer_printf(&loader->path, "%s%s[%zu]", before ? "." : "", name, index);
        return before;
}

void loader_leave(struct loader *loader, size_t entered)
{
        loader->path.size = entered;
}

static void add_place(struct loader *loader, size_t offset, struct buffer *ret)
{
        size_t line, column;

        json_place(loader->text, offset, &line, &column);
        buffer_printf(ret, "%s:%zu:%zu", loader->file, line, column);
}

int loader_fail(struct loader *loader, size_t offset, const char *member, const char *format, ...)
{
        _cleanup_buffer_ struct buffer place = {0};
        char reason[512];
        va_list ap;

        va_start(ap, format);
        vsnprintf(reason, sizeof(reason), format, ap);
        va_end(ap);
        add_place(loader, offset, &place);
        if (loader->path.size || member) {
                buffer_add_literal(&place, ": ");
                buffer_add(&place, loader->path.data, loader->path.size);
                if (member)
                        buffer_printf(&place, "%s%s", loader->path.size ? "." : "", member);
        }
        if (!buffer_string(&place))
                return error_no_memory(loader->reterr);
        return error_message(loader->reterr, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", loader->file,
                             "%s: %s", place.data, reason);
}

void loader_set_place(struct loader *loader, const struct json *object)
{
        struct buffer *place = &loader->builder->place;

        place->size = 0;
        add_place(loader, object->offset, place);
        if (loader->path.size) {
                buffer_add_literal(place, ": ");
                buffer_add(place, loader->path.data, loader->path.size);
        }
}

/* Returns 1 where the member is there. */
static int get(struct loader *loader, const struct json *object, const char *name, bool required,
               const struct json **ret)
{
        *ret = json_get(object, name);
        if (!*ret && required)
                return loader_fail(loader, object->offset, NULL, "missing member \"%s\"", name);
        return *ret ? 1 : 0;
}

static int get_bytes(struct loader *loader, const struct json *value, const char *member,
                     const char **ret)
{
        size_t size;
        int r = json_get_bytes(&loader->arena, value, ret, &size);

        if (r == -ENOMEM)
                return error_no_memory(loader->reterr);
        if (r < 0)
                return loader_fail(loader, value->offset, member, "expected a string");
        if (strlen(*ret) != size)
                return loader_fail(loader, value->offset, member, "a string with NUL");
        return 0;
}

int loader_get_string(struct loader *loader, const struct json *object, const char *name,
                      bool required, const char **ret)
{
        const struct json *value;
        const char *bytes;
        int r = get(loader, object, name, required, &value);

        if (r <= 0)
                return r;
        r = get_bytes(loader, value, name, &bytes);
        if (r >= 0)
                *ret = bytes;
        return r;
}

int loader_get_array(struct loader *loader, const struct json *object, const char *name,
                     bool required, const struct json **ret)
{
        const struct json *value;
        int r = get(loader, object, name, required, &value);

        if (r <= 0)
                return r;
        if (value->type != JSON_ARRAY)
                return loader_fail(loader, value->offset, name, "expected an array");
        *ret = value;
        return 0;
}

int loader_get_strings(struct loader *loader, const struct json *object, const char *name,
                       bool required, const char *const **ret)
{
        const struct json *array = NULL;
        const char **strings;
        size_t n = 0;
        int r = loader_get_array(loader, object, name, required, &array);

        if (r < 0 || !array)
                return r;
        strings = arena_alloc(&loader->arena, (array->n + 1) * sizeof(*strings));
        if (!strings)
                return error_no_memory(loader->reterr);
        for (const struct json *item = array->first; item; item = item->next) {
                r = get_bytes(loader, item, name, &strings[n++]);
                if (r < 0)
                        return r;
        }
        strings[n] = NULL;
        *ret = strings;
        return 0;
}

int loader_get_flag(struct loader *loader, const struct json *object, const char *name,
                    uint32_t flag, uint32_t *flags)
{
        const struct json *value = json_get(object, name);

        if (!value)
                return 0;
        if (value->type != JSON_BOOLEAN)
                return loader_fail(loader, value->offset, name, "expected true or false");
        *flags |= value->boolean ? flag : 0;
        return 0;
}

int loader_get_integer(struct loader *loader, const struct json *object, const char *name,
                       int64_t max, int64_t *ret)
{
        const struct json *value = json_get(object, name);

        if (!value)
                return 0;
        if (value->type != JSON_INTEGER || value->integer < 0 || value->integer > max)
                return loader_fail(loader, value->offset, name, "expected a number from 0 to %lld",
                                   (long long)max);
        *ret = value->integer;
        return 0;
}

int loader_check_object(struct loader *loader, const struct json *value)
{
        return value->type == JSON_OBJECT ?
                       0 :
                       loader_fail(loader, value->offset, NULL, "expected an object");
}

int loader_check_members(struct loader *loader, const struct json *object, const char *allowed)
{
        for (const struct json *member = object->first; member; member = member->next) {
                const char *word = allowed;
                size_t n;

                for (; *word; word += n + (word[n] == ' ')) {
                        n = strcspn(word, " ");
                        if (n == member->name_size && !memcmp(word, member->name, n))
                                break;
                }
                if (!*word)
                        return loader_fail(loader, member->name_offset, NULL,
                                           "unknown member \"%.64s\"", member->name);
        }
        return 0;
}
