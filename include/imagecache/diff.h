/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Diffs: what changed between two things that were read.
 *
 * A diff is computed once and immutable from then on; it may be shared between
 * threads. It keeps references to what it compares. Changes come in the order of
 * their telling: a tree's in the order of its listing.
 *
 *     struct imgc_diff *diff = NULL;
 *     r = imgc_diff_trees(context, before, after, &diff, &error);
 *     if (r >= 0 && !imgc_diff_is_equal(diff))
 *             imgc_diff_report(diff, NULL, write_to_stdout, NULL, &error);
 *     imgc_diff_unref(diff);
 */
#ifndef IMAGECACHE_DIFF_H
#define IMAGECACHE_DIFF_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/context.h>
#include <imagecache/error.h>
#include <imagecache/manifest.h>
#include <imagecache/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imgc_diff;

enum imgc_change_kind {
        IMGC_CHANGE_ENTRY_ADDED = 1,     /* "entry-added" */
        IMGC_CHANGE_ENTRY_REMOVED = 2,   /* "entry-removed" */
        IMGC_CHANGE_ENTRY_MOVED = 3,     /* "entry-moved" */
        IMGC_CHANGE_ENTRY_CHANGED = 4,   /* "entry-changed" */
        IMGC_CHANGE_PROJECT_CHANGED = 5, /* "project-changed": a member of its own */
        IMGC_CHANGE_IMAGE_ADDED = 6,     /* "image-added" */
        IMGC_CHANGE_IMAGE_REMOVED = 7,   /* "image-removed" */
        IMGC_CHANGE_IMAGE_MOVED = 8,     /* "image-moved": its place among the others */
        IMGC_CHANGE_IMAGE_CHANGED = 9,   /* "image-changed" */
        IMGC_CHANGE_STAGE_ADDED = 10,    /* "stage-added" */
        IMGC_CHANGE_STAGE_REMOVED = 11,  /* "stage-removed" */
        IMGC_CHANGE_STAGE_MOVED = 12,    /* "stage-moved" */
        IMGC_CHANGE_STAGE_CHANGED = 13,  /* "stage-changed" */
        IMGC_CHANGE_INPUT_ADDED = 14,    /* "input-added" */
        IMGC_CHANGE_INPUT_REMOVED = 15,  /* "input-removed" */
        IMGC_CHANGE_INPUT_MOVED = 16,    /* "input-moved" */
        IMGC_CHANGE_INPUT_CHANGED = 17,  /* "input-changed" */
        IMGC_CHANGE_ITEM_ADDED = 18,     /* "item-added": to a list or set */
        IMGC_CHANGE_ITEM_REMOVED = 19,   /* "item-removed" */
};

/* One change. Strings are NULL where a member does not apply. */
struct imgc_change {
        size_t size;           /* sizeof(struct imgc_change) of the library */
        uint32_t kind;         /* enum imgc_change_kind */
        const char *image;     /* NULL for trees */
        const char *stage;     /* NULL for trees */
        const char *input;     /* NULL for trees */
        const char *path;      /* entry-…: the kernel's bytes, no "./", the root is "."; of a
                                * moved entry the new path */
        const char *attribute; /* entry-changed: the listing's keyword, "content" for the digest;
                                * other …-changed: a member of the manifest's line */
        /* entry-changed: spelt as in the listing; entry-moved: paths; other …-changed, item-…:
         * canonical JSON; other …-moved: the position among its siblings, from 1. */
        const char *old_value;
        const char *new_value;
};

/* Compares two trees. Both must have their listings.
 * Fields that only one of them has, and digests of different algorithms, are left out
 * of the comparison; imgc_diff_get_left_out() names them. Hard links are resolved:
 * every name of a changed file is reported.
 * ret: receives the diff; the caller's reference.
 * Returns 0, -ENODATA (no listing), -ECANCELED or -ENOMEM.
 * Since: 0.1.0 */
int imgc_diff_trees(struct imgc_context *context, struct imgc_tree *old_tree,
                    struct imgc_tree *new_tree, struct imgc_diff **ret, struct imgc_error **reterr);

