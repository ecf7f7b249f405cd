/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Independent pieces of work in parallel: as many threads as the context allows, the caller's
 * included. None outlives the call.
 */
#pragma once

#include <stdint.h>

#include <imagecache/context.h>

/* Reads the piece of that number. context: the caller's in its own thread; in the others one that
 * stands for it, with one thread, and silent about progress. Sets how much it read. */
typedef int (*pool_work_fn)(void *userdata, struct imgc_context *context, uint32_t index,
                            uint64_t *ret_entries, uint64_t *ret_bytes, struct imgc_error **reterr);

/* Calls `work` for the pieces 0 … n - 1. Of several that fail it is the first by number whose
 * error is told, as it is with one thread. */
int pool_run(struct imgc_context *context, uint32_t n, pool_work_fn work, void *userdata,
             struct imgc_error **reterr);
