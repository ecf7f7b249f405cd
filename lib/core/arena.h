/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is freed all at once. Not for several threads at a time. */
#pragma once

#include <stddef.h>

#include "core/macros.h"

struct arena_block;

struct arena {
        struct arena_block *blocks;
        char *next;
        size_t left;
};

/* Aligned for any object; NULL without memory. */
void *arena_alloc(struct arena *arena, size_t size);
/* A copy, not aligned. */
char *arena_copy(struct arena *arena, const char *data, size_t size);
void arena_free(struct arena *arena);

#define _cleanup_arena_ _cleanup_(arena_free)
