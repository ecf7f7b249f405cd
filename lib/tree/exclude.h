/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of entries to leave out, in the syntax and with the meaning of gitignore(5), on
 * bytes. Source: git's documentation of gitignore, and its behaviour. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <imagecache/error.h>

#include "core/macros.h"

struct exclude;

/* patterns: ended by NULL, or NULL. *ret is NULL where there are none. */
int exclude_new(const char *const *patterns, struct exclude **ret, struct imgc_error **reterr);
struct exclude *exclude_free(struct exclude *exclude);

/* path: below the root, without "./". A directory above it that is left out is the caller's
 * affair. */
bool exclude_matches(const struct exclude *exclude, const char *path, bool is_directory);

/* One pattern without '/' against one name: '*', '?', '[…]', '\'. */
bool glob_matches(const char *pattern, size_t pattern_size, const char *name, size_t name_size);
/* NULL, or why the pattern is malformed. */
const char *glob_check(const char *pattern, size_t pattern_size);
/* p: a '['. Returns what follows the bracket expression, or NULL where it is malformed. */
const char *glob_skip_bracket(const char *p, const char *end);

DEFINE_CLEANUP(struct exclude *, exclude_free)
