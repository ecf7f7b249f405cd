/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/links.h"

#include <errno.h>

#include "core/io.h"
#include "tree/node.h"

void links_init(struct links *links)
{
        *links = (struct links){0};
        pthread_mutex_init(&links->lock, NULL);
}

void links_done(struct links *links)
{
        pthread_mutex_destroy(&links->lock);
        arena_free(&links->arena);
        free(links->buckets);
}

static struct group **bucket_of(const struct links *links, const struct stat *stat)
{
        uint64_t h = ((uint64_t)stat->st_ino ^ (uint64_t)stat->st_dev << 32) *
                     UINT64_C(0x9e3779b97f4a7c15);

        return &links->buckets[(h >> 32) & (links->n_buckets - 1)];
}

static int grow(struct links *links)
{
        struct links bigger = {.n_buckets = MAX(links->n_buckets * 2, (size_t)256)};

        bigger.buckets = imgc_io_calloc(bigger.n_buckets, sizeof(struct group *));
        if (!bigger.buckets)
                return -ENOMEM;
        for (size_t i = 0; i < links->n_buckets; i++)
                for (struct group *g = links->buckets[i], *next; g; g = next) {
                        struct group **bucket = bucket_of(&bigger, &g->stat);

                        next = g->next;
                        g->next = *bucket;
                        *bucket = g;
                }
        free(links->buckets);
        links->buckets = bigger.buckets;
        links->n_buckets = bigger.n_buckets;
        return 0;
}

static int join(struct links *links, const struct stat *stat, struct group **ret, bool *ret_new)
{
        struct group *group, **bucket;

        if (links->n_groups >= links->n_buckets && grow(links) < 0)
                return -ENOMEM;
        bucket = bucket_of(links, stat);
        for (group = *bucket; group; group = group->next)
                if (group->stat.st_ino == stat->st_ino && group->stat.st_dev == stat->st_dev) {
                        *ret = group;
                        *ret_new = false;
                        return stat_is_same(&group->stat, stat) ? 0 : -ESTALE;
                }
        group = arena_alloc(&links->arena, sizeof(*group));
        if (!group)
                return -ENOMEM;
        *group = (struct group){.next = *bucket, .stat = *stat};
        *bucket = group;
        links->n_groups++;
        *ret = group;
        *ret_new = true;
        return 0;
}

int links_join(struct links *links, const struct stat *stat, struct group **ret, bool *ret_new)
{
        int r;

        pthread_mutex_lock(&links->lock);
        r = join(links, stat, ret, ret_new);
        pthread_mutex_unlock(&links->lock);
        return r;
}
