/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object: what is compared, its changes, and a walk over them. */
#include "diff/diff.h"

#include <errno.h>

#include "core/error.h"
#include "core/options.h"
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
                uint64_t capacity = MAX(diff->changes_capacity + diff->changes_capacity / 2, UINT64_C(64));
                struct change *changes = imgc_io_realloc(diff->changes, capacity * sizeof(*changes));

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

int diff_finish(struct imgc_diff *diff)
{
        size_t n_compared = 0, n_left_out = 0;

        for (int f = 0; f < N_FIELDS; f++) {
                if (has_field(diff->fields_compared, (enum field)f))
                        diff->compared[n_compared++] = field_names[f];
                if (has_field(diff->fields_left_out, (enum field)f))
                        diff->left_out[n_left_out++] = field_names[f];
        }
        return diff_find_moves(diff);
}

int diff_fail(int r, struct imgc_error **reterr)
{
        if (r == -ECANCELED)
                return error_reason(reterr, IMGC_ERROR_CANCELLED, r, "compare", NULL, "cancelled");
        return error_no_memory(reterr);
}

IMGC_EXPORT int imgc_diff_trees(struct imgc_context *context, struct imgc_tree *old_tree,
                                struct imgc_tree *new_tree, struct imgc_diff **ret,
                                struct imgc_error **reterr)
{
        _cleanup_(imgc_diff_unrefp) struct imgc_diff *diff = NULL;
        struct place place = {.old_listing = old_tree->listing, .new_listing = new_tree->listing};
        int r;

        if (!old_tree->listing.data || !new_tree->listing.data)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -ENODATA, "compare", NULL,
                                    "a tree was read without its listing");
        r = diff_new(&diff);
        if (r < 0)
                return error_no_memory(reterr);
        diff->old_tree = imgc_tree_ref(old_tree);
        diff->new_tree = imgc_tree_ref(new_tree);
        place.compared = diff_fields(diff, &old_tree->listing, &new_tree->listing);
        r = diff_compare_listings(context, diff, &place);
        if (r >= 0)
                r = diff_finish(diff);
        if (r < 0)
                return diff_fail(r, reterr);
        *ret = TAKE_PTR(diff);
        return 0;
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

        line_at(change->kind == IMGC_CHANGE_ENTRY_REMOVED ? &place->old_listing : &place->new_listing,
                change->entry, ret);
}

struct span attribute_public_name(const struct attribute *attribute)
{
        if (attribute->keyword == KEYWORD_DIGEST)
                return (struct span){"content", strlen("content")};
        return attribute->name;
}

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

IMGC_EXPORT int imgc_diff_iterator_next(struct imgc_diff_iterator *iterator, const struct imgc_change **ret,
                                        struct imgc_error **reterr)
{
        if (iterator->next == iterator->diff->n_changes)
                return 0;
        if (make_change(iterator, &iterator->diff->changes[iterator->next]) < 0)
                return error_no_memory(reterr);
        iterator->next++;
        *ret = &iterator->change;
        return 1;
}

/* ------------------------------------------------------------------------------ reports */

#define REPORT_FLUSH_BYTES ((size_t)64 << 10)

int report_flush(struct report *report, bool force)
{
        int r;

        if (report->out.failed)
                return -ENOMEM;
        if (!report->out.size || (!force && report->out.size < REPORT_FLUSH_BYTES))
                return 0;
        r = report->write(report->userdata, report->out.data, report->out.size);
        report->out.size = 0;
        return r;
}

IMGC_EXPORT int imgc_diff_report(struct imgc_diff *diff, const struct imgc_report_options *options,
                                 imgc_write_fn write, void *userdata, struct imgc_error **reterr)
{
        struct report report = {
                .diff = diff,
                .options = IMGC_REPORT_OPTIONS_INIT,
                .write = write,
                .userdata = userdata,
        };
        const uint32_t flags = IMGC_REPORT_COLOR | IMGC_REPORT_STAT | IMGC_REPORT_NAME_ONLY | IMGC_REPORT_VERBOSE;
        int r;

        if (options) {
                r = options_check_size(options, options->size, sizeof(*options));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "report", NULL,
                                            "report options of an unknown size");
                memcpy(&report.options, options, MIN(options->size, sizeof(*options)));
        }
        if (report.options.format > IMGC_REPORT_JSON || report.options.flags & ~flags)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "report", NULL,
                                    "unknown value in report options");
        r = report.options.format == IMGC_REPORT_JSON ? report_json(&report) : report_text(&report);
        if (r >= 0)
                r = report_flush(&report, true);
        buffer_free(&report.out);
        return r < 0 ? error_errno(reterr, r, "write a report", NULL) : 0;
}
