/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading in parallel, in depth, and until somebody stops it. */
#include <pthread.h>
#include <sys/resource.h>

#include "common.h"

static const uint32_t thread_counts[] = {1, 2, 8, 64};

static char *digest_with(const struct scratch *scratch, const char *path, uint32_t threads,
                         const char *fields)
{
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(threads);
        unsigned n_descriptors = count_descriptors();
        struct imgc_tree *tree;
        char *digest;

        options.fields = fields;
        tree = read_tree(context, scratch, path, &options);
        digest = strdup(imgc_tree_get_digest(tree));
        imgc_tree_unref(tree);
        imgc_context_unref(context);
        ck_assert_uint_eq(count_descriptors(), n_descriptors);
        ck_assert(no_thread_left());
        return digest;
}

static void expect_same_digest(const struct scratch *scratch, const char *path)
{
        char *expected = digest_with(scratch, path, 1, "exact");

        for (size_t i = 0; i < ELEMENTSOF(thread_counts); i++)
                for (int j = 0; j < 3; j++) {
                        char *digest = digest_with(scratch, path, thread_counts[i], "exact");

                        ck_assert_str_eq(digest, expected);
                        free(digest);
                }
        free(expected);
}

START_TEST(test_walk_threads_many_directories)
{
        _cleanup_scratch_ struct scratch scratch;

        scratch_open(&scratch);
        make_wide_tree(&scratch, "t", 200, 10);
        expect_same_digest(&scratch, "t");
}
END_TEST

START_TEST(test_walk_threads_large_directory)
{
        _cleanup_scratch_ struct scratch scratch;
        char name[32];

        scratch_open(&scratch);
        make_wide_tree(&scratch, "t", 1, 3000);
        for (unsigned i = 0; i < 1000; i++) {
                snprintf(name, sizeof(name), "t/d0/link%u", i);
                make_hard_link(&scratch, "t/d0/f7", name);
        }
        expect_same_digest(&scratch, "t");
}
END_TEST

START_TEST(test_walk_threads_big_files)
{
        _cleanup_scratch_ struct scratch scratch;
        char *data = calloc(1, 3 << 20), name[32];

        scratch_open(&scratch);
        for (unsigned i = 0; i < 8; i++) {
                snprintf(name, sizeof(name), "f%u", i);
                data[i] = 1;
                make_file(&scratch, name, data, (size_t)(3 << 20) - i);
        }
        free(data);
        expect_same_digest(&scratch, ".");
}
END_TEST

START_TEST(test_walk_empty_directories)
{
        _cleanup_scratch_ struct scratch scratch;
        char name[32];

        scratch_open(&scratch);
        make_directory(&scratch, "t", 0755);
        free(digest_with(&scratch, "t", 1, NULL));
        for (unsigned i = 0; i < 300; i++) {
                snprintf(name, sizeof(name), "t/%u", i);
                make_directory(&scratch, name, 0755);
        }
        expect_same_digest(&scratch, "t");
}
END_TEST

