/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a walk has found: directories with their entries in order, until the listing is
 * written from them.
 *
 * A directory's descriptor stays open while entries of it wait to be read, so that each
 * entry is opened by its name in the very directory that was listed. In a tree that is very
 * deep that would be too many: then the descriptors used longest ago are closed, and opened
 * again later by names, checked to be the same directories, unchanged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "core/buffer.h"

struct group;
struct node;

enum entry_kind {
        ENTRY_WAITING, /* not read yet */
        ENTRY_PLAIN,   /* `text` */
        ENTRY_NODE,    /* `node`: a directory that was entered */
        ENTRY_GROUP,   /* `group`: one of several hard links */
};

struct entry {
        union {
                const char *text; /* " type=… …\n" */
                struct node *node;
                struct group *group;
        };
        uint32_t name; /* offset into the names of its directory */
        uint8_t kind;  /* enum entry_kind */
        uint8_t type;  /* DT_… as the directory says */
};

struct node {
        struct node *parent;
        const char *name; /* "" of the root */
        const char *text; /* the directory's own line behind its name */
        const char *names;
        struct entry *entries;
        uint32_t n_entries;
        uint32_t depth;

        /* Which directory it is, and its state before it was listed. */
        struct stat stat;

        /* Guarded by the lock of `struct open_nodes`. */
        int fd;
        uint32_t ranges; /* parts of `entries` not dealt with */
        uint32_t pins;   /* users of fd at this moment */
        struct node *older, *newer;
};

/* The nodes whose descriptors are open, and how many of them there may be. */
struct open_nodes {
        pthread_mutex_t lock;
        struct node *oldest, *newest;
        uint32_t n_open, budget;
};

static inline const char *entry_name(const struct node *node, const struct entry *entry)
{
        return node->names + entry->name;
}

void open_nodes_init(struct open_nodes *nodes);
void open_nodes_done(struct open_nodes *nodes);

/* Enters a node with its open descriptor, `ranges` parts of it waiting and one user: the
 * caller. */
void node_open(struct open_nodes *nodes, struct node *node, uint32_t ranges);

/* Makes sure that the node's descriptor is open, and stays so until it is unpinned. -ESTALE: it
 * is no longer there, or another one, or changed. */
int node_pin(struct open_nodes *nodes, struct node *node);
void node_unpin(struct open_nodes *nodes, struct node *node);

/* One more part of a pinned node waits. */
void node_add_range(struct open_nodes *nodes, struct node *node);

/* One part of a pinned node has been dealt with; unpins it. After the last part the directory
 * must be as it was when it was listed (-ESTALE), and its descriptor is closed. */
int node_finish_range(struct open_nodes *nodes, struct node *node);

/* Whether two looks at an inode saw the same state of it. */
bool stat_is_same(const struct stat *a, const struct stat *b);

/* The path of an entry below the tree's root, "." for the root itself. name: NULL for the node. */
void node_add_path(const struct node *node, const char *name, struct buffer *buffer);
