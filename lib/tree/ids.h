/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which user and group ids mean something in this user namespace. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct id_map {
        uint32_t overflow; /* what the kernel shows for an id that is not mapped */
        bool overflow_is_mapped;
};

/* Reads /proc; where that can't be read the overflow id is the kernel's default and taken for
 * not mapped. */
void id_map_read(const char *map_path, const char *overflow_path, struct id_map *ret);

/* Whether an owner that the kernel shows is known. */
static inline bool id_is_known(const struct id_map *map, uint32_t id)
{
        return id != map->overflow || map->overflow_is_mapped;
}
