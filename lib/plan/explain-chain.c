/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What changed in an image since a record was made, stage by stage, and in images it stands on. */
#include "manifest/json.h"
#include "plan/explain.h"

/* ------------------------------------------------------------------------------ project */

static const struct json *parse_head(struct planner *planner, const char *head)
{
        struct json_fault fault;
        struct json *json = NULL;

        return head && json_parse(&planner->arena, head, strlen(head), &json, &fault) >= 0 &&
                               json->type == JSON_OBJECT ?
                       json :
                       NULL;
}

static const char *spell(struct planner *planner, const struct json *value)
{
        _cleanup_buffer_ struct buffer text = {0};

        if (!value)
                return NULL;
        if (json_is_plain_string(value))
                return value->text;
        json_add(&text, value);
        return text.failed ? NULL : planner_copy(planner, text.data, text.size);
}

static void add_head(struct reasons *reasons, const struct imgc_record *record)
{
        struct planner *planner = reasons->planner;
        const struct json *now = parse_head(planner, planner->head),
                          *before = parse_head(planner, record->head);

        for (const struct json *member = now && before ? now->first : NULL; member;
             member = member->next) {
                const char *a = spell(planner, json_get(before, member->name)),
                           *b = spell(planner, member);
                bool is_builder = !strcmp(member->name, "builder");

                if (b && (!a || strcmp(a, b) != 0))
                        reasons_add(reasons, is_builder ? IMGC_REASON_BUILDER : IMGC_REASON_FORMAT,
                                    NULL, is_builder ? NULL : member->name, a, b);
        }
}

/* ------------------------------------------------------------------------------ stages */

/* What the stage's line declares: results, reads, "previous". */
static void add_settings(struct reasons *reasons, const struct node *node,
                         const struct imgc_record *record)
{
        struct planner *planner = reasons->planner;
        const struct old_stage *old_stage = compare_read(planner, record);
        const struct json *sides[2];
        struct json_fault fault;
        struct json *now = NULL;

        if (!old_stage || !old_stage->known || !node->sealed ||
            json_parse(&planner->arena, node->sealed->line.data, node->sealed->line.size, &now,
                       &fault) < 0)
                return;
        sides[0] = now;
        sides[1] = old_stage->json;
        for (int side = 0; side < 2; side++) {
                for (const struct json *member = sides[side]->first; member;
                     member = member->next) {
                        const struct json *other = json_get(sides[!side], member->name);
                        const char *a = spell(planner, side ? member : other),
                                   *b = spell(planner, side ? other : member);

                        if (!strcmp(member->name, "info") || !strcmp(member->name, "stage") ||
                            (side && other) || (a && b && !strcmp(a, b)))
                                continue;
                        reasons_add(reasons, IMGC_REASON_FORMAT, NULL, member->name, a, b);
                }
        }
}

/* The names of an image's stages in a record's lineage, in order, itself the last. */
static uint32_t old_stages(struct planner *planner, const struct imgc_record *whole,
                           const char *scope, const char ***ret)
{
        const char **names = planner_alloc(planner, whole->n_ancestors + 1, sizeof(*names));
        uint32_t n = 0;

        for (size_t i = 0; names && i < whole->n_ancestors; i++)
                if (!strcmp(whole->ancestors[i].scope, scope) &&
                    !(whole->ancestors[i].flags & IMGC_ANCESTOR_APPEND))
                        names[n++] = whole->ancestors[i].stage;
        if (names && !strcmp(whole->scope, scope))
                names[n++] = whole->stage;
        *ret = names;
        return names ? n : 0;
}

static uint32_t find_name(const char *const *names, uint32_t n, const char *name)
{
        for (uint32_t i = 0; i < n; i++)
                if (!strcmp(names[i], name))
                        return i;
        return NONE;
}