/* Content, in holes and between them, is what read(2) gives. */
START_TEST(test_walk_sparse_file)
{
        _cleanup_scratch_ struct scratch scratch;
        char *with_holes, *without;
        char *data = calloc(1, 5 << 20);
        int fd;

        scratch_open(&scratch);
        make_directory(&scratch, "a", 0755);
        make_directory(&scratch, "b", 0755);
        memset(data + (1 << 20), 'x', 100000);
        memset(data + (4 << 20), 'y', 5);
        make_file(&scratch, "a/f", data, 5 << 20);
        make_file(&scratch, "b/f", "", 0);
        fd = openat(scratch.fd, "b/f", O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(ftruncate(fd, 5 << 20), 0);
        ck_assert_int_eq(pwrite(fd, data + (1 << 20), 100000, 1 << 20), 100000);
        ck_assert_int_eq(pwrite(fd, data + (4 << 20), 5, 4 << 20), 5);
        close(fd);
        free(data);
        with_holes = digest_with(&scratch, "a", 1, "content");
        without = digest_with(&scratch, "b", 1, "content");
        ck_assert_str_eq(with_holes, without);
        free(with_holes);
        free(without);
}
END_TEST

/* ------------------------------------------------------------------ depth */

/* On the way up each directory has something left to read, and its descriptor was closed. */
START_TEST(test_walk_deep_few_descriptors)
{
        static const struct rlimit few = {64, 64};
        _cleanup_scratch_ struct scratch scratch;

        scratch_open(&scratch);
        make_chain(&scratch, "t", 2000);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
        for (uint32_t threads = 1; threads <= 8; threads *= 2) {
                char *digest = digest_with(&scratch, "t", threads, "image");

                free(digest);
        }
}
END_TEST

static int change_below(struct scratch *scratch)
{
        /* The deepest directory is reached long after this one was listed. */
        return renameat(scratch->fd, "t/d/z", scratch->fd, "t/d/y");
}

struct changer {
        struct scratch *scratch;
        bool done;
};

static int change_once(void *userdata, const struct imgc_progress *progress)
{
        struct changer *changer = userdata;

        (void)progress;
        if (!changer->done)
                change_below(changer->scratch);
        changer->done = true;
        return 0;
}

/* A directory that changes while what is below it is read. */
START_TEST(test_walk_changed_directory)
{
        _cleanup_scratch_ struct scratch scratch;
        struct changer changer = {.scratch = &scratch};
        struct imgc_context *context = new_context(1);
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        int fd, r;

        scratch_open(&scratch);
        make_chain(&scratch, "t", 3);
        /* Long enough for a call of the progress callback. */
        fd = openat(scratch.fd, "t/d/d/hole", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ck_assert_int_eq(ftruncate(fd, (off_t)6 << 30), 0);
        close(fd);
        imgc_context_set_progress(context, change_once, &changer);
        r = imgc_tree_read_at(context, scratch.fd, "t", NULL, &tree, &error);
        ck_assert(changer.done);
        ck_assert_ptr_nonnull(strstr(imgc_error_get_path(error), "t/d"));
        expect_error(&error, r, IMGC_ERROR_TREE_CHANGED, ESTALE);
        imgc_context_unref(context);
}
END_TEST

/* What is listed must be read back: one more level is refused by both. */
START_TEST(test_walk_depth_limit)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL, *back = NULL;
        const char *data;
        size_t size;
        int r;

        /* Tens of thousands of directories are made and removed faster where nothing is written. */
        if (!access("/dev/shm", W_OK))
                setenv("TMPDIR", "/dev/shm", 1);
        scratch_open(&scratch);
        make_chain(&scratch, "t", 16383);
        options.fields = "type";
        tree = read_tree(context, &scratch, "t", &options);
        data = imgc_tree_get_listing(tree, &size);
        ck_assert_int_eq(imgc_tree_parse(context, data, size, NULL, &back, NULL), 0);
        imgc_tree_unref(back);
        imgc_tree_unref(tree);
        tree = NULL;
        make_chain(&scratch, "u", 16384);
        r = imgc_tree_read_at(context, scratch.fd, "u", &options, &tree, &error);
        ck_assert(!strncmp(imgc_error_get_path(error), "u/d/d/", 6));
        expect_error(&error, r, IMGC_ERROR_LIMIT, E2BIG);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ cancelling */

static void *cancel_later(void *userdata)
{
        struct timespec a_moment = {0, 20000000};

        nanosleep(&a_moment, NULL);
        imgc_context_cancel(userdata);
        return NULL;
}

START_TEST(test_walk_cancel_from_another_thread)
{
        _cleanup_scratch_ struct scratch scratch;
        unsigned n_descriptors;

        scratch_open(&scratch);
        make_wide_tree(&scratch, "t", 50, 10);
        for (unsigned i = 0; i < 16; i++) {
                char name[32];
                int fd;

                snprintf(name, sizeof(name), "t/d%u/hole", i / 4 * 3);
                fd = openat(scratch.fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                ck_assert_int_eq(ftruncate(fd, (off_t)1 << 40), 0);
                close(fd);
        }
        n_descriptors = count_descriptors();
        for (size_t i = 0; i < ELEMENTSOF(thread_counts); i++) {
                struct imgc_context *context = new_context(thread_counts[i]);
                struct imgc_error *error = NULL;
                struct imgc_tree *tree = NULL;
                pthread_t thread;
                int r;

                ck_assert_int_eq(pthread_create(&thread, NULL, cancel_later, context), 0);
                r = imgc_tree_read_at(context, scratch.fd, "t", NULL, &tree, &error);
                pthread_join(thread, NULL);
                expect_error(&error, r, IMGC_ERROR_CANCELLED, ECANCELED);
                ck_assert_ptr_null(tree);
                ck_assert_uint_eq(count_descriptors(), n_descriptors);
                ck_assert(no_thread_left());
                imgc_context_unref(context);
        }
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_walk_threads_many_directories,
                test_walk_threads_large_directory,
                test_walk_threads_big_files,
                test_walk_empty_directories,
                test_walk_sparse_file,
                test_walk_changed_directory,
                test_walk_cancel_from_another_thread,
        };

        const TTest *deep[] = {
                test_walk_deep_few_descriptors,
                test_walk_depth_limit,
        };
        Suite *suite = SUITE_OF("walk", tests);

        suite_add_deep(suite, deep, ELEMENTSOF(deep));
        return run_suite(suite);
}
