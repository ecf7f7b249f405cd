/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stages as nodes, with their links; overrides as marks on them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/io.h"
#include "manifest/line.h"
#include "plan/model.h"

void *planner_alloc(struct planner *planner, size_t n, size_t size)
{
        void *p = NULL;
        size_t bytes;

        if (!__builtin_mul_overflow(n, size, &bytes))
                p = arena_alloc(&planner->arena, bytes ? bytes : 1);
        if (!p) {
                planner->failed = true;
                return NULL;
        }
        return memset(p, 0, bytes);
}

char *planner_copy(struct planner *planner, const char *data, size_t size)
{
        char *copy = planner_alloc(planner, size + 1, 1);

        if (copy)
                memcpy(copy, data, size);
        return copy;
}

char *planner_print(struct planner *planner, const char *format, ...)
{
        _cleanup_buffer_ struct buffer text = {0};
        char small[256];
        va_list ap;
        int n;

        va_start(ap, format);
        n = vsnprintf(small, sizeof(small), format, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof(small))
                return planner_copy(planner, small, (size_t)n);
        if (n < 0 || !buffer_reserve(&text, (size_t)n + 1)) {
                planner->failed = true;
                return NULL;
        }
        va_start(ap, format);
        vsnprintf(text.data, (size_t)n + 1, format, ap);
        va_end(ap);
        return planner_copy(planner, text.data, (size_t)n);
}

/* ------------------------------------------------------------------------------ nodes */

static int check_manifest(const struct planner *planner, struct imgc_error **reterr)
{
        const struct imgc_manifest *manifest = planner->manifest;
        const struct imgc_project *project = planner->project;
        const char *reason = NULL;

        if (strcmp(manifest->name, project->name) != 0 ||
            strcmp(manifest->builder, project->builder) != 0 || manifest->digest != project->digest)
                reason = "it is of another project, builder or digest";
        for (uint32_t i = 0; !reason && i < manifest->n_images; i++) {
                const struct manifest_image *image = &manifest->images[i];
                uint32_t number = project_find_image(project, image->name);

                if (number == NONE || strcmp(project->images[number].scope, image->scope) != 0 ||
                    image->n_stages > project->images[number].n_stages)
                        reason = "it has other images than the project";
                for (uint32_t s = 0; !reason && s < image->n_stages; s++)
                        if (strcmp(manifest->stages[image->first_stage + s].name,
                                   project_stage_of(project, number, s)->name) != 0 ||
                            manifest->stages[image->first_stage + s].n_inputs !=
                                    project_stage_of(project, number, s)->n_inputs)
                                reason = "it has other stages than the project";
        }
        return reason ? error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan", NULL,
                                      "the manifest is not of this project: %s", reason) :
                        0;
}

static void take_sealed(struct planner *planner)
{
        const struct imgc_manifest *manifest = planner->manifest;

        for (uint32_t i = 0; manifest && i < manifest->n_images; i++) {
                const struct manifest_image *image = &manifest->images[i];
                uint32_t number = project_find_image(planner->project, image->name);

                for (uint32_t s = 0; s < image->n_stages; s++) {
                        struct node *node = node_of(planner, number, s);

                        node->sealed = &manifest->stages[image->first_stage + s];
                        node->key = node->sealed->key;
                }
        }
}

static void add_links(struct planner *planner)
{
        const struct imgc_project *project = planner->project;
        uint32_t n = 0;

        planner->links = planner_alloc(planner, (size_t)project->n_inputs + planner->n_nodes,
                                       sizeof(struct link));
        for (uint32_t i = 0; !planner->failed && i < planner->n_nodes; i++) {
                struct node *node = &planner->nodes[i];

                node->first_link = n;
                if (node->stage)
                        planner->links[n++] =
                                (struct link){.to = i - 1, .by = node->of->previous, .input = NONE};
                for (uint32_t k = 0; k < node->of->n_inputs; k++) {
                        const struct project_input *input = project_input_of(project, node->of, k);

                        /* A link that is not in the key asks for nothing. */
                        if (input->type == IMGC_INPUT_IMAGE &&
                            input->on_change == IMGC_ON_CHANGE_REBUILD)
                                planner->links[n++] = (struct link){
                                        .to = planner->first_node[input->image] + input->stage,
                                        .by = input->by,
                                        .input = k,
                                };
                }
                node->n_links = n - node->first_link;
        }
}

/* Who links to a node, from another image. */
static void add_consumers(struct planner *planner)
{
        uint32_t n = 0, at = 0;

        for (int pass = 0; pass < 2; pass++) {
                for (uint32_t i = 0; i < planner->n_nodes; i++) {
                        struct node *node = &planner->nodes[i];

                        for (uint32_t k = 0; k < node->n_links; k++) {
                                const struct link *link = &planner->links[node->first_link + k];
                                struct node *to = &planner->nodes[link->to];

                                if (link->input == NONE)
                                        continue;
                                if (pass)
                                        planner->consumers[to->first_consumer + to->n_consumers] =
                                                (struct consumer){i, node->first_link + k};
                                to->n_consumers++;
                                planner->images[to->image].has_dependents = true;
                                n++;
                        }
                }
                if (pass)
                        return;
                planner->consumers = planner_alloc(planner, n, sizeof(struct consumer));
                if (!planner->consumers)
                        return;
                for (uint32_t i = 0; i < planner->n_nodes; i++) {
                        planner->nodes[i].first_consumer = at;
                        at += planner->nodes[i].n_consumers;
                        planner->nodes[i].n_consumers = 0;
                }
        }
}

