/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reference.h"

#include <limits.h>
#include <string.h>

#define NEW  (-2) /* made in this build */
#define NONE (-1)

static const struct image_shape *image_of(const struct reference *r, int image)
{
        return &r->world->shape->images[image];
}

static const struct stage_shape *stage_of(const struct reference *r, int image, int stage)
{
        return &image_of(r, image)->stages[stage];
}

/* ------------------------------------------------------------------------------ what is the same */

/* Whether two stages are one thing under two names: of one scope, and of equal inputs all the way
 * down. */
static bool is_same_thing(const struct reference *r, int image_a, int stage_a, int image_b,
                          int stage_b)
{
        const struct stage_shape *a = stage_of(r, image_a, stage_a),
                                 *b = stage_of(r, image_b, stage_b);

        if (image_a == image_b)
                return stage_a == stage_b;
        if (strcmp(image_of(r, image_a)->scope, image_of(r, image_b)->scope) != 0 ||
            strcmp(a->name, b->name) != 0 || stage_a != stage_b ||
            strcmp(a->inputs, b->inputs) != 0 || a->n_links != b->n_links ||
            a->previous_by_output != b->previous_by_output ||
            memcmp(r->world->values[image_a][stage_a], r->world->values[image_b][stage_b],
                   sizeof(r->world->values[0][0])) != 0)
                return false;
        for (int k = 0; k < a->n_links; k++)
                if (a->links[k].by_output != b->links[k].by_output ||
                    !is_same_thing(r, a->links[k].image, a->links[k].stage, b->links[k].image,
                                   b->links[k].stage))
                        return false;
        return !stage_a || is_same_thing(r, image_a, stage_a - 1, image_b, stage_b - 1);
}

/* A number for each thing. */
static int thing_of(const struct reference *r, int image, int stage)
{
        for (int i = 0; i < image; i++)
                for (int s = 0; s < image_of(r, i)->n_stages; s++)
                        if (is_same_thing(r, i, s, image, stage))
                                return i * STAGES_MAX + s;
        return image * STAGES_MAX + stage;
}

/* ------------------------------------------------------------------------------ what is right */

struct lineage {
        int of[IMAGES_MAX * STAGES_MAX]; /* of each thing: a run, NEW, or NONE */
};

static void lineage_clear(struct lineage *lineage)
{
        for (int i = 0; i < IMAGES_MAX * STAGES_MAX; i++)
                lineage->of[i] = NONE;
}

static bool lineage_add(struct lineage *lineage, int thing, int run)
{
        if (lineage->of[thing] != NONE && lineage->of[thing] != run)
                return false;
        lineage->of[thing] = run;
        return true;
}

/* What a run stands on, not by its output only. */
static bool lineage_add_run(const struct reference *r, struct lineage *lineage, int run, int image,
                            int stage)
{
        const struct stage_shape *shape = stage_of(r, image, stage);
        const struct run *of = &r->runs[run];

        if (!lineage_add(lineage, thing_of(r, image, stage), run))
                return false;
        if (stage && !shape->previous_by_output &&
            !lineage_add_run(r, lineage, of->previous, image, stage - 1))
                return false;
        for (int k = 0; k < shape->n_links; k++)
                if (!shape->links[k].by_output &&
                    !lineage_add_run(r, lineage, of->links[k], shape->links[k].image,
                                     shape->links[k].stage))
                        return false;
        return true;
}

static bool is_in_order(const struct reference *r, const struct run *run, int image, int stage)
{
        const struct stage_shape *shape = stage_of(r, image, stage);

        if (run->damaged || r->world->forced[image][stage] ||
            run->generation < r->world->floors[image][stage] ||
            run->depth > r->world->shape->max_append)
                return false;
        return !shape->max_age ||
               (run->begin <= r->world->now && r->world->now - run->begin <= shape->max_age);
}

/* Whether something right is there that gives the same result. */
static bool has_equal(const struct reference *r, const char *result, int image, int stage)
{
        for (int i = 0; i < r->n_runs; i++)
                if (!strcmp(r->runs[i].result, result) && reference_is_right(r, i, image, stage))
                        return true;
        return false;
}

