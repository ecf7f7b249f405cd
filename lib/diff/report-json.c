/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A diff as one line of JSON: doc/format.md, "Diffs as JSON". */
#include "core/text.h"
#include "diff/report.h"

static void add_names(struct buffer *out, const char *const *names)
{
        buffer_add_char(out, '[');
        for (size_t i = 0; names[i]; i++) {
                if (i)
                        buffer_add_char(out, ',');
                text_add_json(out, names[i], strlen(names[i]));
        }
        buffer_add_char(out, ']');
}

static void add_change(struct buffer *out, const struct imgc_change *change)
{
        const struct {
                const char *name, *value;
        } members[] = {
                {"image", change->image},         {"stage", change->stage},
                {"input", change->input},         {"path", change->path},
                {"attribute", change->attribute}, {"old", change->old_value},
                {"new", change->new_value},
        };

        buffer_printf(out, "{\"kind\":\"%s\"",
                      imgc_change_kind_get_name((enum imgc_change_kind)change->kind));
        for (size_t i = 0; i < ELEMENTSOF(members); i++) {
                buffer_printf(out, ",\"%s\":", members[i].name);
                text_add_json_bytes(out, members[i].value);
        }
        buffer_add_char(out, '}');
}

int report_json(struct report *report)
{
        struct imgc_diff_iterator *iterator;
        const struct imgc_change *change;
        const char *separator = "";
        int r;

        buffer_printf(&report->out, "{\"version\":1,\"equal\":%s,\"compared\":",
                      imgc_diff_is_equal(report->diff) ? "true" : "false");
        add_names(&report->out, report->diff->compared);
        buffer_add_literal(&report->out, ",\"left_out\":");
        add_names(&report->out, report->diff->left_out);
        buffer_add_literal(&report->out, ",\"changes\":[");
        r = imgc_diff_iterator_new(report->diff, &iterator, NULL);
        if (r < 0)
                return r;
        while ((r = imgc_diff_iterator_next(iterator, &change, NULL)) > 0) {
                buffer_add_string(&report->out, separator);
                separator = ",";
                add_change(&report->out, change);
                r = report_flush(report, false);
                if (r < 0)
                        break;
        }
        imgc_diff_iterator_free(iterator);
        buffer_add_literal(&report->out, "]}\n");
        return r;
}
