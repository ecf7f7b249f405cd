/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which snapshots an image restores, and which of its stages run.
 *
 * Images are decided from the last to the first, since only those behind an image can ask
 * something of it. Each takes the way that runs least: nothing, then from the deepest usable
 * snapshot on, then everything. What an image needs that runs is asked of others.
 *
 * What runs must not stand on two snapshots of one stage. So every image that runs has a lineage:
 * of each key the snapshot that it stands on, or that the stage is run in this build. It grows
 * with what is restored, with what is run, and with what others hand over; a way that contradicts
 * it is not taken.
 */
#include <stdlib.h>

#include "core/io.h"
#include "plan/choose.h"

#define IN_THIS_BUILD (-1)

static uint32_t n_stages_of(const struct planner *planner, uint32_t image)
{
        return planner->project->images[image].n_stages;
}

static struct image_work *work_of(const struct planner *planner, uint32_t image)
{
        return &planner->images[image];
}

/* ------------------------------------------------------------------------------ lineages */

static bool joins(const struct image_work *work, uint32_t image)
{
        return work->joins && work->joins[image / 64] >> image % 64 & 1;
}

static int32_t number_of(struct planner *planner, const char *id)
{
        uint32_t number = table_get(&planner->by_id, id);

        return number == TABLE_NOTHING ? IN_THIS_BUILD : (int32_t)number + 1;
}

/* Enters what an image stands on, and with it those that stand on the image. False where
 * something else stands there. source: the snapshot that brings it; NULL: it runs. */
static bool enter(struct chooser *chooser, uint32_t image, uint32_t key, int32_t number,
                  struct known *source)
{
        struct planner *planner = chooser->planner;
        struct image_work *work = work_of(planner, image);
        struct trail_entry entry = {image, key};

        if (!work->lineage)
                return true;
        if (work->lineage[key] == number)
                return true;
        if (work->lineage[key]) {
                /* Of two snapshots the one that was there gives way; what runs cannot. */
                chooser->culprit = work->source[key] ? work->source[key] : source;
                buffer_add(&chooser->culprits, &chooser->culprit, sizeof(chooser->culprit));
                return false;
        }
        work->lineage[key] = number;
        work->source[key] = source;
        buffer_add(&chooser->trail, &entry, sizeof(entry));
        for (uint32_t other = image + 1; work->joins && other < planner->project->n_images; other++)
                if (joins(work, other) && !enter(chooser, other, key, number, source))
                        return false;
        return true;
}

/* A snapshot with all that it stands on by key. */
static bool enter_record(struct chooser *chooser, uint32_t image, struct known *known,
                         struct known *source)
{
        struct planner *planner = chooser->planner;
        const struct imgc_record *record = known->record;
        uint32_t key = table_get(&planner->by_key, record->key);

        if (key != TABLE_NOTHING &&
            !enter(chooser, image, key, number_of(planner, record->id), source))
                return false;
        for (size_t i = 0; i < record->n_ancestors; i++) {
                const struct imgc_ancestor *a = &record->ancestors[i];

                key = a->flags ? TABLE_NOTHING : table_get(&planner->by_key, a->key);
                if (key != TABLE_NOTHING &&
                    !enter(chooser, image, key, number_of(planner, a->id), source))
                        return false;
        }
        return true;
}

bool choose_start_lineage(struct planner *planner, uint32_t image)
{
        struct image_work *work = work_of(planner, image);
        size_t words = (planner->project->n_images + 63) / 64;

        if (!work->lineage) {
                work->lineage = planner_alloc(planner, planner->n_nodes, sizeof(*work->lineage));
                work->source = planner_alloc(planner, planner->n_nodes, sizeof(*work->source));
                work->joins = planner_alloc(planner, words, sizeof(*work->joins));
        } else {
                memset(work->lineage, 0, planner->n_nodes * sizeof(*work->lineage));
                memset(work->joins, 0, words * sizeof(*work->joins));
        }
        return !planner->failed;
}

/* Hands over all that an image stands on so far to one that stands on it, and what will come. */
static bool join(struct chooser *chooser, uint32_t image, uint32_t other)
{
        struct image_work *work = work_of(chooser->planner, image);

        if (joins(work, other))
                return true;
        work->joins[other / 64] |= (uint64_t)1 << other % 64;
        for (uint32_t key = 0; key < chooser->planner->n_nodes; key++)
                if (work->lineage[key] &&
                    !enter(chooser, other, key, work->lineage[key], work->source[key]))
                        return false;
        return true;
}

static void undo(struct chooser *chooser, size_t size)
{
        const struct trail_entry *entries =
                (const struct trail_entry *)(const void *)chooser->trail.data;

        for (size_t i = size / sizeof(*entries); i < chooser->trail.size / sizeof(*entries); i++) {
                work_of(chooser->planner, entries[i].image)->lineage[entries[i].key] = 0;
                work_of(chooser->planner, entries[i].image)->source[entries[i].key] = NULL;
        }
        chooser->trail.size = size;
}

