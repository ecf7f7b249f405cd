/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every limit of the library, in one place; doc/format.md tells users about them. */
#pragma once

#include <stdint.h>

#define LIMIT_NAME_BYTES         4095u
#define LIMIT_DEPTH              16384u
#define LIMIT_PATH_BYTES         (1u << 20)
#define LIMIT_ENTRIES            (UINT64_C(1) << 31)
#define LIMIT_XATTR_LIST_BYTES   65536u /* XATTR_LIST_MAX */
#define LIMIT_XATTR_VALUE_BYTES  65536u /* XATTR_SIZE_MAX */
#define LIMIT_LISTING_LINE_BYTES (16u << 20)
#define LIMIT_LISTING_BYTES      (UINT64_C(1) << 40)
#define LIMIT_EXCLUDE_PATTERNS   4096u
#define LIMIT_EXCLUDE_BYTES      4096u
#define LIMIT_THREADS            256u
