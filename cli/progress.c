/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One line on a terminal that is written over again and again. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* Whoever waits less than this needs no entertainment. */
#define QUIET_NS 500000000

static struct {
        int64_t started_ns;
        bool shown;
} state;

static int64_t now_ns(void)
{
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int show(void *userdata, const struct imgc_progress *progress)
{
        (void)userdata;
        if (now_ns() - state.started_ns < QUIET_NS)
                return 0;
        fprintf(stderr, "\r%llu entries, %.1f MB\033[K", (unsigned long long)progress->entries,
                (double)progress->bytes / 1e6);
        fflush(stderr);
        state.shown = true;
        return 0;
}

void progress_start(struct cli *cli)
{
        state.started_ns = now_ns();
        if (isatty(STDERR_FILENO) && !cli->quiet && !cli->json)
                imgc_context_set_progress(cli->context, show, NULL);
}

void progress_clear(void)
{
        if (state.shown)
                fputs("\r\033[K", stderr);
        state.shown = false;
}
