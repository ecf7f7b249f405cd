/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/compare.h"

#include <errno.h>
#include <stdlib.h>

#include "core/text.h"
#include "manifest/json.h"
#include "manifest/line.h"
#include "manifest/words.h"

/* ------------------------------------------------------------------------------ reading */

static const struct json *parse(struct planner *planner, const char *text, size_t size)
{
        struct json_fault fault;
        struct json *json = NULL;
        int r = json_parse(&planner->arena, text, size, &json, &fault);

        if (r == -ENOMEM)
                planner->failed = true;
        return r >= 0 && json->type == JSON_OBJECT ? json : NULL;
}

static const char *text_member(const struct json *object, const char *name)
{
        const struct json *value = json_get(object, name);

        return value && json_is_plain_string(value) ? value->text : NULL;
}

static bool read_input(struct planner *planner, struct old_input *input, const char *line,
                       size_t size)
{
        const struct json *json = parse(planner, line, size), *append;
        const char *type, *on_change, *name;
        size_t name_size;
        int r;

        if (!json || !json_get(json, "input") ||
            json_get_bytes(&planner->arena, json_get(json, "input"), &name, &name_size) < 0)
                return false;
        type = text_member(json, "type");
        on_change = text_member(json, "on_change");
        append = json_get(json, "append");
        r = type ? input_type_from_word(type) : -1;
        if (r < 0)
                return false;
        input->type = (enum imgc_input_type)r;
        r = on_change ? on_change_from_word(on_change) : IMGC_ON_CHANGE_REBUILD;
        if (r < 0)
                return false;
        input->on_change = (uint32_t)r;
        input->append = append && append->type == JSON_BOOLEAN && append->boolean;
        input->name = name;
        input->line = (struct span){line, size};
        input->json = json;
        return true;
}

/* A listing goes on up to the next line of JSON. */
static bool read_lines(struct planner *planner, const struct imgc_record *record,
                       struct old_stage *ret)
{
        const char *at = record->lines, *end = at + record->lines_bytes;
        size_t n = 0;

        for (const char *c = at; c < end; c++)
                n += *c == '{' && (c == at || c[-1] == '\n');
        ret->inputs = planner_alloc(planner, n, sizeof(*ret->inputs));
        if (!ret->inputs)
                return false;
        while (at < end) {
                const char *feed = memchr(at, '\n', (size_t)(end - at));
                size_t size = feed ? (size_t)(feed - at) : 0;
                struct old_input *last = ret->n_inputs ? &ret->inputs[ret->n_inputs - 1] : NULL;

                if (!feed)
                        return false;
                if (*at == '{' && !ret->json) {
                        ret->json = parse(planner, at, size);
                        if (!ret->json)
                                return false;
                } else if (*at == '{') {
                        if (!read_input(planner, &ret->inputs[ret->n_inputs], at, size))
                                return false;
                        ret->n_inputs++;
                } else if (last) {
                        if (!last->listing.data)
                                last->listing.data = at;
                        last->listing.size = (size_t)(feed + 1 - last->listing.data);
                } else {
                        return false;
                }
                at = feed + 1;
        }
        return ret->json;
}

const struct old_stage *compare_read(struct planner *planner, const struct imgc_record *record)
{
        struct known *known = judge_know(planner, record);
        struct old_stage *stage;

        if (!known)
                return NULL;
        if (known->lines)
                return known->lines;
        stage = planner_alloc(planner, 1, sizeof(*stage));
        if (!stage)
                return NULL;
        stage->known = !known->malformed && record->lines && read_lines(planner, record, stage);
        if (!stage->known)
                stage->n_inputs = 0;
        known->lines = stage;
        return stage;
}

uint32_t compare_find(const struct old_stage *old_stage, const char *name)
{
        for (uint32_t i = 0; i < old_stage->n_inputs; i++)
                if (!strcmp(old_stage->inputs[i].name, name))
                        return i;
        return NONE;
}

/* ------------------------------------------------------------------------------ spelling */

static const char *finish(struct planner *planner, struct buffer *text)
{
        const char *copy = text->failed ? NULL : planner_copy(planner, text->data, text->size);

        if (!copy)
                planner->failed = true;
        return copy;
}

const char *compare_spell(struct planner *planner, const struct json *object)
{
        _cleanup_buffer_ struct buffer text = {0};

        json_add_without(&text, object, "info");
        return finish(planner, &text);
}

static const struct manifest_input *sealed_input(const struct planner *planner,
                                                 const struct node *node, uint32_t input)
{
        return &planner->manifest->inputs[node->sealed->first_input + input];
}

const struct json *compare_parse_now(struct planner *planner, const struct node *node,
                                     uint32_t input)
{
        const struct manifest_input *now = sealed_input(planner, node, input);

        return parse(planner, now->line.data, now->line.size);
}

const char *compare_spell_now(struct planner *planner, const struct node *node, uint32_t input)
{
        const struct json *json = compare_parse_now(planner, node, input);

        return json ? compare_spell(planner, json) : NULL;
}

const char *compare_link_now(struct planner *planner, const struct node *node, uint32_t input)
{
        const struct project_input *of = project_input_of(planner->project, node->of, input);
        const struct node *to = node_of(planner, of->image, of->stage);
        const struct json *json, *value;

        if (of->by == IMGC_BY_KEY)
                return to->key;
        if (planner->resolves)
                return to->results;
        json = node->sealed ? compare_parse_now(planner, node, input) : NULL;
        value = json ? json_get(json, "results") : NULL;
        return value ? compare_spell(planner, value) : NULL;
}

/* ------------------------------------------------------------------------------ comparing */

