/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"

#include <dirent.h>
#include <stdarg.h>
#include <sys/xattr.h>
#include <time.h>

void test_failed(const char *file, int line, const char *format, ...)
{
        char message[4096] = "";
        va_list ap;

        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        _ck_assert_failed(file, line, message, NULL);
        abort();
}

int run_suite(Suite *suite)
{
        SRunner *runner = srunner_create(suite);
        int failed;

        /* Modes are compared as they are given. */
        umask(022);
        srunner_run_all(runner, CK_ENV);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static TCase *case_of(const char *name, const TTest *const *tests, size_t n_tests)
{
        TCase *tcase = tcase_create(name);

        /* Under valgrind and sanitizers everything takes its time. */
        tcase_set_timeout(tcase, 300);
        for (size_t i = 0; i < n_tests; i++)
                tcase_add_test(tcase, tests[i]);
        return tcase;
}

Suite *suite_of(const char *name, const TTest *const *tests, size_t n_tests)
{
        Suite *suite = suite_create(name);

        suite_add_tcase(suite, case_of(name, tests, n_tests));
        return suite;
}

void suite_add_deep(Suite *suite, const TTest *const *tests, size_t n_tests)
{
        TCase *tcase = case_of("deep", tests, n_tests);

        tcase_set_tags(tcase, "deep");
        suite_add_tcase(suite, tcase);
}

/* ------------------------------------------------------------------ a directory to write in */

void scratch_open(struct scratch *scratch)
{
        const char *base = getenv("TMPDIR");

        if (!base || strlen(base) > 40)
                base = "/tmp";
        snprintf(scratch->path, sizeof(scratch->path), "%s/imgc-test-XXXXXX", base);
        ck_assert_ptr_nonnull(mkdtemp(scratch->path));
        scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(scratch->fd, 0);
}

/* Removes what is in a directory as far as it can be; opens the first subdirectory that is not
 * empty. Returns it, or -1. */
static int remove_shallow(int fd)
{
        DIR *directory = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        struct dirent *d;
        int sub = -1;

        while (directory && sub < 0 && (d = readdir(directory))) {
                if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
                    !unlinkat(fd, d->d_name, 0) || !unlinkat(fd, d->d_name, AT_REMOVEDIR))
                        continue;
                sub = openat(fd, d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (directory)
                closedir(directory);
        return sub;
}

/* Down to what is deepest, and up again: depth costs neither descriptors nor stack. */
static void remove_all(int top)
{
        int fd = dup(top), next;

        for (unsigned depth = 0;;) {
                next = remove_shallow(fd);
                if (next >= 0)
                        depth++;
                else if (depth-- > 0)
                        next = openat(fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                close(fd);
                if (next < 0)
                        return;
                fd = next;
        }
}

void scratch_close(struct scratch *scratch)
{
        if (scratch->fd < 0)
                return;
        remove_all(scratch->fd);
        close(scratch->fd);
        rmdir(scratch->path);
        scratch->fd = -1;
}

void make_directory(const struct scratch *scratch, const char *path, mode_t mode)
{
        ck_assert_int_eq(mkdirat(scratch->fd, path, 0700), 0);
        ck_assert_int_eq(fchmodat(scratch->fd, path, mode, 0), 0);
}

void make_file(const struct scratch *scratch, const char *path, const void *data, size_t size)
{
        int fd = openat(scratch->fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
        ck_assert_int_eq(fchmod(fd, 0644), 0);
        if (size)
                ck_assert_int_eq(write(fd, data, size), (ssize_t)size);
        close(fd);
}

void make_text(const struct scratch *scratch, const char *path, const char *text)
{
        make_file(scratch, path, text, strlen(text));
}

void make_symlink(const struct scratch *scratch, const char *path, const char *target)
{
        ck_assert_int_eq(symlinkat(target, scratch->fd, path), 0);
}

void make_hard_link(const struct scratch *scratch, const char *from, const char *to)
{
        ck_assert_int_eq(linkat(scratch->fd, from, scratch->fd, to, 0), 0);
}

void make_fifo(const struct scratch *scratch, const char *path)
{
        ck_assert_int_eq(mkfifoat(scratch->fd, path, 0644), 0);
}

bool set_xattr(const struct scratch *scratch, const char *path, const char *name, const void *value,
               size_t size)
{
        char whole[512];

        snprintf(whole, sizeof(whole), "/proc/self/fd/%d/%s", scratch->fd, path);
        return !lsetxattr(whole, name, value, size, 0);
}

void make_chain(const struct scratch *scratch, const char *path, unsigned depth)
{
        int fd, file;

        make_directory(scratch, path, 0755);
        fd = openat(scratch->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        for (unsigned i = 0; i < depth; i++) {
                int next;

                file = openat(fd, "z", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                ck_assert_int_ge(file, 0);
                ck_assert_int_eq(write(file, &i, sizeof(i)), sizeof(i));
                close(file);
                ck_assert_int_eq(mkdirat(fd, "d", 0755), 0);
                next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                ck_assert_int_ge(next, 0);
                close(fd);
                fd = next;
        }
        file = openat(fd, "z", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        ck_assert_int_ge(file, 0);
        close(file);
        close(fd);
}

void make_wide_tree(const struct scratch *scratch, const char *path, unsigned n_directories,
                    unsigned n_files)
{
        struct random random = {7};
        char name[128], data[4096];

        memset(data, 'x', sizeof(data));
        make_directory(scratch, path, 0755);
        for (unsigned i = 0; i < n_directories; i++) {
                /* Every third one stands in the one before it. */
                if (i % 3)
                        snprintf(name, sizeof(name), "%s/d%u/d%u", path, i - i % 3, i);
                else
                        snprintf(name, sizeof(name), "%s/d%u", path, i);
                make_directory(scratch, name, 0755);
                for (unsigned j = 0; j < n_files; j++) {
                        size_t length = strlen(name);

                        snprintf(name + length, sizeof(name) - length, "/f%u", j);
                        make_file(scratch, name, data, random_below(&random, sizeof(data)));
                        name[length] = '\0';
                }
        }
}

/* ------------------------------------------------------------------ the library */

struct imgc_context *new_context(uint32_t threads)
{
        struct imgc_context *context = NULL;

        ck_assert_int_eq(imgc_context_new(&context, NULL), 0);
        imgc_context_set_threads(context, threads);
        return context;
}

struct imgc_tree *read_tree(struct imgc_context *context, const struct scratch *scratch,
                            const char *path, const struct imgc_tree_options *options)
{
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        int r = imgc_tree_read_at(context, scratch->fd, path, options, &tree, &error);

        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "no error");
        ck_assert_ptr_null(error);
        return tree;
}

struct imgc_tree *parse_tree(struct imgc_context *context, const char *listing)
{
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        int r = imgc_tree_parse(context, listing, strlen(listing), NULL, &tree, &error);

        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "no error");
        return tree;
}

bool expect_error(struct imgc_error **error, int r, enum imgc_error_code code, int number)
{
        const char *message;
        bool has_path;

        ck_assert_int_lt(r, 0);
        ck_assert_ptr_nonnull(*error);
        message = imgc_error_get_message(*error);
        ck_assert_msg(imgc_error_get_code(*error) == code, "code %s of: %s",
                      imgc_error_get_code_name(*error), message);
        ck_assert_msg(imgc_error_get_errno(*error) == number, "errno %d of: %s",
                      imgc_error_get_errno(*error), message);
        ck_assert_int_eq(r, -number);
        ck_assert_ptr_nonnull(imgc_error_get_operation(*error));
        ck_assert_ptr_null(strchr(message, '\n'));
        ck_assert_int_gt(strlen(message), 0);
        ck_assert_int_ne(message[strlen(message) - 1], '.');
        has_path = imgc_error_get_path(*error) != NULL;
        *error = imgc_error_unref(*error);
        return has_path;
}

int write_to_buffer(void *userdata, const void *data, size_t data_bytes)
{
        struct buffer *buffer = userdata;

        buffer_add(buffer, data, data_bytes);
        return buffer->failed ? -ENOMEM : 0;
}

char *report_of(struct imgc_diff *diff, uint32_t format, uint32_t flags, uint64_t limit)
{
        struct imgc_report_options options = IMGC_REPORT_OPTIONS_INIT;
        struct buffer out = {0};
        char *copy;

        options.format = format;
        options.flags = flags;
        options.limit = limit;
        ck_assert_int_eq(imgc_diff_report(diff, &options, write_to_buffer, &out, NULL), 0);
        ck_assert_ptr_nonnull(buffer_string(&out));
        copy = strdup(out.data);
        ck_assert_ptr_nonnull(copy);
        buffer_free(&out);
        return copy;
}

/* ------------------------------------------------------------------ the process */

static unsigned count_names(const char *path)
{
        DIR *directory = opendir(path);
        struct dirent *d;
        unsigned n = 0;

        ck_assert_ptr_nonnull(directory);
        while ((d = readdir(directory)))
                n += *d->d_name != '.';
        closedir(directory);
        return n;
}

unsigned count_descriptors(void)
{
        return count_names("/proc/self/fd");
}

bool no_thread_left(void)
{
        struct timespec a_moment = {0, 1000000};

#ifdef __SANITIZE_THREAD__
        return true; /* the sanitizer has some of its own */
#endif

        /* A thread that was joined may show for a moment. */
        for (int i = 0; i < 2000; i++) {
                if (count_names("/proc/self/task") == 1)
                        return true;
                nanosleep(&a_moment, NULL);
        }
        return false;
}

/* ------------------------------------------------------------------ numbers */

/* SplitMix64: any start will do. */
uint64_t random_u64(struct random *random)
{
        uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}
