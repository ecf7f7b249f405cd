/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A growing array of bytes.
 *
 * A failed allocation is remembered: further calls do nothing, and one look at `failed`
 * at the end is enough.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "core/io.h"

struct buffer {
        char *data;
        size_t size;
        size_t capacity;
        bool failed;
};

/* Makes room for `more` bytes behind the present ones. */
bool buffer_reserve(struct buffer *buffer, size_t more);
void buffer_printf(struct buffer *buffer, const char *format, ...) _printf_(2, 3);
void buffer_vprintf(struct buffer *buffer, const char *format, va_list ap) _printf_(2, 0);
void buffer_add_u64(struct buffer *buffer, uint64_t value);
/* Lower-case hexadecimal. */
void buffer_add_hex(struct buffer *buffer, const void *data, size_t size);
/* With a NUL behind the bytes that `size` does not count; NULL if anything failed. */
const char *buffer_string(struct buffer *buffer);
void buffer_free(struct buffer *buffer);

#define _cleanup_buffer_ _cleanup_(buffer_free)

static inline void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
        if (size && (buffer->capacity - buffer->size >= size || buffer_reserve(buffer, size))) {
                memcpy(buffer->data + buffer->size, data, size);
                buffer->size += size;
        }
}

static inline void buffer_add_char(struct buffer *buffer, char c)
{
        if (buffer->capacity > buffer->size || buffer_reserve(buffer, 1))
                buffer->data[buffer->size++] = c;
}

static inline void buffer_add_string(struct buffer *buffer, const char *string)
{
        buffer_add(buffer, string, strlen(string));
}

#define buffer_add_literal(buffer, literal) buffer_add(buffer, literal, sizeof(literal) - 1)
