/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* System calls that write files, and mappings: as in io.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes a file; mode is less the umask. */
int imgc_io_createat(int dirfd, const char *path, int flags, mode_t mode);
ssize_t imgc_io_write(int fd, const void *data, size_t size);
int imgc_io_fsync(int fd);
int imgc_io_renameat(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path);
int imgc_io_unlinkat(int dirfd, const char *path, int flags);
/* Random bytes that need not be secret. */
int imgc_io_getrandom(void *buffer, size_t size);

/* A private mapping for reading; NULL and a negative errno in *ret_error. size: not 0. */
const void *imgc_io_mmap(int fd, size_t size, int *ret_error);
void imgc_io_munmap(const void *data, size_t size);
/* Gives the memory of a part of a mapping back; it is read from the file again when it is needed. */
void imgc_io_release(const void *data, size_t size);
