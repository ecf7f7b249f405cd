/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object and what it tells. */
#include <errno.h>

#include "core/error.h"
#include "core/io-files.h"
#include "core/io.h"
#include "core/options.h"
#include "manifest/manifest-internal.h"

uint32_t manifest_find_image(const struct imgc_manifest *manifest, const char *name)
{
        for (uint32_t i = 0; i < manifest->n_images; i++)
                if (!strcmp(manifest->images[i].name, name))
                        return i;
        return UINT32_MAX;
}

uint32_t manifest_find_stage(const struct imgc_manifest *manifest, uint32_t image, const char *name)
{
        const struct manifest_image *of = &manifest->images[image];

        for (uint32_t i = of->first_stage; i < of->first_stage + of->n_stages; i++)
                if (!strcmp(manifest->stages[i].name, name))
                        return i;
        return UINT32_MAX;
}

IMGC_EXPORT struct imgc_manifest *imgc_manifest_ref(struct imgc_manifest *manifest)
{
        atomic_fetch_add_explicit(&manifest->references, 1, memory_order_relaxed);
        return manifest;
}

IMGC_EXPORT struct imgc_manifest *imgc_manifest_unref(struct imgc_manifest *manifest)
{
        if (!manifest ||
            atomic_fetch_sub_explicit(&manifest->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        if (manifest->is_mapped)
                imgc_io_munmap(manifest->data, manifest->size);
        else
                free((void *)(uintptr_t)manifest->data);
        free(manifest->images);
        free(manifest->stages);
        free(manifest->inputs);
        arena_free(&manifest->arena);
        free(manifest);
        return NULL;
}

IMGC_EXPORT const char *imgc_manifest_get_data(const struct imgc_manifest *manifest,
                                               size_t *ret_bytes)
{
        *ret_bytes = manifest->size;
        return manifest->data;
}

IMGC_EXPORT const char *imgc_manifest_get_name(const struct imgc_manifest *manifest)
{
        return manifest->name;
}

IMGC_EXPORT const char *imgc_manifest_get_builder(const struct imgc_manifest *manifest)
{
        return manifest->builder;
}

IMGC_EXPORT enum imgc_digest_algorithm imgc_manifest_get_digest_algorithm(
        const struct imgc_manifest *manifest)
{
        return manifest->digest;
}

IMGC_EXPORT int imgc_manifest_has_listings(const struct imgc_manifest *manifest)
{
        return manifest->listings;
}

IMGC_EXPORT uint32_t imgc_manifest_get_n_images(const struct imgc_manifest *manifest)
{
        return manifest->n_images;
}

IMGC_EXPORT const char *imgc_manifest_get_image(const struct imgc_manifest *manifest,
                                                uint32_t image)
{
        return image < manifest->n_images ? manifest->images[image].name : NULL;
}

IMGC_EXPORT const char *imgc_manifest_get_scope(const struct imgc_manifest *manifest,
                                                uint32_t image)
{
        return image < manifest->n_images ? manifest->images[image].scope : NULL;
}

IMGC_EXPORT uint32_t imgc_manifest_get_n_stages(const struct imgc_manifest *manifest,
                                                uint32_t image)
{
        return image < manifest->n_images ? manifest->images[image].n_stages : 0;
}

static const struct manifest_stage *get_stage(const struct imgc_manifest *manifest, uint32_t image,
                                              uint32_t stage)
{
        return stage < imgc_manifest_get_n_stages(manifest, image) ?
                       &manifest->stages[manifest->images[image].first_stage + stage] :
                       NULL;
}

IMGC_EXPORT const char *imgc_manifest_get_stage(const struct imgc_manifest *manifest,
                                                uint32_t image, uint32_t stage)
{
        const struct manifest_stage *found = get_stage(manifest, image, stage);

        return found ? found->name : NULL;
}

IMGC_EXPORT const char *imgc_manifest_get_key(const struct imgc_manifest *manifest, uint32_t image,
                                              uint32_t stage)
{
        const struct manifest_stage *found = get_stage(manifest, image, stage);

        return found ? found->key : NULL;
}

IMGC_EXPORT const char *imgc_manifest_find_key(const struct imgc_manifest *manifest,
                                               const char *image, const char *stage)
{
        uint32_t i = manifest_find_image(manifest, image);
        uint32_t s = i == UINT32_MAX ? UINT32_MAX : manifest_find_stage(manifest, i, stage);

        return s == UINT32_MAX ? NULL : manifest->stages[s].key;
}

IMGC_EXPORT uint32_t imgc_manifest_get_n_inputs(const struct imgc_manifest *manifest,
                                                uint32_t image, uint32_t stage)
{
        const struct manifest_stage *found = get_stage(manifest, image, stage);

        return found ? found->n_inputs : 0;
}

IMGC_EXPORT int imgc_manifest_get_input(const struct imgc_manifest *manifest, uint32_t image,
                                        uint32_t stage, uint32_t input,
                                        struct imgc_manifest_input *ret)
{
        const struct manifest_input *found;
        struct imgc_manifest_input all = {0};

        if (input >= imgc_manifest_get_n_inputs(manifest, image, stage))
                return -ERANGE;
        found = &manifest->inputs[get_stage(manifest, image, stage)->first_input + input];
        all = (struct imgc_manifest_input){
                .size = ret->size,
                .name = found->name,
                .type = found->type,
                .on_change = found->on_change,
                .flags = found->flags,
                .absent = found->absent,
                .line = found->line.data,
                .line_bytes = found->line.size,
                .digest = found->digest,
                .listing = found->listing.data,
                .listing_bytes = found->listing.size,
        };
        memcpy(ret, &all, MIN(ret->size, sizeof(all)));
        return 0;
}
