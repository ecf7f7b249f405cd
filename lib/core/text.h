/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as text: UTF-8, base64, JSON strings, and names that a terminal may show. */
#pragma once

#include <stdbool.h>

#include "core/buffer.h"

/* Length of the UTF-8 sequence at `s` (no surrogates, no overlong forms), or 0. */
size_t utf8_sequence(const char *s, size_t size, uint32_t *ret_code_point);
bool utf8_is_valid(const char *s, size_t size);

/* With padding (RFC 4648, section 4). */
void text_add_base64(struct buffer *buffer, const void *data, size_t size);
/* Whether these are the characters that text_add_base64() writes for some bytes. */
bool base64_is_canonical(const char *s, size_t size);

/* A JSON string as RFC 8785 spells it; the bytes must be UTF-8. */
void text_add_json(struct buffer *buffer, const char *s, size_t size);
/* The same, or {"base64":…} for bytes that are not UTF-8; NULL is null. */
void text_add_json_bytes(struct buffer *buffer, const char *s);

/* For people: what is not printable UTF-8 appears as \n, \t or \ooo, a backslash as \\. */
void text_add_visible(struct buffer *buffer, const char *s, size_t size);
