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

static struct imgc_tree *read_listing_from_stdin(struct cli *cli)
{
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        size_t size;
        char *data = read_stdin(&size);

        if (!data)
                fail(cli, "no-memory", ENOMEM, "read", NULL, "cannot hold standard input in memory");
        else if (ferror(stdin))
                fail(cli, "io", EIO, "read", NULL, "cannot read standard input: %s", strerror(EIO));
        else if (imgc_tree_parse(cli->context, data, size, "standard input", &tree, &error) < 0)
                fail_error(cli, error);
        free(data);
        return tree;
}

struct imgc_tree *read_tree(struct cli *cli, const char *path, const struct imgc_tree_options *options)
{
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;

        if (!strcmp(path, "-"))
                return read_listing_from_stdin(cli);
        if (imgc_tree_read_at(cli->context, AT_FDCWD, path, options, &tree, &error) < 0)
                fail_error(cli, error);
        return tree;
}

/* Whether a file begins like a listing: then it stands for the tree that it lists. */
static bool is_listing(const char *path)
{
        static const char magic[] = "#mtree imagecache=1 ";
        char start[sizeof(magic)] = {0};
        FILE *file = fopen(path, "re");
        size_t n;

        if (!file)
                return false; /* told when it is read */
        n = fread(start, 1, sizeof(magic) - 1, file);
        fclose(file);
        return n == sizeof(magic) - 1 && !strcmp(start, magic);
}

struct imgc_tree *read_operand(struct cli *cli, const char *path, const struct imgc_tree_options *options)
{
        const struct imgc_tree_options plain = IMGC_TREE_OPTIONS_INIT;

        return read_tree(cli, path, is_file(path) && is_listing(path) ? &plain : options);
}

bool is_file(const char *path)
{
        struct stat st;

        return !strcmp(path, "-") || (stat(path, &st) == 0 && S_ISREG(st.st_mode));
}
