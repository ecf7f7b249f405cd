/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>

#include "core/io.h"

const char *const call_names[N_CALLS] = {
        "calloc",   "fgetflags",  "fgetxattr",  "flistxattr",  "fstat",   "fstatat",
        "getdents", "getflagsat", "getxattrat", "listxattrat", "lseek",   "malloc",
        "mount_id", "openat",     "read",       "readlinkat",  "realloc", "thread_create",
};

struct inject_mode inject_mode;

static atomic_bool counting;
static atomic_ulong n_calls;
static unsigned long wanted;
static atomic_int failed = N_CALLS;
static atomic_bool ignorable;
static atomic_int ids_fd = -1; /* the table of ids, while it is read */

void inject_start(unsigned long fail_at)
{
        n_calls = 0;
        wanted = fail_at;
        failed = N_CALLS;
        ignorable = false;
        ids_fd = -1;
        counting = true;
}

unsigned long inject_stop(void)
{
        counting = false;
        return n_calls;
}

enum call inject_failed(void)
{
        return (enum call)failed;
}

bool inject_may_be_ignored(void)
{
        return ignorable;
}

static bool fails(enum call call, bool may_be_ignored)
{
        if (!counting || atomic_fetch_add(&n_calls, 1) + 1 != wanted)
                return false;
        failed = (int)call;
        ignorable = may_be_ignored;
        return true;
}

static bool is_gone(const char *name)
{
        return inject_mode.gone_name && !strcmp(name, inject_mode.gone_name);
}

/* What the linker calls the true ones, and what it calls instead of them. */
#define WRAP(type, name, ...)                    \
        type __real_imgc_io_##name(__VA_ARGS__); \
        type __wrap_imgc_io_##name(__VA_ARGS__); \
        type __wrap_imgc_io_##name(__VA_ARGS__)

WRAP(void *, malloc, size_t size)
{
        return fails(CALL_MALLOC, false) ? NULL : __real_imgc_io_malloc(size);
}

WRAP(void *, calloc, size_t n, size_t size)
{
        return fails(CALL_CALLOC, false) ? NULL : __real_imgc_io_calloc(n, size);
}

WRAP(void *, realloc, void *p, size_t size)
{
        if (inject_mode.refused_bytes && size == inject_mode.refused_bytes)
                return NULL;
        return fails(CALL_REALLOC, false) ? NULL : __real_imgc_io_realloc(p, size);
}

WRAP(int, openat, int dirfd, const char *path, int flags)
{
        bool is_ids = dirfd == AT_FDCWD && !strncmp(path, "/proc/", 6);
        int fd;

        if (fails(CALL_OPENAT, is_ids))
                return -EMFILE;
        if (inject_mode.no_noatime && flags & O_NOATIME)
                return -EPERM;
        if (is_gone(path))
                return inject_mode.gone_errno;
        fd = __real_imgc_io_openat(dirfd, path, flags);
        if (is_ids)
                ids_fd = fd;
        else if (fd == ids_fd)
                ids_fd = -1;
        return fd;
}

WRAP(int, fstat, int fd, struct stat *ret)
{
        return fails(CALL_FSTAT, false) ? -EIO : __real_imgc_io_fstat(fd, ret);
}

WRAP(int, fstatat, int dirfd, const char *name, struct stat *ret, int flags)
{
        if (fails(CALL_FSTATAT, false))
                return -EIO;
        return is_gone(name) ? inject_mode.gone_errno :
                               __real_imgc_io_fstatat(dirfd, name, ret, flags);
}

WRAP(int, mount_id, int dirfd, const char *name, uint64_t *ret)
{
        return fails(CALL_MOUNT_ID, false) ? -EIO : __real_imgc_io_mount_id(dirfd, name, ret);
}

WRAP(ssize_t, read, int fd, void *buffer, size_t size)
{
        if (fails(CALL_READ, fd == ids_fd))
                return -EIO;
        return __real_imgc_io_read(fd, buffer, inject_mode.short_reads && size ? 1 : size);
}

WRAP(int64_t, lseek, int fd, int64_t offset, int whence)
{
        return fails(CALL_LSEEK, false) ? -EIO : __real_imgc_io_lseek(fd, offset, whence);
}

struct linux_dirent64 {
        uint64_t d_ino;
        int64_t d_off;
        unsigned short d_reclen;
        unsigned char d_type;
        char d_name[];
};

WRAP(ssize_t, getdents, int fd, void *buffer, size_t size)
{
        ssize_t n;

        if (fails(CALL_GETDENTS, false))
                return -EIO;
        n = __real_imgc_io_getdents(fd, buffer, size);
        for (char *p = buffer; inject_mode.unknown_types && n > 0 && p < (char *)buffer + n;) {
                struct linux_dirent64 *d = (void *)p;

                d->d_type = DT_UNKNOWN;
                p += d->d_reclen;
        }
        return n;
}

WRAP(ssize_t, readlinkat, int dirfd, const char *name, char *buffer, size_t size)
{
        if (fails(CALL_READLINKAT, false))
                return -EIO;
        return __real_imgc_io_readlinkat(dirfd, name, buffer, size);
}

WRAP(ssize_t, flistxattr, int fd, char *list, size_t size)
{
        return fails(CALL_FLISTXATTR, false) ? -EIO : __real_imgc_io_flistxattr(fd, list, size);
}

WRAP(ssize_t, fgetxattr, int fd, const char *name, void *value, size_t size)
{
        return fails(CALL_FGETXATTR, false) ? -EIO :
                                              __real_imgc_io_fgetxattr(fd, name, value, size);
}

WRAP(ssize_t, listxattrat, int dirfd, const char *name, char *list, size_t size)
{
        return fails(CALL_LISTXATTRAT, false) ? -EIO :
                                                __real_imgc_io_listxattrat(dirfd, name, list, size);
}

WRAP(ssize_t, getxattrat, int dirfd, const char *name, const char *xattr, void *value, size_t size)
{
        if (fails(CALL_GETXATTRAT, false))
                return -EIO;
        return __real_imgc_io_getxattrat(dirfd, name, xattr, value, size);
}

WRAP(int, fgetflags, int fd, uint32_t *ret)
{
        return fails(CALL_FGETFLAGS, false) ? -EIO : __real_imgc_io_fgetflags(fd, ret);
}

WRAP(int, getflagsat, int dirfd, const char *name, uint32_t *ret)
{
        return fails(CALL_GETFLAGSAT, false) ? -EIO : __real_imgc_io_getflagsat(dirfd, name, ret);
}

WRAP(int, thread_create, pthread_t *ret, void *(*run)(void *), void *userdata)
{
        return fails(CALL_THREAD_CREATE, true) || inject_mode.no_threads ?
                       -EAGAIN :
                       __real_imgc_io_thread_create(ret, run, userdata);
}
