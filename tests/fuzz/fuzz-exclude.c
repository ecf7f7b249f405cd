/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines: patterns, an empty line, then paths that they are tried on. The fuzzer's own timeout
 * finds what takes too long. */
#include <string.h>

#include "fuzz.h"
#include "tree/exclude.h"

#define PATTERNS_MAX 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *text = malloc(size + 1), *next = text, *line;
        const char *patterns[PATTERNS_MAX + 1] = {NULL};
        struct exclude *exclude = NULL;
        struct imgc_error *error = NULL;
        size_t n = 0;
        int r;

        memcpy(text, data, size);
        text[size] = '\0';
        while ((line = strsep(&next, "\n")) && *line)
                if (n < PATTERNS_MAX)
                        patterns[n++] = line;
        r = exclude_new(patterns, &exclude, &error);
        if (r < 0) {
                REQUIRE(!exclude && error);
                imgc_error_unref(error);
        } else {
                REQUIRE(!error && (exclude || !n));
                while (exclude && (line = strsep(&next, "\n")))
                        if (*line) {
                                bool as_file = exclude_matches(exclude, line, false);
                                bool as_directory = exclude_matches(exclude, line, true);

                                /* Of one pattern: what matches a file matches a directory of that name. */
                                REQUIRE(n > 1 || !as_file || as_directory);
                        }
        }
        exclude_free(exclude);
        free(text);
        return 0;
}
