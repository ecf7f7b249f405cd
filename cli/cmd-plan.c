/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"

static const struct option_spec plan_options[] = {
        {OPTION_REBUILD, "rebuild", "IMAGE[:STAGE]",
         "run an image again, or a stage of it and what follows; may be repeated"},
        {OPTION_REFRESH, "refresh", NULL, "run stages again whose \"stale\" inputs changed"},
        {OPTION_KEEP, "keep", "IMAGE",
         "take an image as it is, and what stands on it by what made it; may be repeated"},
        {OPTION_ONLY, "only", "IMAGE",
         "plan for this image, and others as far as it needs them; may be repeated"},
        {OPTION_NO_APPEND, "no-append", NULL, "never add to an earlier result of a stage"},
        {OPTION_FAIL_ON_REBUILD, "fail-on-rebuild", "[=STAGE]",
         "exit with 2 where an image is to be built from its first stage on, or where STAGE is to run"},
        {OPTION_SECRET_FILE, "secret-file", "FILE",
         "the key that secrets are hashed with: FILE's bytes, 16 to 4096"},
        {OPTION_LIMIT, "limit", "N",
         "print at most N lines of reasons an image (default 12, 0: all; -v: all)"},
        {OPTION_DOT, "dot", NULL, "print the graph of images and stages, for graphviz"},
        {0},
};

static int report(struct cli *cli, const struct imgc_plan *plan)
{
        struct imgc_plan_report_options options = IMGC_PLAN_REPORT_OPTIONS_INIT;
        struct imgc_error *error = NULL;
        const char *image, *stage;

        options.format = cli->dot ? IMGC_PLAN_DOT : cli->json ? IMGC_PLAN_JSON : IMGC_PLAN_TEXT;
        options.flags = (cli->color ? IMGC_PLAN_REPORT_COLOR : 0) |
                        (cli->verbose ? IMGC_PLAN_REPORT_VERBOSE : 0);
        if (cli->limit_given)
                options.limit = cli->limit;
        if (!cli->quiet && imgc_plan_report(plan, &options, write_to_stdout, NULL, &error) < 0)
                return fail_error(cli, error);
        if (imgc_plan_get_refusal(plan, &image, &stage))
                return fail(
                        cli, "refused", EPERM, "plan", NULL,
                        "stage \"%s\" of image \"%s\" would have to run, which --fail-on-rebuild forbids",
                        stage, image);
        return imgc_plan_has_work(plan) ? EXIT_DIFFERENT : EXIT_SAME;
}

/* There is no store yet: everything is decided against an empty one. */
static int decide(struct cli *cli, struct imgc_project *project, struct imgc_plan **ret)
{
        struct imgc_seal_options seal = IMGC_SEAL_OPTIONS_INIT;
        struct imgc_plan_lookup lookup = IMGC_PLAN_LOOKUP_INIT;
        struct imgc_memory_store *store = NULL;
        struct imgc_error *error = NULL;
        int r = imgc_memory_store_new(&store, &error);

        seal.env = get_env;
        seal.secret = cli->secret;
        seal.secret_bytes = cli->secret_bytes;
        if (r >= 0) {
                imgc_memory_store_set_now(store, time(NULL));
                imgc_memory_store_get_lookup(store, &lookup);
                r = imgc_plan_project(cli->context, project, &seal, &lookup, &cli->plan, ret,
                                      &error);
        }
        imgc_memory_store_unref(store);
        return r < 0 ? fail_error(cli, error) : 0;
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        struct imgc_project *project = read_project(cli, arguments[0]);
        struct imgc_plan *plan = NULL;
        int code;

        (void)n_arguments;
        if (!project)
                return EXIT_TROUBLE;
        code = decide(cli, project, &plan);
        if (!code)
                code = report(cli, plan);
        imgc_plan_unref(plan);
        imgc_project_unref(project);
        return code;
}

const struct verb verb_plan = {
        .name = "plan",
        .arguments = "PROJECT",
        .summary = "say what must run, and why",
        .description =
                "Reads all inputs of PROJECT, a JSON file (- is standard input), and says of each image "
                "whether it is up to date, which snapshot its build goes on from, which stages run, and "
                "why. Exits 0 where no stage has to run and no output is missing, 1 where there is work, "
                "2 on trouble.",
        .options = plan_options,
        .min_arguments = 1,
        .max_arguments = 1,
        .run = run,
};
