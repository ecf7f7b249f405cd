/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories: opened, listed, sorted, cut into ranges of entries for whoever is free. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include "core/limits.h"
#include "tree/walk-internal.h"

/* A part of a large directory. */
#define RANGE_ENTRIES 128u
/* Below this many entries a second thread costs more than it does. */
#define ENTRIES_PER_THREAD 64u

struct linux_dirent64 {
        uint64_t d_ino;
        int64_t d_off;
        unsigned short d_reclen;
        unsigned char d_type;
        char d_name[];
};

/* ------------------------------------------------------------------ listing a directory */

static int compare_entries(const void *a, const void *b, void *names)
{
        const struct entry *x = a, *y = b;

        return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

/* Adds one name of a directory to the worker's lists, unless it is left out. */
static int add_name(struct walk *walk, struct walk_worker *w, const struct node *node, int fd,
                    const char *name, uint8_t type)
{
        const size_t size = strlen(name);
        struct entry entry = {.name = (uint32_t)w->names.size, .type = type};
        struct stat st;
        int r;

        if (!strcmp(name, ".") || !strcmp(name, ".."))
                return 0;
        if (size > LIMIT_NAME_BYTES)
                return walk_fail_limit(walk, node, name, "the name is too long");
        if (w->names.size > UINT32_MAX - LIMIT_NAME_BYTES - 1)
                return walk_fail_limit(walk, node, NULL, "it has too many entries");
        if (type == DT_UNKNOWN) {
                r = imgc_io_fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW);
                if (r < 0)
                        return walk_fail(walk, r == -ENOENT ? -ESTALE : r, "read", node, name);
                entry.type = IFTODT(st.st_mode);
        }
        if (walk->options->exclude) {
                w->path.size = 0;
                node_add_path(node, name, &w->path);
                if (!buffer_string(&w->path))
                        return walk_fail(walk, -ENOMEM, "read", node, name);
                if (exclude_matches(walk->options->exclude, w->path.data, entry.type == DT_DIR))
                        return 0;
        }
        buffer_add(&w->names, name, size + 1);
        buffer_add(&w->entries, &entry, sizeof(entry));
        return 0;
}

static int read_names(struct walk *walk, struct walk_worker *w, const struct node *node, int fd)
{
        ssize_t n;
        int r;

        w->names.size = w->entries.size = 0;
        while ((n = imgc_io_getdents(fd, w->read_buffer, NAMES_BUFFER_BYTES)) > 0)
                for (char *p = w->read_buffer; p < w->read_buffer + n;) {
                        const struct linux_dirent64 *d = (const void *)p;

                        r = add_name(walk, w, node, fd, d->d_name, d->d_type);
                        if (r < 0)
                                return r;
                        p += d->d_reclen;
                }
        if (n < 0)
                return walk_fail(walk, n == -ENOENT ? -ESTALE : (int)n, "list", node, NULL);
        if (w->names.failed || w->entries.failed)
                return walk_fail(walk, -ENOMEM, "list", node, NULL);
        return 0;
}

/* Lists an open directory into its node: names whole, in order, nothing read of them yet. */
static int list_directory(struct walk *walk, struct walk_worker *w, struct node *node, int fd)
{
        size_t n;
        int r;

        r = read_names(walk, w, node, fd);
        if (r < 0)
                return r;
        n = w->entries.size / sizeof(struct entry);
        if (n > 1)
                qsort_r(w->entries.data, n, sizeof(struct entry), compare_entries, w->names.data);
        if (n && node->depth >= LIMIT_DEPTH)
                return walk_fail_limit(walk, node, NULL, "the tree is too deep");
        node->n_entries = (uint32_t)n;
        node->names = arena_copy(&w->arena, w->names.data, w->names.size);
        node->entries = arena_alloc(&w->arena, w->entries.size);
        if (!node->names || !node->entries)
                return walk_fail(walk, -ENOMEM, "list", node, NULL);
        if (n)
                memcpy(node->entries, w->entries.data, w->entries.size);
        w->n_entries += n;
        if (atomic_fetch_add_explicit(&walk->n_entries, n, memory_order_relaxed) + n >
            LIMIT_ENTRIES)
                return walk_fail_limit(walk, node, NULL, "the tree has too many entries");
        return 0;
}

