/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys that depend on more than the inputs that were read: on the results of what is linked by
 * output, and on images that are kept.
 *
 * The results of a stage are known where a record that can be used has them; its snapshot may be
 * gone. Where records differ (a stage that ran twice need not give the same), each of them may
 * lead to other snapshots behind it: they are tried in turn, up to a limit, and the one with the
 * least to run is taken.
 */
#include "core/text.h"
#include "manifest/json.h"
#include "manifest/line.h"
#include "plan/compare.h"
#include "plan/model.h"

/* How many combinations of results are tried. */
#define LIMIT_COMBINATIONS 64u

const char *resolve_results(struct planner *planner, const struct node *node,
                            const struct imgc_record *record)
{
        _cleanup_buffer_ struct buffer text = {0}, canonical = {0};
        struct json_fault fault;
        struct json *json;

        if (record->n_results != node->of->n_results)
                return NULL;
        buffer_add_char(&text, '{');
        for (size_t i = 0; i < record->n_results; i++) {
                const struct imgc_record_result *result = &record->results[i];

                if (!result->name || strcmp(result->name, node->of->results[i]) != 0)
                        return NULL;
                if (i)
                        buffer_add_char(&text, ',');
                text_add_json(&text, result->name, strlen(result->name));
                buffer_add_char(&text, ':');
                text_add_json_bytes(&text, result->digest);
        }
        buffer_add_char(&text, '}');
        if (text.failed || json_parse(&planner->arena, text.data, text.size, &json, &fault) < 0)
                return NULL;
        json_add(&canonical, json);
        return canonical.failed ? NULL : planner_copy(planner, canonical.data, canonical.size);
}

bool resolve_fits(struct planner *planner, const struct node *node, const struct node *asks,
                  const struct link *link, const struct imgc_record *record)
{
        const char *wanted = compare_link_now(planner, asks, link->input);
        const char *has = resolve_results(planner, node, record);

        return wanted && has && !strcmp(wanted, has);
}

/* ------------------------------------------------------------------------------ keys */

/* What stands for the stage before, as JSON; sets `failed` without memory. False: not known. */
static bool find_previous(struct planner *planner, struct node *node)
{
        const struct node *before = node - 1;
        const struct json *json, *info, *previous;
        struct json_fault fault;
        struct json *parsed;

        node->previous = NULL;
        if (!node->stage)
                return true;
        if (node->of->previous == IMGC_BY_KEY) {
                node->previous = before->key ? planner_print(planner, "\"%s\"", before->key) : NULL;
                return node->previous;
        }
        if (planner->resolves || before->rekeyed) {
                node->previous = before->results;
                return node->previous;
        }
        if (json_parse(&planner->arena, node->sealed->line.data, node->sealed->line.size, &parsed,
                       &fault) < 0)
                return false;
        json = parsed;
        info = json_get(json, "info");
        previous = info ? json_get(info, "previous") : NULL;
        node->previous = previous ? compare_spell(planner, previous) : NULL;
        return node->previous;
}

static bool add_input_line(struct planner *planner, const struct node *node, uint32_t input,
                           struct buffer *bytes)
{
        const struct manifest_input *now =
                &planner->manifest->inputs[node->sealed->first_input + input];
        const char *text;

        if (now->on_change != IMGC_ON_CHANGE_REBUILD)
                return true;
        if (now->type == IMGC_INPUT_IMAGE) {
                struct input_facts facts = {.link = compare_link_now(planner, node, input)};

                if (!facts.link)
                        return false;
                line_add_input(bytes, project_input_of(planner->project, node->of, input), &facts,
                               false);
        } else {
                text = compare_spell_now(planner, node, input);
                if (!text)
                        return false;
                buffer_add_string(bytes, text);
        }
        buffer_add_char(bytes, '\n');
        return true;
}

/* The key with what links say now; NULL: something is not known. */
static const char *compute_key(struct planner *planner, const struct node *node)
{
        _cleanup_buffer_ struct buffer bytes = {0};
        char key[KEY_HEX_SIZE];

        key_add_head(&bytes, planner->head, image_of(planner, node)->scope, node->previous);
        line_add_stage(&bytes, node->of, planner->project->reads + node->of->first_read, NULL, NULL,
                       false);
        buffer_add_char(&bytes, '\n');
        for (uint32_t i = 0; i < node->sealed->n_inputs; i++)
                if (!add_input_line(planner, node, i, &bytes))
                        return NULL;
        if (key_of(planner->context, &bytes, key) < 0) {
                planner->failed = true;
                return NULL;
        }
        return planner_copy(planner, key, KEY_HEX_SIZE - 1);
}

static bool needs_key(const struct planner *planner, const struct node *node)
{
        for (uint32_t k = 0; k < node->n_links; k++) {
                const struct link *link = &planner->links[node->first_link + k];

                if (planner->nodes[link->to].rekeyed ||
                    (planner->resolves && link->by == IMGC_BY_OUTPUT))
                        return true;
        }
        return false;
}

static void take_kept_key(struct planner *planner, struct node *node, struct known *kept)
{
        struct known *below = resolve_below(planner, kept, node);

        node->rekeyed = true;
        node->key = below && below->record && !below->malformed ? below->record->key : NULL;
        node->results = node->key ? resolve_results(planner, node, below->record) : NULL;
}

