/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns: tables of what gitignore(5) says, and random ones against a matcher that tries
 * everything. */
#include <ctype.h>
#include <time.h>

#include "common.h"
#include "core/limits.h"
#include "tree/exclude.h"

static bool glob(const char *pattern, const char *name)
{
        return glob_matches(pattern, strlen(pattern), name, strlen(name));
}

START_TEST(test_exclude_glob_matches_table)
{
        static const struct {
                const char *pattern, *name;
                bool matches;
        } cases[] = {
                {"", "", true},
                {"", "a", false},
                {"a", "a", true},
                {"a", "b", false},
                {"a", "", false},
                {"a", "aa", false},
                {"*", "", true},
                {"*", "anything", true},
                {"a*", "a", true},
                {"a*", "abc", true},
                {"*a", "a", true},
                {"*a", "ba", true},
                {"*a", "ab", false},
                {"*a*", "xay", true},
                {"*a*b*", "xaybz", true},
                {"*a*b*", "xbya", false},
                {"**", "abc", true},
                {"a**b", "axxb", true},
                {"?", "a", true},
                {"?", "", false},
                {"?", "ab", false},
                {"?", "\xff", true},
                {"??", "\xc3\xa4", true},
                {"*.so", "a.so", true},
                {"*.so", ".so", true},
                {"*.so", "a.so.1", false},
                {"\\*", "*", true},
                {"\\*", "a", false},
                {"\\a", "a", true},
                {"\\\\", "\\", true},
                {"[abc]", "b", true},
                {"[abc]", "d", false},
                {"[a-c]", "b", true},
                {"[a-c]", "d", false},
                {"[!a-c]", "d", true},
                {"[^a-c]", "b", false},
                {"[!a]", "", false},
                {"[]]", "]", true},
                {"[]a]", "a", true},
                {"[!]]", "]", false},
                {"[!]]", "a", true},
                {"[a-]", "-", true},
                {"[-a]", "-", true},
                {"[-a]", "a", true},
                {"[a\\]]", "]", true},
                {"[\\]]", "]", true},
                {"[a\\-z]", "-", true},
                {"[a\\-z]", "c", false},
                {"[!-]", "-", false},
                {"[c-a]", "b", false},
                {"[[:digit:]]", "5", true},
                {"[[:digit:]]", "a", false},
                {"[[:alpha:]_]", "_", true},
                {"[![:space:]]", " ", false},
                {"[[:upper:][:digit:]]", "A", true},
                {"[[:xdigit:]]", "f", true},
                {"[[:punct:]]", "!", true},
                {"[[:cntrl:]]", "\x7f", true},
                {"[[:blank:]]", "\t", true},
                {"[[:print:]]", " ", true},
                {"[[:graph:]]", " ", false},
                {"[[:alnum:]]", "\xe4", false},
                {"[[:x]", ":", true},
                {"[[:x]", "[", true},
                {"[[:x]", "x", true},
                {"[[:x]", "y", false},
                {"[\x80-\xff]", "\xe4", true},
                {"[a-c]*[0-9]", "bxx7", true},
                {"[*]", "*", true},
                {"[*]", "a", false},
                {"[?]", "a", false},
                {"a[b]c", "abc", true},
                {"*[0-9].log", "x1.log", true},
                {"a*a*a*a", "aaa", false},
                {"a*a*a*a", "aaaa", true},
                {"A", "a", false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                ck_assert_ptr_null(glob_check(cases[i].pattern, strlen(cases[i].pattern)));
                ck_assert_msg(glob(cases[i].pattern, cases[i].name) == cases[i].matches, "%s on %s",
                              cases[i].pattern, cases[i].name);
        }
}
END_TEST

START_TEST(test_exclude_glob_check_refuses)
{
        static const char *const cases[] = {
                "[",          "[a",  "[]",         "[!",   "[!]", "a[b",
                "\\",         "a\\", "[\\",        "[a\\", "[a-", "[a-\\",
                "[[:nope:]]", "[[:", "[[:alpha:]", "[[:]", "*[",  "[[:digit:",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                bool is_set = !strcmp(cases[i], "[[:]"); /* the characters '[' and ':' */

                ck_assert_msg(!glob_check(cases[i], strlen(cases[i])) == is_set, "%s", cases[i]);
        }
}
END_TEST

/* ------------------------------------------------------------------ patterns on paths */

static bool matches(const char *const *patterns, const char *path, bool is_directory)
{
        struct exclude *exclude = NULL;
        struct imgc_error *error = NULL;
        bool result;
        int r = exclude_new(patterns, &exclude, &error);

        ck_assert_msg(r == 0, "%s: %s", patterns[0], error ? imgc_error_get_message(error) : "");
        result = exclude && exclude_matches(exclude, path, is_directory);
        exclude_free(exclude);
        return result;
}

START_TEST(test_exclude_matches_one_pattern)
{
        static const struct {
                const char *pattern, *path;
                bool is_directory, matches;
        } cases[] = {
                /* No slash: the name, at any depth. */
                {"a", "a", false, true},
                {"a", "x/y/a", false, true},
                {"a", "a/x", false, false},
                {"*.o", "x/y.o", false, true},
                /* A slash in the beginning or the middle: the path. */
                {"/a", "a", false, true},
                {"/a", "x/a", false, false},
                {"x/a", "x/a", false, true},
                {"x/a", "y/x/a", false, false},
                {"x/*", "x/a", false, true},
                {"x/*", "x/a/b", false, false},
                {"*/a", "x/a", false, true},
                {"*/a", "a", false, false},
                /* A slash at the end: directories. */
                {"a/", "a", true, true},
                {"a/", "a", false, false},
                {"a/", "x/a", true, true},
                {"x/a/", "x/a", true, true},
                {"x/a/", "y/x/a", true, false},
                {"*/", "x", true, true},
                /* Two stars. */
                {"**", "x/y", false, true},
                {"**/a", "a", false, true},
                {"**/a", "x/y/a", false, true},
                {"**/x/a", "y/x/a", false, true},
                {"**/x/a", "x/a", false, true},
                {"a/**", "a", true, false},
                {"a/**", "a/b", false, true},
                {"a/**", "a/b/c", false, true},
                {"a/**", "x/a/b", false, false},
                {"a/**/b", "a/b", false, true},
                {"a/**/b", "a/x/b", false, true},
                {"a/**/b", "a/x/y/b", false, true},
                {"a/**/b", "a/x", false, false},
                {"a/**/b/**/c", "a/1/b/2/3/c", false, true},
                {"a/**/b/**/c", "a/1/2/3/c", false, false},
                {"a**/b", "axx/b", false, true},
                {"a**/b", "a/x/b", false, false},
                {"**/", "x/y", true, true},
                {"**/a/**", "x/a/y", false, true},
                {"**/a/**", "a", true, false},
                /* Nothing. */
                {"", "a", false, false},
                {"#a", "#a", false, false},
                {"#", "#", false, false},
                {"/", "a", true, false},
                {"!", "!", false, false},
                {"   ", "   ", false, false},
                /* Quoted. */
                {"\\#a", "#a", false, true},
                {"\\!a", "!a", false, true},
                {"a\\ ", "a ", false, true},
                {"a ", "a", false, true},
                {"a\\  ", "a ", false, true},
                {" a", " a", false, true},
                {"a\t", "a\t", false, true},
                {"a\\/b", "a/b", false, true},
                {"a\\\\/", "a\\", true, true},
                {"a\\\\/", "a\\", false, false},
                {"a\\\\/b", "a\\/b", false, true},
                /* A slash within brackets matches none, and splits nothing. */
                {"x[/]a", "x/a", false, false},
                {"[[:x]/b", "x/b", false, true},
                {"[[:x]/b", ":/b", false, true},
                {"[a-[:x]/b", "x/b", false, true},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *patterns[] = {cases[i].pattern, NULL};

                ck_assert_msg(matches(patterns, cases[i].path, cases[i].is_directory) ==
                                      cases[i].matches,
                              "'%s' on '%s'", cases[i].pattern, cases[i].path);
        }
}
END_TEST

START_TEST(test_exclude_matches_last_decides)
{
        const char *patterns[] = {"*.o", "!keep.o", "/x/keep.o", NULL};

        ck_assert(matches(patterns, "a.o", false));
        ck_assert(!matches(patterns, "keep.o", false));
        ck_assert(!matches(patterns, "y/keep.o", false));
        ck_assert(matches(patterns, "x/keep.o", false));
        ck_assert(!matches(patterns, "a.c", false));
}
END_TEST

START_TEST(test_exclude_new_none)
{
        const char *const none[] = {NULL};
        struct exclude *exclude = (struct exclude *)(uintptr_t)1;

        ck_assert_int_eq(exclude_new(NULL, &exclude, NULL), 0);
        ck_assert_ptr_null(exclude);
        exclude = (struct exclude *)(uintptr_t)1;
        ck_assert_int_eq(exclude_new(none, &exclude, NULL), 0);
        ck_assert_ptr_null(exclude);
        ck_assert_ptr_null(exclude_free(NULL));
}
END_TEST

START_TEST(test_exclude_new_refuses)
{
        static const char *const cases[] = {"a[",  "x/[a", "a\\", "x/[[:nope:]]/y",
                                            "!a[", "[a",   "[!",  "[a/b"};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                const char *patterns[] = {"fine", cases[i], NULL};
                struct exclude *exclude = (struct exclude *)(uintptr_t)1;
                struct imgc_error *error = NULL;
                int r = exclude_new(patterns, &exclude, &error);

                ck_assert_msg(r < 0, "%s", cases[i]);
                ck_assert_ptr_nonnull(strstr(imgc_error_get_message(error), "exclude pattern"));
                ck_assert(!expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL));
                ck_assert_ptr_eq(exclude, (void *)(uintptr_t)1);
                ck_assert_int_eq(exclude_new(patterns, &exclude, NULL), -EINVAL);
        }
}
END_TEST

