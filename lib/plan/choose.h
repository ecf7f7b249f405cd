/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Choosing: choose.c decides one image, search.c all of them. */
#pragma once

#include "plan/model.h"

/* What a way entered, to be undone if it is not taken in the end. */
struct trail_entry {
        uint32_t image, key;
};

struct chooser {
        struct planner *planner;
        struct buffer trail;    /* struct trail_entry */
        struct known *culprit;  /* the snapshot that the last contradiction was about */
        struct buffer culprits; /* struct known *: those of all contradictions */
        uint32_t n_tries, best_cost;
        struct buffer best; /* struct known *: banned in the cheapest outcome */
};

/* Decides an image; those behind it are decided. False: every way contradicts them. */
bool choose_image(struct chooser *chooser, uint32_t image);
/* An image that stands on nothing yet. */
bool choose_start_lineage(struct planner *planner, uint32_t image);
/* Whether an image restores what a stage of an earlier one is about to make. */
bool choose_waits(const struct planner *planner, const struct node *node);
