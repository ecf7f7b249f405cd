/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of a walk share: walk.c (directories), read-entry.c (all that is in them),
 * write-listing.c, walk-state.c. */
#pragma once

#include "core/arena.h"
#include "core/context.h"
#include "core/error.h"
#include "tree/digest.h"
#include "tree/ids.h"
#include "tree/links.h"
#include "tree/node.h"
#include "tree/queue.h"
#include "tree/walk.h"
#include "tree/xattr.h"

#define READ_BUFFER_BYTES  ((size_t)256 << 10)
#define NAMES_BUFFER_BYTES ((size_t)64 << 10)

/* What a thread needs for itself. */
struct walk_worker {
        struct arena arena; /* nodes, entries, names, texts: until the walk is freed */
        struct hasher *hasher;
        char *read_buffer;
        char *zeros; /* READ_BUFFER_BYTES of them, for holes */
        struct xattr_scratch xattr_scratch;
        struct buffer names, entries, text, xattrs, link, path;
        uint64_t n_entries, n_bytes;
};

struct walk {
        struct imgc_context *context;
        const struct walk_options *options;
        fields_t fields; /* = options->style.fields */
        struct queue queue;
        struct queue_ops queue_ops;
        struct open_nodes nodes;
        struct links links;
        struct id_map uids, gids;
        struct walk_worker *workers;
        uint32_t n_workers;

        struct node *root;
        struct entry single; /* of a tree that is no directory */
        uint32_t root_uid;
        uint64_t root_mount;

        atomic_uint_fast64_t n_entries, n_bytes; /* for progress and limits */
        int64_t next_progress_ns;                /* the caller's thread only */
        pthread_mutex_t error_lock;
        struct imgc_error *error; /* the first one */
};

/* One entry that is no directory to be entered, where it is found. */
struct place {
        struct walk_worker *worker;
        uint32_t worker_index;
        const struct node *node; /* NULL: the tree is a single thing */
        const char *name;        /* in the node's directory; "" for dirfd itself */
        int dirfd;
        int fd; /* >= 0: a regular file that is open already; stays the caller's */
};

/* Reads an entry and sets what it is (text or group). before_content (may be NULL) is called
 * before a file of many bytes is read. */
int read_entry(struct walk *walk, const struct place *place, uint8_t type, struct entry *entry,
               int (*before_content)(void *userdata), void *userdata);

/* The attributes of a directory that is open. Returns the text in the worker's arena. */
int read_directory_attributes(struct walk *walk, const struct place *place, int fd,
                              const struct stat *st, const char **ret);

/* Sets the clock; tells progress if it is time, for queue_ops.tick. */
void walk_start_progress(struct walk *walk);
int walk_tell_progress(void *userdata);

/* Looks whether to go on, and tells progress: -ECANCELED. bytes: read since the last call. */
int walk_check(struct walk *walk, uint32_t worker_index, uint64_t bytes);

/* Keeps the first error of the walk, about an entry; -ESTALE becomes "tree-changed", -EOVERFLOW
 * "unmapped-id". Returns r. */
int walk_fail(struct walk *walk, int r, const char *operation, const struct node *node,
              const char *name);
/* The same, about a limit. */
int walk_fail_limit(struct walk *walk, const struct node *node, const char *name, const char *what);
