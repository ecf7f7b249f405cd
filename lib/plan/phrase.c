/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/phrase.h"

#include <stdlib.h>

#include "core/text.h"

/* Longer values are cut, unless everything is asked for. */
#define VALUE_CHARACTERS 60

static void add_visible(struct buffer *out, const char *s)
{
        text_add_visible(out, s, strlen(s));
}

static void add_value(struct buffer *out, const char *s, bool whole)
{
        size_t end = 0, size = strlen(s), step;
        uint32_t c;

        for (size_t n = 0; end < size && (whole || n < VALUE_CHARACTERS); n++, end += step) {
                step = utf8_sequence(s + end, size - end, &c);
                step = step ? step : 1;
        }
        text_add_visible(out, s, end);
        if (end < size)
                buffer_add_literal(out, "…");
}

static void add_from_to(struct buffer *out, const char *what, const char *a, const char *b,
                        bool whole)
{
        add_visible(out, what);
        if (a && b) {
                buffer_add_char(out, ' ');
                add_value(out, a, whole);
                buffer_add_literal(out, " → ");
                add_value(out, b, whole);
        } else if (a || b) {
                buffer_add_string(out, b ? " added: " : " removed: ");
                add_value(out, b ? b : a, whole);
        } else {
                buffer_add_literal(out, " changed");
        }
}

/* In powers of 1,000, with one decimal from a kilobyte on. */
static void add_size(struct buffer *out, const char *text)
{
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
        uint64_t n = strtoull(text, NULL, 10), rest = 0;
        size_t unit = 0;

        for (; n >= 1000; unit++) {
                rest = n % 1000 / 100;
                n /= 1000;
        }
        buffer_add_u64(out, n);
        if (unit)
                buffer_printf(out, ".%u", (unsigned)rest);
        buffer_printf(out, " %s", units[unit]);
}

/* ------------------------------------------------------------------------------ inputs */

void phrase_input(struct buffer *out, const struct imgc_project *project,
                  const struct imgc_reason *reason)
{
        uint32_t image = reason->image ? project_find_image(project, reason->image) : UINT32_MAX;
        uint32_t stage = image != UINT32_MAX && reason->stage ?
                                 project_find_stage(project, image, reason->stage) :
                                 UINT32_MAX;

        if (!reason->input)
                return;
        if (stage != UINT32_MAX) {
                const struct project_stage *of = project_stage_of(project, image, stage);

                for (uint32_t i = 0; i < of->n_inputs; i++) {
                        const struct project_input *input = project_input_of(project, of, i);

                        if (!strcmp(input->name, reason->input)) {
                                buffer_add_string(out, imgc_input_type_get_name(input->type));
                                buffer_add_char(out, ' ');
                        }
                }
        }
        add_visible(out, reason->input);
}

static bool is_attribute(const struct imgc_reason *reason, const char *name)
{
        return reason->attribute && !strcmp(reason->attribute, name);
}

static const struct imgc_reason *find_attribute(const struct imgc_reason *reasons, uint32_t n,
                                                const char *name)
{
        for (uint32_t i = 0; i < n; i++)
                if (is_attribute(&reasons[i], name))
                        return &reasons[i];
        return NULL;
}

static void add_content(struct buffer *out, const struct imgc_reason *size)
{
        buffer_add_literal(out, "content changed");
        if (size && size->old_value && size->new_value) {
                buffer_add_literal(out, " (");
                add_size(out, size->old_value);
                buffer_add_literal(out, " → ");
                add_size(out, size->new_value);
                buffer_add_char(out, ')');
        }
}

