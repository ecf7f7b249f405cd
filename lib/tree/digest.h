/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Digests of files and listings: XXH128 by libxxhash, SHA-256 by libcrypto.
 *
 * A hasher belongs to one thread and is used again for file after file.
 */
#pragma once

#include <stdint.h>

#include <imagecache/tree.h>

#include "core/macros.h"

#define DIGEST_BYTES_MAX 32
#define DIGEST_HEX_MAX   (DIGEST_BYTES_MAX * 2 + 1)

struct hasher;
struct imgc_context;

size_t digest_bytes(enum imgc_digest_algorithm algorithm);
void digest_format(const unsigned char *digest, size_t size, char *ret_hex);

/* -ENOMEM. The context must outlive the hasher. */
int hasher_new(struct imgc_context *context, enum imgc_digest_algorithm algorithm,
               struct hasher **ret);
struct hasher *hasher_free(struct hasher *hasher);

/* One digest in one call: faster than the three below. */
int hasher_digest(struct hasher *hasher, const void *data, size_t size, unsigned char *ret);

int hasher_start(struct hasher *hasher);
int hasher_update(struct hasher *hasher, const void *data, size_t size);
int hasher_finish(struct hasher *hasher, unsigned char *ret);

DEFINE_CLEANUP(struct hasher *, hasher_free)
