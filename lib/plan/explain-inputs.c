/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which inputs of a stage differ, and in what. */
#include <imagecache/diff.h>

#include "core/io.h"
#include "manifest/json.h"
#include "plan/explain.h"
#include "tree/tree.h"

static const char *copy(struct planner *planner, const char *string)
{
        return string ? planner_copy(planner, string, strlen(string)) : NULL;
}

void reasons_add(struct reasons *reasons, enum imgc_reason_code code, const char *path,
                 const char *attribute, const char *old_value, const char *new_value)
{
        struct planner *planner = reasons->planner;
        struct imgc_reason reason = {
                .size = sizeof(reason),
                .code = code,
                .image = reasons->image,
                .stage = reasons->stage,
                .input = copy(planner, reasons->input),
                .path = copy(planner, path),
                .attribute = copy(planner, attribute),
                .old_value = copy(planner, old_value),
                .new_value = copy(planner, new_value),
        };

        buffer_add(&reasons->list, &reason, sizeof(reason));
        planner->failed |= reasons->list.failed;
}

/* ------------------------------------------------------------------------------ order */

bool explain_moved(const uint32_t *before, uint32_t n, bool *moved)
{
        /* The longest rising row of old positions that ends at each member, quadratic: siblings are
         * few. */
        uint32_t *length = imgc_io_calloc((size_t)n * 2 + 1, sizeof(*length)), *from = length + n,
                 last = NONE;

        if (!length)
                return false;
        for (uint32_t i = 0; i < n; i++) {
                moved[i] = before[i] != NONE;
                if (before[i] == NONE)
                        continue;
                length[i] = 1;
                from[i] = NONE;
                for (uint32_t k = 0; k < i; k++)
                        if (before[k] != NONE && before[k] < before[i] &&
                            length[k] + 1 > length[i]) {
                                length[i] = length[k] + 1;
                                from[i] = k;
                        }
                if (last == NONE || length[i] > length[last])
                        last = i;
        }
        for (; last != NONE; last = from[last])
                moved[last] = false;
        free(length);
        return true;
}

/* ------------------------------------------------------------------------------ values */

static const char *spell(struct planner *planner, const struct json *value)
{
        _cleanup_buffer_ struct buffer text = {0};

        if (!value)
                return NULL;
        json_add(&text, value);
        return text.failed ? NULL : planner_copy(planner, text.data, text.size);
}

/* An item as a person would write it; JSON of one that is not a string. */
static const char *spell_item(struct planner *planner, const struct json *item)
{
        return json_is_plain_string(item) ? item->text : spell(planner, item);
}

static void add_items(struct reasons *reasons, const struct json *now, const struct json *before)
{
        const struct json *a = json_get(before, "items"), *b = json_get(now, "items");
        const size_t start = reasons->list.size;

        if (!a || !b || a->type != JSON_ARRAY || b->type != JSON_ARRAY)
                return;
        for (const struct json *item = b->first; item; item = item->next)
                if (!compare_has_item(a, item))
                        reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, "added", NULL,
                                    spell_item(reasons->planner, item));
        for (const struct json *item = a->first; item; item = item->next)
                if (!compare_has_item(b, item))
                        reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, "removed",
                                    spell_item(reasons->planner, item), NULL);
        if (reasons->list.size == start)
                reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, "items",
                            spell(reasons->planner, a), spell(reasons->planner, b));
}

/* ------------------------------------------------------------------------------ trees */

static void add_diff(struct reasons *reasons, struct imgc_diff *diff)
{
        struct imgc_diff_iterator *iterator = NULL;
        const struct imgc_change *change;
        int r = imgc_diff_iterator_new(diff, &iterator, NULL);

        while (r >= 0 && (r = imgc_diff_iterator_next(iterator, &change, NULL)) > 0) {
                static const char *const attributes[] = {
                        [IMGC_CHANGE_ENTRY_ADDED] = "added",
                        [IMGC_CHANGE_ENTRY_REMOVED] = "removed",
                        [IMGC_CHANGE_ENTRY_MOVED] = "moved",
                        [IMGC_CHANGE_ENTRY_CHANGED] = NULL,
                };
                const char *attribute =
                        change->kind < ELEMENTSOF(attributes) ? attributes[change->kind] : NULL;

                reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, change->path,
                            attribute ? attribute : change->attribute, change->old_value,
                            change->new_value);
        }
        imgc_diff_iterator_free(iterator);
        if (r < 0)
                reasons->planner->failed = true;
}

/* False: the listings tell nothing, because one is not there or cannot be read. */
static bool add_tree_changes(struct reasons *reasons, const struct manifest_input *now,
                             const struct old_input *before)
{
        struct imgc_context *context = reasons->planner->context;
        _cleanup_(imgc_tree_unrefp) struct imgc_tree *a = NULL, *b = NULL;
        struct imgc_diff *diff = NULL;
        const size_t start = reasons->list.size;

        if (!now->listing.data || !before->listing.data)
                return false;
        if (imgc_tree_parse(context, before->listing.data, before->listing.size, NULL, &a, NULL) <
                    0 ||
            imgc_tree_parse(context, now->listing.data, now->listing.size, NULL, &b, NULL) < 0 ||
            imgc_diff_trees(context, a, b, &diff, NULL) < 0)
                return false;
        add_diff(reasons, diff);
        imgc_diff_unref(diff);
        return reasons->list.size > start;
}

static bool is_same_member(struct planner *planner, const struct json *a, const struct json *b)
{
        const char *x = spell(planner, a), *y = spell(planner, b);

        return (!x || !y) ? x == y : !strcmp(x, y);
}

