/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Trees: anything that holds files, read into a canonical listing with a digest.
 *
 * A tree is read once and immutable from then on; it may be shared between threads.
 * Its *listing* has one line an entry, in canonical order and spelling
 * (doc/format.md defines every byte): the same tree gives the same bytes, whatever
 * the path, file system, locale, time or number of threads. Its *digest* is the
 * digest of exactly these bytes.
 *
 * Reading is all or nothing. An entry that vanishes, changes while it is read or
 * cannot be read fails the whole call: a digest never covers a half-seen tree.
 *
 *     struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
 *     struct imgc_tree *tree = NULL;
 *
 *     options.digest = IMGC_DIGEST_SHA256;
 *     r = imgc_tree_read_at(context, AT_FDCWD, "rootfs", &options, &tree, &error);
 *     if (r >= 0)
 *             puts(imgc_tree_get_digest(tree));
 *     imgc_tree_unref(tree);
 */
#ifndef IMAGECACHE_TREE_H
#define IMAGECACHE_TREE_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/context.h>
#include <imagecache/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imgc_tree;

/* The digest of files and listings. xxh128 (XXH3's 128-bit variant) detects change
 * on one machine and can be forged; use sha256 for anything that is shared between
 * machines or people. */
enum imgc_digest_algorithm {
        IMGC_DIGEST_DEFAULT = 0, /* xxh128 */
        IMGC_DIGEST_XXH128 = 1,
        IMGC_DIGEST_SHA256 = 2,
};

/* What holds the files. */
enum imgc_tree_kind {
        IMGC_TREE_KIND_AUTO = 0, /* found from content, never from the name */
        IMGC_TREE_KIND_DIRECTORY = 1,
        IMGC_TREE_KIND_FILE = 2,    /* one thing that is not a directory: a listing of "." */
        IMGC_TREE_KIND_LISTING = 3, /* a file that holds a canonical listing */
};

enum imgc_tree_flags {
        /* List mount points below the root, but do not enter them. */
        IMGC_TREE_ONE_FILESYSTEM = 1 << 0,
        /* Leave a directory's own attributes out: its line is ". type=dir". */
        IMGC_TREE_IGNORE_ROOT = 1 << 1,
        /* Keep the digest only, not the listing; needs less memory. */
        IMGC_TREE_DIGEST_ONLY = 1 << 2,
};

/* Keep the owner that the file has. */
#define IMGC_ID_KEEP UINT32_MAX

/* How to read a tree. Begin with IMGC_TREE_OPTIONS_INIT and set what differs. A
 * library that does not know a member that is set answers -E2BIG. */
struct imgc_tree_options {
        size_t size;     /* sizeof(struct imgc_tree_options) */
        uint32_t digest; /* enum imgc_digest_algorithm */
        uint32_t kind;   /* enum imgc_tree_kind; -ENOTSUP where the input is another */
        uint32_t flags;  /* enum imgc_tree_flags, or-ed */
        uint32_t uid;    /* every entry's owner, instead of its own; IMGC_ID_KEEP */
        uint32_t gid;    /* every entry's group, instead of its own; IMGC_ID_KEEP */
        /* What counts: a profile ("content", "image", "output", "exact") or field names
         * separated by commas (type, mode, exec, uid, gid, size, device, link, hardlink,
         * time, flags, acl, xattr, label, overlay, content). NULL is "image". */
        const char *fields;
        /* Entries to leave out: patterns in the syntax of gitignore(5), the last match
         * decides; the array ends with NULL. NULL is no pattern. The root is never
         * left out. */
        const char *const *exclude;
};

#define IMGC_TREE_OPTIONS_INIT                                                                    \
        {                                                                                         \
                sizeof(struct imgc_tree_options), 0, 0, 0, IMGC_ID_KEEP, IMGC_ID_KEEP, NULL, NULL \
        }

/* Reads a tree from the disk; writes nothing, and leaves access times alone where the
 * kernel allows that.
 *
 * dirfd, path: what to read, as for openat(2); AT_FDCWD is fine. A symbolic link as
 *     the last component of path is followed, below the root none is.
 * options: NULL means the defaults.
 * ret: receives the tree; the caller's reference. Untouched on failure.
 *
 * A listing (IMGC_TREE_KIND_LISTING) brings its own fields and digest; options that
 * ask for others, and exclude, uid, gid or IMGC_TREE_IGNORE_ROOT, are refused for it.
 *
 * Returns 0 or a negative errno; among the codes: not-found, access, tree-changed,
 * unmapped-id, limit, cancelled, invalid-argument, syntax (of a listing), io.
 * Since: 0.1.0 */
