/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli.h"

static const struct option_spec diff_options[] = {
        {OPTION_STAT, "stat", NULL, "print numbers only"},
        {OPTION_NAME_ONLY, "name-only", NULL, "print paths only"},
        {OPTION_LIMIT, "limit", "N", "print at most N lines (default 40, 0: all; -v: all)"},
        {0},
};

/* Reads both operands. A listing brings its own fields and digest: unless the options say
 * otherwise the other side is read with the same, and the options for reading directories are
 * not applied to it. */
static int read_both(struct cli *cli, char **paths, struct imgc_tree *trees[2])
{
        const bool asked_fields = cli->tree.fields, asked_digest = cli->tree.digest;
        struct imgc_tree_options options = cli->tree;
        /* Files first: a directory should be read only once. */
        const int first = !is_file(paths[0]) && is_file(paths[1]);

        for (int i = 0; i < 2; i++) {
                const int side = i ? !first : first;

                trees[side] = read_operand(cli, paths[side], &options);
                if (!trees[side])
                        return EXIT_TROUBLE;
                if (imgc_tree_get_kind(trees[side]) != IMGC_TREE_KIND_LISTING)
                        continue;
                if (!asked_fields)
                        options.fields = imgc_tree_get_fields(trees[side]);
                if (!asked_digest)
                        options.digest = imgc_tree_get_digest_algorithm(trees[side]);
        }
        return EXIT_SAME;
}

static int report(struct cli *cli, struct imgc_diff *diff)
{
        struct imgc_report_options options = IMGC_REPORT_OPTIONS_INIT;
        struct imgc_error *error = NULL;

        options.format = cli->json ? IMGC_REPORT_JSON : IMGC_REPORT_TEXT;
        options.limit = cli->limit;
        options.flags = (cli->color ? IMGC_REPORT_COLOR : 0) | (cli->stat ? IMGC_REPORT_STAT : 0) |
                        (cli->name_only ? IMGC_REPORT_NAME_ONLY : 0) |
                        (cli->verbose ? IMGC_REPORT_VERBOSE : 0);
        if (!cli->quiet && imgc_diff_report(diff, &options, write_to_stdout, NULL, &error) < 0)
                return fail_error(cli, error);
        return imgc_diff_is_equal(diff) ? EXIT_SAME : EXIT_DIFFERENT;
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        struct imgc_tree *trees[2] = {NULL, NULL};
        struct imgc_diff *diff = NULL;
        struct imgc_error *error = NULL;
        int code;

        (void)n_arguments;
        code = read_both(cli, arguments, trees);
        if (code == EXIT_SAME) {
                if (imgc_diff_trees(cli->context, trees[0], trees[1], &diff, &error) < 0)
                        code = fail_error(cli, error);
                else
                        code = report(cli, diff);
        }
        imgc_diff_unref(diff);
        imgc_tree_unref(trees[0]);
        imgc_tree_unref(trees[1]);
        return code;
}

const struct verb verb_diff = {
        .name = "diff",
        .arguments = "OLD NEW",
        .summary = "say what changed between two trees",
        .description = "Compares OLD and NEW, each a directory, a file, a listing that `imagecache list` "
                       "printed, or - for a listing on standard input, and prints what was added, removed, "
                       "moved and changed. Exits 0 where they are equal, 1 where they differ, 2 on trouble.",
        .options = diff_options,
        .more = tree_options,
        .min_arguments = 2,
        .max_arguments = 2,
        .run = run,
};
