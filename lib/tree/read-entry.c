/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads one entry of a directory.
 *
 * A regular file is opened first, and everything is read from the descriptor, so that a swap
 * between looking and opening does no harm. What is no regular file is never opened: opening a
 * FIFO may block, opening a device may do anything. Before and after, the inode's state must
 * be the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tree/walk-internal.h"

/* From here on a file is worth telling others that there is more to do beside it. */
#define BIG_FILE_BYTES ((off_t)1 << 20)

static int check_owner(const struct walk *walk, const struct stat *st)
{
        const struct entry_style *style = &walk->options->style;

        if (has_field(walk->fields, FIELD_UID) && style->uid == IMGC_ID_KEEP &&
            !id_is_known(&walk->uids, st->st_uid))
                return -EOVERFLOW;
        if (has_field(walk->fields, FIELD_GID) && style->gid == IMGC_ID_KEEP &&
            !id_is_known(&walk->gids, st->st_gid))
                return -EOVERFLOW;
        return 0;
}

/* An entry that was listed a moment ago is gone, or is something else now. */
static int changed_if_gone(int r)
{
        return r == -ENOENT || r == -ELOOP || r == -ENOTDIR || r == -ENXIO ? -ESTALE : r;
}

static int fail_here(struct walk *walk, const struct place *place, int r, const char *operation)
{
        return walk_fail(walk, r, operation, place->node, *place->name ? place->name : NULL);
}

static int read_xattrs(struct walk *walk, const struct place *place, int fd)
{
        struct xattr_source source = {.fd = fd, .dirfd = place->dirfd, .name = place->name};
        struct walk_worker *w = place->worker;
        int r;

        w->xattrs.size = 0;
        r = xattrs_format(&w->xattr_scratch, &source, walk->fields, walk->root_uid, &w->xattrs);
        if (r < 0)
                return fail_here(walk, place, changed_if_gone(r), "read extended attributes of");
        return 0;
}

static int read_flags(struct walk *walk, const struct place *place, int fd, uint32_t *ret)
{
        uint32_t flags = 0;
        int r;

        *ret = 0;
        if (!has_field(walk->fields, FIELD_FLAGS))
                return 0;
        r = fd >= 0 ? imgc_io_fgetflags(fd, &flags) :
                      imgc_io_getflagsat(place->dirfd, place->name, &flags);
        /* A file system without flags has none. */
        if (r == -ENOTTY || r == -EOPNOTSUPP || r == -EINVAL)
                return 0;
        if (r < 0)
                return fail_here(walk, place, changed_if_gone(r), "read flags of");
        *ret = flags;
        return 0;
}

/* Writes the line of what was read into the worker's arena. */
static int finish_text(struct walk *walk, const struct place *place,
                       const struct entry_facts *facts, const char **ret)
{
        struct walk_worker *w = place->worker;

        w->text.size = 0;
        entry_format(&w->text, &walk->options->style, facts);
        *ret = w->text.failed ? NULL : arena_copy(&w->arena, w->text.data, w->text.size);
        return *ret ? 0 : fail_here(walk, place, -ENOMEM, "read");
}

int read_directory_attributes(struct walk *walk, const struct place *place, int fd,
                              const struct stat *st, const char **ret)
{
        struct entry_facts facts = {.stat = st, .xattrs = &place->worker->xattrs};
        int r;

        if (check_owner(walk, st) < 0)
                return fail_here(walk, place, -EOVERFLOW, "read");
        r = read_xattrs(walk, place, fd);
        if (r >= 0)
                r = read_flags(walk, place, fd, &facts.flags);
        return r < 0 ? r : finish_text(walk, place, &facts, ret);
}

/* Hashes zeros that stand in no block. */
static int hash_hole(struct walk *walk, const struct place *place, uint64_t bytes)
{
        struct walk_worker *w = place->worker;
        int r = 0;

        if (!w->zeros)
                w->zeros = imgc_io_calloc(1, READ_BUFFER_BYTES);
        if (!w->zeros)
                return -ENOMEM;
        while (bytes && r >= 0) {
                size_t n = (size_t)MIN(bytes, (uint64_t)READ_BUFFER_BYTES);

                r = hasher_update(w->hasher, w->zeros, n);
                bytes -= n;
                if (r >= 0)
                        r = walk_check(walk, place->worker_index, n);
        }
        return r;
}

