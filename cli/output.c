/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

int fail_error(struct cli *cli, struct imgc_error *error)
{
        progress_clear();
        if (cli->json)
                fprintf(stderr, "%s\n", imgc_error_get_json(error));
        else
                fprintf(stderr, "imagecache: %s\n", imgc_error_get_message(error));
        imgc_error_unref(error);
        return EXIT_TROUBLE;
}

static int write_to_stderr(void *userdata, const void *data, size_t data_bytes)
{
        (void)userdata;
        return fwrite(data, 1, data_bytes, stderr) == data_bytes ? 0 : -EIO;
}

static void print_json_error(const char *code, int number, const char *operation, const char *path,
                             const char *message)
{
        fprintf(stderr,
                "{\"error\":{\"code\":\"%s\",\"errno\":%d,\"operation\":\"%s\",\"path\":", code,
                number, operation);
        imgc_write_json_string(path, write_to_stderr, NULL);
        fputs(",\"message\":", stderr);
        imgc_write_json_string(message, write_to_stderr, NULL);
        fputs("}}\n", stderr);
}

/* What a person typed may hold anything. */
static void make_visible(char *s)
{
        for (; *s; s++)
                if ((unsigned char)*s < 0x20 || *s == 0x7f)
                        *s = '?';
}

__attribute__((format(printf, 7, 0))) static int fail_va(struct cli *cli, const char *code,
                                                         int number, const char *operation,
                                                         const char *path, const char *hint,
                                                         const char *format, va_list ap)
{
        char message[1024];

        vsnprintf(message, sizeof(message), format, ap);
        make_visible(message);
        progress_clear();
        if (cli->json)
                print_json_error(code, number, operation, path, message);
        else
                fprintf(stderr, "imagecache: %s%s\n", message, hint);
        return EXIT_TROUBLE;
}

int fail(struct cli *cli, const char *code, int number, const char *operation, const char *path,
         const char *format, ...)
{
        va_list ap;
        int r;

        va_start(ap, format);
        r = fail_va(cli, code, number, operation, path, "", format, ap);
        va_end(ap);
        return r;
}

int fail_usage(struct cli *cli, const char *format, ...)
{
        char hint[64] = " (see imagecache --help)";
        va_list ap;
        int r;

        if (cli->verb)
                snprintf(hint, sizeof(hint), " (see imagecache %s --help)", cli->verb->name);
        va_start(ap, format);
        r = fail_va(cli, "invalid-argument", EINVAL, "parse options", NULL, hint, format, ap);
        va_end(ap);
        return r;
}

int write_to_stdout(void *userdata, const void *data, size_t data_bytes)
{
        (void)userdata;
        progress_clear();
        errno = 0;
        if (fwrite(data, 1, data_bytes, stdout) == data_bytes)
                return 0;
        return errno ? -errno : -EIO;
}

int finish_output(struct cli *cli, int code)
{
        errno = 0;
        if (fflush(stdout) == 0 && !ferror(stdout))
                return code;
        return fail(cli, "io", errno ? errno : EIO, "write", NULL,
                    "cannot write standard output: %s", strerror(errno ? errno : EIO));
}

void print_json_string(const char *s)
{
        imgc_write_json_string(s, write_to_stdout, NULL); /* told by finish_output() */
}
