/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A diff for people: one line an entry, its path and what happened to it.
 *
 * A whole directory that was added or removed is one line, unless everything is asked for.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "core/text.h"
#include "diff/describe.h"
#include "diff/diff.h"
#include "tree/escape.h"

/* Paths are padded to a common width up to this one. */
#define PATH_WIDTH_MAX 48

/* One line to be printed: changes first … first + n - 1 are about one entry; `below` more are
 * folded into it. */
struct row {
        uint64_t first, n, below;
};

struct text {
        struct report *report;
        struct buffer rows; /* struct row */
        struct buffer path, what;
        uint64_t shown;     /* changes that the rows tell */
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

/* The row that begins at a change. */
static struct row row_at(const struct text *text, uint64_t i)
{
        const struct imgc_diff *diff = text->report->diff;
        const struct change *first = &diff->changes[i], *c;
        struct row row = {.first = i, .n = 1};
        struct line line, other;

        if (first->kind == IMGC_CHANGE_ENTRY_CHANGED) {
                while (i + row.n < diff->n_changes && (c = &diff->changes[i + row.n])->kind == first->kind &&
                       c->pair == first->pair && c->entry == first->entry)
                        row.n++;
                return row;
        }
        change_line(diff, first, &line);
        if (has_flag(text, IMGC_REPORT_VERBOSE | IMGC_REPORT_NAME_ONLY) || !is_directory(&line))
                return row;
        for (uint64_t j = i + 1; j < diff->n_changes; j++, row.below++) {
                c = &diff->changes[j];
                if (c->kind != first->kind || c->pair != first->pair)
                        break;
                change_line(diff, c, &other);
                if (!is_below(&other, &line))
                        break;
        }
        return row;
}

static int collect_rows(struct text *text)
{
        const uint64_t limit = has_flag(text, IMGC_REPORT_VERBOSE) ? 0 : text->report->options.limit;
        const uint64_t n = text->report->diff->n_changes;

        for (uint64_t i = 0, rows = 0; i < n && (!limit || rows < limit); rows++) {
                struct row row = row_at(text, i);

                buffer_add(&text->rows, &row, sizeof(row));
                i += row.n + row.below;
                text->shown = i;
        }
        return text->rows.failed ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------------------ rows */

static void read_path(struct text *text, const struct row *row)
{
        const struct change *change = &text->report->diff->changes[row->first];
        _cleanup_buffer_ struct buffer bytes = {0};
        struct line line;

        text->path.size = 0;
        change_line(text->report->diff, change, &line);
        line_add_path(&line, &bytes);
        text_add_visible(&text->path, bytes.data, bytes.size);
        if (is_directory(&line) && !span_is(line.name, "."))
                buffer_add_char(&text->path, '/');
}

/* Columns on a terminal, as far as one can tell: characters. */
static size_t width_of(const struct buffer *text)
{
        size_t n = 0;

        for (size_t i = 0; i < text->size; i++)
                n += ((unsigned char)text->data[i] & 0xc0) != 0x80;
        return n;
}

static const char *color_of(uint8_t kind)
{
        switch (kind) {
        case IMGC_CHANGE_ENTRY_ADDED:
                return "\033[32m";
        case IMGC_CHANGE_ENTRY_REMOVED:
                return "\033[31m";
        case IMGC_CHANGE_ENTRY_MOVED:
                return "\033[36m";
        default:
                return "\033[33m";
        }
}

static void describe_row(struct text *text, const struct row *row)
{
        const struct imgc_diff *diff = text->report->diff;
        const struct change *first = &diff->changes[row->first];
        _cleanup_buffer_ struct buffer bytes = {0};
        struct line line;

        text->what.size = 0;
        switch (first->kind) {
        case IMGC_CHANGE_ENTRY_MOVED:
                line_at(&diff->pairs[first->pair].old_listing, first->old_at, &line);
                line_add_path(&line, &bytes);
                buffer_add_literal(&text->what, "moved from ");
                text_add_visible(&text->what, bytes.data, bytes.size);
                break;
        case IMGC_CHANGE_ENTRY_CHANGED:
                describe_changes(diff, first, row->n, has_flag(text, IMGC_REPORT_VERBOSE), &text->what);
                break;
        default:
                buffer_add_string(&text->what,
                                  first->kind == IMGC_CHANGE_ENTRY_ADDED ? "added" : "removed");
                if (row->below)
                        buffer_printf(&text->what, ", with %llu below it", (unsigned long long)row->below);
        }
}

static int print_row(struct text *text, const struct row *row, size_t width)
{
        struct buffer *out = &text->report->out;
        bool color = has_flag(text, IMGC_REPORT_COLOR);

        read_path(text, row);
        buffer_add(out, text->path.data, text->path.size);
        if (!has_flag(text, IMGC_REPORT_NAME_ONLY)) {
                describe_row(text, row);
                for (size_t n = width_of(&text->path); n < width; n++)
                        buffer_add_char(out, ' ');
                buffer_add_literal(out, "  ");
                if (color)
                        buffer_add_string(out, color_of(text->report->diff->changes[row->first].kind));
                buffer_add(out, text->what.data, text->what.size);
                if (color)
                        buffer_add_literal(out, "\033[0m");
        }
        buffer_add_char(out, '\n');
        return text->path.failed || text->what.failed ? -ENOMEM : report_flush(text->report, false);
}

static int print_rows(struct text *text)
{
        const struct row *rows = (const struct row *)(const void *)text->rows.data;
        size_t n = text->rows.size / sizeof(*rows), width = 0;
        uint64_t left = text->report->diff->n_changes - text->shown;
        int r = 0;

        for (size_t i = 0; i < n; i++) {
                read_path(text, &rows[i]);
                width = MAX(width, width_of(&text->path));
        }
        width = MIN(width, (size_t)PATH_WIDTH_MAX);
        for (size_t i = 0; i < n && r >= 0; i++)
                r = print_row(text, &rows[i], width);
        if (left)
                buffer_printf(&text->report->out, "… and %llu more change%s\n",
                              (unsigned long long)left, left == 1 ? "" : "s");
        return r;
}

/* ------------------------------------------------------------------------------ numbers */

static void print_stat(struct text *text)
{
        static const struct {
                uint8_t kind;
                const char *word;
        } kinds[] = {
                {IMGC_CHANGE_ENTRY_CHANGED, "changed"},
                {IMGC_CHANGE_ENTRY_ADDED, "added"},
                {IMGC_CHANGE_ENTRY_REMOVED, "removed"},
                {IMGC_CHANGE_ENTRY_MOVED, "moved"},
        };
        const struct imgc_diff *diff = text->report->diff;
        uint64_t n_kind[ELEMENTSOF(kinds)] = {0}, n_keyword[N_KEYWORDS] = {0};
        const struct change *before = NULL;

        for (uint64_t i = 0; i < diff->n_changes; before = &diff->changes[i++]) {
                const struct change *c = &diff->changes[i];
                bool same = before && before->kind == c->kind && before->pair == c->pair &&
                            before->entry == c->entry;

                for (size_t k = 0; k < ELEMENTSOF(kinds); k++)
                        n_kind[k] += c->kind == kinds[k].kind && !same;
                if (c->kind == IMGC_CHANGE_ENTRY_CHANGED &&
                    !(same && c->keyword == KEYWORD_XATTR && before->keyword == KEYWORD_XATTR))
                        n_keyword[c->keyword]++;
        }
        for (size_t k = 0; k < ELEMENTSOF(kinds); k++)
                if (n_kind[k])
                        buffer_printf(&text->report->out, "%-8s %8llu\n", kinds[k].word,
                                      (unsigned long long)n_kind[k]);
        for (int k = 0; k < N_KEYWORDS; k++)
                if (n_keyword[k])
                        buffer_printf(&text->report->out, "  %-14s %8llu\n",
                                      keyword_title((enum keyword)k), (unsigned long long)n_keyword[k]);
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
        buffer_add_literal(out, " (only one side has it)\n");
}

int report_text(struct report *report)
{
        struct text text = {.report = report};
        int r = 0;

        if (has_flag(&text, IMGC_REPORT_STAT)) {
                print_stat(&text);
        } else {
                r = collect_rows(&text);
                if (r >= 0)
                        r = print_rows(&text);
        }
        if (r >= 0 && !has_flag(&text, IMGC_REPORT_NAME_ONLY))
                print_left_out(&text);
        buffer_free(&text.rows);
        buffer_free(&text.path);
        buffer_free(&text.what);
        return r;
}
