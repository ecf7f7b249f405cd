/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/io-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/io-retry.h"

int imgc_io_createat(int dirfd, const char *path, int flags, mode_t mode)
{
        return RETRY(openat(dirfd, path, flags | O_CREAT | O_CLOEXEC, mode));
}

ssize_t imgc_io_write(int fd, const void *data, size_t size)
{
        return RETRY(write(fd, data, size));
}

int imgc_io_fsync(int fd)
{
        return RETRY(fsync(fd));
}

int imgc_io_renameat(int old_dirfd, const char *old_path, int new_dirfd, const char *new_path)
{
        return RETRY(renameat(old_dirfd, old_path, new_dirfd, new_path));
}

int imgc_io_unlinkat(int dirfd, const char *path, int flags)
{
        return RETRY(unlinkat(dirfd, path, flags));
}

int imgc_io_getrandom(void *buffer, size_t size)
{
        ssize_t n = RETRY(getrandom(buffer, size, GRND_NONBLOCK));

        return n < 0 ? (int)n : (size_t)n == size ? 0 : -EAGAIN;
}

const void *imgc_io_mmap(int fd, size_t size, int *ret_error)
{
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (data == MAP_FAILED) {
                *ret_error = -errno;
                return NULL;
        }
        return data;
}

void imgc_io_munmap(const void *data, size_t size)
{
        munmap((void *)(uintptr_t)data, size);
}

void imgc_io_release(const void *data, size_t size)
{
        uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
        uintptr_t start = ((uintptr_t)data + page - 1) / page * page;
        uintptr_t end = ((uintptr_t)data + size) / page * page;

        if (start < end)
                madvise((void *)start, end - start, MADV_DONTNEED);
}
