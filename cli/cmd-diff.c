/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct option_spec diff_options[] = {
        {OPTION_STAT, "stat", NULL, "print numbers only"},
        {OPTION_NAME_ONLY, "name-only", NULL, "print names and paths only"},
        {OPTION_LIMIT, "limit", "N", "print at most N lines (default 40, 0: all; -v: all)"},
        {OPTION_INPUT, "input", "IMAGE/STAGE/INPUT",
         "of a manifest, the tree to compare the other side with; may be shortened from the left where that is "
         "clear, and left out where there is one tree only"},
        {0},
};

/* One side: a manifest, or a tree. */
struct side {
        const char *path;
        struct imgc_manifest *manifest;
        struct imgc_tree *tree;
};

static void side_done(struct side *side)
{
        imgc_manifest_unref(side->manifest);
        imgc_tree_unref(side->tree);
}

/* ------------------------------------------------------------------------------ trees */

/* A listing brings its own fields and digest: unless the options say otherwise the other side is
 * read with the same. */
static int read_trees(struct cli *cli, struct side sides[2])
{
        const bool asked_fields = cli->tree.fields, asked_digest = cli->tree.digest;
        struct imgc_tree_options options = cli->tree;
        /* Files first: a directory should be read only once. */
        const int first = !is_file(sides[0].path) && is_file(sides[1].path);

        for (int i = 0; i < 2; i++) {
                struct side *side = &sides[i ? !first : first];

                if (!side->tree)
                        side->tree = read_operand(cli, side->path, &options);
                if (!side->tree)
                        return EXIT_TROUBLE;
                if (imgc_tree_get_kind(side->tree) != IMGC_TREE_KIND_LISTING)
                        continue;
                if (!asked_fields)
                        options.fields = imgc_tree_get_fields(side->tree);
                if (!asked_digest)
                        options.digest = imgc_tree_get_digest_algorithm(side->tree);
        }
        return EXIT_SAME;
}

/* ------------------------------------------------------------------------------ a manifest's tree */

/* Where an input is in a manifest. */
struct position {
        uint32_t image, stage, input;
};

/* Whether "IMAGE/STAGE/INPUT", or what is left of it, names this input. */
static bool is_named(const char *wanted, const char *image, const char *stage, const char *input)
{
        const char *parts[] = {image, stage, input};
        size_t n = strlen(wanted);

        for (int i = 2; i >= 0; i--) {
                size_t part = strlen(parts[i]);

                if (n < part || memcmp(wanted + n - part, parts[i], part) != 0)
                        return false;
                n -= part;
                if (!n)
                        return true;
                if (wanted[n - 1] != '/')
                        return false;
                n--;
        }
        return false;
}

static int find_tree(struct cli *cli, const struct side *side, struct position *ret)
{
        const struct imgc_manifest *m = side->manifest;
        int found = 0;

        for (uint32_t i = 0; i < imgc_manifest_get_n_images(m); i++)
                for (uint32_t s = 0; s < imgc_manifest_get_n_stages(m, i); s++)
                        for (uint32_t n = 0; n < imgc_manifest_get_n_inputs(m, i, s); n++) {
                                struct imgc_manifest_input input = IMGC_MANIFEST_INPUT_INIT;

                                imgc_manifest_get_input(m, i, s, n, &input);
                                if (!input.digest ||
                                    (cli->input &&
                                     !is_named(cli->input, imgc_manifest_get_image(m, i),
                                               imgc_manifest_get_stage(m, i, s), input.name)))
                                        continue;
                                *ret = (struct position){i, s, n};
                                found++;
                        }
        if (found == 1)
                return EXIT_SAME;
        if (cli->input)
                return fail_usage(cli, "diff: %s trees of %s are called '%s'",
                                  found ? "several" : "no", side->path, cli->input);
        return fail_usage(cli, "diff: %s has %s tree; name one with --input", side->path,
                          found ? "more than one" : "no");
}

/* A manifest's tree and another one, read in the same way. */
static int read_manifest_and_tree(struct cli *cli, struct side *manifest, struct side *other)
{
        struct imgc_error *error = NULL;
        struct position at = {0};
        int code, r;

        /* More likely a manifest that was damaged than one of its trees. */
        if (!cli->input && !other->tree && is_file(other->path) && !is_listing(other->path))
                return fail_usage(cli,
                                  "diff: %s is no manifest, directory or listing; if it is to be "
                                  "compared with a tree, name that with --input",
                                  other->path);
        code = find_tree(cli, manifest, &at);
        if (code != EXIT_SAME)
                return code;
        r = imgc_manifest_get_tree(manifest->manifest, cli->context, at.image, at.stage, at.input,
                                   &manifest->tree, &error);
        /* A listing is what it is. */
        if (r >= 0 && !other->tree && is_listing(other->path))
                other->tree = read_operand(cli, other->path, NULL);
        else if (r >= 0 && !other->tree)
                r = imgc_manifest_read_tree_at(manifest->manifest, cli->context, at.image, at.stage,
                                               at.input, AT_FDCWD, other->path, &other->tree,
                                               &error);
        if (r < 0)
                return fail_error(cli, error);
        return other->tree ? EXIT_SAME : EXIT_TROUBLE;
}

/* ------------------------------------------------------------------------------ the verb */

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

static int read_sides(struct cli *cli, struct side sides[2])
{
        for (int i = 0; i < 2; i++) {
                struct side *side = &sides[i];

                if (!strcmp(side->path, "-")) {
                        if (read_from_stdin(cli, &side->tree, &side->manifest) != EXIT_SAME)
                                return EXIT_TROUBLE;
                } else if (is_manifest(side->path)) {
                        side->manifest = read_manifest(cli, side->path);
                        if (!side->manifest)
                                return EXIT_TROUBLE;
                }
        }
        if (sides[0].manifest && sides[1].manifest)
                return EXIT_SAME;
        if (sides[0].manifest || sides[1].manifest)
                return read_manifest_and_tree(cli, &sides[!sides[0].manifest],
                                              &sides[!!sides[0].manifest]);
        return read_trees(cli, sides);
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        struct side sides[2] = {{.path = arguments[0]}, {.path = arguments[1]}};
        struct imgc_diff *diff = NULL;
        struct imgc_error *error = NULL;
        int code, r;

        (void)n_arguments;
        if (!strcmp(arguments[0], "-") && !strcmp(arguments[1], "-"))
                return fail_usage(cli, "diff: only one side can be standard input");
        code = read_sides(cli, sides);
        if (code == EXIT_SAME) {
                r = sides[0].tree ? imgc_diff_trees(cli->context, sides[0].tree, sides[1].tree,
                                                    &diff, &error) :
                                    imgc_diff_manifests(cli->context, sides[0].manifest,
                                                        sides[1].manifest, &diff, &error);
                code = r < 0 ? fail_error(cli, error) : report(cli, diff);
        }
        imgc_diff_unref(diff);
        side_done(&sides[0]);
        side_done(&sides[1]);
        return code;
}

const struct verb verb_diff = {
        .name = "diff",
        .arguments = "OLD NEW",
        .summary = "say what changed between two trees or manifests",
        .description =
                "Compares OLD and NEW, each a manifest, a directory, a file, a listing that "
                "`imagecache list` printed, or - for a manifest or listing on standard input, and prints what was "
                "added, removed, moved and changed. A manifest is compared with another one, or one of "
                "its trees with a directory. Exits 0 where they are equal, 1 where they differ, 2 on "
                "trouble.",
        .options = diff_options,
        .more = tree_options,
        .min_arguments = 2,
        .max_arguments = 2,
        .run = run,
};
