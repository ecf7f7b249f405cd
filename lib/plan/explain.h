/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reasons: explain.c finds whom to compare an image with and what stands in its records' way,
 * explain-chain.c compares images stage by stage, explain-inputs.c inputs. */
#pragma once

#include "plan/compare.h"
#include "plan/model.h"

/* A list of reasons. Its strings are copies in the planner's arena, or the project's. */
struct reasons {
        struct planner *planner;
        struct buffer list;                /* struct imgc_reason */
        const char *image, *stage, *input; /* of what is added next */
};

static inline size_t reasons_count(const struct reasons *reasons)
{
        return reasons->list.size / sizeof(struct imgc_reason);
}

static inline struct imgc_reason *reasons_at(const struct reasons *reasons, size_t i)
{
        return (struct imgc_reason *)(void *)reasons->list.data + i;
}

/* Adds one; NULL members are left out, the others copied. */
void reasons_add(struct reasons *reasons, enum imgc_reason_code code, const char *path,
                 const char *attribute, const char *old_value, const char *new_value);

/* Adds what differs between a record of a stage and the stage now, for inputs with that on_change. */
void explain_inputs(struct reasons *reasons, const struct node *node,
                    const struct imgc_record *record, enum imgc_on_change on_change,
                    const struct imgc_record *whole);

/* Compares the stages `from` … `to` of an image with what a record stands on, or is. */
void explain_chain(struct reasons *reasons, uint32_t image, uint32_t from, uint32_t to,
                   const struct imgc_record *whole);
/* Adds "upstream" for a link, with what changed there. */
void explain_link(struct reasons *reasons, const struct node *to, const struct imgc_record *whole);
/* A verdict as a reason of a stage. */
void explain_verdict(struct reasons *reasons, const struct verdict *verdict);

/* In the order of images: reasons for what an image needs come before its own. */
void explain_image(struct planner *planner, uint32_t image);

/* Marks members of `now` that stand in another order than in `before`: those that are not in a
 * longest common subsequence. before[i] is the old position of member i, or NONE. */
bool explain_moved(const uint32_t *before, uint32_t n, bool *moved);