/* Stages that were added, removed and moved, up to the last one that both have. */
static void add_stages(struct reasons *reasons, uint32_t image, uint32_t to,
                       const struct imgc_record *whole)
{
        struct planner *planner = reasons->planner;
        const struct project_image *of = &planner->project->images[image];
        const char **names;
        uint32_t n_old = old_stages(planner, whole, of->scope, &names), last = NONE;
        uint32_t *before = planner_alloc(planner, (size_t)to + 1, sizeof(*before));
        bool *moved = planner_alloc(planner, (size_t)to + 1, sizeof(*moved));

        if (!before || !moved || !names)
                return;
        for (uint32_t s = 0; s <= to; s++) {
                before[s] = find_name(names, n_old, node_of(planner, image, s)->of->name);
                last = before[s] != NONE ? s : last;
        }
        if (!explain_moved(before, to + 1, moved)) {
                planner->failed = true;
                return;
        }
        for (uint32_t s = 0; last != NONE && s <= last; s++) {
                reasons->stage = node_of(planner, image, s)->of->name;
                if (before[s] == NONE)
                        reasons_add(reasons, IMGC_REASON_STAGE_ADDED, NULL, NULL, NULL, NULL);
                else if (moved[s])
                        reasons_add(reasons, IMGC_REASON_STAGE_MOVED, NULL, NULL,
                                    planner_print(planner, "%u", before[s] + 1),
                                    planner_print(planner, "%u", s + 1));
        }
        for (uint32_t i = 0; i < n_old; i++) {
                if (project_find_stage(planner->project, image, names[i]) != NONE)
                        continue;
                reasons->stage = planner_copy(planner, names[i], strlen(names[i]));
                reasons_add(reasons, IMGC_REASON_STAGE_REMOVED, NULL, NULL, NULL, NULL);
        }
        reasons->stage = NULL;
}

void explain_chain(struct reasons *reasons, uint32_t image, uint32_t from, uint32_t to,
                   const struct imgc_record *whole)
{
        struct planner *planner = reasons->planner;
        struct known *known = judge_know(planner, whole);

        reasons->image = planner->project->images[image].name;
        reasons->stage = reasons->input = NULL;
        add_head(reasons, whole);
        add_stages(reasons, image, to, whole);
        for (uint32_t s = from; known && s <= to && !planner->failed; s++) {
                const struct node *node = node_of(planner, image, s);
                struct known *below = resolve_below(planner, known, node);

                if (!below || !below->record || below->malformed)
                        continue;
                if (node->key && !strcmp(node->key, below->record->key))
                        continue;
                reasons->image = planner->project->images[image].name;
                reasons->stage = node->of->name;
                add_settings(reasons, node, below->record);
                explain_inputs(reasons, node, below->record, IMGC_ON_CHANGE_REBUILD, whole);
        }
        reasons->stage = NULL;
}

/* ------------------------------------------------------------------------------ links */

/* The record of a linked stage, and all of its image that a record knows of. */
static const struct imgc_record *find_linked(struct planner *planner, const struct node *to,
                                             const struct imgc_record *whole)
{
        struct known *below = resolve_below(planner, judge_know(planner, whole), to);

        return below ? below->record : NULL;
}

/* The first reason of another list as the cause. */
static void add_upstream(struct reasons *reasons, const struct imgc_reason *first)
{
        struct imgc_reason reason = *first;

        /* What changed behind that image is the cause of it all. */
        if (first->code != IMGC_REASON_UPSTREAM)
                reason.cause = first->code;
        reason.code = IMGC_REASON_UPSTREAM;
        buffer_add(&reasons->list, &reason, sizeof(reason));
        reasons->planner->failed |= reasons->list.failed;
}

/* The first reason; of several about one entry the last, which tells of its content. */
static const struct imgc_reason *find_cause(const struct reasons *reasons)
{
        const struct imgc_reason *first = reasons_at(reasons, 0);
        size_t i = 0;

        while (first->path && i + 1 < reasons_count(reasons) && first[i + 1].code == first->code &&
               first[i + 1].path && !strcmp(first[i + 1].path, first->path))
                i++;
        return first + i;
}

void explain_link(struct reasons *reasons, const struct node *to, const struct imgc_record *whole)
{
        struct planner *planner = reasons->planner;
        const struct imgc_record *before = whole ? find_linked(planner, to, whole) : NULL;
        struct reasons inner = {.planner = planner};
        const struct buffer *own = &planner->images[to->image].reasons;
        const struct imgc_reason plain = {
                .size = sizeof(plain),
                .image = planner->project->images[to->image].name,
                .stage = to->of->name,
        };

        if (before)
                explain_chain(&inner, to->image, 0, to->stage, before);
        if (reasons_count(&inner))
                add_upstream(reasons, find_cause(&inner));
        else if (node_runs(planner, to) && own->size)
                add_upstream(reasons, (const struct imgc_reason *)(const void *)own->data);
        else
                add_upstream(reasons, &plain);
        buffer_free(&inner.list);
}
