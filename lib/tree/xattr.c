/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/xattr.h"

#include <endian.h>
#include <errno.h>
#include <linux/capability.h>

#include "core/limits.h"
#include "core/text.h"
#include "tree/acl.h"
#include "tree/escape.h"

#define NAMES_MAX (LIMIT_XATTR_LIST_BYTES / 2)

void xattr_scratch_free(struct xattr_scratch *scratch)
{
        free(scratch->list);
        free(scratch->value);
        buffer_free(&scratch->acl_access);
        buffer_free(&scratch->acl_default);
}

static ssize_t list_names(const struct xattr_source *s, char *list, size_t size)
{
        return s->fd >= 0 ? imgc_io_flistxattr(s->fd, list, size) :
                            imgc_io_listxattrat(s->dirfd, s->name, list, size);
}

static ssize_t get_value(const struct xattr_source *s, const char *xattr, void *value, size_t size)
{
        return s->fd >= 0 ? imgc_io_fgetxattr(s->fd, xattr, value, size) :
                            imgc_io_getxattrat(s->dirfd, s->name, xattr, value, size);
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* A capability that was set inside a user namespace carries that namespace's root; read from
 * within it does not. Where that root owns the tree the two are the same tree. */
static size_t capability_without_root(unsigned char *value, size_t size, uint32_t root_uid)
{
        uint32_t magic, root;

        if (size != XATTR_CAPS_SZ_3)
                return size;
        memcpy(&magic, value, sizeof(magic));
        memcpy(&root, value + XATTR_CAPS_SZ_2, sizeof(root));
        magic = le32toh(magic);
        if ((magic & VFS_CAP_REVISION_MASK) != VFS_CAP_REVISION_3 || le32toh(root) != root_uid)
                return size;
        magic = htole32((magic & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
        memcpy(value, &magic, sizeof(magic));
        return XATTR_CAPS_SZ_2;
}

/* XFS shows an ACL a second time, to root, in its own form. A file system without such copies
 * may have an attribute of that name that is just that: then there need be no ACL. */
static bool is_copy_of_acl(const char *const *names, size_t n, const char *name)
{
        static const char *const copies[][2] = {
                {"trusted.SGI_ACL_FILE", "system.posix_acl_access"},
                {"trusted.SGI_ACL_DEFAULT", "system.posix_acl_default"},
        };

        for (size_t c = 0; c < ELEMENTSOF(copies); c++)
                for (size_t i = 0; !strcmp(name, copies[c][0]) && i < n; i++)
                        if (!strcmp(names[i], copies[c][1]))
                                return true;
        return false;
}

static int add_one(struct xattr_scratch *scratch, const struct xattr_source *source,
                   fields_t fields, uint32_t root_uid, const char *name, struct buffer *buffer)
{
        int field = xattr_field(name);
        bool is_acl = field < 0, is_default = is_acl && !strcmp(name, "system.posix_acl_default");
        ssize_t n;
        size_t size;

        if (!has_field(fields, is_acl ? FIELD_ACL : (enum field)field))
                return 0;
        n = get_value(source, name, scratch->value, LIMIT_XATTR_VALUE_BYTES);
        if (n < 0)
                return n == -ENODATA ? -ESTALE : (int)n;
        size = (size_t)n;
        if (is_acl)
                return acl_format(is_default ? &scratch->acl_default : &scratch->acl_access,
                                  scratch->value, size, is_default);
        if (!strcmp(name, "security.capability"))
                size = capability_without_root((unsigned char *)scratch->value, size, root_uid);
        buffer_add_literal(buffer, " xattr.");
        escape_add(buffer, name, strlen(name));
        buffer_add_char(buffer, '=');
        text_add_base64(buffer, scratch->value, size);
        return 0;
}

static void add_acl(struct buffer *out, const char *keyword, const struct buffer *acl)
{
        if (!acl->size)
                return;
        buffer_add_string(out, keyword);
        buffer_add(out, acl->data, acl->size);
}

int xattrs_format(struct xattr_scratch *scratch, const struct xattr_source *source, fields_t fields,
                  uint32_t root_uid, struct buffer *buffer)
{
        _cleanup_free_ const char **names = NULL;
        _cleanup_buffer_ struct buffer xattrs = {0};
        size_t n_names = 0;
        ssize_t size;
        int r;

        if (!(fields & (FIELDS_XATTRS | FIELD_BIT(FIELD_ACL))))
                return 0;
        if (!scratch->list)
                scratch->list = imgc_io_malloc(LIMIT_XATTR_LIST_BYTES);
        if (!scratch->list)
                return -ENOMEM;
        size = list_names(source, scratch->list, LIMIT_XATTR_LIST_BYTES);
        /* A file system without extended attributes has none. */
        if (size <= 0)
                return size == -EOPNOTSUPP ? 0 : (int)size;

        if (!scratch->value)
                scratch->value = imgc_io_malloc(LIMIT_XATTR_VALUE_BYTES);
        for (const char *p = scratch->list; p < scratch->list + size; p += strlen(p) + 1)
                n_names++;
        names = imgc_io_calloc(n_names, sizeof(*names));
        if (!scratch->value || !names)
                return -ENOMEM;
        n_names = 0;
        for (const char *p = scratch->list; p < scratch->list + size; p += strlen(p) + 1)
                names[n_names++] = p;
        qsort(names, n_names, sizeof(*names), compare_names);

        scratch->acl_access.size = scratch->acl_default.size = 0;
        for (size_t i = 0; i < n_names; i++) {
                if (is_copy_of_acl(names, n_names, names[i]))
                        continue;
                r = add_one(scratch, source, fields, root_uid, names[i], &xattrs);
                if (r < 0)
                        return r;
        }
        add_acl(buffer, " acl.access=", &scratch->acl_access);
        add_acl(buffer, " acl.default=", &scratch->acl_default);
        buffer_add(buffer, xattrs.data, xattrs.size);
        return buffer->failed || xattrs.failed || scratch->acl_access.failed ||
                               scratch->acl_default.failed ?
                       -ENOMEM :
                       0;
}
