/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests from strangers. Digests and keys that a fuzzer cannot guess would keep it out of
 * most of the reader, so each input is read twice: as it comes, and as one that this library has
 * just made, where they are not looked at. What is accepted has the bytes that were given.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <imagecache/manifest.h>

#include "manifest/manifest-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct imgc_manifest *manifest)
{
        for (uint32_t i = 0; i < imgc_manifest_get_n_images(manifest); i++)
                for (uint32_t s = 0; s < imgc_manifest_get_n_stages(manifest, i); s++)
                        for (uint32_t n = 0; n < imgc_manifest_get_n_inputs(manifest, i, s); n++) {
                                struct imgc_manifest_input input = IMGC_MANIFEST_INPUT_INIT;

                                assert(imgc_manifest_get_input(manifest, i, s, n, &input) == 0);
                                assert(input.name && *input.line == '{' &&
                                       input.line[input.line_bytes] == '\n');
                        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct imgc_context *context;
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;
        const char *bytes;
        size_t n_bytes;
        char *copy;

        if (!context && imgc_context_new(&context, NULL) < 0)
                abort();
        if (imgc_manifest_parse(context, data, size, "fuzz", &manifest, &error) < 0) {
                assert(error && *imgc_error_get_message(error));
                imgc_error_unref(error);
        } else {
                bytes = imgc_manifest_get_data(manifest, &n_bytes);
                assert(n_bytes == size && !memcmp(bytes, data, size));
                look_at(manifest);
                imgc_manifest_unref(manifest);
        }
        copy = malloc(size ? size : 1);
        if (!copy)
                return 0;
        memcpy(copy, data, size);
        manifest = NULL;
        if (manifest_of_bytes(context, copy, size, false, "fuzz", true, &manifest, NULL) < 0)
                free(copy);
        else
                look_at(manifest);
        imgc_manifest_unref(manifest);
        return 0;
}
