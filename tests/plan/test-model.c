/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The model check: small projects, histories of builds, and then every change of one thing and of
 * two things at a time: an input, the builder, what the store has of a record, an output. In each
 * state the plan must hold by first principles (no false hit) and run no stage more than the
 * cheapest one that does (no false miss).
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

#define CHANGES_MAX 512

enum kind {
        CHANGE_VALUE,
        CHANGE_BUILDER,
        CHANGE_EVICTED,
        CHANGE_DAMAGED,
        CHANGE_EXPIRED,
        CHANGE_SUPERSEDED,
        CHANGE_OUTPUT_MISSING,
        CHANGE_OUTPUT_CHANGED
};

struct change {
        enum kind kind;
        int image, stage, input, value; /* of values; image of outputs */
        int run;
};

static unsigned long n_states, n_wrong;

/* ------------------------------------------------------------------------------ changes */

static int list_values(const struct model *model, struct change *ret, int n)
{
        for (int i = 0; i < model->shape->n_images; i++) {
                for (int s = 0; s < model->shape->images[i].n_stages; s++) {
                        const char *inputs = model->shape->images[i].stages[s].inputs;

                        for (int k = 0; inputs[k]; k++) {
                                int values[3] = {1, 2, -1};

                                /* A set grows, grows twice, or has one item instead of another. */
                                if (inputs[k] == 's') {
                                        values[0] = 3;
                                        values[1] = 7;
                                        values[2] = 2;
                                }
                                for (int v = 0; v < 3; v++)
                                        if (values[v] >= 0)
                                                ret[n++] = (struct change){CHANGE_VALUE, i, s, k,
                                                                           values[v],    -1};
                        }
                }
        }
        ret[n++] = (struct change){.kind = CHANGE_BUILDER};
        return n;
}

static int list_changes(const struct model *model, struct change *ret)
{
        int n = list_values(model, ret, 0);

        for (int r = 0; r < model->n_runs; r++)
                for (enum kind kind = CHANGE_EVICTED; kind <= CHANGE_SUPERSEDED; kind++)
                        if (kind != CHANGE_EVICTED || model->runs[r].stored)
                                ret[n++] = (struct change){.kind = kind, .run = r};
        for (int i = 0; i < model->shape->n_images; i++)
                for (enum kind kind = CHANGE_OUTPUT_MISSING; kind <= CHANGE_OUTPUT_CHANGED; kind++)
                        if (model->shape->images[i].has_output)
                                ret[n++] = (struct change){.kind = kind, .image = i};
        ck_assert_int_lt(n, CHANGES_MAX);
        return n;
}

static void set_flags(struct model *model, int r)
{
        const struct run *run = &model->runs[r];

        model->records[r]->flags = (run->stored ? IMGC_RECORD_SNAPSHOT : 0) |
                                   (run->evicted ? IMGC_RECORD_EVICTED : 0) |
                                   (run->damaged ? IMGC_RECORD_DAMAGED : 0);
}

/* What descendants say of a run's begin is the same thing. */
static void set_begin(struct model *model, int r, int64_t begin)
{
        model->runs[r].begin = model->records[r]->begin_seconds = begin;
        for (int i = 0; i < model->n_runs; i++)
                for (size_t k = 0; k < model->records[i]->n_ancestors; k++) {
                        const struct imgc_ancestor *a = &model->records[i]->ancestors[k];

                        if (!strcmp(a->id, model->runs[r].id))
                                ((struct imgc_ancestor *)(uintptr_t)a)->begin_seconds = begin;
                }
}

static void raise_floor(struct model *model, int r)
{
        const struct run *run = &model->runs[r];

        for (int i = 0; i < model->shape->n_images; i++)
                for (int s = 0; s < model->shape->images[i].n_stages; s++)
                        if (!strcmp(model->shape->images[i].scope,
                                    model->shape->images[run->image].scope) &&
                            !strcmp(model->shape->images[i].stages[s].name,
                                    model->shape->images[run->image].stages[run->stage].name) &&
                            model->world.floors[i][s] < run->generation + 1)
                                model->world.floors[i][s] = run->generation + 1;
}

