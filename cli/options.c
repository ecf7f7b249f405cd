/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table of options a verb: getopt_long's arrays and the help come from it. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

#define OPTIONS_MAX 48
#define HELP_COLUMN 28
#define HELP_WIDTH  79

const struct option_spec common_options[] = {
        {OPTION_JSON, "json", NULL, "print JSON"},
        {OPTION_VERBOSE, "verbose", NULL, "print everything"},
        {OPTION_QUIET, "quiet", NULL, "print nothing that is not asked for"},
        {OPTION_COLOR, "color", "WHEN", "colour: auto (default), always or never"},
        {OPTION_THREADS, "threads", "N", "use N threads (default: one a processor)"},
        {OPTION_NO_INDEX, "no-index", NULL, "read every file, whatever is remembered of it"},
        {OPTION_STORE, "store", "DIR", "the store, for verbs that use one"},
        {OPTION_HELP, "help", NULL, "show this help"},
        {0},
};

const struct option_spec tree_options[] = {
        {OPTION_DIGEST, "digest", "ALGORITHM", "xxh128 (default), or sha256 for what is shared"},
        {OPTION_FIELDS, "fields", "FIELDS",
         "what counts: a profile (content, image (default), output, exact) or field names separated by commas"},
        {OPTION_EXCLUDE, "exclude", "PATTERN",
         "leave entries out, as gitignore(5) says; may be repeated"},
        {OPTION_EXCLUDE_FROM, "exclude-from", "FILE", "read such patterns from a file, one a line"},
        {OPTION_UID, "uid", "N", "take every entry as owned by user N"},
        {OPTION_GID, "gid", "N", "take every entry as owned by group N"},
        {OPTION_ONE_FILESYSTEM, "one-filesystem", NULL, "list mount points, but do not enter them"},
        {OPTION_IGNORE_ROOT, "ignore-root", NULL, "leave the attributes of the top directory out"},
        {0},
};

/* ------------------------------------------------------------------------------ help */

/* Prints a text between two columns, the first line from where the cursor is. */
static void print_wrapped(const char *text, size_t column)
{
        size_t at = column;

        while (*text) {
                size_t word = strcspn(text, " ");

                if (at > column && at + 1 + word > HELP_WIDTH) {
                        printf("\n%*s", (int)column, "");
                        at = column;
                } else if (at > column) {
                        putchar(' ');
                        at++;
                }
                printf("%.*s", (int)word, text);
                at += word;
                text += word + strspn(text + word, " ");
        }
        putchar('\n');
}

static void print_table(const struct option_spec *specs)
{
        for (; specs && specs->id; specs++) {
                char left[64];
                int n = snprintf(left, sizeof(left), "  %c%c  --%s%s%s",
                                 specs->id < 256 ? '-' : ' ', specs->id < 256 ? specs->id : ' ',
                                 specs->name, specs->argument && *specs->argument != '[' ? "=" : "",
                                 specs->argument ? specs->argument : "");

                printf("%-*s", HELP_COLUMN, left);
                if (n >= HELP_COLUMN)
                        printf("\n%*s", HELP_COLUMN, "");
                print_wrapped(specs->help, HELP_COLUMN);
        }
}

void options_print_help(const struct verb *verb)
{
        printf("Usage: imagecache %s [OPTION…] %s\n\n", verb->name, verb->arguments);
        print_wrapped(verb->description, 0);
        putchar('\n');
        print_table(verb->options);
        print_table(verb->more);
        print_table(common_options);
}

/* ------------------------------------------------------------------------------ values */

static int parse_number(struct cli *cli, const char *name, const char *text, uint64_t max,
                        uint64_t *ret)
{
        char *end;

        errno = 0;
        *ret = strtoull(text, &end, 10);
        if (*text < '0' || *text > '9' || *end || errno || *ret > max)
                return fail_usage(cli, "--%s: '%s' is not a number from 0 to %llu", name, text,
                                  (unsigned long long)max);
        return 0;
}

static int add_exclude(struct cli *cli, const char *pattern)
{
        const char **list = realloc(cli->exclude, (cli->n_exclude + 2) * sizeof(*list));

        if (!list)
                return fail(cli, "no-memory", ENOMEM, "parse", NULL, "cannot allocate memory");
        list[cli->n_exclude++] = pattern;
        list[cli->n_exclude] = NULL;
        cli->exclude = list;
        cli->tree.exclude = list;
        return 0;
}

