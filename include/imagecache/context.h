/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The context: how the library works for one caller.
 *
 * It holds the number of threads, the callbacks for log and progress, and the wish
 * to cancel. There is no global state: two contexts in one process know nothing of
 * each other. Threads are made inside a call and have ended when it returns, so a
 * program may fork, unshare or setns between calls.
 *
 * Set up a context from one thread, then use it from any number: the calls that
 * read trees only read it. imgc_context_cancel() may be called at any time, from any
 * thread and from a signal handler.
 *
 *     struct imgc_context *context = NULL;
 *     int r = imgc_context_new(&context, &error);
 *     ...
 *     imgc_context_unref(context);
 */
#ifndef IMAGECACHE_CONTEXT_H
#define IMAGECACHE_CONTEXT_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imgc_context;

/* How much a log line matters. The library logs nothing above IMGC_LOG_DEBUG on its
 * own account: what a caller must know is an error or a result. */
enum imgc_log_level {
        IMGC_LOG_DEBUG = 1,
};

/* Called with one line of text without a line feed. May be called from a thread of
 * the library, never from two at a time within one context. */
typedef void (*imgc_log_fn)(void *userdata, enum imgc_log_level level, const char *message);

/* What a long call has done so far. Start with `size`: newer libraries may know
 * more members than the caller. */
struct imgc_progress {
        size_t size;           /* sizeof(struct imgc_progress) of the library */
        const char *operation; /* "read": reading a tree */
        uint64_t entries;      /* entries seen */
        uint64_t bytes;        /* bytes of content read */
};

/* Called in the thread that made the call, about ten times a second while it lasts.
 * A return value other than 0 cancels that call (and only that one). */
typedef int (*imgc_progress_fn)(void *userdata, const struct imgc_progress *progress);

/* Makes a context: automatic threads, silent.
 * ret: receives the context; the caller's reference.
 * Returns 0 or -ENOMEM, or -ENOTSUP where libcrypto offers no SHA-256.
 * Since: 0.1.0 */
int imgc_context_new(struct imgc_context **ret, struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_context *imgc_context_ref(struct imgc_context *context);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_context *imgc_context_unref(struct imgc_context *context);

/* How many threads a call may use, the caller's own included: 0 (the default) means
 * as many as processors are available to the process. What is computed never depends
 * on it. Values above 256 count as 256.
 * Since: 0.1.0 */
void imgc_context_set_threads(struct imgc_context *context, uint32_t threads);

/* Sets the log callback; NULL (the default) is silence. `userdata` is passed on and
 * must live as long as the context.
 * Since: 0.1.0 */
void imgc_context_set_log(struct imgc_context *context, imgc_log_fn log, void *userdata);

/* Sets the progress callback; NULL (the default) is none. `userdata` is passed on and
 * must live as long as the context.
 * Since: 0.1.0 */
void imgc_context_set_progress(struct imgc_context *context, imgc_progress_fn progress,
                               void *userdata);

/* Asks every call under way in this context, and every later one, to stop soon with
 * IMGC_ERROR_CANCELLED (-ECANCELED). Safe in signal handlers and from any thread.
 * Since: 0.1.0 */
void imgc_context_cancel(struct imgc_context *context);

/* Takes the wish back, so that the context can be used again.
 * Since: 0.1.0 */
void imgc_context_reset_cancel(struct imgc_context *context);

/* Takes `data_bytes` bytes that the library writes, all of them or none. Returns 0, or a
 * negative errno, which ends the writing and is returned by the call that writes. */
typedef int (*imgc_write_fn)(void *userdata, const void *data, size_t data_bytes);

/* Writes bytes as all JSON of this library has them: a JSON string, or {"base64":"…"} of bytes
 * that are not UTF-8, or null for NULL. For programs that put paths into JSON of their own.
 * Returns 0, what the callback returned, or -ENOMEM.
 * Since: 0.1.0 */
int imgc_write_json_string(const char *string, imgc_write_fn write, void *userdata);

/* The version of the library in use, such as "0.1.0". Static.
 * Since: 0.1.0 */
const char *imgc_version(void);

#ifdef __cplusplus
}
#endif

#endif
