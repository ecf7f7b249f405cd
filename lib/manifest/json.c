/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at values, and writing them in the canonical spelling of RFC 8785. */
#include "manifest/json.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "core/text.h"

void json_place(const char *text, size_t offset, size_t *ret_line, size_t *ret_column)
{
        const char *line = text;

        *ret_line = 1;
        for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + offset - p))); line = ++p)
                ++*ret_line;
        *ret_column = (size_t)(text + offset - line) + 1;
}

const struct json *json_get(const struct json *object, const char *name)
{
        for (const struct json *member = object->first; member; member = member->next)
                if (!strcmp(member->name, name))
                        return member;
        return NULL;
}

bool json_is_plain_string(const struct json *value)
{
        return value->type == JSON_STRING && !memchr(value->text, '\0', value->size);
}

/* The depth of the recursion is that of the text, which was bounded when it was read. */
static void add_container(struct buffer *buffer, const struct json *container, const char *without)
{
        bool is_object = container->type == JSON_OBJECT, first = true;

        buffer_add_char(buffer, is_object ? '{' : '[');
        for (const struct json *value = container->first; value; value = value->next) {
                if (without && !strcmp(value->name, without))
                        continue;
                if (!first)
                        buffer_add_char(buffer, ',');
                first = false;
                if (is_object) {
                        text_add_json(buffer, value->name, value->name_size);
                        buffer_add_char(buffer, ':');
                }
                json_add(buffer, value);
        }
        buffer_add_char(buffer, is_object ? '}' : ']');
}

void json_add(struct buffer *buffer, const struct json *value)
{
        switch (value->type) {
        case JSON_NULL:
                buffer_add_literal(buffer, "null");
                return;
        case JSON_BOOLEAN:
                buffer_add_string(buffer, value->boolean ? "true" : "false");
                return;
        case JSON_INTEGER:
                buffer_printf(buffer, "%" PRId64, value->integer);
                return;
        case JSON_STRING:
                text_add_json(buffer, value->text, value->size);
                return;
        case JSON_ARRAY:
        case JSON_OBJECT:
                add_container(buffer, value, NULL);
                return;
        }
}

void json_add_without(struct buffer *buffer, const struct json *object, const char *name)
{
        add_container(buffer, object, name);
}

void json_add_bytes(struct buffer *buffer, const char *bytes, size_t size)
{
        if (utf8_is_valid(bytes, size)) {
                text_add_json(buffer, bytes, size);
                return;
        }
        buffer_add_literal(buffer, "{\"base64\":\"");
        text_add_base64(buffer, bytes, size);
        buffer_add_literal(buffer, "\"}");
}

static unsigned base64_digit(char c)
{
        if (c >= 'A' && c <= 'Z')
                return (unsigned)(c - 'A');
        if (c >= 'a' && c <= 'z')
                return (unsigned)(c - 'a' + 26);
        if (c >= '0' && c <= '9')
                return (unsigned)(c - '0' + 52);
        return c == '+' ? 62 : 63;
}

/* Of base64 that is canonical. Returns how many bytes it stands for. */
static size_t base64_decode(const char *s, size_t size, char *ret)
{
        size_t n = 0;

        for (size_t i = 0; i < size; i += 4) {
                unsigned v = base64_digit(s[i]) << 18 | base64_digit(s[i + 1]) << 12;

                ret[n++] = (char)(v >> 16);
                if (s[i + 2] != '=') {
                        v |= base64_digit(s[i + 2]) << 6;
                        ret[n++] = (char)(v >> 8);
                }
                if (s[i + 3] != '=')
                        ret[n++] = (char)(v | base64_digit(s[i + 3]));
        }
        return n;
}

int json_get_bytes(struct arena *arena, const struct json *value, const char **ret,
                   size_t *ret_size)
{
        const struct json *base64;
        char *bytes;

        if (value->type == JSON_STRING) {
                *ret = value->text;
                *ret_size = value->size;
                return 0;
        }
        base64 = value->type == JSON_OBJECT && value->n == 1 ? json_get(value, "base64") : NULL;
        if (!base64 || base64->type != JSON_STRING ||
            !base64_is_canonical(base64->text, base64->size))
                return -EINVAL;
        bytes = arena_alloc(arena, base64->size / 4 * 3 + 1);
        if (!bytes)
                return -ENOMEM;
        *ret_size = base64_decode(base64->text, base64->size, bytes);
        bytes[*ret_size] = '\0';
        *ret = bytes;
        return 0;
}
