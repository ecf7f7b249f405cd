/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object that a comparison fills, passes work on, and reports print. Passes never print,
 * printers never decide.
 */
#pragma once

#include <stdatomic.h>

#include <imagecache/diff.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "tree/line.h"
#include "tree/tree.h"

#define NOWHERE UINT64_MAX

/* Where changes are: in which image, stage and input (NULL where that does not apply), and for
 * changes of entries between which listings. */
struct place {
        const char *image, *stage, *input;
        struct listing old_listing, new_listing;
        bool old_is_mapped, new_is_mapped; /* from a file, so that memory can be given back */
        fields_t compared;
};

/* One change. Of an entry as offsets into listings: strings are made when somebody asks. */
struct change {
        uint8_t kind;    /* enum imgc_change_kind */
        uint8_t keyword; /* entry-changed: enum keyword */
        uint32_t place;
        uint64_t entry; /* the entry's line, in the new listing; of a removed one in the old;
                                  * of others than entries: the number of its texts */
        uint64_t old_at, new_at; /* entry-changed: the attribute " keyword=value", or NOWHERE;
                                  * entry-moved: old_at is the old line */
};

/* What a change says that is not about an entry; NULL where that does not apply. */
struct change_text {
        const char *attribute, *old_value, *new_value;
};

struct imgc_diff {
        atomic_uint references;
        struct imgc_tree *old_tree, *new_tree;
        struct imgc_manifest *old_manifest, *new_manifest;
        struct arena arena;   /* strings of texts */
        struct buffer places; /* struct place */
        struct buffer texts;  /* struct change_text */
        struct change *changes;
        uint64_t n_changes, changes_capacity;
        fields_t fields_compared, fields_left_out;
        const char *compared[N_FIELDS + 1], *left_out[N_FIELDS + 1];
};

static inline const struct place *diff_place(const struct imgc_diff *diff,
                                             const struct change *change)
{
        return (const struct place *)(const void *)diff->places.data + change->place;
}

static inline const struct change_text *diff_text(const struct imgc_diff *diff,
                                                  const struct change *change)
{
        return (const struct change_text *)(const void *)diff->texts.data + change->entry;
}

static inline bool change_is_of_entry(const struct change *change)
{
        return change->kind <= IMGC_CHANGE_ENTRY_CHANGED;
}

/* The attributes of an entry, hard links resolved, in the order of keywords. */
struct attributes {
        struct buffer list; /* struct attribute */
        bool bare;
};

static inline size_t attributes_count(const struct attributes *a)
{
        return a->list.size / sizeof(struct attribute);
}

static inline const struct attribute *attributes_at(const struct attributes *a, size_t i)
{
        return (const struct attribute *)(const void *)a->list.data + i;
}

/* Reads those attributes of a line that are compared. */
int attributes_read(const struct listing *listing, const struct line *line, fields_t compared,
                    struct attributes *ret);

DEFINE_CLEANUP(struct imgc_diff *, imgc_diff_unref)

int diff_new(struct imgc_diff **ret);
/* Which fields two listings are compared by; notes what is left out. */
fields_t diff_fields(struct imgc_diff *diff, const struct listing *x, const struct listing *y);
/* After the last change: runs the passes. */
int diff_finish(struct imgc_diff *diff);
/* The error of a comparison that failed. */
int diff_fail(int r, struct imgc_error **reterr);

int diff_add(struct imgc_diff *diff, const struct change *change);

/* Enters a place. Returns its number, or -ENOMEM. */
int64_t diff_add_place(struct imgc_diff *diff, const struct place *place);
/* Adds a change that is not about an entry. */
int diff_add_text(struct imgc_diff *diff, enum imgc_change_kind kind, uint32_t place,
                  const struct change_text *text);

/* Takes the listings of a place in, and adds the changes between them in their order. */
int diff_compare_listings(struct imgc_context *context, struct imgc_diff *diff,
                          const struct place *place);

/* Turns a removed and an added entry that are one file into a moved one. */
int diff_find_moves(struct imgc_diff *diff);

/* An attribute's name and value from where a change found it. */
bool change_attribute(const struct listing *listing, uint64_t at, struct attribute *ret);
/* The line of the entry that a change is about. */
void change_line(const struct imgc_diff *diff, const struct change *change, struct line *ret);
/* The name that the public calls use: "content" for the digest. */
struct span attribute_public_name(const struct attribute *attribute);
