/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/pool.h"

#include <errno.h>
#include <time.h>

#include "core/context.h"
#include "core/error.h"
#include "core/io.h"

#define TICK_NS 100000000L

struct pool {
        struct imgc_context *context; /* the caller's */
        struct imgc_context *inner;   /* for the other threads */
        pool_work_fn work;
        void *userdata;
        pthread_mutex_t lock;
        pthread_cond_t finished;
        uint32_t n, next, n_running; /* pieces; threads besides the caller's */
        uint64_t entries, bytes;
        uint32_t failed_index; /* of `error` */
        int result;
        struct imgc_error *error;
};

static void forward_log(void *userdata, enum imgc_log_level level, const char *message)
{
        struct imgc_context *context = userdata;

        (void)level;
        context_log(context, "%s", message);
}

/* What a walk in another thread may use: it must not make threads of its own, nor call the
 * program back about its progress there. */
static struct imgc_context *inner_context(struct imgc_context *context)
{
        struct imgc_context *inner = imgc_io_calloc(1, sizeof(*inner));

        if (!inner)
                return NULL;
        inner->references = 1;
        inner->threads = 1;
        if (context->log) {
                inner->log = forward_log;
                inner->log_userdata = context;
        }
        EVP_MD_up_ref(context->sha256);
        inner->sha256 = context->sha256;
        pthread_mutex_init(&inner->log_mutex, NULL);
        return inner;
}

/* The lock is held. */
static void keep_error(struct pool *pool, uint32_t index, int r, struct imgc_error *error)
{
        bool cancelled = r == -ECANCELED;

        /* Pieces are taken in order, so that every one before a failed one runs to its end. */
        if (!pool->result || (pool->result == -ECANCELED && !cancelled) ||
            (index < pool->failed_index && cancelled == (pool->result == -ECANCELED))) {
                imgc_error_unref(pool->error);
                pool->error = error;
                pool->failed_index = index;
                pool->result = r;
        } else {
                imgc_error_unref(error);
        }
}

static void work(struct pool *pool, struct imgc_context *context)
{
        pthread_mutex_lock(&pool->lock);
        while (!pool->result && pool->next < pool->n) {
                uint32_t index = pool->next++;
                struct imgc_error *error = NULL;
                uint64_t entries = 0, bytes = 0;
                int r;

                pthread_mutex_unlock(&pool->lock);
                r = pool->work(pool->userdata, context, index, &entries, &bytes, &error);
                pthread_mutex_lock(&pool->lock);
                pool->entries += entries;
                pool->bytes += bytes;
                if (r < 0)
                        keep_error(pool, index, r, error);
        }
        pthread_mutex_unlock(&pool->lock);
}

static void *run_thread(void *userdata)
{
        struct pool *pool = userdata;

        work(pool, pool->inner);
        pthread_mutex_lock(&pool->lock);
        pool->n_running--;
        pthread_cond_signal(&pool->finished);
        pthread_mutex_unlock(&pool->lock);
        return NULL;
}

static int tick(struct pool *pool, uint64_t entries, uint64_t bytes)
{
        struct imgc_progress progress = {
                .size = sizeof(progress),
                .operation = "read",
                .entries = entries,
                .bytes = bytes,
        };

        if (context_is_cancelled(pool->context))
                return -ECANCELED;
        if (pool->context->progress &&
            pool->context->progress(pool->context->progress_userdata, &progress))
                return -ECANCELED;
        return 0;
}

/* The caller's thread has nothing left to do but watch. */
static void wait_for_others(struct pool *pool)
{
        struct timespec until;

        pthread_mutex_lock(&pool->lock);
        while (pool->n_running) {
                uint64_t entries = pool->entries, bytes = pool->bytes;

                if (pool->result == -ECANCELED)
                        imgc_context_cancel(pool->inner);
                clock_gettime(CLOCK_MONOTONIC, &until);
                until.tv_nsec += TICK_NS;
                until.tv_sec += until.tv_nsec / 1000000000L;
                until.tv_nsec %= 1000000000L;
                if (pthread_cond_timedwait(&pool->finished, &pool->lock, &until) != ETIMEDOUT)
                        continue;
                pthread_mutex_unlock(&pool->lock);
                if (tick(pool, entries, bytes) < 0)
                        imgc_context_cancel(pool->inner);
                pthread_mutex_lock(&pool->lock);
        }
        pthread_mutex_unlock(&pool->lock);
}

/* Without memory or threads the caller's thread does it all, which only takes longer. */
static void run_threads(struct pool *pool)
{
        uint32_t n_threads = MIN(context_get_threads(pool->context), pool->n), n_started = 0;
        _cleanup_free_ pthread_t *threads = NULL;

        if (n_threads > 1) {
                threads = imgc_io_calloc(n_threads, sizeof(*threads));
                pool->inner = threads ? inner_context(pool->context) : NULL;
        }
        for (; pool->inner && n_started + 1 < n_threads; n_started++) {
                pthread_mutex_lock(&pool->lock);
                pool->n_running++;
                pthread_mutex_unlock(&pool->lock);
                if (imgc_io_thread_create(&threads[n_started], run_thread, pool) < 0) {
                        pthread_mutex_lock(&pool->lock);
                        pool->n_running--;
                        pthread_mutex_unlock(&pool->lock);
                        break;
                }
        }
        work(pool, pool->context);
        if (n_started)
                wait_for_others(pool);
        for (uint32_t i = 0; i < n_started; i++)
                pthread_join(threads[i], NULL);
        imgc_context_unref(pool->inner);
}

int pool_run(struct imgc_context *context, uint32_t n, pool_work_fn work_fn, void *userdata,
             struct imgc_error **reterr)
{
        struct pool pool = {.context = context, .work = work_fn, .userdata = userdata, .n = n};
        pthread_condattr_t attr;

        pthread_mutex_init(&pool.lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&pool.finished, &attr);
        pthread_condattr_destroy(&attr);
        run_threads(&pool);
        pthread_cond_destroy(&pool.finished);
        pthread_mutex_destroy(&pool.lock);
        return pool.result < 0 ? error_give(reterr, pool.error, pool.result) : 0;
}
