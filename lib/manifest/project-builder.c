/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Building a project: the project itself, images, stages and read roots. */
#include "manifest/project-builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/io.h"
#include "core/options.h"
#include "core/text.h"
#include "manifest/json.h"
#include "manifest/words.h"
#include "tree/exclude.h"

_Static_assert(AT_FDCWD == -100, "the public header says so");

/* ------------------------------------------------------------------------------ helpers */

int builder_fail(struct imgc_project_builder *builder, struct imgc_error **reterr,
                 const char *format, ...)
{
        const char *place = buffer_string(&builder->place);
        char reason[512];
        va_list ap;

        if (!place)
                return error_no_memory(reterr);
        va_start(ap, format);
        vsnprintf(reason, sizeof(reason), format, ap);
        va_end(ap);
        if (builder->file)
                return error_message(reterr, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", builder->file,
                                     "%s: %s", place, reason);
        return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "build a project", NULL,
                             "%s: %s", place, reason);
}

int builder_fail_unsupported(struct imgc_project_builder *builder, struct imgc_error **reterr,
                             const char *reason)
{
        const char *place = buffer_string(&builder->place);

        if (!place)
                return error_no_memory(reterr);
        return error_message(reterr, IMGC_ERROR_UNSUPPORTED, -ENOTSUP, "build a project",
                             builder->file, "%s: %s", place, reason);
}

int builder_copy_options(struct imgc_project_builder *builder, const void *given, void *ret,
                         struct imgc_error **reterr)
{
        size_t known, size;
        int r;

        memcpy(&known, ret, sizeof(known));
        if (!builder->project)
                return builder_fail(builder, reterr, "the project is finished");
        if (!given)
                return builder_fail(builder, reterr, "no options");
        memcpy(&size, given, sizeof(size));
        r = options_check_size(given, size, known);
        if (r == -E2BIG)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "build a project",
                                     NULL, "options with members that this library does not know");
        if (r < 0)
                return builder_fail(builder, reterr, "options without a size");
        memcpy(ret, given, MIN(size, known));
        return 0;
}

const char *builder_copy_bytes(struct imgc_project_builder *builder, const char *bytes, size_t size)
{
        char *copy = arena_alloc(&builder->project->arena, size + 1);

        if (copy) {
                memcpy(copy, bytes, size);
                copy[size] = '\0';
        }
        return copy;
}

const char *builder_copy(struct imgc_project_builder *builder, const char *string)
{
        return builder_copy_bytes(builder, string, strlen(string));
}

const char *const *builder_copy_strings(struct imgc_project_builder *builder,
                                        const char *const *strings)
{
        const char **copies;
        size_t n = 0;

        while (strings && strings[n])
                n++;
        copies = arena_alloc(&builder->project->arena, (n + 1) * sizeof(*copies));
        if (!copies)
                return NULL;
        for (size_t i = 0; i < n; i++) {
                copies[i] = builder_copy(builder, strings[i]);
                if (!copies[i])
                        return NULL;
        }
        copies[n] = NULL;
        return copies;
}

void builder_set_place(struct imgc_project_builder *builder, const char *what, const char *name)
{
        struct buffer *place = &builder->place;
        const struct project_image *image = builder_last_image(builder);
        const struct project_stage *stage = builder_last_stage(builder);

        if (builder->file)
                return;
        place->size = 0;
        if (image && strcmp(what, "image") != 0) {
                buffer_printf(place, "image \"%s\", ", image->name);
                if (stage && strcmp(what, "stage") != 0)
                        buffer_printf(place, "stage \"%s\", ", stage->name);
        }
        buffer_printf(place, "%s \"%s\"", what, name ? name : "");
}

int builder_check_exclude(struct imgc_project_builder *builder, const char *const *exclude,
                          struct imgc_error **reterr)
{
        _cleanup_(imgc_error_unrefp) struct imgc_error *error = NULL;
        struct exclude *parsed = NULL;
        int r = exclude_new(exclude, &parsed, &error);

        exclude_free(parsed);
        if (r == -ENOMEM)
                return error_no_memory(reterr);
        return r < 0 ? builder_fail(builder, reterr, "%s", imgc_error_get_message(error)) : 0;
}

int builder_check_siblings(struct imgc_project_builder *builder, size_t n,
                           struct imgc_error **reterr)
{
        if (n < LIMIT_SIBLINGS)
                return 0;
        return builder_fail(builder, reterr, "there are more than %u of its kind", LIMIT_SIBLINGS);
}

