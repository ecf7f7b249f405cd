/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "core/io-retry.h"

/* System calls newer than the libc that we build with; the numbers are the same on all
 * architectures. */
#ifndef SYS_getxattrat
#define SYS_getxattrat 464
#endif
#ifndef SYS_listxattrat
#define SYS_listxattrat 465
#endif

struct xattr_args_v0 {
        uint64_t value __attribute__((aligned(8)));
        uint32_t size;
        uint32_t flags;
};

void *imgc_io_malloc(size_t size)
{
        return malloc(size ? size : 1);
}

void *imgc_io_calloc(size_t n, size_t size)
{
        return calloc(n ? n : 1, size ? size : 1);
}

void *imgc_io_realloc(void *p, size_t size)
{
        return realloc(p, size ? size : 1);
}

int imgc_io_openat(int dirfd, const char *path, int flags)
{
        return RETRY(openat(dirfd, path, flags | O_CLOEXEC));
}

int imgc_io_fstat(int fd, struct stat *ret)
{
        return RETRY(fstat(fd, ret));
}

int imgc_io_fstatat(int dirfd, const char *name, struct stat *ret, int flags)
{
        return RETRY(fstatat(dirfd, name, ret, flags));
}

int imgc_io_mount_id(int dirfd, const char *name, uint64_t *ret)
{
        struct statx stx = {0};
        int r = RETRY(
                statx(dirfd, name,
                      AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                      STATX_MNT_ID, &stx));

        if (r < 0)
                return r;
        /* Linux < 5.8 tells no mount ids: a device for each mount is the next best. */
        *ret = stx.stx_mask & STATX_MNT_ID ?
                       stx.stx_mnt_id :
                       (uint64_t)makedev(stx.stx_dev_major, stx.stx_dev_minor);
        return 0;
}

ssize_t imgc_io_read(int fd, void *buffer, size_t size)
{
        return RETRY(read(fd, buffer, size));
}

int64_t imgc_io_lseek(int fd, int64_t offset, int whence)
{
        return RETRY((int64_t)lseek(fd, offset, whence));
}

ssize_t imgc_io_getdents(int fd, void *buffer, size_t size)
{
        return RETRY((ssize_t)syscall(SYS_getdents64, fd, buffer, size));
}

ssize_t imgc_io_readlinkat(int dirfd, const char *name, char *buffer, size_t size)
{
        return RETRY(readlinkat(dirfd, name, buffer, size));
}

ssize_t imgc_io_flistxattr(int fd, char *list, size_t size)
{
        return RETRY(flistxattr(fd, list, size));
}

ssize_t imgc_io_fgetxattr(int fd, const char *name, void *value, size_t size)
{
        return RETRY(fgetxattr(fd, name, value, size));
}

/* Before Linux 6.13 the xattr calls take paths only. The kernel resolves the directory
 * through /proc, so that this is still relative to the descriptor; only the last component
 * is looked up by name, and not followed. */
static int proc_path(int dirfd, const char *name, char path[static 320])
{
        int n = snprintf(path, 320, "/proc/self/fd/%d%s%s", dirfd, *name ? "/" : "", name);

        return n < 0 || n >= 320 ? -ENAMETOOLONG : 0;
}

/* Whether a call by descriptor must be made again by path: the kernel, or a filter of system
 * calls, does not know it, or will not have an O_PATH descriptor. */
static bool needs_path(ssize_t r, const char *name)
{
        return r == -ENOSYS || r == -EPERM || (r == -EBADF && !*name);
}

static int at_flags(const char *name)
{
        return *name ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
}

ssize_t imgc_io_listxattrat(int dirfd, const char *name, char *list, size_t size)
{
        char path[320];
        ssize_t r =
                RETRY((ssize_t)syscall(SYS_listxattrat, dirfd, name, at_flags(name), list, size));

        if (!needs_path(r, name))
                return r;
        r = proc_path(dirfd, name, path);
        if (r < 0)
                return r;
        /* /proc/self/fd/N itself is a link to what the descriptor holds: followed. */
        return *name ? RETRY(llistxattr(path, list, size)) : RETRY(listxattr(path, list, size));
}

ssize_t imgc_io_getxattrat(int dirfd, const char *name, const char *xattr, void *value, size_t size)
{
        struct xattr_args_v0 args = {
                .value = (uint64_t)(uintptr_t)value,
                .size = (uint32_t)size,
        };
        char path[320];
        ssize_t r = RETRY((ssize_t)syscall(SYS_getxattrat, dirfd, name, at_flags(name), xattr,
                                           &args, sizeof(args)));

        if (!needs_path(r, name))
                return r;
        r = proc_path(dirfd, name, path);
        if (r < 0)
                return r;
        return *name ? RETRY(lgetxattr(path, xattr, value, size)) :
                       RETRY(getxattr(path, xattr, value, size));
}

int imgc_io_fgetflags(int fd, uint32_t *ret)
{
        /* The kernel writes an int, whatever the ioctl's number says. */
        int flags = 0;
        int r = RETRY(ioctl(fd, FS_IOC_GETFLAGS, &flags));

        if (r < 0)
                return r;
        *ret = (uint32_t)flags;
        return 0;
}

int imgc_io_getflagsat(int dirfd, const char *name, uint32_t *ret)
{
        static const struct {
                uint64_t attribute;
                uint32_t flag;
        } flags[] = {
                {STATX_ATTR_IMMUTABLE, FS_IMMUTABLE_FL},
                {STATX_ATTR_APPEND, FS_APPEND_FL},
                {STATX_ATTR_NODUMP, FS_NODUMP_FL},
        };
        struct statx stx = {0};
        int r = RETRY(
                statx(dirfd, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT, 0, &stx));

        if (r < 0)
                return r;
        *ret = 0;
        for (size_t i = 0; i < ELEMENTSOF(flags); i++)
                if (stx.stx_attributes & flags[i].attribute)
                        *ret |= flags[i].flag;
        return 0;
}

int imgc_io_thread_create(pthread_t *ret, void *(*run)(void *), void *userdata)
{
        sigset_t all, saved;
        int r;

        /* The program's handlers run in the program's threads. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &saved);
        r = pthread_create(ret, NULL, run, userdata);
        pthread_sigmask(SIG_SETMASK, &saved, NULL);
        return -r;
}

int imgc_io_close(int fd)
{
        int saved = errno;

        if (fd >= 0)
                close(fd);
        errno = saved;
        return -1;
}