struct known *resolve_below(struct planner *planner, const struct known *known,
                            const struct node *node)
{
        const struct imgc_record *record = known->record;
        const char *scope = image_of(planner, node)->scope;

        if (!strcmp(record->stage, node->of->name) && !strcmp(record->scope, scope))
                return judge_find(planner, record->id);
        for (size_t i = 0; i < record->n_ancestors; i++)
                if (!strcmp(record->ancestors[i].stage, node->of->name) &&
                    !strcmp(record->ancestors[i].scope, scope) &&
                    !(record->ancestors[i].flags & IMGC_ANCESTOR_APPEND))
                        return judge_find(planner, record->ancestors[i].id);
        return NULL;
}

/* ------------------------------------------------------------------------------ results */

static bool is_linked_by_output(const struct planner *planner, const struct node *node)
{
        const struct node *next = node + 1;

        if (next < planner->nodes + planner->n_nodes && next->image == node->image &&
            next->of->previous == IMGC_BY_OUTPUT)
                return true;
        for (uint32_t i = 0; i < node->n_consumers; i++)
                if (planner->links[planner->consumers[node->first_consumer + i].link].by ==
                    IMGC_BY_OUTPUT)
                        return true;
        return false;
}

/* The results that usable records have, those whose snapshot is there first; takes the one that
 * is to be tried. */
static void find_results(struct planner *planner, struct node *node)
{
        const char **texts;
        uint32_t n = 0;

        node->results = NULL;
        judge_load(planner, node);
        texts = planner_alloc(planner, node->n_records, sizeof(*texts));
        for (int present = 1; texts && present >= 0; present--) {
                for (size_t i = 0; i < node->n_records; i++) {
                        const char *text;
                        uint32_t k = 0;

                        if (judge_is_present(node->records[i]) != present ||
                            !judge_is_usable(planner, node->records[i]))
                                continue;
                        text = resolve_results(planner, node, node->records[i]->record);
                        while (text && k < n && strcmp(texts[k], text) != 0)
                                k++;
                        if (text && k == n)
                                texts[n++] = text;
                }
        }
        node->n_alternatives = n;
        if (n)
                node->results = texts[MIN(node->alternative, n - 1)];
}

static void find_keys(struct planner *planner)
{
        table_clear(&planner->by_key);
        table_clear(&planner->by_id);
        planner->n_known = 0;
        for (uint32_t i = 0; i < planner->project->n_images; i++)
                if (planner->images[i].kept_id)
                        planner->images[i].kept = judge_find(planner, planner->images[i].kept_id);
        for (uint32_t i = 0; !planner->failed && i < planner->n_nodes; i++) {
                struct node *node = &planner->nodes[i];
                struct known *kept = planner->images[node->image].kept;
                uint32_t first;

                node->has_records = node->unreachable = node->rekeyed = false;
                node->n_records = 0;
                node->key = node->sealed ? node->sealed->key : NULL;
                node->same_key = i;
                node->n_alternatives = 0;
                if (kept) {
                        take_kept_key(planner, node, kept);
                } else if (node->sealed && !find_previous(planner, node)) {
                        node->key = NULL;
                        node->rekeyed = true;
                } else if (node->sealed && needs_key(planner, node)) {
                        node->key = compute_key(planner, node);
                        node->rekeyed = true;
                }
                if (node->stage && node->key && kept)
                        find_previous(planner, node);
                if (!node->key)
                        continue;
                first = table_get(&planner->by_key, node->key);
                node->same_key = first == TABLE_NOTHING ? i : first;
                if (first == TABLE_NOTHING && !table_set(&planner->by_key, node->key, i))
                        planner->failed = true;
                if (!kept && is_linked_by_output(planner, node))
                        find_results(planner, node);
        }
}

/* ------------------------------------------------------------------------------ combinations */

/* The next combination; false behind the last one. */
static bool next_combination(struct planner *planner)
{
        for (uint32_t i = planner->n_nodes; i-- > 0;) {
                struct node *node = &planner->nodes[i];

                if (node->n_alternatives > 1 && node->alternative + 1 < node->n_alternatives) {
                        node->alternative++;
                        return true;
                }
                node->alternative = 0;
        }
        return false;
}

static void try_combination(struct planner *planner)
{
        find_keys(planner);
        /* What images are kept for is known by its records, whatever keys are. */
        for (uint32_t i = 0; i < planner->project->n_images; i++)
                planner->images[i].output_record = NULL;
        if (!planner->failed && outputs_judge(planner, NULL) >= 0)
                choose_all(planner);
}

void resolve_and_choose(struct planner *planner)
{
        uint32_t *best = NULL, best_cost = 0;

        try_combination(planner);
        if (planner->failed)
                return;
        best_cost = choose_cost(planner);
        for (uint32_t tried = 1; tried < LIMIT_COMBINATIONS && best_cost && !planner->failed;
             tried++) {
                if (!best) {
                        best = planner_alloc(planner, planner->n_nodes, sizeof(*best));
                        if (!best)
                                return;
                }
                if (!next_combination(planner))
                        break;
                try_combination(planner);
                if (planner->failed || choose_cost(planner) >= best_cost)
                        continue;
                best_cost = choose_cost(planner);
                for (uint32_t i = 0; i < planner->n_nodes; i++)
                        best[i] = planner->nodes[i].alternative;
        }
        if (!best || planner->failed)
                return;
        for (uint32_t i = 0; i < planner->n_nodes; i++)
                planner->nodes[i].alternative = best[i];
        try_combination(planner);
}
