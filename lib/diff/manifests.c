/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares two manifests: what the project itself says, then its images, their stages, the
 * stages' inputs, and of trees what is in them.
 */
#include <errno.h>

#include "core/error.h"
#include "diff/diff.h"
#include "diff/members.h"
#include "diff/order.h"
#include "manifest/manifest-internal.h"

struct comparison {
        struct imgc_context *context;
        struct imgc_diff *diff;
        const struct imgc_manifest *old_manifest, *new_manifest;
};

/* The things of one level in one place: images of a manifest, stages of an image, inputs of a
 * stage. */
struct siblings {
        const char **names;
        uint32_t n;
        uint32_t *partner; /* the number of the other side's, or NO_PARTNER */
};

struct level {
        enum imgc_change_kind added, removed, moved;
        struct siblings old_side, new_side;
        bool *moves; /* of old_side */
};

static void level_done(struct level *level)
{
        struct siblings *sides[] = {&level->old_side, &level->new_side};

        for (size_t i = 0; i < ELEMENTSOF(sides); i++) {
                free((void *)sides[i]->names);
                free(sides[i]->partner);
        }
        free(level->moves);
}

static int siblings_new(struct siblings *siblings, uint32_t n)
{
        siblings->n = n;
        siblings->names = imgc_io_calloc(n, sizeof(*siblings->names));
        siblings->partner = imgc_io_calloc(n, sizeof(*siblings->partner));
        return siblings->names && siblings->partner ? 0 : -ENOMEM;
}

static int level_new(struct level *level, uint32_t n_old, uint32_t n_new)
{
        int r = siblings_new(&level->old_side, n_old);

        if (r >= 0)
                r = siblings_new(&level->new_side, n_new);
        level->moves = imgc_io_calloc(n_old, sizeof(*level->moves));
        return level->moves ? r : -ENOMEM;
}

/* Sets the name of what is compared at a level: the first of image, stage and input that the
 * place of the level does not have yet. */
static struct place place_below(const struct place *above, const char *name)
{
        struct place place = *above;

        *(!place.image ? &place.image : !place.stage ? &place.stage : &place.input) = name;
        return place;
}

static int add_one(struct comparison *c, enum imgc_change_kind kind, const struct place *above,
                   const char *name, const struct change_text *text)
{
        struct place place = place_below(above, name);
        int64_t number = diff_add_place(c->diff, &place);

        return number < 0 ? -ENOMEM : diff_add_text(c->diff, kind, (uint32_t)number, text);
}

static const char *position_text(struct imgc_diff *diff, uint32_t i)
{
        _cleanup_buffer_ struct buffer digits = {0};

        buffer_add_u64(&digits, (uint64_t)i + 1);
        if (!buffer_string(&digits))
                return NULL;
        return arena_copy(&diff->arena, digits.data, digits.size + 1);
}

/* Tells what one side only has, and what is in another order. */
static int compare_order(struct comparison *c, struct level *level, const struct place *above)
{
        const struct change_text nothing = {0};
        int r = order_compare(level->old_side.names, level->old_side.n, level->new_side.names,
                              level->new_side.n, level->old_side.partner, level->new_side.partner,
                              level->moves);

        for (uint32_t i = 0; r >= 0 && i < level->old_side.n; i++)
                if (level->old_side.partner[i] == NO_PARTNER)
                        r = add_one(c, level->removed, above, level->old_side.names[i], &nothing);
        for (uint32_t i = 0; r >= 0 && i < level->new_side.n; i++) {
                uint32_t partner = level->new_side.partner[i];
                struct change_text text = {0};

                if (partner == NO_PARTNER) {
                        r = add_one(c, level->added, above, level->new_side.names[i], &nothing);
                } else if (level->moves[partner]) {
                        text.old_value = position_text(c->diff, partner);
                        text.new_value = position_text(c->diff, i);
                        r = !text.old_value || !text.new_value ?
                                    -ENOMEM :
                                    add_one(c, level->moved, above, level->new_side.names[i],
                                            &text);
                }
        }
        return r;
}

/* ------------------------------------------------------------------------------ inputs */

/* Trees by what is in them, where both sides kept that. *ret_told: there was something to tell. */
static int compare_trees(struct comparison *c, const struct manifest_input *x,
                         const struct manifest_input *y, const struct place *place, bool *ret_told)
{
        uint64_t before = c->diff->n_changes;
        struct place listings = *place;
        int r;

        *ret_told = false;
        if (!x->listing.data || !y->listing.data ||
            (x->digest && y->digest && !strcmp(x->digest, y->digest)))
                return 0;
        listings.old_listing = x->listing;
        listings.new_listing = y->listing;
        listings.old_is_mapped = c->old_manifest->is_mapped;
        listings.new_is_mapped = c->new_manifest->is_mapped;
        listings.compared = diff_fields(c->diff, &x->listing, &y->listing);
        r = diff_compare_listings(c->context, c->diff, &listings);
        *ret_told = c->diff->n_changes > before;
        return r;
}

static int compare_inputs(struct comparison *c, const struct manifest_input *x,
                          const struct manifest_input *y, const struct place *above)
{
        struct place place = place_below(above, y->name);
        struct members members = {
                .kind = IMGC_CHANGE_INPUT_CHANGED, .place = &place, .has_items = true};
        uint64_t before;
        bool told;
        int r;

        if (span_equals(x->line, y->line))
                return 0;
        members.old_line = x->line;
        members.new_line = y->line;
        /* Members first, because they are about the whole; but of a tree whose entries tell what
         * changed the digest says nothing more. */
        before = c->diff->n_changes;
        r = members_compare(c->diff, &members);
        if (r < 0 || !x->listing.data || !y->listing.data)
                return r;
        r = compare_trees(c, x, y, &place, &told);
        if (r >= 0 && told)
                members_drop_digest(c->diff, before);
        return r;
}

