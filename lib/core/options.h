/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures of options that begin with their size, given by a caller who may have been built
 * with an older or newer header. */
#pragma once

#include <errno.h>
#include <stddef.h>

/* -EINVAL: no size was set. -E2BIG: a member that this library does not know is set. */
static inline int options_check_size(const void *options, size_t given, size_t known)
{
        const char *bytes = options;

        if (given < sizeof(size_t))
                return -EINVAL;
        for (size_t i = known; i < given; i++)
                if (bytes[i])
                        return -E2BIG;
        return 0;
}
