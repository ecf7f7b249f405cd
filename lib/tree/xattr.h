/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Extended attributes and ACLs of one entry, as the text of a listing. */
#pragma once

#include "core/buffer.h"
#include "tree/fields.h"

/* Where attributes are read from: an open descriptor (fd >= 0), or a name in a directory. */
struct xattr_source {
        int fd;
        int dirfd;
        const char *name;
};

/* Room that is used again for entry after entry. */
struct xattr_scratch {
        char *list;
        char *value;
        size_t capacity;
        struct buffer acl_access, acl_default;
};

void xattr_scratch_free(struct xattr_scratch *scratch);

/* Adds " acl.access=… acl.default=… xattr.NAME=…" for the fields that count, in canonical order.
 * root_uid: the owner of the tree's root, for capabilities.
 * -ESTALE: an attribute went while they were read. -EOVERFLOW: an id that the user namespace
 * does not map. Others as the kernel says. */
int xattrs_format(struct xattr_scratch *scratch, const struct xattr_source *source, fields_t fields,
                  uint32_t root_uid, struct buffer *buffer);
