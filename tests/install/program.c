/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a stranger's program does: built against the installed files only, as C and as C++. */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <imagecache/imagecache.h>

static int print(void *userdata, const void *data, size_t data_bytes)
{
        return fwrite(data, 1, data_bytes, (FILE *)userdata) == data_bytes ? 0 : -5;
}

static struct imgc_tree *read_tree(struct imgc_context *context, const char *path)
{
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_tree *tree = NULL;
        struct imgc_error *error = NULL;

        options.fields = "content";
        if (imgc_tree_read_at(context, AT_FDCWD, path, &options, &tree, &error) < 0) {
                fprintf(stderr, "%s\n", imgc_error_get_message(error));
                imgc_error_unref(error);
        }
        return tree;
}

int main(int argc, char **argv)
{
        struct imgc_report_options report = IMGC_REPORT_OPTIONS_INIT;
        struct imgc_context *context = NULL;
        struct imgc_tree *before, *after, *missing;
        struct imgc_diff *diff = NULL;
        int equal;

        if (argc != 3 || imgc_context_new(&context, NULL) < 0)
                return 2;
        missing = read_tree(context, "/nonexistent/path");
        before = read_tree(context, argv[1]);
        after = read_tree(context, argv[2]);
        if (missing || !before || !after)
                return 2;
        if (imgc_diff_trees(context, before, after, &diff, NULL) < 0)
                return 2;
        equal = imgc_diff_is_equal(diff);
        if (imgc_diff_report(diff, &report, print, stdout, NULL) < 0)
                return 2;
        printf("%s %s\n", imgc_version(), equal ? "same" : "different");
        imgc_diff_unref(diff);
        imgc_tree_unref(before);
        imgc_tree_unref(after);
        imgc_context_unref(context);
        return !equal;
}