int imgc_tree_read_at(struct imgc_context *context, int dirfd, const char *path,
                      const struct imgc_tree_options *options, struct imgc_tree **ret,
                      struct imgc_error **reterr);

/* Reads a canonical listing from memory. Nothing but the bytes that a tree could have
 * been written with is accepted.
 *
 * data, data_bytes: the listing, header line included; copied.
 * name: stands in messages in front of line numbers; NULL is "listing".
 * ret: receives the tree; the caller's reference.
 *
 * Returns 0, -EBADMSG (code syntax, the message names the line) or -ENOMEM.
 * Since: 0.1.0 */
int imgc_tree_parse(struct imgc_context *context, const void *data, size_t data_bytes,
                    const char *name, struct imgc_tree **ret, struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_tree *imgc_tree_ref(struct imgc_tree *tree);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_tree *imgc_tree_unref(struct imgc_tree *tree);

/* The digest of the listing in lower-case hexadecimal (XXH128 in its canonical,
 * big-endian form). Borrowed.
 * Since: 0.1.0 */
const char *imgc_tree_get_digest(const struct imgc_tree *tree);

/* Since: 0.1.0 */
enum imgc_digest_algorithm imgc_tree_get_digest_algorithm(const struct imgc_tree *tree);

/* "xxh128" or "sha256"; NULL for anything else. Static.
 * Since: 0.1.0 */
const char *imgc_digest_algorithm_get_name(enum imgc_digest_algorithm algorithm);

/* The algorithm of that name, or -EINVAL.
 * Since: 0.1.0 */
int imgc_digest_algorithm_from_name(const char *name);

/* Which kind was found. Never IMGC_TREE_KIND_AUTO.
 * Since: 0.1.0 */
enum imgc_tree_kind imgc_tree_get_kind(const struct imgc_tree *tree);

/* The fields that count, as the listing's header names them: "type,mode,uid,…".
 * Borrowed.
 * Since: 0.1.0 */
const char *imgc_tree_get_fields(const struct imgc_tree *tree);

/* How many entries the listing has, its root included.
 * Since: 0.1.0 */
uint64_t imgc_tree_get_n_entries(const struct imgc_tree *tree);

/* The sum of the sizes of the regular files in bytes, hard links counted once where
 * they are told apart; 0 where the field "size" does not count.
 * Since: 0.1.0 */
uint64_t imgc_tree_get_n_bytes(const struct imgc_tree *tree);

/* The listing's bytes, not terminated by NUL, or NULL of a tree read with
 * IMGC_TREE_DIGEST_ONLY. Borrowed.
 * ret_bytes: receives their number.
 * Since: 0.1.0 */
const char *imgc_tree_get_listing(const struct imgc_tree *tree, size_t *ret_bytes);

/* A walk over the entries of a tree, in the order of its listing. For one thread at a
 * time. */
struct imgc_tree_iterator;

/* Starts before the first entry.
 * ret: receives the iterator; the caller's, to be freed with
 *     imgc_tree_iterator_free(). It holds a reference to the tree.
 * Returns 0, -ENOMEM, or -ENODATA where the tree has no listing.
 * Since: 0.1.0 */
int imgc_tree_iterator_new(struct imgc_tree *tree, struct imgc_tree_iterator **ret,
                           struct imgc_error **reterr);

/* NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_tree_iterator *imgc_tree_iterator_free(struct imgc_tree_iterator *iterator);

/* Goes to the next entry. Returns 1, 0 behind the last one, or -ENOMEM.
 * Since: 0.1.0 */
int imgc_tree_iterator_next(struct imgc_tree_iterator *iterator, struct imgc_error **reterr);

/* The present entry's path as the kernel's bytes, without "./"; the root is ".".
 * Borrowed until the next step.
 * Since: 0.1.0 */
const char *imgc_tree_iterator_get_path(const struct imgc_tree_iterator *iterator);

/* How many attributes the present entry has.
 * Since: 0.1.0 */
size_t imgc_tree_iterator_get_n_attributes(const struct imgc_tree_iterator *iterator);

/* Attribute `index` of the present entry, spelt as in the listing: its keyword ("type",
 * "mode", "xattr.user.mime", …; the digest's is "xxh128" or "sha256") and its value.
 * Both are borrowed until the next step; either pointer may be NULL.
 * Returns 0, or -ERANGE where there is no such attribute.
 * Since: 0.1.0 */
int imgc_tree_iterator_get_attribute(const struct imgc_tree_iterator *iterator, size_t index,
                                     const char **ret_keyword, const char **ret_value);

#ifdef __cplusplus
}
#endif

#endif
