/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const struct verb *const verbs[] = {&verb_hash, &verb_list, &verb_manifest, &verb_diff,
                                           &verb_plan};

#define N_VERBS (sizeof(verbs) / sizeof(verbs[0]))

static void print_usage(FILE *file)
{
        fputs("Usage: imagecache VERB [OPTION…] [ARGUMENT…]\n\n"
              "What went into an image, and what changed.\n\n"
              "Verbs:\n",
              file);
        for (size_t i = 0; i < N_VERBS; i++)
                fprintf(file, "  %-8s  %s\n", verbs[i]->name, verbs[i]->summary);
        fputs("\n"
              "  imagecache VERB --help    options of a verb\n"
              "  imagecache --version      version\n"
              "\n"
              "Exit status: 0 same or done, 1 different or to do, 2 trouble.\n",
              file);
}

static const struct verb *find_verb(const char *name)
{
        for (size_t i = 0; i < N_VERBS; i++)
                if (!strcmp(verbs[i]->name, name))
                        return verbs[i];
        return NULL;
}

static bool asks_for_json(int argc, char **argv)
{
        for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
                if (!strcmp(argv[i], "--json"))
                        return true;
        return false;
}

static int run_verb(struct cli *cli, int argc, char **argv)
{
        struct imgc_error *error = NULL;
        int first, n, code;

        if (imgc_context_new(&cli->context, &error) < 0)
                return fail_error(cli, error);
        first = options_parse(cli, argc, argv, &code);
        if (first < 0)
                return code;
        n = argc - first;
        if (n < cli->verb->min_arguments)
                return fail_usage(cli, "%s: too few arguments, expected %s", cli->verb->name,
                                  cli->verb->arguments);
        if (cli->verb->max_arguments >= 0 && n > cli->verb->max_arguments)
                return fail_usage(cli, "%s: too many arguments, expected %s", cli->verb->name,
                                  cli->verb->arguments);
        progress_start(cli);
        code = cli->verb->run(cli, argv + first, n);
        progress_clear();
        return finish_output(cli, code);
}

int main(int argc, char **argv)
{
        struct cli cli = {
                .json = asks_for_json(argc, argv),
                .tree = IMGC_TREE_OPTIONS_INIT,
                .limit = IMGC_REPORT_LIMIT_DEFAULT,
                .plan = IMGC_PLAN_OPTIONS_INIT,
        };
        const char *word = argc > 1 ? argv[1] : NULL;
        int code;

        if (!word) {
                print_usage(stderr);
                return EXIT_TROUBLE;
        }
        if (!strcmp(word, "--help") || !strcmp(word, "-h") ||
            (!strcmp(word, "help") && argc == 2)) {
                print_usage(stdout);
                return finish_output(&cli, EXIT_SAME);
        }
        if (!strcmp(word, "--version")) {
                printf("imagecache %s\n", imgc_version());
                return finish_output(&cli, EXIT_SAME);
        }
        if (!strcmp(word, "help")) {
                cli.verb = find_verb(argv[2]);
                if (!cli.verb)
                        return fail_usage(&cli, "unknown verb '%s'", argv[2]);
                options_print_help(cli.verb);
                return finish_output(&cli, EXIT_SAME);
        }
        cli.verb = find_verb(word);
        if (!cli.verb)
                return fail_usage(&cli, *word == '-' ? "unknown option '%s'" : "unknown verb '%s'",
                                  word);
        code = run_verb(&cli, argc - 1, argv + 1);
        options_done(&cli);
        imgc_context_unref(cli.context);
        return code;
}
