/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static bool is_number(const char *keyword)
{
        return !strcmp(keyword, "uid") || !strcmp(keyword, "gid") || !strcmp(keyword, "size");
}

static void print_entry(const struct imgc_tree_iterator *iterator)
{
        const char *keyword, *value;

        fputs("{\"path\":", stdout);
        print_json_string(imgc_tree_iterator_get_path(iterator));
        for (size_t i = 0; imgc_tree_iterator_get_attribute(iterator, i, &keyword, &value) == 0;
             i++) {
                putchar(',');
                print_json_string(keyword);
                putchar(':');
                if (is_number(keyword))
                        fputs(value, stdout);
                else
                        print_json_string(value);
        }
        putchar('}');
}

static int print_json(struct cli *cli, struct imgc_tree *tree)
{
        struct imgc_tree_iterator *iterator = NULL;
        struct imgc_error *error = NULL;
        const char *separator = "";
        int r;

        printf("{\"version\":1,\"digest\":\"%s\",\"algorithm\":\"%s\",\"fields\":\"%s\",\"entries\":[",
               imgc_tree_get_digest(tree),
               imgc_digest_algorithm_get_name(imgc_tree_get_digest_algorithm(tree)),
               imgc_tree_get_fields(tree));
        r = imgc_tree_iterator_new(tree, &iterator, &error);
        while (r >= 0 && (r = imgc_tree_iterator_next(iterator, &error)) > 0) {
                fputs(separator, stdout);
                separator = ",\n";
                print_entry(iterator);
        }
        fputs("]}\n", stdout);
        imgc_tree_iterator_free(iterator);
        return r < 0 ? fail_error(cli, error) : EXIT_SAME;
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        struct imgc_tree *tree = read_tree(cli, arguments[0], &cli->tree);
        const char *listing;
        size_t size;
        int code = EXIT_SAME;

        (void)n_arguments;
        if (!tree)
                return EXIT_TROUBLE;
        progress_clear();
        if (cli->json) {
                code = print_json(cli, tree);
        } else {
                listing = imgc_tree_get_listing(tree, &size);
                write_to_stdout(NULL, listing, size); /* told by finish_output() */
        }
        imgc_tree_unref(tree);
        return code;
}

const struct verb verb_list = {
        .name = "list",
        .arguments = "PATH",
        .summary = "print a tree's listing",
        .description =
                "Prints the canonical listing of PATH: one line an entry, in the syntax of mtree(5). "
                "The same tree gives the same bytes everywhere. A listing that was saved can be "
                "compared with `imagecache diff` later.",
        .options = tree_options,
        .min_arguments = 1,
        .max_arguments = 1,
        .run = run,
};
