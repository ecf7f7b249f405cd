/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/digest.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <xxhash.h>

#include "config.h"
#include "core/context.h"
#include "core/io.h"

/* The dispatching entry points choose the widest vectors that this processor has, which
 * doubles the speed above 256 bytes; libxxhash has them on x86 only. */
#if HAVE_XXH_X86DISPATCH
#include <xxh_x86dispatch.h>
#define XXH128_OF     XXH3_128bits_dispatch
#define XXH128_UPDATE XXH3_128bits_update_dispatch
#else
#define XXH128_OF     XXH3_128bits
#define XXH128_UPDATE XXH3_128bits_update
#endif

struct hasher {
        enum imgc_digest_algorithm algorithm;
        XXH3_state_t *xxh;
        const EVP_MD *md; /* the context's */
        EVP_MD_CTX *evp;
};

IMGC_EXPORT const char *imgc_digest_algorithm_get_name(enum imgc_digest_algorithm algorithm)
{
        switch (algorithm) {
        case IMGC_DIGEST_DEFAULT:
        case IMGC_DIGEST_XXH128:
                return "xxh128";
        case IMGC_DIGEST_SHA256:
                return "sha256";
        default:
                return NULL;
        }
}

IMGC_EXPORT int imgc_digest_algorithm_from_name(const char *name)
{
        if (!strcmp(name, "xxh128"))
                return IMGC_DIGEST_XXH128;
        if (!strcmp(name, "sha256"))
                return IMGC_DIGEST_SHA256;
        return -EINVAL;
}

size_t digest_bytes(enum imgc_digest_algorithm algorithm)
{
        return algorithm == IMGC_DIGEST_SHA256 ? 32 : 16;
}

void digest_format(const unsigned char *digest, size_t size, char *ret_hex)
{
        static const char hex[] = "0123456789abcdef";

        for (size_t i = 0; i < size; i++) {
                *ret_hex++ = hex[digest[i] >> 4];
                *ret_hex++ = hex[digest[i] & 15];
        }
        *ret_hex = '\0';
}

int hasher_new(struct imgc_context *context, enum imgc_digest_algorithm algorithm,
               struct hasher **ret)
{
        _cleanup_(hasher_freep) struct hasher *hasher = imgc_io_calloc(1, sizeof(*hasher));

        if (!hasher)
                return -ENOMEM;
        hasher->algorithm = algorithm;
        if (algorithm == IMGC_DIGEST_SHA256) {
                hasher->md = context->sha256;
                hasher->evp = EVP_MD_CTX_new();
        } else {
                hasher->xxh = XXH3_createState();
        }
        if (!hasher->evp && !hasher->xxh)
                return -ENOMEM;
        *ret = TAKE_PTR(hasher);
        return 0;
}

struct hasher *hasher_free(struct hasher *hasher)
{
        if (!hasher)
                return NULL;
        XXH3_freeState(hasher->xxh);
        EVP_MD_CTX_free(hasher->evp);
        free(hasher);
        return NULL;
}

static void xxh128_store(XXH128_hash_t hash, unsigned char *ret)
{
        XXH128_canonical_t canonical;

        XXH128_canonicalFromHash(&canonical, hash);
        memcpy(ret, canonical.digest, sizeof(canonical.digest));
}

int hasher_digest(struct hasher *hasher, const void *data, size_t size, unsigned char *ret)
{
        if (hasher->xxh) {
                xxh128_store(XXH128_OF(data, size), ret);
                return 0;
        }
        if (hasher_start(hasher) < 0 || hasher_update(hasher, data, size) < 0)
                return -ENOMEM;
        return hasher_finish(hasher, ret);
}

/* libcrypto's digests fail for want of memory only. */

int hasher_start(struct hasher *hasher)
{
        if (hasher->xxh)
                return XXH3_128bits_reset(hasher->xxh) == XXH_OK ? 0 : -ENOMEM;
        return EVP_DigestInit_ex2(hasher->evp, hasher->md, NULL) ? 0 : -ENOMEM;
}

int hasher_update(struct hasher *hasher, const void *data, size_t size)
{
        if (hasher->xxh)
                return XXH128_UPDATE(hasher->xxh, data, size) == XXH_OK ? 0 : -ENOMEM;
        return EVP_DigestUpdate(hasher->evp, data, size) ? 0 : -ENOMEM;
}

int hasher_finish(struct hasher *hasher, unsigned char *ret)
{
        if (hasher->xxh) {
                xxh128_store(XXH3_128bits_digest(hasher->xxh), ret);
                return 0;
        }
        return EVP_DigestFinal_ex(hasher->evp, ret, NULL) ? 0 : -ENOMEM;
}
