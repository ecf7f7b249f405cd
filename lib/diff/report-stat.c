/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A diff in numbers: how many things of each kind, and how many entries by attribute. */
#include "diff/describe.h"
#include "diff/report.h"

static const struct {
        enum imgc_change_kind kind;
        const char *title;
} kinds[] = {
        {IMGC_CHANGE_PROJECT_CHANGED, "project changed"},
        {IMGC_CHANGE_IMAGE_ADDED, "images added"},
        {IMGC_CHANGE_IMAGE_REMOVED, "images removed"},
        {IMGC_CHANGE_IMAGE_MOVED, "images moved"},
        {IMGC_CHANGE_IMAGE_CHANGED, "images changed"},
        {IMGC_CHANGE_STAGE_ADDED, "stages added"},
        {IMGC_CHANGE_STAGE_REMOVED, "stages removed"},
        {IMGC_CHANGE_STAGE_MOVED, "stages moved"},
        {IMGC_CHANGE_STAGE_CHANGED, "stages changed"},
        {IMGC_CHANGE_INPUT_ADDED, "inputs added"},
        {IMGC_CHANGE_INPUT_REMOVED, "inputs removed"},
        {IMGC_CHANGE_INPUT_MOVED, "inputs moved"},
        {IMGC_CHANGE_INPUT_CHANGED, "inputs changed"},
        {IMGC_CHANGE_ITEM_ADDED, "items added"},
        {IMGC_CHANGE_ITEM_REMOVED, "items removed"},
        {IMGC_CHANGE_ENTRY_CHANGED, "entries changed"},
        {IMGC_CHANGE_ENTRY_ADDED, "entries added"},
        {IMGC_CHANGE_ENTRY_REMOVED, "entries removed"},
        {IMGC_CHANGE_ENTRY_MOVED, "entries moved"},
};

/* Several attributes of one thing are one change of it. */
static bool is_same_thing(const struct imgc_diff *diff, const struct change *a,
                          const struct change *b)
{
        if (a->kind != b->kind || a->place != b->place)
                return false;
        if (change_is_of_entry(a))
                return a->entry == b->entry;
        return diff_text(diff, a)->attribute && diff_text(diff, b)->attribute;
}

void report_stat(struct report *report)
{
        uint64_t n_kind[IMGC_CHANGE_ITEM_REMOVED + 1] = {0}, n_keyword[N_KEYWORDS] = {0};
        const struct imgc_diff *diff = report->diff;
        const struct change *before = NULL;

        for (uint64_t i = 0; i < diff->n_changes; before = &diff->changes[i++]) {
                const struct change *c = &diff->changes[i];
                bool same = before && is_same_thing(diff, before, c);

                n_kind[c->kind] += !same;
                if (c->kind == IMGC_CHANGE_ENTRY_CHANGED &&
                    !(same && c->keyword == before->keyword))
                        n_keyword[c->keyword]++;
        }
        for (size_t i = 0; i < ELEMENTSOF(kinds); i++)
                if (n_kind[kinds[i].kind])
                        buffer_printf(&report->out, "%-16s %8llu\n", kinds[i].title,
                                      (unsigned long long)n_kind[kinds[i].kind]);
        for (int k = 0; k < N_KEYWORDS; k++)
                if (n_keyword[k])
                        buffer_printf(&report->out, "  %-14s %8llu\n",
                                      keyword_title((enum keyword)k),
                                      (unsigned long long)n_keyword[k]);
}
