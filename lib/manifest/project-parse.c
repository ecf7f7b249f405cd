/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a project from JSON: the project, its images and stages. */
#include "manifest/project-parse.h"

#include <errno.h>
#include <fcntl.h>

#include "core/io.h"
#include "manifest/words.h"

/* ------------------------------------------------------------------------------ stages */

static int add_read(struct loader *loader, const struct json *object)
{
        struct imgc_read_options o = IMGC_READ_OPTIONS_INIT;
        int r = loader_check_object(loader, object);

        if (r >= 0)
                r = loader_check_members(loader, object, "root exclude method");
        if (r >= 0)
                r = loader_get_string(loader, object, "root", true, &o.root);
        if (r >= 0)
                r = loader_get_strings(loader, object, "exclude", false, &o.exclude);
        if (r >= 0)
                r = loader_get_string(loader, object, "method", false, &o.method);
        if (r < 0)
                return r;
        loader_set_place(loader, object);
        return imgc_project_builder_add_read(loader->builder, &o, loader->reterr);
}

static int get_snapshot(struct loader *loader, const struct json *object, uint32_t *ret)
{
        const struct json *value = json_get(object, "snapshot");

        if (!value)
                return 0;
        if (value->type == JSON_BOOLEAN)
                *ret = value->boolean ? IMGC_SNAPSHOT_YES : IMGC_SNAPSHOT_NO;
        else if (value->type == JSON_STRING && !strcmp(value->text, "auto") && value->size == 4)
                *ret = IMGC_SNAPSHOT_AUTO;
        else
                return loader_fail(loader, value->offset, "snapshot",
                                   "expected true, false or \"auto\"");
        return 0;
}

static int get_stage_options(struct loader *loader, const struct json *object,
                             struct imgc_stage_options *ret)
{
        const char *previous = NULL;
        int64_t age = -1;
        int r = loader_check_members(
                loader, object, "stage snapshot max_age_seconds previous results reads inputs");

        if (r >= 0)
                r = loader_get_string(loader, object, "stage", true, &ret->name);
        if (r >= 0)
                r = get_snapshot(loader, object, &ret->snapshot);
        if (r >= 0)
                r = loader_get_integer(loader, object, "max_age_seconds", JSON_INTEGER_MAX, &age);
        if (r >= 0)
                r = loader_get_string(loader, object, "previous", false, &previous);
        if (r >= 0)
                r = loader_get_strings(loader, object, "results", false, &ret->results);
        if (r < 0)
                return r;
        if (age >= 0)
                ret->max_age_seconds = (uint64_t)age;
        if (previous && strcmp(previous, "key") != 0 && strcmp(previous, "output") != 0)
                return loader_fail(loader, json_get(object, "previous")->offset, "previous",
                                   "expected \"key\" or \"output\"");
        ret->previous = previous && !strcmp(previous, "output") ? IMGC_BY_OUTPUT : IMGC_BY_KEY;
        return 0;
}

/* Calls `add` for each item of an array. */
static int add_each(struct loader *loader, const struct json *object, const char *name,
                    bool required, int (*add)(struct loader *loader, const struct json *item))
{
        const struct json *array = NULL;
        size_t i = 0;
        int r = loader_get_array(loader, object, name, required, &array);

        if (r < 0 || !array)
                return r;
        for (const struct json *item = array->first; r >= 0 && item; item = item->next) {
                size_t entered = loader_enter(loader, name, i++);

                r = add(loader, item);
                loader_leave(loader, entered);
        }
        return r;
}

static int add_stage(struct loader *loader, const struct json *object)
{
        struct imgc_stage_options o = IMGC_STAGE_OPTIONS_INIT;
        int r = loader_check_object(loader, object);

        if (r >= 0)
                r = get_stage_options(loader, object, &o);
        if (r < 0)
                return r;
        loader_set_place(loader, object);
        r = imgc_project_builder_add_stage(loader->builder, &o, loader->reterr);
        if (r >= 0)
                r = add_each(loader, object, "reads", false, add_read);
        return r < 0 ? r : add_each(loader, object, "inputs", true, loader_add_input);
}

/* ------------------------------------------------------------------------------ images */

static int add_image(struct loader *loader, const struct json *object)
{
        struct imgc_image_options o = IMGC_IMAGE_OPTIONS_INIT;
        int r = loader_check_object(loader, object);

        if (r >= 0)
                r = loader_check_members(loader, object, "image scope outputs stages");
        if (r >= 0)
                r = loader_get_string(loader, object, "image", true, &o.name);
        if (r >= 0)
                r = loader_get_string(loader, object, "scope", false, &o.scope);
        if (r >= 0)
                r = loader_get_strings(loader, object, "outputs", false, &o.outputs);
        if (r < 0)
                return r;
        loader_set_place(loader, object);
        r = imgc_project_builder_add_image(loader->builder, &o, loader->reterr);
        if (r < 0)
                return r;
        r = add_each(loader, object, "stages", true, add_stage);
        if (r >= 0 && !builder_last_stage(loader->builder))
                return loader_fail(loader, json_get(object, "stages")->offset, "stages",
                                   "an image needs a stage");
        return r;
}

/* ------------------------------------------------------------------------------ projects */