START_TEST(test_exclude_new_limits)
{
        static const char *many[LIMIT_EXCLUDE_PATTERNS + 2];
        static char longest[LIMIT_EXCLUDE_BYTES + 2];
        const char *one[] = {longest, NULL};
        struct exclude *exclude = NULL;
        struct imgc_error *error = NULL;

        for (size_t i = 0; i < LIMIT_EXCLUDE_PATTERNS; i++)
                many[i] = "x";
        ck_assert_int_eq(exclude_new(many, &exclude, NULL), 0);
        exclude = exclude_free(exclude);
        many[LIMIT_EXCLUDE_PATTERNS] = "x";
        expect_error(&error, exclude_new(many, &exclude, &error), IMGC_ERROR_LIMIT, E2BIG);
        memset(longest, 'x', LIMIT_EXCLUDE_BYTES);
        ck_assert_int_eq(exclude_new(one, &exclude, NULL), 0);
        exclude = exclude_free(exclude);
        longest[LIMIT_EXCLUDE_BYTES] = 'x';
        expect_error(&error, exclude_new(one, &exclude, &error), IMGC_ERROR_LIMIT, E2BIG);
}
END_TEST

/* ------------------------------------------------------------------ the matcher that tries everything */

/* Reads a set at *p, behind its '['. False where it is malformed. */
static bool read_set(const char **p, bool set[256])
{
        static const struct {
                const char *name;
                int (*contains)(int);
        } classes[] = {
                {"[:alnum:]", isalnum}, {"[:alpha:]", isalpha}, {"[:blank:]", isblank},
                {"[:cntrl:]", iscntrl}, {"[:digit:]", isdigit}, {"[:graph:]", isgraph},
                {"[:lower:]", islower}, {"[:print:]", isprint}, {"[:punct:]", ispunct},
                {"[:space:]", isspace}, {"[:upper:]", isupper}, {"[:xdigit:]", isxdigit},
        };
        const char *s = *p;
        bool negated = *s == '!' || *s == '^';
        int before = -1;

        memset(set, 0, 256);
        s += negated;
        for (bool first = true; *s != ']' || first; first = false) {
                size_t class = 0;
                const char *close;

                if (!*s)
                        return false;
                close = s[0] == '[' && s[1] == ':' ? strchr(s + 2, ']') : NULL;
                if (s[0] == '[' && s[1] == ':' && !close)
                        return false;
                if (s[0] == '-' && before >= 0 && s[1] && s[1] != ']') {
                        if (*++s == '\\')
                                s++;
                        if (!*s)
                                return false;
                        for (int c = before; c <= (unsigned char)*s; c++)
                                set[c] = true;
                        before = -1;
                        s++;
                } else if (close && close > s + 2 && close[-1] == ':') {
                        while (class < ELEMENTSOF(classes) &&
                               (strlen(classes[class].name) != (size_t)(close + 1 - s) ||
                                strncmp(s, classes[class].name, strlen(classes[class].name)) != 0))
                                class ++;
                        if (class == ELEMENTSOF(classes))
                                return false;
                        for (int c = 0; c < 256; c++)
                                set[c] |= c < 128 && classes[class].contains(c);
                        before = -1;
                        s = close + 1;
                } else {
                        s += *s == '\\';
                        if (!*s)
                                return false;
                        before = (unsigned char)*s++;
                        set[before] = true;
                }
        }
        for (int c = 0; c < 256; c++)
                set[c] = set[c] != negated;
        *p = s + 1;
        return true;
}

