/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A table from strings, which belong to somebody else, to numbers. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table_slot {
        const char *name; /* NULL: empty */
        uint32_t hash;
        uint32_t value;
};

struct table {
        struct table_slot *slots;
        size_t n, capacity; /* a power of two */
};

#define TABLE_NOTHING UINT32_MAX

/* TABLE_NOTHING where there is none. */
uint32_t table_get(const struct table *table, const char *name);
/* Sets, or sets anew. False without memory. */
bool table_set(struct table *table, const char *name, uint32_t value);
void table_clear(struct table *table);
void table_free(struct table *table);