static int read_exclude_file(struct cli *cli, const char *path)
{
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t capacity = 0;
        ssize_t n;
        int code = 0;

        if (!file)
                return fail(cli, errno == ENOENT ? "not-found" : "io", errno, "open", path,
                            "cannot open %s: %s", path, strerror(errno));
        while (!code && (n = getline(&line, &capacity, file)) >= 0) {
                char **owned = realloc(cli->owned, (cli->n_owned + 1) * sizeof(*owned));

                if (n && line[n - 1] == '\n')
                        line[n - 1] = '\0';
                if (owned) {
                        cli->owned = owned;
                        owned[cli->n_owned] = strdup(line);
                }
                if (!owned || !owned[cli->n_owned])
                        code = fail(cli, "no-memory", ENOMEM, "parse", NULL,
                                    "cannot allocate memory");
                else
                        code = add_exclude(cli, owned[cli->n_owned++]);
        }
        if (!code && ferror(file))
                code = fail(cli, "io", errno, "read", path, "cannot read %s: %s", path,
                            strerror(errno));
        free(line);
        fclose(file);
        return code;
}

static int set_color(struct cli *cli, const char *when)
{
        const char *no_color = getenv("NO_COLOR");

        if (!strcmp(when, "always"))
                cli->color = true;
        else if (!strcmp(when, "never"))
                cli->color = false;
        else if (!strcmp(when, "auto"))
                cli->color = isatty(STDOUT_FILENO) && !(no_color && *no_color);
        else
                return fail_usage(cli, "--color: '%s' is none of auto, always and never", when);
        return 0;
}

static int set_digest(struct cli *cli, const char *name)
{
        int r = imgc_digest_algorithm_from_name(name);

        if (r < 0)
                return fail_usage(cli, "--digest: '%s' is none of xxh128 and sha256", name);
        cli->tree.digest = (uint32_t)r;
        return 0;
}

/* Appends to a list that is ended by NULL. */
static int add_name(struct cli *cli, const char ***names, const char *name)
{
        const char **larger;
        size_t n = 0;

        while (*names && (*names)[n])
                n++;
        larger = realloc(*names, (n + 2) * sizeof(*larger));
        if (!larger)
                return fail(cli, "no-memory", ENOMEM, "parse", NULL, "cannot allocate memory");
        larger[n] = name;
        larger[n + 1] = NULL;
        *names = larger;
        return 0;
}

static int set_plan_option(struct cli *cli, int id, const char *argument)
{
        int code = 0;

        switch (id) {
        case OPTION_REBUILD:
                code = add_name(cli, &cli->rebuild, argument);
                break;
        case OPTION_KEEP:
                code = add_name(cli, &cli->keep, argument);
                break;
        case OPTION_ONLY:
                code = add_name(cli, &cli->only, argument);
                break;
        case OPTION_REFRESH:
                cli->plan.flags |= IMGC_PLAN_REFRESH;
                break;
        case OPTION_NO_APPEND:
                cli->plan.flags |= IMGC_PLAN_NO_APPEND;
                break;
        case OPTION_FAIL_ON_REBUILD:
                cli->plan.flags |= IMGC_PLAN_FAIL_ON_REBUILD;
                cli->plan.fail_stage = argument;
                break;
        case OPTION_DOT:
                cli->dot = true;
                break;
        default: /* --store, --no-index: nothing of this verb depends on them */
                break;
        }
        cli->plan.rebuild = cli->rebuild;
        cli->plan.keep = cli->keep;
        cli->plan.only = cli->only;
        return code;
}

