/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who does what in a walk: each thread has a stack of ranges (parts of a directory's entries)
 * and takes the newest of its own, so that it goes depth first and little waits; with none of
 * its own it takes another's oldest, which is likely the largest piece of work. What waits is
 * bounded by depth and threads, not by the tree's size.
 *
 * Threads are made when there is work for them, and have ended when queue_run() returns.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct node;
struct queue;

struct range {
        struct node *node;
        uint32_t first, end;
};

struct stack {
        struct range *ranges;
        uint32_t head, tail, capacity; /* waiting: head … tail - 1 */
};

struct queue_ops {
        /* Deals with a range, and may push others. A negative result ends the run. Called in
         * thread `worker`, 0 being the caller's. */
        int (*work)(void *userdata, uint32_t worker, struct range range);
        /* Called in the caller's thread while it waits for others, every tenth of a second; a
         * negative result ends the run. */
        int (*tick)(void *userdata);
        void *userdata;
};

struct worker {
        struct queue *queue;
        pthread_t thread;
        uint32_t index;
};

struct queue {
        const struct queue_ops *ops;
        pthread_mutex_t lock;
        pthread_cond_t wake;
        struct stack *stacks;   /* one a worker */
        struct worker *workers; /* the caller's thread is the first, and unused here */
        uint32_t n_workers_max, n_workers, n_idle, n_waiting;
        uint32_t n_busy;
        int result; /* the first failure */
        atomic_bool stopped;
};

int queue_init(struct queue *queue, uint32_t n_workers, const struct queue_ops *ops);
void queue_done(struct queue *queue);

/* Adds a range to a worker's own. want_help: there is enough to do for one more thread. */
int queue_push(struct queue *queue, uint32_t worker, struct range range, bool want_help);

/* Something failed before the run: it will end at once, with this result. */
void queue_fail(struct queue *queue, int r);

/* Works until nothing is left, or something failed. Returns 0 or the first failure. */
int queue_run(struct queue *queue);

static inline bool queue_is_stopped(struct queue *queue)
{
        return atomic_load_explicit(&queue->stopped, memory_order_relaxed);
}