static bool stands_right(const struct reference *r, const struct run *run, int image, int stage)
{
        const struct stage_shape *shape = stage_of(r, image, stage);

        if (stage) {
                if (run->previous < 0)
                        return false;
                if (shape->previous_by_output ?
                            !has_equal(r, r->runs[run->previous].result, image, stage - 1) :
                            !reference_is_right(r, run->previous, image, stage - 1))
                        return false;
        }
        for (int k = 0; k < shape->n_links; k++) {
                const struct link_shape *link = &shape->links[k];

                if (run->links[k] < 0)
                        return false;
                if (link->by_output ?
                            !has_equal(r, r->runs[run->links[k]].result, link->image, link->stage) :
                            !reference_is_right(r, run->links[k], link->image, link->stage))
                        return false;
        }
        return true;
}

static bool is_of(const struct reference *r, const struct run *run, int image, int stage)
{
        const struct world *w = r->world;

        return !strcmp(image_of(r, run->image)->scope, image_of(r, image)->scope) &&
               !strcmp(stage_of(r, run->image, run->stage)->name,
                       stage_of(r, image, stage)->name) &&
               run->builder == w->builder &&
               !strcmp(stage_of(r, run->image, run->stage)->inputs,
                       stage_of(r, image, stage)->inputs);
}

bool reference_is_right(const struct reference *r, int number, int image, int stage)
{
        const struct run *run = &r->runs[number];
        struct lineage lineage;

        if (!is_of(r, run, image, stage) ||
            memcmp(run->values, r->world->values[image][stage], sizeof(run->values)) != 0 ||
            !is_in_order(r, run, image, stage) || !stands_right(r, run, image, stage))
                return false;
        for (int a = run->appended_to; a >= 0; a = r->runs[a].appended_to)
                if (!is_in_order(r, &r->runs[a], image, stage))
                        return false;
        lineage_clear(&lineage);
        return lineage_add_run(r, &lineage, number, image, stage);
}

static bool is_there(const struct run *run)
{
        return run->stored && !run->evicted && !run->damaged;
}

static bool can_append_to(const struct reference *r, int number, int image, int stage)
{
        const struct run *run = &r->runs[number];
        const char *inputs = stage_of(r, image, stage)->inputs;
        bool grown = false;
        struct lineage lineage;

        if (!is_there(run) || !is_of(r, run, image, stage) || !is_in_order(r, run, image, stage) ||
            !stands_right(r, run, image, stage) || run->depth + 1 > r->world->shape->max_append)
                return false;
        for (int a = run->appended_to; a >= 0; a = r->runs[a].appended_to)
                if (!is_in_order(r, &r->runs[a], image, stage))
                        return false;
        for (int i = 0; inputs[i]; i++) {
                int before = run->values[i], now = r->world->values[image][stage][i];

                if (before == now)
                        continue;
                if (inputs[i] != 's' || (before & now) != before)
                        return false;
                grown = true;
        }
        lineage_clear(&lineage);
        return grown && lineage_add_run(r, &lineage, number, image, stage);
}

/* ------------------------------------------------------------------------------ what holds */

struct trial {
        const struct reference *r;
        const struct decision *decisions;
        int first_run[IMAGES_MAX];
        struct lineage lineages[IMAGES_MAX];
};

/* The run of an earlier stage that a run of the same image stands on, or is. */
static int run_below(const struct reference *r, int run, int from, int stage)
{
        for (; run >= 0 && from > stage; from--)
                run = r->runs[run].previous;
        return run;
}

static bool is_asked_for(const struct trial *t, int image, int stage)
{
        for (int i = image + 1; i < t->r->world->shape->n_images; i++)
                for (int s = t->first_run[i]; s < image_of(t->r, i)->n_stages; s++)
                        for (int k = 0; k < stage_of(t->r, i, s)->n_links; k++)
                                if (stage_of(t->r, i, s)->links[k].image == image &&
                                    stage_of(t->r, i, s)->links[k].stage == stage)
                                        return true;
        return false;
}

static bool has_dependents(const struct reference *r, int image)
{
        for (int i = image + 1; i < r->world->shape->n_images; i++)
                for (int s = 0; s < image_of(r, i)->n_stages; s++)
                        for (int k = 0; k < stage_of(r, i, s)->n_links; k++)
                                if (stage_of(r, i, s)->links[k].image == image)
                                        return true;
        return false;
}

