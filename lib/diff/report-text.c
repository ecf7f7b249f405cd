/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A diff for people: one line an entry or input, and what happened to it.
 *
 * A whole directory that was added or removed is one line, unless everything is asked for.
 * What belongs to a stage stands below a line that names the stage, and what belongs to a tree
 * below one that names the input.
 */
#include <errno.h>

#include "core/text.h"
#include "diff/describe.h"
#include "diff/report.h"

/* Names are padded to a common width up to this one. */
#define NAME_WIDTH_MAX 48

/* One line to be printed: changes first … first + n - 1 are about one thing; `below` more are
 * folded into it. */
struct row {
        uint64_t first, n, below;
};

struct text {
        struct report *report;
        struct buffer rows; /* struct row */
        struct buffer name, what;
        uint64_t shown; /* changes that the rows tell */
        const struct place *heading;
};

static bool has_flag(const struct text *text, uint32_t flag)
{
        return text->report->options.flags & flag;
}

static bool is_directory(const struct line *line)
{
        struct attribute type;

        return line_get_attribute(line, KEYWORD_TYPE, &type) && span_is(type.value, "dir");
}

static bool is_below(const struct line *line, const struct line *directory)
{
        size_t n = directory->name.size;

        return line->name.size > n && line->name.data[n] == '/' &&
               !memcmp(line->name.data, directory->name.data, n);
}

static bool is_same_string(const char *a, const char *b)
{
        return a == b || (a && b && !strcmp(a, b));
}

static bool is_in_list(uint8_t kind)
{
        return kind == IMGC_CHANGE_INPUT_CHANGED || kind == IMGC_CHANGE_ITEM_ADDED ||
               kind == IMGC_CHANGE_ITEM_REMOVED;
}

/* Whether a change is told in the row of the one before it. */
static bool is_same_row(const struct imgc_diff *diff, const struct change *a,
                        const struct change *b)
{
        const struct place *x, *y;

        if (a->kind == IMGC_CHANGE_ENTRY_CHANGED)
                return b->kind == a->kind && b->place == a->place && b->entry == a->entry;
        if (!is_in_list(a->kind) || !is_in_list(b->kind))
                return false;
        x = diff_place(diff, a);
        y = diff_place(diff, b);
        return is_same_string(x->image, y->image) && is_same_string(x->stage, y->stage) &&
               is_same_string(x->input, y->input);
}

/* The row that begins at a change. */
static struct row row_at(const struct text *text, uint64_t i)
{
        const struct imgc_diff *diff = text->report->diff;
        const struct change *first = &diff->changes[i], *c;
        struct row row = {.first = i, .n = 1};
        struct line line, other;

        while (i + row.n < diff->n_changes && is_same_row(diff, first, &diff->changes[i + row.n]))
                row.n++;
        if (first->kind != IMGC_CHANGE_ENTRY_ADDED && first->kind != IMGC_CHANGE_ENTRY_REMOVED)
                return row;
        change_line(diff, first, &line);
        if (has_flag(text, IMGC_REPORT_VERBOSE | IMGC_REPORT_NAME_ONLY) || !is_directory(&line))
                return row;
        for (uint64_t j = i + 1; j < diff->n_changes; j++, row.below++) {
                c = &diff->changes[j];
                if (c->kind != first->kind || c->place != first->place)
                        break;
                change_line(diff, c, &other);
                if (!is_below(&other, &line))
                        break;
        }
        return row;
}

