/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "core/io.h"

#define BLOCK_BYTES ((size_t)128 << 10)

struct arena_block {
        struct arena_block *previous;
        max_align_t data[];
};

static char *arena_take(struct arena *arena, size_t size)
{
        struct arena_block *block;
        char *taken;

        /* Nothing is a place as well, and no place is a failure. */
        if (size > arena->left || !arena->next) {
                /* What is large gets a block of its own; the present one goes on. */
                size_t room = MAX(size, BLOCK_BYTES), bytes;

                if (__builtin_add_overflow(room, sizeof(*block), &bytes))
                        return NULL;
                block = imgc_io_malloc(bytes);
                if (!block)
                        return NULL;
                block->previous = arena->blocks;
                arena->blocks = block;
                if (size > BLOCK_BYTES / 4)
                        return (char *)block->data; /* `next` may stay NULL */
                arena->next = (char *)block->data;
                arena->left = room;
        }
        taken = arena->next;
        arena->next += size;
        arena->left -= size;
        return taken;
}

void *arena_alloc(struct arena *arena, size_t size)
{
        size_t padding = -(uintptr_t)arena->next % _Alignof(max_align_t);

        /* The block's own data is aligned. */
        if (arena->next) {
                padding = MIN(padding, arena->left);
                arena->next += padding;
                arena->left -= padding;
        }
        return arena_take(arena, size);
}

char *arena_copy(struct arena *arena, const char *data, size_t size)
{
        char *copy = arena_take(arena, size);

        if (copy && size)
                memcpy(copy, data, size);
        return copy;
}

void arena_free(struct arena *arena)
{
        while (arena->blocks) {
                struct arena_block *block = arena->blocks;

                arena->blocks = block->previous;
                free(block);
        }
        *arena = (struct arena){0};
}
