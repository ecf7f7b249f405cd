/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of one thing in words. */
#pragma once

#include "diff/diff.h"

/* "added", "moved from old/name", "mode 0755 → 0700, content changed (14.2 kB → 14.3 kB)". whole: values are not shortened. */
void describe_changes(const struct imgc_diff *diff, const struct change *changes, uint64_t n,
                      bool whole, struct buffer *out);

/* What people call the attributes of a keyword. */
const char *keyword_title(enum keyword keyword);
