/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/line.h"

#include "tree/escape.h"

static const struct {
        const char *name;
        enum field field;
        const char *types; /* that may have it, separated by spaces; NULL is all */
        bool required;
} keywords[N_KEYWORDS] = {
        [KEYWORD_TYPE] = {"type", FIELD_TYPE, NULL, true},
        [KEYWORD_MODE] = {"mode", FIELD_MODE, NULL, true},
        [KEYWORD_EXEC] = {"exec", FIELD_EXEC, "file", false},
        [KEYWORD_UID] = {"uid", FIELD_UID, NULL, true},
        [KEYWORD_GID] = {"gid", FIELD_GID, NULL, true},
        [KEYWORD_SIZE] = {"size", FIELD_SIZE, "file", true},
        [KEYWORD_DEVICE] = {"device", FIELD_DEVICE, "char block", true},
        [KEYWORD_LINK] = {"link", FIELD_LINK, "link", true},
        [KEYWORD_HARDLINK] = {"hardlink", FIELD_HARDLINK, "file link fifo socket char block", false},
        [KEYWORD_TIME] = {"time", FIELD_TIME, NULL, true},
        [KEYWORD_FLAGS] = {"flags", FIELD_FLAGS, NULL, false},
        [KEYWORD_ACL_ACCESS] = {"acl.access", FIELD_ACL, "file dir fifo socket char block", false},
        [KEYWORD_ACL_DEFAULT] = {"acl.default", FIELD_ACL, "dir", false},
        [KEYWORD_XATTR] = {NULL, FIELD_XATTR, NULL, false},
        [KEYWORD_DIGEST] = {NULL, FIELD_CONTENT, "file", true},
};

enum field keyword_field(enum keyword keyword)
{
        return keywords[keyword].field;
}

bool keyword_is_required(enum keyword keyword)
{
        return keywords[keyword].required;
}

bool keyword_may_stand_on(enum keyword keyword, struct span type)
{
        const char *types = keywords[keyword].types;

        while (types && *types) {
                size_t n = strcspn(types, " ");

                if (n == type.size && !memcmp(types, type.data, n))
                        return true;
                types += n + (types[n] == ' ');
        }
        return !types;
}

enum keyword keyword_of(struct span name)
{
        for (int k = 0; k < N_KEYWORDS; k++)
                if (keywords[k].name && span_is(name, keywords[k].name))
                        return (enum keyword)k;
        if (name.size > 6 && !memcmp(name.data, "xattr.", 6))
                return KEYWORD_XATTR;
        if (span_is(name, "xxh128") || span_is(name, "sha256"))
                return KEYWORD_DIGEST;
        return N_KEYWORDS;
}

size_t line_at(const struct listing *listing, size_t offset, struct line *ret)
{
        const char *start = listing->data + offset;
        const char *end = memchr(start, '\n', listing->size - offset);
        const char *space = memchr(start, ' ', (size_t)(end - start));

        ret->name = (struct span){start, (size_t)(space - start)};
        ret->rest = (struct span){space, (size_t)(end - space)};
        return offset + (size_t)(end - start) + 1;
}

size_t line_find(const struct listing *listing, size_t end, struct span name, struct line *ret)
{
        size_t low = listing->header_size, high = end;

        while (low < high) {
                size_t middle = low + (high - low) / 2, next;
                const char *start = memrchr(listing->data + low, '\n', middle - low);
                int order;

                middle = start ? (size_t)(start - listing->data) + 1 : low;
                next = line_at(listing, middle, ret);
                order = escape_compare_paths(name.data, name.size, ret->name.data, ret->name.size);
                if (!order)
                        return middle;
                if (order < 0)
                        high = middle;
                else
                        low = next;
        }
        return SIZE_MAX;
}

bool line_next_attribute(struct span *rest, struct attribute *ret)
{
        const char *start, *equals, *end;

        if (!rest->size)
                return false;
        start = rest->data + 1;
        end = memchr(start, ' ', rest->size - 1);
        if (!end)
                end = rest->data + rest->size;
        equals = memchr(start, '=', (size_t)(end - start));
        ret->name = (struct span){start, (size_t)(equals - start)};
        ret->value = (struct span){equals + 1, (size_t)(end - equals - 1)};
        ret->keyword = keyword_of(ret->name);
        rest->size -= (size_t)(end - rest->data);
        rest->data = end;
        return true;
}

bool line_get_attribute(const struct line *line, enum keyword keyword, struct attribute *ret)
{
        struct span rest = line->rest;

        while (line_next_attribute(&rest, ret))
                if (ret->keyword == keyword)
                        return true;
        return false;
}

bool line_is_bare(const struct listing *listing, const struct line *line)
{
        const fields_t always = FIELD_BIT(FIELD_MODE) | FIELD_BIT(FIELD_UID) | FIELD_BIT(FIELD_GID) |
                                FIELD_BIT(FIELD_TIME);

        return listing->fields & always && span_is(line->rest, " type=dir");
}

void line_add_path(const struct line *line, struct buffer *buffer)
{
        if (line->name.size < 2)
                buffer_add_char(buffer, '.');
        else
                escape_decode(buffer, line->name.data + 2, line->name.size - 2);
}
