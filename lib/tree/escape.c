/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/escape.h"

void escape_add(struct buffer *buffer, const char *s, size_t size)
{
        size_t start = 0;

        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)s[i];

                if (escape_is_plain(c))
                        continue;
                buffer_add(buffer, s + start, i - start);
                start = i + 1;
                buffer_add_char(buffer, '\\');
                buffer_add_char(buffer, (char)('0' + (c >> 6)));
                buffer_add_char(buffer, (char)('0' + (c >> 3 & 7)));
                buffer_add_char(buffer, (char)('0' + (c & 7)));
        }
        buffer_add(buffer, s + start, size - start);
}

int escape_next(const char **p, const char *end)
{
        const char *s = *p;
        int c;

        if (*s != '\\') {
                *p = s + 1;
                return escape_is_plain((unsigned char)*s) ? (unsigned char)*s : -1;
        }
        if (end - s < 4 || s[1] < '0' || s[1] > '3' || s[2] < '0' || s[2] > '7' || s[3] < '0' ||
            s[3] > '7')
                return -1;
        c = (s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0');
        if (!c || escape_is_plain((unsigned char)c))
                return -1;
        *p = s + 4;
        return c;
}

void escape_decode(struct buffer *buffer, const char *s, size_t size)
{
        const char *end = s + size;

        while (s < end)
                buffer_add_char(buffer, (char)escape_next(&s, end));
}

/* How many bytes of the beginning are equal on both sides, in whole escapes. */
static size_t equal_beginning(const char *a, size_t a_size, const char *b, size_t b_size)
{
        size_t same = 0, shorter = MIN(a_size, b_size);

        while (same < shorter && a[same] == b[same])
                same++;
        /* A difference within an escape: both have its backslash, at most three bytes back. */
        for (size_t back = 1; back <= 3 && back <= same; back++)
                if (a[same - back] == '\\')
                        return same - back;
        return same;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size, int separator)
{
        const char *a_end = a + a_size, *b_end = b + b_size;
        size_t same = equal_beginning(a, a_size, b, b_size);

        a += same;
        b += same;
        while (a < a_end && b < b_end) {
                int x = escape_next(&a, a_end), y = escape_next(&b, b_end);

                if (x == y)
                        continue;
                if (x == separator || y == separator)
                        return x == separator ? -1 : 1;
                return x < y ? -1 : 1;
        }
        return (a < a_end) - (b < b_end);
}

int escape_compare_names(const char *a, size_t a_size, const char *b, size_t b_size)
{
        return compare(a, a_size, b, b_size, 0); /* no name has a NUL */
}

int escape_compare_paths(const char *a, size_t a_size, const char *b, size_t b_size)
{
        return compare(a, a_size, b, b_size, '/');
}