/* False: it changes nothing. */
static bool apply(struct model *model, const struct change *change)
{
        struct run *run = change->run >= 0 ? &model->runs[change->run] : NULL;
        int *value;

        switch (change->kind) {
        case CHANGE_VALUE:
                value = &model->world.values[change->image][change->stage][change->input];
                if (*value == change->value)
                        return false;
                *value = change->value;
                return true;
        case CHANGE_BUILDER:
                model->world.builder ^= 1;
                return true;
        case CHANGE_EVICTED:
                run->evicted = true;
                set_flags(model, change->run);
                return true;
        case CHANGE_DAMAGED:
                run->damaged = true;
                set_flags(model, change->run);
                return true;
        case CHANGE_EXPIRED:
                set_begin(model, change->run, change->run % 2 ? 0 : model->world.now + 100);
                return model->shape->images[run->image].stages[run->stage].max_age;
        case CHANGE_SUPERSEDED:
                raise_floor(model, change->run);
                return true;
        case CHANGE_OUTPUT_MISSING:
                model->world.output_there[change->image] = false;
                return true;
        default:
                model->world.output_by[change->image] = -1;
                model->world.output_there[change->image] = false;
                return true;
        }
}

struct saved {
        struct world world;
        struct run runs[RECORDS_MAX];
};

static void save(const struct model *model, struct saved *ret)
{
        ret->world = model->world;
        memcpy(ret->runs, model->runs, sizeof(ret->runs));
}

static void restore(struct model *model, const struct saved *saved, const struct change *change)
{
        model->world = saved->world;
        if (change->kind >= CHANGE_EVICTED && change->kind <= CHANGE_SUPERSEDED) {
                model->runs[change->run] = saved->runs[change->run];
                set_flags(model, change->run);
                set_begin(model, change->run, saved->runs[change->run].begin);
        }
}

/* ------------------------------------------------------------------------------ states */

static void print_change(const struct model *model, const struct change *change)
{
        static const char *const names[] = {"value",          "builder",       "evicted",
                                            "damaged",        "expired",       "superseded",
                                            "output missing", "output changed"};
        const struct run *run = change->kind >= CHANGE_EVICTED &&
                                                change->kind <= CHANGE_SUPERSEDED ?
                                        &model->runs[change->run] :
                                        NULL;

        if (run)
                fprintf(stderr, "  %s: %s, %s/%s\n", names[change->kind], run->id,
                        model->shape->images[run->image].name,
                        model->shape->images[run->image].stages[run->stage].name);
        else
                fprintf(stderr, "  %s: %d %d %d = %d\n", names[change->kind], change->image,
                        change->stage, change->input, change->value);
}

static void check(struct model *model, const char *history, const struct change *a,
                  const struct change *b)
{
        char *wrong = model_check(model);

        n_states++;
        if (!wrong)
                return;
        if (n_wrong++ < 5) {
                fprintf(stderr, "%s, after %s:\n", model->shape->name, history);
                for (int i = 0; i < model->n_runs; i++)
                        fprintf(stderr, "  run %s: %s/%s on %d, links %d %d\n", model->runs[i].id,
                                model->shape->images[model->runs[i].image].name,
                                model->shape->images[model->runs[i].image]
                                        .stages[model->runs[i].stage]
                                        .name,
                                model->runs[i].previous, model->runs[i].links[0],
                                model->runs[i].links[1]);
                if (a)
                        print_change(model, a);
                if (b)
                        print_change(model, b);
                fputs(wrong, stderr);
        }
        free(wrong);
}

