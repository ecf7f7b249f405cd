/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The object that a comparison fills, passes work on, and reports print. Passes never print,
 * printers never decide.
 */
#pragma once

#include <stdatomic.h>

#include <imagecache/diff.h>

#include "core/buffer.h"
#include "tree/line.h"
#include "tree/tree.h"

#define NOWHERE UINT64_MAX

/* Two listings that are compared, and of what. */
struct pair_of_listings {
        struct listing old_listing, new_listing;
        fields_t compared;
        const char *image, *stage, *input; /* NULL for trees */
};

/* One change of an entry, as offsets: strings are made when somebody asks. */
struct change {
        uint8_t kind;    /* enum imgc_change_kind */
        uint8_t keyword; /* entry-changed: enum keyword */
        uint32_t pair;
        uint64_t entry;          /* the entry's line, in the new listing; of a removed one in the old */
        uint64_t old_at, new_at; /* entry-changed: the attribute " keyword=value", or NOWHERE;
                                  * entry-moved: old_at is the old line */
};

struct imgc_diff {
        atomic_uint references;
        struct imgc_tree *old_tree, *new_tree;
        struct pair_of_listings *pairs;
        uint32_t n_pairs;
        struct change *changes;
        uint64_t n_changes, changes_capacity;
        const char *compared[N_FIELDS + 1], *left_out[N_FIELDS + 1];
};

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

int diff_add(struct imgc_diff *diff, const struct change *change);

/* Adds the changes between the listings of a pair, in their order. */
int diff_compare_pair(struct imgc_context *context, struct imgc_diff *diff, uint32_t pair);

/* Turns a removed and an added entry that are one file into a moved one. */
int diff_find_moves(struct imgc_diff *diff);

/* An attribute's name and value from where a change found it. */
bool change_attribute(const struct listing *listing, uint64_t at, struct attribute *ret);
/* The line of the entry that a change is about. */
void change_line(const struct imgc_diff *diff, const struct change *change, struct line *ret);
/* The name that the public calls use: "content" for the digest. */
struct span attribute_public_name(const struct attribute *attribute);

/* One function a report; `write` as in imgc_diff_report(). */
struct report {
        struct imgc_diff *diff;
        struct imgc_report_options options;
        imgc_write_fn write;
        void *userdata;
        struct buffer out;
};

int report_json(struct report *report);
int report_text(struct report *report);
/* Hands over what has gathered; `force` even if it is little. */
int report_flush(struct report *report, bool force);
