/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A public walk over the changes of a diff; strings are made one change at a time. */
#include <errno.h>

#include "core/error.h"
#include "diff/diff.h"

struct imgc_diff_iterator {
        struct imgc_diff *diff;
        uint64_t next;
        struct imgc_change change;
        struct buffer strings[4]; /* path, attribute, old, new */
};

IMGC_EXPORT int imgc_diff_iterator_new(struct imgc_diff *diff, struct imgc_diff_iterator **ret,
                                       struct imgc_error **reterr)
{
        struct imgc_diff_iterator *iterator = imgc_io_calloc(1, sizeof(*iterator));

        if (!iterator)
                return error_no_memory(reterr);
        iterator->diff = imgc_diff_ref(diff);
        *ret = iterator;
        return 0;
}

IMGC_EXPORT struct imgc_diff_iterator *imgc_diff_iterator_free(struct imgc_diff_iterator *iterator)
{
        if (!iterator)
                return NULL;
        for (size_t i = 0; i < ELEMENTSOF(iterator->strings); i++)
                buffer_free(&iterator->strings[i]);
        imgc_diff_unref(iterator->diff);
        free(iterator);
        return NULL;
}

static void add_line_path(const struct listing *listing, uint64_t at, struct buffer *buffer)
{
        struct line line;

        line_at(listing, at, &line);
        line_add_path(&line, buffer);
}

static void add_span(struct buffer *buffer, struct span span)
{
        buffer_add(buffer, span.data, span.size);
}

/* Fills the strings of a change of an entry: path, attribute, old and new. */
static int make_strings(struct imgc_diff_iterator *iterator, const struct change *change,
                        const char *ret[static 4])
{
        const struct place *place = diff_place(iterator->diff, change);
        struct buffer *path = &iterator->strings[0], *name = &iterator->strings[1];
        struct buffer *old_value = &iterator->strings[2], *new_value = &iterator->strings[3];
        bool has[4] = {true, false, false, false};
        struct attribute a;
        struct line line;

        for (size_t i = 0; i < 4; i++)
                iterator->strings[i].size = 0;
        change_line(iterator->diff, change, &line);
        line_add_path(&line, path);
        if (change->kind == IMGC_CHANGE_ENTRY_MOVED) {
                has[2] = has[3] = true;
                add_line_path(&place->old_listing, change->old_at, old_value);
                line_add_path(&line, new_value);
        } else if (change->kind == IMGC_CHANGE_ENTRY_CHANGED) {
                has[1] = true;
                has[2] = change_attribute(&place->old_listing, change->old_at, &a);
                if (has[2])
                        add_span(old_value, a.value);
                has[3] = change->new_at != NOWHERE;
                if (has[3]) {
                        change_attribute(&place->new_listing, change->new_at, &a);
                        add_span(new_value, a.value);
                }
                add_span(name, attribute_public_name(&a));
        }
        for (size_t i = 0; i < 4; i++) {
                ret[i] = buffer_string(&iterator->strings[i]);
                if (!ret[i])
                        return -ENOMEM;
                if (!has[i])
                        ret[i] = NULL;
        }
        return 0;
}

static int make_change(struct imgc_diff_iterator *iterator, const struct change *change)
{
        const struct place *place = diff_place(iterator->diff, change);
        const char *strings[4] = {NULL};

        if (change_is_of_entry(change)) {
                if (make_strings(iterator, change, strings) < 0)
                        return -ENOMEM;
        } else {
                const struct change_text *text = diff_text(iterator->diff, change);

                strings[1] = text->attribute;
                strings[2] = text->old_value;
                strings[3] = text->new_value;
        }
        iterator->change = (struct imgc_change){
                .size = sizeof(iterator->change),
                .kind = change->kind,
                .image = place->image,
                .stage = place->stage,
                .input = place->input,
                .path = strings[0],
                .attribute = strings[1],
                .old_value = strings[2],
                .new_value = strings[3],
        };
        return 0;
}

IMGC_EXPORT int imgc_diff_iterator_next(struct imgc_diff_iterator *iterator,
                                        const struct imgc_change **ret, struct imgc_error **reterr)
{
        if (iterator->next == iterator->diff->n_changes)
                return 0;
        if (make_change(iterator, &iterator->diff->changes[iterator->next]) < 0)
                return error_no_memory(reterr);
        iterator->next++;
        *ret = &iterator->change;
        return 1;
}
