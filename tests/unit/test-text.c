/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "core/text.h"

static void expect_visible(const char *s, size_t size, const char *expected)
{
        _cleanup_buffer_ struct buffer out = {0};

        text_add_visible(&out, s, size);
        ck_assert_str_eq(buffer_string(&out), expected);
}

START_TEST(test_text_utf8_sequence_valid)
{
        static const struct {
                const char *s;
                size_t size;
                uint32_t code;
        } cases[] = {
                {"\0", 1, 0},
                {"a", 1, 'a'},
                {"\x7f", 1, 0x7f},
                {"\xc2\x80", 2, 0x80},
                {"\xdf\xbf", 2, 0x7ff},
                {"\xe0\xa0\x80", 3, 0x800},
                {"\xed\x9f\xbf", 3, 0xd7ff},
                {"\xee\x80\x80", 3, 0xe000},
                {"\xef\xbf\xbf", 3, 0xffff},
                {"\xf0\x90\x80\x80", 4, 0x10000},
                {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint32_t code = 1;

                ck_assert_uint_eq(utf8_sequence(cases[i].s, cases[i].size, &code), cases[i].size);
                ck_assert_uint_eq(code, cases[i].code);
                ck_assert(utf8_is_valid(cases[i].s, cases[i].size));
                /* One byte less is none. */
                ck_assert_uint_eq(utf8_sequence(cases[i].s, cases[i].size - 1, &code), 0);
        }
        ck_assert(utf8_is_valid("", 0));
}
END_TEST

START_TEST(test_text_utf8_sequence_invalid)
{
        static const char *const cases[] = {
                "\x80",
                "\xbf",
                "\xc0\x80",
                "\xc1\xbf",
                "\xe0\x80\x80",
                "\xe0\x9f\xbf",
                "\xed\xa0\x80",
                "\xed\xbf\xbf",
                "\xf0\x80\x80\x80",
                "\xf0\x8f\xbf\xbf",
                "\xf5\x80\x80",
                "\xff",
                "\xf4\x90\x80\x80",
                "\xc2"
                "a",
                "\xe2\x82"
                "a",
                "\xc2\xc2\x80",
                "\xfe",
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                uint32_t code;

                ck_assert_msg(!utf8_sequence(cases[i], strlen(cases[i]), &code), "case %zu", i);
                ck_assert(!utf8_is_valid(cases[i], strlen(cases[i])));
        }
}
END_TEST

/* Every code point is encoded here as RFC 3629 says, and must come back. */
START_TEST(test_text_utf8_sequence_all)
{
        for (uint32_t c = 0; c <= 0x10ffff; c++) {
                char s[4];
                size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
                static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
                uint32_t code = 0;
                bool surrogate = c >= 0xd800 && c < 0xe000;

                for (size_t i = n, rest = c; i-- > 0; rest >>= 6)
                        s[i] = (char)(i ? 0x80 | (rest & 0x3f) : lead[n] | rest);
                ck_assert_uint_eq(utf8_sequence(s, n, &code), surrogate ? 0 : n);
                ck_assert(surrogate || code == c);
        }
}
END_TEST

START_TEST(test_text_add_base64_vectors)
{
        /* RFC 4648, section 10. */
        static const char *const cases[][2] = {
                {"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"},
                {"\xfb\xff\xbf", "+/+/"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ struct buffer out = {0};

                text_add_base64(&out, cases[i][0], strlen(cases[i][0]));
                ck_assert_str_eq(buffer_string(&out), cases[i][1]);
                ck_assert(base64_is_canonical(out.data, out.size));
        }
}
END_TEST

START_TEST(test_text_base64_is_canonical_random)
{
        struct random random = {1};

        for (int i = 0; i < 20000; i++) {
                _cleanup_buffer_ struct buffer out = {0};
                unsigned char bytes[16];
                size_t n = random_below(&random, sizeof(bytes));

                for (size_t j = 0; j < n; j++)
                        bytes[j] = (unsigned char)random_u64(&random);
                text_add_base64(&out, bytes, n);
                ck_assert(base64_is_canonical(out.data, out.size));
                ck_assert_uint_eq(out.size, (n + 2) / 3 * 4);
        }
}
END_TEST

/* Of all texts of four of these characters exactly those are canonical that some one, two or
 * three bytes are written as. */
START_TEST(test_text_base64_is_canonical_exactly)
{
        static const char characters[] = "AQgwBz/=+-";
        const size_t n = sizeof(characters) - 1;
        size_t accepted = 0;

        for (size_t i = 0; i < n * n * n * n; i++) {
                char s[5] = {characters[i % n], characters[i / n % n], characters[i / n / n % n],
                             characters[i / n / n / n], '\0'};
                static const char digits[] =
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
                size_t length = strcspn(s, "=");
                bool expected = length >= 2 && strspn(s + length, "=") == 4 - length;
                uint32_t value = 0;

                for (size_t j = 0; j < length && expected; j++) {
                        const char *digit = strchr(digits, s[j]);

                        expected = digit != NULL;
                        value = value << 6 | (uint32_t)(digit ? digit - digits : 0);
                }
                expected = expected && !(length == 3 && value & 3) && !(length == 2 && value & 15);
                ck_assert_msg(base64_is_canonical(s, 4) == expected, "%s", s);
                accepted += expected;
        }
        ck_assert_uint_gt(accepted, 100);
        ck_assert(base64_is_canonical("", 0));
        for (size_t size = 1; size < 8; size++)
                ck_assert(size == 4 || !base64_is_canonical("AAAAAAAA", size));
        ck_assert(!base64_is_canonical("AA==AAAA", 8));
}
END_TEST

START_TEST(test_text_add_json)
{
        static const struct {
                const char *s;
                size_t size;
                const char *expected;
        } cases[] = {
                {"", 0, "\"\""},
                {"plain", 5, "\"plain\""},
                {"\"\\/", 3, "\"\\\"\\\\/\""},
                {"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
                {"\0\x01\x0b\x1f\x7f", 5, "\"\\u0000\\u0001\\u000b\\u001f\x7f\""},
                {"\xc3\xa4", 2, "\"\xc3\xa4\""},
                {"a\nb", 3, "\"a\\nb\""},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ struct buffer out = {0};

                text_add_json(&out, cases[i].s, cases[i].size);
                ck_assert_str_eq(buffer_string(&out), cases[i].expected);
        }
}
END_TEST

START_TEST(test_text_add_json_bytes)
{
        static const char *const cases[][2] = {
                {NULL, "null"},
                {"", "\"\""},
                {"\xc3\xa4", "\"\xc3\xa4\""},
                {"\xff", "{\"base64\":\"/w==\"}"},
                {"ok\xc3", "{\"base64\":\"b2vD\"}"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ struct buffer out = {0};

                text_add_json_bytes(&out, cases[i][0]);
                ck_assert_str_eq(buffer_string(&out), cases[i][1]);
        }
}
END_TEST

static int fail_to_write(void *userdata, const void *data, size_t data_bytes)
{
        (void)userdata;
        (void)data;
        (void)data_bytes;
        return -EPIPE;
}

START_TEST(test_text_write_json_string)
{
        _cleanup_buffer_ struct buffer out = {0};

        ck_assert_int_eq(imgc_write_json_string("a\"b", write_to_buffer, &out), 0);
        ck_assert_int_eq(imgc_write_json_string(NULL, write_to_buffer, &out), 0);
        ck_assert_int_eq(imgc_write_json_string("\x80", write_to_buffer, &out), 0);
        ck_assert_str_eq(buffer_string(&out), "\"a\\\"b\"null{\"base64\":\"gA==\"}");
        ck_assert_int_eq(imgc_write_json_string("a", fail_to_write, NULL), -EPIPE);
}
END_TEST

START_TEST(test_text_add_visible_plain)
{
        expect_visible("", 0, "");
        expect_visible("a b~", 4, "a b~");
        expect_visible("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
                       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
        expect_visible("a\\b", 3, "a\\\\b");
        expect_visible("a\nb\tc", 5, "a\\nb\\tc");
}
END_TEST

START_TEST(test_text_add_visible_controls)
{
        expect_visible("\0", 1, "\\000");
        expect_visible("\x1b[31m", 5, "\\033[31m");
        expect_visible("\r", 1, "\\015");
        expect_visible("\x7f", 1, "\\177");
        expect_visible("\xc2\x9b", 2, "\\302\\233");                   /* CSI of C1 */
        expect_visible("\xe2\x80\xae", 3, "\\342\\200\\256");          /* right-to-left override */
        expect_visible("\xe2\x81\xa6", 3, "\\342\\201\\246");          /* left-to-right isolate */
        expect_visible("\xd8\x9c", 2, "\\330\\234");                   /* Arabic letter mark */
        expect_visible("\xe2\x80\x8b", 3, "\\342\\200\\213");          /* zero-width space */
        expect_visible("\xe2\x80\xa8", 3, "\\342\\200\\250");          /* line separator */
        expect_visible("\xef\xbb\xbf", 3, "\\357\\273\\277");          /* byte order mark */
        expect_visible("\xc2\xad", 2, "\\302\\255");                   /* soft hyphen */
        expect_visible("\xf3\xa0\x81\x81", 4, "\\363\\240\\201\\201"); /* a tag */
}
END_TEST

START_TEST(test_text_add_visible_invalid)
{
        expect_visible("\xff\xfe", 2, "\\377\\376");
        expect_visible("\xe2\x82", 2, "\\342\\202");
        expect_visible("\xed\xa0\x80", 3, "\\355\\240\\200");
        expect_visible("a\x80z", 3, "a\\200z");
}
END_TEST

/* Whatever the bytes: the text is valid UTF-8 without controls, and tells them apart. */
START_TEST(test_text_add_visible_random)
{
        struct random random = {2};

        for (int i = 0; i < 20000; i++) {
                _cleanup_buffer_ struct buffer out = {0}, back = {0};
                char bytes[24];
                size_t n = random_below(&random, sizeof(bytes));

                for (size_t j = 0; j < n; j++) {
                        static const char often[] = "\\\n\t\xe2\x80\xae\x07"
                                                    "0a";

                        bytes[j] = random_below(&random, 2) ?
                                           often[random_below(&random, sizeof(often) - 1)] :
                                           (char)random_u64(&random);
                }
                text_add_visible(&out, bytes, n);
                ck_assert(utf8_is_valid(out.data, out.size));
                for (size_t j = 0; j < out.size; j++) {
                        char c = out.data[j];

                        ck_assert((unsigned char)c >= 0x20 && c != 0x7f);
                        if (c != '\\') {
                                buffer_add_char(&back, c);
                        } else if (out.data[j + 1] >= '0' && out.data[j + 1] <= '3') {
                                buffer_add_char(
                                        &back,
                                        (char)strtoul((char[4]){out.data[j + 1], out.data[j + 2],
                                                                out.data[j + 3], '\0'},
                                                      NULL, 8));
                                j += 3;
                        } else {
                                c = out.data[++j];
                                buffer_add_char(&back, (char)(c == 'n' ? '\n' :
                                                              c == 't' ? '\t' :
                                                                         c));
                        }
                }
                ck_assert_uint_eq(back.size, n);
                ck_assert(!n || !memcmp(back.data, bytes, n));
        }
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_text_utf8_sequence_valid,
                test_text_utf8_sequence_invalid,
                test_text_utf8_sequence_all,
                test_text_add_base64_vectors,
                test_text_base64_is_canonical_random,
                test_text_base64_is_canonical_exactly,
                test_text_add_json,
                test_text_add_json_bytes,
                test_text_write_json_string,
                test_text_add_visible_plain,
                test_text_add_visible_controls,
                test_text_add_visible_invalid,
                test_text_add_visible_random,
        };

        return run_suite(SUITE_OF("text", tests));
}