static bool is_link_equal(struct planner *planner, const struct node *node, uint32_t input,
                          const struct old_input *old_input)
{
        const struct json *key = json_get(old_input->json, "key"),
                          *results = json_get(old_input->json, "results");
        const char *now = compare_link_now(planner, node, input), *before = NULL;

        if (key && json_is_plain_string(key))
                before = key->text;
        else if (results && results->type == JSON_OBJECT)
                before = compare_spell(planner, results);
        return now && before && !strcmp(now, before);
}

bool compare_is_equal(struct planner *planner, const struct node *node, uint32_t input,
                      const struct old_input *old_input)
{
        const struct manifest_input *now = sealed_input(planner, node, input);
        const char *a, *b;

        if (now->type != old_input->type)
                return false;
        if (now->type == IMGC_INPUT_IMAGE)
                return is_link_equal(planner, node, input, old_input);
        if (now->line.size == old_input->line.size &&
            !memcmp(now->line.data, old_input->line.data, now->line.size))
                return true;
        a = compare_spell_now(planner, node, input);
        b = compare_spell(planner, old_input->json);
        return a && b && !strcmp(a, b);
}

bool compare_is_stale(struct planner *planner, const struct node *node,
                      const struct imgc_record *record)
{
        const struct old_stage *old_stage;

        if (!node->sealed)
                return false;
        for (uint32_t i = 0; i < node->sealed->n_inputs; i++) {
                const struct manifest_input *now = sealed_input(planner, node, i);
                uint32_t k;

                if (now->on_change != IMGC_ON_CHANGE_STALE)
                        continue;
                old_stage = compare_read(planner, record);
                if (!old_stage || !old_stage->known)
                        return true;
                k = compare_find(old_stage, now->name);
                if (k == NONE || !compare_is_equal(planner, node, i, &old_stage->inputs[k]))
                        return true;
        }
        return false;
}

uint32_t compare_count(struct planner *planner, const struct node *node,
                       const struct imgc_record *record)
{
        const struct old_stage *old_stage = compare_read(planner, record);
        uint32_t n = 0, found = 0;

        if (!old_stage || !old_stage->known || !node->sealed)
                return NONE;
        for (uint32_t i = 0; i < node->sealed->n_inputs; i++) {
                uint32_t k = compare_find(old_stage, sealed_input(planner, node, i)->name);

                found += k != NONE;
                n += k == NONE || !compare_is_equal(planner, node, i, &old_stage->inputs[k]);
        }
        return n + old_stage->n_inputs - found;
}

bool compare_has_item(const struct json *items, const struct json *item)
{
        for (const struct json *i = items->first; i; i = i->next) {
                _cleanup_buffer_ struct buffer a = {0}, b = {0};

                if (i->type != item->type)
                        continue;
                if (i->type == JSON_STRING) {
                        if (i->size == item->size && !memcmp(i->text, item->text, i->size))
                                return true;
                        continue;
                }
                /* {"base64":…} */
                json_add(&a, i);
                json_add(&b, item);
                if (!a.failed && !b.failed && a.size == b.size && !memcmp(a.data, b.data, a.size))
                        return true;
        }
        return false;
}

static bool is_superset(const struct json *now, const struct json *before, size_t *n_items)
{
        const struct json *a = json_get(now, "items"), *b = json_get(before, "items");

        if (!a || !b || a->type != JSON_ARRAY || b->type != JSON_ARRAY || a->n < b->n)
                return false;
        for (const struct json *item = b->first; item; item = item->next)
                if (!compare_has_item(a, item))
                        return false;
        *n_items += a->n - b->n;
        return true;
}

/* The stage's own line: declarations are in its key. */
static bool is_same_stage(struct planner *planner, const struct node *node,
                          const struct old_stage *old_stage)
{
        const struct json *now = parse(planner, node->sealed->line.data, node->sealed->line.size);
        const char *a = now ? compare_spell(planner, now) : NULL;
        const char *b = compare_spell(planner, old_stage->json);

        return a && b && !strcmp(a, b);
}

bool compare_is_growth(struct planner *planner, const struct node *node,
                       const struct imgc_record *record, size_t *ret_items)
{
        const struct old_stage *old_stage = compare_read(planner, record);
        uint32_t at = 0;
        size_t n = 0;

        if (!old_stage || !old_stage->known || !node->sealed || !record->head ||
            strcmp(record->head, planner->head) != 0 || !is_same_stage(planner, node, old_stage))
                return false;
        if ((record->previous || node->previous) &&
            (!record->previous || !node->previous || strcmp(record->previous, node->previous) != 0))
                return false;
        for (uint32_t i = 0; i < node->sealed->n_inputs; i++) {
                const struct manifest_input *now = sealed_input(planner, node, i);
                const struct old_input *before;

                if (now->on_change != IMGC_ON_CHANGE_REBUILD)
                        continue;
                while (at < old_stage->n_inputs &&
                       old_stage->inputs[at].on_change != IMGC_ON_CHANGE_REBUILD)
                        at++;
                if (at == old_stage->n_inputs || strcmp(old_stage->inputs[at].name, now->name) != 0)
                        return false;
                before = &old_stage->inputs[at++];
                if (compare_is_equal(planner, node, i, before))
                        continue;
                if (!(now->flags & IMGC_INPUT_APPEND) || !before->append ||
                    !is_superset(compare_parse_now(planner, node, i), before->json, &n))
                        return false;
        }
        while (at < old_stage->n_inputs &&
               old_stage->inputs[at].on_change != IMGC_ON_CHANGE_REBUILD)
                at++;
        *ret_items = n;
        return at == old_stage->n_inputs && n > 0;
}
