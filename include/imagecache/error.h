/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors.
 *
 * Every call that can fail returns 0 (or a positive result) on success and a
 * negative errno value on failure, and takes `struct imgc_error **reterr` as its
 * last argument. Where that is not NULL, a failing call stores an error object
 * there, which belongs to the caller; a succeeding call does not touch it. The
 * pointer behind it should be NULL before the call; nothing stored there is freed.
 *
 * An error object is immutable and may be shared between threads. Without memory
 * for one, a static object that says so is returned; it is referenced and released
 * like any other.
 *
 *     struct imgc_error *error = NULL;
 *     if (imgc_tree_read_at(context, AT_FDCWD, "rootfs", NULL, &tree, &error) < 0) {
 *             fprintf(stderr, "%s\n", imgc_error_get_message(error));
 *             imgc_error_unref(error);
 *     }
 *
 * "Different", "miss" and "not reusable" are results, never errors.
 */
#ifndef IMAGECACHE_ERROR_H
#define IMAGECACHE_ERROR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What went wrong, in one word that never changes its meaning. New codes may be
 * added; a program should treat one that it does not know like IMGC_ERROR_IO. */
enum imgc_error_code {
        IMGC_ERROR_NO_MEMORY = 1,        /* "no-memory": allocation failed */
        IMGC_ERROR_INVALID_ARGUMENT = 2, /* "invalid-argument": a caller's mistake */
        IMGC_ERROR_NOT_FOUND = 3,        /* "not-found": what was named does not exist */
        IMGC_ERROR_ACCESS = 4,           /* "access": the kernel refused access */
        IMGC_ERROR_IO = 5,               /* "io": the kernel reported another error */
        IMGC_ERROR_TREE_CHANGED = 6,     /* "tree-changed": an entry vanished or changed */
        IMGC_ERROR_UNMAPPED_ID = 7,      /* "unmapped-id": an owner unknown in the namespace */
        IMGC_ERROR_LIMIT = 8,            /* "limit": a documented limit was passed */
        IMGC_ERROR_UNSUPPORTED = 9,      /* "unsupported": it cannot be done here */
        IMGC_ERROR_CANCELLED = 10,       /* "cancelled": imgc_context_cancel() was called */
        IMGC_ERROR_SYNTAX = 11,          /* "syntax": a file or text is malformed */
        IMGC_ERROR_REFUSED = 12,         /* "refused": what was asked for forbids it */
};

/* An error: code, errno, operation, path and message. Immutable. */
struct imgc_error;

/* Takes a reference and returns the same object.
 * Since: 0.1.0 */
struct imgc_error *imgc_error_ref(struct imgc_error *error);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_error *imgc_error_unref(struct imgc_error *error);

/* The code.
 * Since: 0.1.0 */
enum imgc_error_code imgc_error_get_code(const struct imgc_error *error);

/* The code as the stable word that stands in JSON, such as "tree-changed". Static.
 * Since: 0.1.0 */
const char *imgc_error_get_code_name(const struct imgc_error *error);

/* The positive errno that belongs to the error; the failing call returned its
 * negative. Never 0.
 * Since: 0.1.0 */
int imgc_error_get_errno(const struct imgc_error *error);

/* What was being done, such as "open" or "parse". Borrowed, never NULL.
 * Since: 0.1.0 */
const char *imgc_error_get_operation(const struct imgc_error *error);

/* The path that the operation was about, in the bytes the kernel uses (not
 * necessarily UTF-8), or NULL where no path is concerned. Borrowed.
 * Since: 0.1.0 */
const char *imgc_error_get_path(const struct imgc_error *error);

/* One line that names operation, path and reason, printable on a terminal (other
 * bytes of the path are escaped), without a full stop. Borrowed, never NULL.
 * Since: 0.1.0 */
const char *imgc_error_get_message(const struct imgc_error *error);

/* The error as one line of JSON without a line feed:
 * {"error":{"code":…,"errno":…,"operation":…,"path":…,"message":…}}; path is null
 * where there is none and {"base64":…} where it is not UTF-8. Borrowed, never NULL.
 * Since: 0.1.0 */
const char *imgc_error_get_json(const struct imgc_error *error);

#ifdef __cplusplus
}
#endif

#endif
