/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "core/context.h"
#include "tree/digest.h"

static const enum imgc_digest_algorithm algorithms[] = {IMGC_DIGEST_XXH128, IMGC_DIGEST_SHA256};

/* Bytes that anybody can make again: 0, 1, … 250, 0, 1, … */
static char *make_bytes(size_t size)
{
        char *bytes = malloc(size + 1);

        for (size_t i = 0; i < size; i++)
                bytes[i] = (char)(i % 251);
        return bytes;
}

START_TEST(test_digest_hasher_vectors)
{
        static const struct {
                enum imgc_digest_algorithm algorithm;
                const char *text;
                size_t size; /* of make_bytes() where there is no text */
                const char *digest;
        } cases[] = {
                /* FIPS 180-4's examples. */
                {IMGC_DIGEST_SHA256, "", 0,
                 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
                {IMGC_DIGEST_SHA256, "abc", 3,
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                {IMGC_DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                 "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
                {IMGC_DIGEST_SHA256, NULL, 100000,
                 "cd2df694e424bc7968cc37f47751019e5ca0cd1bdf2e479ea537c3a1c32ee1aa"},
                /* By another implementation, in plain Python. */
                {IMGC_DIGEST_XXH128, "", 0, "99aa06d3014798d86001c324468d497f"},
                {IMGC_DIGEST_XXH128, "demo\n", 5, "eae6589110ab610531d45d7494da225d"},
                {IMGC_DIGEST_XXH128, "abc", 3, "06b05ab6733a618578af5f94892f3950"},
                {IMGC_DIGEST_XXH128, NULL, 1, "a6cd5e9392000f6ac44bdff4074eecdb"},
                {IMGC_DIGEST_XXH128, NULL, 4, "eb70bf5fc779e9e6a6111d53e80a3db5"},
                {IMGC_DIGEST_XXH128, NULL, 9, "16c769d83e4aebce907931979dca3746"},
                {IMGC_DIGEST_XXH128, NULL, 17, "685bc458b37d057fc06e233df7729217"},
                {IMGC_DIGEST_XXH128, NULL, 129, "dd5e74ac6b45f54ebc30b63382b09a3b"},
                {IMGC_DIGEST_XXH128, NULL, 241, "1da1cb61bcb8a2a102e8cd95421c6d02"},
                {IMGC_DIGEST_XXH128, NULL, 1025, "2882ebca04ec915ce95c42288f28186e"},
                {IMGC_DIGEST_XXH128, NULL, 100000, "54182c58bbb1337c42c23aeead96750d"},
        };
        struct imgc_context *context = new_context(1);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char *bytes = cases[i].text ? strdup(cases[i].text) : make_bytes(cases[i].size);
                unsigned char digest[DIGEST_BYTES_MAX];
                char hex[DIGEST_HEX_MAX];
                struct hasher *hasher = NULL;

                ck_assert_int_eq(hasher_new(context, cases[i].algorithm, &hasher), 0);
                ck_assert_int_eq(hasher_digest(hasher, bytes, cases[i].size, digest), 0);
                digest_format(digest, digest_bytes(cases[i].algorithm), hex);
                ck_assert_str_eq(hex, cases[i].digest);
                hasher_free(hasher);
                free(bytes);
        }
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_digest_hasher_streaming)
{
        struct imgc_context *context = new_context(1);
        struct random random = {11};
        char *bytes = make_bytes(600000);

        for (size_t a = 0; a < ELEMENTSOF(algorithms); a++) {
                struct hasher *hasher = NULL;

                ck_assert_int_eq(hasher_new(context, algorithms[a], &hasher), 0);
                for (size_t i = 0; i < 1200; i++) {
                        unsigned char whole[DIGEST_BYTES_MAX], parts[DIGEST_BYTES_MAX];
                        size_t size = i < 1100 ? i : random_below(&random, 600000), done = 0;

                        ck_assert_int_eq(hasher_digest(hasher, bytes, size, whole), 0);
                        ck_assert_int_eq(hasher_start(hasher), 0);
                        while (done < size) {
                                size_t n = 1 + random_below(&random, size < 2000 ? 64 : 100000);

                                n = MIN(n, size - done);
                                ck_assert_int_eq(hasher_update(hasher, bytes + done, n), 0);
                                done += n;
                        }
                        ck_assert_int_eq(hasher_finish(hasher, parts), 0);
                        ck_assert(!memcmp(whole, parts, digest_bytes(algorithms[a])));
                }
                hasher_free(hasher);
        }
        free(bytes);
        imgc_context_unref(context);
        ck_assert_ptr_null(hasher_free(NULL));
}
END_TEST

START_TEST(test_digest_algorithm_names)
{
        ck_assert_str_eq(imgc_digest_algorithm_get_name(IMGC_DIGEST_DEFAULT), "xxh128");
        ck_assert_str_eq(imgc_digest_algorithm_get_name(IMGC_DIGEST_XXH128), "xxh128");
        ck_assert_str_eq(imgc_digest_algorithm_get_name(IMGC_DIGEST_SHA256), "sha256");
        ck_assert_ptr_null(imgc_digest_algorithm_get_name((enum imgc_digest_algorithm)3));
        ck_assert_ptr_null(imgc_digest_algorithm_get_name((enum imgc_digest_algorithm) - 1));
        ck_assert_int_eq(imgc_digest_algorithm_from_name("xxh128"), IMGC_DIGEST_XXH128);
        ck_assert_int_eq(imgc_digest_algorithm_from_name("sha256"), IMGC_DIGEST_SHA256);
        ck_assert_int_eq(imgc_digest_algorithm_from_name("SHA256"), -EINVAL);
        ck_assert_int_eq(imgc_digest_algorithm_from_name(""), -EINVAL);
        ck_assert_uint_eq(digest_bytes(IMGC_DIGEST_XXH128), 16);
        ck_assert_uint_eq(digest_bytes(IMGC_DIGEST_SHA256), 32);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_digest_hasher_vectors,
                test_digest_hasher_streaming,
                test_digest_algorithm_names,
        };

        return run_suite(SUITE_OF("digest", tests));
}
