/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Seals stages: reads their inputs, computes their keys, and writes their lines, which are kept
 * until a manifest is made of them.
 */
#include <errno.h>

#include "core/error.h"
#include "core/io.h"
#include "core/text.h"
#include "manifest/input-read.h"
#include "manifest/json.h"
#include "manifest/key.h"
#include "manifest/line.h"
#include "manifest/manifest-internal.h"
#include "tree/digest.h"

struct sealed {
        bool done;
        char key[KEY_HEX_SIZE];
        struct buffer text; /* the stage's line, its inputs' and their listings */
        uint64_t n_lines;
        char *results; /* JSON; NULL until told */
};

struct imgc_sealer {
        struct imgc_context *context;
        struct imgc_project *project;
        struct seal_settings settings; /* the secret is a copy */
        struct sealed *stages;         /* one for each of the project */
        char *head;                    /* the manifest's first line without `info` */
};

DEFINE_CLEANUP(struct imgc_sealer *, imgc_sealer_free)

static struct head_facts head_of(const struct imgc_sealer *sealer, uint64_t n_lines)
{
        return (struct head_facts){
                .name = sealer->project->name,
                .builder = sealer->project->builder,
                .digest = sealer->project->digest,
                .n_lines = n_lines,
                .listings = !(sealer->settings.flags & IMGC_SEAL_NO_LISTINGS),
                .max_append = sealer->project->max_append,
        };
}

IMGC_EXPORT int imgc_sealer_new(struct imgc_context *context, struct imgc_project *project,
                                const struct imgc_seal_options *options, struct imgc_sealer **ret,
                                struct imgc_error **reterr)
{
        _cleanup_(imgc_sealer_freep) struct imgc_sealer *sealer = NULL;
        _cleanup_buffer_ struct buffer head = {0};
        struct head_facts facts;
        struct seal_settings settings;
        int r = seal_settings_init(context, project, options, &settings, reterr);

        if (r < 0)
                return r;
        sealer = imgc_io_calloc(1, sizeof(*sealer));
        if (!sealer)
                return error_no_memory(reterr);
        sealer->context = imgc_context_ref(context);
        sealer->project = imgc_project_ref(project);
        sealer->settings = settings;
        sealer->settings.secret = NULL;
        if (settings.secret) {
                void *copy = imgc_io_malloc(settings.secret_size);

                if (!copy)
                        return error_no_memory(reterr);
                sealer->settings.secret = memcpy(copy, settings.secret, settings.secret_size);
        }
        sealer->stages = imgc_io_calloc(project->n_stages, sizeof(*sealer->stages));
        facts = head_of(sealer, 0);
        line_add_head(&head, &facts, false);
        if (!sealer->stages || !buffer_string(&head))
                return error_no_memory(reterr);
        sealer->head = TAKE_PTR(head.data);
        *ret = TAKE_PTR(sealer);
        return 0;
}

IMGC_EXPORT struct imgc_sealer *imgc_sealer_free(struct imgc_sealer *sealer)
{
        if (!sealer)
                return NULL;
        for (uint32_t i = 0; sealer->stages && i < sealer->project->n_stages; i++) {
                buffer_free(&sealer->stages[i].text);
                free(sealer->stages[i].results);
        }
        free(sealer->stages);
        free(sealer->head);
        if (sealer->settings.secret) {
                void *secret = (void *)(uintptr_t)sealer->settings.secret;

                explicit_bzero(secret, sealer->settings.secret_size);
                free(secret);
        }
        imgc_project_unref(sealer->project);
        imgc_context_unref(sealer->context);
        free(sealer);
        return NULL;
}

/* ------------------------------------------------------------------------------ links */

static int fail_without_results(const char *place, const char *stage, struct imgc_error **reterr)
{
        return error_message(
                reterr, IMGC_ERROR_UNSUPPORTED, -ENOTSUP, "seal", NULL,
                "%s: it is judged by the output of stage \"%s\", which only a session knows", place,
                stage);
}

static int follow_links(const struct imgc_sealer *sealer, const struct project_stage *stage,
                        struct seen *seen, struct imgc_error **reterr)
{
        const struct imgc_project *project = sealer->project;

