/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "model.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *unconst(const void *p)
{
        return (void *)(uintptr_t)p;
}

static int find_run(const struct model *model, const char *id)
{
        for (int i = 0; i < model->n_runs; i++)
                if (!strcmp(model->runs[i].id, id))
                        return i;
        return -1;
}

/* The run that a record stands on in a place, its own lineage being what says so. */
static int find_ancestor(const struct model *model, const struct imgc_record *record,
                         const char *scope, const char *stage)
{
        for (size_t i = record->n_ancestors; i-- > 0;)
                if (!strcmp(record->ancestors[i].scope, scope) &&
                    !strcmp(record->ancestors[i].stage, stage) &&
                    !(record->ancestors[i].flags & (IMGC_ANCESTOR_APPEND | IMGC_ANCESTOR_BEHIND)))
                        return find_run(model, record->ancestors[i].id);
        return -1;
}

static void remember(void *userdata, const struct imgc_record *made, uint32_t image, uint32_t stage)
{
        struct model *model = userdata;
        const struct shape *shape = model->shape;
        const struct stage_shape *of = &shape->images[image].stages[stage];
        struct run *run = &model->runs[model->n_runs];
        struct imgc_plan_lookup lookup;
        const struct imgc_record *record = NULL;

        if (model->n_runs == RECORDS_MAX)
                abort();
        imgc_memory_store_get_lookup(model->session.store, &lookup);
        if (lookup.find_by_id(lookup.userdata, made->id, &record) <= 0)
                abort();
        model->records[model->n_runs++] = unconst(record);
        *run = (struct run){
                .id = record->id,
                .image = (int)image,
                .stage = (int)stage,
                .builder = model->world.builder,
                .previous = stage ? find_ancestor(model, record, shape->images[image].scope,
                                                  shape->images[image].stages[stage - 1].name) :
                                    -1,
                .links = {-1, -1},
                .appended_to = -1,
                .depth = (int)record->append_depth,
                .generation = record->generation,
                .begin = record->begin_seconds,
                .stored = of->snapshot,
        };
        memcpy(run->values, model->world.values[image][stage], sizeof(run->values));
        snprintf(run->result, sizeof(run->result), "%s", record->results[0].digest);
        for (int k = 0; k < of->n_links; k++)
                run->links[k] = find_ancestor(
                        model, record, shape->images[of->links[k].image].scope,
                        shape->images[of->links[k].image].stages[of->links[k].stage].name);
        for (size_t i = 0; record->append_depth && i < record->n_ancestors; i++)
                if (record->ancestors[i].flags & IMGC_ANCESTOR_APPEND &&
                    !strcmp(record->ancestors[i].stage, record->stage) &&
                    !strcmp(record->ancestors[i].scope, record->scope))
                        run->appended_to = find_run(model, record->ancestors[i].id);
        if ((int)stage + 1 == shape->images[image].n_stages && shape->images[image].has_output) {
                model->world.output_there[image] = true;
                model->world.output_by[image] = model->n_runs - 1;
        }
}

void model_open(struct model *model, struct imgc_context *context, const struct shape *shape)
{
        *model = (struct model){.shape = shape, .context = context};
        session_open(&model->session, context);
        model->session.made = remember;
        model->session.userdata = model;
        model->world.shape = shape;
        model->world.builder = 0;
        for (int i = 0; i < IMAGES_MAX; i++)
                model->world.output_by[i] = -1;
        for (int i = 0; i < shape->n_images; i++)
                for (int s = 0; s < shape->images[i].n_stages; s++)
                        for (int k = 0; shape->images[i].stages[s].inputs[k]; k++)
                                model->world.values[i][s][k] =
                                        shape->images[i].stages[s].inputs[k] == 's';
}

void model_close(struct model *model)
{
        session_close(&model->session);
}

/* ------------------------------------------------------------------------------ projects */

static void add_input(struct buffer *text, char kind, int number, int value)
{
        static const char *const options[] = {"1", "2", "1#comment", "3"};

        buffer_printf(text, "{\"input\":\"i%d\",", number);
        if (kind == 'o') {
                buffer_printf(text, "\"type\":\"option\",\"value\":\"%s\"}", options[value]);
                return;
        }
        buffer_add_literal(text, "\"type\":\"set\",\"append\":true,\"items\":[");
        for (int bit = 0, n = 0; bit < 4; bit++)
                if (value >> bit & 1)
                        buffer_printf(text, "%s\"p%d\"", n++ ? "," : "", bit);
        buffer_add_literal(text, "]}");
}

