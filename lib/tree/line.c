/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/line.h"

#include "tree/escape.h"

#define T(name)     (1u << TYPE_##name)
#define ALL_TYPES   ((1u << N_TYPES) - 1)
#define ALL_BUT_DIR (ALL_TYPES & ~T(DIR))

static const struct {
        enum field field;
        uint8_t types; /* that may have it */
        bool required; /* of those that may */
} keywords[N_KEYWORDS] = {
        [KEYWORD_TYPE] = {FIELD_TYPE, ALL_TYPES, true},
        [KEYWORD_MODE] = {FIELD_MODE, ALL_TYPES, true},
        [KEYWORD_EXEC] = {FIELD_EXEC, T(FILE), false},
        [KEYWORD_UID] = {FIELD_UID, ALL_TYPES, true},
        [KEYWORD_GID] = {FIELD_GID, ALL_TYPES, true},
        [KEYWORD_SIZE] = {FIELD_SIZE, T(FILE), true},
        [KEYWORD_DEVICE] = {FIELD_DEVICE, T(CHAR) | T(BLOCK), true},
        [KEYWORD_LINK] = {FIELD_LINK, T(LINK), true},
        [KEYWORD_HARDLINK] = {FIELD_HARDLINK, ALL_BUT_DIR, false},
        [KEYWORD_TIME] = {FIELD_TIME, ALL_TYPES, true},
        [KEYWORD_FLAGS] = {FIELD_FLAGS, ALL_TYPES, false},
        [KEYWORD_ACL_ACCESS] = {FIELD_ACL, ALL_TYPES & ~T(LINK), false},
        [KEYWORD_ACL_DEFAULT] = {FIELD_ACL, T(DIR), false},
        [KEYWORD_XATTR] = {FIELD_XATTR, ALL_TYPES, false},
        [KEYWORD_DIGEST] = {FIELD_CONTENT, T(FILE), true},
};

enum field keyword_field(enum keyword keyword)
{
        return keywords[keyword].field;
}

bool keyword_is_required(enum keyword keyword)
{
        return keywords[keyword].required;
}

bool keyword_may_stand_on(enum keyword keyword, enum entry_type type)
{
        return keywords[keyword].types >> type & 1;
}

enum entry_type type_of(struct span word)
{
        static const char *const words[N_TYPES] = {"file",   "dir",  "link", "fifo",
                                                   "socket", "char", "block"};
        int t = 0;

        while (t < N_TYPES && !span_is(word, words[t]))
                t++;
        return (enum entry_type)t;
}

/* Written out, because a listing has ten of them a line. */
enum keyword keyword_of(struct span name)
{
#define IS(word) (name.size == sizeof(word) - 1 && !memcmp(name.data, word, sizeof(word) - 1))
        if (!name.size)
                return N_KEYWORDS;
        switch (*name.data) {
        case 't':
                return IS("type") ? KEYWORD_TYPE : IS("time") ? KEYWORD_TIME : N_KEYWORDS;
        case 'm':
                return IS("mode") ? KEYWORD_MODE : N_KEYWORDS;
        case 'e':
                return IS("exec") ? KEYWORD_EXEC : N_KEYWORDS;
        case 'u':
                return IS("uid") ? KEYWORD_UID : N_KEYWORDS;
        case 'g':
                return IS("gid") ? KEYWORD_GID : N_KEYWORDS;
        case 's':
                return IS("size") ? KEYWORD_SIZE : IS("sha256") ? KEYWORD_DIGEST : N_KEYWORDS;
        case 'd':
                return IS("device") ? KEYWORD_DEVICE : N_KEYWORDS;
        case 'l':
                return IS("link") ? KEYWORD_LINK : N_KEYWORDS;
        case 'h':
                return IS("hardlink") ? KEYWORD_HARDLINK : N_KEYWORDS;
        case 'f':
                return IS("flags") ? KEYWORD_FLAGS : N_KEYWORDS;
        case 'a':
                return IS("acl.access")  ? KEYWORD_ACL_ACCESS :
                       IS("acl.default") ? KEYWORD_ACL_DEFAULT :
                                           N_KEYWORDS;
        case 'x':
                if (IS("xxh128"))
                        return KEYWORD_DIGEST;
                return name.size > 6 && !memcmp(name.data, "xattr.", 6) ? KEYWORD_XATTR :
                                                                          N_KEYWORDS;
        default:
                return N_KEYWORDS;
        }
#undef IS
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
        const fields_t always = FIELD_BIT(FIELD_MODE) | FIELD_BIT(FIELD_UID) |
                                FIELD_BIT(FIELD_GID) | FIELD_BIT(FIELD_TIME);

        return listing->fields & always && span_is(line->rest, " type=dir");
}

void line_add_path(const struct line *line, struct buffer *buffer)
{
        if (line->name.size < 2)
                buffer_add_char(buffer, '.');
        else
                escape_decode(buffer, line->name.data + 2, line->name.size - 2);
}