void phrase_entry(struct buffer *out, const struct imgc_reason *reasons, uint32_t n, bool whole)
{
        const struct imgc_reason *size = find_attribute(reasons, n, "size");
        const bool has_content = find_attribute(reasons, n, "content");
        const char *separator = "";

        for (uint32_t i = 0; i < n; i++) {
                const struct imgc_reason *reason = &reasons[i];

                /* A new size is told with the new content. */
                if (has_content && reason == size)
                        continue;
                buffer_add_string(out, separator);
                separator = ", ";
                if (is_attribute(reason, "content")) {
                        add_content(out, size);
                } else if (is_attribute(reason, "moved")) {
                        buffer_add_literal(out, "moved from ");
                        add_value(out, reason->old_value ? reason->old_value : "?", whole);
                } else if (is_attribute(reason, "added") || is_attribute(reason, "removed")) {
                        buffer_add_string(out, reason->attribute);
                } else {
                        add_from_to(out, reason->attribute ? reason->attribute : "",
                                    reason->old_value, reason->new_value, whole);
                }
        }
}

static void add_input_change(struct buffer *out, const struct imgc_reason *reason, bool whole)
{
        const char *input = reason->input ? reason->input : "";

        if (reason->path) {
                add_visible(out, input);
                buffer_add_char(out, ' ');
                add_value(out, reason->path, whole);
                buffer_add_char(out, ' ');
                phrase_entry(out, reason, 1, whole);
        } else if (is_attribute(reason, "added") || is_attribute(reason, "removed")) {
                const char *item = reason->new_value ? reason->new_value : reason->old_value;

                add_visible(out, input);
                buffer_add_string(out, is_attribute(reason, "added") ? " +" : " −");
                add_value(out, item ? item : "?", whole);
        } else if (!reason->attribute || is_attribute(reason, "value") ||
                   is_attribute(reason, "items")) {
                add_from_to(out, input, reason->old_value, reason->new_value, whole);
        } else {
                add_visible(out, input);
                buffer_add_literal(out, ": ");
                add_from_to(out, reason->attribute, reason->old_value, reason->new_value, whole);
        }
}

/* ------------------------------------------------------------------------------ records */

/* "on 2026-11-22" of "2026-11-22T15:00:00Z" */
static void add_date(struct buffer *out, const char *before, const char *date)
{
        if (!date)
                return;
        buffer_add_string(out, before);
        buffer_add(out, date, strcspn(date, "T"));
}

static void add_gone(struct buffer *out, const char *what, const struct imgc_reason *reason)
{
        buffer_add_string(out, what);
        add_date(out, " on ", reason->old_value);
        if (reason->new_value) {
                buffer_add_literal(out, " by the ");
                add_visible(out, reason->new_value);
        }
}

static void add_read(struct buffer *out, const struct imgc_reason *reason)
{
        if (reason->input)
                add_visible(out, reason->input);
        if (reason->input && reason->path)
                buffer_add_char(out, '/');
        if (reason->path)
                add_visible(out, reason->path);
        buffer_add_literal(out, " changed since it was read");
        if (reason->input && !reason->path)
                buffer_add_literal(
                        out,
                        " (it counts as a whole: tell what is read, to have it judged by that)");
}

static void add_limit(struct buffer *out, const struct imgc_reason *reason)
{
        buffer_printf(out, "not appended: that was done %s times, and %s are allowed",
                      reason->old_value ? reason->old_value : "?",
                      reason->new_value ? reason->new_value : "?");
}

