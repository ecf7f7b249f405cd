/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests and files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "core/error.h"
#include "core/io-files.h"
#include "core/io.h"
#include "core/limits.h"
#include "manifest/manifest-internal.h"

/*
 * Files of at least this size are mapped, smaller ones read. A mapping costs no memory and no
 * copy, but who cuts the file short takes the pages away from under us (SIGBUS), and who writes
 * into it changes what was checked. Our own files are replaced by rename and never written
 * again; that somebody edits a manifest in place is likely for small ones only.
 */
#define MAP_BYTES ((size_t)8 << 20)

IMGC_EXPORT int imgc_manifest_parse(struct imgc_context *context, const void *data,
                                    size_t data_bytes, const char *name, struct imgc_manifest **ret,
                                    struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer copy = {0};
        int r;

        buffer_add(&copy, data, data_bytes);
        if (!buffer_string(&copy))
                return error_no_memory(reterr);
        r = manifest_of_bytes(context, copy.data, data_bytes, false, name ? name : "manifest",
                              false, ret, reterr);
        if (r >= 0)
                copy = (struct buffer){0};
        return r;
}

/* Up to its end, whatever its size is said to be: it may be a pipe. */
static int read_file(struct imgc_context *context, int fd, const char *path,
                     struct imgc_manifest **ret, struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer bytes = {0};
        ssize_t n;
        int r;

        do {
                if (!buffer_reserve(&bytes, 64u << 10))
                        return error_no_memory(reterr);
                n = imgc_io_read(fd, bytes.data + bytes.size, bytes.capacity - bytes.size);
                if (n > 0)
                        bytes.size += (size_t)n;
                if (bytes.size > LIMIT_LISTING_BYTES)
                        return error_reason(reterr, IMGC_ERROR_LIMIT, -EFBIG, "read", path,
                                            "it is too large");
        } while (n > 0);
        if (n < 0)
                return error_errno(reterr, (int)n, "read", path);
        r = manifest_of_bytes(context, bytes.data, bytes.size, false, path, false, ret, reterr);
        if (r >= 0)
                bytes = (struct buffer){0};
        return r;
}

static int map_file(struct imgc_context *context, int fd, size_t size, const char *path,
                    struct imgc_manifest **ret, struct imgc_error **reterr)
{
        int r;
        const void *data = imgc_io_mmap(fd, size, &r);

        if (!data)
                return error_errno(reterr, r, "map", path);
        r = manifest_of_bytes(context, data, size, true, path, false, ret, reterr);
        if (r < 0)
                imgc_io_munmap(data, size);
        else
                imgc_io_release(data, size); /* checking has read all of it */
        return r;
}

IMGC_EXPORT int imgc_manifest_load_at(struct imgc_context *context, int dirfd, const char *path,
                                      struct imgc_manifest **ret, struct imgc_error **reterr)
{
        _cleanup_close_ int fd = imgc_io_openat(dirfd, path, O_RDONLY | O_NOCTTY);
        struct stat st;
        int r;

        if (fd < 0)
                return error_errno(reterr, fd, "open", path);
        r = imgc_io_fstat(fd, &st);
        if (r < 0)
                return error_errno(reterr, r, "read", path);
        if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > LIMIT_LISTING_BYTES)
                return error_reason(reterr, IMGC_ERROR_LIMIT, -EFBIG, "read", path,
                                    "it is too large");
        if (S_ISREG(st.st_mode) && (uint64_t)st.st_size >= MAP_BYTES)
                return map_file(context, fd, (size_t)st.st_size, path, ret, reterr);
        return read_file(context, fd, path, ret, reterr);
}

/* ------------------------------------------------------------------------------ writing */

static int write_all(int fd, const char *data, size_t size)
{
        while (size) {
                ssize_t n = imgc_io_write(fd, data, MIN(size, (size_t)1 << 30));

                if (n < 0)
                        return (int)n;
                if (!n)
                        return -EIO;
                data += n;
                size -= (size_t)n;
        }
        return 0;
}

/* Makes a file that was not there, beside the one it will replace. */
static int create_beside(int directory, char name[static 40])
{
        uint64_t random;
        int fd = -EEXIST;

        for (int i = 0; i < 100 && fd == -EEXIST; i++) {
                int r = imgc_io_getrandom(&random, sizeof(random));

                if (r < 0)
                        return r;
                snprintf(name, 40, ".imagecache-%016llx", (unsigned long long)random);
                fd = imgc_io_createat(directory, name, O_WRONLY | O_EXCL, 0666);
        }
        return fd;
}

static int replace_file(int directory, const char *base, const char *data, size_t size)
{
        _cleanup_close_ int fd = -1;
        char temporary[40];
        int r;

        fd = create_beside(directory, temporary);
        if (fd < 0)
                return fd;
        r = write_all(fd, data, size);
        if (r >= 0)
                r = imgc_io_fsync(fd);
        if (r >= 0)
                r = imgc_io_renameat(directory, temporary, directory, base);
        if (r < 0) {
                imgc_io_unlinkat(directory, temporary, 0);
                return r;
        }
        return imgc_io_fsync(directory);
}

/* What is no regular file of its own stays what it is: a link (/dev/stdout is one), a device, a
 * pipe. */
static int write_through(int directory, const char *base, const char *data, size_t size)
{
        _cleanup_close_ int fd =
                imgc_io_createat(directory, base, O_WRONLY | O_TRUNC | O_NOCTTY, 0666);
        int r;

        if (fd < 0)
                return fd;
        r = write_all(fd, data, size);
        if (r < 0)
                return r;
        r = imgc_io_fsync(fd);
        return r == -EINVAL || r == -EROFS ? 0 : r; /* of pipes and terminals */
}

static int write_file(int directory, const char *base, const char *data, size_t size)
{
        struct stat st;
        int r = imgc_io_fstatat(directory, base, &st, AT_SYMLINK_NOFOLLOW);

        if (r == -ENOENT || (r >= 0 && S_ISREG(st.st_mode)))
                return replace_file(directory, base, data, size);
        return r < 0 ? r : write_through(directory, base, data, size);
}

IMGC_EXPORT int imgc_manifest_save_at(const struct imgc_manifest *manifest, int dirfd,
                                      const char *path, struct imgc_error **reterr)
{
        _cleanup_close_ int directory = -1;
        _cleanup_buffer_ struct buffer parent = {0};
        const char *slash = strrchr(path, '/');
        int r;

        if (slash)
                buffer_add(&parent, path, (size_t)(slash - path) + 1);
        else
                buffer_add_char(&parent, '.');
        if (!buffer_string(&parent))
                return error_no_memory(reterr);
        directory = imgc_io_openat(dirfd, parent.data, O_RDONLY | O_DIRECTORY);
        r = directory < 0 ?
                    directory :
                    write_file(directory, slash ? slash + 1 : path, manifest->data, manifest->size);
        return r < 0 ? error_errno(reterr, r, "write", path) : 0;
}
