/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of building a project share: project-builder.c (project, images, stages),
 * project-inputs.c (inputs), project-parse.c (the same from JSON). */
#pragma once

#include "core/error.h"
#include "manifest/project-internal.h"

struct imgc_project_builder {
        struct imgc_context *context;
        struct imgc_project *project; /* its arrays are empty until the end */
        struct buffer images, stages, reads, inputs;

        /* Where in a file the present thing stands, and that file's name; else NULL, and `place`
         * is made from names. */
        const char *file;
        struct buffer place;
};

static inline struct project_image *builder_images(const struct imgc_project_builder *builder)
{
        return (struct project_image *)(void *)builder->images.data;
}

static inline struct project_stage *builder_stages(const struct imgc_project_builder *builder)
{
        return (struct project_stage *)(void *)builder->stages.data;
}

static inline struct project_input *builder_inputs(const struct imgc_project_builder *builder)
{
        return (struct project_input *)(void *)builder->inputs.data;
}

#define builder_n(builder, what) ((builder)->what##s.size / sizeof(struct project_##what))

/* The image and the stage that what comes next belongs to; NULL where there is none. */
static inline struct project_image *builder_last_image(const struct imgc_project_builder *builder)
{
        size_t n = builder_n(builder, image);

        return n ? builder_images(builder) + n - 1 : NULL;
}

static inline struct project_stage *builder_last_stage(const struct imgc_project_builder *builder)
{
        const struct project_image *image = builder_last_image(builder);

        return image && image->n_stages ?
                       builder_stages(builder) + image->first_stage + image->n_stages - 1 :
                       NULL;
}

/* imgc_project_builder_new() for a file: its name, which must outlive the builder, and the place
 * of the project in it. */
int builder_new_for_file(struct imgc_context *context, const char *file, const struct buffer *place,
                         const struct imgc_project_options *options,
                         struct imgc_project_builder **ret, struct imgc_error **reterr);

/* That there is room for one more among `n` siblings. */
int builder_check_siblings(struct imgc_project_builder *builder, size_t n,
                           struct imgc_error **reterr);

/* "PLACE: reason", as a mistake of the caller or of the file. */
int builder_fail(struct imgc_project_builder *builder, struct imgc_error **reterr,
                 const char *format, ...) _printf_(3, 4);
/* The same for what this release does not do. */
int builder_fail_unsupported(struct imgc_project_builder *builder, struct imgc_error **reterr,
                             const char *reason);

/* Copies an options structure over its defaults in `ret`, whose size member is the known size. */
int builder_copy_options(struct imgc_project_builder *builder, const void *given, void *ret,
                         struct imgc_error **reterr);

/* Copies into the project's arena; NULL without memory. */
const char *builder_copy(struct imgc_project_builder *builder, const char *string);
const char *builder_copy_bytes(struct imgc_project_builder *builder, const char *bytes,
                               size_t size);
const char *const *builder_copy_strings(struct imgc_project_builder *builder,
                                        const char *const *strings);

/* Sets the place of what is added next, unless a file has set it. */
void builder_set_place(struct imgc_project_builder *builder, const char *what, const char *name);

/* Checks patterns of gitignore. */
int builder_check_exclude(struct imgc_project_builder *builder, const char *const *exclude,
                          struct imgc_error **reterr);

DEFINE_CLEANUP(struct imgc_project_builder *, imgc_project_builder_free)