/* The whole pattern on the whole path; start: nothing or a slash stands before it. */
static bool wild(const char *p, const char *path, bool start)
{
        size_t stars = strspn(p, "*");
        bool set[256];

        /* git takes more than two stars for two. */
        if (start && stars >= 2 &&
            (!p[stars] || p[stars] == '/' || (p[stars] == '\\' && p[stars + 1] == '/'))) {
                p += stars;
                if (!*p)
                        return *path;
                p += *p == '\\';
                /* None, or any number of components. */
                if (wild(p + 1, path, true))
                        return true;
                for (; *path; path++)
                        if (*path == '/' && wild(p, path, false))
                                return true;
                return false;
        }
        switch (*p) {
        case '\0':
                return !*path;
        case '*':
                do
                        if (wild(p + 1, path, false))
                                return true;
                while (*path && *path++ != '/');
                return false;
        case '?':
                return *path && *path != '/' && wild(p + 1, path + 1, false);
        case '[':
                p++;
                ck_assert(read_set(&p, set));
                return *path && *path != '/' && set[(unsigned char)*path] &&
                       wild(p, path + 1, false);
        case '\\':
                p++;
                __attribute__((fallthrough));
        default:
                return *p == *path && wild(p + 1, path + 1, *p == '/');
        }
}

