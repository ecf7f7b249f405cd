/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a project from JSON: project-parse.c (project, images, stages), project-parse-inputs.c,
 * and the members of objects, json-members.c. */
#pragma once

#include "manifest/json.h"
#include "manifest/project-builder.h"

struct loader {
        struct imgc_context *context;
        const char *file;
        const char *text;
        struct arena arena;
        struct buffer path; /* of the present object: "images[0].stages[1]" */
        struct imgc_project_builder *builder;
        struct imgc_error **reterr;
};

/* Appends ".NAME[INDEX]" to the path; returns what loader_leave() takes. */
size_t loader_enter(struct loader *loader, const char *name, size_t index);
void loader_leave(struct loader *loader, size_t entered);

/* "FILE:LINE:COLUMN: PATH: reason". member: NULL for the present object. */
int loader_fail(struct loader *loader, size_t offset, const char *member, const char *format, ...)
        _printf_(4, 5);

/* Tells the builder where the present object stands. */
void loader_set_place(struct loader *loader, const struct json *object);

/* Each sets *ret where the member is there, and leaves it alone where it is not. -EBADMSG for a
 * value of another type, or a member that is required and missing. */
int loader_get_string(struct loader *loader, const struct json *object, const char *name,
                      bool required, const char **ret);
int loader_get_strings(struct loader *loader, const struct json *object, const char *name,
                       bool required, const char *const **ret);
int loader_get_flag(struct loader *loader, const struct json *object, const char *name,
                    uint32_t flag, uint32_t *flags);
int loader_get_integer(struct loader *loader, const struct json *object, const char *name,
                       int64_t max, int64_t *ret);
int loader_get_array(struct loader *loader, const struct json *object, const char *name,
                     bool required, const struct json **ret);

/* Checks that this is an object. */
int loader_check_object(struct loader *loader, const struct json *value);
/* Checks that the object has no other members. allowed: names separated by spaces. */
int loader_check_members(struct loader *loader, const struct json *object, const char *allowed);

int loader_add_input(struct loader *loader, const struct json *object);