/* ------------------------------------------------------------------------------ project */

static int set_project(struct imgc_project_builder *builder, const struct imgc_project_options *o,
                       struct imgc_error **reterr)
{
        struct imgc_project *project = builder->project;
        const char *reason;

        if (!builder->file)
                buffer_add_literal(&builder->place, "project");
        reason = name_check(o->name, "");
        if (reason)
                return builder_fail(builder, reterr, "%s", reason);
        reason = name_check(o->builder, "");
        if (reason)
                return builder_fail(builder, reterr, "builder: %s", reason);
        if (o->digest > IMGC_DIGEST_SHA256)
                return builder_fail(builder, reterr, "unknown digest");
        project->digest = o->digest ? (enum imgc_digest_algorithm)o->digest : IMGC_DIGEST_XXH128;
        project->max_append = o->max_append;
        project->name = builder_copy(builder, o->name);
        project->builder = builder_copy(builder, o->builder);
        if (!project->name || !project->builder)
                return error_no_memory(reterr);
        project->dirfd = imgc_io_openat(o->dirfd, ".", O_PATH | O_DIRECTORY);
        if (project->dirfd < 0)
                return error_errno(reterr, project->dirfd, "open the directory of", o->name);
        return 0;
}

static int builder_alloc(struct imgc_context *context, const char *file,
                         struct imgc_project_builder **ret)
{
        _cleanup_(imgc_project_builder_freep) struct imgc_project_builder *builder =
                imgc_io_calloc(1, sizeof(*builder));

        if (!builder)
                return -ENOMEM;
        builder->context = imgc_context_ref(context);
        builder->file = file;
        builder->project = imgc_io_calloc(1, sizeof(*builder->project));
        if (!builder->project)
                return -ENOMEM;
        builder->project->references = 1;
        builder->project->dirfd = -1;
        *ret = TAKE_PTR(builder);
        return 0;
}

int builder_new_for_file(struct imgc_context *context, const char *file, const struct buffer *place,
                         const struct imgc_project_options *options,
                         struct imgc_project_builder **ret, struct imgc_error **reterr)
{
        _cleanup_(imgc_project_builder_freep) struct imgc_project_builder *builder = NULL;
        struct imgc_project_options o = IMGC_PROJECT_OPTIONS_INIT;
        int r = builder_alloc(context, file, &builder);

        if (r < 0)
                return error_no_memory(reterr);
        if (place)
                buffer_add(&builder->place, place->data, place->size);
        r = builder_copy_options(builder, options, &o, reterr);
        if (r >= 0)
                r = set_project(builder, &o, reterr);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(builder);
        return 0;
}

IMGC_EXPORT int imgc_project_builder_new(struct imgc_context *context,
                                         const struct imgc_project_options *options,
                                         struct imgc_project_builder **ret,
                                         struct imgc_error **reterr)
{
        return builder_new_for_file(context, NULL, NULL, options, ret, reterr);
}

IMGC_EXPORT struct imgc_project_builder *imgc_project_builder_free(
        struct imgc_project_builder *builder)
{
        if (!builder)
                return NULL;
        for (size_t i = 0; i < builder_n(builder, input); i++)
                imgc_tree_unref(builder_inputs(builder)[i].tree);
        buffer_free(&builder->images);
        buffer_free(&builder->stages);
        buffer_free(&builder->reads);
        buffer_free(&builder->inputs);
        buffer_free(&builder->place);
        imgc_project_unref(builder->project);
        imgc_context_unref(builder->context);
        free(builder);
        return NULL;
}

/* ------------------------------------------------------------------------------ images */

/* Every image has a stage: a link to an image means its last. */
static int check_last_image(struct imgc_project_builder *builder, struct imgc_error **reterr)
{
        const struct project_image *last = builder_last_image(builder);

        if (last && !last->n_stages)
                return builder_fail(builder, reterr, "image \"%s\" has no stage", last->name);
        return 0;
}

static int check_paths(struct imgc_project_builder *builder, const char *const *paths,
                       struct imgc_error **reterr)
{
        for (size_t i = 0; paths && paths[i]; i++) {
                int r = builder_check_siblings(builder, i, reterr);

                if (r < 0)
                        return r;
                if (!*paths[i])
                        return builder_fail(builder, reterr, "an output has no path");
                for (size_t j = 0; j < i; j++)
                        if (!strcmp(paths[i], paths[j]))
                                return builder_fail(builder, reterr, "an output stands twice");
        }
        return 0;
}

