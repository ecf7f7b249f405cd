/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Making errors. All of these return the negative errno, to be returned at once. */
#pragma once

#include <imagecache/error.h>

#include "core/macros.h"

/* "cannot OPERATION PATH: reason", the reason and the code taken from errno `r` (negative). */
int error_errno(struct imgc_error **reterr, int r, const char *operation, const char *path);

/* "cannot OPERATION PATH: reason", the reason given by a format. */
int error_reason(struct imgc_error **reterr, enum imgc_error_code code, int r,
                 const char *operation, const char *path, const char *format, ...) _printf_(6, 7);

/* A message that stands for itself. */
int error_message(struct imgc_error **reterr, enum imgc_error_code code, int r,
                  const char *operation, const char *path, const char *format, ...) _printf_(6, 7);

int error_no_memory(struct imgc_error **reterr);

/* Hands an error over to a caller that may not want it, and returns r. */
int error_give(struct imgc_error **reterr, struct imgc_error *error, int r);

DEFINE_CLEANUP(struct imgc_error *, imgc_error_unref)