/* Compares two manifests: the project's own members, images, stages, inputs, and what trees
 * hold. Members in `info` do not count. Of images, stages and inputs that only one side has,
 * no more than that is told; a tree whose listing one side did not keep is an
 * input-changed of its "digest". The order is that of the new manifest, what is most telling
 * first: images, then stages, then inputs, then entries.
 * ret: receives the diff; the caller's reference.
 * Returns 0, -ECANCELED or -ENOMEM.
 * Since: 0.1.0 */
int imgc_diff_manifests(struct imgc_context *context, struct imgc_manifest *old_manifest,
                        struct imgc_manifest *new_manifest, struct imgc_diff **ret,
                        struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_diff *imgc_diff_ref(struct imgc_diff *diff);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_diff *imgc_diff_unref(struct imgc_diff *diff);

/* 1 where nothing that was compared differs, else 0.
 * Since: 0.1.0 */
int imgc_diff_is_equal(const struct imgc_diff *diff);

/* Since: 0.1.0 */
uint64_t imgc_diff_get_n_changes(const struct imgc_diff *diff);

/* The names of the fields that were compared in entries, and of those that were left out
 * because only one side has them; of manifests, in any tree. Arrays of strings, ended by NULL; borrowed.
 * Since: 0.1.0 */
const char *const *imgc_diff_get_compared(const struct imgc_diff *diff);
const char *const *imgc_diff_get_left_out(const struct imgc_diff *diff);

/* The stable word for a kind of change, such as "entry-added"; NULL for an unknown
 * one. Static.
 * Since: 0.1.0 */
const char *imgc_change_kind_get_name(enum imgc_change_kind kind);

/* A walk over the changes. For one thread at a time; several may walk one diff. */
struct imgc_diff_iterator;

/* Starts before the first change.
 * ret: receives the iterator; the caller's, to be freed with
 *     imgc_diff_iterator_free(). It holds a reference to the diff.
 * Since: 0.1.0 */
int imgc_diff_iterator_new(struct imgc_diff *diff, struct imgc_diff_iterator **ret,
                           struct imgc_error **reterr);

/* NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_diff_iterator *imgc_diff_iterator_free(struct imgc_diff_iterator *iterator);

/* Goes to the next change.
 * ret: receives a pointer to it, borrowed until the next step.
 * Returns 1, 0 behind the last one, or -ENOMEM.
 * Since: 0.1.0 */
int imgc_diff_iterator_next(struct imgc_diff_iterator *iterator, const struct imgc_change **ret,
                            struct imgc_error **reterr);

enum imgc_report_format {
        IMGC_REPORT_TEXT = 0, /* for people */
        IMGC_REPORT_JSON = 1, /* one line of JSON, ended by a line feed; doc/format.md */
};

enum imgc_report_flags {
        IMGC_REPORT_COLOR = 1 << 0,     /* text: colour by ECMA-48 sequences */
        IMGC_REPORT_STAT = 1 << 1,      /* text: numbers only */
        IMGC_REPORT_NAME_ONLY = 1 << 2, /* text: names and paths only, without a limit */
        IMGC_REPORT_VERBOSE = 1 << 3,   /* text: everything; no folding, no limit, whole values */
};

struct imgc_report_options {
        size_t size;     /* sizeof(struct imgc_report_options) */
        uint32_t format; /* enum imgc_report_format */
        uint32_t flags;  /* enum imgc_report_flags, or-ed */
        uint64_t limit;  /* text: at most so many lines of changes, 0 is no limit */
};

#define IMGC_REPORT_LIMIT_DEFAULT 40
#define IMGC_REPORT_OPTIONS_INIT                                                    \
        {                                                                           \
                sizeof(struct imgc_report_options), 0, 0, IMGC_REPORT_LIMIT_DEFAULT \
        }

/* Writes a diff as a report. Control characters and bytes that are not UTF-8 are made
 * visible in text, so that a name cannot drive a terminal.
 * options: NULL means the defaults.
 * Returns 0, what the callback returned, -EINVAL or -ENOMEM.
 * Since: 0.1.0 */
int imgc_diff_report(struct imgc_diff *diff, const struct imgc_report_options *options,
                     imgc_write_fn write, void *userdata, struct imgc_error **reterr);

#ifdef __cplusplus
}
#endif

#endif
