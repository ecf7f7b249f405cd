/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <pthread.h>
#include <sched.h>

#include "common.h"
#include "core/context.h"
#include "core/limits.h"

START_TEST(test_context_new)
{
        struct imgc_error *error = NULL;
        struct imgc_context *context = NULL;

        ck_assert_int_eq(imgc_context_new(&context, &error), 0);
        ck_assert_ptr_null(error);
        ck_assert_ptr_eq(imgc_context_ref(context), context);
        ck_assert_ptr_null(imgc_context_unref(context));
        ck_assert_ptr_null(imgc_context_unref(context));
        ck_assert_ptr_null(imgc_context_unref(NULL));
}
END_TEST

START_TEST(test_context_set_threads)
{
        struct imgc_context *context = new_context(0);
        cpu_set_t set;

        ck_assert_int_eq(sched_getaffinity(0, sizeof(set), &set), 0);
        ck_assert_uint_eq(context_get_threads(context),
                          MIN((unsigned)CPU_COUNT(&set), LIMIT_THREADS));
        imgc_context_set_threads(context, 3);
        ck_assert_uint_eq(context_get_threads(context), 3);
        imgc_context_set_threads(context, 256);
        ck_assert_uint_eq(context_get_threads(context), 256);
        imgc_context_set_threads(context, UINT32_MAX);
        ck_assert_uint_eq(context_get_threads(context), 256);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_context_get_threads_affinity)
{
        struct imgc_context *context = new_context(0);
        cpu_set_t set;

        CPU_ZERO(&set);
        CPU_SET((unsigned)sched_getcpu(), &set);
        ck_assert_int_eq(sched_setaffinity(0, sizeof(set), &set), 0);
        ck_assert_uint_eq(context_get_threads(context), 1);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_context_cancel)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1), *other = new_context(1);
        struct imgc_tree *tree = (struct imgc_tree *)(uintptr_t)1;
        struct imgc_error *error = NULL;
        int r;

        scratch_open(&scratch);
        make_text(&scratch, "f", "x");
        imgc_context_cancel(context);
        /* Until it is taken back, and in this context only. */
        for (int i = 0; i < 2; i++) {
                r = imgc_tree_read_at(context, scratch.fd, ".", NULL, &tree, &error);
                expect_error(&error, r, IMGC_ERROR_CANCELLED, ECANCELED);
                ck_assert_ptr_eq(tree, (void *)(uintptr_t)1);
        }
        ck_assert_int_eq(imgc_tree_read_at(context, scratch.fd, ".", NULL, &tree, NULL),
                         -ECANCELED);
        imgc_tree_unref(read_tree(other, &scratch, ".", NULL));
        imgc_context_reset_cancel(context);
        imgc_tree_unref(read_tree(context, &scratch, ".", NULL));
        imgc_context_unref(context);
        imgc_context_unref(other);
}
END_TEST

START_TEST(test_context_cancel_diff)
{
        struct imgc_context *context = new_context(1);
        struct imgc_tree *tree = parse_tree(context,
                                            "#mtree imagecache=1 digest=xxh128 fields=type\n"
                                            ". type=dir\n");
        struct imgc_diff *diff = (struct imgc_diff *)(uintptr_t)1;
        struct imgc_error *error = NULL;
        int r;

        imgc_context_cancel(context);
        r = imgc_diff_trees(context, tree, tree, &diff, &error);
        expect_error(&error, r, IMGC_ERROR_CANCELLED, ECANCELED);
        ck_assert_ptr_eq(diff, (void *)(uintptr_t)1);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ progress */

struct told {
        pthread_t thread;
        unsigned calls, stop_at;
        uint64_t entries, bytes;
};

static int count_progress(void *userdata, const struct imgc_progress *progress)
{
        struct told *told = userdata;

        ck_assert(pthread_equal(pthread_self(), told->thread));
        ck_assert_uint_ge(progress->size, sizeof(*progress));
        ck_assert_str_eq(progress->operation, "read");
        ck_assert_uint_ge(progress->entries, told->entries);
        ck_assert_uint_ge(progress->bytes, told->bytes);
        told->entries = progress->entries;
        told->bytes = progress->bytes;
        return ++told->calls == told->stop_at;
}

/* A file that takes long to read and no room: a hole. */
static void make_hole(const struct scratch *scratch, const char *path, off_t size)
{
        int fd = openat(scratch->fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, size), 0);
        close(fd);
}

