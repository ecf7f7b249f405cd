/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan for people: a line for each image, and below it why, one line a reason.
 *
 *     system   resume after "prepare", run: extra, postinst
 *              extra: tree mkosi.extra
 *                usr/bin/tool  content changed (14.2 kB → 14.3 kB)
 */
#include "core/text.h"
#include "plan/phrase.h"

#define IMAGE_WIDTH_MAX 24
#define PATH_WIDTH_MAX  48
/* Items of one set on one line, unless everything is asked for. */
#define ITEMS_MAX 12

struct text {
        struct plan_report *report;
        struct buffer *out;
        size_t indent;
        bool verbose;
        uint64_t lines, limit; /* of the present image */
};

/* Columns on a terminal, as far as one can tell: characters. */
static size_t width_of(const char *s)
{
        size_t n = 0;

        for (; *s; s++)
                n += ((unsigned char)*s & 0xc0) != 0x80;
        return n;
}

static void add_visible(struct buffer *out, const char *s)
{
        text_add_visible(out, s, strlen(s));
}

static void begin_line(struct text *text, size_t more)
{
        for (size_t i = 0; i < text->indent + more; i++)
                buffer_add_char(text->out, ' ');
        text->lines++;
}

/* ------------------------------------------------------------------------------ decisions */

static void add_color(struct text *text, const struct imgc_plan_image *told)
{
        static const char *const colors[] = {
                [IMGC_DECISION_UP_TO_DATE] = "\033[32m", [IMGC_DECISION_RESUME] = "\033[33m",
                [IMGC_DECISION_APPEND] = "\033[33m",     [IMGC_DECISION_REBUILD] = "\033[31m",
                [IMGC_DECISION_NOT_NEEDED] = "\033[2m",  [IMGC_DECISION_KEPT] = "\033[36m",
        };

        if (text->report->options.flags & IMGC_PLAN_REPORT_COLOR)
                buffer_add_string(text->out, colors[told->decision]);
}

static void end_color(struct text *text)
{
        if (text->report->options.flags & IMGC_PLAN_REPORT_COLOR)
                buffer_add_literal(text->out, "\033[0m");
}

static void add_appends(struct text *text, const struct plan_image *image)
{
        const uint32_t n = text->verbose ? image->told.n_appends :
                                           MIN(image->told.n_appends, (uint32_t)ITEMS_MAX);

        for (uint32_t i = 0; i < n; i++) {
                bool first = !i || image->appends[i].input != image->appends[i - 1].input;

                if (first) {
                        buffer_add_string(text->out, i ? ", " : " ");
                        add_visible(text->out, image->appends[i].input);
                }
                buffer_add_literal(text->out, " +");
                add_visible(text->out, image->appends[i].item);
        }
        if (n < image->told.n_appends)
                buffer_printf(text->out, " … and %u more", image->told.n_appends - n);
}

static void add_run(struct text *text, const struct imgc_plan *plan, uint32_t number)
{
        const struct imgc_plan_image *told = &plan->images[number].told;

        for (uint32_t i = 0; i < told->n_run; i++) {
                if (i == told->n_certain)
                        buffer_add_string(text->out, i ? "; perhaps: " : ", perhaps: ");
                else
                        buffer_add_string(text->out, i ? ", " : ", run: ");
                add_visible(text->out, plan_run_name(plan, number, i));
        }
}

static void add_decision(struct text *text, const struct imgc_plan *plan, uint32_t number)
{
        const struct plan_image *image = &plan->images[number];
        const struct imgc_plan_image *told = &image->told;

        add_color(text, told);
        switch (told->decision) {
        case IMGC_DECISION_UP_TO_DATE:
                buffer_add_literal(text->out, "up to date");
                break;
        case IMGC_DECISION_NOT_NEEDED:
                buffer_add_literal(text->out, "not needed");
                break;
        case IMGC_DECISION_KEPT:
                buffer_add_literal(text->out, "kept as it is");
                break;
        case IMGC_DECISION_RESUME:
                buffer_add_literal(text->out, "resume after \"");
                add_visible(text->out, told->restore_stage);
                buffer_add_char(text->out, '"');
                break;
        case IMGC_DECISION_APPEND:
                buffer_add_literal(text->out, "append to \"");
                add_visible(text->out, told->restore_stage);
                buffer_add_literal(text->out, "\":");
                add_appends(text, image);
                break;
        default:
                buffer_add_literal(text->out, "rebuild");
        }
        end_color(text);
        add_run(text, plan, number);
        if (told->tentative)
                buffer_add_literal(text->out, " (tentative)");
        buffer_add_char(text->out, '\n');
}

/* ------------------------------------------------------------------------------ reasons */

static bool is_entry(const struct imgc_reason *reason)
{
        return reason->code == IMGC_REASON_INPUT_CHANGED && reason->path;
}

static bool is_item(const struct imgc_reason *reason)
{
        return reason->code == IMGC_REASON_INPUT_CHANGED && !reason->path && reason->attribute &&
               (!strcmp(reason->attribute, "added") || !strcmp(reason->attribute, "removed"));
}