static void add_places(struct planner *planner)
{
        for (uint32_t i = planner->n_nodes; !planner->failed && i-- > 0;) {
                struct node *node = &planner->nodes[i];
                /* No name has control characters. */
                const char *place = planner_print(planner, "%s\n%s", image_of(planner, node)->scope,
                                                  node->of->name);
                uint32_t next = place ? table_get(&planner->by_place, place) : NONE;

                node->next_place = next;
                if (!place || !table_set(&planner->by_place, place, i))
                        planner->failed = true;
        }
        for (uint32_t i = 0; i < planner->n_nodes; i++)
                planner->nodes[i].first_place = NONE;
        for (uint32_t i = 0; i < planner->n_nodes; i++) {
                if (planner->nodes[i].first_place == NONE)
                        planner->nodes[i].first_place = i;
                if (planner->nodes[i].next_place != NONE)
                        planner->nodes[planner->nodes[i].next_place].first_place =
                                planner->nodes[i].first_place;
        }
}

/* ------------------------------------------------------------------------------ overrides */

static int fail_option(struct imgc_error **reterr, const char *option, const char *what,
                       const char *name)
{
        return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan", NULL,
                             "%s: the project has no %s \"%.255s\"", option, what, name);
}

static void force_place(struct planner *planner, uint32_t number)
{
        for (uint32_t i = planner->nodes[number].first_place; i != NONE;
             i = planner->nodes[i].next_place)
                planner->nodes[i].forced = true;
}

/* "IMAGE" or "IMAGE:STAGE"; no image has a ':' in its name. */
static int force(struct planner *planner, const char *what, struct imgc_error **reterr)
{
        const char *colon = strchr(what, ':');
        const char *name =
                planner_copy(planner, what, colon ? (size_t)(colon - what) : strlen(what));
        uint32_t image, stage = NONE;

        if (!name)
                return error_no_memory(reterr);
        image = project_find_image(planner->project, name);
        if (image == NONE)
                return fail_option(reterr, "rebuild", "image", name);
        if (colon) {
                stage = project_find_stage(planner->project, image, colon + 1);
                if (stage == NONE)
                        return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "plan",
                                             NULL, "rebuild: image \"%s\" has no stage \"%.255s\"",
                                             name, colon + 1);
        }
        for (uint32_t s = 0; s < planner->project->images[image].n_stages; s++)
                if (stage == NONE || s == stage)
                        force_place(planner, planner->first_node[image] + s);
        return 0;
}

static int check_fail_stage(struct planner *planner, struct imgc_error **reterr)
{
        const char *name = planner->options->fail_stage;

        for (uint32_t i = 0; name && i < planner->n_nodes; i++)
                if (!strcmp(planner->nodes[i].of->name, name))
                        name = NULL;
        return name ? fail_option(reterr, "fail-on-rebuild", "stage", name) : 0;
}

static int mark_overrides(struct planner *planner, struct imgc_error **reterr)
{
        const struct imgc_plan_options *o = planner->options;
        bool only = o->only && o->only[0];
        int r = check_fail_stage(planner, reterr);

        for (uint32_t i = 0; i < planner->project->n_images; i++)
                planner->images[i].required = !only && (planner->project->images[i].outputs[0] ||
                                                        !planner->images[i].has_dependents);
        for (size_t i = 0; r >= 0 && only && o->only[i]; i++) {
                uint32_t image = project_find_image(planner->project, o->only[i]);

                if (image == NONE)
                        r = fail_option(reterr, "only", "image", o->only[i]);
                else
                        planner->images[image].required = true;
        }
        for (size_t i = 0; r >= 0 && o->rebuild && o->rebuild[i]; i++)
                r = force(planner, o->rebuild[i], reterr);
        return r;
}

static void make_head(struct planner *planner)
{
        struct head_facts facts = {
                .name = planner->project->name,
                .builder = planner->project->builder,
                .digest = planner->project->digest,
        };
        _cleanup_buffer_ struct buffer head = {0};

        line_add_head(&head, &facts, false);
        if (head.failed)
                planner->failed = true;
        else
                planner->head = planner_copy(planner, head.data, head.size);
}

int graph_build(struct planner *planner, struct imgc_error **reterr)
{
        const struct imgc_project *project = planner->project;
        uint32_t n = 0;

        if (planner->manifest) {
                int r = check_manifest(planner, reterr);

                if (r < 0)
                        return r;
        }
        planner->max_append = planner->options->flags & IMGC_PLAN_NO_APPEND ? 0 :
                                                                              project->max_append;
        planner->n_nodes = project->n_stages;
        planner->nodes = planner_alloc(planner, project->n_stages, sizeof(*planner->nodes));
        planner->first_node =
                planner_alloc(planner, (size_t)project->n_images + 1, sizeof(*planner->first_node));
        planner->images = planner_alloc(planner, project->n_images, sizeof(*planner->images));
        make_head(planner);
        if (planner->failed)
                return error_no_memory(reterr);
        for (uint32_t i = 0; i < project->n_images; i++) {
                planner->first_node[i] = n;
                for (uint32_t s = 0; s < project->images[i].n_stages; s++, n++)
                        planner->nodes[n] = (struct node){
                                .image = i,
                                .stage = s,
                                .of = project_stage_of(project, i, s),
                                .same_key = n,
                                .virtual_by = NONE,
                                .first_virtual = NONE,
                                .next_virtual = NONE,
                        };
        }
        planner->first_node[project->n_images] = n;
        take_sealed(planner);
        add_links(planner);
        if (!planner->failed)
                add_consumers(planner);
        if (!planner->failed)
                add_places(planner);
        return planner->failed ? error_no_memory(reterr) : mark_overrides(planner, reterr);
}
