/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Values are located in the text, and what json-c would let through is refused on the way: members
 * that stand twice, NUL in names, control characters, halves of surrogate pairs, numbers that are
 * not integers within bounds, NaN, encoded surrogates. json-c decodes strings, and has the last word
 * on the grammar of the whole.
 */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "core/macros.h"
#include "core/text.h"
#include "manifest/json.h"

struct parser {
        struct arena *arena;
        const char *text, *p, *end;
        struct json_tokener *tokener;
        struct json_fault fault;
        unsigned depth;
};

static int fail_at(struct parser *parser, const char *at, const char *reason)
{
        parser->fault = (struct json_fault){reason, (size_t)(at - parser->text)};
        return -EBADMSG;
}

static void skip_space(struct parser *parser)
{
        while (parser->p < parser->end && (*parser->p == ' ' || *parser->p == '\n' ||
                                           *parser->p == '\r' || *parser->p == '\t'))
                parser->p++;
}

static bool take(struct parser *parser, char c)
{
        if (parser->p == parser->end || *parser->p != c)
                return false;
        parser->p++;
        return true;
}

/* ------------------------------------------------------------------------------ grammar */

/* Whether json-c takes the text, or a string of it, for JSON. *ret (may be NULL) is the value;
 * to be put. */
static int judge(struct parser *parser, const char *text, size_t size, json_object **ret)
{
        json_object *value;
        enum json_tokener_error error;

        json_tokener_reset(parser->tokener);
        value = json_tokener_parse_ex(parser->tokener, text, (int)size);
        error = json_tokener_get_error(parser->tokener);
        /* A number might go on: what follows the text tells json-c that it does not. */
        if (error == json_tokener_continue && size) {
                value = json_tokener_parse_ex(parser->tokener, "", 1);
                error = json_tokener_get_error(parser->tokener);
                if (error != json_tokener_success)
                        return fail_at(parser, text + size, "the text ends too early");
        } else if (error != json_tokener_success) {
                return fail_at(parser, text + json_tokener_get_parse_end(parser->tokener),
                               json_tokener_error_desc(error));
        }
        if (ret)
                *ret = value;
        else
                json_object_put(value);
        return 0;
}

/* ------------------------------------------------------------------------------ strings */

static uint32_t hex4(const char *p)
{
        char digits[5] = {p[0], p[1], p[2], p[3], '\0'};

        return (uint32_t)strtoul(digits, NULL, 16);
}

/* json-c replaces a half of a surrogate pair by U+FFFD: two texts would be one value. */
static int skip_escape(struct parser *parser)
{
        const char *start = parser->p - 1;
        uint32_t c;

        if (parser->p == parser->end || *parser->p++ != 'u' || parser->end - parser->p < 4)
                return 0;
        c = hex4(parser->p);
        parser->p += 4;
        if (c < 0xd800 || c > 0xdfff)
                return 0;
        if (c >= 0xdc00 || parser->end - parser->p < 6 || memcmp(parser->p, "\\u", 2) != 0 ||
            hex4(parser->p + 2) >> 10 != 0xdc00 >> 10)
                return fail_at(parser, start, "half of a surrogate pair");
        parser->p += 6;
        return 0;
}

/* The value of a string that stands from `start`, its quotes included, to the present place. */
static int decode_string(struct parser *parser, const char *start, bool has_escapes,
                         const char **ret, size_t *ret_size)
{
        const char *text = start + 1;
        json_object *value = NULL;
        char *copy;
        int r;

        *ret_size = (size_t)(parser->p - start) - 2;
        if (has_escapes) {
                r = judge(parser, start, (size_t)(parser->p - start), &value);
                if (r < 0)
                        return r;
                text = json_object_get_string(value);
                *ret_size = (size_t)json_object_get_string_len(value);
        }
        copy = arena_alloc(parser->arena, *ret_size + 1);
        if (copy) {
                memcpy(copy, text, *ret_size);
                copy[*ret_size] = '\0';
        }
        json_object_put(value);
        *ret = copy;
        return copy ? 0 : -ENOMEM;
}

