/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One path as an input. */
#include <errno.h>
#include <fcntl.h>

#include "core/error.h"
#include "core/io.h"
#include "manifest/files.h"
#include "manifest/words.h"

int check_is_absent(int dirfd, const char *path)
{
        _cleanup_buffer_ struct buffer prefix = {0};
        const char *end = path;
        struct stat st;
        int r = imgc_io_fstatat(dirfd, "", &st, AT_EMPTY_PATH); /* of AT_FDCWD, too */

        if (r < 0)
                return r;
        /* Nothing can be found in a directory that was removed, whatever there was. */
        if (*path != '/' && !st.st_nlink)
                return -ENOENT;
        do {
                end = strchrnul(end + strspn(end, "/"), '/');
                prefix.size = 0;
                buffer_add(&prefix, path, (size_t)(end - path));
                if (!buffer_string(&prefix))
                        return -ENOMEM;
                r = imgc_io_fstatat(dirfd, prefix.data, &st, AT_SYMLINK_NOFOLLOW);
                if (r < 0)
                        return r == -ENOENT ? 0 : r;
                if (S_ISLNK(st.st_mode)) {
                        r = imgc_io_fstatat(dirfd, prefix.data, &st, 0);
                        if (r < 0)
                                return r;
                }
        } while (*end);
        /* It is there: it was made in the meantime. */
        return -ESTALE;
}

int path_read(struct imgc_context *context, const struct imgc_project *project,
              const struct project_input *input, uint32_t flags, struct imgc_tree **ret,
              struct imgc_error **reterr)
{
        _cleanup_(imgc_error_unrefp) struct imgc_error *error = NULL;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        char fields[FIELDS_WORD_MAX];
        int r;

        fields_word(input->fields, fields);
        options.digest = project->digest;
        options.kind = input->type == IMGC_INPUT_FILE ? IMGC_TREE_KIND_FILE : input->kind;
        options.flags = flags |
                        (input->flags & IMGC_INPUT_ONE_FILESYSTEM ? IMGC_TREE_ONE_FILESYSTEM : 0) |
                        (input->flags & IMGC_INPUT_IGNORE_ROOT ? IMGC_TREE_IGNORE_ROOT : 0);
        options.uid = input->uid;
        options.gid = input->gid;
        options.fields = input->fields_given ? fields : NULL;
        options.exclude = input->exclude;
        r = imgc_tree_read_at(context, project->dirfd, input->path, &options, ret, &error);
        if (r >= 0)
                return 0;
        if (r == -ENOENT) {
                int absent = check_is_absent(project->dirfd, input->path);

                if (absent == -ENOENT)
                        return error_reason(
                                reterr, IMGC_ERROR_IO, -ELOOP, "open", input->path,
                                "a link leads nowhere, or the directory of the project is gone");
                if (absent == -ESTALE)
                        return error_reason(reterr, IMGC_ERROR_TREE_CHANGED, -ESTALE, "open",
                                            input->path, "it came into being while it was opened");
                if (absent < 0)
                        return error_errno(reterr, absent, "open", input->path);
                if (input->flags & IMGC_INPUT_OPTIONAL) {
                        *ret = NULL;
                        return 0;
                }
        }
        return error_give(reterr, TAKE_PTR(error), r);
}
