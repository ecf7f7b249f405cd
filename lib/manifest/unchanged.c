/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the inputs of a project are still what a manifest of it says. */
#include <errno.h>

#include "core/error.h"
#include "core/io.h"
#include "manifest/input-read.h"
#include "manifest/json.h"
#include "manifest/manifest-internal.h"

struct check {
        const struct imgc_manifest *manifest;
        struct seal_settings settings;
        imgc_input_changed_fn changed;
        void *userdata;
        int result;
};

/* Returns what the callback says. */
static int tell(struct check *check, const char *image, const char *stage, const char *input)
{
        check->result = 1;
        return check->changed ? check->changed(check->userdata, image, stage, input) : 0;
}

/* 1 where the line of an input says the same, `info` apart. */
static int is_same(struct check *check, const struct project_input *input, const struct seen *seen,
                   const struct manifest_input *recorded, struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer now = {0}, then = {0};
        _cleanup_arena_ struct arena arena = {0};
        struct json_fault fault;
        struct json *json;
        int r;

        if (seen->gone)
                return 0;
        r = input_add_line(&check->settings, input, seen, false, &now, reterr);
        if (r < 0)
                return r;
        r = json_parse(&arena, recorded->line.data, recorded->line.size, &json, &fault);
        if (r == -EBADMSG)
                return 0; /* the file changed under our mapping */
        if (r >= 0)
                json_add_without(&then, json, "info");
        if (r < 0 || then.failed)
                return error_no_memory(reterr);
        return now.size == then.size && !memcmp(now.data, then.data, now.size);
}

static bool has_same_inputs(const struct check *check, const struct project_stage *stage,
                            const struct manifest_stage *recorded)
{
        if (stage->n_inputs != recorded->n_inputs)
                return false;
        for (uint32_t i = 0; i < stage->n_inputs; i++) {
                const struct project_input *input =
                        project_input_of(check->settings.project, stage, i);

                if (strcmp(input->name, check->manifest->inputs[recorded->first_input + i].name) !=
                    0)
                        return false;
        }
        return true;
}

static int check_inputs(struct check *check, const char *image, const struct project_stage *stage,
                        const struct manifest_stage *recorded, struct seen *seen,
                        struct imgc_error **reterr)
{
        int r = inputs_read(&check->settings, stage, SEEN_GONE, seen, reterr);

        for (uint32_t i = 0; r >= 0 && i < stage->n_inputs; i++) {
                const struct project_input *input =
                        project_input_of(check->settings.project, stage, i);
                int told;

                if (input->type == IMGC_INPUT_IMAGE)
                        continue;
                r = is_same(check, input, &seen[i],
                            &check->manifest->inputs[recorded->first_input + i], reterr);
                if (r)
                        continue;
                told = tell(check, image, stage->name, input->name);
                if (told)
                        return told;
        }
        return MIN(r, 0);
}

static int check_stage(struct check *check, const char *image, const struct project_stage *stage,
                       const struct manifest_stage *recorded, struct imgc_error **reterr)
{
        struct seen *seen;
        int r;

        if (!has_same_inputs(check, stage, recorded))
                return tell(check, image, stage->name, NULL);
        seen = imgc_io_calloc(stage->n_inputs, sizeof(*seen));
        if (!seen)
                return error_no_memory(reterr);
        r = check_inputs(check, image, stage, recorded, seen, reterr);
        for (uint32_t i = 0; i < stage->n_inputs; i++)
                seen_done(&seen[i]);
        free(seen);
        return r;
}

static int check_image(struct check *check, const struct manifest_image *image,
                       struct imgc_error **reterr)
{
        const struct imgc_project *project = check->settings.project;
        uint32_t number = project_find_image(project, image->name);
        int r = 0;

        for (uint32_t i = 0; !r && i < image->n_stages; i++) {
                const struct manifest_stage *recorded =
                        &check->manifest->stages[image->first_stage + i];
                uint32_t stage = number == UINT32_MAX ?
                                         UINT32_MAX :
                                         project_find_stage(project, number, recorded->name);

                r = stage == UINT32_MAX ?
                            tell(check, image->name, recorded->name, NULL) :
                            check_stage(check, image->name,
                                        project_stage_of(project, number, stage), recorded, reterr);
        }
        return r;
}

IMGC_EXPORT int imgc_manifest_check_unchanged(const struct imgc_manifest *manifest,
                                              struct imgc_context *context,
                                              struct imgc_project *project,
                                              const struct imgc_seal_options *options,
                                              imgc_input_changed_fn changed, void *userdata,
                                              struct imgc_error **reterr)
{
        struct check check = {.manifest = manifest, .changed = changed, .userdata = userdata};
        int r = seal_settings_init(context, project, options, &check.settings, reterr);

        if (r < 0)
                return r;
        if (project->digest != manifest->digest)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "compare",
                                    manifest->name,
                                    "the project has another digest than the manifest");
        check.settings.flags = IMGC_SEAL_NO_LISTINGS;
        for (uint32_t i = 0; !r && i < manifest->n_images; i++)
                r = check_image(&check, &manifest->images[i], reterr);
        return r ? r : check.result;
}
