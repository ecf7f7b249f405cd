/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "core/text.h"

struct imgc_error {
        atomic_uint references;
        enum imgc_error_code code;
        int number; /* positive errno */
        const char *operation;
        char *path;
        char *message;
        char *json;
};

/* Returned where there is no memory for an error. Never counted, freed or written; its texts
 * are those below. */
static const struct imgc_error no_memory_constant = {
        .code = IMGC_ERROR_NO_MEMORY,
        .number = ENOMEM,
        .operation = "allocate",
};
static const char no_memory_message[] = "cannot allocate memory";
static const char no_memory_json[] =
        "{\"error\":{\"code\":\"no-memory\",\"errno\":12,\"operation\":\"allocate\",\"path\":null,"
        "\"message\":\"cannot allocate memory\"}}";
_Static_assert(ENOMEM == 12, "the text above says so");

static struct imgc_error *no_memory(void)
{
        return (struct imgc_error *)(uintptr_t)&no_memory_constant;
}

static const char *const code_names[] = {
        [IMGC_ERROR_NO_MEMORY] = "no-memory",
        [IMGC_ERROR_INVALID_ARGUMENT] = "invalid-argument",
        [IMGC_ERROR_NOT_FOUND] = "not-found",
        [IMGC_ERROR_ACCESS] = "access",
        [IMGC_ERROR_IO] = "io",
        [IMGC_ERROR_TREE_CHANGED] = "tree-changed",
        [IMGC_ERROR_UNMAPPED_ID] = "unmapped-id",
        [IMGC_ERROR_LIMIT] = "limit",
        [IMGC_ERROR_UNSUPPORTED] = "unsupported",
        [IMGC_ERROR_CANCELLED] = "cancelled",
        [IMGC_ERROR_SYNTAX] = "syntax",
        [IMGC_ERROR_REFUSED] = "refused",
};

static enum imgc_error_code code_of_errno(int number)
{
        switch (number) {
        case ENOMEM:
                return IMGC_ERROR_NO_MEMORY;
        case EINVAL:
        case EBADF:
                return IMGC_ERROR_INVALID_ARGUMENT;
        case ENOENT:
        case ENOTDIR:
                return IMGC_ERROR_NOT_FOUND;
        case EACCES:
        case EPERM:
                return IMGC_ERROR_ACCESS;
        case ECANCELED:
                return IMGC_ERROR_CANCELLED;
        case ENOTSUP:
        case ENOSYS:
                return IMGC_ERROR_UNSUPPORTED;
        default:
                return IMGC_ERROR_IO;
        }
}

static char *format_json(const struct imgc_error *error)
{
        struct buffer json = {0};

        buffer_printf(&json, "{\"error\":{\"code\":\"%s\",\"errno\":%d,\"operation\":",
                      code_names[error->code], error->number);
        text_add_json(&json, error->operation, strlen(error->operation));
        buffer_add_literal(&json, ",\"path\":");
        text_add_json_bytes(&json, error->path);
        buffer_add_literal(&json, ",\"message\":");
        text_add_json(&json, error->message, strlen(error->message));
        buffer_add_literal(&json, "}}");
        if (!buffer_string(&json))
                buffer_free(&json);
        return json.data;
}

/* Takes the message over. */
static int error_new(struct imgc_error **reterr, enum imgc_error_code code, int r,
                     const char *operation, const char *path, struct buffer *message)
{
        struct imgc_error *error;

        error = message->failed ? NULL : imgc_io_calloc(1, sizeof(*error));
        if (!error)
                goto fail;
        error->references = 1;
        error->code = code;
        error->number = -r;
        error->operation = operation;
        error->message = TAKE_PTR(message->data);
        if (path) {
                struct buffer copy = {0};

                buffer_add_string(&copy, path);
                buffer_string(&copy);
                error->path = copy.data;
                if (copy.failed)
                        goto fail;
        }
        error->json = format_json(error);
        if (!error->json)
                goto fail;
        *reterr = error;
        return r;
fail:
        imgc_error_unref(error);
        *reterr = no_memory();
        return r;
}

static int _printf_(7, 0) error_format(struct imgc_error **reterr, enum imgc_error_code code, int r,
                                       const char *operation, const char *path, const char *prefix,
                                       const char *format, va_list ap)
{
        _cleanup_buffer_ struct buffer message = {0};
        _cleanup_buffer_ struct buffer reason = {0};

        if (!reterr)
                return r;
        buffer_add_string(&message, prefix);
        if (*prefix) {
                buffer_add_string(&message, operation);
                if (path) {
                        buffer_add_char(&message, ' ');
                        text_add_visible(&message, path, strlen(path));
                }
                buffer_add_literal(&message, ": ");
        }
        buffer_vprintf(&reason, format, ap);
        message.failed |= reason.failed;
        text_add_visible(&message, reason.data, reason.size);
        buffer_string(&message);
        return error_new(reterr, code, r, operation, path, &message);
}

int error_reason(struct imgc_error **reterr, enum imgc_error_code code, int r,
                 const char *operation, const char *path, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        r = error_format(reterr, code, r, operation, path, "cannot ", format, ap);
        va_end(ap);
        return r;
}

int error_message(struct imgc_error **reterr, enum imgc_error_code code, int r,
                  const char *operation, const char *path, const char *format, ...)
{
        va_list ap;

        va_start(ap, format);
        r = error_format(reterr, code, r, operation, path, "", format, ap);
        va_end(ap);
        return r;
}

int error_errno(struct imgc_error **reterr, int r, const char *operation, const char *path)
{
        const char *reason = strerrordesc_np(-r);

        if (r == -ENOMEM)
                return error_no_memory(reterr);
        return error_reason(reterr, code_of_errno(-r), r, operation, path, "%s",
                            reason ? reason : "unknown error");
}

int error_no_memory(struct imgc_error **reterr)
{
        if (reterr)
                *reterr = no_memory();
        return -ENOMEM;
}

int error_give(struct imgc_error **reterr, struct imgc_error *error, int r)
{
        if (reterr)
                *reterr = error;
        else
                imgc_error_unref(error);
        return r;
}

IMGC_EXPORT struct imgc_error *imgc_error_ref(struct imgc_error *error)
{
        if (error != &no_memory_constant)
                atomic_fetch_add_explicit(&error->references, 1, memory_order_relaxed);
        return error;
}

IMGC_EXPORT struct imgc_error *imgc_error_unref(struct imgc_error *error)
{
        if (!error || error == &no_memory_constant)
                return NULL;
        if (atomic_fetch_sub_explicit(&error->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        free(error->path);
        free(error->message);
        free(error->json);
        free(error);
        return NULL;
}

IMGC_EXPORT enum imgc_error_code imgc_error_get_code(const struct imgc_error *error)
{
        return error->code;
}

IMGC_EXPORT const char *imgc_error_get_code_name(const struct imgc_error *error)
{
        return code_names[error->code];
}

IMGC_EXPORT int imgc_error_get_errno(const struct imgc_error *error)
{
        return error->number;
}

IMGC_EXPORT const char *imgc_error_get_operation(const struct imgc_error *error)
{
        return error->operation;
}

IMGC_EXPORT const char *imgc_error_get_path(const struct imgc_error *error)
{
        return error->path;
}

IMGC_EXPORT const char *imgc_error_get_message(const struct imgc_error *error)
{
        return error->message ? error->message : no_memory_message;
}

IMGC_EXPORT const char *imgc_error_get_json(const struct imgc_error *error)
{
        return error->json ? error->json : no_memory_json;
}
