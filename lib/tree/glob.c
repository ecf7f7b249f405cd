/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One pattern against one name. fnmatch(3) depends on the locale and knows no "as git does",
 * so this is git's wildmatch by its documented behaviour, in time pattern × name. */
#include <string.h>

#include "tree/exclude.h"

struct class
{
        const char *name;
        bool (*contains)(unsigned char c);
};

static bool is_lower(unsigned char c)
{
        return c >= 'a' && c <= 'z';
}

static bool is_upper(unsigned char c)
{
        return c >= 'A' && c <= 'Z';
}

static bool is_alpha(unsigned char c)
{
        return is_lower(c) || is_upper(c);
}

static bool is_digit(unsigned char c)
{
        return c >= '0' && c <= '9';
}

static bool is_alnum(unsigned char c)
{
        return is_alpha(c) || is_digit(c);
}

static bool is_xdigit(unsigned char c)
{
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_blank(unsigned char c)
{
        return c == ' ' || c == '\t';
}

/* git's set, without vertical tab and form feed. */
static bool is_space(unsigned char c)
{
        return is_blank(c) || c == '\n' || c == '\r';
}

static bool is_cntrl(unsigned char c)
{
        return c < 0x20 || c == 0x7f;
}

static bool is_graph(unsigned char c)
{
        return c > 0x20 && c < 0x7f;
}

static bool is_print(unsigned char c)
{
        return c >= 0x20 && c < 0x7f;
}

static bool is_punct(unsigned char c)
{
        return is_graph(c) && !is_alnum(c);
}

static const struct class classes[] = {
        {"alnum", is_alnum}, {"alpha", is_alpha}, {"blank", is_blank}, {"cntrl", is_cntrl},
        {"digit", is_digit}, {"graph", is_graph}, {"lower", is_lower}, {"print", is_print},
        {"punct", is_punct}, {"space", is_space}, {"upper", is_upper}, {"xdigit", is_xdigit},
};

static const struct class *class_find(const char *name, size_t size)
{
        for (size_t i = 0; i < ELEMENTSOF(classes); i++)
                if (strlen(classes[i].name) == size && !memcmp(classes[i].name, name, size))
                        return &classes[i];
        return NULL;
}

/* Reads one member of a bracket expression at p: a class, or a character (perhaps quoted).
 * Returns what follows it, or NULL where it is malformed. */
static const char *bracket_member(const char *p, const char *end, const struct class **ret_class,
                                  unsigned char *ret_char)
{
        *ret_class = NULL;
        if (*p == '[' && end - p > 1 && p[1] == ':') {
                const char *name = p + 2, *close = name;

                while (close < end && *close != ']')
                        close++;
                if (close == end)
                        return NULL;
                /* "[[:x]" without its colon is a set of these characters. */
                if (close > name && close[-1] == ':') {
                        *ret_class = class_find(name, (size_t)(close - 1 - name));
                        return *ret_class ? close + 1 : NULL;
                }
        }
        if (*p == '\\' && ++p == end)
                return NULL;
        *ret_char = (unsigned char)*p;
        return p + 1;
}

/* p: behind the '['. Returns what follows the ']', or NULL where it is malformed. */
static const char *bracket_matches(const char *p, const char *end, unsigned char c,
                                   bool *ret_matches)
{
        bool negated = false, matches = false, has_previous = false;
        unsigned char previous = 0, member = 0;
        const struct class *class;

        if (p < end && (*p == '!' || *p == '^')) {
                negated = true;
                p++;
        }
        for (const char *first = p; p < end;) {
                if (*p == ']' && p > first) {
                        *ret_matches = matches != negated;
                        return p + 1;
                }
                if (*p == '-' && has_previous && end - p > 1 && p[1] != ']') {
                        /* The end of a range is a character, even where it looks like a class. */
                        if (*++p == '\\' && ++p == end)
                                return NULL;
                        member = (unsigned char)*p++;
                        matches |= c >= previous && c <= member;
                        has_previous = false;
                        continue;
                }
                p = bracket_member(p, end, &class, &member);
                if (!p)
                        return NULL;
                matches |= class ? class->contains(c) : c == member;
                has_previous = !class;
                previous = member;
        }
        return NULL;
}

/* Matches one character by the pattern's next item, which is no star. Returns what follows
 * the item, or NULL where it does not match. */
static const char *item_matches(const char *p, const char *end, unsigned char c)
{
        bool matches;

        switch (*p) {
        case '?':
                return p + 1;
        case '[':
                p = bracket_matches(p + 1, end, c, &matches);
                return p && matches ? p : NULL;
        case '\\':
                if (++p == end)
                        return NULL;
                __attribute__((fallthrough));
        default:
                return (unsigned char)*p == c ? p + 1 : NULL;
        }
}

bool glob_matches(const char *pattern, size_t pattern_size, const char *name, size_t name_size)
{
        const char *p = pattern, *end = pattern + pattern_size, *star = NULL, *next;
        size_t i = 0, star_i = 0;

        /* Only the last star ever needs another try: what stands before it has matched the
         * shortest beginning, and a longer one leaves less for the rest. */
        while (i < name_size) {
                if (p < end && *p == '*') {
                        star = ++p;
                        star_i = i;
                        continue;
                }
                next = p < end ? item_matches(p, end, (unsigned char)name[i]) : NULL;
                if (next) {
                        p = next;
                        i++;
                } else if (star) {
                        p = star;
                        i = ++star_i;
                } else {
                        return false;
                }
        }
        while (p < end && *p == '*')
                p++;
        return p == end;
}

const char *glob_skip_bracket(const char *p, const char *end)
{
        bool ignored;

        return bracket_matches(p + 1, end, 0, &ignored);
}

const char *glob_check(const char *pattern, size_t pattern_size)
{
        const char *end = pattern + pattern_size;

        for (const char *p = pattern; p < end;) {
                if (*p == '\\') {
                        if (end - p < 2)
                                return "nothing follows the last backslash";
                        p += 2;
                } else if (*p == '[') {
                        p = glob_skip_bracket(p, end);
                        if (!p)
                                return "malformed bracket expression";
                } else {
                        p++;
                }
        }
        return NULL;
}