static void add_stage(struct buffer *text, const struct model *model, int image, int stage)
{
        const struct stage_shape *of = &model->shape->images[image].stages[stage];
        const char *comma = "";

        buffer_printf(text, "{\"stage\":\"%s\",\"snapshot\":%s", of->name,
                      of->snapshot ? "true" : "false");
        if (of->previous_by_output)
                buffer_add_literal(text, ",\"previous\":\"output\"");
        if (of->max_age)
                buffer_printf(text, ",\"max_age_seconds\":%lld", (long long)of->max_age);
        buffer_add_literal(text, ",\"inputs\":[");
        for (int k = 0; k < of->n_links; k++, comma = ",")
                buffer_printf(
                        text,
                        "%s{\"input\":\"l%d\",\"type\":\"image\",\"image\":\"%s\",\"stage\":\"%s\",\"by\":\"%s\"}",
                        comma, k, model->shape->images[of->links[k].image].name,
                        model->shape->images[of->links[k].image].stages[of->links[k].stage].name,
                        of->links[k].by_output ? "output" : "key");
        for (int k = 0; of->inputs[k]; k++, comma = ",") {
                buffer_add_string(text, comma);
                add_input(text, of->inputs[k], k, model->world.values[image][stage][k]);
        }
        buffer_add_literal(text, "]}");
}

struct imgc_project *model_project(const struct model *model)
{
        const struct shape *shape = model->shape;
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        struct buffer text = {0};

        buffer_printf(
                &text,
                "{\"imagecache\":\"project\",\"version\":1,\"name\":\"model\",\"builder\":\"b%d\","
                "\"max_append\":%d,\"images\":[",
                model->world.builder, shape->max_append);
        for (int i = 0; i < shape->n_images; i++) {
                const struct image_shape *image = &shape->images[i];

                buffer_printf(&text,
                              "%s{\"image\":\"%s\",\"scope\":\"%s\",\"outputs\":[%s],\"stages\":[",
                              i ? "," : "", image->name, image->scope,
                              image->has_output ? "\"out\"" : "");
                for (int s = 0; s < image->n_stages; s++) {
                        buffer_add_string(&text, s ? "," : "");
                        add_stage(&text, model, i, s);
                }
                buffer_add_literal(&text, "]}");
        }
        buffer_add_literal(&text, "]}");
        if (text.failed || imgc_project_parse(model->context, text.data, text.size, NULL, AT_FDCWD,
                                              &project, &error) < 0) {
                fprintf(stderr, "%s\n", error ? imgc_error_get_message(error) : "no memory");
                abort();
        }
        buffer_free(&text);
        return project;
}

void model_build(struct model *model, uint32_t stop_after)
{
        struct imgc_project *project = model_project(model);
        struct imgc_error *error = NULL;

        model->session.now += 10;
        model->session.stop_after = stop_after;
        if (session_build(&model->session, project, NULL, &error) < 0) {
                fprintf(stderr, "%s\n", imgc_error_get_message(error));
                abort();
        }
        imgc_project_unref(project);
}

/* ------------------------------------------------------------------------------ checking */

static int get_floor(void *userdata, const char *scope, const char *stage, uint64_t *ret)
{
        const struct model *model = userdata;

        for (int i = 0; i < model->shape->n_images; i++)
                for (int s = 0; s < model->shape->images[i].n_stages; s++)
                        if (!strcmp(model->shape->images[i].scope, scope) &&
                            !strcmp(model->shape->images[i].stages[s].name, stage)) {
                                *ret = model->world.floors[i][s];
                                return 1;
                        }
        return 0;
}

static int get_output(void *userdata, const char *image, const char *path,
                      struct imgc_recorded_output *ret)
{
        const struct model *model = userdata;

        (void)path;
        for (int i = 0; i < model->shape->n_images; i++)
                if (!strcmp(model->shape->images[i].name, image) &&
                    model->world.output_by[i] >= 0) {
                        ret->digest = ret->id = model->runs[model->world.output_by[i]].id;
                        return 1;
                }
        return 0;
}

