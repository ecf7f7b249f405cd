/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tree of an input as a manifest has it, and another tree read in the same way, so that the
 * two can be compared. */
#include <errno.h>
#include <fcntl.h>

#include "core/error.h"
#include "core/io.h"
#include "manifest/files.h"
#include "manifest/manifest-read.h"

static const struct manifest_input *find_input(const struct imgc_manifest *manifest, uint32_t image,
                                               uint32_t stage, uint32_t input)
{
        const struct manifest_stage *of;

        if (image >= manifest->n_images || stage >= manifest->images[image].n_stages)
                return NULL;
        of = &manifest->stages[manifest->images[image].first_stage + stage];
        return input < of->n_inputs ? &manifest->inputs[of->first_input + input] : NULL;
}

IMGC_EXPORT int imgc_manifest_get_tree(const struct imgc_manifest *manifest,
                                       struct imgc_context *context, uint32_t image, uint32_t stage,
                                       uint32_t input, struct imgc_tree **ret,
                                       struct imgc_error **reterr)
{
        const struct manifest_input *of = find_input(manifest, image, stage, input);

        if (!of || !of->listing.data)
                return error_reason(reterr, IMGC_ERROR_NOT_FOUND, of ? -ENODATA : -ERANGE,
                                    "find a tree", NULL, "%s",
                                    of ? "the manifest keeps no listing of this input" :
                                         "there is no such input");
        return imgc_tree_parse(context, of->listing.data, of->listing.size, of->name, ret, reterr);
}

/* Takes the line of an input apart again. It was checked when the manifest was read. */
static int declaration_of(const struct imgc_manifest *manifest, const struct manifest_input *input,
                          struct arena *arena, struct project_input *ret,
                          struct imgc_error **reterr)
{
        struct decoder decoder = {.arena = arena};
        struct input_facts facts;
        struct json_fault fault;
        struct json *line;

        if (json_parse(arena, input->line.data, input->line.size, &line, &fault) < 0)
                return error_no_memory(reterr);
        decode_input(&decoder, line, manifest->digest, ret, &facts);
        if (decoder.no_memory)
                return error_no_memory(reterr);
        ret->fields = facts.fields;
        ret->fields_given = true;
        return 0;
}

IMGC_EXPORT int imgc_manifest_read_tree_at(const struct imgc_manifest *manifest,
                                           struct imgc_context *context, uint32_t image,
                                           uint32_t stage, uint32_t input, int dirfd,
                                           const char *path, struct imgc_tree **ret,
                                           struct imgc_error **reterr)
{
        const struct manifest_input *of = find_input(manifest, image, stage, input);
        struct imgc_project project = {.digest = manifest->digest, .dirfd = dirfd};
        _cleanup_arena_ struct arena arena = {0};
        _cleanup_close_ int base = -1;
        struct project_input declared;
        int r;

        if (!of || of->type < IMGC_INPUT_TREE || of->type > IMGC_INPUT_FILES ||
            of->flags & IMGC_INPUT_SECRET)
                return error_reason(
                        reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "read", path,
                        "there is no such input, or it is no tree that can be compared");
        r = declaration_of(manifest, of, &arena, &declared, reterr);
        if (r < 0)
                return r;
        declared.path = path;
        declared.place = path;
        if (of->type != IMGC_INPUT_FILES)
                return path_read(context, &project, &declared, 0, ret, reterr);
        /* Patterns are relative to a directory. */
        base = imgc_io_openat(dirfd, path, O_RDONLY | O_DIRECTORY);
        if (base < 0)
                return error_errno(reterr, base, "open", path);
        project.dirfd = base;
        return files_read(context, &project, &declared, ret, reterr);
}