        for (uint32_t i = 0; i < stage->n_inputs; i++) {
                const struct project_input *input = project_input_of(project, stage, i);
                const struct project_stage *linked;
                const struct sealed *sealed;

                if (input->type != IMGC_INPUT_IMAGE)
                        continue;
                linked = project_stage_of(project, input->image, input->stage);
                sealed = &sealer->stages[linked - project->stages];
                if (!sealed->done)
                        return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal",
                                             NULL, "%s: stage \"%s\" of image \"%s\" is not sealed",
                                             input->place, linked->name,
                                             project->images[input->image].name);
                if (input->by == IMGC_BY_OUTPUT && !sealed->results)
                        return fail_without_results(input->place, linked->name, reterr);
                seen[i].link = input->by == IMGC_BY_OUTPUT ? sealed->results : sealed->key;
        }
        return 0;
}

/* What stands for the stage before, as JSON. *ret is NULL for the first stage. */
static int previous_of(const struct imgc_sealer *sealer, const struct project_image *image,
                       uint32_t index, char quoted[static KEY_HEX_SIZE + 2], const char **ret,
                       struct imgc_error **reterr)
{
        const struct project_stage *stage = &sealer->project->stages[image->first_stage + index];
        const struct sealed *before = &sealer->stages[image->first_stage + index] - 1;

        *ret = NULL;
        if (!index)
                return 0;
        if (stage->previous == IMGC_BY_OUTPUT) {
                *ret = before->results;
                return *ret ? 0 : fail_without_results(stage->place, stage[-1].name, reterr);
        }
        quoted[0] = '"';
        memcpy(quoted + 1, before->key, KEY_HEX_SIZE - 1);
        memcpy(quoted + KEY_HEX_SIZE, "\"", 2);
        *ret = quoted;
        return 0;
}

/* ------------------------------------------------------------------------------ lines */

static int compute_key(const struct imgc_sealer *sealer, const struct project_image *image,
                       const struct project_stage *stage, const struct seen *seen,
                       const char *previous, char ret[static KEY_HEX_SIZE],
                       struct imgc_error **reterr)
{
        const struct imgc_project *project = sealer->project;
        _cleanup_buffer_ struct buffer bytes = {0};

        key_add_head(&bytes, sealer->head, image->scope, previous);
        line_add_stage(&bytes, stage, project->reads + stage->first_read, NULL, NULL, false);
        buffer_add_char(&bytes, '\n');
        for (uint32_t i = 0; i < stage->n_inputs; i++) {
                const struct project_input *input = project_input_of(project, stage, i);
                int r;

                if (input->on_change != IMGC_ON_CHANGE_REBUILD)
                        continue;
                r = input_add_line(&sealer->settings, input, &seen[i], false, &bytes, reterr);
                if (r < 0)
                        return r;
                buffer_add_char(&bytes, '\n');
        }
        return key_of(sealer->context, &bytes, ret) < 0 ? error_no_memory(reterr) : 0;
}

/* One input with its listing. Lets go of the tree, so that not all of them are there twice. */
static int write_input(const struct imgc_sealer *sealer, const struct project_input *input,
                       struct seen *seen, struct sealed *sealed, struct imgc_error **reterr)
{
        bool keeps = seen->tree && !(input->flags & IMGC_INPUT_SECRET) &&
                     !(sealer->settings.flags & IMGC_SEAL_NO_LISTINGS);
        int r = input_add_line(&sealer->settings, input, seen, true, &sealed->text, reterr);

        if (r < 0)
                return r;
        buffer_add_char(&sealed->text, '\n');
        sealed->n_lines++;
        if (!keeps)
                return 0;
        if (!seen->tree->listing.data)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -ENODATA, "seal", NULL,
                                     "%s: the tree was read without its listing", input->place);
        buffer_add(&sealed->text, seen->tree->listing.data, seen->tree->listing.size);
        sealed->n_lines += seen->tree->n_entries + 1;
        seen->tree = imgc_tree_unref(seen->tree);
        return 0;
}

static int write_stage(const struct imgc_sealer *sealer, const struct project_stage *stage,
                       struct seen *seen, const char *previous, struct sealed *sealed,
                       struct imgc_error **reterr)
{
        const struct imgc_project *project = sealer->project;
        size_t size = 0;
        int r = 0;

