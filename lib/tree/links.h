/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hard links: which entries are one inode. Content is read once for a group. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "core/arena.h"

struct group {
        struct group *next;
        struct stat stat; /* as the first member that was met saw it */
        const char *text; /* " type=… …\n"; set when that member was read */
        uint64_t size;    /* bytes of content */
        char *first;      /* while the listing is written: the first member's escaped name */
        size_t first_size;
};

struct links {
        pthread_mutex_t lock;
        struct arena arena;
        struct group **buckets;
        size_t n_buckets, n_groups;
};

void links_init(struct links *links);
void links_done(struct links *links);

/* Finds the group of an inode, or makes it (*ret_new: the caller reads the content and sets
 * `text`). -ESTALE: another member saw another state of it. */
int links_join(struct links *links, const struct stat *stat, struct group **ret, bool *ret_new);