IMGC_EXPORT int imgc_project_builder_add_image(struct imgc_project_builder *builder,
                                               const struct imgc_image_options *options,
                                               struct imgc_error **reterr)
{
        struct imgc_image_options o = IMGC_IMAGE_OPTIONS_INIT;
        struct project_image image = {.first_stage = (uint32_t)builder_n(builder, stage)};
        const char *reason;
        int r;

        builder_set_place(builder, "image",
                          options && options->size > sizeof(size_t) ? options->name : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (r >= 0)
                r = builder_check_siblings(builder, builder_n(builder, image), reterr);
        if (r >= 0)
                r = check_last_image(builder, reterr);
        if (r >= 0)
                r = check_paths(builder, o.outputs, reterr);
        if (r < 0)
                return r;
        reason = name_check(o.name, "/:");
        if (reason)
                return builder_fail(builder, reterr, "%s", reason);
        reason = o.scope ? name_check(o.scope, "") : NULL;
        if (reason)
                return builder_fail(builder, reterr, "scope: %s", reason);
        for (size_t i = 0; i < builder_n(builder, image); i++)
                if (!strcmp(builder_images(builder)[i].name, o.name))
                        return builder_fail(builder, reterr, "another image has the same name");
        image.name = builder_copy(builder, o.name);
        image.scope = builder_copy(builder, o.scope ? o.scope : o.name);
        image.outputs = builder_copy_strings(builder, o.outputs);
        if (!image.name || !image.scope || !image.outputs ||
            !buffer_reserve(&builder->images, sizeof(image)))
                return error_no_memory(reterr);
        buffer_add(&builder->images, &image, sizeof(image));
        return 0;
}

/* ------------------------------------------------------------------------------ stages */

static int check_results(struct imgc_project_builder *builder, const char *const *results,
                         uint32_t *ret_n, struct imgc_error **reterr)
{
        uint32_t n = 0;

        for (; results[n]; n++) {
                const char *reason = name_check(results[n], "/");
                int r = builder_check_siblings(builder, n, reterr);

                if (r < 0)
                        return r;
                if (reason)
                        return builder_fail(builder, reterr, "result: %s", reason);
                for (uint32_t j = 0; j < n; j++)
                        if (!strcmp(results[n], results[j]))
                                return builder_fail(builder, reterr,
                                                    "two results have the same name");
        }
        *ret_n = n;
        return 0;
}

static int check_stage(struct imgc_project_builder *builder, const struct imgc_stage_options *o,
                       struct imgc_error **reterr)
{
        const struct project_image *image = builder_last_image(builder);
        const struct project_stage *stages = builder_stages(builder);
        const char *reason;
        int r;

        if (!image)
                return builder_fail(builder, reterr,
                                    "there is no image yet that it could belong to");
        r = builder_check_siblings(builder, image->n_stages, reterr);
        if (r < 0)
                return r;
        reason = name_check(o->name, "");
        if (reason)
                return builder_fail(builder, reterr, "%s", reason);
        for (uint32_t i = 0; i < image->n_stages; i++)
                if (!strcmp(stages[image->first_stage + i].name, o->name))
                        return builder_fail(builder, reterr,
                                            "another stage of the image has the same name");
        if (o->snapshot > IMGC_SNAPSHOT_AUTO || o->previous > IMGC_BY_OUTPUT)
                return builder_fail(builder, reterr, "unknown value in the options");
        if (o->max_age_seconds > (uint64_t)JSON_INTEGER_MAX &&
            o->max_age_seconds != IMGC_AGE_UNLIMITED)
                return builder_fail(builder, reterr, "the age is beyond 2^53-1");
        if (o->previous == IMGC_BY_OUTPUT && !image->n_stages)
                return builder_fail(
                        builder, reterr,
                        "the first stage of an image has no stage before it to be judged by");
        if (o->previous == IMGC_BY_OUTPUT &&
            builder_last_stage(builder)->snapshot != IMGC_SNAPSHOT_YES)
                return builder_fail(
                        builder, reterr,
                        "it is judged by the output of the stage before, which keeps no snapshot");
        return 0;
}

IMGC_EXPORT int imgc_project_builder_add_stage(struct imgc_project_builder *builder,
                                               const struct imgc_stage_options *options,
                                               struct imgc_error **reterr)
{
        static const char *const root_alone[] = {"root", NULL};
        struct imgc_stage_options o = IMGC_STAGE_OPTIONS_INIT;
        struct project_stage stage = {
                .first_read = (uint32_t)builder_n(builder, read),
                .first_input = (uint32_t)builder_n(builder, input),
        };
        int r;

