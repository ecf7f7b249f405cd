/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of project files and manifests, and how names and paths are spelt in them. */
#pragma once

#include <imagecache/project.h>

#include "core/buffer.h"
#include "tree/fields.h"

/* Each returns a static word; NULL for a number that is none. */
const char *on_change_word(uint32_t on_change);
const char *tree_kind_word(uint32_t kind);

/* The number of a word, or -EINVAL. */
int input_type_from_word(const char *word);
int on_change_from_word(const char *word);
/* -ENOTSUP: a word that later releases will read. */
int tree_kind_from_word(const char *word);

/* NULL, or why this cannot be a name. forbidden: characters that it may not have. */
const char *name_check(const char *name, const char *forbidden);

/* A profile's name where the fields are those of one, else their names. */
#define FIELDS_WORD_MAX FIELDS_STRING_MAX
void fields_word(fields_t fields, char ret[static FIELDS_WORD_MAX]);

/* What a manifest calls a path: itself if it is relative, else its last component. The size
 * goes without trailing slashes of the latter. */
const char *path_label(const char *path, size_t *ret_size);

/* [STRING,…], each as json_add_bytes() writes it. strings: ended by NULL. */
void json_add_strings(struct buffer *buffer, const char *const *strings);
/* The same of a set: sorted by bytes, each once. -ENOMEM. */
int json_add_set(struct buffer *buffer, const char *const *items);
