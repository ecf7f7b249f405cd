/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object: finds out what kind of tree a path is, and has it read. */
#include "tree/tree.h"

#include <errno.h>
#include <fcntl.h>

#include "core/context.h"
#include "core/error.h"
#include "core/limits.h"
#include "core/options.h"
#include "tree/node.h"
#include "tree/read-listing.h"
#include "tree/walk.h"

/* ------------------------------------------------------------------------------ options */

static int read_options(const struct imgc_tree_options *given, struct imgc_tree_options *ret,
                        fields_t *ret_fields, struct imgc_error **reterr)
{
        const uint32_t flags = IMGC_TREE_ONE_FILESYSTEM | IMGC_TREE_IGNORE_ROOT |
                               IMGC_TREE_DIGEST_ONLY;
        const char *bad;
        size_t bad_size;
        int r;

        *ret = (struct imgc_tree_options)IMGC_TREE_OPTIONS_INIT;
        if (given) {
                r = options_check_size(given, given->size, sizeof(*given));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "read", NULL,
                                            "tree options of an unknown size");
                memcpy(ret, given, MIN(given->size, sizeof(*ret)));
        }
        if (ret->digest > IMGC_DIGEST_SHA256 || ret->kind > IMGC_TREE_KIND_LISTING ||
            ret->flags & ~flags)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "read", NULL,
                                    "unknown value in tree options");
        r = fields_parse(ret->fields, ret_fields, &bad, &bad_size);
        if (r < 0)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "parse", NULL,
                                     "unknown profile or field '%.*s'",
                                     (int)MIN(bad_size, (size_t)64), bad);
        return 0;
}

/* A listing is what it is: nothing can be asked of it that it does not say. */
static int check_listing_options(const struct imgc_tree_options *o, fields_t fields,
                                 const struct imgc_tree *tree, const char *path,
                                 struct imgc_error **reterr)
{
        const char *what = NULL;

        if ((o->exclude && *o->exclude) || o->uid != IMGC_ID_KEEP || o->gid != IMGC_ID_KEEP ||
            o->flags & IMGC_TREE_IGNORE_ROOT)
                what = "exclude patterns, owners and ignoring the root cannot be applied to a listing";
        else if (o->fields && fields != tree->fields)
                what = "it is a listing with other fields";
        else if (o->digest != IMGC_DIGEST_DEFAULT && o->digest != tree->algorithm)
                what = "it is a listing with another digest";
        if (!what)
                return 0;
        return error_reason(reterr, IMGC_ERROR_UNSUPPORTED, -ENOTSUP, "read", path, "%s", what);
}

/* ------------------------------------------------------------------------------ listings */

static void set_fields(struct imgc_tree *tree, fields_t fields,
                       enum imgc_digest_algorithm algorithm)
{
        tree->fields = fields;
        tree->algorithm = algorithm;
        fields_format(fields, tree->fields_text);
}

static struct imgc_tree *tree_alloc(enum imgc_tree_kind kind)
{
        struct imgc_tree *tree = imgc_io_calloc(1, sizeof(*tree));

        if (tree) {
                tree->references = 1;
                tree->kind = kind;
        }
        return tree;
}

/* Takes the buffer's bytes over. */
static int parse_listing(struct imgc_context *context, struct buffer *bytes, const char *name,
                         struct imgc_tree **ret, struct imgc_error **reterr)
{
        _cleanup_(imgc_tree_unrefp) struct imgc_tree *tree = tree_alloc(IMGC_TREE_KIND_LISTING);
        _cleanup_(hasher_freep) struct hasher *hasher = NULL;
        unsigned char digest[DIGEST_BYTES_MAX];
        struct listing_summary summary;
        struct listing listing;
        int r;

        if (!tree)
                return error_no_memory(reterr);
        r = listing_read(context, bytes->data, bytes->size, name, 1, &listing, &summary, reterr);
        if (r < 0)
                return r;
        r = hasher_new(context, listing.algorithm, &hasher);
        if (r >= 0)
                r = hasher_digest(hasher, listing.data, listing.size, digest);
        if (r < 0)
                return error_no_memory(reterr);
        set_fields(tree, listing.fields, listing.algorithm);
        digest_format(digest, digest_bytes(listing.algorithm), tree->digest);
        tree->n_entries = summary.n_entries;
        tree->n_bytes = summary.n_bytes;
        tree->listing = listing;
        *bytes = (struct buffer){0};
        *ret = TAKE_PTR(tree);
        return 0;
}

IMGC_EXPORT int imgc_tree_parse(struct imgc_context *context, const void *data, size_t data_bytes,
                                const char *name, struct imgc_tree **ret,
                                struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer copy = {0};

        buffer_add(&copy, data, data_bytes);
        if (!buffer_string(&copy))
                return error_no_memory(reterr);
        return parse_listing(context, &copy, name ? name : "listing", ret, reterr);
}