static bool output_is_valid(const struct reference *r, int image)
{
        const struct world *w = r->world;

        return w->output_there[image] && w->output_by[image] >= 0 &&
               reference_is_right(r, w->output_by[image], image, image_of(r, image)->n_stages - 1);
}

static bool is_satisfied(const struct reference *r, int image)
{
        const int last = image_of(r, image)->n_stages - 1;

        if (image_of(r, image)->has_output)
                return output_is_valid(r, image);
        for (int i = 0; i < r->n_runs; i++)
                if (is_there(&r->runs[i]) && reference_is_right(r, i, image, last))
                        return true;
        return false;
}

/* Hands a run of a stage to all that ask for it by key. */
static bool hand_over(struct trial *t, int image, int stage, int run)
{
        for (int i = image + 1; i < t->r->world->shape->n_images; i++) {
                for (int s = t->first_run[i]; s < image_of(t->r, i)->n_stages; s++) {
                        for (int k = 0; k < stage_of(t->r, i, s)->n_links; k++) {
                                const struct link_shape *link = &stage_of(t->r, i, s)->links[k];

                                if (link->image == image && link->stage == stage &&
                                    !link->by_output &&
                                    !lineage_add_run(t->r, &t->lineages[i], run, image, stage))
                                        return false;
                        }
                }
        }
        return true;
}

/* All that is asked for of an image's stages before `end`, from one chain. */
static bool serve(struct trial *t, int image, int end, int run, int at, bool whole)
{
        for (int s = 0; s < end; s++) {
                int below;

                if (!is_asked_for(t, image, s))
                        continue;
                below = run_below(t->r, run, at, s);
                if (below < 0 || !((whole && s == at) || is_there(&t->r->runs[below])) ||
                    !hand_over(t, image, s, below))
                        return false;
        }
        return true;
}

/* Lineages of images whose running stages are asked for by others that run. */
static bool merge(struct trial *t)
{
        bool changed = true;

        while (changed) {
                changed = false;
                for (int i = 0; i < t->r->world->shape->n_images; i++) {
                        for (int s = t->first_run[i]; s < image_of(t->r, i)->n_stages; s++) {
                                for (int k = 0; k < stage_of(t->r, i, s)->n_links; k++) {
                                        const struct link_shape *link =
                                                &stage_of(t->r, i, s)->links[k];

                                        if (link->by_output ||
                                            t->first_run[link->image] > link->stage)
                                                continue;
                                        for (int n = 0; n < IMAGES_MAX * STAGES_MAX; n++) {
                                                int run = t->lineages[link->image].of[n];

                                                if (run == NONE || t->lineages[i].of[n] == run)
                                                        continue;
                                                if (t->lineages[i].of[n] != NONE)
                                                        return false;
                                                t->lineages[i].of[n] = run;
                                                changed = true;
                                        }
                                }
                        }
                }
        }
        return true;
}

static bool images_hold(struct trial *t, int image);

/* Whether an image that does nothing is as it should be, and the rest holds with what it hands
 * over: every way of handing over is tried. */
static bool idle_holds(struct trial *t, int image)
{
        const struct reference *r = t->r;
        const struct decision *d = &t->decisions[image];
        const int last = image_of(r, image)->n_stages - 1;
        struct lineage kept[IMAGES_MAX];
        int deepest = -1;

        for (int s = 0; s <= last; s++)
                if (is_asked_for(t, image, s))
                        deepest = s;
        if ((image_of(r, image)->has_output || !has_dependents(r, image) || deepest >= 0) &&
            !is_satisfied(r, image))
                return false;
        if (deepest < 0)
                return images_hold(t, image - 1);
        memcpy(kept, t->lineages, sizeof(kept));
        for (int i = 0; i < r->n_runs; i++) {
                if (!is_there(&r->runs[i]) || !reference_is_right(r, i, image, deepest) ||
                    (d->run >= 0 && d->run != i))
                        continue;
                if (serve(t, image, deepest + 1, i, deepest, false) && images_hold(t, image - 1))
                        return true;
                memcpy(t->lineages, kept, sizeof(kept));
        }
        return d->run < 0 && deepest == last && output_is_valid(r, image) &&
               serve(t, image, last + 1, r->world->output_by[image], last, true) &&
               images_hold(t, image - 1);
}

