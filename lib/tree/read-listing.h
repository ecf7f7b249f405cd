/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a canonical listing that may come from a stranger. */
#pragma once

#include "tree/line.h"

/* The words that every canonical listing begins with. */
#define LISTING_MAGIC "#mtree imagecache=1 "

struct listing_summary {
        uint64_t n_entries, n_bytes;
};

/* Reads the header alone and fills the view. NULL, or what is wrong. */
const char *listing_read_header(const char *data, size_t size, struct listing *ret);

/* Checks that these bytes are a listing that a tree could have been written as, and fills the
 * view. name, first_line: for messages ("NAME:LINE: reason"). */
int listing_read(struct imgc_context *context, const char *data, size_t size, const char *name,
                 uint64_t first_line, struct listing *ret, struct listing_summary *ret_summary,
                 struct imgc_error **reterr);
