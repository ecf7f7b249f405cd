/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reasons in words, for report-text.c. What comes from outside is made visible. */
#pragma once

#include "plan/plan.h"

/* "tree skeleton": an input with what it is. */
void phrase_input(struct buffer *out, const struct imgc_project *project,
                  const struct imgc_reason *reason);
/* What happened to one entry of a tree: "mode 0755 → 0700, content changed (1 B → 2 B)". */
void phrase_entry(struct buffer *out, const struct imgc_reason *reasons, uint32_t n, bool whole);
/* A reason on one line, without its stage. */
void phrase_reason(struct buffer *out, const struct imgc_reason *reason, bool whole);
