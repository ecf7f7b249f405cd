/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things that every file uses. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define IMGC_EXPORT    __attribute__((visibility("default")))
#define _cleanup_(f)   __attribute__((cleanup(f)))
#define _printf_(a, b) __attribute__((format(printf, a, b)))
#define _unused_       __attribute__((unused))

#define ELEMENTSOF(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                       \
        __extension__({                 \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a < _b ? _a : _b;      \
        })
#define MAX(a, b)                       \
        __extension__({                 \
                __typeof__(a) _a = (a); \
                __typeof__(b) _b = (b); \
                _a > _b ? _a : _b;      \
        })

/* Gives a value away and leaves nothing to clean up. */
#define TAKE(variable, empty)                             \
        __extension__({                                   \
                __typeof__(variable) _taken = (variable); \
                (variable) = (empty);                     \
                _taken;                                   \
        })
#define TAKE_PTR(pointer) TAKE(pointer, NULL)
#define TAKE_FD(fd)       TAKE(fd, -1)

/* For _cleanup_(): calls `function` with the variable's value. */
#define DEFINE_CLEANUP(type, function)                   \
        static inline _unused_ void function##p(type *p) \
        {                                                \
                if (*p)                                  \
                        function(*p);                    \
        }

static inline void freep(void *p)
{
        free(*(void **)p);
}

#define _cleanup_free_ _cleanup_(freep)
