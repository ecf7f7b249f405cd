/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* "HEX  PATH" as sha256sum(1) has it: a name that would break the line is escaped, and a
 * backslash at the line's start says so. */
static void print_line(const char *digest, const char *path)
{
        bool escaped = strpbrk(path, "\\\n\r") != NULL;

        printf("%s%s  ", escaped ? "\\" : "", digest);
        for (const char *p = path; *p; p++) {
                if (*p == '\\')
                        fputs("\\\\", stdout);
                else if (*p == '\n')
                        fputs("\\n", stdout);
                else if (*p == '\r')
                        fputs("\\r", stdout);
                else
                        putchar(*p);
        }
        putchar('\n');
}

static void print_json(const struct imgc_tree *tree, const char *path)
{
        fputs("{\"path\":", stdout);
        print_json_string(path);
        printf(",\"digest\":\"%s\",\"algorithm\":\"%s\",\"fields\":\"%s\",\"entries\":%llu,\"bytes\":%llu}",
               imgc_tree_get_digest(tree),
               imgc_digest_algorithm_get_name(imgc_tree_get_digest_algorithm(tree)),
               imgc_tree_get_fields(tree), (unsigned long long)imgc_tree_get_n_entries(tree),
               (unsigned long long)imgc_tree_get_n_bytes(tree));
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        int code = EXIT_SAME;
        const char *separator = "";

        cli->tree.flags |= IMGC_TREE_DIGEST_ONLY;
        if (cli->json)
                fputs("{\"version\":1,\"trees\":[", stdout);
        for (int i = 0; i < n_arguments; i++) {
                struct imgc_tree *tree = read_tree(cli, arguments[i], &cli->tree);

                if (!tree) {
                        code = EXIT_TROUBLE;
                        continue;
                }
                progress_clear();
                if (cli->json) {
                        fputs(separator, stdout);
                        print_json(tree, arguments[i]);
                        separator = ",";
                } else {
                        print_line(imgc_tree_get_digest(tree), arguments[i]);
                }
                imgc_tree_unref(tree);
        }
        if (cli->json)
                fputs("]}\n", stdout);
        return code;
}

const struct verb verb_hash = {
        .name = "hash",
        .arguments = "PATH…",
        .summary = "print the digests of trees",
        .description =
                "Prints a digest of each PATH, a directory with all below it or a single file: the "
                "digest of the listing that `imagecache list` prints. A file that holds such a "
                "listing stands for the tree it lists; - is a listing on standard input.",
        .options = tree_options,
        .min_arguments = 1,
        .max_arguments = -1,
        .run = run,
};