/* Images from this one down to the first. */
static bool images_hold(struct trial *t, int image)
{
        const struct decision *d = image >= 0 ? &t->decisions[image] : NULL;

        if (!d)
                return merge(t);
        if (d->way == WAY_IDLE)
                return idle_holds(t, image);
        if ((d->way == WAY_RESUME || d->way == WAY_APPEND) &&
            !serve(t, image, t->first_run[image], d->run, d->stage, false))
                return false;
        return images_hold(t, image - 1);
}

static bool waits_well(const struct trial *t, int image, int stage)
{
        for (int i = 0; i < image; i++)
                for (int s = t->first_run[i]; s < image_of(t->r, i)->n_stages; s++)
                        if (stage_of(t->r, i, s)->snapshot &&
                            is_same_thing(t->r, i, s, image, stage))
                                return true;
        return false;
}

static bool start(struct trial *t, int image)
{
        const struct decision *d = &t->decisions[image];
        const struct reference *r = t->r;

        switch (d->way) {
        case WAY_RESUME:
                if (!is_there(&r->runs[d->run]) ||
                    !reference_is_right(r, d->run, image, d->stage) ||
                    !lineage_add_run(r, &t->lineages[image], d->run, image, d->stage))
                        return false;
                break;
        case WAY_APPEND:
                if (!can_append_to(r, d->run, image, d->stage))
                        return false;
                /* Itself it is nothing that others could take for the stage. */
                if (!lineage_add_run(r, &t->lineages[image], d->run, image, d->stage))
                        return false;
                t->lineages[image].of[thing_of(r, image, d->stage)] = NONE;
                break;
        case WAY_WAIT:
                if (!waits_well(t, image, d->stage))
                        return false;
                break;
        default:
                break;
        }
        for (int s = t->first_run[image]; s < image_of(r, image)->n_stages; s++)
                if (!lineage_add(&t->lineages[image], thing_of(r, image, s), NEW))
                        return false;
        return true;
}

bool reference_holds(const struct reference *r, const struct decision decisions[IMAGES_MAX],
                     int *ret_cost)
{
        struct trial t = {.r = r, .decisions = decisions};
        int cost = 0;

        for (int i = 0; i < r->world->shape->n_images; i++) {
                const struct decision *d = &decisions[i];
                const int n = image_of(r, i)->n_stages;

                t.first_run[i] = d->way == WAY_IDLE    ? n :
                                 d->way == WAY_REBUILD ? 0 :
                                 d->way == WAY_APPEND  ? d->stage :
                                                         d->stage + 1;
                cost += n - t.first_run[i];
                lineage_clear(&t.lineages[i]);
        }
        *ret_cost = cost;
        for (int i = 0; i < r->world->shape->n_images; i++)
                if (decisions[i].way != WAY_IDLE && !start(&t, i))
                        return false;
        return images_hold(&t, r->world->shape->n_images - 1);
}

/* ------------------------------------------------------------------------------ the cheapest */

static void try_image(const struct reference *r, struct decision decisions[IMAGES_MAX], int image,
                      int *best)
{
        int cost;

        if (image == r->world->shape->n_images) {
                if (reference_holds(r, decisions, &cost) && cost < *best)
                        *best = cost;
                return;
        }
        decisions[image] = (struct decision){.way = WAY_IDLE, .run = NONE};
        try_image(r, decisions, image + 1, best);
        for (int s = 0; s < image_of(r, image)->n_stages; s++) {
                for (int i = 0; i < r->n_runs; i++) {
                        if (!is_there(&r->runs[i]))
                                continue;
                        if (reference_is_right(r, i, image, s)) {
                                decisions[image] = (struct decision){WAY_RESUME, s, i};
                                try_image(r, decisions, image + 1, best);
                        } else if (can_append_to(r, i, image, s)) {
                                decisions[image] = (struct decision){WAY_APPEND, s, i};
                                try_image(r, decisions, image + 1, best);
                        }
                }
                if (image) {
                        decisions[image] = (struct decision){WAY_WAIT, s, NONE};
                        try_image(r, decisions, image + 1, best);
                }
        }
        decisions[image] = (struct decision){.way = WAY_REBUILD};
        try_image(r, decisions, image + 1, best);
}

int reference_best(const struct reference *r)
{
        struct decision decisions[IMAGES_MAX] = {0};
        int best = INT_MAX;

        try_image(r, decisions, 0, &best);
        return best;
}