static bool is_well_formed(const char *p)
{
        bool set[256];

        while (*p) {
                if (*p == '\\') {
                        if (!p[1])
                                return false;
                        p += 2;
                } else if (*p++ == '[' && !read_set(&p, set)) {
                        return false;
                }
        }
        return true;
}

static bool matches_naively(const char *source, const char *path, bool is_directory)
{
        char pattern[64];
        size_t n = strlen(source);
        const char *p = pattern;

        memcpy(pattern, source, n + 1);
        if (n && pattern[n - 1] == '/') {
                if (!is_directory)
                        return false;
                pattern[--n] = '\0';
        }
        if (!n)
                return false;
        if (!strchr(pattern, '/')) {
                path = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
                /* Without a slash nothing is a whole component. */
                if (*p && strspn(p, "*") == strlen(p))
                        return true;
                return wild(p, path, false);
        }
        p += *p == '/';
        return wild(p, path, true);
}

static void random_text(struct random *random, const char *alphabet, size_t max, char *ret)
{
        size_t n = random_below(random, (uint32_t)max);

        for (size_t i = 0; i < n; i++)
                ret[i] = alphabet[random_below(random, (uint32_t)strlen(alphabet))];
        ret[n] = '\0';
}

START_TEST(test_exclude_glob_matches_random)
{
        struct random random = {5};
        unsigned n_matches = 0, n_refused = 0;

        for (int i = 0; i < 300000; i++) {
                char pattern[16], name[8];

                random_text(&random, random_below(&random, 2) ? "ab*?" : "ab]-[*\\!:", 12, pattern);
                random_text(&random, "ab]-[:!", 7, name);
                if (!is_well_formed(pattern)) {
                        ck_assert_msg(glob_check(pattern, strlen(pattern)) != NULL, "%s", pattern);
                        n_refused++;
                        continue;
                }
                ck_assert_msg(!glob_check(pattern, strlen(pattern)), "%s", pattern);
                ck_assert_msg(glob(pattern, name) == wild(pattern, name, false), "'%s' on '%s'",
                              pattern, name);
                n_matches += glob(pattern, name);
        }
        ck_assert_uint_gt(n_matches, 10000);
        ck_assert_uint_gt(n_refused, 10000);
}
END_TEST

