/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A plan as a graph for graphviz: a box of stages for each image, coloured by what happens to
 * them; links by key are whole lines, links by output are dashed.
 */
#include "core/text.h"
#include "plan/plan.h"

/* A quoted string of the DOT language. Its backslash stands for other things before some letters,
 * in labels, so that it is doubled. */
static void add_quoted(struct buffer *out, const char *s)
{
        _cleanup_buffer_ struct buffer visible = {0};

        text_add_visible(&visible, s, strlen(s));
        buffer_add_char(out, '"');
        for (size_t i = 0; i < visible.size; i++) {
                if (visible.data[i] == '"' || visible.data[i] == '\\')
                        buffer_add_char(out, '\\');
                buffer_add_char(out, visible.data[i]);
        }
        buffer_add_char(out, '"');
        out->failed |= visible.failed;
}

static const char *color_of(const struct plan_image *image, uint32_t stage)
{
        const struct imgc_plan_image *told = &image->told;

        if (stage >= told->first_run + told->n_certain)
                return "lightyellow";
        if (stage >= told->first_run)
                return "orange";
        if (told->decision == IMGC_DECISION_NOT_NEEDED || told->decision == IMGC_DECISION_KEPT)
                return "lightgrey";
        return "palegreen";
}

static void add_image(struct buffer *out, const struct imgc_plan *plan, uint32_t number)
{
        const struct plan_image *image = &plan->images[number];
        const struct project_image *of = &plan->project->images[number];

        buffer_printf(out, "  subgraph cluster_%u {\n    label=", number);
        add_quoted(out, of->name);
        buffer_printf(out, ";\n    tooltip=\"%s%s\";\n",
                      imgc_decision_get_name((enum imgc_decision)image->told.decision),
                      image->told.tentative ? ", tentative" : "");
        for (uint32_t s = 0; s < of->n_stages; s++) {
                const char *name = project_stage_of(plan->project, number, s)->name;

                buffer_printf(out, "    s%u_%u [label=", number, s);
                add_quoted(out, name);
                buffer_printf(out, ", fillcolor=%s%s];\n", color_of(image, s),
                              image->told.restore_stage &&
                                              !strcmp(image->told.restore_stage, name) ?
                                      ", peripheries=2" :
                                      "");
        }
        buffer_add_literal(out, "  }\n");
}

static void add_links(struct buffer *out, const struct imgc_plan *plan, uint32_t number)
{
        const struct imgc_project *project = plan->project;

        for (uint32_t s = 0; s < project->images[number].n_stages; s++) {
                const struct project_stage *stage = project_stage_of(project, number, s);

                if (s)
                        buffer_printf(out, "  s%u_%u -> s%u_%u%s;\n", number, s - 1, number, s,
                                      stage->previous == IMGC_BY_OUTPUT ? " [style=dashed]" : "");
                for (uint32_t k = 0; k < stage->n_inputs; k++) {
                        const struct project_input *input = project_input_of(project, stage, k);

                        if (input->type != IMGC_INPUT_IMAGE)
                                continue;
                        buffer_printf(out, "  s%u_%u -> s%u_%u [label=", input->image, input->stage,
                                      number, s);
                        add_quoted(out, input->name);
                        buffer_add_string(out, input->by == IMGC_BY_OUTPUT ? ", style=dashed];\n" :
                                                                             "];\n");
                }
        }
}

void plan_report_dot(struct plan_report *report)
{
        const struct imgc_plan *plan = report->plan;

        buffer_add_literal(&report->out, "digraph ");
        add_quoted(&report->out, plan->project->name);
        buffer_add_literal(&report->out, " {\n  rankdir=LR;\n  node [shape=box, style=filled];\n");
        for (uint32_t i = 0; i < plan->project->n_images; i++)
                add_image(&report->out, plan, i);
        for (uint32_t i = 0; i < plan->project->n_images; i++)
                add_links(&report->out, plan, i);
        buffer_add_literal(&report->out, "}\n");
}
