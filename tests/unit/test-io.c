/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library on kernels that lack what it asks for first: a filter of system calls stands in
 * for them, in a process of its own. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common.h"

enum {
        NR_GETXATTRAT = 464,
        NR_LISTXATTRAT = 465,
        NR_FILE_GETATTR = 468,
};

/* Has these calls fail so from now on, and openat() with O_NOATIME with EPERM. */
static bool install_filter(int number)
{
        const unsigned error = SECCOMP_RET_ERRNO | (unsigned)number;
        struct sock_filter program[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_GETXATTRAT, 2, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_LISTXATTRAT, 1, 0),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NR_FILE_GETATTR, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, error),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 0, 3),
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
                BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_NOATIME, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog filter = {ELEMENTSOF(program), program};

        return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
               !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static char *read_listing(const struct scratch *scratch, const char *path)
{
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(2);
        struct imgc_tree *tree;
        const char *data;
        size_t size;
        char *copy;

        options.fields = "exact";
        tree = read_tree(context, scratch, path, &options);
        data = imgc_tree_get_listing(tree, &size);
        copy = strndup(data, size);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
        return copy;
}

static void expect_same_listing_without(int number)
{
        _cleanup_scratch_ struct scratch scratch;
        static const char *const paths[] = {"t", "t/pipe", "t/file"};
        char *expected[ELEMENTSOF(paths)];
        int status;
        pid_t child;

        scratch_open(&scratch);
        make_directory(&scratch, "t", 0755);
        make_text(&scratch, "t/file", "x");
        make_symlink(&scratch, "t/link", "file");
        make_fifo(&scratch, "t/pipe");
        if (!set_xattr(&scratch, "t/link", "trusted.imagecache", "of the link", 11) ||
            !set_xattr(&scratch, "t/pipe", "trusted.imagecache", "of the pipe", 11))
                SKIP("attributes of links need root and a file system that has them");
        set_xattr(&scratch, "t/file", "trusted.imagecache", "of the file", 11);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                expected[i] = read_listing(&scratch, paths[i]);
        ck_assert_ptr_nonnull(strstr(expected[0], "./link type=link"));
        ck_assert_ptr_nonnull(strstr(expected[0], "xattr.trusted.imagecache=b2YgdGhlIGxpbms="));
        ck_assert_ptr_nonnull(strstr(expected[1], "xattr.trusted.imagecache=b2YgdGhlIHBpcGU="));
        fflush(NULL);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                if (!install_filter(number))
                        _exit(77);
                for (size_t i = 0; i < ELEMENTSOF(paths); i++) {
                        char *listing = read_listing(&scratch, paths[i]);

                        if (strcmp(listing, expected[i]) != 0)
                                _exit(10 + (int)i);
                        free(listing);
                }
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                free(expected[i]);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                SKIP("no filter of system calls can be installed here");
        ck_assert_int_eq(status, 0);
}

/* Linux before 6.13. */
START_TEST(test_io_old_kernel)
{
        expect_same_listing_without(ENOSYS);
}
END_TEST

/* Containers whose filter does not know the calls yet. */
START_TEST(test_io_refusing_filter)
{
        expect_same_listing_without(EPERM);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_io_old_kernel,
                test_io_refusing_filter,
        };

        return run_suite(SUITE_OF("io", tests));
}
