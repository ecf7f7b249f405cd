/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A plan as one line of JSON: doc/plan.schema.json. */
#include "core/text.h"
#include "plan/plan.h"

static void add_member(struct buffer *out, const char *before, const char *value)
{
        buffer_add_string(out, before);
        text_add_json_bytes(out, value);
}

static void add_reason(struct buffer *out, const struct imgc_reason *reason)
{
        const char *attribute = reason->attribute;

        add_member(out,
                   "{\"code\":", imgc_reason_code_get_name((enum imgc_reason_code)reason->code));
        add_member(out, ",\"image\":", reason->image);
        add_member(out, ",\"stage\":", reason->stage);
        add_member(out, ",\"input\":", reason->input);
        add_member(out, ",\"path\":", reason->path);
        /* Upstream: what happened there, where no attribute says so. */
        if (reason->code == IMGC_REASON_UPSTREAM && !reason->attribute)
                attribute = imgc_reason_code_get_name((enum imgc_reason_code)reason->cause);
        add_member(out, ",\"attribute\":", attribute);
        add_member(out, ",\"old\":", reason->old_value);
        add_member(out, ",\"new\":", reason->new_value);
        buffer_add_char(out, '}');
}

static void add_reasons(struct buffer *out, const struct imgc_reason *reasons, uint32_t n)
{
        buffer_add_char(out, '[');
        for (uint32_t i = 0; i < n; i++) {
                if (i)
                        buffer_add_char(out, ',');
                add_reason(out, &reasons[i]);
        }
        buffer_add_char(out, ']');
}

/* {"INPUT":["ITEM",…],…}; the items of an input stand together. */
static void add_appends(struct buffer *out, const struct plan_image *image)
{
        if (image->told.decision != IMGC_DECISION_APPEND) {
                buffer_add_literal(out, "null");
                return;
        }
        buffer_add_char(out, '{');
        for (uint32_t i = 0; i < image->told.n_appends; i++) {
                bool first = !i || image->appends[i].input != image->appends[i - 1].input;

                if (i)
                        buffer_add_string(out, first ? "]," : ",");
                if (first) {
                        text_add_json(out, image->appends[i].input,
                                      strlen(image->appends[i].input));
                        buffer_add_literal(out, ":[");
                }
                text_add_json_bytes(out, image->appends[i].item);
        }
        buffer_add_string(out, image->told.n_appends ? "]}" : "}");
}

static void add_image(struct buffer *out, const struct imgc_plan *plan, uint32_t number)
{
        const struct plan_image *image = &plan->images[number];
        const struct imgc_plan_image *told = &image->told;

        add_member(out, "{\"image\":", told->image);
        add_member(out,
                   ",\"decision\":", imgc_decision_get_name((enum imgc_decision)told->decision));
        buffer_printf(out, ",\"tentative\":%s,\"stale\":", told->tentative ? "true" : "false");
        add_reasons(out, image->stale, told->n_stale);
        if (told->restore_stage) {
                add_member(out, ",\"restore\":{\"stage\":", told->restore_stage);
                add_member(out, ",\"key\":", told->restore_key);
                add_member(out, ",\"id\":", told->restore_id);
                buffer_add_char(out, '}');
        } else {
                buffer_add_literal(out, ",\"restore\":null");
        }
        buffer_add_literal(out, ",\"append\":");
        add_appends(out, image);
        buffer_add_literal(out, ",\"run\":[");
        for (uint32_t i = 0; i < told->n_run; i++)
                add_member(out, i ? "," : "", plan_run_name(plan, number, i));
        buffer_add_literal(out, "],\"outputs\":[");
        for (uint32_t i = 0; i < told->n_outputs; i++) {
                buffer_add_string(out, i ? "," : "");
                add_member(out, "{\"path\":", plan->project->images[number].outputs[i]);
                add_member(out, ",\"state\":",
                           imgc_output_state_get_name(
                                   (enum imgc_output_state)image->output_states[i]));
                buffer_add_char(out, '}');
        }
        buffer_add_literal(out, "],\"reasons\":");
        add_reasons(out, image->reasons, told->n_reasons);
        buffer_add_char(out, '}');
}

void plan_report_json(struct plan_report *report)
{
        buffer_add_literal(&report->out, "{\"version\":1,\"images\":[");
        for (uint32_t i = 0; i < report->plan->project->n_images; i++) {
                if (i)
                        buffer_add_char(&report->out, ',');
                add_image(&report->out, report->plan, i);
        }
        buffer_add_literal(&report->out, "]}\n");
}
