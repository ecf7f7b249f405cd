/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The object and what it tells. */
#include <errno.h>

#include "core/io.h"
#include "manifest/project-internal.h"

uint32_t project_find_image(const struct imgc_project *project, const char *name)
{
        for (uint32_t i = 0; i < project->n_images; i++)
                if (!strcmp(project->images[i].name, name))
                        return i;
        return UINT32_MAX;
}

uint32_t project_find_stage(const struct imgc_project *project, uint32_t image, const char *name)
{
        for (uint32_t i = 0; i < project->images[image].n_stages; i++)
                if (!strcmp(project_stage_of(project, image, i)->name, name))
                        return i;
        return UINT32_MAX;
}

IMGC_EXPORT struct imgc_project *imgc_project_ref(struct imgc_project *project)
{
        atomic_fetch_add_explicit(&project->references, 1, memory_order_relaxed);
        return project;
}

IMGC_EXPORT struct imgc_project *imgc_project_unref(struct imgc_project *project)
{
        if (!project ||
            atomic_fetch_sub_explicit(&project->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        for (uint32_t i = 0; i < project->n_inputs; i++)
                imgc_tree_unref(project->inputs[i].tree);
        free(project->images);
        free(project->stages);
        free(project->reads);
        free(project->inputs);
        imgc_io_close(project->dirfd);
        arena_free(&project->arena);
        free(project);
        return NULL;
}

IMGC_EXPORT const char *imgc_project_get_name(const struct imgc_project *project)
{
        return project->name;
}

IMGC_EXPORT const char *imgc_project_get_builder(const struct imgc_project *project)
{
        return project->builder;
}

IMGC_EXPORT enum imgc_digest_algorithm imgc_project_get_digest_algorithm(
        const struct imgc_project *project)
{
        return project->digest;
}

IMGC_EXPORT uint32_t imgc_project_get_n_images(const struct imgc_project *project)
{
        return project->n_images;
}

IMGC_EXPORT const char *imgc_project_get_image(const struct imgc_project *project, uint32_t image)
{
        return image < project->n_images ? project->images[image].name : NULL;
}

IMGC_EXPORT const char *imgc_project_get_scope(const struct imgc_project *project, uint32_t image)
{
        return image < project->n_images ? project->images[image].scope : NULL;
}

IMGC_EXPORT const char *const *imgc_project_get_outputs(const struct imgc_project *project,
                                                        uint32_t image)
{
        return image < project->n_images ? project->images[image].outputs : NULL;
}

IMGC_EXPORT uint32_t imgc_project_get_n_stages(const struct imgc_project *project, uint32_t image)
{
        return image < project->n_images ? project->images[image].n_stages : 0;
}

IMGC_EXPORT const char *imgc_project_get_stage(const struct imgc_project *project, uint32_t image,
                                               uint32_t stage)
{
        return stage < imgc_project_get_n_stages(project, image) ?
                       project_stage_of(project, image, stage)->name :
                       NULL;
}

IMGC_EXPORT const char *const *imgc_project_get_results(const struct imgc_project *project,
                                                        uint32_t image, uint32_t stage)
{
        return stage < imgc_project_get_n_stages(project, image) ?
                       project_stage_of(project, image, stage)->results :
                       NULL;
}
