/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <imagecache/context.h>

#include "core/macros.h"

struct imgc_context {
        atomic_uint references;
        uint32_t threads; /* as the caller said: 0 is automatic */
        imgc_log_fn log;
        void *log_userdata;
        imgc_progress_fn progress;
        void *progress_userdata;
        atomic_bool cancelled;
        pthread_mutex_t log_mutex;
        EVP_MD *sha256; /* fetched once: a fetch for each file costs more than a small file */
};

/* How many threads a call may use. */
uint32_t context_get_threads(const struct imgc_context *context);

static inline bool context_is_cancelled(struct imgc_context *context)
{
        return atomic_load_explicit(&context->cancelled, memory_order_relaxed);
}

void context_log(struct imgc_context *context, const char *format, ...) _printf_(2, 3);
