/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares two trees. */
#include <errno.h>

#include "core/error.h"
#include "diff/diff.h"

IMGC_EXPORT int imgc_diff_trees(struct imgc_context *context, struct imgc_tree *old_tree,
                                struct imgc_tree *new_tree, struct imgc_diff **ret,
                                struct imgc_error **reterr)
{
        _cleanup_(imgc_diff_unrefp) struct imgc_diff *diff = NULL;
        struct place place = {.old_listing = old_tree->listing, .new_listing = new_tree->listing};
        int r;

        if (!old_tree->listing.data || !new_tree->listing.data)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -ENODATA, "compare", NULL,
                                    "a tree was read without its listing");
        r = diff_new(&diff);
        if (r < 0)
                return error_no_memory(reterr);
        diff->old_tree = imgc_tree_ref(old_tree);
        diff->new_tree = imgc_tree_ref(new_tree);
        place.compared = diff_fields(diff, &old_tree->listing, &new_tree->listing);
        r = diff_compare_listings(context, diff, &place);
        if (r >= 0)
                r = diff_finish(diff);
        if (r < 0)
                return diff_fail(r, reterr);
        *ret = TAKE_PTR(diff);
        return 0;
}
