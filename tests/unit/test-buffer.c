/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Buffers and arenas. */
#include "common.h"
#include "core/arena.h"

START_TEST(test_buffer_add_grows)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        for (uint32_t i = 0; i < 100000; i++)
                buffer_add(&buffer, &i, sizeof(i));
        ck_assert(!buffer.failed);
        ck_assert_uint_eq(buffer.size, 400000);
        for (uint32_t i = 0, value; i < 100000; i++) {
                memcpy(&value, buffer.data + i * sizeof(i), sizeof(value));
                ck_assert_uint_eq(value, i);
        }
}
END_TEST

START_TEST(test_buffer_add_nothing)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        buffer_add(&buffer, NULL, 0);
        buffer_add_string(&buffer, "");
        ck_assert_uint_eq(buffer.size, 0);
        ck_assert_str_eq(buffer_string(&buffer), "");
}
END_TEST

START_TEST(test_buffer_reserve_exact)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        ck_assert(buffer_reserve(&buffer, 1));
        ck_assert_uint_eq(buffer.capacity, 64);
        ck_assert(buffer_reserve(&buffer, 1000));
        ck_assert_uint_eq(buffer.capacity, 1000);
        buffer.size = 1000;
        ck_assert(buffer_reserve(&buffer, 1));
        ck_assert_uint_eq(buffer.capacity, 1500);
}
END_TEST

START_TEST(test_buffer_reserve_overflow)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        buffer_add_string(&buffer, "abc");
        ck_assert(!buffer_reserve(&buffer, SIZE_MAX - 1));
        ck_assert(buffer.failed);
        ck_assert_ptr_null(buffer_string(&buffer));
        ck_assert(!buffer_reserve(&buffer, 1000));
        buffer_free(&buffer);
        ck_assert(!buffer.failed);
}
END_TEST

/* "further calls do nothing" */
START_TEST(test_buffer_add_after_failure)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        buffer_add_string(&buffer, "abc");
        buffer_reserve(&buffer, SIZE_MAX - 1);
        buffer_printf(&buffer, "%s", "more");
        buffer_add_hex(&buffer, "x", 1);
        ck_assert(buffer.failed);
        ck_assert_ptr_null(buffer_string(&buffer));
}
END_TEST

START_TEST(test_buffer_printf)
{
        _cleanup_buffer_ struct buffer buffer = {0};
        char longer[5000];

        memset(longer, 'y', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        buffer_printf(&buffer, "%d-%s", 42, "x");
        ck_assert_str_eq(buffer_string(&buffer), "42-x");
        buffer_printf(&buffer, "%s", longer);
        ck_assert_uint_eq(buffer.size, 4 + sizeof(longer) - 1);
        ck_assert_str_eq(buffer_string(&buffer) + 4, longer);
}
END_TEST

START_TEST(test_buffer_add_u64)
{
        static const uint64_t values[] = {0, 1, 9, 10, 4294967296, INT64_MAX, UINT64_MAX};

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                _cleanup_buffer_ struct buffer buffer = {0};
                char expected[32];

                snprintf(expected, sizeof(expected), "%llu", (unsigned long long)values[i]);
                buffer_add_u64(&buffer, values[i]);
                ck_assert_str_eq(buffer_string(&buffer), expected);
        }
}
END_TEST

START_TEST(test_buffer_add_hex)
{
        _cleanup_buffer_ struct buffer buffer = {0};

        buffer_add_hex(&buffer, "\x00\x7f\x80\xff\x1a", 5);
        ck_assert_str_eq(buffer_string(&buffer), "007f80ff1a");
        buffer_add_hex(&buffer, NULL, 0);
        ck_assert_uint_eq(buffer.size, 10);
}
END_TEST

START_TEST(test_arena_alloc_aligned_and_apart)
{
        _cleanup_arena_ struct arena arena = {0};
        struct random random = {3};
        struct {
                char *data;
                size_t size;
        } pieces[2000];

        for (size_t i = 0; i < ELEMENTSOF(pieces); i++) {
                size_t size = random_below(&random, 50) ? random_below(&random, 300) :
                                                          random_below(&random, 300000);

                pieces[i].size = size;
                if (random_below(&random, 2)) {
                        pieces[i].data = arena_alloc(&arena, size);
                        ck_assert_uint_eq((uintptr_t)pieces[i].data % _Alignof(max_align_t), 0);
                        memset(pieces[i].data, (int)(i % 251), size);
                } else {
                        char *source = malloc(size + 1);

                        memset(source, (int)(i % 251), size + 1);
                        pieces[i].data = arena_copy(&arena, source, size);
                        free(source);
                }
                ck_assert(pieces[i].data || (!size && !i));
        }
        for (size_t i = 0; i < ELEMENTSOF(pieces); i++)
                for (size_t j = 0; j < pieces[i].size; j++)
                        ck_assert_int_eq((unsigned char)pieces[i].data[j], (int)(i % 251));
}
END_TEST

START_TEST(test_arena_alloc_overflow)
{
        _cleanup_arena_ struct arena arena = {0};

        ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX));
        ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 8));
        ck_assert_ptr_nonnull(arena_alloc(&arena, 8));
        ck_assert_ptr_null(arena_alloc(&arena, SIZE_MAX - 15));
        ck_assert_ptr_nonnull(arena_alloc(&arena, 8));
}
END_TEST

/* An empty directory has no names: nothing must be had from nothing. */
START_TEST(test_arena_copy_nothing)
{
        _cleanup_arena_ struct arena arena = {0};

        ck_assert_ptr_nonnull(arena_alloc(&arena, 1));
        ck_assert_ptr_nonnull(arena_copy(&arena, NULL, 0));
        ck_assert_ptr_nonnull(arena_alloc(&arena, 0));
}
END_TEST

START_TEST(test_arena_free_twice)
{
        struct arena arena = {0};

        arena_free(&arena);
        ck_assert_ptr_nonnull(arena_alloc(&arena, 10));
        arena_free(&arena);
        arena_free(&arena);
        ck_assert_ptr_nonnull(arena_alloc(&arena, 10));
        arena_free(&arena);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_buffer_add_grows,
                test_buffer_add_nothing,
                test_buffer_reserve_exact,
                test_buffer_reserve_overflow,
                test_buffer_add_after_failure,
                test_buffer_printf,
                test_buffer_add_u64,
                test_buffer_add_hex,
                test_arena_alloc_aligned_and_apart,
                test_arena_alloc_overflow,
                test_arena_copy_nothing,
                test_arena_free_twice,
        };

        return run_suite(SUITE_OF("buffer", tests));
}
