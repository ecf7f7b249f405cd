/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares two listings: a merge of their lines, and of the attributes of entries that both
 * have. */
#include <errno.h>

#include "core/context.h"
#include "core/io-files.h"
#include "diff/diff.h"
#include "tree/escape.h"

int attributes_read(const struct listing *listing, const struct line *line, fields_t compared,
                    struct attributes *ret)
{
        struct span rest = line->rest;
        struct attribute a, hardlink = {.keyword = N_KEYWORDS};
        struct line first;

        ret->list.size = 0;
        ret->bare = line_is_bare(listing, line);
        if (has_field(listing->fields, FIELD_HARDLINK) &&
            line_get_attribute(line, KEYWORD_HARDLINK, &hardlink)) {
                line_find(listing, (size_t)(line->name.data - listing->data), hardlink.value,
                          &first);
                rest = first.rest;
        } else {
                hardlink.keyword = N_KEYWORDS;
        }
        while (line_next_attribute(&rest, &a)) {
                enum field field = keyword_field(a.keyword);

                if (hardlink.keyword < a.keyword) {
                        if (has_field(compared, FIELD_HARDLINK))
                                buffer_add(&ret->list, &hardlink, sizeof(hardlink));
                        hardlink.keyword = N_KEYWORDS;
                }
                if (a.keyword == KEYWORD_XATTR) {
                        /* Names with their own fields have nothing to escape. */
                        char name[64];
                        size_t n = MIN(a.name.size - 6, sizeof(name) - 1);

                        memcpy(name, a.name.data + 6, n);
                        name[n] = '\0';
                        field = (enum field)xattr_field(name);
                }
                if (has_field(compared, field))
                        buffer_add(&ret->list, &a, sizeof(a));
        }
        if (hardlink.keyword != N_KEYWORDS && has_field(compared, FIELD_HARDLINK))
                buffer_add(&ret->list, &hardlink, sizeof(hardlink));
        return ret->list.failed ? -ENOMEM : 0;
}

/* What one comparison needs while it lasts. */
struct comparison {
        struct imgc_diff *diff;
        const struct place *place;
        uint32_t place_number;
        size_t old_at, new_at; /* the present lines */
        struct attributes old_attributes, new_attributes;
};

static int compare_attribute_names(const struct attribute *a, const struct attribute *b)
{
        if (a->keyword != b->keyword)
                return a->keyword < b->keyword ? -1 : 1;
        if (a->keyword != KEYWORD_XATTR)
                return 0;
        return escape_compare_names(a->name.data, a->name.size, b->name.data, b->name.size);
}

static uint64_t place_of(const struct listing *listing, const struct attribute *a)
{
        return a ? (uint64_t)(a->name.data - 1 - listing->data) : NOWHERE;
}

/* With another type, what the types alone bring about is not told. */
static bool is_of_type(const struct comparison *c, enum keyword keyword)
{
        enum entry_type old_type = type_of(attributes_at(&c->old_attributes, 0)->value);
        enum entry_type new_type = type_of(attributes_at(&c->new_attributes, 0)->value);

        if (keyword == KEYWORD_TYPE || old_type == new_type)
                return true;
        if (keyword == KEYWORD_MODE)
                return old_type != TYPE_LINK && new_type != TYPE_LINK;
        return keyword_may_stand_on(keyword, old_type) && keyword_may_stand_on(keyword, new_type);
}

static int add_attribute(struct comparison *c, uint64_t entry, const struct attribute *old_one,
                         const struct attribute *new_one)
{
        struct change change = {
                .kind = IMGC_CHANGE_ENTRY_CHANGED,
                .keyword = (uint8_t)(old_one ? old_one : new_one)->keyword,
                .place = c->place_number,
                .entry = entry,
                .old_at = place_of(&c->place->old_listing, old_one),
                .new_at = place_of(&c->place->new_listing, new_one),
        };

        return is_of_type(c, (enum keyword)change.keyword) ? diff_add(c->diff, &change) : 0;
}

