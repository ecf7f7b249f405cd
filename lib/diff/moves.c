/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pass over the changes: a removed and an added entry that are one file, moved.
 *
 * Only regular files that are not empty, with all compared attributes equal, and no other
 * candidate on either side: a guess would be worse than an addition and a removal.
 */
#include <errno.h>
#include <xxhash.h>

#include "diff/diff.h"

/* Contents of no bytes, where sizes are not known. */
#define EMPTY_XXH128 "99aa06d3014798d86001c324468d497f"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct candidate {
        uint64_t hash; /* of the compared attributes */
        uint64_t change;
};

struct search {
        struct imgc_diff *diff;
        struct buffer candidates; /* struct candidate */
        struct attributes a, b;
};

static int read_attributes(struct search *search, const struct change *change,
                           struct attributes *ret)
{
        const struct place *place = diff_place(search->diff, change);
        struct line line;

        change_line(search->diff, change, &line);
        return attributes_read(change->kind == IMGC_CHANGE_ENTRY_REMOVED ? &place->old_listing :
                                                                           &place->new_listing,
                               &line, place->compared, ret);
}

static bool is_file_with_content(const struct attributes *attributes)
{
        bool has_digest = false;

        if (!span_is(attributes_at(attributes, 0)->value, "file"))
                return false;
        for (size_t i = 1; i < attributes_count(attributes); i++) {
                const struct attribute *a = attributes_at(attributes, i);

                if (a->keyword == KEYWORD_SIZE && span_is(a->value, "0"))
                        return false;
                if (a->keyword == KEYWORD_DIGEST) {
                        has_digest = true;
                        if (span_is(a->value, EMPTY_XXH128) || span_is(a->value, EMPTY_SHA256))
                                return false;
                }
        }
        return has_digest;
}

static uint64_t hash_attributes(const struct change *change, const struct attributes *attributes)
{
        uint64_t h = change->place;

        for (size_t i = 0; i < attributes_count(attributes); i++) {
                const struct attribute *a = attributes_at(attributes, i);

                h = XXH3_64bits_withSeed(a->name.data, a->name.size, h);
                h = XXH3_64bits_withSeed(a->value.data, a->value.size, h);
        }
        return h;
}

static bool attributes_equal(const struct attributes *a, const struct attributes *b)
{
        if (attributes_count(a) != attributes_count(b))
                return false;
        for (size_t i = 0; i < attributes_count(a); i++)
                if (!span_equals(attributes_at(a, i)->name, attributes_at(b, i)->name) ||
                    !span_equals(attributes_at(a, i)->value, attributes_at(b, i)->value))
                        return false;
        return true;
}

static int gather(struct search *search)
{
        for (uint64_t i = 0; i < search->diff->n_changes; i++) {
                const struct change *change = &search->diff->changes[i];
                struct candidate candidate = {.change = i};
                int r;

                if (change->kind != IMGC_CHANGE_ENTRY_ADDED &&
                    change->kind != IMGC_CHANGE_ENTRY_REMOVED)
                        continue;
                r = read_attributes(search, change, &search->a);
                if (r < 0)
                        return r;
                if (!is_file_with_content(&search->a))
                        continue;
                candidate.hash = hash_attributes(change, &search->a);
                buffer_add(&search->candidates, &candidate, sizeof(candidate));
        }
        return search->candidates.failed ? -ENOMEM : 0;
}

static int compare_candidates(const void *a, const void *b)
{
        const struct candidate *x = a, *y = b;

        if (x->hash != y->hash)
                return x->hash < y->hash ? -1 : 1;
        return x->change < y->change ? -1 : x->change > y->change;
}

/* Two that have one hash, and nobody else has it. */
static int try_pair(struct search *search, uint64_t x, uint64_t y)
{
        struct change *removed = &search->diff->changes[x], *added = &search->diff->changes[y];
        int r;

        if (removed->kind == added->kind)
                return 0;
        if (removed->kind != IMGC_CHANGE_ENTRY_REMOVED) {
                struct change *swap = removed;

                removed = added;
                added = swap;
        }
        r = read_attributes(search, removed, &search->a);
        if (r >= 0)
                r = read_attributes(search, added, &search->b);
        if (r < 0 || removed->place != added->place || !attributes_equal(&search->a, &search->b))
                return r;
        added->kind = IMGC_CHANGE_ENTRY_MOVED;
        added->old_at = removed->entry;
        removed->kind = 0; /* dropped below */
        return 0;
}

static void drop_empty(struct imgc_diff *diff)
{
        uint64_t n = 0;

        for (uint64_t i = 0; i < diff->n_changes; i++)
                if (diff->changes[i].kind)
                        diff->changes[n++] = diff->changes[i];
        diff->n_changes = n;
}

static int find(struct search *search)
{
        struct candidate *c;
        size_t n;
        int r = gather(search);

        if (r < 0)
                return r;
        c = (struct candidate *)(void *)search->candidates.data;
        n = search->candidates.size / sizeof(*c);
        if (n > 1)
                qsort(c, n, sizeof(*c), compare_candidates);
        for (size_t i = 0, end; i < n; i = end) {
                for (end = i + 1; end < n && c[end].hash == c[i].hash; end++)
                        ;
                if (end - i == 2)
                        r = try_pair(search, c[i].change, c[i + 1].change);
                if (r < 0)
                        return r;
        }
        drop_empty(search->diff);
        return 0;
}

int diff_find_moves(struct imgc_diff *diff)
{
        struct search search = {.diff = diff};
        int r = find(&search);

        buffer_free(&search.candidates);
        buffer_free(&search.a.list);
        buffer_free(&search.b.list);
        return r;
}