        builder_set_place(builder, "stage",
                          options && options->size > sizeof(size_t) ? options->name : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (!o.results)
                o.results = root_alone;
        if (r >= 0)
                r = check_stage(builder, &o, reterr);
        if (r >= 0)
                r = check_results(builder, o.results, &stage.n_results, reterr);
        if (r < 0)
                return r;
        stage.name = builder_copy(builder, o.name);
        stage.place = buffer_string(&builder->place) ? builder_copy(builder, builder->place.data) :
                                                       NULL;
        stage.snapshot = (enum imgc_snapshot_mode)o.snapshot;
        stage.previous = (enum imgc_link_by)o.previous;
        stage.max_age_seconds = o.max_age_seconds;
        stage.results = builder_copy_strings(builder, o.results);
        if (!stage.name || !stage.place || !stage.results ||
            !buffer_reserve(&builder->stages, sizeof(stage)))
                return error_no_memory(reterr);
        buffer_add(&builder->stages, &stage, sizeof(stage));
        builder_last_image(builder)->n_stages++;
        return 0;
}

/* ------------------------------------------------------------------------------ read roots */

IMGC_EXPORT int imgc_project_builder_add_read(struct imgc_project_builder *builder,
                                              const struct imgc_read_options *options,
                                              struct imgc_error **reterr)
{
        struct imgc_read_options o = IMGC_READ_OPTIONS_INIT;
        struct project_read read = {0};
        const char *label, *reason;
        size_t size;
        int r;

        builder_set_place(builder, "read root",
                          options && options->size > sizeof(size_t) ? options->root : NULL);
        r = builder_copy_options(builder, options, &o, reterr);
        if (r >= 0)
                r = builder_check_exclude(builder, o.exclude, reterr);
        if (r < 0)
                return r;
        if (!builder_last_stage(builder))
                return builder_fail(builder, reterr,
                                    "there is no stage yet that it could belong to");
        r = builder_check_siblings(builder, builder_last_stage(builder)->n_reads, reterr);
        if (r < 0)
                return r;
        if (!o.root || !*o.root)
                return builder_fail(builder, reterr, "it has no path");
        reason = o.method ? name_check(o.method, "") : NULL;
        if (reason)
                return builder_fail(builder, reterr, "method: %s", reason);
        label = path_label(o.root, &size);
        read.root = builder_copy(builder, o.root);
        read.label = builder_copy_bytes(builder, label, size);
        read.exclude = builder_copy_strings(builder, o.exclude);
        if (o.method && strcmp(o.method, "declared") != 0) {
                read.method = builder_copy(builder, o.method);
                if (!read.method)
                        return error_no_memory(reterr);
        }
        if (!read.root || !read.label || !read.exclude ||
            !buffer_reserve(&builder->reads, sizeof(read)))
                return error_no_memory(reterr);
        buffer_add(&builder->reads, &read, sizeof(read));
        builder_last_stage(builder)->n_reads++;
        return 0;
}

/* ------------------------------------------------------------------------------ the end */

IMGC_EXPORT int imgc_project_builder_finish(struct imgc_project_builder *builder,
                                            struct imgc_project **ret, struct imgc_error **reterr)
{
        struct imgc_project *project = builder->project;
        int r;

        if (!project)
                return builder_fail(builder, reterr, "the project is finished");
        r = check_last_image(builder, reterr);
        if (r < 0)
                return r;
        project->n_images = (uint32_t)builder_n(builder, image);
        project->n_stages = (uint32_t)builder_n(builder, stage);
        project->n_reads = (uint32_t)builder_n(builder, read);
        project->n_inputs = (uint32_t)builder_n(builder, input);
        project->images = builder_images(builder);
        project->stages = builder_stages(builder);
        project->reads = (struct project_read *)(void *)builder->reads.data;
        project->inputs = builder_inputs(builder);
        builder->images = builder->stages = builder->reads = builder->inputs = (struct buffer){0};
        builder->project = NULL;
        *ret = project;
        return 0;
}