static int read_whole_file(int fd, const struct stat *before, struct buffer *ret)
{
        struct stat after;
        ssize_t n;
        int r;

        if ((uint64_t)before->st_size > LIMIT_LISTING_BYTES)
                return -EFBIG;
        /* One byte more than there should be shows whether there is more. */
        buffer_reserve(ret, (size_t)before->st_size + 1);
        do {
                if (!buffer_reserve(ret, 1))
                        return -ENOMEM;
                n = imgc_io_read(fd, ret->data + ret->size, ret->capacity - ret->size);
                if (n > 0)
                        ret->size += (size_t)n;
        } while (n > 0);
        r = n < 0 ? (int)n : imgc_io_fstat(fd, &after);
        if (r < 0)
                return r;
        return stat_is_same(before, &after) ? 0 : -ESTALE;
}

static int read_listing_file(struct imgc_context *context, int fd, const struct stat *st,
                             const char *path, struct imgc_tree **ret, struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer bytes = {0};
        int r = read_whole_file(fd, st, &bytes);

        if (r == -ESTALE)
                return error_reason(reterr, IMGC_ERROR_TREE_CHANGED, r, "read", path,
                                    "it changed while it was read");
        if (r < 0)
                return error_errno(reterr, r, "read", path);
        return parse_listing(context, &bytes, path, ret, reterr);
}

static int looks_like_listing(int fd, bool *ret)
{
        char start[sizeof(LISTING_MAGIC) - 1];
        size_t have = 0;
        ssize_t n = 1;
        int64_t r;

        while (have < sizeof(start) && n > 0) {
                n = imgc_io_read(fd, start + have, sizeof(start) - have);
                if (n < 0)
                        return (int)n;
                have += (size_t)n;
        }
        *ret = have == sizeof(start) && !memcmp(start, LISTING_MAGIC, have);
        r = imgc_io_lseek(fd, 0, SEEK_SET);
        return r < 0 ? (int)r : 0;
}

/* ------------------------------------------------------------------------------ reading */

static int tree_of_walk(struct walk *walk, const struct walk_options *options,
                        enum imgc_tree_kind kind, struct imgc_tree **ret,
                        struct imgc_error **reterr)
{
        _cleanup_(imgc_tree_unrefp) struct imgc_tree *tree = tree_alloc(kind);
        struct walk_result result = {0};
        int r;

        if (!tree)
                return error_no_memory(reterr);
        r = walk_write_listing(walk, &result, reterr);
        if (r < 0)
                return r;
        set_fields(tree, options->style.fields, options->style.algorithm);
        digest_format(result.digest, digest_bytes(tree->algorithm), tree->digest);
        tree->n_entries = result.n_entries;
        tree->n_bytes = result.n_bytes;
        if (result.listing.data)
                listing_read_header(result.listing.data, result.listing.size, &tree->listing);
        *ret = TAKE_PTR(tree);
        return 0;
}

/* Opens what an O_PATH descriptor holds, for reading. */
static int open_again(int path_fd, int dirfd, const char *path, const struct stat *st)
{
        const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
        bool is_directory = S_ISDIR(st->st_mode);
        _cleanup_close_ int fd = -1;
        struct stat again;
        int r;

        if (is_directory) {
                dirfd = path_fd;
                path = ".";
        }
        fd = imgc_io_openat(dirfd, path, flags | O_NOATIME | (is_directory ? O_DIRECTORY : 0));
        if (fd == -EPERM)
                fd = imgc_io_openat(dirfd, path, flags | (is_directory ? O_DIRECTORY : 0));
        if (fd < 0)
                return fd;
        r = imgc_io_fstat(fd, &again);
        if (r < 0)
                return r;
        return again.st_dev == st->st_dev && again.st_ino == st->st_ino ? TAKE_FD(fd) : -ESTALE;
}

/* What a path leads to, open. */
struct opened {
        int path_fd; /* O_PATH */
        int fd;      /* directories and regular files: for reading */
        struct stat stat;
        enum imgc_tree_kind kind;
};

static void opened_close(struct opened *opened)
{
        opened->path_fd = imgc_io_close(opened->path_fd);
        opened->fd = imgc_io_close(opened->fd);
}

static int open_input(int dirfd, const char *path, uint32_t kind, struct opened *ret)
{
        bool is_listing = false;
        int r;

        ret->path_fd = imgc_io_openat(dirfd, path, O_PATH);
        if (ret->path_fd < 0)
                return ret->path_fd;
        r = imgc_io_fstat(ret->path_fd, &ret->stat);
        if (r < 0)
                return r;
        ret->kind = S_ISDIR(ret->stat.st_mode) ? IMGC_TREE_KIND_DIRECTORY : IMGC_TREE_KIND_FILE;
        if (!S_ISDIR(ret->stat.st_mode) && !S_ISREG(ret->stat.st_mode))
                return 0;
        ret->fd = open_again(ret->path_fd, dirfd, path, &ret->stat);
        if (ret->fd < 0)
                return ret->fd;
        if (S_ISREG(ret->stat.st_mode) && kind == IMGC_TREE_KIND_AUTO) {
                r = looks_like_listing(ret->fd, &is_listing);
                if (r < 0)
                        return r;
        }
        if (is_listing || (S_ISREG(ret->stat.st_mode) && kind == IMGC_TREE_KIND_LISTING))
                ret->kind = IMGC_TREE_KIND_LISTING;
        return 0;
}

