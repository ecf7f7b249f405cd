/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* POSIX ACLs, from the bytes of the system.posix_acl_* attributes (linux/posix_acl_xattr.h). */
#pragma once

#include <stdbool.h>

#include "core/buffer.h"

/* Adds the canonical text of an ACL; nothing where a minimal access ACL says no more than the
 * mode. -EINVAL: malformed. -EOVERFLOW: the user namespace does not map an id. */
int acl_format(struct buffer *buffer, const void *data, size_t size, bool is_default);

/* NULL where `text` is what acl_format() may write, else what is wrong. */
const char *acl_check(const char *text, size_t size, bool is_default);
