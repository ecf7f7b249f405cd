/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plans: what must run, and why.
 *
 * A plan is a pure decision over a project, a manifest of it (as much as could be sealed),
 * and what a store answers: it reads no file, asks no clock and writes nothing. The store is
 * a small set of callbacks, struct imgc_plan_lookup; imgc_memory_store is one that keeps
 * everything in memory, for builders with storage of their own and for tests.
 *
 * A plan is computed once and immutable from then on; it may be shared between threads. It
 * keeps nothing of the store: records are only borrowed while it is computed.
 *
 *     struct imgc_memory_store *store = NULL;
 *     struct imgc_plan_lookup lookup = IMGC_PLAN_LOOKUP_INIT;
 *     struct imgc_plan *plan = NULL;
 *
 *     imgc_memory_store_new(&store, &error);
 *     ... imgc_memory_store_add_record(store, &record, &error) ...
 *     imgc_memory_store_get_lookup(store, &lookup);
 *     r = imgc_plan_project(context, project, NULL, &lookup, NULL, &plan, &error);
 *     if (r >= 0 && imgc_plan_has_work(plan))
 *             imgc_plan_report(plan, NULL, write_to_stdout, NULL, &error);
 *     imgc_plan_unref(plan);
 *     imgc_memory_store_unref(store);
 *
 * doc/decisions.md says how a plan is made.
 */
#ifndef IMAGECACHE_PLAN_H
#define IMAGECACHE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/context.h>
#include <imagecache/error.h>
#include <imagecache/manifest.h>
#include <imagecache/project.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------------ records */

/* One result of a stage. */
struct imgc_record_result {
        const char *name;         /* as the project names it: "root" */
        const char *digest;       /* by the profile "output"; NULL: the result is absent */
        const char *exact_digest; /* by the profile "exact", for verifying; NULL: not known */
};

enum imgc_read_kind {
        IMGC_READ_ROOT = 1,      /* a whole root less what is excluded: its tree digest */
        IMGC_READ_FILE = 2,      /* a file below a root: the digest of its content */
        IMGC_READ_DIRECTORY = 3, /* a directory's names: the digest of their list */
        IMGC_READ_ABSENT = 4,    /* a path that did not exist; no digest */
        IMGC_READ_VARIABLE = 5,  /* an environment variable: digest of its value; NULL: unset */
};

/* One thing that a stage read without having declared what, as it was at its begin. */
struct imgc_read_fact {
        uint32_t kind; /* enum imgc_read_kind */
        uint32_t reserved;
        const char *root;   /* as the stage declares it; NULL of variables */
        const char *path;   /* below the root; of a variable its name; NULL of whole roots */
        const char *digest; /* NULL of what is absent */
};

enum imgc_ancestor_flags {
        /* An earlier snapshot of the stage that this one, or one it stands on, appended to. */
        IMGC_ANCESTOR_APPEND = 1 << 0,
        /* Linked by output from the record itself, or from an ancestor without flags:
         * anything with equal results does in its place. */
        IMGC_ANCESTOR_BY_OUTPUT = 1 << 1,
        /* Reached only through one that is linked by output. Recorded, and not judged. */
        IMGC_ANCESTOR_BEHIND = 1 << 2,
};

/* One stage that a record stands on. An ancestor that is reached by several ways has the
 * flags of the strictest: none, BY_OUTPUT, BEHIND. */
struct imgc_ancestor {
        const char *id;
        const char *scope;
        const char *stage;
        const char *key;
        uint32_t flags; /* enum imgc_ancestor_flags, or-ed */
        uint32_t append_depth;
        uint64_t generation;
        int64_t begin_seconds;
        const char *uid_map;               /* NULL: ids as the initial user namespace has them */
        const char *read_set;              /* names its read set in a store; NULL: none */
        const char *const *result_digests; /* in the order of its results, NULL: absent */
        uint32_t n_results;
        uint32_t reserved;
};