/* Members that only one has, or that differ. */
static void add_members(struct reasons *reasons, const struct json *now, const struct json *before,
                        const char *skip)
{
        struct planner *planner = reasons->planner;

        for (const struct json *member = before->first; member; member = member->next) {
                const struct json *other = json_get(now, member->name);

                if (strcmp(member->name, "info") != 0 && strcmp(member->name, skip) != 0 &&
                    !is_same_member(planner, member, other))
                        reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, member->name,
                                    spell(planner, member), spell(planner, other));
        }
        for (const struct json *member = now->first; member; member = member->next)
                if (strcmp(member->name, "info") != 0 && strcmp(member->name, skip) != 0 &&
                    !json_get(before, member->name))
                        reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, member->name, NULL,
                                    spell(planner, member));
}

static void add_changed(struct reasons *reasons, const struct node *node, uint32_t input,
                        const struct old_input *before, const struct imgc_record *whole)
{
        struct planner *planner = reasons->planner;
        const struct manifest_input *now =
                &planner->manifest->inputs[node->sealed->first_input + input];
        const struct json *json = compare_parse_now(planner, node, input);
        const bool same_type = now->type == before->type;

        if (!json)
                return;
        if (now->type == IMGC_INPUT_IMAGE && before->type == IMGC_INPUT_IMAGE) {
                const struct project_input *of =
                        project_input_of(planner->project, node->of, input);

                explain_link(reasons, node_of(planner, of->image, of->stage), whole);
        } else if (now->flags & IMGC_INPUT_SECRET || json_get(before->json, "secret")) {
                /* Not even its HMAC is anybody's business. */
                reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, "secret", NULL, NULL);
        } else if (same_type && (now->type == IMGC_INPUT_LIST || now->type == IMGC_INPUT_SET)) {
                add_items(reasons, json, before->json);
                if (now->flags & IMGC_INPUT_APPEND ? !before->append : before->append)
                        add_members(reasons, json, before->json, "items");
        } else if (same_type && now->type >= IMGC_INPUT_TREE && now->type <= IMGC_INPUT_FILES) {
                add_members(reasons, json, before->json, "digest");
                if (!is_same_member(planner, json_get(json, "digest"),
                                    json_get(before->json, "digest")) &&
                    now->digest && !add_tree_changes(reasons, now, before))
                        reasons_add(reasons, IMGC_REASON_INPUT_CHANGED, NULL, "digest",
                                    spell(planner, json_get(before->json, "digest")),
                                    spell(planner, json_get(json, "digest")));
        } else {
                add_members(reasons, json, before->json, "");
        }
}

/* ------------------------------------------------------------------------------ inputs */

static void add_moved(struct reasons *reasons, const struct node *node,
                      const struct old_stage *old_stage)
{
        struct planner *planner = reasons->planner;
        const uint32_t n = node->sealed->n_inputs;
        uint32_t *before = planner_alloc(planner, n, sizeof(*before));
        bool *moved = planner_alloc(planner, n, sizeof(*moved));

        if (!before || !moved)
                return;
        for (uint32_t i = 0; i < n; i++) {
                const struct manifest_input *now =
                        &planner->manifest->inputs[node->sealed->first_input + i];

                before[i] = now->on_change == IMGC_ON_CHANGE_REBUILD ?
                                    compare_find(old_stage, now->name) :
                                    NONE;
        }
        if (!explain_moved(before, n, moved)) {
                planner->failed = true;
                return;
        }
        for (uint32_t i = 0; i < n; i++) {
                if (!moved[i])
                        continue;
                reasons->input = planner->manifest->inputs[node->sealed->first_input + i].name;
                reasons_add(reasons, IMGC_REASON_INPUT_MOVED, NULL, NULL,
                            planner_print(planner, "%u", before[i] + 1),
                            planner_print(planner, "%u", i + 1));
        }
}

void explain_inputs(struct reasons *reasons, const struct node *node,
                    const struct imgc_record *record, enum imgc_on_change on_change,
                    const struct imgc_record *whole)
{
        struct planner *planner = reasons->planner;
        const struct old_stage *old_stage = compare_read(planner, record);

        if (!old_stage || !old_stage->known || !node->sealed)
                return;
        for (uint32_t i = 0; i < node->sealed->n_inputs; i++) {
                const struct manifest_input *now =
                        &planner->manifest->inputs[node->sealed->first_input + i];
                uint32_t k;

                if (now->on_change != on_change)
                        continue;
                reasons->input = now->name;
                k = compare_find(old_stage, now->name);
                if (k == NONE)
                        reasons_add(reasons, IMGC_REASON_INPUT_ADDED, NULL, NULL, NULL, NULL);
                else if (!compare_is_equal(planner, node, i, &old_stage->inputs[k]))
                        add_changed(reasons, node, i, &old_stage->inputs[k], whole);
        }
        for (uint32_t k = 0; k < old_stage->n_inputs; k++) {
                uint32_t i = 0;

                if (old_stage->inputs[k].on_change != (uint32_t)on_change)
                        continue;
                while (i < node->sealed->n_inputs &&
                       strcmp(planner->manifest->inputs[node->sealed->first_input + i].name,
                              old_stage->inputs[k].name) != 0)
                        i++;
                reasons->input = old_stage->inputs[k].name;
                if (i == node->sealed->n_inputs)
                        reasons_add(reasons, IMGC_REASON_INPUT_REMOVED, NULL, NULL, NULL, NULL);
        }
        if (on_change == IMGC_ON_CHANGE_REBUILD)
                add_moved(reasons, node, old_stage);
        reasons->input = NULL;
}