/* ------------------------------------------------------------------------------ serving others */

bool choose_waits(const struct planner *planner, const struct node *node)
{
        const struct choice *choice = &work_of(planner, node->image)->choice;

        return choice->restore_node == node_number(planner, node) && !choice->restore &&
               choice->decision == IMGC_DECISION_RESUME;
}

/* Whether a stage is asked for by one that runs. */
static bool is_asked_for(const struct planner *planner, const struct node *node)
{
        for (uint32_t i = node->first_virtual; i != NONE; i = planner->nodes[i].next_virtual)
                if (choose_waits(planner, &planner->nodes[i]))
                        return true;
        for (uint32_t i = 0; i < node->n_consumers; i++)
                if (node_runs(planner,
                              &planner->nodes[planner->consumers[node->first_consumer + i].node]))
                        return true;
        return false;
}

/* Hands a stage's snapshot, or NULL for a run of it, to those that run and link to it. */
static bool serve(struct chooser *chooser, const struct node *node, struct known *known)
{
        struct planner *planner = chooser->planner;

        for (uint32_t i = node->first_virtual; !known && i != NONE;
             i = planner->nodes[i].next_virtual)
                if (choose_waits(planner, &planner->nodes[i]) &&
                    !join(chooser, node->image, planner->nodes[i].image))
                        return false;
        for (uint32_t i = 0; i < node->n_consumers; i++) {
                const struct consumer *consumer = &planner->consumers[node->first_consumer + i];
                const struct node *asks = &planner->nodes[consumer->node];
                bool by_key = planner->links[consumer->link].by == IMGC_BY_KEY;

                if (!node_runs(planner, asks))
                        continue;
                if (!known) {
                        if (by_key && !join(chooser, node->image, asks->image))
                                return false;
                } else if (by_key) {
                        if (!enter_record(chooser, asks->image, known, known))
                                return false;
                } else if (asks->key &&
                           !resolve_fits(planner, node, asks, &planner->links[consumer->link],
                                         known->record)) {
                        return false;
                }
        }
        return true;
}

/* Serves all that is asked for of stages before `end` from one chain. */
static bool serve_from(struct chooser *chooser, uint32_t image, uint32_t end, struct known *known)
{
        struct planner *planner = chooser->planner;

        for (uint32_t s = 0; s < end; s++) {
                const struct node *node = node_of(planner, image, s);
                struct known *below;

                if (!is_asked_for(planner, node))
                        continue;
                below = resolve_below(planner, known, node);
                if (!below || !below->record || below->banned || !judge_is_present(below) ||
                    !serve(chooser, node, below))
                        return false;
        }
        return true;
}

/* The deepest stage that is asked for; NONE: nothing is. */
static uint32_t deepest_asked(const struct planner *planner, uint32_t image)
{
        for (uint32_t s = n_stages_of(planner, image); s-- > 0;)
                if (is_asked_for(planner, node_of(planner, image, s)))
                        return s;
        return NONE;
}

/* ------------------------------------------------------------------------------ ways */

/* What is kept is handed over as it is, by whatever made it. */
static bool serve_kept(struct chooser *chooser, uint32_t image)
{
        struct planner *planner = chooser->planner;

        for (uint32_t s = 0; s < n_stages_of(planner, image); s++) {
                struct node *node = node_of(planner, image, s);
                struct known *below = resolve_below(planner, work_of(planner, image)->kept, node);

                if (is_asked_for(planner, node) &&
                    (!below || !below->record || !serve(chooser, node, below)))
                        return false;
        }
        return true;
}

/* An image that need not run serves others from a snapshot, or by its outputs if it is asked for
 * as a whole. */
static bool try_idle(struct chooser *chooser, uint32_t image)
{
        struct planner *planner = chooser->planner;
        struct image_work *work = work_of(planner, image);
        const uint32_t deepest = deepest_asked(planner, image), n = n_stages_of(planner, image);
        struct node *node;
        size_t trail = chooser->trail.size;

        work->choice.decision = work->kept ? IMGC_DECISION_KEPT : IMGC_DECISION_UP_TO_DATE;
        if (deepest == NONE)
                return true;
        if (work->kept)
                return serve_kept(chooser, image);
        node = node_of(planner, image, deepest);
        judge_load(planner, node);
        for (size_t i = 0; i < node->n_records; i++) {
                struct known *known = node->records[i];

                if (known->banned || !judge_is_present(known) || !judge_is_usable(planner, known))
                        continue;
                if (serve_from(chooser, image, deepest + 1, known)) {
                        work->choice.restore = known;
                        work->choice.restore_node = node_number(planner, node);
                        return true;
                }
                undo(chooser, trail);
        }
        if (work->outputs_valid && deepest == n - 1 &&
            serve_from(chooser, image, deepest, work->output_record) &&
            serve(chooser, node, work->output_record))
                return true;
        undo(chooser, trail);
        return false;
}