/* Reads up to `end`, or to the end of the file. */
static int hash_data(struct walk *walk, const struct place *place, int fd, uint64_t end,
                     uint64_t *position)
{
        struct walk_worker *w = place->worker;
        int r;

        while (*position < end) {
                size_t want = (size_t)MIN((uint64_t)READ_BUFFER_BYTES, end - *position);
                ssize_t n = imgc_io_read(fd, w->read_buffer, want);

                if (n <= 0)
                        return (int)n;
                r = hasher_update(w->hasher, w->read_buffer, (size_t)n);
                if (r < 0)
                        return r;
                *position += (uint64_t)n;
                r = walk_check(walk, place->worker_index, (uint64_t)n);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* A file with holes: they are not read, because that could take hours. */
static int hash_sparse(struct walk *walk, const struct place *place, int fd, uint64_t size,
                       unsigned char *digest)
{
        uint64_t position = 0;
        int r = hasher_start(place->worker->hasher);

        while (r >= 0 && position < size) {
                int64_t data = imgc_io_lseek(fd, (int64_t)position, SEEK_DATA), hole;

                if (data == -ENXIO)
                        data = (int64_t)size;
                if (data < 0)
                        return (int)data;
                data = MIN(data, (int64_t)size);
                r = hash_hole(walk, place, (uint64_t)data - position);
                position = (uint64_t)data;
                if (r < 0 || position == size)
                        break;
                hole = imgc_io_lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        return (int)hole;
                data = imgc_io_lseek(fd, data, SEEK_SET);
                if (data < 0)
                        return (int)data;
                r = hash_data(walk, place, fd, MIN((uint64_t)hole, size), &position);
                if (r >= 0 && position < MIN((uint64_t)hole, size))
                        return -ESTALE;
        }
        return r < 0 ? r : hasher_finish(place->worker->hasher, digest);
}

/* Reads until the kernel says that nothing follows. Most files fit the buffer. */
static int hash_dense(struct walk *walk, const struct place *place, int fd, unsigned char *digest,
                      uint64_t *ret_size)
{
        struct walk_worker *w = place->worker;
        uint64_t position = 0;
        size_t have = 0;
        ssize_t n;
        int r;

        while (have < READ_BUFFER_BYTES) {
                n = imgc_io_read(fd, w->read_buffer + have, READ_BUFFER_BYTES - have);
                if (n < 0)
                        return (int)n;
                if (n == 0) {
                        *ret_size = have;
                        r = walk_check(walk, place->worker_index, have);
                        return r < 0 ? r : hasher_digest(w->hasher, w->read_buffer, have, digest);
                }
                have += (size_t)n;
        }
        r = hasher_start(w->hasher);
        if (r >= 0)
                r = hasher_update(w->hasher, w->read_buffer, have);
        position = have;
        if (r >= 0)
                r = walk_check(walk, place->worker_index, have);
        if (r >= 0)
                r = hash_data(walk, place, fd, UINT64_MAX, &position);
        *ret_size = position;
        return r < 0 ? r : hasher_finish(w->hasher, digest);
}

static int hash_content(struct walk *walk, const struct place *place, int fd, const struct stat *st,
                        unsigned char *digest, uint64_t *ret_size)
{
        int r;

        if (st->st_size >= BIG_FILE_BYTES &&
            (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size) {
                *ret_size = (uint64_t)st->st_size;
                r = hash_sparse(walk, place, fd, (uint64_t)st->st_size, digest);
        } else {
                r = hash_dense(walk, place, fd, digest, ret_size);
        }
        /* Generated files, as in /proc, have the size 0. */
        if (r >= 0 && st->st_size != 0 && *ret_size != (uint64_t)st->st_size)
                r = -ESTALE;
        if (r == -ECANCELED)
                return r;
        return r < 0 ? fail_here(walk, place, r, "read") : 0;
}

static int check_unchanged(struct walk *walk, const struct place *place, int fd,
                           const struct stat *before)
{
        struct stat after;
        int r = fd >= 0 ? imgc_io_fstat(fd, &after) :
                          imgc_io_fstatat(place->dirfd, place->name, &after,
                                          AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

        if (r >= 0 && !stat_is_same(before, &after))
                r = -ESTALE;
        return r < 0 ? fail_here(walk, place, changed_if_gone(r), "read") : 0;
}

/* Where several entries are one inode, the first to come reads it. Sets *ret_group where the
 * entry is such a one; *ret_done where another has read it, or is about to. */
static int join_links(struct walk *walk, const struct place *place, const struct stat *st,
                      struct entry *entry, struct group **ret_group, bool *ret_done)
{
        bool is_new;
        int r;

        *ret_group = NULL;
        *ret_done = false;
        if (st->st_nlink < 2 || !place->node)
                return 0;
        r = links_join(&walk->links, st, ret_group, &is_new);
        if (r < 0)
                return fail_here(walk, place, r, "read");
        entry->kind = ENTRY_GROUP;
        entry->group = *ret_group;
        *ret_done = !is_new;
        return 0;
}

static int store_text(struct walk *walk, const struct place *place, const struct entry_facts *facts,
                      struct entry *entry, struct group *group)
{
        const char *text;
        int r = finish_text(walk, place, facts, &text);

        if (r < 0)
                return r;
        if (group) {
                group->text = text;
                group->size = S_ISREG(facts->stat->st_mode) ? facts->size : 0;
                return 0;
        }
        entry->kind = ENTRY_PLAIN;
        entry->text = text;
        if (S_ISREG(facts->stat->st_mode))
                place->worker->n_bytes += facts->size;
        return 0;
}

static int read_file(struct walk *walk, const struct place *place, int fd, const struct stat *st,
                     struct entry *entry, int (*before_content)(void *userdata), void *userdata)
{
        struct entry_facts facts = {.stat = st, .xattrs = &place->worker->xattrs};
        unsigned char digest[DIGEST_BYTES_MAX];
        struct group *group;
        bool done;
        int r;

        r = check_owner(walk, st);
        if (r < 0)
                return fail_here(walk, place, r, "read");
        r = join_links(walk, place, st, entry, &group, &done);
        if (r < 0 || done)
                return r;
        facts.size = (uint64_t)st->st_size;
        if (has_field(walk->fields, FIELD_CONTENT))
                facts.digest = digest;
        if (facts.digest || (!st->st_size && has_field(walk->fields, FIELD_SIZE))) {
                if (st->st_size >= BIG_FILE_BYTES && before_content)
                        r = before_content(userdata);
                if (r >= 0)
                        r = hash_content(walk, place, fd, st, digest, &facts.size);
        }
        if (r >= 0)
                r = read_xattrs(walk, place, fd);
        if (r >= 0)
                r = read_flags(walk, place, fd, &facts.flags);
        if (r >= 0)
                r = check_unchanged(walk, place, fd, st);
        return r < 0 ? r : store_text(walk, place, &facts, entry, group);
}

static int read_link(struct walk *walk, const struct place *place, const struct stat *st,
                     const char **ret)
{
        struct buffer *link = &place->worker->link;
        ssize_t n;

        /* One byte more than promised shows whether there is more. */
        for (size_t room = (size_t)MAX(st->st_size, (off_t)63) + 1;; room *= 2) {
                link->size = 0;
                if (!buffer_reserve(link, room + 1))
                        return fail_here(walk, place, -ENOMEM, "read");
                n = imgc_io_readlinkat(place->dirfd, place->name, link->data, room);
                if (n < 0)
                        return fail_here(walk, place,
                                         n == -EINVAL ? -ESTALE : changed_if_gone((int)n),
                                         "read link");
                if ((size_t)n < room)
                        break;
        }
        link->data[n] = '\0';
        *ret = link->data;
        return 0;
}

/* Access times that move are a cost, and a change. Only an owner may ask so. */
static int open_file(struct walk *walk, const struct place *place, int *ret)
{
        const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
        int fd = imgc_io_openat(place->dirfd, place->name, flags | O_NOATIME);

        if (fd == -EPERM)
                fd = imgc_io_openat(place->dirfd, place->name, flags);
        if (fd < 0)
                return fail_here(walk, place, changed_if_gone(fd), "open");
        *ret = fd;
        return 0;
}

/* By name, without opening: all that is no regular file, and regular files of which only
 * metadata counts. */
static int read_by_name(struct walk *walk, const struct place *place, const struct stat *st,
                        struct entry *entry)
{
        struct entry_facts facts = {.stat = st, .xattrs = &place->worker->xattrs};
        struct group *group = NULL;
        bool done = false;
        int r;

        r = entry_type_name(st->st_mode) ? check_owner(walk, st) : -EOPNOTSUPP;
        if (r < 0)
                return fail_here(walk, place, r, "read");
        /* A directory is a mount point that is not entered. */
        if (!S_ISDIR(st->st_mode))
                r = join_links(walk, place, st, entry, &group, &done);
        if (r < 0 || done)
                return r;
        facts.size = (uint64_t)st->st_size;
        if (S_ISLNK(st->st_mode))
                r = read_link(walk, place, st, &facts.link);
        if (r >= 0)
                r = read_xattrs(walk, place, -1);
        if (r >= 0)
                r = read_flags(walk, place, -1, &facts.flags);
        if (r >= 0)
                r = check_unchanged(walk, place, -1, st);
        return r < 0 ? r : store_text(walk, place, &facts, entry, group);
}

/* Whether a regular file must be opened. Its flags can be had from a descriptor everywhere; and
 * a size of 0 is a claim that only reading proves. */
static bool needs_open(fields_t fields, const struct stat *st)
{
        return fields & (FIELD_BIT(FIELD_CONTENT) | FIELD_BIT(FIELD_FLAGS)) ||
               (st && S_ISREG(st->st_mode) && !st->st_size && has_field(fields, FIELD_SIZE));
}

/* A directory tells the types of its own entries, not of what is mounted on them: there the type
 * that was found counts. Elsewhere another type is a change. */
static int settle_type(struct walk *walk, const struct place *place, const struct stat *st,
                       uint8_t *type)
{
        uint64_t here, there;
        int r;

        if (IFTODT(st->st_mode) == *type)
                return 0;
        r = *place->name ? imgc_io_mount_id(place->dirfd, "", &here) : -ESTALE;
        if (r >= 0)
                r = imgc_io_mount_id(place->dirfd, place->name, &there);
        if (r >= 0 && here == there)
                r = -ESTALE;
        if (r < 0)
                return fail_here(walk, place, changed_if_gone(r), "read");
        *type = IFTODT(st->st_mode);
        return 0;
}

static int stat_by_name(struct walk *walk, const struct place *place, struct stat *ret)
{
        int r = imgc_io_fstatat(place->dirfd, place->name, ret,
                                AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);

        return r < 0 ? fail_here(walk, place, changed_if_gone(r), "read") : 0;
}

int read_entry(struct walk *walk, const struct place *place, uint8_t type, struct entry *entry,
               int (*before_content)(void *userdata), void *userdata)
{
        _cleanup_close_ int opened = -1;
        int fd = place->fd, r = 0;
        struct stat st;

        if (type != DT_REG || !needs_open(walk->fields, NULL)) {
                r = stat_by_name(walk, place, &st);
                if (r >= 0)
                        r = settle_type(walk, place, &st, &type);
                if (r < 0)
                        return r;
                if (type != DT_REG || !needs_open(walk->fields, &st))
                        return read_by_name(walk, place, &st, entry);
        }
        if (fd < 0) {
                r = open_file(walk, place, &opened);
                fd = opened;
        }
        if (r >= 0) {
                r = imgc_io_fstat(fd, &st);
                if (r < 0)
                        fail_here(walk, place, r, "read");
        }
        if (r >= 0)
                r = settle_type(walk, place, &st, &type);
        if (r < 0)
                return r;
        return type == DT_REG ? read_file(walk, place, fd, &st, entry, before_content, userdata) :
                                read_by_name(walk, place, &st, entry);
}