static void add_record_reason(struct buffer *out, enum imgc_reason_code code,
                              const struct imgc_reason *reason)
{
        switch (code) {
        case IMGC_REASON_EVICTED:
                add_gone(out, "collected", reason);
                break;
        case IMGC_REASON_DAMAGED:
                add_gone(out, "found damaged", reason);
                break;
        case IMGC_REASON_EXPIRED:
                add_date(out, "began on ", reason->old_value);
                add_date(out, ", which is too old: allowed are those since ", reason->new_value);
                break;
        case IMGC_REASON_SUPERSEDED:
                buffer_add_literal(out, "superseded by a later build");
                break;
        case IMGC_REASON_READ_CHANGED:
                add_read(out, reason);
                break;
        case IMGC_REASON_APPEND_LIMIT:
                add_limit(out, reason);
                break;
        case IMGC_REASON_ID_MAP:
                buffer_add_literal(out, "made under another map of user ids");
                break;
        case IMGC_REASON_NO_SNAPSHOT:
                buffer_add_literal(out, "no snapshot of it is kept");
                break;
        case IMGC_REASON_UNREACHABLE:
                buffer_add_literal(out, "the store could not answer");
                break;
        case IMGC_REASON_FORCED:
                buffer_add_literal(out, "asked to run again");
                break;
        case IMGC_REASON_REFRESHED:
                buffer_add_literal(out, "asked to run again where stale");
                break;
        case IMGC_REASON_NEVER_BUILT:
                buffer_add_literal(out, "never built");
                break;
        default:
                buffer_add_literal(out, "cannot be looked at yet");
        }
}

/* ------------------------------------------------------------------------------ reasons */

static void add_reason(struct buffer *out, enum imgc_reason_code code,
                       const struct imgc_reason *reason, bool whole)
{
        const char *input = reason->input ? reason->input : "";

        switch (code) {
        case IMGC_REASON_INPUT_CHANGED:
                add_input_change(out, reason, whole);
                break;
        case IMGC_REASON_INPUT_ADDED:
        case IMGC_REASON_INPUT_REMOVED:
                add_visible(out, input);
                buffer_add_string(out, code == IMGC_REASON_INPUT_ADDED ? " is new" : " is gone");
                break;
        case IMGC_REASON_INPUT_MOVED:
                add_visible(out, input);
                buffer_printf(out, " moved from place %s to %s",
                              reason->old_value ? reason->old_value : "?",
                              reason->new_value ? reason->new_value : "?");
                break;
        case IMGC_REASON_STAGE_ADDED:
        case IMGC_REASON_STAGE_REMOVED:
                buffer_add_string(out, code == IMGC_REASON_STAGE_ADDED ? "a new stage" :
                                                                         "no stage any more");
                break;
        case IMGC_REASON_STAGE_MOVED:
                buffer_printf(out, "moved from place %s to %s",
                              reason->old_value ? reason->old_value : "?",
                              reason->new_value ? reason->new_value : "?");
                break;
        case IMGC_REASON_BUILDER:
                add_from_to(out, "builder", reason->old_value, reason->new_value, whole);
                break;
        case IMGC_REASON_FORMAT:
                add_from_to(out, reason->attribute ? reason->attribute : "format",
                            reason->old_value, reason->new_value, whole);
                break;
        case IMGC_REASON_OUTPUT_MISSING:
        case IMGC_REASON_OUTPUT_CHANGED:
                add_visible(out, reason->path ? reason->path : "");
                buffer_add_string(out,
                                  code == IMGC_REASON_OUTPUT_MISSING ? " is missing" :
                                  is_attribute(reason, "key") ? " was made from something else" :
                                                                " is not what was built");
                break;
        default:
                add_record_reason(out, code, reason);
        }
}

void phrase_reason(struct buffer *out, const struct imgc_reason *reason, bool whole)
{
        const enum imgc_reason_code cause = (enum imgc_reason_code)reason->cause;

        if (reason->code != IMGC_REASON_UPSTREAM) {
                add_reason(out, (enum imgc_reason_code)reason->code, reason, whole);
                return;
        }
        buffer_add_literal(out, "because ");
        add_visible(out, reason->image ? reason->image : "?");
        if (reason->stage) {
                buffer_add_char(out, '/');
                add_visible(out, reason->stage);
        }
        if (!cause) {
                buffer_add_literal(out, " is another one");
                return;
        }
        buffer_add_string(out,
                          cause <= IMGC_REASON_INPUT_MOVED && cause != IMGC_REASON_NEVER_BUILT ?
                                  " changed: " :
                                  ": ");
        add_reason(out, cause, reason, whole);
}
