/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object: what is compared, its changes, and a walk over them. */
#include "diff/diff.h"

#include <errno.h>

#include "core/error.h"
#include "tree/tree.h"

static const char *const kind_names[] = {
        [IMGC_CHANGE_ENTRY_ADDED] = "entry-added",
        [IMGC_CHANGE_ENTRY_REMOVED] = "entry-removed",
        [IMGC_CHANGE_ENTRY_MOVED] = "entry-moved",
        [IMGC_CHANGE_ENTRY_CHANGED] = "entry-changed",
        [IMGC_CHANGE_PROJECT_CHANGED] = "project-changed",
        [IMGC_CHANGE_IMAGE_ADDED] = "image-added",
        [IMGC_CHANGE_IMAGE_REMOVED] = "image-removed",
        [IMGC_CHANGE_IMAGE_MOVED] = "image-moved",
        [IMGC_CHANGE_IMAGE_CHANGED] = "image-changed",
        [IMGC_CHANGE_STAGE_ADDED] = "stage-added",
        [IMGC_CHANGE_STAGE_REMOVED] = "stage-removed",
        [IMGC_CHANGE_STAGE_MOVED] = "stage-moved",
        [IMGC_CHANGE_STAGE_CHANGED] = "stage-changed",
        [IMGC_CHANGE_INPUT_ADDED] = "input-added",
        [IMGC_CHANGE_INPUT_REMOVED] = "input-removed",
        [IMGC_CHANGE_INPUT_MOVED] = "input-moved",
        [IMGC_CHANGE_INPUT_CHANGED] = "input-changed",
        [IMGC_CHANGE_ITEM_ADDED] = "item-added",
        [IMGC_CHANGE_ITEM_REMOVED] = "item-removed",
};

IMGC_EXPORT const char *imgc_change_kind_get_name(enum imgc_change_kind kind)
{
        return (size_t)kind < ELEMENTSOF(kind_names) ? kind_names[kind] : NULL;
}

int diff_add(struct imgc_diff *diff, const struct change *change)
{
        if (diff->n_changes == diff->changes_capacity) {
                uint64_t capacity =
                        MAX(diff->changes_capacity + diff->changes_capacity / 2, UINT64_C(64));
                struct change *changes =
                        imgc_io_realloc(diff->changes, capacity * sizeof(*changes));

                if (!changes)
                        return -ENOMEM;
                diff->changes = changes;
                diff->changes_capacity = capacity;
        }
        diff->changes[diff->n_changes++] = *change;
        return 0;
}

int64_t diff_add_place(struct imgc_diff *diff, const struct place *place)
{
        size_t number = diff->places.size / sizeof(*place);

        buffer_add(&diff->places, place, sizeof(*place));
        return diff->places.failed ? -ENOMEM : (int64_t)number;
}

int diff_add_text(struct imgc_diff *diff, enum imgc_change_kind kind, uint32_t place,
                  const struct change_text *text)
{
        struct change change = {
                .kind = (uint8_t)kind,
                .place = place,
                .entry = diff->texts.size / sizeof(*text),
                .old_at = NOWHERE,
                .new_at = NOWHERE,
        };

        buffer_add(&diff->texts, text, sizeof(*text));
        return diff->texts.failed ? -ENOMEM : diff_add(diff, &change);
}

int diff_new(struct imgc_diff **ret)
{
        struct imgc_diff *diff = imgc_io_calloc(1, sizeof(*diff));

        if (!diff)
                return -ENOMEM;
        diff->references = 1;
        *ret = diff;
        return 0;
}

fields_t diff_fields(struct imgc_diff *diff, const struct listing *x, const struct listing *y)
{
        fields_t both = x->fields & y->fields;

        if (x->algorithm != y->algorithm)
                both &= ~FIELD_BIT(FIELD_CONTENT);
        diff->fields_compared |= both;
        diff->fields_left_out |= (x->fields | y->fields) & ~both;
        return both;
}

int diff_fail(int r, struct imgc_error **reterr)
{
        if (r == -ECANCELED)
                return error_reason(reterr, IMGC_ERROR_CANCELLED, r, "compare", NULL, "cancelled");
        return error_no_memory(reterr);
}

IMGC_EXPORT struct imgc_diff *imgc_diff_ref(struct imgc_diff *diff)
{
        atomic_fetch_add_explicit(&diff->references, 1, memory_order_relaxed);
        return diff;
}

IMGC_EXPORT struct imgc_diff *imgc_diff_unref(struct imgc_diff *diff)
{
        if (!diff || atomic_fetch_sub_explicit(&diff->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        imgc_tree_unref(diff->old_tree);
        imgc_tree_unref(diff->new_tree);
        imgc_manifest_unref(diff->old_manifest);
        imgc_manifest_unref(diff->new_manifest);
        arena_free(&diff->arena);
        buffer_free(&diff->places);
        buffer_free(&diff->texts);
        free(diff->changes);
        free(diff);
        return NULL;
}

IMGC_EXPORT int imgc_diff_is_equal(const struct imgc_diff *diff)
{
        return diff->n_changes == 0;
}

IMGC_EXPORT uint64_t imgc_diff_get_n_changes(const struct imgc_diff *diff)
{
        return diff->n_changes;
}

IMGC_EXPORT const char *const *imgc_diff_get_compared(const struct imgc_diff *diff)
{
        return diff->compared;
}

IMGC_EXPORT const char *const *imgc_diff_get_left_out(const struct imgc_diff *diff)
{
        return diff->left_out;
}

/* ------------------------------------------------------------------------------ changes */

bool change_attribute(const struct listing *listing, uint64_t at, struct attribute *ret)
{
        struct span rest;

        if (at == NOWHERE)
                return false;
        rest.data = listing->data + at;
        rest.size = (size_t)((const char *)memchr(rest.data, '\n', listing->size - at) - rest.data);
        return line_next_attribute(&rest, ret);
}

void change_line(const struct imgc_diff *diff, const struct change *change, struct line *ret)
{
        const struct place *place = diff_place(diff, change);

        line_at(change->kind == IMGC_CHANGE_ENTRY_REMOVED ? &place->old_listing :
                                                            &place->new_listing,
                change->entry, ret);
}

struct span attribute_public_name(const struct attribute *attribute)
{
        if (attribute->keyword == KEYWORD_DIGEST)
                return (struct span){"content", strlen("content")};
        return attribute->name;
}
