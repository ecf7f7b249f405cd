/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the steps of planning work on.
 *
 *     graph.c    project and manifest as nodes (stages) and links
 *     judge.c    records: the chain of predicates; lineage.c its last one
 *     outputs.c  what images are built for: is it there, and right?
 *     resolve.c  keys that depend on results
 *     choose.c   which snapshots are restored, which stages run
 *     append.c   what a stage could be appended to
 *     compare.c  two runs of a stage: which inputs differ
 *     explain.c  reasons
 *     plan.c     the object that keeps the outcome
 *
 * All of it lives as long as the call; memory is in one arena. Where there is none left,
 * `failed` is set, and the call fails at its end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <imagecache/plan.h>

#include "core/arena.h"
#include "core/error.h"
#include "manifest/key.h"
#include "manifest/manifest-internal.h"
#include "manifest/project-internal.h"
#include "plan/table.h"

#define NONE UINT32_MAX

struct planner;
struct old_stage;

/* Why a record cannot be used; code 0: it can. */
struct verdict {
        enum imgc_reason_code code;
        enum imgc_reason_code
                cause; /* upstream: the ancestor's own code; 0: its record is missing */
        const struct imgc_record *record; /* whom it is about: the record itself, or an ancestor */
        const struct imgc_ancestor *ancestor; /* upstream */
        const struct imgc_read_fact *fact;    /* read-changed */
        int64_t old_number, new_number;       /* of times and chains */
};

/* A record that was met, and what was found out about it. */
struct known {
        const struct imgc_record *record; /* NULL: the store has none of that id */
        uint32_t node;                    /* of its key, else of its scope and stage, else NONE */
        bool has_own, has_full;
        bool malformed; /* not what a store may hold */
        bool kept;      /* stands below an image that is kept: used whatever it is */
        bool banned;    /* does not go together with the rest of the plan */
        bool unreachable;
        const struct old_stage *lines; /* compare.c */
        struct verdict own;            /* predicates 2 to 7 */
        struct verdict full;           /* all of them */
};

/* A link from a stage to one that it needs. */
struct link {
        uint32_t to; /* node */
        enum imgc_link_by by;
        uint32_t input; /* number of the input in its stage; NONE: the stage before */
};

/* A stage of the project. */
struct node {
        uint32_t image, stage;
        const struct project_stage *of;
        const struct manifest_stage *sealed; /* NULL: not sealed */
        const char *key;                     /* NULL: not known */
        const char *previous;             /* JSON of what stands for the stage before in the key */
        const char *results;              /* resolve.c: JSON of the results it is taken to have */
        uint32_t same_key;                /* the first node with this key */
        uint32_t first_place, next_place; /* nodes of the same scope and stage */
        bool forced;
        bool has_records, unreachable;
        struct known **records; /* of the key, best first */
        size_t n_records;
        bool has_floor, floor_unreachable;
        uint64_t floor;
        uint32_t first_link, n_links;
        uint32_t first_consumer, n_consumers;
        uint32_t stamp; /* see judge.c */
        const char *stamp_id;
        bool rekeyed;         /* its key is not the manifest's */
        uint32_t alternative; /* which of its results are taken, of how many */
        uint32_t n_alternatives;
        /* The same stage in an earlier image that makes the snapshot in this build; and those that
         * wait for this one. */
        uint32_t virtual_by, first_virtual, next_virtual;
};

/* What is asked for of an image, found and chosen. */
struct choice {
        enum imgc_decision decision;
        uint32_t restore_node; /* NONE */
        struct known *restore; /* NULL: made in this build */
        uint32_t first_run;    /* number in the image; its number of stages: nothing runs */
        bool outputs_valid;    /* every declared output, made by one usable record */
        struct known *made_by;
};

