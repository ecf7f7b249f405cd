/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diff/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/io.h"

struct named {
        const char *name;
        uint32_t number;
};

static int compare_named(const void *a, const void *b)
{
        return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static struct named *sorted(const char *const *names, uint32_t n)
{
        struct named *list = imgc_io_calloc(n, sizeof(*list));

        for (uint32_t i = 0; list && i < n; i++)
                list[i] = (struct named){names[i], i};
        if (list && n)
                qsort(list, n, sizeof(*list), compare_named);
        return list;
}

static int find_partners(const char *const *old_names, uint32_t n_old, const char *const *new_names,
                         uint32_t n_new, uint32_t *old_partner, uint32_t *new_partner)
{
        _cleanup_free_ struct named *olds = sorted(old_names, n_old),
                                    *news = sorted(new_names, n_new);

        if (!olds || !news)
                return -ENOMEM;
        for (uint32_t i = 0; i < n_old; i++)
                old_partner[i] = NO_PARTNER;
        for (uint32_t i = 0; i < n_new; i++)
                new_partner[i] = NO_PARTNER;
        for (uint32_t i = 0, j = 0; i < n_old && j < n_new;) {
                int order = strcmp(olds[i].name, news[j].name);

                if (!order) {
                        old_partner[olds[i].number] = news[j].number;
                        new_partner[news[j].number] = olds[i].number;
                }
                i += order <= 0;
                j += order >= 0;
        }
        return 0;
}

/* A longest common subsequence of two permutations is a longest rising sequence of partners.
 * length[i] is that of the longest one that begins with old element i: found from the end, with
 * heads[k] the largest partner with which one of length k + 1 can begin. */
static int find_lengths(const uint32_t *partner, uint32_t n, uint32_t *length,
                        uint32_t *ret_longest)
{
        _cleanup_free_ uint32_t *heads = imgc_io_calloc(n, sizeof(*heads));
        uint32_t longest = 0;

        if (!heads)
                return -ENOMEM;
        for (uint32_t i = n; i-- > 0;) {
                uint32_t low = 0, high = longest;

                if (partner[i] == NO_PARTNER)
                        continue;
                /* heads falls; the first that is not larger gives way. */
                while (low < high) {
                        uint32_t middle = low + (high - low) / 2;

                        if (heads[middle] > partner[i])
                                low = middle + 1;
                        else
                                high = middle;
                }
                heads[low] = partner[i];
                length[i] = low + 1;
                longest = MAX(longest, low + 1);
        }
        *ret_longest = longest;
        return 0;
}

int order_compare(const char *const *old_names, uint32_t n_old, const char *const *new_names,
                  uint32_t n_new, uint32_t *old_partner, uint32_t *new_partner, bool *moved)
{
        _cleanup_free_ uint32_t *length = imgc_io_calloc(n_old, sizeof(*length));
        uint32_t left, least = 0;
        int r;

        if (!length)
                return -ENOMEM;
        r = find_partners(old_names, n_old, new_names, n_new, old_partner, new_partner);
        if (r >= 0)
                r = find_lengths(old_partner, n_old, length, &left);
        if (r < 0)
                return r;
        for (uint32_t i = 0; i < n_old; i++) {
                bool stays = old_partner[i] != NO_PARTNER && length[i] == left && left &&
                             old_partner[i] >= least;

                moved[i] = old_partner[i] != NO_PARTNER && !stays;
                if (stays) {
                        least = old_partner[i] + 1;
                        left--;
                }
        }
        return 0;
}