static int read_opened(struct imgc_context *context, struct opened *opened, const char *path,
                       const struct imgc_tree_options *o, fields_t fields, struct imgc_tree **ret,
                       struct imgc_error **reterr)
{
        _cleanup_(imgc_tree_unrefp) struct imgc_tree *tree = NULL;
        _cleanup_(exclude_freep) struct exclude *exclude = NULL;
        _cleanup_(walk_freep) struct walk *walk = NULL;
        enum imgc_digest_algorithm algorithm = o->digest == IMGC_DIGEST_DEFAULT ?
                                                       IMGC_DIGEST_XXH128 :
                                                       (enum imgc_digest_algorithm)o->digest;
        struct walk_options options = {
                .style = {fields, algorithm, o->uid, o->gid},
                .flags = o->flags,
                .label = path,
        };
        int r;

        if (opened->kind == IMGC_TREE_KIND_LISTING) {
                r = read_listing_file(context, opened->fd, &opened->stat, path, &tree, reterr);
                if (r >= 0)
                        r = check_listing_options(o, fields, tree, path, reterr);
                if (r < 0)
                        return r;
                if (o->flags & IMGC_TREE_DIGEST_ONLY) {
                        free((void *)(uintptr_t)tree->listing.data);
                        tree->listing = (struct listing){0};
                }
                *ret = TAKE_PTR(tree);
                return 0;
        }
        r = exclude_new(o->exclude, &exclude, reterr);
        if (r < 0)
                return r;
        options.exclude = exclude;
        r = walk_new(context, &options, &walk, reterr);
        if (r >= 0)
                r = opened->kind == IMGC_TREE_KIND_DIRECTORY ?
                            walk_directory(walk, TAKE_FD(opened->fd), reterr) :
                            walk_single(walk, opened->path_fd, opened->fd, reterr);
        return r < 0 ? r : tree_of_walk(walk, &options, opened->kind, ret, reterr);
}

static const char *kind_name(uint32_t kind)
{
        return kind == IMGC_TREE_KIND_DIRECTORY ? "directory" :
               kind == IMGC_TREE_KIND_LISTING   ? "listing" :
                                                  "file";
}

IMGC_EXPORT int imgc_tree_read_at(struct imgc_context *context, int dirfd, const char *path,
                                  const struct imgc_tree_options *options, struct imgc_tree **ret,
                                  struct imgc_error **reterr)
{
        _cleanup_(opened_close) struct opened opened = {.path_fd = -1, .fd = -1};
        struct imgc_tree_options o;
        fields_t fields;
        int r;

        r = read_options(options, &o, &fields, reterr);
        if (r < 0)
                return r;
        r = open_input(dirfd, path, o.kind, &opened);
        if (r == -ESTALE)
                return error_reason(reterr, IMGC_ERROR_TREE_CHANGED, r, "open", path,
                                    "it changed while it was opened");
        if (r < 0)
                return error_errno(reterr, r, "open", path);
        if (o.kind != IMGC_TREE_KIND_AUTO && o.kind != opened.kind)
                return error_reason(reterr, IMGC_ERROR_UNSUPPORTED, -ENOTSUP, "read", path,
                                    "it is a %s, not a %s", kind_name(opened.kind),
                                    kind_name(o.kind));
        return read_opened(context, &opened, path, &o, fields, ret, reterr);
}

/* ------------------------------------------------------------------------------ the object */

IMGC_EXPORT struct imgc_tree *imgc_tree_ref(struct imgc_tree *tree)
{
        atomic_fetch_add_explicit(&tree->references, 1, memory_order_relaxed);
        return tree;
}

IMGC_EXPORT struct imgc_tree *imgc_tree_unref(struct imgc_tree *tree)
{
        if (!tree || atomic_fetch_sub_explicit(&tree->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        free((void *)(uintptr_t)tree->listing.data);
        free(tree);
        return NULL;
}

IMGC_EXPORT const char *imgc_tree_get_digest(const struct imgc_tree *tree)
{
        return tree->digest;
}

IMGC_EXPORT enum imgc_digest_algorithm imgc_tree_get_digest_algorithm(const struct imgc_tree *tree)
{
        return tree->algorithm;
}

IMGC_EXPORT enum imgc_tree_kind imgc_tree_get_kind(const struct imgc_tree *tree)
{
        return tree->kind;
}

IMGC_EXPORT const char *imgc_tree_get_fields(const struct imgc_tree *tree)
{
        return tree->fields_text;
}

IMGC_EXPORT uint64_t imgc_tree_get_n_entries(const struct imgc_tree *tree)
{
        return tree->n_entries;
}

IMGC_EXPORT uint64_t imgc_tree_get_n_bytes(const struct imgc_tree *tree)
{
        return tree->n_bytes;
}

IMGC_EXPORT const char *imgc_tree_get_listing(const struct imgc_tree *tree, size_t *ret_bytes)
{
        *ret_bytes = tree->listing.size;
        return tree->listing.data;
}