/* ------------------------------------------------------------------ entering a directory */

static uint32_t n_ranges(const struct node *node)
{
        return MAX((node->n_entries + RANGE_ENTRIES - 1) / RANGE_ENTRIES, 1u);
}

static struct range range_of(struct node *node, uint32_t i)
{
        return (struct range){
                .node = node,
                .first = i * RANGE_ENTRIES,
                .end = MIN((i + 1) * RANGE_ENTRIES, node->n_entries),
        };
}

/* Takes an open directory in: its attributes, its names, its ranges. The first range is the
 * caller's to go on with; the node is pinned for it. fd is the node's on success. */
static int take_in(struct walk *walk, uint32_t worker, struct node *node, int fd,
                   struct range *ret_first)
{
        struct walk_worker *w = &walk->workers[worker];
        struct place place = {.worker = w,
                              .worker_index = worker,
                              .node = node,
                              .name = "",
                              .dirfd = fd,
                              .fd = -1};
        int r;

        r = imgc_io_fstat(fd, &node->stat);
        if (r < 0)
                return walk_fail(walk, r, "read", node, NULL);
        if (!node->parent)
                walk->root_uid = node->stat.st_uid;
        if (!node->parent && walk->options->flags & IMGC_TREE_IGNORE_ROOT)
                node->text = " type=dir\n";
        else
                r = read_directory_attributes(walk, &place, fd, &node->stat, &node->text);
        if (r >= 0)
                r = list_directory(walk, w, node, fd);
        if (r < 0)
                return r;
        node->fd = fd;
        node_open(&walk->nodes, node, n_ranges(node));
        for (uint32_t i = n_ranges(node); --i > 0;) {
                r = queue_push(&walk->queue, worker, range_of(node, i),
                               node->n_entries >= ENTRIES_PER_THREAD);
                if (r < 0)
                        return walk_fail(walk, r, "read", node, NULL);
        }
        *ret_first = range_of(node, 0);
        return 0;
}

static int open_directory(int dirfd, const char *name)
{
        const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK;
        int fd = imgc_io_openat(dirfd, name, flags | O_NOATIME);

        if (fd == -EPERM)
                fd = imgc_io_openat(dirfd, name, flags);
        return fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR ? -ESTALE : fd;
}

/* Makes a node of an entry that is a directory. */
static int enter(struct walk *walk, uint32_t worker, struct node *parent, struct entry *entry,
                 struct range *ret_first)
{
        const char *name = entry_name(parent, entry);
        struct node *node;
        int fd, r;

        if (parent->depth >= LIMIT_DEPTH)
                return walk_fail_limit(walk, parent, name, "the tree is too deep");
        fd = open_directory(parent->fd, name);
        if (fd < 0)
                return walk_fail(walk, fd, "open", parent, name);
        node = arena_alloc(&walk->workers[worker].arena, sizeof(*node));
        if (!node) {
                imgc_io_close(fd);
                return walk_fail(walk, -ENOMEM, "read", parent, name);
        }
        *node = (struct node){.parent = parent, .name = name, .depth = parent->depth + 1, .fd = -1};
        r = take_in(walk, worker, node, fd, ret_first);
        if (r < 0) {
                if (node->fd < 0)
                        imgc_io_close(fd);
                return r;
        }
        entry->kind = ENTRY_NODE;
        entry->node = node;
        return 0;
}

/* ------------------------------------------------------------------ dealing with ranges */

struct rest {
        struct walk *walk;
        uint32_t worker;
        struct range *range; /* the part behind the present entry; emptied when handed over */
};

/* Hands over what follows the present entry, because that one takes long. */
static int hand_over(void *userdata)
{
        struct rest *rest = userdata;
        struct range range = *rest->range;
        struct walk *walk = rest->walk;
        int r;

        if (range.first == range.end)
                return 0;
        node_add_range(&walk->nodes, range.node);
        rest->range->end = rest->range->first;
        r = queue_push(&walk->queue, rest->worker, range, true);
        return r < 0 ? walk_fail(walk, r, "read", range.node, NULL) : 0;
}

