/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/queue.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "core/io.h"

#define TICK_NS 100000000L

int queue_init(struct queue *queue, uint32_t n_workers, const struct queue_ops *ops)
{
        pthread_condattr_t attr;

        *queue = (struct queue){
                .ops = ops,
                .n_workers_max = n_workers,
                .n_workers = 1,
                .stacks = imgc_io_calloc(n_workers, sizeof(struct stack)),
                .workers = imgc_io_calloc(n_workers, sizeof(struct worker)),
        };
        pthread_mutex_init(&queue->lock, NULL);
        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(&queue->wake, &attr);
        pthread_condattr_destroy(&attr);
        return queue->stacks && queue->workers ? 0 : -ENOMEM;
}

void queue_done(struct queue *queue)
{
        for (uint32_t i = 0; queue->stacks && i < queue->n_workers_max; i++)
                free(queue->stacks[i].ranges);
        free(queue->stacks);
        free(queue->workers);
        pthread_cond_destroy(&queue->wake);
        pthread_mutex_destroy(&queue->lock);
}

static int stack_push(struct stack *stack, struct range range)
{
        if (stack->tail == stack->capacity && stack->head) {
                stack->tail -= stack->head;
                memmove(stack->ranges, stack->ranges + stack->head,
                        stack->tail * sizeof(*stack->ranges));
                stack->head = 0;
        }
        if (stack->tail == stack->capacity) {
                uint32_t capacity = MAX(stack->capacity * 2, 64u);
                struct range *ranges =
                        imgc_io_realloc(stack->ranges, capacity * sizeof(*stack->ranges));

                if (!ranges)
                        return -ENOMEM;
                stack->ranges = ranges;
                stack->capacity = capacity;
        }
        stack->ranges[stack->tail++] = range;
        return 0;
}

/* The next piece of work for a worker; the lock is held. */
static bool take(struct queue *queue, uint32_t worker, struct range *ret)
{
        struct stack *own = &queue->stacks[worker];

        if (!queue->n_waiting)
                return false;
        queue->n_waiting--;
        if (own->head < own->tail) {
                *ret = own->ranges[--own->tail];
                return true;
        }
        for (uint32_t i = 1;; i++) {
                struct stack *other = &queue->stacks[(worker + i) % queue->n_workers_max];

                if (other->head < other->tail) {
                        *ret = other->ranges[other->head++];
                        return true;
                }
        }
}

static void fail(struct queue *queue, int r)
{
        if (!queue->result)
                queue->result = r;
        atomic_store_explicit(&queue->stopped, true, memory_order_relaxed);
        pthread_cond_broadcast(&queue->wake);
}

/* Waits until there may be something to do. Only the caller's thread has a clock to watch. */
static void wait_for_work(struct queue *queue, uint32_t worker)
{
        struct timespec until;
        int r;

        queue->n_idle++;
        if (worker != 0 || !queue->ops->tick) {
                pthread_cond_wait(&queue->wake, &queue->lock);
                queue->n_idle--;
                return;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_NS;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        r = pthread_cond_timedwait(&queue->wake, &queue->lock, &until);
        queue->n_idle--;
        if (r == ETIMEDOUT) {
                pthread_mutex_unlock(&queue->lock);
                r = queue->ops->tick(queue->ops->userdata);
                pthread_mutex_lock(&queue->lock);
                if (r < 0)
                        fail(queue, r);
        }
}

static void work(struct queue *queue, uint32_t worker)
{
        struct range range;
        int r;

        pthread_mutex_lock(&queue->lock);
        while (!queue_is_stopped(queue)) {
                if (!take(queue, worker, &range)) {
                        if (!queue->n_busy)
                                break;
                        wait_for_work(queue, worker);
                        continue;
                }
                queue->n_busy++;
                pthread_mutex_unlock(&queue->lock);
                r = queue->ops->work(queue->ops->userdata, worker, range);
                pthread_mutex_lock(&queue->lock);
                queue->n_busy--;
                if (r < 0)
                        fail(queue, r);
        }
        pthread_cond_broadcast(&queue->wake);
        pthread_mutex_unlock(&queue->lock);
}

static void *run_worker(void *userdata)
{
        struct worker *worker = userdata;

        work(worker->queue, worker->index);
        return NULL;
}

/* One more thread; the lock is held. Without it the work takes longer, and that is all. */
static void start_worker(struct queue *queue)
{
        struct worker *worker = &queue->workers[queue->n_workers];

        *worker = (struct worker){.queue = queue, .index = queue->n_workers};
        if (imgc_io_thread_create(&worker->thread, run_worker, worker) < 0)
                queue->n_workers_max = queue->n_workers;
        else
                queue->n_workers++;
}

int queue_push(struct queue *queue, uint32_t worker, struct range range, bool want_help)
{
        int r;

        pthread_mutex_lock(&queue->lock);
        r = stack_push(&queue->stacks[worker], range);
        if (r >= 0) {
                queue->n_waiting++;
                if (queue->n_idle)
                        pthread_cond_signal(&queue->wake);
                else if (want_help && queue->n_workers < queue->n_workers_max &&
                         !queue_is_stopped(queue))
                        start_worker(queue);
        }
        pthread_mutex_unlock(&queue->lock);
        return r;
}

void queue_fail(struct queue *queue, int r)
{
        pthread_mutex_lock(&queue->lock);
        fail(queue, r);
        pthread_mutex_unlock(&queue->lock);
}

int queue_run(struct queue *queue)
{
        uint32_t n_workers;

        work(queue, 0);
        /* Whoever still works has seen that the run is over, and starts nobody. */
        pthread_mutex_lock(&queue->lock);
        n_workers = queue->n_workers;
        pthread_mutex_unlock(&queue->lock);
        for (uint32_t i = 1; i < n_workers; i++)
                pthread_join(queue->workers[i].thread, NULL);
        return queue->result;
}
