/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/ids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "core/io.h"

#define OVERFLOW_ID_DEFAULT 65534

/* The kernel takes at most 340 ranges in a map, of at most 33 bytes each. */
#define FILE_BYTES_MAX 16384

static bool read_file(const char *path, char buffer[static FILE_BYTES_MAX])
{
        _cleanup_close_ int fd = imgc_io_openat(AT_FDCWD, path, O_RDONLY);
        size_t size = 0;
        ssize_t n;

        if (fd < 0)
                return false;
        while ((n = imgc_io_read(fd, buffer + size, FILE_BYTES_MAX - 1 - size)) > 0)
                size += (size_t)n;
        buffer[size] = '\0';
        return n == 0;
}

void id_map_read(const char *map_path, const char *overflow_path, struct id_map *ret)
{
        char buffer[FILE_BYTES_MAX];
        char *p = buffer, *end;

        *ret = (struct id_map){.overflow = OVERFLOW_ID_DEFAULT};
        if (read_file(overflow_path, buffer))
                ret->overflow = (uint32_t)strtoul(buffer, NULL, 10);
        if (!read_file(map_path, buffer))
                return;
        /* Lines of three numbers: the first id inside, the first outside, how many. */
        for (;;) {
                unsigned long inside = strtoul(p, &end, 10), count;

                if (end == p)
                        return;
                strtoul(end, &end, 10);
                p = end;
                count = strtoul(p, &end, 10);
                if (end == p)
                        return;
                p = end;
                if (ret->overflow >= inside && ret->overflow - inside < count)
                        ret->overflow_is_mapped = true;
        }
}
