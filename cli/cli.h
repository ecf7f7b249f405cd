/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command line: a thin client of the installed headers.
 *
 * main.c finds the verb, options.c reads its options by the verb's own table, cmd-VERB.c does
 * the work. Data goes to standard output, words to standard error. Exit codes are those of
 * diff(1): 0 same or done, 1 different or to do, 2 trouble.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <imagecache/imagecache.h>

enum exit_code {
        EXIT_SAME = 0,
        EXIT_DIFFERENT = 1,
        EXIT_TROUBLE = 2,
};

/* Options are numbers; those below 256 are their letters. */
enum option_id {
        OPTION_HELP = 'h',
        OPTION_ONE_FILESYSTEM = 'x',
        OPTION_OUTPUT = 'o',
        OPTION_QUIET = 'q',
        OPTION_VERBOSE = 'v',
        OPTION_COLOR = 256,
        OPTION_DIGEST,
        OPTION_DOT,
        OPTION_EXCLUDE,
        OPTION_EXCLUDE_FROM,
        OPTION_FAIL_ON_REBUILD,
        OPTION_FIELDS,
        OPTION_GID,
        OPTION_IGNORE_ROOT,
        OPTION_INPUT,
        OPTION_JSON,
        OPTION_KEEP,
        OPTION_LIMIT,
        OPTION_NAME_ONLY,
        OPTION_NO_APPEND,
        OPTION_NO_INDEX,
        OPTION_NO_LISTINGS,
        OPTION_ONLY,
        OPTION_REBUILD,
        OPTION_REFRESH,
        OPTION_SECRET_FILE,
        OPTION_STAT,
        OPTION_STORE,
        OPTION_THREADS,
        OPTION_UID,
};

struct option_spec {
        int id;               /* enum option_id; 0 ends a table */
        const char *name;     /* "digest" */
        const char *argument; /* "ALGORITHM", "[=STAGE]" if it may be left out, or NULL */
        const char *help;
};

struct cli;

struct verb {
        const char *name;
        const char *arguments;             /* "PATH…" */
        const char *summary;               /* one line */
        const char *description;           /* a paragraph */
        const struct option_spec *options; /* beside the common ones */
        const struct option_spec *more;    /* another table, or NULL */
        int min_arguments, max_arguments;  /* max -1: any number */
        int (*run)(struct cli *cli, char **arguments, int n_arguments);
};

struct cli {
        const struct verb *verb;
        struct imgc_context *context;
        bool json, quiet, verbose;
        bool color;

        struct imgc_tree_options tree;
        const char **exclude; /* ended by NULL; tree.exclude */
        size_t n_exclude;
        char **owned; /* patterns that were read from files */
        size_t n_owned;

        bool stat, name_only;
        uint64_t limit;
        bool limit_given;
        const char *input; /* of a manifest: IMAGE/STAGE/INPUT */

        const char *output; /* a file to write to, or NULL */
        bool no_listings;
        char *secret;
        size_t secret_bytes;

        struct imgc_plan_options plan;
        const char **rebuild, **keep, **only; /* ended by NULL; those of `plan` */
        bool dot;
};

extern const struct verb verb_diff, verb_hash, verb_list, verb_manifest, verb_plan;

extern const struct option_spec common_options[], tree_options[];

/* options.c */

/* Reads a verb's options. Returns the index of the first argument that is none, or a negative
 * number where *ret_exit is the exit code to end with. */
int options_parse(struct cli *cli, int argc, char **argv, int *ret_exit);
void options_done(struct cli *cli);
/* A verb's help, within 80 columns. */
void options_print_help(const struct verb *verb);

/* output.c */

/* Prints "imagecache: …" or JSON on standard error; takes the error over. Returns EXIT_TROUBLE. */
int fail_error(struct cli *cli, struct imgc_error *error);
/* The same for the command line's own troubles. code: a word of imagecache/error.h. */
int fail(struct cli *cli, const char *code, int number, const char *operation, const char *path,
         const char *format, ...) __attribute__((format(printf, 6, 7)));
/* A mistake of whoever typed it, with a pointer to the help. */
int fail_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For imgc_diff_report(): to standard output. */
int write_to_stdout(void *userdata, const void *data, size_t data_bytes);
/* Flushes standard output: EXIT_TROUBLE where that fails, else `code`. */
int finish_output(struct cli *cli, int code);
/* A string as JSON on standard output; {"base64":…} of what is not UTF-8. */
void print_json_string(const char *s);

/* progress.c */

/* Shows the progress of long calls on a terminal. */
void progress_start(struct cli *cli);
/* Wipes what was shown; before any other output. */
void progress_clear(void);

/* trees.c */

/* Reads an operand; "-" is a listing on standard input. NULL on failure, which has been told. */
struct imgc_tree *read_tree(struct cli *cli, const char *path,
                            const struct imgc_tree_options *options);
/* The same, but a listing is taken as it is, whatever the options are. */
struct imgc_tree *read_operand(struct cli *cli, const char *path,
                               const struct imgc_tree_options *options);
/* Reads standard input: a listing or, where ret_manifest is not NULL, a manifest; one of the two
 * is set. Returns an exit code. */
int read_from_stdin(struct cli *cli, struct imgc_tree **ret_tree,
                    struct imgc_manifest **ret_manifest);
/* Whether a regular file begins so. */
bool begins_with(const char *path, const char *magic);
/* Whether a file begins like a listing: then it stands for the tree that it lists. */
bool is_listing(const char *path);
/* Whether an operand is a regular file or standard input. */
bool is_file(const char *path);

/* projects.c */

/* NULL on failure, which has been told; "-" is standard input. */
struct imgc_project *read_project(struct cli *cli, const char *path);
/* Whether a file says that it is a manifest. */
bool is_manifest(const char *path);
/* NULL on failure, which has been told. */
struct imgc_manifest *read_manifest(struct cli *cli, const char *path);
/* For imgc_seal_options: the environment. */
const char *get_env(void *userdata, const char *name);
/* Reads the key of secrets. Returns 0 or an exit code. */
int read_secret(struct cli *cli, const char *path);
