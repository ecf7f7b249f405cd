/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operands that are projects and manifests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* One more than imgc_seal_options takes. */
#define SECRET_BUFFER_BYTES 4097

struct imgc_project *read_project(struct cli *cli, const char *path)
{
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        int r;

        if (!strcmp(path, "-"))
                r = imgc_project_load_fd(cli->context, STDIN_FILENO, "standard input", AT_FDCWD,
                                         &project, &error);
        else
                r = imgc_project_load_at(cli->context, AT_FDCWD, path, &project, &error);
        if (r < 0)
                fail_error(cli, error);
        return project;
}

/* Whether the first line says it, wherever that stands. */
static bool first_line_has(const char *path, const char *word)
{
        FILE *file = fopen(path, "re");
        char *line = NULL;
        size_t capacity = 0;
        bool found;

        if (!file)
                return false;
        found = getline(&line, &capacity, file) > 0 && strstr(line, word);
        free(line);
        fclose(file);
        return found;
}

bool is_manifest(const char *path)
{
        /* Members are sorted, so that every manifest begins so, even one that was cut short. One
         * that is damaged there still says what it is: it shall be refused, not be taken for some
         * other file. */
        return begins_with(path, "{\"builder\":") ||
               (begins_with(path, "{") && first_line_has(path, "\"imagecache\":\"manifest\""));
}

struct imgc_manifest *read_manifest(struct cli *cli, const char *path)
{
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;

        if (imgc_manifest_load_at(cli->context, AT_FDCWD, path, &manifest, &error) < 0)
                fail_error(cli, error);
        return manifest;
}

const char *get_env(void *userdata, const char *name)
{
        (void)userdata;
        return getenv(name);
}

int read_secret(struct cli *cli, const char *path)
{
        FILE *file = fopen(path, "re");
        size_t n;
        int failed;

        if (!file)
                return fail(cli, errno == ENOENT ? "not-found" : "io", errno, "open", path,
                            "cannot open %s: %s", path, strerror(errno));
        free(cli->secret);
        cli->secret = malloc(SECRET_BUFFER_BYTES);
        n = cli->secret ? fread(cli->secret, 1, SECRET_BUFFER_BYTES, file) : 0;
        failed = ferror(file);
        fclose(file);
        if (!cli->secret)
                return fail(cli, "no-memory", ENOMEM, "read", path, "cannot allocate memory");
        if (failed)
                return fail(cli, "io", EIO, "read", path, "cannot read %s: %s", path,
                            strerror(EIO));
        if (n < 16 || n == SECRET_BUFFER_BYTES)
                return fail(cli, "invalid-argument", EINVAL, "read", path,
                            "cannot use %s: a key has 16 to %d bytes", path,
                            SECRET_BUFFER_BYTES - 1);
        cli->secret_bytes = n;
        return 0;
}
