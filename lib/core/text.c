/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/text.h"

#include <errno.h>

#include <imagecache/context.h>

size_t utf8_sequence(const char *s, size_t size, uint32_t *ret_code_point)
{
        static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *u = (const unsigned char *)s;
        uint32_t c;
        size_t n;

        if (!size)
                return 0;
        if (u[0] < 0x80)
                n = 1, c = u[0];
        else if (u[0] >= 0xc2 && u[0] < 0xe0)
                n = 2, c = u[0] & 0x1f;
        else if (u[0] >= 0xe0 && u[0] < 0xf0)
                n = 3, c = u[0] & 0x0f;
        else if (u[0] >= 0xf0 && u[0] < 0xf5)
                n = 4, c = u[0] & 0x07;
        else
                return 0;
        if (n > size)
                return 0;
        for (size_t i = 1; i < n; i++) {
                if ((u[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (u[i] & 0x3f);
        }
        if (c < smallest[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return 0;
        *ret_code_point = c;
        return n;
}

bool utf8_is_valid(const char *s, size_t size)
{
        uint32_t c;

        for (size_t i = 0, n; i < size; i += n) {
                n = utf8_sequence(s + i, size - i, &c);
                if (!n)
                        return false;
        }
        return true;
}

static const char base64_digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_add_base64(struct buffer *buffer, const void *data, size_t size)
{
        const unsigned char *u = data;

        for (size_t i = 0; i < size; i += 3) {
                size_t n = MIN(size - i, (size_t)3);
                uint32_t v = (uint32_t)u[i] << 16 | (n > 1 ? (uint32_t)u[i + 1] << 8 : 0) |
                             (n > 2 ? u[i + 2] : 0);

                buffer_add_char(buffer, base64_digits[v >> 18]);
                buffer_add_char(buffer, base64_digits[v >> 12 & 63]);
                buffer_add_char(buffer, n > 1 ? base64_digits[v >> 6 & 63] : '=');
                buffer_add_char(buffer, n > 2 ? base64_digits[v & 63] : '=');
        }
}

static int base64_value(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_is_canonical(const char *s, size_t size)
{
        size_t padding = 0;

        if (size % 4)
                return false;
        while (padding < 2 && padding < size && s[size - 1 - padding] == '=')
                padding++;
        for (size_t i = 0; i < size - padding; i++)
                if (base64_value(s[i]) < 0)
                        return false;
        /* The bits that stand for no byte must be zero. */
        if (padding == 1)
                return !(base64_value(s[size - 2]) & 3);
        if (padding == 2)
                return !(base64_value(s[size - 3]) & 15);
        return true;
}

void text_add_json(struct buffer *buffer, const char *s, size_t size)
{
        static const char escapes[] = "btn\0fr";
        size_t start = 0;

        buffer_add_char(buffer, '"');
        for (size_t i = 0; i < size; i++) {
                unsigned char c = (unsigned char)s[i];

                if (c >= 0x20 && c != '"' && c != '\\')
                        continue;
                buffer_add(buffer, s + start, i - start);
                start = i + 1;
                if (c >= 8 && c <= 13 && c != 11) {
                        buffer_add_char(buffer, '\\');
                        buffer_add_char(buffer, escapes[c - 8]);
                } else if (c < 0x20) {
                        buffer_printf(buffer, "\\u%04x", c);
                } else {
                        buffer_add_char(buffer, '\\');
                        buffer_add_char(buffer, (char)c);
                }
        }
        buffer_add(buffer, s + start, size - start);
        buffer_add_char(buffer, '"');
}

void text_add_json_bytes(struct buffer *buffer, const char *s)
{
        if (!s) {
                buffer_add_literal(buffer, "null");
        } else if (utf8_is_valid(s, strlen(s))) {
                text_add_json(buffer, s, strlen(s));
        } else {
                buffer_add_literal(buffer, "{\"base64\":\"");
                text_add_base64(buffer, s, strlen(s));
                buffer_add_literal(buffer, "\"}");
        }
}

IMGC_EXPORT int imgc_write_json_string(const char *string, imgc_write_fn write, void *userdata)
{
        _cleanup_buffer_ struct buffer json = {0};

        text_add_json_bytes(&json, string);
        return json.failed ? -ENOMEM : write(userdata, json.data, json.size);
}

/* Controls, and what reorders or hides text: directional marks, zero-width characters,
 * line and paragraph separators, and the invisible tag characters. */
static bool is_printable(uint32_t c)
{
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || c == 0xfeff)
                return false;
        if ((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
            (c >= 0x2060 && c <= 0x206f) || (c >= 0xfff9 && c <= 0xfffb))
                return false;
        return !(c >= 0xe0000 && c <= 0xe0fff);
}

void text_add_visible(struct buffer *buffer, const char *s, size_t size)
{
        uint32_t c = 0;

        for (size_t i = 0, n; i < size; i += n) {
                n = utf8_sequence(s + i, size - i, &c);
                if (n && c == '\\') {
                        buffer_add_literal(buffer, "\\\\");
                } else if (n && is_printable(c)) {
                        buffer_add(buffer, s + i, n);
                } else if (n && (c == '\n' || c == '\t')) {
                        buffer_add_string(buffer, c == '\n' ? "\\n" : "\\t");
                } else {
                        n = n ? n : 1;
                        for (size_t j = 0; j < n; j++)
                                buffer_printf(buffer, "\\%03o", (unsigned char)s[i + j]);
                }
        }
}