static int compare_stages(struct comparison *c, const struct manifest_stage *x,
                          const struct manifest_stage *y, const struct place *above)
{
        struct place place = place_below(above, y->name);
        struct members members = {IMGC_CHANGE_STAGE_CHANGED, &place, x->line, y->line, false};
        struct level level = {IMGC_CHANGE_INPUT_ADDED,
                              IMGC_CHANGE_INPUT_REMOVED,
                              IMGC_CHANGE_INPUT_MOVED,
                              {0},
                              {0},
                              NULL};
        int r;

        if (span_equals(x->text, y->text))
                return 0;
        r = members_compare(c->diff, &members);
        if (r >= 0)
                r = level_new(&level, x->n_inputs, y->n_inputs);
        if (r >= 0) {
                for (uint32_t i = 0; i < x->n_inputs; i++)
                        level.old_side.names[i] = c->old_manifest->inputs[x->first_input + i].name;
                for (uint32_t i = 0; i < y->n_inputs; i++)
                        level.new_side.names[i] = c->new_manifest->inputs[y->first_input + i].name;
                r = compare_order(c, &level, &place);
        }
        for (uint32_t i = 0; r >= 0 && i < y->n_inputs; i++)
                if (level.new_side.partner[i] != NO_PARTNER)
                        r = compare_inputs(c,
                                           &c->old_manifest->inputs[x->first_input +
                                                                    level.new_side.partner[i]],
                                           &c->new_manifest->inputs[y->first_input + i], &place);
        level_done(&level);
        return r;
}

static int compare_images(struct comparison *c, const struct manifest_image *x,
                          const struct manifest_image *y)
{
        struct place place = {.image = y->name};
        struct members members = {IMGC_CHANGE_IMAGE_CHANGED, &place, x->line, y->line, false};
        struct level level = {IMGC_CHANGE_STAGE_ADDED,
                              IMGC_CHANGE_STAGE_REMOVED,
                              IMGC_CHANGE_STAGE_MOVED,
                              {0},
                              {0},
                              NULL};
        int r = members_compare(c->diff, &members);

        if (r >= 0)
                r = level_new(&level, x->n_stages, y->n_stages);
        if (r >= 0) {
                for (uint32_t i = 0; i < x->n_stages; i++)
                        level.old_side.names[i] = c->old_manifest->stages[x->first_stage + i].name;
                for (uint32_t i = 0; i < y->n_stages; i++)
                        level.new_side.names[i] = c->new_manifest->stages[y->first_stage + i].name;
                r = compare_order(c, &level, &place);
        }
        for (uint32_t i = 0; r >= 0 && i < y->n_stages; i++)
                if (level.new_side.partner[i] != NO_PARTNER)
                        r = compare_stages(c,
                                           &c->old_manifest->stages[x->first_stage +
                                                                    level.new_side.partner[i]],
                                           &c->new_manifest->stages[y->first_stage + i], &place);
        level_done(&level);
        return r;
}

static int compare_manifests(struct comparison *c)
{
        const struct imgc_manifest *x = c->old_manifest, *y = c->new_manifest;
        const struct place place = {0};
        struct members members = {IMGC_CHANGE_PROJECT_CHANGED, &place, x->line, y->line, false};
        struct level level = {IMGC_CHANGE_IMAGE_ADDED,
                              IMGC_CHANGE_IMAGE_REMOVED,
                              IMGC_CHANGE_IMAGE_MOVED,
                              {0},
                              {0},
                              NULL};
        int r = members_compare(c->diff, &members);

        if (r >= 0)
                r = level_new(&level, x->n_images, y->n_images);
        if (r >= 0) {
                for (uint32_t i = 0; i < x->n_images; i++)
                        level.old_side.names[i] = x->images[i].name;
                for (uint32_t i = 0; i < y->n_images; i++)
                        level.new_side.names[i] = y->images[i].name;
                r = compare_order(c, &level, &place);
        }
        for (uint32_t i = 0; r >= 0 && i < y->n_images; i++)
                if (level.new_side.partner[i] != NO_PARTNER)
                        r = compare_images(c, &x->images[level.new_side.partner[i]], &y->images[i]);
        level_done(&level);
        return r;
}

IMGC_EXPORT int imgc_diff_manifests(struct imgc_context *context,
                                    struct imgc_manifest *old_manifest,
                                    struct imgc_manifest *new_manifest, struct imgc_diff **ret,
                                    struct imgc_error **reterr)
{
        _cleanup_(imgc_diff_unrefp) struct imgc_diff *diff = NULL;
        struct comparison c = {
                .context = context, .old_manifest = old_manifest, .new_manifest = new_manifest};
        int r = diff_new(&diff);

        if (r < 0)
                return error_no_memory(reterr);
        diff->old_manifest = imgc_manifest_ref(old_manifest);
        diff->new_manifest = imgc_manifest_ref(new_manifest);
        c.diff = diff;
        r = compare_manifests(&c);
        if (r >= 0)
                r = diff_finish(diff);
        if (r < 0)
                return diff_fail(r, reterr);
        *ret = TAKE_PTR(diff);
        return 0;
}
