/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits of projects and manifests; doc/manifest.md tells users about them. */
#pragma once

#include <stddef.h>

/* Of a project file, and of a line of JSON in a manifest. What is read takes up to 40 times as
 * much memory as its text. */
#define LIMIT_JSON_BYTES ((size_t)16 << 20)
#define LIMIT_JSON_DEPTH 32u
/* Images of a project, stages and outputs of an image, inputs, results and read roots of a stage:
 * each is compared with all its siblings. */
#define LIMIT_SIBLINGS 4096u