/* Behind the opening quote. */
static int read_string(struct parser *parser, const char **ret, size_t *ret_size)
{
        const char *start = parser->p - 1;
        bool has_escapes = false;
        uint32_t c;
        size_t n;
        int r;

        while (!take(parser, '"')) {
                if (parser->p == parser->end)
                        return fail_at(parser, parser->p, "the text ends within a string");
                if ((unsigned char)*parser->p < 0x20)
                        return fail_at(parser, parser->p, "control character in a string");
                /* json-c takes encoded surrogates. */
                n = utf8_sequence(parser->p, (size_t)(parser->end - parser->p), &c);
                if (!n)
                        return fail_at(parser, parser->p, "byte that is not UTF-8");
                parser->p += n;
                if (c == '\\') {
                        has_escapes = true;
                        r = skip_escape(parser);
                        if (r < 0)
                                return r;
                }
        }
        return decode_string(parser, start, has_escapes, ret, ret_size);
}

/* ------------------------------------------------------------------------------ numbers */

static int read_number(struct parser *parser, int64_t *ret)
{
        const char *start = parser->p, *digits;
        bool negative = take(parser, '-');
        int64_t value = 0;

        digits = parser->p;
        while (parser->p < parser->end && *parser->p >= '0' && *parser->p <= '9') {
                if (value <= JSON_INTEGER_MAX)
                        value = value * 10 + (*parser->p - '0');
                parser->p++;
        }
        if (parser->p == digits)
                return fail_at(parser, start, "unexpected character");
        if (value > JSON_INTEGER_MAX)
                return fail_at(parser, start, "number beyond 2^53-1");
        if (*digits == '0' && parser->p > digits + 1)
                return fail_at(parser, start, "number with a leading zero");
        if (parser->p < parser->end && *parser->p && strchr(".eE", *parser->p))
                return fail_at(parser, start, "number that is not written as an integer");
        /* RFC 8785 spells it 0, so that the two would be one value with two spellings. */
        if (negative && !value)
                return fail_at(parser, start, "negative zero");
        *ret = negative ? -value : value;
        return 0;
}

/* ------------------------------------------------------------------------------ objects */

/* By UTF-16 code units: as bytes, except that surrogates (four bytes in UTF-8) sort before
 * U+E000 to U+FFFF (beginning with 0xee and 0xef). */
static int compare_names(const struct json *a, const struct json *b)
{
        size_t n = MIN(a->name_size, b->name_size);

        for (size_t i = 0; i < n; i++) {
                unsigned char x = (unsigned char)a->name[i], y = (unsigned char)b->name[i];

                if (x == y)
                        continue;
                if (x >= 0xf0 && (y == 0xee || y == 0xef))
                        return -1;
                if (y >= 0xf0 && (x == 0xee || x == 0xef))
                        return 1;
                return x < y ? -1 : 1;
        }
        return a->name_size < b->name_size ? -1 : a->name_size > b->name_size;
}

static struct json *merge(struct json *a, struct json *b)
{
        struct json *first = NULL, **tail = &first;

        while (a && b) {
                struct json **smaller = compare_names(b, a) < 0 ? &b : &a;

                *tail = *smaller;
                tail = &(*smaller)->next;
                *smaller = *tail;
        }
        *tail = a ? a : b;
        return first;
}

/* Merges runs of growing length from the bottom: the depth of a recursion would be bounded as
 * well, but this needs no count beforehand. */
static struct json *sort_members(struct json *first)
{
        struct json *runs[64] = {0}, *sorted = NULL;

        while (first) {
                struct json *run = first;
                size_t i = 0;

                first = first->next;
                run->next = NULL;
                for (; runs[i]; i++) {
                        run = merge(runs[i], run);
                        runs[i] = NULL;
                }
                runs[i] = run;
        }
        for (size_t i = 0; i < ELEMENTSOF(runs); i++)
                if (runs[i])
                        sorted = merge(runs[i], sorted);
        return sorted;
}

static int read_value(struct parser *parser, struct json **ret);

static int read_member(struct parser *parser, struct json **ret)
{
        size_t name_size, name_offset;
        const char *name;
        int r;

        skip_space(parser);
        name_offset = (size_t)(parser->p - parser->text);
        if (!take(parser, '"'))
                return fail_at(parser, parser->p, "expected a member's name");
        r = read_string(parser, &name, &name_size);
        if (r < 0)
                return r;
        if (memchr(name, '\0', name_size))
                return fail_at(parser, parser->text + name_offset, "NUL in a member's name");
        skip_space(parser);
        if (!take(parser, ':'))
                return fail_at(parser, parser->p, "expected ':'");
        r = read_value(parser, ret);
        if (r < 0)
                return r;
        (*ret)->name = name;
        (*ret)->name_size = name_size;
        (*ret)->name_offset = name_offset;
        return 0;
}

