/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/table.h"

#include <stdlib.h>
#include <string.h>

#include "core/io.h"

/* FNV-1a. Names come from people and from random ids; long chains cost time only. */
static uint32_t hash_of(const char *name)
{
        uint32_t hash = 2166136261u;

        for (; *name; name++)
                hash = (hash ^ (unsigned char)*name) * 16777619u;
        return hash;
}

static struct table_slot *find_slot(const struct table *table, const char *name, uint32_t hash)
{
        size_t i = hash & (table->capacity - 1);

        while (table->slots[i].name &&
               (table->slots[i].hash != hash || strcmp(table->slots[i].name, name) != 0))
                i = (i + 1) & (table->capacity - 1);
        return &table->slots[i];
}

uint32_t table_get(const struct table *table, const char *name)
{
        const struct table_slot *slot;

        if (!table->n)
                return TABLE_NOTHING;
        slot = find_slot(table, name, hash_of(name));
        return slot->name ? slot->value : TABLE_NOTHING;
}

static bool grow(struct table *table)
{
        struct table larger = {.capacity = table->capacity ? table->capacity * 2 : 64};

        larger.slots = imgc_io_calloc(larger.capacity, sizeof(*larger.slots));
        if (!larger.slots)
                return false;
        for (size_t i = 0; i < table->capacity; i++)
                if (table->slots[i].name)
                        *find_slot(&larger, table->slots[i].name, table->slots[i].hash) =
                                table->slots[i];
        larger.n = table->n;
        free(table->slots);
        *table = larger;
        return true;
}

bool table_set(struct table *table, const char *name, uint32_t value)
{
        struct table_slot *slot;
        uint32_t hash = hash_of(name);

        if (table->n * 4 >= table->capacity * 3 && !grow(table))
                return false;
        slot = find_slot(table, name, hash);
        if (!slot->name)
                table->n++;
        *slot = (struct table_slot){.name = name, .hash = hash, .value = value};
        return true;
}

void table_clear(struct table *table)
{
        if (table->slots)
                memset(table->slots, 0, table->capacity * sizeof(*table->slots));
        table->n = 0;
}

void table_free(struct table *table)
{
        free(table->slots);
        *table = (struct table){0};
}