enum imgc_record_flags {
        IMGC_RECORD_SNAPSHOT = 1 << 0, /* its results were stored, not only recorded */
        IMGC_RECORD_EVICTED = 1 << 1,  /* and were collected since: a tombstone */
        IMGC_RECORD_DAMAGED = 1 << 2,  /* its results are not what was recorded */
};

/* What a store knows of one run of a stage. Every commit makes a record; a record may
 * outlive its results. */
struct imgc_record {
        size_t size;    /* sizeof(struct imgc_record) */
        const char *id; /* random, unique in the store; without control characters */
        const char *scope;
        const char *stage;
        const char *key;       /* 64 hexadecimal digits */
        uint64_t generation;   /* of the store at the begin of the stage; imports: 0 */
        int64_t begin_seconds; /* since 1970, at the begin of the stage */
        uint32_t append_depth; /* how many ancestors it was appended to, 0: none */
        uint32_t flags;        /* enum imgc_record_flags, or-ed */
        const char *uid_map;   /* under which it was made; NULL: ids as the initial user
                                * namespace has them */

        /* Evicted or damaged: when, and by which rule ("size limit"); 0 and NULL: not known. */
        int64_t gone_seconds;
        const char *gone_rule;

        /* The stage as its manifest had it: the manifest's first line without `info`; what
         * stood for the stage before in the key, as JSON (NULL: first stage); the line of the
         * stage, those of its inputs (with "stale" and "show" ones) and their listings, each
         * with its line feed. NULL: not kept, so that nothing can be compared or appended. */
        const char *head;
        const char *previous;
        const char *lines;
        size_t lines_bytes;

        const struct imgc_record_result *results;
        size_t n_results;
        const struct imgc_read_fact *reads;
        size_t n_reads;
        /* Every stage it stands on, in the order in which they began: the stages before it in
         * its image, those of linked images, what they stand on, and what it appended to. */
        const struct imgc_ancestor *ancestors;
        size_t n_ancestors;
};

#define IMGC_RECORD_INIT                                                                       \
        {                                                                                      \
                sizeof(struct imgc_record), NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL, 0, NULL, \
                        NULL, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0                         \
        }

/* An output that was made: a file, by the last stage of an image. */
struct imgc_recorded_output {
        size_t size;
        const char *digest; /* of the file's content */
        const char *id;     /* the record of the image's last stage */
};

/* ------------------------------------------------------------------------------ look-up */

/* What the present state of is asked for. */
struct imgc_state_query {
        size_t size;
        uint32_t kind;      /* enum imgc_read_kind; 0: an output of an image */
        uint32_t algorithm; /* enum imgc_digest_algorithm */
        const char *image;
        const char *stage;          /* NULL of outputs */
        const char *root;           /* as in struct imgc_read_fact */
        const char *path;           /* the same; an output as the project names it */
        const char *const *exclude; /* of a root: patterns ended by NULL; NULL: none */
};

/* What a store answers. Each callback returns a positive number for "found", 0 for "there is
 * none" and a negative errno where it cannot tell: what cannot be told is never reused, and the
 * reason is "unreachable". All that is handed out stays borrowed, and must stay as it is, until
 * the call that plans returns. */
struct imgc_plan_lookup {
        size_t size;
        void *userdata;
        /* All records with a key, tombstones included. */
        int (*find_by_key)(void *userdata, const char *key, const struct imgc_record *const **ret,
                           size_t *ret_n);
        /* All records of a stage in a scope, with whatever key. */
        int (*find_by_stage)(void *userdata, const char *scope, const char *stage,
                             const struct imgc_record *const **ret, size_t *ret_n);
        int (*find_by_id)(void *userdata, const char *id, const struct imgc_record **ret);
        /* Records of an earlier generation than the floor are superseded; 0: there is none. */
        int (*get_floor)(void *userdata, const char *scope, const char *stage, uint64_t *ret);
        int (*get_output)(void *userdata, const char *image, const char *path,
                          struct imgc_recorded_output *ret);
        /* The digest of what is there now. */
        int (*get_state)(void *userdata, const struct imgc_state_query *query, const char **ret);
        /* Whether results made under a uid map can be used now; NULL: where the maps are equal. */
        int (*fits_uid_map)(void *userdata, const char *uid_map);
        int64_t now_seconds; /* since 1970 */
        const char *uid_map; /* the present one; NULL: ids as the initial user namespace has them */
};

