/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was added to a sequence of names, removed from it, and moved within it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NO_PARTNER UINT32_MAX

/* Pairs the elements of two sequences of different strings. old_partner[i] is the number of the
 * new element that equals old element i, or NO_PARTNER; new_partner likewise. moved[i] (old
 * elements that have a partner) is false of a longest sequence that stands in the same order on
 * both sides; of several longest ones, of the one that has the earlier old elements.
 *
 * All three arrays are the caller's, one element each. Returns 0 or -ENOMEM. */
int order_compare(const char *const *old_names, uint32_t n_old, const char *const *new_names,
                  uint32_t n_new, uint32_t *old_partner, uint32_t *new_partner, bool *moved);