static bool is_other_mount(struct walk *walk, const struct node *node, const char *name, int *ret)
{
        uint64_t mount;

        *ret = 0;
        if (!(walk->options->flags & IMGC_TREE_ONE_FILESYSTEM))
                return false;
        *ret = imgc_io_mount_id(node->fd, name, &mount);
        if (*ret < 0) {
                walk_fail(walk, *ret == -ENOENT ? -ESTALE : *ret, "read", node, name);
                return false;
        }
        return mount != walk->root_mount;
}

/* Reads the entries of a range that is pinned; enters the first directory among them: then what
 * follows it is left to the queue, and *ret_next is the directory's first range. */
static int work_on(struct walk *walk, uint32_t worker, struct range range, struct range *ret_next)
{
        struct node *node = range.node;
        struct rest rest = {.walk = walk, .worker = worker, .range = &range};
        struct place place = {.worker = &walk->workers[worker],
                              .worker_index = worker,
                              .node = node,
                              .dirfd = node->fd,
                              .fd = -1};
        int r;

        *ret_next = (struct range){0};
        while (range.first < range.end) {
                struct entry *entry = &node->entries[range.first++];
                bool skip;

                place.name = entry_name(node, entry);
                r = walk_check(walk, worker, 0);
                if (r < 0)
                        return r;
                if (entry->type != DT_DIR) {
                        r = read_entry(walk, &place, entry->type, entry, hand_over, &rest);
                        if (r < 0)
                                return r;
                        continue;
                }
                skip = is_other_mount(walk, node, place.name, &r);
                if (r < 0)
                        return r;
                if (skip) {
                        r = read_entry(walk, &place, entry->type, entry, NULL, NULL);
                        if (r < 0)
                                return r;
                        continue;
                }
                if (range.first < range.end) {
                        node_add_range(&walk->nodes, node);
                        r = queue_push(
                                &walk->queue, worker, range,
                                atomic_load_explicit(&walk->n_entries, memory_order_relaxed) >=
                                        ENTRIES_PER_THREAD);
                        if (r < 0)
                                return walk_fail(walk, r, "read", node, NULL);
                }
                return enter(walk, worker, node, entry, ret_next);
        }
        return 0;
}

static int work(void *userdata, uint32_t worker, struct range range)
{
        struct walk *walk = userdata;
        struct walk_worker *w = &walk->workers[worker];
        struct node *node;
        int r;

        if (!w->hasher) {
                w->read_buffer = imgc_io_malloc(READ_BUFFER_BYTES);
                if (!w->read_buffer ||
                    hasher_new(walk->context, walk->options->style.algorithm, &w->hasher) < 0)
                        return walk_fail(walk, -ENOMEM, "read", range.node, NULL);
        }
        r = node_pin(&walk->nodes, range.node);
        if (r < 0)
                return walk_fail(walk, r, "open", range.node, NULL);
        while (range.node) {
                struct range next;

                node = range.node;
                r = work_on(walk, worker, range, &next);
                if (r < 0) {
                        node_unpin(&walk->nodes, node);
                        return r;
                }
                r = node_finish_range(&walk->nodes, node);
                if (r < 0)
                        return walk_fail(walk, r, "read", node, NULL);
                range = next;
        }
        return 0;
}

/* ------------------------------------------------------------------ the whole */

int walk_new(struct imgc_context *context, const struct walk_options *options, struct walk **ret,
             struct imgc_error **reterr)
{
        _cleanup_(walk_freep) struct walk *walk = imgc_io_calloc(1, sizeof(*walk));

        if (!walk)
                return error_no_memory(reterr);
        walk->context = context;
        walk->options = options;
        walk->fields = options->style.fields;
        walk->n_workers = context_get_threads(context);
        walk->queue_ops =
                (struct queue_ops){.work = work, .tick = walk_tell_progress, .userdata = walk};
        walk_start_progress(walk);
        pthread_mutex_init(&walk->error_lock, NULL);
        open_nodes_init(&walk->nodes);
        links_init(&walk->links);
        id_map_read("/proc/self/uid_map", "/proc/sys/kernel/overflowuid", &walk->uids);
        id_map_read("/proc/self/gid_map", "/proc/sys/kernel/overflowgid", &walk->gids);
        walk->workers = imgc_io_calloc(walk->n_workers, sizeof(*walk->workers));
        if (queue_init(&walk->queue, walk->n_workers, &walk->queue_ops) < 0 || !walk->workers)
                return error_no_memory(reterr);
        *ret = TAKE_PTR(walk);
        return 0;
}