static int get_state(void *userdata, const struct imgc_state_query *query, const char **ret)
{
        const struct model *model = userdata;

        for (int i = 0; i < model->shape->n_images; i++)
                if (!strcmp(model->shape->images[i].name, query->image) &&
                    model->world.output_there[i]) {
                        *ret = model->runs[model->world.output_by[i]].id;
                        return 1;
                }
        return 0;
}

/* The store's answers about records, with the model's world. */

static struct imgc_plan_lookup store_lookup;

static int find_by_key(void *userdata, const char *key, const struct imgc_record *const **ret,
                       size_t *n)
{
        (void)userdata;
        return store_lookup.find_by_key(store_lookup.userdata, key, ret, n);
}

static int find_by_stage(void *userdata, const char *scope, const char *stage,
                         const struct imgc_record *const **ret, size_t *n)
{
        (void)userdata;
        return store_lookup.find_by_stage(store_lookup.userdata, scope, stage, ret, n);
}

static int find_by_id(void *userdata, const char *id, const struct imgc_record **ret)
{
        (void)userdata;
        return store_lookup.find_by_id(store_lookup.userdata, id, ret);
}

static struct imgc_plan *make_plan(struct model *model)
{
        struct imgc_project *project = model_project(model);
        struct imgc_plan_lookup lookup = IMGC_PLAN_LOOKUP_INIT;
        struct imgc_plan_options options = IMGC_PLAN_OPTIONS_INIT;
        struct imgc_error *error = NULL;
        struct imgc_plan *plan = NULL;

        imgc_memory_store_get_lookup(model->session.store, &store_lookup);
        lookup.userdata = model;
        lookup.find_by_key = find_by_key;
        lookup.find_by_stage = find_by_stage;
        lookup.find_by_id = find_by_id;
        lookup.get_floor = get_floor;
        lookup.get_output = get_output;
        lookup.get_state = get_state;
        lookup.now_seconds = model->world.now;
        if (imgc_plan_project(model->context, project, NULL, &lookup, &options, &plan, &error) <
            0) {
                fprintf(stderr, "%s\n", imgc_error_get_message(error));
                abort();
        }
        imgc_project_unref(project);
        return plan;
}

static int take_decision(const struct model *model, const struct imgc_plan *plan, int image,
                         struct decision *ret)
{
        struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;

        imgc_plan_get_image(plan, (uint32_t)image, &told);
        *ret = (struct decision){.way = WAY_IDLE, .run = -1};
        for (int s = 0; told.restore_stage && s < model->shape->images[image].n_stages; s++)
                if (!strcmp(model->shape->images[image].stages[s].name, told.restore_stage))
                        ret->stage = s;
        if (told.restore_id)
                ret->run = find_run(model, told.restore_id);
        if (told.decision == IMGC_DECISION_RESUME)
                ret->way = told.restore_id ? WAY_RESUME : WAY_WAIT;
        else if (told.decision == IMGC_DECISION_APPEND)
                ret->way = WAY_APPEND;
        else if (told.decision == IMGC_DECISION_REBUILD)
                ret->way = WAY_REBUILD;
        return (int)told.n_run;
}

static int add_to_text(void *userdata, const void *data, size_t size)
{
        buffer_add(userdata, data, size);
        return 0;
}

char *model_check(struct model *model)
{
        struct reference reference = {
                .world = &model->world, .runs = model->runs, .n_runs = model->n_runs};
        struct imgc_plan *plan = make_plan(model);
        struct decision decisions[IMAGES_MAX];
        int planned = 0, cost, best = reference_best(&reference);
        struct buffer text = {0};
        bool holds;

        for (int i = 0; i < model->shape->n_images; i++)
                planned += take_decision(model, plan, i, &decisions[i]);
        holds = reference_holds(&reference, decisions, &cost);
        if (holds && planned == best) {
                bool silent = false;

                /* Whoever must work is told why. */
                for (uint32_t i = 0; i < imgc_plan_get_n_images(plan); i++) {
                        struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;

                        imgc_plan_get_image(plan, i, &told);
                        silent |= told.n_run && !told.n_reasons;
                }
                if (!silent) {
                        imgc_plan_unref(plan);
                        return NULL;
                }
                buffer_add_literal(&text, "no reason is given\n");
        }
        buffer_printf(&text, "%s%d stages planned, %d need to run\n",
                      holds ? "" : "the plan does not hold; ", planned, best);
        imgc_plan_report(plan, NULL, add_to_text, &text, NULL);
        imgc_plan_unref(plan);
        buffer_string(&text);
        return text.data;
}
