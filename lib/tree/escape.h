/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The escapes of listings: "\ooo" for what is not printable ASCII, and for # = \ * ? [ */
#pragma once

#include <stdbool.h>

#include "core/buffer.h"

/* Whether a listing has this byte as it is: printable ASCII but space # = \ * ? [ */
static inline bool escape_is_plain(unsigned char c)
{
        static const uint64_t plain[4] = {0x5ffffbf600000000, 0x7fffffffe7ffffff, 0,
                                          0}; /* a bit a byte */

        return plain[c >> 6] >> (c & 63) & 1;
}

void escape_add(struct buffer *buffer, const char *s, size_t size);
/* Adds the bytes that an escaped text stands for. The text must be canonical. */
void escape_decode(struct buffer *buffer, const char *s, size_t size);

/* Reads one byte of canonical text at *p, which moves on. Returns it, or -1 where the text is
 * not canonical. */
int escape_next(const char **p, const char *end);

/* Compares two escaped names by the bytes they stand for. Returns <0, 0 or >0. */
int escape_compare_names(const char *a, size_t a_size, const char *b, size_t b_size);

/* Compares two escaped paths by the order of listings: components by their bytes, a directory
 * before what it holds. Returns <0, 0 or >0. */
int escape_compare_paths(const char *a, size_t a_size, const char *b, size_t b_size);