static int compare_entries(struct comparison *c, const struct line *old_line,
                           const struct line *new_line, uint64_t entry)
{
        size_t i = 0, j = 0, n, m;
        int r;

        r = attributes_read(&c->place->old_listing, old_line, c->place->compared,
                            &c->old_attributes);
        if (r >= 0)
                r = attributes_read(&c->place->new_listing, new_line, c->place->compared,
                                    &c->new_attributes);
        n = attributes_count(&c->old_attributes);
        m = attributes_count(&c->new_attributes);
        /* Of an entry that is not described, the type is all there is to compare. */
        if (c->old_attributes.bare || c->new_attributes.bare)
                n = m = 1;
        while (r >= 0 && (i < n || j < m)) {
                const struct attribute *a = i < n ? attributes_at(&c->old_attributes, i) : NULL;
                const struct attribute *b = j < m ? attributes_at(&c->new_attributes, j) : NULL;
                int order = !a ? 1 : !b ? -1 : compare_attribute_names(a, b);

                i += order <= 0;
                j += order >= 0;
                if (order || !span_equals(a->value, b->value))
                        r = add_attribute(c, entry, order <= 0 ? a : NULL, order >= 0 ? b : NULL);
        }
        return r;
}

/* A line that says the same on both sides may still be a hard link to a file that changed. */
static bool is_hard_link(const struct listing *listing, const struct line *line)
{
        static const char word[] = " hardlink=";
        struct span rest = line->rest;
        struct attribute type;

        return has_field(listing->fields, FIELD_HARDLINK) && line_next_attribute(&rest, &type) &&
               rest.size > sizeof(word) && !memcmp(rest.data, word, sizeof(word) - 1);
}

/* Compares the present lines, and goes on behind them. */
static int compare_lines(struct comparison *c)
{
        const struct listing *x = &c->place->old_listing, *y = &c->place->new_listing;
        const size_t old_at = c->old_at, new_at = c->new_at;
        size_t old_next = old_at, new_next = new_at;
        struct line old_line, new_line;
        struct change change = {.place = c->place_number, .old_at = NOWHERE, .new_at = NOWHERE};
        int order;

        if (old_at < x->size)
                old_next = line_at(x, old_at, &old_line);
        if (new_at < y->size)
                new_next = line_at(y, new_at, &new_line);
        if (old_at == x->size)
                order = 1;
        else if (new_at == y->size)
                order = -1;
        else
                order = escape_compare_paths(old_line.name.data, old_line.name.size,
                                             new_line.name.data, new_line.name.size);
        c->old_at = order <= 0 ? old_next : old_at;
        c->new_at = order >= 0 ? new_next : new_at;
        if (order) {
                change.kind = order < 0 ? IMGC_CHANGE_ENTRY_REMOVED : IMGC_CHANGE_ENTRY_ADDED;
                change.entry = order < 0 ? old_at : new_at;
                return diff_add(c->diff, &change);
        }
        if (span_equals(old_line.rest, new_line.rest) && x->fields == y->fields &&
            !is_hard_link(x, &old_line))
                return 0;
        return compare_entries(c, &old_line, &new_line, new_at);
}

/* Of two large mapped files no more than this is kept in memory. */
#define KEPT_BYTES ((size_t)8 << 20)

static void release_behind(const struct listing *listing, bool is_mapped, size_t at,
                           size_t *released)
{
        if (!is_mapped || at - *released < KEPT_BYTES)
                return;
        imgc_io_release(listing->data + *released, at - *released);
        *released = at;
}

int diff_compare_listings(struct imgc_context *context, struct imgc_diff *diff,
                          const struct place *place)
{
        const struct listing *x = &place->old_listing, *y = &place->new_listing;
        struct comparison c = {.diff = diff, .place = place};
        int64_t number = diff_add_place(diff, place);
        size_t old_released = 0, new_released = 0;
        int r = number < 0 ? -ENOMEM : 0;

        c.place_number = (uint32_t)number;
        c.old_at = x->header_size;
        c.new_at = y->header_size;
        while (r >= 0 && (c.old_at < x->size || c.new_at < y->size)) {
                r = context_is_cancelled(context) ? -ECANCELED : compare_lines(&c);
                release_behind(x, place->old_is_mapped, c.old_at, &old_released);
                release_behind(y, place->new_is_mapped, c.new_at, &new_released);
        }
        buffer_free(&c.old_attributes.list);
        buffer_free(&c.new_attributes.list);
        return r;
}
