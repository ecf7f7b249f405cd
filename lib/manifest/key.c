/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/key.h"

#include <errno.h>
#include <limits.h>
#include <openssl/hmac.h>

#include "core/context.h"
#include "core/text.h"
#include "tree/digest.h"

void key_add_head(struct buffer *bytes, const char *head, const char *scope, const char *previous)
{
        buffer_add_string(bytes, head);
        buffer_add_literal(bytes, "\n{\"scope\":");
        text_add_json(bytes, scope, strlen(scope));
        buffer_add_literal(bytes, "}\n{\"previous\":");
        buffer_add_string(bytes, previous ? previous : "null");
        buffer_add_literal(bytes, "}\n");
}

int key_of(struct imgc_context *context, const struct buffer *bytes, char ret[static KEY_HEX_SIZE])
{
        _cleanup_(hasher_freep) struct hasher *hasher = NULL;
        unsigned char digest[DIGEST_BYTES_MAX];
        int r;

        if (bytes->failed)
                return -ENOMEM;
        r = hasher_new(context, IMGC_DIGEST_SHA256, &hasher);
        if (r >= 0)
                r = hasher_digest(hasher, bytes->data, bytes->size, digest);
        if (r >= 0)
                digest_format(digest, 32, ret);
        return r;
}

int hmac_of(struct imgc_context *context, const void *secret, size_t secret_size,
            const struct buffer *line, char ret[static KEY_HEX_SIZE])
{
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned size;

        if (line->failed || secret_size > INT_MAX ||
            !HMAC(context->sha256, secret, (int)secret_size, (const unsigned char *)line->data,
                  line->size, digest, &size))
                return -ENOMEM;
        digest_format(digest, 32, ret);
        return 0;
}
