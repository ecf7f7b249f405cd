/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line of a listing that may come from a stranger: is it spelt as this library would? What
 * depends on other lines is the reader's affair. */
#pragma once

#include "tree/line.h"

struct line_checker {
        const struct listing *listing; /* its header */
        struct buffer xattr_name;      /* decoded, NUL-terminated; and the one before */
        struct buffer xattr_before;

        /* Of the line that was checked last. */
        enum entry_type type;
        struct span hardlink; /* data is NULL where it has none */

        uint64_t n_bytes; /* of all lines */
};

/* NULL, or what is wrong. Without memory it may accept: look at the buffers at the end. */
const char *line_check(struct line_checker *checker, const struct line *line);
void line_checker_done(struct line_checker *checker);
