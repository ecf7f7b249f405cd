/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The trees of inputs: a path, or the files that patterns match. */
#pragma once

#include "manifest/project-internal.h"

struct imgc_context;

/* Expands the patterns of a "files" input and reads what they match into one listing.
 * *ret is NULL where nothing matches and the input is optional. */
int files_read(struct imgc_context *context, const struct imgc_project *project,
               const struct project_input *input, struct imgc_tree **ret,
               struct imgc_error **reterr);

/* Reads the tree of a "tree" or "file" input. *ret is NULL where it does not exist and the input
 * is optional. */
int path_read(struct imgc_context *context, const struct imgc_project *project,
              const struct project_input *input, uint32_t flags, struct imgc_tree **ret,
              struct imgc_error **reterr);

/* Where looking up a path in dirfd gave ENOENT: 0 where a name on the way does not exist, else
 * the reason, -ENOENT for a link that leads nowhere and for a directory that was removed. */
int check_is_absent(int dirfd, const char *path);
