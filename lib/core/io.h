/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every system call and every allocation of the library.
 *
 * They stand in a file of their own so that tests can make each fail in turn
 * (-Wl,--wrap=imgc_io_openat). They return a negative errno instead of setting errno,
 * and go on after EINTR.
 */
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "core/macros.h"

void *imgc_io_malloc(size_t size);
void *imgc_io_calloc(size_t n, size_t size);
void *imgc_io_realloc(void *p, size_t size);

int imgc_io_openat(int dirfd, const char *path, int flags);
int imgc_io_fstat(int fd, struct stat *ret);
int imgc_io_fstatat(int dirfd, const char *name, struct stat *ret, int flags);
/* The id of the mount that holds dirfd/name (AT_EMPTY_PATH: dirfd itself), never followed. */
int imgc_io_mount_id(int dirfd, const char *name, uint64_t *ret);
ssize_t imgc_io_read(int fd, void *buffer, size_t size);
int64_t imgc_io_lseek(int fd, int64_t offset, int whence);
ssize_t imgc_io_getdents(int fd, void *buffer, size_t size);
ssize_t imgc_io_readlinkat(int dirfd, const char *name, char *buffer, size_t size);

ssize_t imgc_io_flistxattr(int fd, char *list, size_t size);
ssize_t imgc_io_fgetxattr(int fd, const char *name, void *value, size_t size);
/* Of what `name` in dirfd is itself, without opening it; an empty name is dirfd itself, which
 * may be an O_PATH descriptor. */
ssize_t imgc_io_listxattrat(int dirfd, const char *name, char *list, size_t size);
ssize_t imgc_io_getxattrat(int dirfd, const char *name, const char *xattr, void *value,
                           size_t size);

/* Inode flags as FS_IOC_GETFLAGS gives them. */
int imgc_io_fgetflags(int fd, uint32_t *ret);
/* Those of them that statx tells (immutable, append-only, no-dump), without opening. */
int imgc_io_getflagsat(int dirfd, const char *name, uint32_t *ret);

int imgc_io_thread_create(pthread_t *ret, void *(*run)(void *), void *userdata);

/* Closes and returns -1. Nothing was written, so that an error has nothing to tell. */
int imgc_io_close(int fd);

static inline void closep(int *fd)
{
        if (*fd >= 0)
                *fd = imgc_io_close(*fd);
}

#define _cleanup_close_ _cleanup_(closep)
