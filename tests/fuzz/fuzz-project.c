/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Project files from strangers. Whatever is accepted is read again the same way, and nothing of
 * it is opened: sealing is not for a fuzzer. */
#include <assert.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <imagecache/project.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct imgc_context *context;
        struct imgc_project *project = NULL, *again = NULL;
        struct imgc_error *error = NULL;

        if (!context && imgc_context_new(&context, NULL) < 0)
                abort();
        if (imgc_project_parse(context, data, size, "fuzz", AT_FDCWD, &project, &error) < 0) {
                assert(error && *imgc_error_get_message(error));
                imgc_error_unref(error);
                return 0;
        }
        assert(imgc_project_parse(context, data, size, "fuzz", AT_FDCWD, &again, NULL) == 0);
        assert(imgc_project_get_n_images(project) == imgc_project_get_n_images(again));
        imgc_project_unref(project);
        imgc_project_unref(again);
        return 0;
}