static void random_path(struct random *random, char *ret)
{
        do
                random_text(random, "ab/ab\\", 10, ret);
        while (!*ret || *ret == '/' || strstr(ret, "//") || ret[strlen(ret) - 1] == '/');
}

START_TEST(test_exclude_matches_random)
{
        struct random random = {6};
        unsigned n_matches = 0;

        for (int i = 0; i < 300000; i++) {
                static const char *const alphabets[] = {"ab*/", "a**/**/b", "ab[]/*\\-?",
                                                        "a/[:x]b-\\"};
                bool is_directory = random_below(&random, 2), refused;
                char pattern[20], path[12];
                const char *patterns[] = {pattern, NULL};
                struct exclude *exclude = NULL;
                size_t n, backslashes = 0;

                random_text(&random, alphabets[random_below(&random, ELEMENTSOF(alphabets))], 14,
                            pattern);
                random_path(&random, path);
                n = strlen(pattern);
                while (n > 1 + backslashes && pattern[n - 1] == '/' &&
                       pattern[n - 2 - backslashes] == '\\')
                        backslashes++;
                /* What a quoted slash at the end means is written nowhere. */
                if (backslashes % 2)
                        continue;
                refused = exclude_new(patterns, &exclude, NULL) < 0;
                ck_assert_msg(refused == !is_well_formed(pattern), "%s", pattern);
                if (refused)
                        continue;
                ck_assert_msg(exclude_matches(exclude, path, is_directory) ==
                                      matches_naively(pattern, path, is_directory),
                              "'%s' on '%s'", pattern, path);
                n_matches += exclude_matches(exclude, path, is_directory);
                exclude_free(exclude);
        }
        ck_assert_uint_gt(n_matches, 3000);
}
END_TEST

/* What makes other matchers try for years. */
START_TEST(test_exclude_matches_hard_patterns)
{
        static char path[4096], stars[4001], components[4001], classes[4001];
        const char *patterns[] = {stars, components, classes, NULL};
        struct timespec start, end;

        for (size_t i = 0; i < 2000; i++) {
                memcpy(stars + i * 2, "*a", 2);
                memcpy(classes + i * 2, "[:", 2);
        }
        for (size_t i = 0; i < 800; i++)
                memcpy(components + i * 5, "**/a/", 5);
        memcpy(components + 3994, "/b", 3);
        memcpy(classes, "[[", 2);
        memcpy(classes + 3998, "c]", 3);
        stars[3999] = 'b';
        for (size_t i = 0; i < 4000; i += 2)
                memcpy(path + i, "a/", 2);
        path[3999] = '\0';
        clock_gettime(CLOCK_MONOTONIC, &start);
        ck_assert(!matches(patterns, path, false));
        memset(path, 'a', 3999);
        ck_assert(!matches(patterns, path, false));
        clock_gettime(CLOCK_MONOTONIC, &end);
        ck_assert_int_lt(end.tv_sec - start.tv_sec, 20);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_exclude_glob_matches_table,
                test_exclude_glob_check_refuses,
                test_exclude_matches_one_pattern,
                test_exclude_matches_last_decides,
                test_exclude_new_none,
                test_exclude_new_refuses,
                test_exclude_new_limits,
                test_exclude_glob_matches_random,
                test_exclude_matches_random,
                test_exclude_matches_hard_patterns,
        };

        return run_suite(SUITE_OF("exclude", tests));
}
