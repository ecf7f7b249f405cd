/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a walk is going: progress, cancellation, the first error. */
#include <errno.h>
#include <time.h>

#include "tree/walk-internal.h"

#define PROGRESS_NS 100000000

static int64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add_path(const struct walk *walk, const struct node *node, const char *name,
                     struct buffer *path)
{
        buffer_add_string(path, walk->options->label);
        if (node && (node->parent || name)) {
                if (path->size && path->data[path->size - 1] != '/')
                        buffer_add_char(path, '/');
                node_add_path(node, name, path);
        }
}

int walk_fail(struct walk *walk, int r, const char *operation, const struct node *node,
              const char *name)
{
        _cleanup_buffer_ struct buffer path = {0};
        struct imgc_error *error = NULL;
        const char *whole;

        add_path(walk, node, name, &path);
        whole = buffer_string(&path);
        if (r == -ENOMEM || !whole)
                error_no_memory(&error);
        else if (r == -ESTALE)
                error_reason(&error, IMGC_ERROR_TREE_CHANGED, r, operation, whole,
                             "it changed while it was read");
        else if (r == -EOVERFLOW)
                error_reason(&error, IMGC_ERROR_UNMAPPED_ID, r, operation, whole,
                             "an owner is not mapped in this user namespace");
        else
                error_errno(&error, r, operation, whole);
        pthread_mutex_lock(&walk->error_lock);
        if (!walk->error)
                walk->error = TAKE_PTR(error);
        pthread_mutex_unlock(&walk->error_lock);
        imgc_error_unref(error);
        return r;
}

int walk_fail_limit(struct walk *walk, const struct node *node, const char *name, const char *what)
{
        _cleanup_buffer_ struct buffer path = {0};
        struct imgc_error *error = NULL;

        add_path(walk, node, name, &path);
        if (buffer_string(&path))
                error_reason(&error, IMGC_ERROR_LIMIT, -E2BIG, "read", path.data, "%s", what);
        pthread_mutex_lock(&walk->error_lock);
        if (!walk->error)
                walk->error = TAKE_PTR(error);
        pthread_mutex_unlock(&walk->error_lock);
        imgc_error_unref(error);
        return -E2BIG;
}

int walk_tell_progress(void *userdata)
{
        struct walk *walk = userdata;
        struct imgc_progress progress = {
                .size = sizeof(progress),
                .operation = "read",
                .entries = walk->n_entries,
                .bytes = walk->n_bytes,
        };
        int64_t now;

        if (context_is_cancelled(walk->context))
                return -ECANCELED;
        if (!walk->context->progress)
                return 0;
        now = now_ns();
        if (now < walk->next_progress_ns)
                return 0;
        walk->next_progress_ns = now + PROGRESS_NS;
        return walk->context->progress(walk->context->progress_userdata, &progress) ? -ECANCELED :
                                                                                      0;
}

int walk_check(struct walk *walk, uint32_t worker_index, uint64_t bytes)
{
        if (bytes)
                atomic_fetch_add_explicit(&walk->n_bytes, bytes, memory_order_relaxed);
        if (queue_is_stopped(&walk->queue) || context_is_cancelled(walk->context))
                return -ECANCELED;
        return worker_index == 0 && walk->context->progress ? walk_tell_progress(walk) : 0;
}

void walk_start_progress(struct walk *walk)
{
        walk->next_progress_ns = now_ns() + PROGRESS_NS;
}
