/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two runs of a stage: which inputs differ. */
#pragma once

#include "plan/model.h"

/* An input of a record. */
struct old_input {
        const char *name;
        enum imgc_input_type type;
        uint32_t on_change; /* enum imgc_on_change */
        bool append;
        struct span line;    /* with `info` */
        struct span listing; /* data is NULL where none was kept */
        const struct json *json;
};

struct old_stage {
        struct old_input *inputs;
        uint32_t n_inputs;
        const struct json *json; /* of its line */
        bool known;              /* false: the record has no lines that can be read */
};

/* Takes a record's lines apart, once. Never NULL but without memory. */
const struct old_stage *compare_read(struct planner *planner, const struct imgc_record *record);

/* The number of a record's input of that name, or NONE. */
uint32_t compare_find(const struct old_stage *old_stage, const char *name);

/* A JSON object without `info`, canonical, ended by NUL. */
const char *compare_spell(struct planner *planner, const struct json *object);
/* The same of the present line of an input. */
const char *compare_spell_now(struct planner *planner, const struct node *node, uint32_t input);
/* The present line as JSON. NULL without memory. */
const struct json *compare_parse_now(struct planner *planner, const struct node *node,
                                     uint32_t input);

/* What a link says, as JSON: the key or the results of the stage it points to; NULL: not known. */
const char *compare_link_now(struct planner *planner, const struct node *node, uint32_t input);

/* Whether an input is what it was. */
bool compare_is_equal(struct planner *planner, const struct node *node, uint32_t input,
                      const struct old_input *old_input);

/* Whether a "stale" input of a sealed stage differs from what the record was made with. */
bool compare_is_stale(struct planner *planner, const struct node *node,
                      const struct imgc_record *record);

/* How many inputs differ, by name; for finding the nearest record. */
uint32_t compare_count(struct planner *planner, const struct node *node,
                       const struct imgc_record *record);

/* Whether the stage differs from the record in nothing but growth of "append" sets, with
 * *ret_items more. */
bool compare_is_growth(struct planner *planner, const struct node *node,
                       const struct imgc_record *record, size_t *ret_items);
/* Whether the item stands in the record's set. */
bool compare_has_item(const struct json *items, const struct json *item);
