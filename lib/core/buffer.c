/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/buffer.h"

#include <stdio.h>

bool buffer_reserve(struct buffer *buffer, size_t more)
{
        size_t need, capacity;
        char *data;

        if (buffer->failed)
                return false;
        if (__builtin_add_overflow(buffer->size, more, &need))
                goto fail;
        if (need <= buffer->capacity)
                return true;
        capacity = buffer->capacity + buffer->capacity / 2;
        if (capacity < need)
                capacity = need;
        if (capacity < 64)
                capacity = 64;
        data = imgc_io_realloc(buffer->data, capacity);
        if (!data)
                goto fail;
        buffer->data = data;
        buffer->capacity = capacity;
        return true;
fail:
        buffer->failed = true;
        return false;
}

void buffer_vprintf(struct buffer *buffer, const char *format, va_list ap)
{
        va_list again;
        int n;

        va_copy(again, ap);
        n = vsnprintf(NULL, 0, format, again);
        va_end(again);
        if (n < 0 || !buffer_reserve(buffer, (size_t)n + 1)) {
                buffer->failed = true;
                return;
        }
        vsnprintf(buffer->data + buffer->size, (size_t)n + 1, format, ap);
        buffer->size += (size_t)n;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        buffer_vprintf(buffer, format, ap);
        va_end(ap);
}

void buffer_add_u64(struct buffer *buffer, uint64_t value)
{
        char digits[20];
        size_t i = sizeof(digits);

        do {
                digits[--i] = (char)('0' + value % 10);
                value /= 10;
        } while (value);
        buffer_add(buffer, digits + i, sizeof(digits) - i);
}

void buffer_add_hex(struct buffer *buffer, const void *data, size_t size)
{
        static const char hex[] = "0123456789abcdef";
        const unsigned char *bytes = data;

        if (!buffer_reserve(buffer, size * 2))
                return;
        for (size_t i = 0; i < size; i++) {
                buffer->data[buffer->size++] = hex[bytes[i] >> 4];
                buffer->data[buffer->size++] = hex[bytes[i] & 15];
        }
}

const char *buffer_string(struct buffer *buffer)
{
        if (!buffer_reserve(buffer, 1))
                return NULL;
        buffer->data[buffer->size] = '\0';
        return buffer->data;
}

void buffer_free(struct buffer *buffer)
{
        free(buffer->data);
        *buffer = (struct buffer){0};
}
