/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which attributes of an entry count: named fields, and the profiles that are sets of them. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/buffer.h"

/* In the order in which a header names them. */
enum field {
        FIELD_TYPE,
        FIELD_MODE,
        FIELD_EXEC,
        FIELD_UID,
        FIELD_GID,
        FIELD_SIZE,
        FIELD_DEVICE,
        FIELD_LINK,
        FIELD_HARDLINK,
        FIELD_TIME,
        FIELD_FLAGS,
        FIELD_ACL,
        FIELD_XATTR,
        FIELD_LABEL,
        FIELD_OVERLAY,
        FIELD_CONTENT,
        N_FIELDS
};

typedef uint32_t fields_t;
#define FIELD_BIT(f)  (UINT32_C(1) << (f))
#define FIELDS_XATTRS (FIELD_BIT(FIELD_XATTR) | FIELD_BIT(FIELD_LABEL) | FIELD_BIT(FIELD_OVERLAY))

static inline bool has_field(fields_t fields, enum field field)
{
        return fields >> field & 1;
}

/* Longest output of fields_format(), its NUL included. */
#define FIELDS_STRING_MAX 96

extern const char *const field_names[N_FIELDS];

/* A profile, or names separated by commas; NULL is "image". -EINVAL: the offending word is at
 * *ret_bad, *ret_bad_size. */
int fields_parse(const char *text, fields_t *ret, const char **ret_bad, size_t *ret_bad_size);
/* "type,mode,…" */
void fields_format(fields_t fields, char ret[static FIELDS_STRING_MAX]);
/* The field of an extended attribute; -1 of one that none has (the ACLs). */
int xattr_field(const char *name);