struct image_work {
        bool required; /* by itself, not only for others */
        bool has_dependents;
        struct known *kept;
        uint8_t *output_states;      /* enum imgc_output_state */
        struct known *output_record; /* of the first output, or NULL */
        bool outputs_valid, outputs_unreachable;
        const char *kept_id;
        struct buffer reasons, stale; /* struct imgc_reason: explain.c */
        struct choice choice;
        /* What the image's lineage has of each key, where it runs: 0 nothing, IN_THIS_BUILD, or a
         * record's number. */
        int32_t *lineage;
        struct known **source; /* which restored record brought it */
        uint64_t *joins;       /* images whose running stages stand on running ones of this image */
};

struct consumer {
        uint32_t node, link;
};

struct planner {
        struct imgc_context *context;
        const struct imgc_project *project;
        const struct imgc_manifest *manifest; /* NULL: nothing is sealed */
        const struct imgc_plan_lookup *lookup;
        const struct imgc_plan_options *options;
        const char *head; /* of keys: the manifest's first line without `info` */
        struct arena arena;
        bool failed;
        struct node *nodes;
        uint32_t n_nodes;
        uint32_t *first_node; /* of each image */
        struct link *links;
        struct consumer *consumers;
        struct image_work *images;
        struct table by_key, by_place, by_id, kept_ids;
        struct known **known;
        size_t n_known, known_capacity;
        uint32_t max_append;
        uint32_t stamp;
        bool contradicts; /* what is kept does not go together with what must run */
        /* The keys of what is linked by output are not the manifest's, but resolve.c's. */
        bool resolves;
};

/* Zeroed memory of the arena; NULL sets `failed`. */
void *planner_alloc(struct planner *planner, size_t n, size_t size);
char *planner_copy(struct planner *planner, const char *data, size_t size);
char *planner_print(struct planner *planner, const char *format, ...) _printf_(2, 3);

static inline struct node *node_of(const struct planner *planner, uint32_t image, uint32_t stage)
{
        return &planner->nodes[planner->first_node[image] + stage];
}

static inline uint32_t node_number(const struct planner *planner, const struct node *node)
{
        return (uint32_t)(node - planner->nodes);
}

static inline const struct project_image *image_of(const struct planner *planner,
                                                   const struct node *node)
{
        return &planner->project->images[node->image];
}

/* graph.c */
int graph_build(struct planner *planner, struct imgc_error **reterr);

/* judge.c */
struct known *judge_find(struct planner *planner, const char *id);
struct known *judge_know(struct planner *planner, const struct imgc_record *record);
/* Loads the records under a node's key. */
void judge_load(struct planner *planner, struct node *node);
/* Predicates 2 to 7; all of them. */
const struct verdict *judge_own(struct planner *planner, struct known *known);
const struct verdict *judge_full(struct planner *planner, struct known *known);
/* Whether its results can be restored. */
bool judge_is_present(const struct known *known);
bool judge_results_equal(const struct imgc_record *record, const struct imgc_ancestor *ancestor);
static inline bool judge_is_usable(struct planner *planner, struct known *known)
{
        return !judge_full(planner, known)->code;
}

/* resolve.c */
/* Finds the keys, and chooses; with the results of what is linked by output that lead to least work. */
void resolve_and_choose(struct planner *planner);
/* A record's results as JSON; NULL where they are not those of the stage. */
const char *resolve_results(struct planner *planner, const struct node *node,
                            const struct imgc_record *record);
/* Whether a snapshot has the results that a stage counted on. */
bool resolve_fits(struct planner *planner, const struct node *node, const struct node *asks,
                  const struct link *link, const struct imgc_record *record);
/* The record of a stage that a record of the same image stands on, or is. */
struct known *resolve_below(struct planner *planner, const struct known *known,
                            const struct node *node);

/* outputs.c */
int outputs_judge(struct planner *planner, struct imgc_error **reterr);

/* choose.c */
void choose_all(struct planner *planner);
static inline bool node_runs(const struct planner *planner, const struct node *node)
{
        return node->stage >= planner->images[node->image].choice.first_run;
}
uint32_t choose_cost(const struct planner *planner);

/* append.c: the best ancestor to append to, or NULL; why not in *ret_why (code 0: there is none
 * that could be). */
struct known *append_find(struct planner *planner, struct node *node, struct verdict *ret_why);