/* All single changes, and all pairs. */
static void explore(struct model *model, const char *history, bool pairs)
{
        struct change changes[CHANGES_MAX];
        struct saved before, between;
        int n;

        model->world.now = model->session.now + 10;
        n = list_changes(model, changes);
        check(model, history, NULL, NULL);
        save(model, &before);
        for (int i = 0; i < n; i++) {
                if (apply(model, &changes[i])) {
                        check(model, history, &changes[i], NULL);
                        save(model, &between);
                        for (int k = i + 1; pairs && k < n; k++) {
                                if (apply(model, &changes[k]))
                                        check(model, history, &changes[i], &changes[k]);
                                restore(model, &between, &changes[k]);
                        }
                }
                restore(model, &before, &changes[i]);
        }
}

static void set_all(struct model *model, int first, int n, bool evicted)
{
        for (int r = first; r < first + n; r++) {
                model->runs[r].evicted = evicted && model->runs[r].stored;
                set_flags(model, r);
        }
}

/* What was built is built once more by somebody who does not see it: two of everything. */
static void build_twice(struct model *model)
{
        int n;

        model_build(model, 0);
        n = model->n_runs;
        for (int r = 0; r < n; r++)
                model->records[r]->flags = IMGC_RECORD_DAMAGED;
        model_build(model, 0);
        for (int r = 0; r < model->n_runs; r++)
                set_flags(model, r);
}

/* Builds, changes one input, builds, and takes the change back. */
static void explore_return(struct imgc_context *context, const struct shape *shape, int which,
                           bool pairs)
{
        struct change changes[CHANGES_MAX];
        struct model model;
        struct saved before;
        int n;

        model_open(&model, context, shape);
        model_build(&model, 0);
        n = list_values(&model, changes, 0);
        if (which < n) {
                save(&model, &before);
                apply(&model, &changes[which]);
                model_build(&model, 0);
                explore(&model, "a build, a change and a build", pairs);
                memcpy(model.world.values, before.world.values, sizeof(before.world.values));
                model.world.builder = before.world.builder;
                explore(&model, "a build, a change, a build and the way back", pairs);
        }
        model_close(&model);
}

/* Evicts half of what there is and changes the last input, so that what is evicted is made again
 * beside what still stands on the old. */
static void explore_mixture(struct imgc_context *context, const struct shape *shape, int evicted)
{
        struct change changes[CHANGES_MAX];
        struct model model;
        int n;

        model_open(&model, context, shape);
        model_build(&model, 0);
        if (evicted < model.n_runs) {
                n = list_values(&model, changes, 0);
                set_all(&model, evicted, 1, true);
                apply(&model, &changes[n - 3 < 0 ? 0 : n - 3]);
                model_build(&model, 0);
                set_all(&model, evicted, 1, false);
                explore(&model, "an eviction, a change and a build", false);
                set_all(&model, evicted, 1, true);
                explore(&model, "an eviction, a change and a build, evicted again", false);
        }
        model_close(&model);
}

START_TEST(test_model_shapes)
{
        const struct shape *shape = &shapes[_i];
        const bool all = getenv("IMAGECACHE_TESTS_FULL");
        struct imgc_context *context = NULL;
        struct model model;

        ck_assert_int_ge(imgc_context_new(&context, NULL), 0);
        n_states = n_wrong = 0;

        model_open(&model, context, shape);
        explore(&model, "nothing", false);
        model_build(&model, 0);
        explore(&model, "a build", true);
        model_close(&model);

        model_open(&model, context, shape);
        build_twice(&model);
        explore(&model, "two builds that do not see each other", true);
        model_close(&model);

        for (uint32_t stop = 1; stop < 4; stop++) {
                model_open(&model, context, shape);
                model_build(&model, stop);
                explore(&model, "an interrupted build", true);
                model_close(&model);
        }
        for (int which = 0; which < 20; which++)
                explore_return(context, shape, which, all || which < 2);
        for (int evicted = 0; evicted < 8; evicted++)
                explore_mixture(context, shape, evicted);
        printf("%s: %lu states\n", shape->name, n_states);
        fflush(stdout);
        imgc_context_unref(context);
        ck_assert_uint_eq(n_wrong, 0);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("plan-model");
        TCase *tcase = tcase_create("model");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 1200);
        tcase_add_loop_test(tcase, test_model_shapes, 0, n_shapes);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
