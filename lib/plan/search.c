/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides all images, again and again where that may run less.
 *
 * Where every way of an image contradicts what others stand on, some image behind it took the wrong
 * snapshot: that snapshot is banned, and everything is decided again. With all of them banned
 * nothing is restored, and nothing contradicts.
 *
 * A contradiction may also have cost more than another snapshot would. So those that ways were not
 * taken for are banned in turn as well, up to a limit, and the cheapest outcome is kept. Without a
 * contradiction the first outcome is the cheapest.
 */
#include "plan/choose.h"

/* How often everything is decided again in search of a cheaper outcome, and how many bans deep. */
#define LIMIT_TRIES 64u
#define LIMIT_BANS  3u

static bool decide_all(struct chooser *chooser)
{
        struct planner *planner = chooser->planner;

        chooser->trail.size = 0;
        chooser->culprits.size = 0;
        for (uint32_t i = 0; i < planner->project->n_images; i++) {
                planner->images[i].choice.first_run = planner->project->images[i].n_stages;
                if (planner->images[i].lineage)
                        choose_start_lineage(planner, i);
        }
        for (uint32_t i = planner->project->n_images; i-- > 0;)
                if (!choose_image(chooser, i))
                        return false;
        return true;
}

/* Marks stages that an earlier image of the scope runs and stores in this build. */
static bool mark_virtual(struct planner *planner)
{
        bool any = false;

        for (uint32_t i = 0; i < planner->n_nodes; i++) {
                struct node *node = &planner->nodes[i];

                if (!node->key || node->same_key == i || !node_runs(planner, node))
                        continue;
                for (uint32_t k = node->same_key; k < planner->first_node[node->image]; k++) {
                        struct node *maker = &planner->nodes[k];

                        if (!maker->key || maker->same_key != node->same_key ||
                            !node_runs(planner, maker) || maker->of->snapshot != IMGC_SNAPSHOT_YES)
                                continue;
                        node->virtual_by = k;
                        node->next_virtual = maker->first_virtual;
                        maker->first_virtual = i;
                        any = true;
                        break;
                }
        }
        return any;
}

static void clear_virtual(struct planner *planner)
{
        for (uint32_t i = 0; i < planner->n_nodes; i++)
                planner->nodes[i].virtual_by = planner->nodes[i].first_virtual =
                        planner->nodes[i].next_virtual = NONE;
}

/* Whether everything that images wait for is made. */
static bool is_made(const struct planner *planner)
{
        for (uint32_t i = 0; i < planner->n_nodes; i++) {
                const struct node *node = &planner->nodes[i];

                if (node->virtual_by != NONE && choose_waits(planner, node) &&
                    !node_runs(planner, &planner->nodes[node->virtual_by]))
                        return false;
        }
        return true;
}

/* Decides, and bans what stands in the way, until something holds. */
static bool find_any(struct chooser *chooser)
{
        struct planner *planner = chooser->planner;

        while (!planner->failed && !decide_all(chooser)) {
                /* Each round bans one more; what is kept cannot be banned. */
                if (!chooser->culprit || chooser->culprit->banned || chooser->culprit->kept)
                        return false;
                chooser->culprit->banned = true;
                chooser->culprit = NULL;
        }
        return true;
}

static void keep_if_cheaper(struct chooser *chooser)
{
        struct planner *planner = chooser->planner;
        const uint32_t cost = choose_cost(planner);

        if (cost >= chooser->best_cost)
                return;
        chooser->best_cost = cost;
        chooser->best.size = 0;
        for (size_t i = 0; i < planner->n_known; i++)
                if (planner->known[i]->banned)
                        buffer_add(&chooser->best, &planner->known[i], sizeof(struct known *));
}

/* Bans each culprit of the last outcome in turn. */
static void search(struct chooser *chooser, uint32_t depth)
{
        struct buffer culprits = TAKE(chooser->culprits, (struct buffer){0});
        struct known **list = (struct known **)(void *)culprits.data;

        for (size_t i = 0; i < culprits.size / sizeof(*list) && !chooser->planner->failed; i++) {
                if (!list[i] || list[i]->banned || list[i]->kept || chooser->n_tries >= LIMIT_TRIES)
                        continue;
                chooser->n_tries++;
                list[i]->banned = true;
                if (decide_all(chooser))
                        keep_if_cheaper(chooser);
                if (depth + 1 < LIMIT_BANS)
                        search(chooser, depth + 1);
                list[i]->banned = false;
        }
        chooser->planner->failed |= culprits.failed;
        buffer_free(&culprits);
}

static void set_banned(struct planner *planner, const struct buffer *banned)
{
        struct known *const *list = (struct known *const *)(const void *)banned->data;

        for (size_t i = 0; i < planner->n_known; i++)
                planner->known[i]->banned = false;
        for (size_t i = 0; i < banned->size / sizeof(*list); i++)
                list[i]->banned = true;
}

static void choose_once(struct planner *planner)
{
        struct chooser chooser = {.planner = planner, .best_cost = UINT32_MAX};

        set_banned(planner, &chooser.best);
        planner->contradicts = !find_any(&chooser);
        keep_if_cheaper(&chooser);
        if (!planner->contradicts && !planner->failed &&
            (chooser.culprits.size || chooser.best.size)) {
                set_banned(planner, &(struct buffer){0});
                if (decide_all(&chooser))
                        keep_if_cheaper(&chooser);
                search(&chooser, 0);
                set_banned(planner, &chooser.best);
                if (!planner->failed)
                        planner->contradicts = !decide_all(&chooser);
        }
        planner->failed |= chooser.trail.failed || chooser.culprits.failed || chooser.best.failed;
        buffer_free(&chooser.trail);
        buffer_free(&chooser.culprits);
        buffer_free(&chooser.best);
}

void choose_all(struct planner *planner)
{
        clear_virtual(planner);
        choose_once(planner);
        if (planner->failed || planner->contradicts || !mark_virtual(planner))
                return;
        choose_once(planner);
        if (planner->failed || is_made(planner))
                return;
        clear_virtual(planner);
        choose_once(planner);
}
