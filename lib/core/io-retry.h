/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For io.c and io-files.c alone. */
#pragma once

#include <errno.h>

/* A system call again and again while a signal interrupts it; its result, or a negative errno. */
#define RETRY(expression)                                     \
        __extension__({                                       \
                __typeof__(expression) _r;                    \
                do                                            \
                        _r = (expression);                    \
                while (_r < 0 && errno == EINTR);             \
                _r < 0 ? (__typeof__(expression))-errno : _r; \
        })