static void worker_done(struct walk_worker *w)
{
        arena_free(&w->arena);
        hasher_free(w->hasher);
        free(w->read_buffer);
        free(w->zeros);
        xattr_scratch_free(&w->xattr_scratch);
        buffer_free(&w->names);
        buffer_free(&w->entries);
        buffer_free(&w->text);
        buffer_free(&w->xattrs);
        buffer_free(&w->link);
        buffer_free(&w->path);
}

struct walk *walk_free(struct walk *walk)
{
        if (!walk)
                return NULL;
        open_nodes_done(&walk->nodes);
        links_done(&walk->links);
        queue_done(&walk->queue);
        /* The nodes are theirs. */
        for (uint32_t i = 0; walk->workers && i < walk->n_workers; i++)
                worker_done(&walk->workers[i]);
        free(walk->workers);
        pthread_mutex_destroy(&walk->error_lock);
        imgc_error_unref(walk->error);
        free(walk);
        return NULL;
}

/* Hands the error over that ended a walk. */
static int finish(struct walk *walk, int r, struct imgc_error **reterr)
{
        struct imgc_error *error = TAKE_PTR(walk->error);

        if (r >= 0)
                return 0;
        if (error)
                return error_give(reterr, error, -imgc_error_get_errno(error));
        if (r == -ECANCELED)
                return error_reason(reterr, IMGC_ERROR_CANCELLED, r, "read", walk->options->label,
                                    "cancelled");
        return error_errno(reterr, r, "read", walk->options->label);
}

static int prepare(struct walk *walk)
{
        struct walk_worker *w = &walk->workers[0];

        w->read_buffer = imgc_io_malloc(READ_BUFFER_BYTES);
        if (!w->read_buffer)
                return -ENOMEM;
        return hasher_new(walk->context, walk->options->style.algorithm, &w->hasher);
}

int walk_directory(struct walk *walk, int fd, struct imgc_error **reterr)
{
        _cleanup_close_ int owned = fd;
        struct range first;
        struct node *root;
        int r;

        r = prepare(walk);
        if (r >= 0 && walk->options->flags & IMGC_TREE_ONE_FILESYSTEM)
                r = imgc_io_mount_id(fd, "", &walk->root_mount);
        if (r < 0)
                return finish(walk, r, reterr);
        root = arena_alloc(&walk->workers[0].arena, sizeof(*root));
        if (!root)
                return finish(walk, -ENOMEM, reterr);
        *root = (struct node){.name = "", .fd = -1};
        walk->n_entries = walk->workers[0].n_entries = 1;
        r = take_in(walk, 0, root, fd, &first);
        if (root->fd >= 0)
                TAKE_FD(owned);
        if (r >= 0) {
                node_unpin(&walk->nodes, root);
                r = queue_push(&walk->queue, 0, first, false);
        }
        /* Threads may be at work on parts of the root already: they must end. */
        if (r < 0)
                queue_fail(&walk->queue, r);
        r = queue_run(&walk->queue);
        walk->root = root;
        return finish(walk, r, reterr);
}

int walk_single(struct walk *walk, int path_fd, int file_fd, struct imgc_error **reterr)
{
        struct place place = {
                .worker = &walk->workers[0], .name = "", .dirfd = path_fd, .fd = file_fd};
        struct stat st;
        int r;

        r = prepare(walk);
        if (r >= 0)
                r = imgc_io_fstat(path_fd, &st);
        if (r < 0)
                return finish(walk, r, reterr);
        walk->root_uid = st.st_uid;
        walk->n_entries = walk->workers[0].n_entries = 1;
        r = read_entry(walk, &place, IFTODT(st.st_mode), &walk->single, NULL, NULL);
        return finish(walk, r, reterr);
}
