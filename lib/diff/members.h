/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares the members of two lines of manifests, as canonical JSON: a new member of the format
 * needs no code here. `info` does not count, and what names the thing is equal already. */
#pragma once

#include "diff/diff.h"

struct members {
        enum imgc_change_kind kind;
        const struct place *place;
        struct span old_line, new_line;
        bool has_items; /* "items" are told one by one */
};

int members_compare(struct imgc_diff *diff, const struct members *members);

/* Takes the change of a tree's digest back, if there is one from `first` on. */
void members_drop_digest(struct imgc_diff *diff, uint64_t first);