static int check_duplicates(struct parser *parser, const struct json *first)
{
        for (; first && first->next; first = first->next)
                if (!compare_names(first, first->next))
                        return fail_at(parser,
                                       parser->text +
                                               MAX(first->name_offset, first->next->name_offset),
                                       "a member stands twice");
        return 0;
}

/* Behind the opening bracket of an array or object. */
static int read_container(struct parser *parser, struct json *container, char closing)
{
        struct json **tail = &container->first;
        int r;

        if (++parser->depth > LIMIT_JSON_DEPTH)
                return fail_at(parser, parser->p - 1, "nested too deeply");
        skip_space(parser);
        for (bool done = take(parser, closing); !done;) {
                r = container->type == JSON_OBJECT ? read_member(parser, tail) :
                                                     read_value(parser, tail);
                if (r < 0)
                        return r;
                container->n++;
                tail = &(*tail)->next;
                skip_space(parser);
                done = take(parser, closing);
                if (!done && !take(parser, ','))
                        return fail_at(parser, parser->p,
                                       closing == '}' ? "expected ',' or '}'" :
                                                        "expected ',' or ']'");
        }
        parser->depth--;
        if (container->type != JSON_OBJECT)
                return 0;
        container->first = sort_members(container->first);
        return check_duplicates(parser, container->first);
}

/* ------------------------------------------------------------------------------ values */

static int read_word(struct parser *parser, struct json *value)
{
        static const struct {
                const char *word;
                enum json_kind type;
                bool boolean;
        } words[] = {{"null", JSON_NULL, false},
                     {"true", JSON_BOOLEAN, true},
                     {"false", JSON_BOOLEAN, false}};
        size_t left = (size_t)(parser->end - parser->p);

        for (size_t i = 0; i < ELEMENTSOF(words); i++) {
                size_t n = strlen(words[i].word);

                if (left < n || memcmp(parser->p, words[i].word, n) != 0)
                        continue;
                parser->p += n;
                value->type = words[i].type;
                value->boolean = words[i].boolean;
                return 0;
        }
        value->type = JSON_INTEGER;
        return read_number(parser, &value->integer);
}

static int read_value(struct parser *parser, struct json **ret)
{
        struct json *value = arena_alloc(parser->arena, sizeof(*value));
        int r;

        if (!value)
                return -ENOMEM;
        skip_space(parser);
        *value = (struct json){.offset = (size_t)(parser->p - parser->text)};
        if (parser->p == parser->end)
                return fail_at(parser, parser->p, "the text ends too early");
        if (take(parser, '"')) {
                value->type = JSON_STRING;
                r = read_string(parser, &value->text, &value->size);
        } else if (take(parser, '{')) {
                value->type = JSON_OBJECT;
                r = read_container(parser, value, '}');
        } else if (take(parser, '[')) {
                value->type = JSON_ARRAY;
                r = read_container(parser, value, ']');
        } else {
                r = read_word(parser, value);
        }
        if (r < 0)
                return r;
        *ret = value;
        return 0;
}

int json_parse(struct arena *arena, const char *text, size_t size, struct json **ret,
               struct json_fault *ret_fault)
{
        struct parser parser = {.arena = arena, .text = text, .p = text, .end = text + size};
        int r;

        *ret_fault = (struct json_fault){"the text is too long", 0};
        if (size > LIMIT_JSON_BYTES)
                return -EBADMSG;
        parser.tokener = json_tokener_new_ex(LIMIT_JSON_DEPTH + 1);
        if (!parser.tokener)
                return -ENOMEM;
        json_tokener_set_flags(parser.tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        r = read_value(&parser, ret);
        if (r >= 0) {
                skip_space(&parser);
                if (parser.p < parser.end)
                        r = fail_at(&parser, parser.p, "something follows the value");
        }
        if (r >= 0)
                r = judge(&parser, text, size, NULL);
        json_tokener_free(parser.tokener);
        *ret_fault = parser.fault;
        return r;
}
