/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>

#include "common.h"
#include "tree/acl.h"

struct ace {
        unsigned tag, permissions;
        uint32_t id;
};

/* As linux/posix_acl_xattr.h has them. */
enum {
        U = 1,
        USER = 2,
        G = 4,
        GROUP = 8,
        M = 16,
        O = 32
};
#define NOBODY UINT32_MAX

static size_t encode(const struct ace *entries, size_t n, unsigned char *ret)
{
        uint32_t version = htole32(2);

        memcpy(ret, &version, 4);
        for (size_t i = 0; i < n; i++) {
                uint16_t tag = htole16((uint16_t)entries[i].tag);
                uint16_t permissions = htole16((uint16_t)entries[i].permissions);
                uint32_t id = htole32(entries[i].id);

                memcpy(ret + 4 + i * 8, &tag, 2);
                memcpy(ret + 6 + i * 8, &permissions, 2);
                memcpy(ret + 8 + i * 8, &id, 4);
        }
        return 4 + n * 8;
}

static void expect_text(const struct ace *entries, size_t n, bool is_default, const char *expected)
{
        _cleanup_buffer_ struct buffer text = {0};
        unsigned char bytes[512];
        size_t size = encode(entries, n, bytes);

        ck_assert_int_eq(acl_format(&text, bytes, size, is_default), 0);
        ck_assert_str_eq(buffer_string(&text), expected);
        if (text.size)
                ck_assert_ptr_null(acl_check(text.data, text.size, is_default));
}

static int format_bytes(const void *bytes, size_t size)
{
        _cleanup_buffer_ struct buffer text = {0};
        int r = acl_format(&text, bytes, size, false);

        ck_assert(r == 0 || !text.size);
        return r;
}

static int format_result(const struct ace *entries, size_t n)
{
        unsigned char bytes[512];

        return format_bytes(bytes, encode(entries, n, bytes));
}

START_TEST(test_acl_format_order)
{
        const struct ace entries[] = {
                {O, 0, NOBODY}, {GROUP, 5, 7}, {M, 6, NOBODY}, {USER, 7, 1000},
                {G, 4, NOBODY}, {USER, 1, 9},  {U, 7, NOBODY}, {GROUP, 2, 4294967294},
        };

        expect_text(entries, ELEMENTSOF(entries), false,
                    "u::rwx,u:9:--x,u:1000:rwx,g::r--,g:7:r-x,g:4294967294:-w-,m::rw-,o::---");
}
END_TEST

START_TEST(test_acl_format_minimal)
{
        const struct ace minimal[] = {{U, 7, NOBODY}, {G, 5, NOBODY}, {O, 4, NOBODY}};
        const struct ace masked[] = {
                {U, 7, NOBODY}, {G, 5, NOBODY}, {M, 5, NOBODY}, {O, 4, NOBODY}};

        expect_text(minimal, 3, false, "");
        expect_text(minimal, 3, true, "u::rwx,g::r-x,o::r--");
        expect_text(masked, 4, false, "u::rwx,g::r-x,m::r-x,o::r--");
}
END_TEST

START_TEST(test_acl_format_malformed)
{
        const struct ace no_other[] = {{U, 7, 0}, {G, 5, 0}};
        const struct ace no_mask[] = {{U, 7, 0}, {USER, 7, 5}, {G, 5, 0}, {O, 4, 0}};
        const struct ace doubled[] = {{U, 7, 0}, {U, 7, 0}, {G, 5, 0}, {O, 4, 0}};
        const struct ace same_user[] = {{U, 7, 0}, {USER, 7, 5}, {USER, 6, 5},
                                        {G, 5, 0}, {M, 7, 0},    {O, 4, 0}};
        const struct ace bad_permission[] = {{U, 8, 0}, {G, 5, 0}, {O, 4, 0}};
        const struct ace bad_tag[] = {{U, 7, 0}, {G, 5, 0}, {O, 4, 0}, {64, 0, 0}};
        const struct ace two_tags[] = {{U | G | O, 7, 0}};
        const struct ace no_tag[] = {{U, 7, 0}, {G, 5, 0}, {O, 4, 0}, {0, 7, 0}};
        unsigned char bytes[64];
        size_t size = encode(bad_tag, 3, bytes);

        ck_assert_int_eq(format_result(no_other, ELEMENTSOF(no_other)), -EINVAL);
        ck_assert_int_eq(format_result(no_mask, ELEMENTSOF(no_mask)), -EINVAL);
        ck_assert_int_eq(format_result(doubled, ELEMENTSOF(doubled)), -EINVAL);
        ck_assert_int_eq(format_result(same_user, ELEMENTSOF(same_user)), -EINVAL);
        ck_assert_int_eq(format_result(bad_permission, ELEMENTSOF(bad_permission)), -EINVAL);
        ck_assert_int_eq(format_result(bad_tag, ELEMENTSOF(bad_tag)), -EINVAL);
        ck_assert_int_eq(format_result(two_tags, ELEMENTSOF(two_tags)), -EINVAL);
        ck_assert_int_eq(format_result(no_tag, ELEMENTSOF(no_tag)), -EINVAL);
        ck_assert_int_eq(format_result(NULL, 0), -EINVAL);
        for (size_t i = 0; i < size; i++)
                ck_assert_int_eq(format_bytes(bytes, i), -EINVAL);
        bytes[0] = 1; /* another version */
        ck_assert_int_eq(format_bytes(bytes, size), -EINVAL);
}
END_TEST

