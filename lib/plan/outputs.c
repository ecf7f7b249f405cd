/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What images are built for: whether it is there, as it was recorded, and made by what is still
 * right. All outputs of an image must be of one run: files of different runs need not fit. */
#include <errno.h>

#include "plan/model.h"

static enum imgc_output_state look_at(struct planner *planner, const struct project_image *image,
                                      const char *path, struct known **ret, bool *ret_unreachable)
{
        const struct imgc_plan_lookup *lookup = planner->lookup;
        struct imgc_recorded_output output = {.size = sizeof(output)};
        struct imgc_state_query query = {
                .size = sizeof(query),
                .algorithm = planner->project->digest,
                .image = image->name,
                .path = path,
        };
        const char *digest = NULL;
        int recorded = lookup->get_output(lookup->userdata, image->name, path, &output);
        int there = lookup->get_state(lookup->userdata, &query, &digest);

        *ret = recorded > 0 && output.id ? judge_find(planner, output.id) : NULL;
        *ret_unreachable = recorded < 0 || there < 0 || (*ret && (*ret)->unreachable);
        if (there == 0)
                return IMGC_OUTPUT_MISSING;
        if (there < 0 || recorded <= 0 || !digest || !output.digest ||
            strcmp(digest, output.digest) != 0)
                return IMGC_OUTPUT_CHANGED;
        return IMGC_OUTPUT_VALID;
}

/* Its record outlives its snapshot, and is enough. */
static bool is_right(struct planner *planner, uint32_t image, struct known *known)
{
        const struct node *last =
                node_of(planner, image, planner->project->images[image].n_stages - 1);

        if (!known || !known->record || known->malformed)
                return false;
        return known->kept || (last->key && !strcmp(known->record->key, last->key) &&
                               judge_is_usable(planner, known));
}

int outputs_judge(struct planner *planner, struct imgc_error **reterr)
{
        for (uint32_t i = 0; i < planner->project->n_images; i++) {
                const struct project_image *image = &planner->project->images[i];
                struct image_work *work = &planner->images[i];
                uint32_t n = 0;
                bool valid;

                while (image->outputs[n])
                        n++;
                work->output_states = planner_alloc(planner, n, 1);
                work->output_record = NULL;
                work->outputs_unreachable = false;
                for (uint32_t k = 0; work->output_states && k < n; k++) {
                        struct known *made_by;
                        bool unreachable;

                        work->output_states[k] = (uint8_t)look_at(planner, image, image->outputs[k],
                                                                  &made_by, &unreachable);
                        work->outputs_unreachable |= unreachable;
                        if (!k)
                                work->output_record = made_by;
                        else if (made_by != work->output_record &&
                                 work->output_states[k] == IMGC_OUTPUT_VALID)
                                work->output_states[k] = IMGC_OUTPUT_OUTDATED;
                }
                if (planner->failed)
                        return error_no_memory(reterr);
                valid = n && image->n_stages && is_right(planner, i, work->output_record);
                for (uint32_t k = 0; k < n; k++) {
                        if (work->output_states[k] == IMGC_OUTPUT_VALID && !valid)
                                work->output_states[k] = IMGC_OUTPUT_OUTDATED;
                }
                for (uint32_t k = 0; k < n; k++)
                        valid = valid && work->output_states[k] == IMGC_OUTPUT_VALID;
                work->outputs_valid = valid;
        }
        return 0;
}
