/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diff/members.h"

#include <errno.h>

#include "diff/order.h"
#include "manifest/json.h"

/* What one comparison of lines needs while it lasts. */
struct state {
        struct imgc_diff *diff;
        const struct members *members;
        struct arena arena; /* both lines */
        int64_t place;      /* -1: not entered yet, because most lines are equal */
};

/* The canonical text of a value, or of nothing. */
static int add_text(struct state *state, const struct json *value, const char **ret)
{
        _cleanup_buffer_ struct buffer text = {0};

        *ret = NULL;
        if (!value)
                return 0;
        json_add(&text, value);
        if (buffer_string(&text))
                *ret = arena_copy(&state->diff->arena, text.data, text.size + 1);
        return *ret ? 0 : -ENOMEM;
}

static int tell(struct state *state, enum imgc_change_kind kind, const char *attribute,
                const struct json *old_value, const struct json *new_value)
{
        struct change_text text = {0};
        int r = add_text(state, old_value, &text.old_value);

        if (r >= 0)
                r = add_text(state, new_value, &text.new_value);
        if (r >= 0 && attribute) {
                text.attribute = arena_copy(&state->diff->arena, attribute, strlen(attribute) + 1);
                r = text.attribute ? 0 : -ENOMEM;
        }
        if (r >= 0 && state->place < 0) {
                state->place = diff_add_place(state->diff, state->members->place);
                r = state->place < 0 ? -ENOMEM : 0;
        }
        return r < 0 ? r : diff_add_text(state->diff, kind, (uint32_t)state->place, &text);
}

static bool is_equal(const struct json *a, const struct json *b)
{
        struct buffer x = {0}, y = {0};
        bool equal;

        json_add(&x, a);
        json_add(&y, b);
        equal = !x.failed && !y.failed && x.size == y.size && !memcmp(x.data, y.data, x.size);
        buffer_free(&x);
        buffer_free(&y);
        return equal;
}

/* ------------------------------------------------------------------------------ items */

/* An item of a list or set, by its canonical text. Equal items of a list are paired in their
 * order. */
struct item {
        const struct json *value;
        const char *text;
        uint32_t number, partner;
};

struct items {
        struct item *list;
        uint32_t n;
};

static int compare_by_text(const void *a, const void *b)
{
        const struct item *x = a, *y = b;
        int order = strcmp(x->text, y->text);

        return order ? order : (x->number > y->number) - (x->number < y->number);
}

static int compare_by_number(const void *a, const void *b)
{
        const struct item *x = a, *y = b;

        return (x->number > y->number) - (x->number < y->number);
}

static void items_sort(struct items *items, int (*compare)(const void *, const void *))
{
        if (items->n > 1)
                qsort(items->list, items->n, sizeof(*items->list), compare);
}

static int items_read(struct state *state, const struct json *array, struct items *ret)
{
        ret->list = imgc_io_calloc(array->n, sizeof(*ret->list));
        if (!ret->list)
                return -ENOMEM;
        for (const struct json *value = array->first; value; value = value->next) {
                struct item *item = &ret->list[ret->n];
                int r = add_text(state, value, &item->text);

                if (r < 0)
                        return r;
                item->value = value;
                item->number = ret->n++;
                item->partner = NO_PARTNER;
        }
        return 0;
}

/* Tells what was added and removed. *ret_reordered: what stayed is in another order, too. */
static int tell_items(struct state *state, struct items *olds, struct items *news,
                      bool *ret_reordered)
{
        uint32_t last = 0;
        int r = 0;

        items_sort(olds, compare_by_text);
        items_sort(news, compare_by_text);
        for (uint32_t i = 0, j = 0; i < olds->n && j < news->n;) {
                int order = strcmp(olds->list[i].text, news->list[j].text);

                if (!order) {
                        olds->list[i].partner = news->list[j].number;
                        news->list[j].partner = olds->list[i].number;
                }
                i += order <= 0;
                j += order >= 0;
        }
        items_sort(olds, compare_by_number);
        items_sort(news, compare_by_number);
        for (uint32_t i = 0; r >= 0 && i < olds->n; i++)
                if (olds->list[i].partner == NO_PARTNER)
                        r = tell(state, IMGC_CHANGE_ITEM_REMOVED, NULL, olds->list[i].value, NULL);
        *ret_reordered = false;
        for (uint32_t i = 0; r >= 0 && i < news->n; i++) {
                if (news->list[i].partner == NO_PARTNER) {
                        r = tell(state, IMGC_CHANGE_ITEM_ADDED, NULL, NULL, news->list[i].value);
                        continue;
                }
                *ret_reordered |= news->list[i].partner < last;
                last = news->list[i].partner;
        }
        return r;
}

static int compare_items(struct state *state, const struct json *x, const struct json *y)
{
        struct items olds = {0}, news = {0};
        bool reordered = false;
        int r = items_read(state, x, &olds);

        if (r >= 0)
                r = items_read(state, y, &news);
        if (r >= 0)
                r = tell_items(state, &olds, &news, &reordered);
        if (r >= 0 && reordered)
                r = tell(state, state->members->kind, "items", x, y);
        free(olds.list);
        free(news.list);
        return r;
}

/* ------------------------------------------------------------------------------ members */

/* With another type, or where there was nothing, all other members differ as well. */
static bool says_it_all(const char *name)
{
        return !strcmp(name, "type") || !strcmp(name, "absent");
}

static int compare_member(struct state *state, const char *name, const struct json *x,
                          const struct json *y)
{
        if (!strcmp(name, "info") || (x && y && is_equal(x, y)))
                return 0;
        if (state->members->has_items && !strcmp(name, "items") && x && y &&
            x->type == JSON_ARRAY && y->type == JSON_ARRAY)
                return compare_items(state, x, y);
        return tell(state, state->members->kind, name, x, y);
}

static int compare_objects(struct state *state, const struct json *x, const struct json *y)
{
        static const char *const first[] = {"type", "absent"};
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(first); i++) {
                const struct json *a = json_get(x, first[i]), *b = json_get(y, first[i]);

                if ((a || b) && !(a && b && is_equal(a, b)))
                        return tell(state, state->members->kind, first[i], a, b);
        }
        for (const struct json *a = x->first; a && r >= 0; a = a->next)
                if (!says_it_all(a->name))
                        r = compare_member(state, a->name, a, json_get(y, a->name));
        for (const struct json *b = y->first; b && r >= 0; b = b->next)
                if (!says_it_all(b->name) && !json_get(x, b->name))
                        r = compare_member(state, b->name, NULL, b);
        return r;
}

int members_compare(struct imgc_diff *diff, const struct members *members)
{
        struct state state = {.diff = diff, .members = members, .place = -1};
        struct json *x, *y;
        struct json_fault fault;
        int r;

        if (span_equals(members->old_line, members->new_line))
                return 0;
        /* The manifests were checked: it can only be memory. */
        r = json_parse(&state.arena, members->old_line.data, members->old_line.size, &x, &fault);
        if (r >= 0)
                r = json_parse(&state.arena, members->new_line.data, members->new_line.size, &y,
                               &fault);
        if (r >= 0)
                r = compare_objects(&state, x, y);
        arena_free(&state.arena);
        return r;
}

void members_drop_digest(struct imgc_diff *diff, uint64_t first)
{
        for (uint64_t i = first; i < diff->n_changes; i++) {
                struct change *change = &diff->changes[i];

                if (change->kind == IMGC_CHANGE_INPUT_CHANGED &&
                    !strcmp(diff_text(diff, change)->attribute, "digest"))
                        change->kind = 0; /* dropped with what moved */
        }
}
