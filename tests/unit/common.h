/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the C tests share: a directory to write in, trees and listings in it, errors that are
 * expected, numbers that look random and are the same in every run.
 *
 * A test that finds something missing that it needs (root, extended attributes) says so with
 * SKIP(), and passes.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <imagecache/imagecache.h>

#include "core/buffer.h"
#include "core/macros.h"

/* Check's own writes to a pipe at each assertion; some tests have millions. */
_Noreturn void test_failed(const char *file, int line, const char *format, ...) _printf_(3, 4);
#undef ck_assert
#undef ck_assert_msg
#define ck_assert(expression) ck_assert_msg(expression, "%s", #expression)
#define ck_assert_msg(expression, ...) \
        ((expression) ? (void)0 : test_failed(__FILE__, __LINE__, __VA_ARGS__))

#define SKIP(...)                                          \
        do {                                               \
                fprintf(stderr, "skipped %s: ", __func__); \
                fprintf(stderr, __VA_ARGS__);              \
                fputc('\n', stderr);                       \
                return;                                    \
        } while (0)

/* Runs one suite; returns what main() returns. */
int run_suite(Suite *suite);
/* A suite with one case of these tests. */
Suite *suite_of(const char *name, const TTest *const *tests, size_t n_tests);
#define SUITE_OF(name, tests) suite_of(name, tests, ELEMENTSOF(tests))
/* Adds tests that take minutes under valgrind, tagged "deep" (CK_EXCLUDE_TAGS). */
void suite_add_deep(Suite *suite, const TTest *const *tests, size_t n_tests);

/* ------------------------------------------------------------------ a directory to write in */

struct scratch {
        char path[64];
        int fd;
};

void scratch_open(struct scratch *scratch);
/* Removes all that is below it, however deep. */
void scratch_close(struct scratch *scratch);
#define _cleanup_scratch_ _cleanup_(scratch_close)

/* Each of them stops the test where it fails. Paths are below the scratch directory. */
void make_directory(const struct scratch *scratch, const char *path, mode_t mode);
void make_file(const struct scratch *scratch, const char *path, const void *data, size_t size);
void make_text(const struct scratch *scratch, const char *path, const char *text);
void make_symlink(const struct scratch *scratch, const char *path, const char *target);
void make_hard_link(const struct scratch *scratch, const char *from, const char *to);
void make_fifo(const struct scratch *scratch, const char *path);
/* false: the file system has no such attributes, or only root may set them. Never follows. */
bool set_xattr(const struct scratch *scratch, const char *path, const char *name, const void *value,
               size_t size);
/* A chain of directories "d", `depth` of them, each with a file "z" beside the next one. */
void make_chain(const struct scratch *scratch, const char *path, unsigned depth);
/* A tree of `n_directories` with `n_files` each, of sizes up to some kilobytes, three deep. */
void make_wide_tree(const struct scratch *scratch, const char *path, unsigned n_directories,
                    unsigned n_files);

/* ------------------------------------------------------------------ the library */

struct imgc_context *new_context(uint32_t threads);

/* Reads a tree of the scratch directory, which must succeed. */
struct imgc_tree *read_tree(struct imgc_context *context, const struct scratch *scratch,
                            const char *path, const struct imgc_tree_options *options);
struct imgc_tree *parse_tree(struct imgc_context *context, const char *listing);

/* The error is there and says so; it is released. Returns whether it has a path. */
bool expect_error(struct imgc_error **error, int r, enum imgc_error_code code, int number);

/* A write callback that gathers in a struct buffer. */
int write_to_buffer(void *userdata, const void *data, size_t data_bytes);
/* The report, to be freed. */
char *report_of(struct imgc_diff *diff, uint32_t format, uint32_t flags, uint64_t limit);

/* ------------------------------------------------------------------ the process */

unsigned count_descriptors(void);
/* Whether this is the only thread. */
bool no_thread_left(void);

/* ------------------------------------------------------------------ numbers */

struct random {
        uint64_t state;
};

uint64_t random_u64(struct random *random);
/* 0 … below - 1 */
static inline uint32_t random_below(struct random *random, uint32_t below)
{
        return (uint32_t)(random_u64(random) % below);
}
