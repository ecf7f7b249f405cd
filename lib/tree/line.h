/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Lines of a canonical listing, where they stand: nothing is copied or decoded.
 *
 * The functions that read lines take a listing that was checked or written by this library.
 */
#pragma once

#include <imagecache/tree.h>

#include "tree/fields.h"

struct span {
        const char *data;
        size_t size;
};

/* In the order in which a line has them. */
enum keyword {
        KEYWORD_TYPE,
        KEYWORD_MODE,
        KEYWORD_EXEC,
        KEYWORD_UID,
        KEYWORD_GID,
        KEYWORD_SIZE,
        KEYWORD_DEVICE,
        KEYWORD_LINK,
        KEYWORD_HARDLINK,
        KEYWORD_TIME,
        KEYWORD_FLAGS,
        KEYWORD_ACL_ACCESS,
        KEYWORD_ACL_DEFAULT,
        KEYWORD_XATTR, /* any number of them, each with a name */
        KEYWORD_DIGEST,
        N_KEYWORDS
};

/* The words of "type". */
enum entry_type {
        TYPE_FILE,
        TYPE_DIR,
        TYPE_LINK,
        TYPE_FIFO,
        TYPE_SOCKET,
        TYPE_CHAR,
        TYPE_BLOCK,
        N_TYPES
};

/* A listing in memory that belongs to somebody else. */
struct listing {
        const char *data;
        size_t size;
        size_t header_size; /* the first line with its line feed */
        fields_t fields;
        enum imgc_digest_algorithm algorithm;
};

struct attribute {
        enum keyword keyword;
        struct span name; /* as written: "mode", "xattr.user.mime", "xxh128" */
        struct span value;
};

struct line {
        struct span name; /* as written: ".", "./etc" */
        struct span rest; /* the attributes behind it, beginning with a space; no line feed */
};

static inline bool span_equals(struct span a, struct span b)
{
        return a.size == b.size && !memcmp(a.data, b.data, a.size);
}

static inline bool span_is(struct span a, const char *string)
{
        return a.size == strlen(string) && !memcmp(a.data, string, a.size);
}

/* The line at an offset; returns the offset of the next one. */
size_t line_at(const struct listing *listing, size_t offset, struct line *ret);

/* The line of that name before `end`, an offset of a line. Returns its offset, or SIZE_MAX. */
size_t line_find(const struct listing *listing, size_t end, struct span name, struct line *ret);

/* Takes the next attribute off the front of `rest`. False where none is left. */
bool line_next_attribute(struct span *rest, struct attribute *ret);

/* The attribute with that keyword. False where there is none. */
bool line_get_attribute(const struct line *line, enum keyword keyword, struct attribute *ret);

/* Which keyword a name is; N_KEYWORDS of none. */
enum keyword keyword_of(struct span name);
/* Which type a word is; N_TYPES of none. */
enum entry_type type_of(struct span word);

/* The field that a keyword belongs to; of KEYWORD_XATTR the name decides, see xattr_field(). */
enum field keyword_field(enum keyword keyword);
/* Whether entries of that type may have it; whether those that may have it must. */
bool keyword_may_stand_on(enum keyword keyword, enum entry_type type);
bool keyword_is_required(enum keyword keyword);

/* Whether a line says nothing but "type=dir" where it would say more if more were known. */
bool line_is_bare(const struct listing *listing, const struct line *line);

/* Adds a line's name as the kernel's bytes, without "./". */
void line_add_path(const struct line *line, struct buffer *buffer);