START_TEST(test_acl_format_unmapped)
{
        const struct ace user[] = {{U, 7, 0}, {USER, 7, NOBODY}, {G, 5, 0}, {M, 7, 0}, {O, 4, 0}};
        const struct ace group[] = {{U, 7, 0}, {G, 5, 0}, {GROUP, 7, NOBODY}, {M, 7, 0}, {O, 4, 0}};

        ck_assert_int_eq(format_result(user, ELEMENTSOF(user)), -EOVERFLOW);
        ck_assert_int_eq(format_result(group, ELEMENTSOF(group)), -EOVERFLOW);
}
END_TEST

/* ------------------------------------------------------------------ what is written is what is accepted */

static size_t random_acl(struct random *random, struct ace *ret)
{
        size_t n = 0, n_users = random_below(random, 4), n_groups = random_below(random, 4);

        ret[n++] = (struct ace){U, random_below(random, 8), NOBODY};
        ret[n++] = (struct ace){G, random_below(random, 8), NOBODY};
        ret[n++] = (struct ace){O, random_below(random, 8), NOBODY};
        for (size_t i = 0; i < n_users; i++)
                ret[n++] = (struct ace){USER, random_below(random, 8),
                                        (uint32_t)(i * 1000 + random_below(random, 1000))};
        for (size_t i = 0; i < n_groups; i++)
                ret[n++] =
                        (struct ace){GROUP, random_below(random, 8), UINT32_MAX - 1 - (uint32_t)i};
        if (n > 3 || random_below(random, 2))
                ret[n++] = (struct ace){M, random_below(random, 8), NOBODY};
        for (size_t i = n; i-- > 1;) {
                size_t j = random_below(random, (uint32_t)i + 1);
                struct ace swap = ret[i];

                ret[i] = ret[j];
                ret[j] = swap;
        }
        return n;
}

START_TEST(test_acl_check_accepts_what_format_writes)
{
        struct random random = {8};

        for (int i = 0; i < 50000; i++) {
                _cleanup_buffer_ struct buffer text = {0};
                bool is_default = random_below(&random, 2);
                unsigned char bytes[256];
                struct ace entries[16];
                size_t n = random_acl(&random, entries), size = encode(entries, n, bytes);

                ck_assert_int_eq(acl_format(&text, bytes, size, is_default), 0);
                if (n == 3 && !is_default)
                        ck_assert_uint_eq(text.size, 0);
                else
                        ck_assert_ptr_null(acl_check(text.data, text.size, is_default));
        }
}
END_TEST

/* Reads a text into entries with nothing but sscanf, and without any rule. */
static size_t parse_loosely(const char *text, struct ace *ret)
{
        size_t n = 0;

        for (const char *p = text; p && n < 24; p = strchr(p, ','), p = p ? p + 1 : NULL) {
                struct ace *e = &ret[n++];
                const char *colon = strrchr(p, ':'), *end = strchrnul(p, ',');
                bool named = p[0] && p[1] && p[2] != ':';

                while (colon > end)
                        colon = memrchr(p, ':', (size_t)(colon - p));
                *e = (struct ace){*p == 'u' ? (named ? USER : U) :
                                  *p == 'g' ? (named ? GROUP : G) :
                                  *p == 'm' ? M :
                                              O,
                                  0, NOBODY};
                if (named)
                        e->id = (uint32_t)strtoul(p + 2, NULL, 10);
                if (colon)
                        e->permissions =
                                (colon[1] == 'r') * 4u + (colon[2] == 'w') * 2u + (colon[3] == 'x');
        }
        return n;
}

