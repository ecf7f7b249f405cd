/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operands that are trees. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"

/* More than any listing of a real tree: 4 GiB are some 30 million entries. */
#define STDIN_BYTES_MAX ((size_t)4 << 30)

bool is_file(const char *path)
{
        struct stat st;

        return !strcmp(path, "-") || (stat(path, &st) == 0 && S_ISREG(st.st_mode));
}

static char *read_stdin(size_t *ret_size)
{
        size_t size = 0, capacity = 1 << 16;
        char *data = malloc(capacity), *bigger;

        while (data) {
                size += fread(data + size, 1, capacity - size, stdin);
                if (size < capacity)
                        break;
                capacity *= 2;
                bigger = capacity > STDIN_BYTES_MAX ? NULL : realloc(data, capacity);
                if (!bigger)
                        free(data);
                data = bigger;
        }
        *ret_size = size;
        return data;
}

int read_from_stdin(struct cli *cli, struct imgc_tree **ret_tree,
                    struct imgc_manifest **ret_manifest)
{
        struct imgc_error *error = NULL;
        size_t size;
        char *data = read_stdin(&size);
        int r = 0, code = EXIT_SAME;

        if (!data)
                code = fail(cli, "no-memory", ENOMEM, "read", NULL,
                            "cannot hold standard input in memory");
        else if (ferror(stdin))
                code = fail(cli, "io", EIO, "read", NULL, "cannot read standard input: %s",
                            strerror(EIO));
        else if (ret_manifest && size && *data == '{')
                r = imgc_manifest_parse(cli->context, data, size, "standard input", ret_manifest,
                                        &error);
        else
                r = imgc_tree_parse(cli->context, data, size, "standard input", ret_tree, &error);
        if (r < 0)
                code = fail_error(cli, error);
        free(data);
        return code;
}

struct imgc_tree *read_tree(struct cli *cli, const char *path,
                            const struct imgc_tree_options *options)
{
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;

        if (!strcmp(path, "-")) {
                read_from_stdin(cli, &tree, NULL);
                return tree;
        }
        if (imgc_tree_read_at(cli->context, AT_FDCWD, path, options, &tree, &error) < 0)
                fail_error(cli, error);
        return tree;
}

bool begins_with(const char *path, const char *magic)
{
        FILE *file = is_file(path) && strcmp(path, "-") != 0 ? fopen(path, "re") : NULL;
        bool same = true;

        if (!file)
                return false; /* what cannot be opened is told when it is read */
        while (same && *magic)
                same = getc(file) == (unsigned char)*magic++;
        fclose(file);
        return same;
}

bool is_listing(const char *path)
{
        return begins_with(path, "#mtree imagecache=1 ");
}

struct imgc_tree *read_operand(struct cli *cli, const char *path,
                               const struct imgc_tree_options *options)
{
        const struct imgc_tree_options plain = IMGC_TREE_OPTIONS_INIT;

        return read_tree(cli, path, is_listing(path) ? &plain : options);
}