        for (uint32_t i = 0; i < stage->n_inputs; i++)
                if (seen[i].tree)
                        size += seen[i].tree->listing.size;
        /* Otherwise it would be copied as it grows. */
        if (size)
                buffer_reserve(&sealed->text, size + ((size_t)1 << 12));
        line_add_stage(&sealed->text, stage, project->reads + stage->first_read, sealed->key,
                       stage->previous == IMGC_BY_OUTPUT ? previous : NULL, true);
        if (!sealed->text.failed && sealed->text.size > LIMIT_JSON_BYTES)
                return error_message(reterr, IMGC_ERROR_LIMIT, -E2BIG, "seal", NULL,
                                     "%s: its line in the manifest would have more than %zu bytes",
                                     stage->place, LIMIT_JSON_BYTES);
        buffer_add_char(&sealed->text, '\n');
        sealed->n_lines++;
        for (uint32_t i = 0; r >= 0 && i < stage->n_inputs; i++)
                r = write_input(sealer, project_input_of(project, stage, i), &seen[i], sealed,
                                reterr);
        if (r >= 0 && sealed->text.failed)
                r = error_no_memory(reterr);
        return r;
}

/* ------------------------------------------------------------------------------ stages */

static int seal_stage(struct imgc_sealer *sealer, const struct project_image *image, uint32_t index,
                      struct imgc_error **reterr)
{
        const struct project_stage *stage = &sealer->project->stages[image->first_stage + index];
        struct sealed *sealed = &sealer->stages[image->first_stage + index], fresh = {0};
        struct seen *seen = imgc_io_calloc(stage->n_inputs, sizeof(*seen));
        char quoted[KEY_HEX_SIZE + 2];
        const char *previous;
        int r;

        if (!seen)
                return error_no_memory(reterr);
        r = previous_of(sealer, image, index, quoted, &previous, reterr);
        if (r >= 0)
                r = follow_links(sealer, stage, seen, reterr);
        if (r >= 0)
                r = inputs_read(&sealer->settings, stage, 0, seen, reterr);
        if (r >= 0)
                r = compute_key(sealer, image, stage, seen, previous, fresh.key, reterr);
        if (r >= 0)
                r = write_stage(sealer, stage, seen, previous, &fresh, reterr);
        for (uint32_t i = 0; i < stage->n_inputs; i++)
                seen_done(&seen[i]);
        free(seen);
        if (r < 0) {
                buffer_free(&fresh.text);
                return r;
        }
        fresh.done = true;
        *sealed = fresh;
        return 0;
}

static int find_image(const struct imgc_sealer *sealer, const char *name, uint32_t *ret,
                      struct imgc_error **reterr)
{
        *ret = project_find_image(sealer->project, name);
        return *ret != UINT32_MAX ?
                       0 :
                       error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "the project has no image \"%.255s\"", name);
}

IMGC_EXPORT int imgc_sealer_seal_next(struct imgc_sealer *sealer, const char *image,
                                      const char **ret_key, struct imgc_error **reterr)
{
        const struct project_image *found;
        uint32_t number, index = 0;
        int r = find_image(sealer, image, &number, reterr);

        if (r < 0)
                return r;
        found = &sealer->project->images[number];
        while (index < found->n_stages && sealer->stages[found->first_stage + index].done)
                index++;
        if (index == found->n_stages)
                return 0;
        r = seal_stage(sealer, found, index, reterr);
        if (r < 0)
                return r;
        if (ret_key)
                *ret_key = sealer->stages[found->first_stage + index].key;
        return 1;
}

/* ------------------------------------------------------------------------------ results */

