/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The patterns of "files" inputs: paths whose components may have wildcards. */
#pragma once

#include <stdbool.h>

#include "core/buffer.h"
#include "tree/line.h"

/* Adds the pattern without "." and empty components. NULL, or what is wrong with it. */
const char *pattern_normalize(const char *pattern, struct buffer *ret);

/* The next component of a normalized pattern, which moves on. False behind the last one. */
bool pattern_next(const char **pattern, struct span *ret);

/* Whether a component has wildcards; without, its name is what pattern_unquote() adds. */
bool pattern_is_wild(struct span component);
void pattern_unquote(struct span component, struct buffer *ret);

/* Whether a component with wildcards matches a name: as a shell does, a name that begins with a
 * dot only where the component does. */
bool pattern_matches(struct span component, const char *name);
