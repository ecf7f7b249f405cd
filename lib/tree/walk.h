/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a tree from the disk into nodes, in parallel, and writes its listing from them.
 */
#pragma once

#include <stdint.h>

#include <imagecache/tree.h>

#include "tree/entry.h"
#include "tree/exclude.h"

struct hasher;
struct walk;

struct walk_options {
        struct entry_style style;
        uint32_t flags; /* enum imgc_tree_flags */
        const struct exclude *exclude;
        const char *label; /* the tree's path, for messages */
};

/* Starts a walk; nothing is read yet. options must live as long as the walk. */
int walk_new(struct imgc_context *context, const struct walk_options *options, struct walk **ret,
             struct imgc_error **reterr);
struct walk *walk_free(struct walk *walk);

/* Reads a directory with all below it. fd: the walk's from now on. */
int walk_directory(struct walk *walk, int fd, struct imgc_error **reterr);

/* Reads one thing that is no directory. path_fd: an O_PATH descriptor of it; file_fd: of a
 * regular file, open for reading, else -1. Both stay the caller's. */
int walk_single(struct walk *walk, int path_fd, int file_fd, struct imgc_error **reterr);

struct walk_result {
        unsigned char digest[32];
        struct buffer listing; /* empty with IMGC_TREE_DIGEST_ONLY */
        uint64_t n_entries;
        uint64_t n_bytes;
};

/* Writes the listing of what was read, and hashes it. */
int walk_write_listing(struct walk *walk, struct walk_result *ret, struct imgc_error **reterr);

DEFINE_CLEANUP(struct walk *, walk_free)
