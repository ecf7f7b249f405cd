/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs a fuzzer's target on files, and on all files of directories. */
#include <dirent.h>

#include "fuzz.h"

static unsigned run_file(const char *path)
{
        FILE *f = fopen(path, "r");
        uint8_t *data = NULL;
        size_t size = 0, n;

        if (!f)
                return 0;
        do {
                data = realloc(data, size + 65536);
                n = fread(data + size, 1, 65536, f);
                size += n;
        } while (n);
        fclose(f);
        /* Exactly as large, so that one byte more shows. */
        data = realloc(data, size ? size : 1);
        LLVMFuzzerTestOneInput(data, size);
        free(data);
        return 1;
}

int main(int argc, char **argv)
{
        unsigned n = 0;

        for (int i = 1; i < argc; i++) {
                DIR *directory = opendir(argv[i]);
                struct dirent *d;
                char path[4096];

                if (!directory) {
                        n += run_file(argv[i]);
                        continue;
                }
                while ((d = readdir(directory))) {
                        if (*d->d_name == '.')
                                continue;
                        snprintf(path, sizeof(path), "%s/%s", argv[i], d->d_name);
                        n += run_file(path);
                }
                closedir(directory);
        }
        printf("%u inputs\n", n);
        return n ? EXIT_SUCCESS : EXIT_FAILURE;
}
