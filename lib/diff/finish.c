/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is done with all changes when they are known. */
#include "diff/diff.h"

int diff_finish(struct imgc_diff *diff)
{
        size_t n_compared = 0, n_left_out = 0;

        for (int f = 0; f < N_FIELDS; f++) {
                if (has_field(diff->fields_compared, (enum field)f))
                        diff->compared[n_compared++] = field_names[f];
                if (has_field(diff->fields_left_out, (enum field)f))
                        diff->left_out[n_left_out++] = field_names[f];
        }
        return diff_find_moves(diff);
}
