/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keys of stages, and the HMACs of secrets. doc/manifest.md says over which bytes. */
#pragma once

#include "core/buffer.h"

struct imgc_context;

#define KEY_HEX_SIZE 65

/* Begins the bytes of a key. head: the manifest's first line without `info` and line feed;
 * previous: JSON, NULL for the first stage. */
void key_add_head(struct buffer *bytes, const char *head, const char *scope, const char *previous);

/* -ENOMEM */
int key_of(struct imgc_context *context, const struct buffer *bytes, char ret[static KEY_HEX_SIZE]);

int hmac_of(struct imgc_context *context, const void *secret, size_t secret_size,
            const struct buffer *line, char ret[static KEY_HEX_SIZE]);