static void expect_progress_cancels(const struct scratch *scratch, const char *path,
                                    uint32_t threads)
{
        struct told told = {.thread = pthread_self(), .stop_at = 2};
        struct imgc_context *context = new_context(threads);
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        int r;

        imgc_context_set_progress(context, count_progress, &told);
        r = imgc_tree_read_at(context, scratch->fd, path, NULL, &tree, &error);
        expect_error(&error, r, IMGC_ERROR_CANCELLED, ECANCELED);
        ck_assert_ptr_null(tree);
        ck_assert_uint_eq(told.calls, 2);
        ck_assert_uint_ge(told.entries, 1);
        /* That call only. */
        imgc_tree_unref(read_tree(context, scratch, "small", NULL));
        imgc_context_unref(context);
}

START_TEST(test_context_progress_cancels)
{
        _cleanup_scratch_ struct scratch scratch;

        scratch_open(&scratch);
        make_text(&scratch, "small", "x");
        make_directory(&scratch, "d", 0755);
        make_hole(&scratch, "d/hole", (off_t)1 << 40);
        make_hole(&scratch, "d/other", (off_t)1 << 40);
        expect_progress_cancels(&scratch, "d", 1);
        expect_progress_cancels(&scratch, "d", 4);
        expect_progress_cancels(&scratch, "d/hole", 1);
}
END_TEST

START_TEST(test_context_progress_tells_bytes)
{
        _cleanup_scratch_ struct scratch scratch;
        struct told told = {.thread = pthread_self()};
        struct imgc_context *context = new_context(1);

        scratch_open(&scratch);
        make_hole(&scratch, "hole", (off_t)6 << 30);
        imgc_context_set_progress(context, count_progress, &told);
        imgc_tree_unref(read_tree(context, &scratch, ".", NULL));
        ck_assert_uint_ge(told.calls, 1);
        ck_assert_uint_eq(told.entries, 2);
        ck_assert_uint_gt(told.bytes, 0);
        ck_assert_uint_le(told.bytes, (uint64_t)6 << 30);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ log */

struct log {
        unsigned lines;
        char last[1024];
        int inside;
};

static void gather_log(void *userdata, enum imgc_log_level level, const char *message)
{
        struct log *log = userdata;

        ck_assert_int_eq(log->inside++, 0);
        ck_assert_int_eq(level, IMGC_LOG_DEBUG);
        log->lines++;
        snprintf(log->last, sizeof(log->last), "%s", message);
        sched_yield();
        log->inside--;
}

static void *log_much(void *userdata)
{
        for (int i = 0; i < 1000; i++)
                context_log(userdata, "line %d", i);
        return NULL;
}

START_TEST(test_context_log)
{
        struct imgc_context *context = new_context(1);
        struct log log = {0};
        pthread_t threads[4];
        char longer[2000];

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        context_log(context, "nobody hears %d", 1);
        imgc_context_set_log(context, gather_log, &log);
        context_log(context, "%s-%d", "a", 1);
        ck_assert_str_eq(log.last, "a-1");
        context_log(context, "%s", longer);
        ck_assert_uint_eq(strlen(log.last), 511);
        /* Never two at a time. */
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, context), 0);
        for (size_t i = 0; i < ELEMENTSOF(threads); i++)
                pthread_join(threads[i], NULL);
        ck_assert_uint_eq(log.lines, 4002);
        imgc_context_set_log(context, NULL, NULL);
        context_log(context, "silence");
        ck_assert_uint_eq(log.lines, 4002);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_context_version)
{
        unsigned major, minor, patch;
        char rest;

        ck_assert_int_eq(sscanf(imgc_version(), "%u.%u.%u%c", &major, &minor, &patch, &rest), 3);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_context_new,
                test_context_set_threads,
                test_context_get_threads_affinity,
                test_context_cancel,
                test_context_cancel_diff,
                test_context_progress_cancels,
                test_context_progress_tells_bytes,
                test_context_log,
                test_context_version,
        };

        return run_suite(SUITE_OF("context", tests));
}
