/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>

#include "config.h"
#include "core/context.h"
#include "core/error.h"
#include "core/io.h"
#include "core/limits.h"

IMGC_EXPORT int imgc_context_new(struct imgc_context **ret, struct imgc_error **reterr)
{
        struct imgc_context *context = imgc_io_calloc(1, sizeof(*context));

        if (!context)
                return error_no_memory(reterr);
        context->references = 1;
        pthread_mutex_init(&context->log_mutex, NULL);
        context->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
        if (!context->sha256) {
                imgc_context_unref(context);
                return error_reason(reterr, IMGC_ERROR_UNSUPPORTED, -ENOTSUP, "set up", NULL,
                                    "libcrypto offers no SHA-256");
        }
        *ret = context;
        return 0;
}

IMGC_EXPORT struct imgc_context *imgc_context_ref(struct imgc_context *context)
{
        atomic_fetch_add_explicit(&context->references, 1, memory_order_relaxed);
        return context;
}

IMGC_EXPORT struct imgc_context *imgc_context_unref(struct imgc_context *context)
{
        if (!context ||
            atomic_fetch_sub_explicit(&context->references, 1, memory_order_acq_rel) != 1)
                return NULL;
        EVP_MD_free(context->sha256);
        pthread_mutex_destroy(&context->log_mutex);
        free(context);
        return NULL;
}

IMGC_EXPORT void imgc_context_set_threads(struct imgc_context *context, uint32_t threads)
{
        context->threads = MIN(threads, LIMIT_THREADS);
}

IMGC_EXPORT void imgc_context_set_log(struct imgc_context *context, imgc_log_fn log, void *userdata)
{
        context->log = log;
        context->log_userdata = userdata;
}

IMGC_EXPORT void imgc_context_set_progress(struct imgc_context *context, imgc_progress_fn progress,
                                           void *userdata)
{
        context->progress = progress;
        context->progress_userdata = userdata;
}

IMGC_EXPORT void imgc_context_cancel(struct imgc_context *context)
{
        atomic_store_explicit(&context->cancelled, true, memory_order_relaxed);
}

IMGC_EXPORT void imgc_context_reset_cancel(struct imgc_context *context)
{
        atomic_store_explicit(&context->cancelled, false, memory_order_relaxed);
}

IMGC_EXPORT const char *imgc_version(void)
{
        return IMGC_VERSION;
}

uint32_t context_get_threads(const struct imgc_context *context)
{
        cpu_set_t set;
        long n;

        if (context->threads)
                return context->threads;
        /* What the process may use, not what the machine has. Fails beyond 1,024 processors. */
        n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) :
                                                           sysconf(_SC_NPROCESSORS_ONLN);
        return n < 1 ? 1 : MIN((uint32_t)n, LIMIT_THREADS);
}

void context_log(struct imgc_context *context, const char *format, ...)
{
        char message[512];
        va_list ap;

        if (!context->log)
                return;
        va_start(ap, format);
        vsnprintf(message, sizeof(message), format, ap);
        va_end(ap);
        pthread_mutex_lock(&context->log_mutex);
        context->log(context->log_userdata, IMGC_LOG_DEBUG, message);
        pthread_mutex_unlock(&context->log_mutex);
}