/* Whatever is accepted must be the very text that its entries are written as. */
START_TEST(test_acl_check_accepts_nothing_else)
{
        struct random random = {9};
        unsigned n_accepted = 0, n_refused = 0;

        for (int i = 0; i < 300000; i++) {
                _cleanup_buffer_ struct buffer text = {0}, back = {0};
                bool is_default = random_below(&random, 2);
                unsigned char bytes[256];
                struct ace entries[24];
                size_t n = random_acl(&random, entries), size = encode(entries, n, bytes);

                ck_assert_int_eq(acl_format(&text, bytes, size, true), 0);
                for (unsigned j = random_below(&random, 3); j > 0; j--) {
                        static const char characters[] = "ugmo:rwx-,0123456789 \\";
                        size_t at = random_below(&random, (uint32_t)text.size);

                        if (random_below(&random, 3)) {
                                text.data[at] =
                                        characters[random_below(&random, sizeof(characters) - 1)];
                        } else {
                                memmove(text.data + at, text.data + at + 1, text.size - at - 1);
                                text.size--;
                        }
                }
                buffer_string(&text);
                if (acl_check(text.data, text.size, is_default)) {
                        n_refused++;
                        continue;
                }
                n_accepted++;
                n = parse_loosely(text.data, entries);
                size = encode(entries, n, bytes);
                ck_assert_msg(!acl_format(&back, bytes, size, is_default), "%s", text.data);
                ck_assert_str_eq(buffer_string(&back), text.data);
        }
        ck_assert_uint_gt(n_accepted, 10000);
        ck_assert_uint_gt(n_refused, 10000);
}
END_TEST

START_TEST(test_acl_check_refuses)
{
        static const char *const cases[] = {
                "",
                ",",
                "u::rwx,g::r-x,o::r--",
                "u::rwx,g::r-x,m::r-x,o::r--,",
                ",u::rwx,g::r-x,m::r-x,o::r--",
                "u::rwx,g::r-x,o::r--,m::r-x",
                "u::rwx,u:5:rwx,g::r-x,o::r--",
                "u::rwx,u:05:rwx,g::r-x,m::rwx,o::r--",
                "u::rwx,u:4294967295:rwx,g::r-x,m::rwx,o::r--",
                "u::rwx,u:42949672960:rwx,g::r-x,m::rwx,o::r--",
                "u::rwx,u:-1:rwx,g::r-x,m::rwx,o::r--",
                "u::rwx,u:5:rwx,u:5:rwx,g::r-x,m::rwx,o::r--",
                "u::rwx,g::r-x,m:5:rwx,o::r--",
                "u::rwx,g::r-x,m::wrx,o::r--",
                "u::rwx,g::r-x,m::rw,o::r--",
                "u::rwx,g::r-x,m::rwxx,o::r--",
                "user::rwx,group::r-x,mask::r-x,other::r--",
                "u::rwx,g::r-x,m::r-x,o::r",
                "u::rwx,g::r-x,m::r-x,o:",
                "u::rwx,g::r-x,m::r-x,o",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(acl_check(cases[i], strlen(cases[i]), false) != NULL, "%s", cases[i]);
        ck_assert_ptr_null(acl_check("u::rwx,g::r-x,o::r--", 20, true));
}
END_TEST

/* Bytes that no kernel hands out: refused, or read as something that is a true ACL. */
START_TEST(test_acl_format_random_bytes)
{
        struct random random = {10};
        unsigned n_read = 0;

        for (int i = 0; i < 300000; i++) {
                _cleanup_buffer_ struct buffer text = {0};
                static const unsigned tags[] = {U, USER, G,        GROUP, M,    O,  U,     G,
                                                O, 0,    U | USER, G | O, 0x3f, 64, 0xffff};
                unsigned char bytes[256];
                struct ace entries[8];
                size_t n = random_below(&random, ELEMENTSOF(entries)), size;

                for (size_t j = 0; j < n; j++)
                        entries[j] = (struct ace){tags[random_below(&random, ELEMENTSOF(tags))],
                                                  random_below(&random, 20) ?
                                                          random_below(&random, 8) :
                                                          random_below(&random, 65536),
                                                  random_below(&random, 3)};
                size = encode(entries, n, bytes);
                if (acl_format(&text, bytes, size, true) < 0)
                        continue;
                n_read++;
                ck_assert_msg(!acl_check(text.data, text.size, true), "%.*s", (int)text.size,
                              text.data);
        }
        ck_assert_uint_gt(n_read, 100);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_acl_format_order,
                test_acl_format_minimal,
                test_acl_format_malformed,
                test_acl_format_unmapped,
                test_acl_check_accepts_what_format_writes,
                test_acl_check_accepts_nothing_else,
                test_acl_check_refuses,
                test_acl_format_random_bytes,
        };

        return run_suite(SUITE_OF("acl", tests));
}