#define IMGC_PLAN_LOOKUP_INIT                                                                    \
        {                                                                                        \
                sizeof(struct imgc_plan_lookup), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, \
                        0, NULL                                                                  \
        }

/* A store in memory. Filled by one thread; then it may be looked up by several. */
struct imgc_memory_store;

/* Makes an empty one, with the clock at 0 and no uid map.
 * ret: receives the store; the caller's reference.
 * Since: 0.1.0 */
int imgc_memory_store_new(struct imgc_memory_store **ret, struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_memory_store *imgc_memory_store_ref(struct imgc_memory_store *store);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_memory_store *imgc_memory_store_unref(struct imgc_memory_store *store);

/* Adds a copy of a record.
 * Returns 0, -EINVAL (code invalid-argument) for one that is not whole, -EEXIST (the same code)
 * where the store has that id, or -ENOMEM.
 * Since: 0.1.0 */
int imgc_memory_store_add_record(struct imgc_memory_store *store, const struct imgc_record *record,
                                 struct imgc_error **reterr);

/* Sets what became of a record's results. The record stays.
 * flags: all of IMGC_RECORD_…; 0: they were never stored.
 * gone_seconds, gone_rule: as in struct imgc_record; copied.
 * Returns 0, -ENOENT where there is no such record, or -ENOMEM.
 * Since: 0.1.0 */
int imgc_memory_store_set_flags(struct imgc_memory_store *store, const char *id, uint32_t flags,
                                int64_t gone_seconds, const char *gone_rule,
                                struct imgc_error **reterr);

/* Forgets a record. Returns 0 or -ENOENT.
 * Since: 0.1.0 */
int imgc_memory_store_remove_record(struct imgc_memory_store *store, const char *id,
                                    struct imgc_error **reterr);

/* Raises the floor of a stage: what began in an earlier generation is not used any more.
 * Returns 0 or -ENOMEM.
 * Since: 0.1.0 */
int imgc_memory_store_set_floor(struct imgc_memory_store *store, const char *scope,
                                const char *stage, uint64_t generation, struct imgc_error **reterr);

/* Records an output. id: NULL forgets it.
 * Since: 0.1.0 */
int imgc_memory_store_set_output(struct imgc_memory_store *store, const char *image,
                                 const char *path, const char *digest, const char *id,
                                 struct imgc_error **reterr);

/* Says what is there now; what nothing was said of is absent.
 * kind: enum imgc_read_kind, or 0 for an output.
 * root: as in struct imgc_read_fact; of an output the image.
 * path: the same; NULL of whole roots.
 * digest: NULL: absent.
 * Since: 0.1.0 */
int imgc_memory_store_set_state(struct imgc_memory_store *store, uint32_t kind, const char *root,
                                const char *path, const char *digest, struct imgc_error **reterr);

/* Sets the clock, and the present uid map (copied; NULL: none).
 * Since: 0.1.0 */
void imgc_memory_store_set_now(struct imgc_memory_store *store, int64_t now_seconds);
int imgc_memory_store_set_uid_map(struct imgc_memory_store *store, const char *uid_map,
                                  struct imgc_error **reterr);

/* Makes a look-up of what the store has, with its clock and uid map as they are now. The store
 * must stay as it is while the look-up is used.
 * Since: 0.1.0 */
void imgc_memory_store_get_lookup(struct imgc_memory_store *store, struct imgc_plan_lookup *ret);

/* ------------------------------------------------------------------------------ planning */

enum imgc_plan_flags {
        IMGC_PLAN_REFRESH = 1 << 0,         /* run stages again whose "stale" inputs changed */
        IMGC_PLAN_NO_APPEND = 1 << 1,       /* never append */
        IMGC_PLAN_FAIL_ON_REBUILD = 1 << 2, /* see imgc_plan_get_refusal() */
};

/* Images and stages are given by name: "IMAGE" or, for `rebuild`, "IMAGE:STAGE" as well. Arrays
 * are ended by NULL; NULL is an empty one. */
struct imgc_plan_options {
        size_t size;
        uint32_t flags; /* enum imgc_plan_flags, or-ed */
        uint32_t reserved;
        const char *const *rebuild; /* run again: all stages of an image, or one and what follows */
        const char *const *keep;    /* take as it is, and what stands on it by what made it */
        const char *const *only;    /* what else is there only serves these */
        /* With IMGC_PLAN_FAIL_ON_REBUILD: the stage that must not run; NULL: no image may be
         * built from its first stage on. */
        const char *fail_stage;
};

#define IMGC_PLAN_OPTIONS_INIT                                                 \
        {                                                                      \
                sizeof(struct imgc_plan_options), 0, 0, NULL, NULL, NULL, NULL \
        }

struct imgc_plan;

/* Decides over a manifest as it is. Stages of the project that the manifest does not have make
 * the plan tentative.
 *
 * manifest: a whole one or one of a sealer; NULL: nothing is sealed. Its keys are taken as they
 *     are, those of links by output included.
 * lookup: required.
 * options: NULL means the defaults.
 * ret: receives the plan; the caller's reference.
 *
 * Returns 0 or a negative errno: -EINVAL (code invalid-argument) where an option names what is
 * not in the project, or a manifest of another project is given; -ENOENT (not-found) where an
 * image is to be kept whose outputs nothing is known of; -ECANCELED; -ENOMEM.
 * Since: 0.1.0 */
int imgc_plan_new(struct imgc_context *context, struct imgc_project *project,
                  struct imgc_manifest *manifest, const struct imgc_plan_lookup *lookup,
                  const struct imgc_plan_options *options, struct imgc_plan **ret,
                  struct imgc_error **reterr);

/* Reads the inputs of a project and plans: what can be sealed now is sealed, links by output
 * are followed as far as records know the results. An input that does not exist leaves the plan
 * tentative where something has yet to run that may make it: an earlier stage of the image, or
 * an earlier image that has the path among its outputs.
 *
 * seal: as for imgc_manifest_seal().
 *
 * Returns as imgc_plan_new() and imgc_manifest_seal().
 * Since: 0.1.0 */
int imgc_plan_project(struct imgc_context *context, struct imgc_project *project,
                      const struct imgc_seal_options *seal, const struct imgc_plan_lookup *lookup,
                      const struct imgc_plan_options *options, struct imgc_plan **ret,
                      struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_plan *imgc_plan_ref(struct imgc_plan *plan);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_plan *imgc_plan_unref(struct imgc_plan *plan);

/* 1 where a stage must run (or may have to), or an output is missing; else 0.
 * Since: 0.1.0 */
int imgc_plan_has_work(const struct imgc_plan *plan);

/* What IMGC_PLAN_FAIL_ON_REBUILD forbids and the plan has.
 * ret_image, ret_stage: receive the names, borrowed; may be NULL.
 * Returns 1, or 0 where the plan has nothing of that.
 * Since: 0.1.0 */
int imgc_plan_get_refusal(const struct imgc_plan *plan, const char **ret_image,
                          const char **ret_stage);

enum imgc_decision {
        IMGC_DECISION_UP_TO_DATE = 1, /* "up-to-date" nothing runs */
        IMGC_DECISION_RESUME = 2,     /* "resume"     restore a snapshot, run what follows it */
        IMGC_DECISION_APPEND = 3,  /* "append"     restore one of the same stage, and add to it */
        IMGC_DECISION_REBUILD = 4, /* "rebuild"    run all stages */
        IMGC_DECISION_NOT_NEEDED = 5, /* "not-needed" nobody asks for it */
        IMGC_DECISION_KEPT = 6,       /* "kept"       left alone, as was asked */
};

/* The word of a decision; NULL for an unknown one. Static.
 * Since: 0.1.0 */
const char *imgc_decision_get_name(enum imgc_decision decision);

enum imgc_output_state {
        IMGC_OUTPUT_VALID = 1,    /* "valid"    as recorded, and made by what is still right */
        IMGC_OUTPUT_MISSING = 2,  /* "missing"  not there */
        IMGC_OUTPUT_CHANGED = 3,  /* "changed"  not what was recorded, or nothing was */
        IMGC_OUTPUT_OUTDATED = 4, /* "outdated" as recorded, but made by what must run again */
};

/* The word of a state; NULL for an unknown one. Static.
 * Since: 0.1.0 */
const char *imgc_output_state_get_name(enum imgc_output_state state);

/* The decision for an image. Strings are borrowed from the plan, and NULL where they do not
 * apply. */
struct imgc_plan_image {
        size_t size; /* set by the caller */
        const char *image;
        uint32_t decision;  /* enum imgc_decision */
        uint32_t tentative; /* 1: a stage could not be sealed yet */
        /* The snapshot to restore. Of an image that is up to date: the one that serves those who
         * ask for it. The id is NULL where an earlier image of the scope makes it first. */
        const char *restore_stage;
        const char *restore_key;
        const char *restore_id;
        uint32_t n_run;     /* stages that run */
        uint32_t n_certain; /* the first of them, which run whatever comes out of others */
        uint32_t first_run; /* number of the first in the project's image */
        uint32_t n_appends; /* items that an append adds */
        uint32_t n_outputs;
        uint32_t n_stale;
        uint32_t n_reasons;
        uint32_t reserved;
};

#define IMGC_PLAN_IMAGE_INIT                                                                       \
        {                                                                                          \
                sizeof(struct imgc_plan_image), NULL, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, \
                        0                                                                          \
        }

/* Images by number, in the project's order.
 * ret: `size` is set by the caller.
 * Returns 0, or -ERANGE where there is no such image.
 * Since: 0.1.0 */
uint32_t imgc_plan_get_n_images(const struct imgc_plan *plan);
int imgc_plan_get_image(const struct imgc_plan *plan, uint32_t image, struct imgc_plan_image *ret);

/* The stages to run by number; NULL where there is no such stage. Borrowed.
 * Since: 0.1.0 */
const char *imgc_plan_get_run(const struct imgc_plan *plan, uint32_t image, uint32_t index);

/* What an append adds: an input, and an item that is new in it. Borrowed.
 * Returns 0 or -ERANGE.
 * Since: 0.1.0 */
int imgc_plan_get_append(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                         const char **ret_input, const char **ret_item);

/* Outputs as the project names them. Borrowed.
 * Returns enum imgc_output_state, or -ERANGE.
 * Since: 0.1.0 */
int imgc_plan_get_output(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                         const char **ret_path);

/* ------------------------------------------------------------------------------ reasons */

enum imgc_reason_code {
        IMGC_REASON_NEVER_BUILT = 1,   /* "never-built"     no record of the stage */
        IMGC_REASON_INPUT_ADDED = 2,   /* "input-added"     */
        IMGC_REASON_INPUT_REMOVED = 3, /* "input-removed"   */
        IMGC_REASON_INPUT_CHANGED = 4, /* "input-changed"   path, attribute: what in a tree */
        IMGC_REASON_INPUT_MOVED = 5,   /* "input-moved"     in another order */
        IMGC_REASON_STAGE_ADDED = 6,   /* "stage-added"     */
        IMGC_REASON_STAGE_REMOVED = 7, /* "stage-removed"   */
        IMGC_REASON_STAGE_MOVED = 8,   /* "stage-moved"     in another order */
        IMGC_REASON_UPSTREAM = 9,      /* "upstream"        image, stage, …: what changed there */
        IMGC_REASON_BUILDER = 10,      /* "builder"         another builder, or version of it */
        IMGC_REASON_FORMAT = 11,       /* "format"          other keys: name, digest, settings */
        IMGC_REASON_FORCED = 12,       /* "forced"          asked for */
        IMGC_REASON_REFRESHED = 13,    /* "refreshed"       asked for, and a stale input changed */
        IMGC_REASON_EVICTED = 14,      /* "evicted"         old: the time, new: the rule */
        IMGC_REASON_UNREACHABLE = 15,  /* "unreachable"     the store could not answer */
        IMGC_REASON_OUTPUT_MISSING = 16, /* "output-missing"  path: which */
        IMGC_REASON_OUTPUT_CHANGED = 17, /* "output-changed"  */
        IMGC_REASON_READ_CHANGED = 18, /* "read-changed"    input: the root, path: what was read */
        IMGC_REASON_SUPERSEDED = 19,   /* "superseded"      below the stage's floor */
        IMGC_REASON_EXPIRED = 20, /* "expired"         old: its time, new: the oldest allowed */
        IMGC_REASON_DAMAGED = 21, /* "damaged"         */
        IMGC_REASON_APPEND_LIMIT =
                22,              /* "append-limit"    old: the chain's length, new: the limit */
        IMGC_REASON_ID_MAP = 23, /* "id-map"          */
        IMGC_REASON_NO_SNAPSHOT = 24, /* "no-snapshot"     it ran, and nothing of it is kept */
        IMGC_REASON_TENTATIVE = 25,   /* "tentative"       the stage cannot be sealed yet */
};

/* The word of a code; NULL for an unknown one. Static.
 * Since: 0.1.0 */
const char *imgc_reason_code_get_name(enum imgc_reason_code code);

/* One reason. Strings are borrowed from the plan, and NULL where they do not apply. */
struct imgc_reason {
        size_t size;   /* set by the caller */
        uint32_t code; /* enum imgc_reason_code */
        /* Upstream: the code of what happened there; else 0. */
        uint32_t cause;
        const char *image; /* where it happened */
        const char *stage;
        const char *input;
        const char *path;      /* the kernel's bytes */
        const char *attribute; /* as a diff has it: "content", "added", "removed", "moved" */
        const char *old_value;
        const char *new_value;
};

#define IMGC_REASON_INIT                                                                   \
        {                                                                                  \
                sizeof(struct imgc_reason), 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL \
        }

/* Why an image is not up to date, most telling first; and what is stale in results that are
 * used all the same.
 * ret: `size` is set by the caller.
 * Returns 0, or -ERANGE where there is no such reason.
 * Since: 0.1.0 */
int imgc_plan_get_reason(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                         struct imgc_reason *ret);
int imgc_plan_get_stale(const struct imgc_plan *plan, uint32_t image, uint32_t index,
                        struct imgc_reason *ret);

/* ------------------------------------------------------------------------------ reports */

enum imgc_plan_format {
        IMGC_PLAN_TEXT = 0, /* for people */
        IMGC_PLAN_JSON = 1, /* one line of JSON, ended by a line feed: doc/plan.schema.json */
        IMGC_PLAN_DOT = 2,  /* the graph of images and stages, for graphviz */
};

enum imgc_plan_report_flags {
        IMGC_PLAN_REPORT_COLOR = 1 << 0,   /* text: colour by ECMA-48 sequences */
        IMGC_PLAN_REPORT_VERBOSE = 1 << 1, /* text: every reason, whole values */
};

struct imgc_plan_report_options {
        size_t size;
        uint32_t format; /* enum imgc_plan_format */
        uint32_t flags;  /* enum imgc_plan_report_flags, or-ed */
        uint64_t limit;  /* text: at most so many lines of reasons an image, 0 is no limit */
};

#define IMGC_PLAN_REPORT_LIMIT_DEFAULT 12
#define IMGC_PLAN_REPORT_OPTIONS_INIT                                                         \
        {                                                                                     \
                sizeof(struct imgc_plan_report_options), 0, 0, IMGC_PLAN_REPORT_LIMIT_DEFAULT \
        }

/* Writes a plan as a report. What is not printable is made visible in text.
 * options: NULL means the defaults.
 * Returns 0, what the callback returned, -EINVAL or -ENOMEM.
 * Since: 0.1.0 */
int imgc_plan_report(const struct imgc_plan *plan, const struct imgc_plan_report_options *options,
                     imgc_write_fn write, void *userdata, struct imgc_error **reterr);

#ifdef __cplusplus
}
#endif

#endif
