/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must run, from first principles and without a thought for speed: no keys, no manifests, no
 * chain of predicates. A result is right if it was made of what is there now, by what is right
 * itself; every way of taking what is there is tried, and the cheapest that holds is the answer.
 *
 * Nothing here knows how the library decides; both must agree.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IMAGES_MAX  3
#define STAGES_MAX  3
#define INPUTS_MAX  3
#define LINKS_MAX   2
#define RECORDS_MAX 64

enum {
        ADDED_NO = -1
};

struct link_shape {
        int image, stage; /* image -1: none */
        bool by_output;
};

struct stage_shape {
        const char *name;
        bool snapshot, previous_by_output;
        int64_t max_age;    /* 0: any */
        const char *inputs; /* "o": an option, "s": a set that may grow, one letter each */
        struct link_shape links[LINKS_MAX];
        int n_links;
};

struct image_shape {
        const char *name, *scope;
        bool has_output;
        int n_stages;
        struct stage_shape stages[STAGES_MAX];
};

struct shape {
        const char *name;
        int n_images, max_append;
        struct image_shape images[IMAGES_MAX];
};

/* What is there now. Options have small numbers, sets have bits. */
struct world {
        const struct shape *shape;
        int builder;
        int values[IMAGES_MAX][STAGES_MAX][INPUTS_MAX];
        bool forced[IMAGES_MAX][STAGES_MAX];
        int64_t now;
        bool output_there[IMAGES_MAX];           /* as it was made */
        int output_by[IMAGES_MAX];               /* a record, or -1 */
        uint64_t floors[IMAGES_MAX][STAGES_MAX]; /* of places; those of one scope are equal */
};

/* One run of a stage, as whoever ran it remembers it. */
struct run {
        const char *id;
        int image, stage; /* where it ran */
        int builder;
        int values[INPUTS_MAX];
        int previous;         /* a run, or -1 */
        int links[LINKS_MAX]; /* runs */
        int appended_to;      /* a run, or -1 */
        int depth;
        char result[33];
        uint64_t generation;
        int64_t begin;
        bool stored, evicted, damaged;
};

enum way {
        WAY_IDLE,
        WAY_RESUME,
        WAY_APPEND,
        WAY_WAIT,
        WAY_REBUILD
};

struct decision {
        enum way way;
        int stage; /* restored */
        int run;   /* the run that is restored */
};

struct reference {
        const struct world *world;
        const struct run *runs;
        int n_runs;
};

/* Whether a run is still right for a stage. */
bool reference_is_right(const struct reference *reference, int run, int image, int stage);
/* Whether these decisions hold; *ret_cost: stages that run. */
bool reference_holds(const struct reference *reference, const struct decision decisions[IMAGES_MAX],
                     int *ret_cost);
/* The cheapest that hold. */
int reference_best(const struct reference *reference);