/* {"NAME":"<digest>"|null,…} in canonical order. */
static int results_text(const struct imgc_sealer *sealer, const struct project_stage *stage,
                        const char *const *digests, struct buffer *ret)
{
        const size_t size = digest_bytes(sealer->project->digest) * 2;
        _cleanup_buffer_ struct buffer text = {0};
        _cleanup_arena_ struct arena arena = {0};
        struct json_fault fault;
        struct json *json;
        int r;

        buffer_add_char(&text, '{');
        for (uint32_t i = 0; i < stage->n_results; i++) {
                if (digests[i] &&
                    (strlen(digests[i]) != size || strspn(digests[i], "0123456789abcdef") != size))
                        return -EINVAL;
                if (i)
                        buffer_add_char(&text, ',');
                text_add_json(&text, stage->results[i], strlen(stage->results[i]));
                buffer_add_char(&text, ':');
                text_add_json_bytes(&text, digests[i]);
        }
        buffer_add_char(&text, '}');
        if (text.failed)
                return -ENOMEM;
        r = json_parse(&arena, text.data, text.size, &json, &fault);
        if (r < 0)
                return r;
        json_add(ret, json);
        return buffer_string(ret) ? 0 : -ENOMEM;
}

IMGC_EXPORT int imgc_sealer_set_results(struct imgc_sealer *sealer, const char *image,
                                        const char *stage, const char *const *digests,
                                        size_t n_digests, struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer text = {0};
        const struct project_stage *found;
        struct sealed *sealed;
        uint32_t number, index;
        int r = find_image(sealer, image, &number, reterr);

        if (r < 0)
                return r;
        index = project_find_stage(sealer->project, number, stage);
        if (index == UINT32_MAX)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "image \"%s\" has no stage \"%.255s\"", image, stage);
        found = project_stage_of(sealer->project, number, index);
        sealed = &sealer->stages[found - sealer->project->stages];
        if (!sealed->done || n_digests != found->n_results)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "image \"%s\", stage \"%s\": %s", image, stage,
                                     sealed->done ? "it has another number of results" :
                                                    "it is not sealed");
        r = results_text(sealer, found, digests, &text);
        if (r == -ENOMEM)
                return error_no_memory(reterr);
        if (r < 0)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "image \"%s\", stage \"%s\": a digest is not one of %s", image,
                                     stage,
                                     imgc_digest_algorithm_get_name(sealer->project->digest));
        free(sealed->results);
        sealed->results = TAKE_PTR(text.data);
        return 0;
}

/* ------------------------------------------------------------------------------ going on */

static const char *check_adoption(const struct imgc_sealer *sealer,
                                  const struct imgc_manifest *manifest)
{
        const struct imgc_project *project = sealer->project;

        for (uint32_t i = 0; i < project->n_stages; i++)
                if (sealer->stages[i].done)
                        return "something is sealed already";
        if (strcmp(sealer->head, manifest->head) != 0)
                return "it is of another project, builder or digest";
        if (manifest->listings != !(sealer->settings.flags & IMGC_SEAL_NO_LISTINGS))
                return "one has listings and the other has none";
        for (uint32_t i = 0; i < manifest->n_images; i++) {
                const struct manifest_image *image = &manifest->images[i];
                uint32_t number = project_find_image(project, image->name);

                if (number == UINT32_MAX)
                        return "it has an image that the project has not";
                if (strcmp(project->images[number].scope, image->scope) != 0)
                        return "an image has another scope";
                if (image->n_stages > project->images[number].n_stages)
                        return "an image has more stages than in the project";
                for (uint32_t s = 0; s < image->n_stages; s++)
                        if (strcmp(project_stage_of(project, number, s)->name,
                                   manifest->stages[image->first_stage + s].name) != 0)
                                return "an image has other stages than in the project";
        }
        return NULL;
}

IMGC_EXPORT int imgc_sealer_adopt(struct imgc_sealer *sealer, const struct imgc_manifest *manifest,
                                  struct imgc_error **reterr)
{
        const char *reason = check_adoption(sealer, manifest);