static void set_runs(struct choice *choice, enum imgc_decision decision, uint32_t restore_node,
                     struct known *restore, uint32_t first_run)
{
        choice->decision = decision;
        choice->restore_node = restore_node;
        choice->restore = restore;
        choice->first_run = first_run;
}

/* Runs the stages from choice.first_run on. */
static bool try_run(struct chooser *chooser, uint32_t image)
{
        struct planner *planner = chooser->planner;
        struct choice *choice = &work_of(planner, image)->choice;
        struct known *restore = choice->restore;

        if (!choose_start_lineage(planner, image))
                return false;
        if (restore && !enter_record(chooser, image, restore, restore))
                return false;
        if (restore && !serve_from(chooser, image, choice->first_run, restore))
                return false;
        for (uint32_t s = 0; s < n_stages_of(planner, image); s++) {
                const struct node *node = node_of(planner, image, s);
                if (s < choice->first_run)
                        continue;
                if (node->key && !enter(chooser, image, node->same_key, IN_THIS_BUILD, NULL))
                        return false;
                if (is_asked_for(planner, node) && !serve(chooser, node, NULL))
                        return false;
        }
        return true;
}

static bool try_way(struct chooser *chooser, uint32_t image, enum imgc_decision decision,
                    uint32_t restore_node, struct known *restore, uint32_t first_run)
{
        struct image_work *work = work_of(chooser->planner, image);
        size_t trail = chooser->trail.size;

        set_runs(&work->choice, decision, restore_node, restore, first_run);
        if (try_run(chooser, image))
                return true;
        undo(chooser, trail);
        return false;
}

/* Snapshots of one stage, then what it could be appended to. */
static bool try_stage(struct chooser *chooser, uint32_t image, uint32_t stage)
{
        struct planner *planner = chooser->planner;
        struct node *node = node_of(planner, image, stage);
        const uint32_t number = node_number(planner, node);
        struct known *ancestor;
        struct verdict why;

        if (!node->key)
                return false;
        judge_load(planner, node);
        for (size_t i = 0; i < node->n_records; i++)
                if (!node->records[i]->banned && judge_is_present(node->records[i]) &&
                    judge_is_usable(planner, node->records[i]) &&
                    try_way(chooser, image, IMGC_DECISION_RESUME, number, node->records[i],
                            stage + 1))
                        return true;
        if (node->virtual_by != NONE &&
            try_way(chooser, image, IMGC_DECISION_RESUME, number, NULL, stage + 1))
                return true;
        ancestor = append_find(planner, node, &why);
        return ancestor && try_way(chooser, image, IMGC_DECISION_APPEND, number, ancestor, stage);
}

static bool is_satisfied(struct planner *planner, uint32_t image)
{
        struct image_work *work = work_of(planner, image);
        struct node *last = node_of(planner, image, n_stages_of(planner, image) - 1);

        if (planner->project->images[image].outputs[0])
                return work->outputs_valid;
        judge_load(planner, last);
        for (size_t i = 0; i < last->n_records; i++)
                if (judge_is_present(last->records[i]) &&
                    judge_is_usable(planner, last->records[i]))
                        return true;
        return false;
}

bool choose_image(struct chooser *chooser, uint32_t image)
{
        struct planner *planner = chooser->planner;
        struct image_work *work = work_of(planner, image);
        const uint32_t n = n_stages_of(planner, image);
        size_t trail = chooser->trail.size;

        set_runs(&work->choice, IMGC_DECISION_NOT_NEEDED, NONE, NULL, n);
        if (work->kept) {
                work->choice.decision = IMGC_DECISION_KEPT;
                return try_idle(chooser, image);
        }
        if (!work->required && deepest_asked(planner, image) == NONE)
                return true;
        if (!n) {
                work->choice.decision = IMGC_DECISION_UP_TO_DATE;
                return true;
        }
        if (is_satisfied(planner, image) && try_idle(chooser, image))
                return true;
        undo(chooser, trail);
        for (uint32_t s = n; s-- > 0;)
                if (try_stage(chooser, image, s))
                        return true;
        return try_way(chooser, image, IMGC_DECISION_REBUILD, NONE, NULL, 0);
}

uint32_t choose_cost(const struct planner *planner)
{
        uint32_t cost = 0;

        for (uint32_t i = 0; i < planner->project->n_images; i++)
                cost += n_stages_of(planner, i) - planner->images[i].choice.first_run;
        return cost;
}
