/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The strict reader of JSON and its canonical spelling. */
#include <json-c/json.h>

#include "common.h"
#include "core/text.h"
#include "manifest/json.h"

static int parse(struct arena *arena, const char *text, size_t size, struct json **ret,
                 struct json_fault *fault)
{
        /* In memory of its own, so that a byte too far is seen. */
        char *copy = malloc(size ? size : 1);
        int r;

        memcpy(copy, text, size);
        r = json_parse(arena, copy, size, ret, fault);
        free(copy);
        return r;
}

static void check_canonical(const char *text, const char *expected)
{
        _cleanup_arena_ struct arena arena = {0};
        _cleanup_buffer_ struct buffer out = {0}, again = {0};
        struct json_fault fault;
        struct json *json;

        ck_assert_msg(parse(&arena, text, strlen(text), &json, &fault) == 0, "%s: %s", text,
                      fault.reason ? fault.reason : "");
        json_add(&out, json);
        ck_assert_str_eq(buffer_string(&out), expected);
        ck_assert_int_eq(parse(&arena, out.data, out.size, &json, &fault), 0);
        json_add(&again, json);
        ck_assert_str_eq(buffer_string(&again), expected);
}

START_TEST(test_json_add_canonical)
{
        check_canonical("null", "null");
        check_canonical(" [ true , false,null ]\n", "[true,false,null]");
        check_canonical("{}", "{}");
        check_canonical("[]", "[]");
        check_canonical("{\"b\":1,\"a\":{\"d\":[],\"c\":{}}}",
                        "{\"a\":{\"c\":{},\"d\":[]},\"b\":1}");
        check_canonical("9007199254740991", "9007199254740991");
        check_canonical("-9007199254740991", "-9007199254740991");
        check_canonical("[0,-1,10]", "[0,-1,10]");
        check_canonical("\"\\u0041\\/\\u00e9\\n\\u001f\\u007f\"", "\"A/\xc3\xa9\\n\\u001f\x7f\"");
        check_canonical("\"\\\"\\\\\\b\\f\\r\\t\"", "\"\\\"\\\\\\b\\f\\r\\t\"");
        check_canonical("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
        check_canonical("\"a\\u0000b\"", "\"a\\u0000b\"");
}
END_TEST

/* RFC 8785, section 3.2.3: by UTF-16 code units, where U+FB33 sorts behind a surrogate pair. */
START_TEST(test_json_add_member_order)
{
        check_canonical(
                "{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,"
                "\"\\u00f6\":7}",
                "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,"
                "\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
        check_canonical("{\"ab\":1,\"a\":2,\"\":3,\"b\":4}", "{\"\":3,\"a\":2,\"ab\":1,\"b\":4}");
}
END_TEST

START_TEST(test_json_parse_many_members)
{
        _cleanup_arena_ struct arena arena = {0};
        _cleanup_buffer_ struct buffer text = {0}, out = {0};
        struct json_fault fault;
        struct json *json;

        buffer_add_char(&text, '{');
        for (unsigned i = 0; i < 20000; i++)
                buffer_printf(&text, "%s\"k%05u\":%u", i ? "," : "", i * 7919 % 20000, i);
        buffer_add_char(&text, '}');
        ck_assert_int_eq(parse(&arena, text.data, text.size, &json, &fault), 0);
        ck_assert_uint_eq(json->n, 20000);
        json_add(&out, json);
        ck_assert_uint_eq(out.size, text.size);
        for (const struct json *member = json->first; member->next; member = member->next)
                ck_assert_int_lt(strcmp(member->name, member->next->name), 0);
}
END_TEST

static const struct {
        const char *text;
        size_t size; /* 0: strlen */
        size_t line, column;
        const char *reason;
} bad[] = {
        {"", 0, 1, 1, "the text ends too early"},
        {" \n ", 0, 2, 2, "the text ends too early"},
        {"nul", 0, 1, 1, "unexpected character"},
        {"nullx", 0, 1, 5, "something follows the value"},
        {"[1]\n[2]", 0, 2, 1, "something follows the value"},
        {"[1,]", 0, 1, 4, "unexpected character"},
        {"[1 2]", 0, 1, 4, "expected ',' or ']'"},
        {"{\"a\":1,}", 0, 1, 8, "expected a member's name"},
        {"{\"a\" 1}", 0, 1, 6, "expected ':'"},
        {"{\"a\":1 \"b\":2}", 0, 1, 8, "expected ',' or '}'"},
        {"{a:1}", 0, 1, 2, "expected a member's name"},
        {"{\"a\":1,\n\"b\":2,\n \"a\":3}", 0, 3, 2, "a member stands twice"},
        {"{\"a\":1,\"\\u0061\":3}", 0, 1, 8, "a member stands twice"},
        {"{\"k\\u0000x\":1}", 0, 1, 2, "NUL in a member's name"},
        {"NaN", 0, 1, 1, "unexpected character"},
        {"Infinity", 0, 1, 1, "unexpected character"},
        {"1.0", 0, 1, 1, "number that is not written as an integer"},
        {"1e3", 0, 1, 1, "number that is not written as an integer"},
        {"1E400", 0, 1, 1, "number that is not written as an integer"},
        {"-0", 0, 1, 1, "negative zero"},
        {"-", 0, 1, 1, "unexpected character"},
        {"+1", 0, 1, 1, "unexpected character"},
        {"01", 0, 1, 1, "number with a leading zero"},
        {"9007199254740992", 0, 1, 1, "number beyond 2^53-1"},
        {"-9007199254740992", 0, 1, 1, "number beyond 2^53-1"},
        {"123456789012345678901234567890", 0, 1, 1, "number beyond 2^53-1"},
        {"\"abc", 0, 1, 5, "the text ends within a string"},
        {"\"abc\\", 0, 1, 6, "the text ends within a string"},
        {"\"a\nb\"", 0, 1, 3, "control character in a string"},
        {"\"a\0b\"", 5, 1, 3, "control character in a string"},
        {"\"\x01\"", 0, 1, 2, "control character in a string"},
        {"\"\\x41\"", 0, 1, 3, "invalid string sequence"},
        {"\"\\u12g4\"", 0, 1, 6, "invalid string sequence"},
        {"\"\\u12", 0, 1, 6, "the text ends within a string"},
        {"\"\\ud800\"", 0, 1, 2, "half of a surrogate pair"},
        {"\"\\udc00\"", 0, 1, 2, "half of a surrogate pair"},
        {"\"\\ud800\\u0041\"", 0, 1, 2, "half of a surrogate pair"},
        {"\"\xff\"", 0, 1, 2, "byte that is not UTF-8"},
        {"\"\xed\xa0\x80\"", 0, 1, 2, "byte that is not UTF-8"},
        {"\"\xc0\x80\"", 0, 1, 2, "byte that is not UTF-8"},
        {"\xef\xbb\xbf{}", 0, 1, 1, "unexpected character"},
        {"{}\0", 3, 1, 3, "something follows the value"},
        {"/* */ 1", 0, 1, 1, "unexpected character"},
        {"'a'", 0, 1, 1, "unexpected character"},
};

START_TEST(test_json_parse_refusals)
{
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                _cleanup_arena_ struct arena arena = {0};
                size_t size = bad[i].size ? bad[i].size : strlen(bad[i].text), line, column;
                struct json_fault fault;
                struct json *json;

                ck_assert_msg(parse(&arena, bad[i].text, size, &json, &fault) == -EBADMSG, "%s",
                              bad[i].text);
                ck_assert_str_eq(fault.reason, bad[i].reason);
                json_place(bad[i].text, fault.offset, &line, &column);
                ck_assert_msg(line == bad[i].line && column == bad[i].column, "%s: %zu:%zu",
                              bad[i].text, line, column);
        }
}
END_TEST

START_TEST(test_json_parse_depth)
{
        _cleanup_arena_ struct arena arena = {0};
        static char text[2 * 100000];
        struct json_fault fault;
        struct json *json;

        memset(text, '[', sizeof(text) / 2);
        memset(text + sizeof(text) / 2, ']', sizeof(text) / 2);
        ck_assert_int_eq(json_parse(&arena, text, sizeof(text), &json, &fault), -EBADMSG);
        ck_assert_str_eq(fault.reason, "nested too deeply");
        ck_assert_int_eq(json_parse(&arena, text + sizeof(text) / 2 - 32, 64, &json, &fault), 0);
        ck_assert_int_eq(json_parse(&arena, text + sizeof(text) / 2 - 33, 66, &json, &fault),
                         -EBADMSG);
}
END_TEST

/* Whatever we take json-c takes as well, and means the same by it. */
START_TEST(test_json_parse_agrees_with_json_c)
{
        static const char alphabet[] = "{}[],:\"\\u0041d8fe19 -nulltruefalse\n";
        unsigned long state = 42;
        unsigned n_taken = 0;

        for (unsigned i = 0; i < 300000; i++) {
                static const char *const seeds[] = {
                        "{\"a\":[1,-2,true],\"b\":{\"c\":\"\\u00e9\\\\\"}}", "[null,\"x\",0,{}]",
                        "\"\\ud83d\\ude00\""};
                _cleanup_arena_ struct arena arena = {0};
                _cleanup_buffer_ struct buffer ours = {0}, theirs = {0};
                char text[64] = "";
                struct json_fault fault;
                struct json *json;
                struct json_object *other;

                strcpy(text, seeds[i % 3]);
                for (unsigned j = 0; j < i % 4; j++) {
                        state = state * 6364136223846793005ul + 1442695040888963407ul;
                        text[(state >> 33) % strlen(seeds[i % 3])] =
                                alphabet[(state >> 20) % (sizeof(alphabet) - 1)];
                }
                if (parse(&arena, text, strlen(text), &json, &fault) < 0)
                        continue;
                n_taken++;
                json_add(&ours, json);
                other = json_tokener_parse(text);
                ck_assert_msg(other || json->type == JSON_NULL, "%s", text);
                buffer_add_string(&theirs, json_object_to_json_string_ext(
                                                   other, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
                arena_free(&arena);
                ck_assert_int_eq(parse(&arena, theirs.data, theirs.size, &json, &fault), 0);
                theirs.size = 0;
                json_add(&theirs, json);
                ck_assert_str_eq(buffer_string(&ours), buffer_string(&theirs));
                json_object_put(other);
        }
        ck_assert_uint_gt(n_taken, 1000);
}
END_TEST

START_TEST(test_json_get_bytes)
{
        static const struct {
                const char *text;
                int r;
                const char *bytes;
        } cases[] = {
                {"\"abc\"", 0, "abc"},
                {"{\"base64\":\"/w==\"}", 0, "\xff"},
                {"{\"base64\":\"/wA=\"}", 0, "\xff"}, /* with NUL: the size tells */
                {"{\"base64\":\"YWI=\"}", 0, "ab"},
                {"{\"base64\":\"/w\"}", -EINVAL, NULL},
                {"{\"base64\":\"/x==\"}", -EINVAL, NULL},
                {"{\"base64\":1}", -EINVAL, NULL},
                {"{\"base64\":\"\",\"a\":1}", -EINVAL, NULL},
                {"{\"base65\":\"\"}", -EINVAL, NULL},
                {"[]", -EINVAL, NULL},
                {"1", -EINVAL, NULL},
        };
        _cleanup_arena_ struct arena arena = {0};

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                struct json_fault fault;
                const char *bytes;
                struct json *json;
                size_t size;

                ck_assert_int_eq(parse(&arena, cases[i].text, strlen(cases[i].text), &json, &fault),
                                 0);
                ck_assert_int_eq(json_get_bytes(&arena, json, &bytes, &size), cases[i].r);
                if (!cases[i].r)
                        ck_assert_str_eq(bytes, cases[i].bytes);
        }
}
END_TEST

START_TEST(test_json_add_bytes_round_trip)
{
        _cleanup_arena_ struct arena arena = {0};
        char bytes[300];

        for (size_t n = 0; n < sizeof(bytes); n++) {
                _cleanup_buffer_ struct buffer out = {0};
                struct json_fault fault;
                const char *back;
                struct json *json;
                size_t size;

                bytes[n] = (char)(n * 37 + 1);
                json_add_bytes(&out, bytes, n);
                ck_assert_int_eq(parse(&arena, out.data, out.size, &json, &fault), 0);
                ck_assert_int_eq(json_get_bytes(&arena, json, &back, &size), 0);
                ck_assert_uint_eq(size, n);
                ck_assert_int_eq(memcmp(back, bytes, n), 0);
        }
}
END_TEST

START_TEST(test_json_add_without)
{
        _cleanup_arena_ struct arena arena = {0};
        _cleanup_buffer_ struct buffer out = {0};
        const char *text = "{\"a\":1,\"info\":{\"info\":2},\"z\":{\"info\":3}}";
        struct json_fault fault;
        struct json *json;

        ck_assert_int_eq(parse(&arena, text, strlen(text), &json, &fault), 0);
        json_add_without(&out, json, "info");
        ck_assert_str_eq(buffer_string(&out), "{\"a\":1,\"z\":{\"info\":3}}");
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_json_add_canonical,      test_json_add_member_order,
                test_json_parse_many_members, test_json_parse_refusals,
                test_json_parse_depth,        test_json_parse_agrees_with_json_c,
                test_json_get_bytes,          test_json_add_bytes_round_trip,
                test_json_add_without,
        };

        return run_suite(SUITE_OF("json", tests));
}
