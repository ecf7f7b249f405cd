/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * JSON: a strict reader that knows where everything stands, and the canonical spelling of
 * RFC 8785.
 *
 * The reader takes what a canonical writer could have written, in any order and spacing: UTF-8
 * without surrogates, integers within ±(2^53-1), no duplicate members, no NUL in a member's
 * name, a bounded depth. json-c judges the grammar and decodes strings; it lets the rest through
 * silently and tells no places, so that the values are located and checked besides.
 *
 * Members of an object are kept in canonical order, sorted by their names as UTF-16.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <imagecache/error.h>

#include "core/arena.h"
#include "core/buffer.h"
#include "core/limits.h"

#define JSON_INTEGER_MAX ((INT64_C(1) << 53) - 1)

enum json_kind {
        JSON_NULL,
        JSON_BOOLEAN,
        JSON_INTEGER,
        JSON_STRING,
        JSON_ARRAY,
        JSON_OBJECT,
};

struct json {
        struct json *next; /* in its array or object */
        const char *name;  /* of a member, ended by NUL */
        size_t name_size;
        size_t name_offset; /* where the name stands in the text */
        size_t offset;      /* where the value stands */
        enum json_kind type;
        union {
                bool boolean;
                int64_t integer;
                struct {
                        const char *text; /* ended by NUL, which may stand inside as well */
                        size_t size;
                };
                struct {
                        struct json *first;
                        size_t n;
                };
        };
};

/* What is wrong, and where. */
struct json_fault {
        const char *reason; /* static; never words of the text, which may be a secret */
        size_t offset;
};

/* Reads one value with nothing but white space around it. Returns 0, -EBADMSG or -ENOMEM. The
 * value lives in the arena. */
int json_parse(struct arena *arena, const char *text, size_t size, struct json **ret,
               struct json_fault *ret_fault);

/* Line and column of a place, both from 1; columns count bytes. */
void json_place(const char *text, size_t offset, size_t *ret_line, size_t *ret_column);

/* The member of that name, or NULL. */
const struct json *json_get(const struct json *object, const char *name);

/* Whether the value is a string without NUL. */
bool json_is_plain_string(const struct json *value);

/* Adds the canonical spelling. */
void json_add(struct buffer *buffer, const struct json *value);
/* The same of an object without one of its members. */
void json_add_without(struct buffer *buffer, const struct json *object, const char *name);

/* Bytes as a string or, where they are not UTF-8, {"base64":…}. */
void json_add_bytes(struct buffer *buffer, const char *bytes, size_t size);

/* Reads what json_add_bytes() writes, and base64 of any other bytes. Returns 0, -EINVAL for
 * another value, or -ENOMEM. The bytes are ended by NUL. */
int json_get_bytes(struct arena *arena, const struct json *value, const char **ret,
                   size_t *ret_size);
