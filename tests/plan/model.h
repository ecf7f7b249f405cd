/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "reference.h"
#include "session.h"

extern const struct shape shapes[];
extern const int n_shapes;

/* A shape with a history: the same facts as the library's records and as the reference's runs. */
struct model {
        const struct shape *shape;
        struct imgc_context *context;
        struct session session;
        struct world world;
        struct run runs[RECORDS_MAX];
        struct imgc_record *records[RECORDS_MAX]; /* those of the store, writable here */
        int n_runs;
};

void model_open(struct model *model, struct imgc_context *context, const struct shape *shape);
void model_close(struct model *model);

/* The project as the world has it. */
struct imgc_project *model_project(const struct model *model);
/* Builds it, all of it or some stages. */
void model_build(struct model *model, uint32_t stop_after);

/* Plans, compares with the reference, and returns what is wrong, to be freed; NULL: nothing. */
char *model_check(struct model *model);