static bool is_same(const char *a, const char *b)
{
        return (!a || !b) ? a == b : !strcmp(a, b);
}

static bool is_same_input(const struct imgc_reason *a, const struct imgc_reason *b)
{
        return a->code == b->code && is_same(a->stage, b->stage) && is_same(a->input, b->input);
}

/* How many reasons one line tells. */
static uint32_t count_together(const struct imgc_reason *reasons, uint32_t n)
{
        uint32_t k = 1;

        while (k < n && is_same_input(&reasons[0], &reasons[k]) &&
               ((is_entry(&reasons[0]) && is_same(reasons[0].path, reasons[k].path)) ||
                (is_item(&reasons[0]) && is_item(&reasons[k]))))
                k++;
        return k;
}

static void add_place(struct text *text, const struct imgc_reason *reason)
{
        if (!reason->stage)
                return;
        add_visible(text->out, reason->stage);
        buffer_add_literal(text->out, ": ");
}

static size_t path_width(const struct imgc_reason *reasons, uint32_t n)
{
        size_t width = 0;

        for (uint32_t i = 0;
             i < n && is_entry(&reasons[i]) && is_same_input(&reasons[0], &reasons[i]); i++)
                width = MAX(width, width_of(reasons[i].path));
        return MIN(width, (size_t)PATH_WIDTH_MAX);
}

static void add_entry(struct text *text, const struct imgc_reason *reasons, uint32_t n,
                      size_t width)
{
        size_t column = width_of(reasons[0].path);

        begin_line(text, 2);
        add_visible(text->out, reasons[0].path);
        for (; column < width; column++)
                buffer_add_char(text->out, ' ');
        buffer_add_literal(text->out, "  ");
        phrase_entry(text->out, reasons, n, text->verbose);
        buffer_add_char(text->out, '\n');
}

static void add_items(struct text *text, const struct imgc_reason *reasons, uint32_t n)
{
        const uint32_t shown = text->verbose ? n : MIN(n, (uint32_t)ITEMS_MAX);

        begin_line(text, 0);
        add_place(text, &reasons[0]);
        add_visible(text->out, reasons[0].input);
        for (uint32_t i = 0; i < shown; i++) {
                bool added = !strcmp(reasons[i].attribute, "added");
                const char *item = added ? reasons[i].new_value : reasons[i].old_value;

                buffer_add_string(text->out, added ? " +" : " −");
                add_visible(text->out, item ? item : "?");
        }
        if (shown < n)
                buffer_printf(text->out, " … and %u more", n - shown);
        buffer_add_char(text->out, '\n');
}

static void add_reasons(struct text *text, const struct imgc_reason *reasons, uint32_t n,
                        const char *prefix)
{
        const struct imgc_reason *header = NULL;
        size_t width = 0;

        for (uint32_t i = 0, together; i < n; i += together) {
                if (text->limit && text->lines >= text->limit) {
                        begin_line(text, 0);
                        buffer_printf(text->out, "… and %u more\n", n - i);
                        return;
                }
                together = count_together(&reasons[i], n - i);
                if (is_entry(&reasons[i])) {
                        if (!header || !is_same_input(header, &reasons[i])) {
                                header = &reasons[i];
                                width = path_width(header, n - i);
                                begin_line(text, 0);
                                buffer_add_string(text->out, prefix);
                                add_place(text, header);
                                phrase_input(text->out, text->report->plan->project, header);
                                buffer_add_char(text->out, '\n');
                        }
                        add_entry(text, &reasons[i], together, width);
                } else if (is_item(&reasons[i])) {
                        add_items(text, &reasons[i], together);
                } else {
                        begin_line(text, 0);
                        buffer_add_string(text->out, prefix);
                        if (reasons[i].code != IMGC_REASON_UPSTREAM)
                                add_place(text, &reasons[i]);
                        phrase_reason(text->out, &reasons[i], text->verbose);
                        buffer_add_char(text->out, '\n');
                }
        }
}

void plan_report_text(struct plan_report *report)
{
        const struct imgc_plan *plan = report->plan;
        struct text text = {
                .report = report,
                .out = &report->out,
                .verbose = report->options.flags & IMGC_PLAN_REPORT_VERBOSE,
        };
        size_t width = 0;

        text.limit = text.verbose ? 0 : report->options.limit;
        for (uint32_t i = 0; i < plan->project->n_images; i++)
                width = MAX(width, width_of(plan->images[i].told.image));
        width = MIN(width, (size_t)IMAGE_WIDTH_MAX);
        text.indent = width + 3;
        for (uint32_t i = 0; i < plan->project->n_images; i++) {
                const struct plan_image *image = &plan->images[i];

                text.lines = 0;
                add_visible(text.out, image->told.image);
                for (size_t column = width_of(image->told.image); column < width + 3; column++)
                        buffer_add_char(text.out, ' ');
                add_decision(&text, plan, i);
                add_reasons(&text, image->reasons, image->told.n_reasons, "");
                add_reasons(&text, image->stale, image->told.n_stale, "stale: ");
        }
}