/* Takes one option in. Returns 0 or an exit code. */
static int set_option(struct cli *cli, int id, const char *argument)
{
        uint64_t n;
        int code = 0;

        switch (id) {
        case OPTION_JSON:
                cli->json = true;
                break;
        case OPTION_QUIET:
                cli->quiet = true;
                break;
        case OPTION_VERBOSE:
                cli->verbose = true;
                break;
        case OPTION_COLOR:
                return set_color(cli, argument);
        case OPTION_DIGEST:
                return set_digest(cli, argument);
        case OPTION_FIELDS:
                cli->tree.fields = argument;
                break;
        case OPTION_EXCLUDE:
                return add_exclude(cli, argument);
        case OPTION_EXCLUDE_FROM:
                return read_exclude_file(cli, argument);
        case OPTION_ONE_FILESYSTEM:
                cli->tree.flags |= IMGC_TREE_ONE_FILESYSTEM;
                break;
        case OPTION_IGNORE_ROOT:
                cli->tree.flags |= IMGC_TREE_IGNORE_ROOT;
                break;
        case OPTION_UID:
                code = parse_number(cli, "uid", argument, IMGC_ID_KEEP - 1, &n);
                cli->tree.uid = (uint32_t)n;
                break;
        case OPTION_GID:
                code = parse_number(cli, "gid", argument, IMGC_ID_KEEP - 1, &n);
                cli->tree.gid = (uint32_t)n;
                break;
        case OPTION_THREADS:
                code = parse_number(cli, "threads", argument, UINT32_MAX, &n);
                imgc_context_set_threads(cli->context, (uint32_t)n);
                break;
        case OPTION_LIMIT:
                cli->limit_given = true;
                return parse_number(cli, "limit", argument, UINT64_MAX, &cli->limit);
        case OPTION_STAT:
                cli->stat = true;
                break;
        case OPTION_NAME_ONLY:
                cli->name_only = true;
                break;
        case OPTION_INPUT:
                cli->input = argument;
                break;
        case OPTION_OUTPUT:
                cli->output = argument;
                break;
        case OPTION_NO_LISTINGS:
                cli->no_listings = true;
                break;
        case OPTION_SECRET_FILE:
                return read_secret(cli, argument);
        default:
                return set_plan_option(cli, id, argument);
        }
        return code;
}

/* ------------------------------------------------------------------------------ parsing */

struct getopt_tables {
        struct option longs[OPTIONS_MAX];
        size_t n_longs;
        char shorts[OPTIONS_MAX * 2 + 2]; /* letters and colons; the rest is NUL */
        size_t n_shorts;
};

static void add_table(struct getopt_tables *tables, const struct option_spec *specs)
{
        for (; specs && specs->id && tables->n_longs + 1 < OPTIONS_MAX; specs++) {
                tables->longs[tables->n_longs++] = (struct option){
                        .name = specs->name,
                        .has_arg = !specs->argument        ? no_argument :
                                   *specs->argument == '[' ? optional_argument :
                                                             required_argument,
                        .val = specs->id,
                };
                if (specs->id < 256) {
                        tables->shorts[tables->n_shorts++] = (char)specs->id;
                        if (specs->argument)
                                tables->shorts[tables->n_shorts++] = ':';
                }
        }
}

int options_parse(struct cli *cli, int argc, char **argv, int *ret_exit)
{
        /* The colon makes getopt_long() silent, and tells what is missing from what is unknown. */
        struct getopt_tables tables = {.shorts = ":", .n_shorts = 1};
        int id;

        add_table(&tables, cli->verb->options);
        add_table(&tables, cli->verb->more);
        add_table(&tables, common_options);
        set_color(cli, "auto");
        while ((id = getopt_long(argc, argv, tables.shorts, tables.longs, NULL)) != -1) {
                if (id == OPTION_HELP) {
                        options_print_help(cli->verb);
                        *ret_exit = finish_output(cli, EXIT_SAME);
                        return -1;
                }
                if (id == ':')
                        *ret_exit = fail_usage(cli, "%s: option '%s' needs a value",
                                               cli->verb->name, argv[optind - 1]);
                else if (id == '?' && optopt && optopt < 256 && !strchr(tables.shorts, optopt))
                        *ret_exit = fail_usage(cli, "%s: unknown option '-%c'", cli->verb->name,
                                               optopt);
                else if (id == '?')
                        *ret_exit = fail_usage(cli, "%s: unknown or malformed option '%s'",
                                               cli->verb->name, argv[optind - 1]);
                else
                        *ret_exit = set_option(cli, id, optarg);
                if (*ret_exit)
                        return -1;
        }
        return optind;
}

void options_done(struct cli *cli)
{
        for (size_t i = 0; i < cli->n_owned; i++)
                free(cli->owned[i]);
        free(cli->owned);
        free(cli->exclude);
        free(cli->secret);
        free(cli->rebuild);
        free(cli->keep);
        free(cli->only);
}