static int check_version(struct loader *loader, const struct json *object)
{
        const char *what = NULL;
        int64_t version = 0;
        int r = loader_check_object(loader, object);

        if (r >= 0)
                r = loader_get_string(loader, object, "imagecache", true, &what);
        if (r < 0)
                return r;
        if (strcmp(what, "project") != 0)
                return loader_fail(loader, json_get(object, "imagecache")->offset, "imagecache",
                                   "expected \"project\"");
        if (!json_get(object, "version"))
                return loader_fail(loader, object->offset, NULL, "missing member \"version\"");
        r = loader_get_integer(loader, object, "version", JSON_INTEGER_MAX, &version);
        if (r >= 0 && version != 1)
                return loader_fail(loader, json_get(object, "version")->offset, "version",
                                   "version %lld is not known to this library", (long long)version);
        return r;
}

static int get_project_options(struct loader *loader, const struct json *object,
                               struct imgc_project_options *ret)
{
        int64_t max_append = ret->max_append;
        const char *digest = NULL;
        int r = loader_check_members(loader, object,
                                     "imagecache version name builder digest max_append images");

        if (r >= 0)
                r = loader_get_string(loader, object, "name", true, &ret->name);
        if (r >= 0)
                r = loader_get_string(loader, object, "builder", true, &ret->builder);
        if (r >= 0)
                r = loader_get_string(loader, object, "digest", false, &digest);
        if (r >= 0)
                r = loader_get_integer(loader, object, "max_append", UINT32_MAX, &max_append);
        if (r < 0)
                return r;
        ret->max_append = (uint32_t)max_append;
        r = digest ? imgc_digest_algorithm_from_name(digest) : IMGC_DIGEST_DEFAULT;
        if (r < 0)
                return loader_fail(loader, json_get(object, "digest")->offset, "digest",
                                   "expected \"xxh128\" or \"sha256\"");
        ret->digest = (uint32_t)r;
        return 0;
}

static int load_project(struct loader *loader, const struct json *object, int dirfd)
{
        struct imgc_project_options o = IMGC_PROJECT_OPTIONS_INIT;
        _cleanup_buffer_ struct buffer place = {0};
        size_t line, column;
        int r = check_version(loader, object);

        if (r >= 0)
                r = get_project_options(loader, object, &o);
        if (r < 0)
                return r;
        json_place(loader->text, object->offset, &line, &column);
        buffer_printf(&place, "%s:%zu:%zu", loader->file, line, column);
        o.dirfd = dirfd;
        r = builder_new_for_file(loader->context, loader->file, &place, &o, &loader->builder,
                                 loader->reterr);
        return r < 0 ? r : add_each(loader, object, "images", true, add_image);
}

IMGC_EXPORT int imgc_project_parse(struct imgc_context *context, const void *data,
                                   size_t data_bytes, const char *name, int dirfd,
                                   struct imgc_project **ret, struct imgc_error **reterr)
{
        struct loader loader = {
                .context = context,
                .file = name ? name : "project",
                .text = data,
                .reterr = reterr,
        };
        struct json_fault fault;
        struct json *json;
        int r;

        if (data_bytes > LIMIT_JSON_BYTES)
                return error_reason(reterr, IMGC_ERROR_LIMIT, -E2BIG, "parse", loader.file,
                                    "it has more than %zu bytes", LIMIT_JSON_BYTES);
        r = json_parse(&loader.arena, data, data_bytes, &json, &fault);
        if (r == -ENOMEM)
                r = error_no_memory(reterr);
        else if (r < 0)
                r = loader_fail(&loader, fault.offset, NULL, "%s", fault.reason);
        else
                r = load_project(&loader, json, dirfd);
        if (r >= 0 && loader.path.failed)
                r = error_no_memory(reterr);
        if (r >= 0)
                r = imgc_project_builder_finish(loader.builder, ret, reterr);
        imgc_project_builder_free(loader.builder);
        buffer_free(&loader.path);
        arena_free(&loader.arena);
        return r;
}

/* ------------------------------------------------------------------------------ files */

IMGC_EXPORT int imgc_project_load_fd(struct imgc_context *context, int fd, const char *name,
                                     int dirfd, struct imgc_project **ret,
                                     struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer text = {0};
        const char *file = name ? name : "project";
        ssize_t n = 1;

        while (n > 0 && text.size <= LIMIT_JSON_BYTES) {
                if (!buffer_reserve(&text, 64u << 10))
                        return error_no_memory(reterr);
                n = imgc_io_read(fd, text.data + text.size, text.capacity - text.size);
                if (n > 0)
                        text.size += (size_t)n;
        }
        if (n < 0)
                return error_errno(reterr, (int)n, "read", file);
        return imgc_project_parse(context, text.data, text.size, file, dirfd, ret, reterr);
}

IMGC_EXPORT int imgc_project_load_at(struct imgc_context *context, int dirfd, const char *path,
                                     struct imgc_project **ret, struct imgc_error **reterr)
{
        _cleanup_close_ int directory = -1, fd = -1;
        _cleanup_buffer_ struct buffer parent = {0};
        const char *slash = strrchr(path, '/');

        /* The directory first: then the file is opened in the very one that its paths are
         * relative to. */
        if (slash)
                buffer_add(&parent, path, (size_t)(slash - path) + 1);
        else
                buffer_add_char(&parent, '.');
        if (!buffer_string(&parent))
                return error_no_memory(reterr);
        directory = imgc_io_openat(dirfd, parent.data, O_PATH | O_DIRECTORY);
        if (directory < 0)
                return error_errno(reterr, directory, "open", path);
        fd = imgc_io_openat(directory, slash ? slash + 1 : path, O_RDONLY | O_NOCTTY);
        if (fd < 0)
                return error_errno(reterr, fd, "open", path);
        return imgc_project_load_fd(context, fd, path, directory, ret, reterr);
}
