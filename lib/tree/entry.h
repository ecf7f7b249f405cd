/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One entry's attributes as the text of a listing: all of its line behind the name. */
#pragma once

#include <imagecache/tree.h>

#include "core/buffer.h"
#include "tree/fields.h"

struct entry_style {
        fields_t fields;
        enum imgc_digest_algorithm algorithm;
        uint32_t uid, gid; /* IMGC_ID_KEEP, or instead of the entry's own */
};

struct entry_facts {
        const struct stat *stat;
        uint64_t size;               /* regular files: bytes that were read or stated */
        const char *link;            /* symbolic links: the target */
        uint32_t flags;              /* FS_…_FL */
        const struct buffer *xattrs; /* as xattrs_format() gives them */
        const unsigned char *digest; /* regular files whose content counts */
};

/* "file", "dir", …; NULL of a type that no file system of ours has. */
const char *entry_type_name(mode_t mode);

/* Adds " type=… …\n". */
void entry_format(struct buffer *buffer, const struct entry_style *style,
                  const struct entry_facts *facts);
