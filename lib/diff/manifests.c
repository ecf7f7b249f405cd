/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Compares two manifests: what the project itself says, then its images, their stages, the
 * stages' inputs, and of trees what is in them.
 *
 * Members of a line are compared as canonical JSON; a new member of the format is compared
 * without a line of code here.
 */
#include <errno.h>
#include <stdio.h>

#include "core/context.h"
#include "diff/diff.h"
#include "diff/order.h"
#include "manifest/json.h"
#include "manifest/manifest-internal.h"
#include "tree/read-listing.h"

struct comparison {
        struct imgc_context *context;
        struct imgc_diff *diff;
        struct imgc_manifest *old_manifest, *new_manifest;
};

/* The kinds of change of one level. */
struct level {
        enum imgc_change_kind added, removed, moved, changed;
        const char *const *ignored; /* members that are compared otherwise; ended by NULL */
};

static const char *const no_members[] = {"info", "name_of_level", NULL};

static const struct level project_level = {
        .changed = IMGC_CHANGE_PROJECT_CHANGED,
        .ignored = no_members,
};
static const struct level image_level = {
        IMGC_CHANGE_IMAGE_ADDED, IMGC_CHANGE_IMAGE_REMOVED, IMGC_CHANGE_IMAGE_MOVED,
        IMGC_CHANGE_IMAGE_CHANGED, no_members,
};
static const struct level stage_level = {
        IMGC_CHANGE_STAGE_ADDED, IMGC_CHANGE_STAGE_REMOVED, IMGC_CHANGE_STAGE_MOVED,
        IMGC_CHANGE_STAGE_CHANGED, no_members,
};
static const struct level input_level = {
        IMGC_CHANGE_INPUT_ADDED, IMGC_CHANGE_INPUT_REMOVED, IMGC_CHANGE_INPUT_MOVED,
        IMGC_CHANGE_INPUT_CHANGED, no_members,
};
