/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every limit of the library, in one place; doc/format.md and doc/manifest.md tell
 * users about them. */
#pragma once

#include <stddef.h>
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

/* Of a project file, and of a line of JSON in a manifest. What is read takes up to 40 times as
 * much memory as its text. */
#define LIMIT_JSON_BYTES ((size_t)16 << 20)
#define LIMIT_JSON_DEPTH 32u
/* Images of a project, stages and outputs of an image, inputs, results and read roots of a stage:
 * each is compared with all its siblings. */
#define LIMIT_SIBLINGS 4096u