static int collect_rows(struct text *text)
{
        /* Names are for other programs, which want all of them. */
        const uint64_t limit = has_flag(text, IMGC_REPORT_VERBOSE | IMGC_REPORT_NAME_ONLY) ?
                                       0 :
                                       text->report->options.limit;
        const uint64_t n = text->report->diff->n_changes;

        for (uint64_t i = 0, rows = 0; i < n && (!limit || rows < limit); rows++) {
                struct row row = row_at(text, i);

                buffer_add(&text->rows, &row, sizeof(row));
                i += row.n + row.below;
                text->shown = i;
        }
        return text->rows.failed ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------------------ names */

static void add_visible_string(struct buffer *out, const char *s)
{
        text_add_visible(out, s, strlen(s));
}

/* Where there is more than one tree, names are set in below what they belong to. */
static size_t indent_of(const struct place *place, bool of_entry)
{
        return !place->stage ? 0 : of_entry && place->input ? 4 : 2;
}

static void add_entry_name(struct text *text, const struct change *change)
{
        _cleanup_buffer_ struct buffer bytes = {0};
        struct line line;

        change_line(text->report->diff, change, &line);
        line_add_path(&line, &bytes);
        text->name.failed |= bytes.failed;
        text_add_visible(&text->name, bytes.data, bytes.size);
        if (is_directory(&line) && !span_is(line.name, ".") &&
            !has_flag(text, IMGC_REPORT_NAME_ONLY))
                buffer_add_char(&text->name, '/');
}

static void add_thing_name(struct text *text, const struct change *change)
{
        const struct place *place = diff_place(text->report->diff, change);

        if (place->input) {
                add_visible_string(&text->name, place->input);
        } else if (place->stage) {
                buffer_add_literal(&text->name, "stage");
        } else if (place->image) {
                buffer_add_literal(&text->name, "image ");
                add_visible_string(&text->name, place->image);
        } else {
                buffer_add_literal(&text->name, "project");
        }
}

static void read_name(struct text *text, const struct row *row)
{
        const struct change *change = &text->report->diff->changes[row->first];
        bool of_entry = change_is_of_entry(change);

        text->name.size = 0;
        for (size_t n = indent_of(diff_place(text->report->diff, change), of_entry); n > 0; n--)
                buffer_add_char(&text->name, ' ');
        if (of_entry)
                add_entry_name(text, change);
        else
                add_thing_name(text, change);
}

/* Columns on a terminal, as far as one can tell: characters. */
static size_t width_of(const struct buffer *text)
{
        size_t n = 0;

        for (size_t i = 0; i < text->size; i++)
                n += ((unsigned char)text->data[i] & 0xc0) != 0x80;
        return n;
}

/* The lines above a row that name its stage and input, where these are others than above. */
static void print_headings(struct text *text, const struct change *change)
{
        static const struct place nowhere = {0};
        const struct place *place = diff_place(text->report->diff, change);
        const struct place *before = text->heading ? text->heading : &nowhere;
        struct buffer *out = &text->report->out;
        bool same_stage = is_same_string(place->image, before->image) &&
                          is_same_string(place->stage, before->stage);

        text->heading = place;
        if (place->stage && !same_stage) {
                add_visible_string(out, place->image);
                buffer_add_char(out, '/');
                add_visible_string(out, place->stage);
                buffer_add_char(out, '\n');
        }
        if (change_is_of_entry(change) && place->input &&
            !(same_stage && is_same_string(place->input, before->input))) {
                buffer_add_literal(out, "  ");
                add_visible_string(out, place->input);
                buffer_add_char(out, '\n');
        }
}

/* ------------------------------------------------------------------------------ rows */

static const char *color_of(uint8_t kind)
{
        switch (kind) {
        case IMGC_CHANGE_ENTRY_ADDED:
        case IMGC_CHANGE_IMAGE_ADDED:
        case IMGC_CHANGE_STAGE_ADDED:
        case IMGC_CHANGE_INPUT_ADDED:
                return "\033[32m";
        case IMGC_CHANGE_ENTRY_REMOVED:
        case IMGC_CHANGE_IMAGE_REMOVED:
        case IMGC_CHANGE_STAGE_REMOVED:
        case IMGC_CHANGE_INPUT_REMOVED:
                return "\033[31m";
        case IMGC_CHANGE_ENTRY_MOVED:
        case IMGC_CHANGE_IMAGE_MOVED:
        case IMGC_CHANGE_STAGE_MOVED:
        case IMGC_CHANGE_INPUT_MOVED:
                return "\033[36m";
        default:
                return "\033[33m";
        }
}

static void describe_row(struct text *text, const struct row *row)
{
        text->what.size = 0;
        describe_changes(text->report->diff, &text->report->diff->changes[row->first], row->n,
                         has_flag(text, IMGC_REPORT_VERBOSE), &text->what);
        if (row->below)
                buffer_printf(&text->what, ", with %llu below it", (unsigned long long)row->below);
}

static int print_row(struct text *text, const struct row *row, size_t width)
{
        const struct change *change = &text->report->diff->changes[row->first];
        struct buffer *out = &text->report->out;
        bool color = has_flag(text, IMGC_REPORT_COLOR);

        print_headings(text, change);
        read_name(text, row);
        buffer_add(out, text->name.data, text->name.size);
        if (!has_flag(text, IMGC_REPORT_NAME_ONLY)) {
                describe_row(text, row);
                for (size_t n = width_of(&text->name); n < width; n++)
                        buffer_add_char(out, ' ');
                buffer_add_literal(out, "  ");
                if (color)
                        buffer_add_string(out, color_of(change->kind));
                buffer_add(out, text->what.data, text->what.size);
                if (color)
                        buffer_add_literal(out, "\033[0m");
        }
        buffer_add_char(out, '\n');
        return text->name.failed || text->what.failed ? -ENOMEM : report_flush(text->report, false);
}

static int print_rows(struct text *text)
{
        const struct row *rows = (const struct row *)(const void *)text->rows.data;
        size_t n = text->rows.size / sizeof(*rows), width = 0;
        uint64_t left = text->report->diff->n_changes - text->shown;
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                read_name(text, &rows[i]);
                width = MAX(width, width_of(&text->name));
        }
        width = MIN(width, (size_t)NAME_WIDTH_MAX);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print_row(text, &rows[i], width);
        if (left)
                buffer_printf(&text->report->out, "… and %llu more change%s\n",
                              (unsigned long long)left, left == 1 ? "" : "s");
        return r;
}

static void print_left_out(struct text *text)
{
        const char *const *names = text->report->diff->left_out;
        struct buffer *out = &text->report->out;

        if (!names[0])
                return;
        buffer_add_literal(out, "not compared: ");
        for (size_t i = 0; names[i]; i++)
                buffer_printf(out, "%s%s", i ? ", " : "", names[i]);
        buffer_add_literal(out, " (not on both sides)\n");
}

int report_text(struct report *report)
{
        struct text text = {.report = report};
        int r = 0;

        if (has_flag(&text, IMGC_REPORT_STAT)) {
                report_stat(report);
        } else {
                r = collect_rows(&text);
                if (r >= 0)
                        r = print_rows(&text);
        }
        if (r >= 0 && !has_flag(&text, IMGC_REPORT_NAME_ONLY))
                print_left_out(&text);
        buffer_free(&text.rows);
        buffer_free(&text.name);
        buffer_free(&text.what);
        return r;
}
