/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of the library to the kernel and for memory, counted and made to fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum call {
        CALL_CALLOC,
        CALL_FGETFLAGS,
        CALL_FGETXATTR,
        CALL_FLISTXATTR,
        CALL_FSTAT,
        CALL_FSTATAT,
        CALL_GETDENTS,
        CALL_GETFLAGSAT,
        CALL_GETXATTRAT,
        CALL_LISTXATTRAT,
        CALL_LSEEK,
        CALL_MALLOC,
        CALL_MOUNT_ID,
        CALL_OPENAT,
        CALL_READ,
        CALL_READLINKAT,
        CALL_REALLOC,
        CALL_THREAD_CREATE,
        N_CALLS
};

extern const char *const call_names[N_CALLS];

/* Starts counting; the call of that number fails, from 1, or none (0). */
void inject_start(unsigned long fail_at);
/* Stops, and returns how many calls there were. */
unsigned long inject_stop(void);
/* Which call failed; N_CALLS where none did. */
enum call inject_failed(void);
/* Whether the library may do without the one that failed: a thread, and the kernel's table of
 * ids, without which an owner 65534 is refused. */
bool inject_may_be_ignored(void);

/* What else the kernel may do. Set before, reset by the caller. */
extern struct inject_mode {
        bool short_reads;      /* read() gives one byte at a time */
        bool unknown_types;    /* getdents() tells no types */
        bool no_threads;       /* none can be made */
        bool no_noatime;       /* O_NOATIME is refused, as to all but owners */
        size_t refused_bytes;  /* realloc() to that size fails, 0: none */
        const char *gone_name; /* this name is listed, and then … */
        int gone_errno;        /* … fails so */
} inject_mode;
