/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "tree/escape.h"

START_TEST(test_escape_is_plain)
{
        for (int c = 0; c < 256; c++)
                ck_assert_int_eq(escape_is_plain((unsigned char)c),
                                 c >= 0x21 && c <= 0x7e && !strchr("#=\\*?[", c));
}
END_TEST

START_TEST(test_escape_add_every_byte)
{
        for (int c = 1; c < 256; c++) {
                _cleanup_buffer_ struct buffer escaped = {0}, decoded = {0};
                char byte = (char)c, expected[8];

                if (escape_is_plain((unsigned char)c))
                        snprintf(expected, sizeof(expected), "%c", byte);
                else
                        snprintf(expected, sizeof(expected), "\\%03o", (unsigned)c);
                escape_add(&escaped, &byte, 1);
                ck_assert_str_eq(buffer_string(&escaped), expected);
                escape_decode(&decoded, escaped.data, escaped.size);
                ck_assert_uint_eq(decoded.size, 1);
                ck_assert_int_eq(decoded.data[0], byte);
        }
}
END_TEST

START_TEST(test_escape_add_all_at_once)
{
        _cleanup_buffer_ struct buffer escaped = {0}, decoded = {0};
        char bytes[255];

        for (int c = 1; c < 256; c++)
                bytes[c - 1] = (char)c;
        escape_add(&escaped, bytes, sizeof(bytes));
        escape_decode(&decoded, escaped.data, escaped.size);
        ck_assert_uint_eq(decoded.size, sizeof(bytes));
        ck_assert(!memcmp(decoded.data, bytes, sizeof(bytes)));
}
END_TEST

/* Only the one spelling of a byte that escape_add() writes. */
START_TEST(test_escape_next_refuses)
{
        static const char *const cases[] = {
                " ",     "\t",    "\n",    "#",    "=",    "*",     "?",       "[",     "\x7f",
                "\x80",  "\xff",  "\\",    "\\0",  "\\04", "\\000", "\\141",   "\\057", "\\400",
                "\\048", "\\08x", "\\x20", "\\\\", "\\n",  "\\777", "\\\\134", "\\ 40", "\\4 0",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *p = cases[i];

                ck_assert_msg(escape_next(&p, p + strlen(p)) == -1, "%s", cases[i]);
        }
}
END_TEST

START_TEST(test_escape_next_all_escapes)
{
        for (unsigned i = 0; i < 512; i++) {
                char text[8];
                const char *p = text;
                bool is_canonical = i && i < 256 && !escape_is_plain((unsigned char)i);

                snprintf(text, sizeof(text), "\\%03o", i);
                ck_assert_int_eq(escape_next(&p, text + 4), is_canonical ? (int)i : -1);
                ck_assert(!is_canonical || p == text + 4);
        }
}
END_TEST

/* Components one by one, by their bytes. */
static int compare_naively(const char *a, const char *b)
{
        for (;;) {
                size_t n = strcspn(a, "/"), m = strcspn(b, "/");
                int order = memcmp(a, b, n < m ? n : m);

                if (order)
                        return order < 0 ? -1 : 1;
                if (n != m)
                        return n < m ? -1 : 1;
                a += n;
                b += m;
                if (!*a || !*b)
                        return !*b - !*a;
                a++;
                b++;
        }
}

static void random_path(struct random *random, char *ret)
{
        static const char bytes[] = "ab-.+!/ /#\\\x01\x02\x09\x7f\x80\xa4\xa5\xff[0123~";
        size_t n = 1 + random_below(random, 8);
        size_t i = 0;

        while (i < n) {
                char c = bytes[random_below(random, sizeof(bytes) - 1)];

                if (c == '/' && (!i || i + 1 == n || ret[i - 1] == '/'))
                        continue;
                ret[i++] = c;
        }
        ret[n] = '\0';
}

START_TEST(test_escape_compare_paths_random)
{
        struct random random = {4};
        unsigned n_equal = 0, n_changed = 0;

        for (int i = 0; i < 300000; i++) {
                static struct buffer x, y;
                char a[16], b[16];
                int expected, got;

                random_path(&random, a);
                random_path(&random, b);
                /* Often much is the same. */
                if (random_below(&random, 2)) {
                        size_t keep = random_below(&random, (uint32_t)strlen(a) + 1);

                        if (keep < strlen(b) && (!keep || a[keep - 1] != '/' || b[keep] != '/'))
                                memcpy(b, a, keep);
                        if (strstr(b, "//"))
                                continue;
                }
                x.size = y.size = 0;
                escape_add(&x, a, strlen(a));
                escape_add(&y, b, strlen(b));
                expected = compare_naively(a, b);
                got = escape_compare_paths(x.data, x.size, y.data, y.size);
                ck_assert_msg((got > 0) - (got < 0) == expected, "%.*s and %.*s: %d, not %d",
                              (int)x.size, x.data, (int)y.size, y.data, got, expected);
                got = escape_compare_paths(y.data, y.size, x.data, x.size);
                ck_assert_int_eq((got > 0) - (got < 0), -expected);
                n_equal += !expected;
                n_changed += expected && strncmp(a, b, 3) == 0;
        }
        ck_assert_uint_gt(n_equal, 100);
        ck_assert_uint_gt(n_changed, 1000);
}
END_TEST

START_TEST(test_escape_compare_paths_order)
{
        static const char *const sorted[] = {
                ".",       "./\\001",   "./\\040",  "./!",     "./\\134", "./a",  "./a/b",
                "./a/b/c", "./a/\\377", "./a\\001", "./a-b",   "./a.b",   "./a0", "./aa",
                "./b",     "./~",       "./\\177",  "./\\200", "./\\377",
        };

        for (size_t i = 0; i < ELEMENTSOF(sorted); i++)
                for (size_t j = 0; j < ELEMENTSOF(sorted); j++) {
                        int got = escape_compare_paths(sorted[i], strlen(sorted[i]), sorted[j],
                                                       strlen(sorted[j]));

                        ck_assert_msg((got > 0) - (got < 0) == (i > j) - (i < j), "%s and %s",
                                      sorted[i], sorted[j]);
                }
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_escape_is_plain,
                test_escape_add_every_byte,
                test_escape_add_all_at_once,
                test_escape_next_refuses,
                test_escape_next_all_escapes,
                test_escape_compare_paths_random,
                test_escape_compare_paths_order,
        };

        return run_suite(SUITE_OF("escape", tests));
}