        if (reason)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "cannot take the manifest over: %s", reason);
        for (uint32_t i = 0; i < manifest->n_images; i++) {
                const struct manifest_image *image = &manifest->images[i];
                uint32_t number = project_find_image(sealer->project, image->name);

                for (uint32_t s = 0; s < image->n_stages; s++) {
                        const struct manifest_stage *stage =
                                &manifest->stages[image->first_stage + s];
                        struct sealed *sealed =
                                &sealer->stages[sealer->project->images[number].first_stage + s];

                        buffer_add(&sealed->text, stage->text.data, stage->text.size);
                        sealed->n_lines = stage->n_lines;
                        memcpy(sealed->key, stage->key, KEY_HEX_SIZE);
                }
        }
        for (uint32_t i = 0; i < sealer->project->n_stages; i++)
                if (sealer->stages[i].text.failed) {
                        for (uint32_t j = 0; j < sealer->project->n_stages; j++)
                                buffer_free(&sealer->stages[j].text);
                        return error_no_memory(reterr);
                }
        for (uint32_t i = 0; i < sealer->project->n_stages; i++)
                sealer->stages[i].done = sealer->stages[i].n_lines;
        return 0;
}

/* ------------------------------------------------------------------------------ manifests */

/* consume: the stages' texts are freed as they are copied. */
static int make_manifest(struct imgc_sealer *sealer, bool consume, struct imgc_manifest **ret,
                         struct imgc_error **reterr)
{
        const struct imgc_project *project = sealer->project;
        _cleanup_buffer_ struct buffer out = {0};
        struct head_facts head;
        uint64_t n_lines = 0;
        size_t size = 4096;
        int r;

        for (uint32_t i = 0; i < project->n_images; i++)
                n_lines += sealer->stages[project->images[i].first_stage].done;
        for (uint32_t i = 0; i < project->n_stages; i++) {
                n_lines += sealer->stages[i].n_lines;
                size += sealer->stages[i].text.size;
        }
        buffer_reserve(&out, size);
        head = head_of(sealer, n_lines);
        line_add_head(&out, &head, true);
        buffer_add_char(&out, '\n');
        for (uint32_t i = 0; i < project->n_images; i++) {
                const struct project_image *image = &project->images[i];

                if (!sealer->stages[image->first_stage].done)
                        continue;
                line_add_image(&out, image);
                buffer_add_char(&out, '\n');
                for (uint32_t s = image->first_stage; s < image->first_stage + image->n_stages;
                     s++) {
                        struct buffer *text = &sealer->stages[s].text;

                        buffer_add(&out, text->data, text->size);
                        if (consume)
                                buffer_free(text);
                }
        }
        if (out.failed)
                return error_no_memory(reterr);
        r = manifest_of_bytes(sealer->context, out.data, out.size, false, "manifest", true, ret,
                              reterr);
        if (r >= 0)
                out = (struct buffer){0};
        return r;
}

IMGC_EXPORT int imgc_sealer_get_manifest(struct imgc_sealer *sealer, struct imgc_manifest **ret,
                                         struct imgc_error **reterr)
{
        return make_manifest(sealer, false, ret, reterr);
}

/* Before anything is read: without a session nobody will tell results. */
static int check_no_results_needed(const struct imgc_project *project, struct imgc_error **reterr)
{
        for (uint32_t s = 0; s < project->n_stages; s++) {
                const struct project_stage *stage = &project->stages[s];

                if (stage->previous == IMGC_BY_OUTPUT)
                        return fail_without_results(stage->place, stage[-1].name, reterr);
                for (uint32_t i = 0; i < stage->n_inputs; i++) {
                        const struct project_input *input = project_input_of(project, stage, i);

                        if (input->type == IMGC_INPUT_IMAGE && input->by == IMGC_BY_OUTPUT)
                                return fail_without_results(
                                        input->place,
                                        project_stage_of(project, input->image, input->stage)->name,
                                        reterr);
                }
        }
        return 0;
}

IMGC_EXPORT int imgc_manifest_seal(struct imgc_context *context, struct imgc_project *project,
                                   const struct imgc_seal_options *options,
                                   struct imgc_manifest **ret, struct imgc_error **reterr)
{
        _cleanup_(imgc_sealer_freep) struct imgc_sealer *sealer = NULL;
        int r = check_no_results_needed(project, reterr);

        if (r >= 0)
                r = imgc_sealer_new(context, project, options, &sealer, reterr);
        for (uint32_t i = 0; r >= 0 && i < project->n_images; i++)
                for (uint32_t s = 0; r >= 0 && s < project->images[i].n_stages; s++)
                        r = seal_stage(sealer, &project->images[i], s, reterr);
        return r < 0 ? r : make_manifest(sealer, true, ret, reterr);
}
