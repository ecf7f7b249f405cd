/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/node.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#define BUDGET_MIN 16u
#define BUDGET_MAX 512u

void open_nodes_init(struct open_nodes *nodes)
{
        struct rlimit limit;

        *nodes = (struct open_nodes){.budget = BUDGET_MAX};
        pthread_mutex_init(&nodes->lock, NULL);
        /* The rest is the program's. */
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 4 < BUDGET_MAX)
                nodes->budget = MAX((uint32_t)(limit.rlim_cur / 4), BUDGET_MIN);
}

static void unlink_node(struct open_nodes *nodes, struct node *node)
{
        *(node->older ? &node->older->newer : &nodes->oldest) = node->newer;
        *(node->newer ? &node->newer->older : &nodes->newest) = node->older;
        node->older = node->newer = NULL;
        nodes->n_open--;
}

static void link_node(struct open_nodes *nodes, struct node *node)
{
        node->older = nodes->newest;
        node->newer = NULL;
        *(nodes->newest ? &nodes->newest->newer : &nodes->oldest) = node;
        nodes->newest = node;
        nodes->n_open++;
}

static void close_node(struct open_nodes *nodes, struct node *node)
{
        unlink_node(nodes, node);
        node->fd = imgc_io_close(node->fd);
}

/* Closes what was used longest ago and is not in use now. The root stays: what a path leads to
 * is looked up once only. */
static void keep_to_budget(struct open_nodes *nodes)
{
        struct node *next;

        for (struct node *n = nodes->oldest; n && nodes->n_open > nodes->budget; n = next) {
                next = n->newer;
                if (!n->pins && n->parent)
                        close_node(nodes, n);
        }
}

void open_nodes_done(struct open_nodes *nodes)
{
        while (nodes->oldest)
                close_node(nodes, nodes->oldest);
        pthread_mutex_destroy(&nodes->lock);
}

void node_open(struct open_nodes *nodes, struct node *node, uint32_t ranges)
{
        pthread_mutex_lock(&nodes->lock);
        node->ranges = ranges;
        node->pins = 1;
        link_node(nodes, node);
        keep_to_budget(nodes);
        pthread_mutex_unlock(&nodes->lock);
}

bool stat_is_same(const struct stat *a, const struct stat *b)
{
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_mode == b->st_mode &&
               a->st_uid == b->st_uid && a->st_gid == b->st_gid && a->st_rdev == b->st_rdev &&
               a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
               a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
               a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Opens a closed node's directory again by its name in its parent's. */
static int reopen(int parent_fd, const struct node *node, int *ret)
{
        _cleanup_close_ int fd =
                imgc_io_openat(parent_fd, node->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        struct stat st;
        int r;

        if (fd < 0)
                return fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR ? -ESTALE : fd;
        r = imgc_io_fstat(fd, &st);
        if (r < 0)
                return r;
        if (!stat_is_same(&st, &node->stat))
                return -ESTALE;
        *ret = TAKE_FD(fd);
        return 0;
}

/* Opens the closed nodes from the nearest open one down to `node`. All of them are kept open as
 * far as the budget goes, because the walk needs them next on its way up. */
static int reopen_chain(struct open_nodes *nodes, struct node *node)
{
        _cleanup_free_ struct node **chain = imgc_io_calloc(node->depth + 1, sizeof(*chain));
        _cleanup_close_ int loose = -1;
        struct node *top = node, *used; /* holds the descriptor that the next one is opened in */
        size_t n = 0;
        int fd, r = 0;

        if (!chain)
                return -ENOMEM;
        for (; top->fd < 0; top = top->parent)
                chain[n++] = top;
        used = top;
        used->pins++;
        fd = top->fd;
        while (n-- > 0 && r >= 0) {
                struct node *next = chain[n];
                int opened;

                r = reopen(fd, next, &opened);
                if (r < 0)
                        break;
                loose = imgc_io_close(loose);
                fd = opened;
                if (!next->ranges) {
                        /* Dealt with already: nobody would close it. */
                        loose = opened;
                        continue;
                }
                next->fd = opened;
                link_node(nodes, next);
                used->pins--;
                used = next;
                used->pins++;
                keep_to_budget(nodes);
        }
        used->pins--;
        return r;
}

int node_pin(struct open_nodes *nodes, struct node *node)
{
        int r = 0;

        pthread_mutex_lock(&nodes->lock);
        if (node->fd < 0) {
                r = reopen_chain(nodes, node);
        } else {
                unlink_node(nodes, node);
                link_node(nodes, node);
        }
        if (r >= 0) {
                node->pins++;
                keep_to_budget(nodes);
        }
        pthread_mutex_unlock(&nodes->lock);
        return r;
}

void node_unpin(struct open_nodes *nodes, struct node *node)
{
        pthread_mutex_lock(&nodes->lock);
        node->pins--;
        keep_to_budget(nodes);
        pthread_mutex_unlock(&nodes->lock);
}

void node_add_range(struct open_nodes *nodes, struct node *node)
{
        pthread_mutex_lock(&nodes->lock);
        node->ranges++;
        pthread_mutex_unlock(&nodes->lock);
}

int node_finish_range(struct open_nodes *nodes, struct node *node)
{
        struct stat st;
        bool last;
        int r = 0;

        pthread_mutex_lock(&nodes->lock);
        last = --node->ranges == 0;
        if (!last)
                node->pins--;
        pthread_mutex_unlock(&nodes->lock);
        if (!last)
                return 0;

        /* No range is left, so that no one else uses it any more. */
        r = imgc_io_fstat(node->fd, &st);
        if (r >= 0 && !stat_is_same(&st, &node->stat))
                r = -ESTALE;
        pthread_mutex_lock(&nodes->lock);
        node->pins--;
        /* All paths to what is closed begin at the root. */
        if (node->parent)
                close_node(nodes, node);
        pthread_mutex_unlock(&nodes->lock);
        return r;
}

void node_add_path(const struct node *node, const char *name, struct buffer *buffer)
{
        _cleanup_free_ const char **names = NULL;
        size_t n = 0;

        names = imgc_io_calloc((size_t)node->depth + 2, sizeof(*names));
        if (!names) {
                buffer->failed = true;
                return;
        }
        if (name)
                names[n++] = name;
        for (; node->parent; node = node->parent)
                names[n++] = node->name;
        if (!n)
                buffer_add_char(buffer, '.');
        while (n-- > 0) {
                buffer_add_string(buffer, names[n]);
                if (n)
                        buffer_add_char(buffer, '/');
        }
}
