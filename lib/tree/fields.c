/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/fields.h"

#include <errno.h>

const char *const field_names[N_FIELDS] = {
        "type",     "mode", "exec",  "uid", "gid",   "size",  "device",  "link",
        "hardlink", "time", "flags", "acl", "xattr", "label", "overlay", "content",
};

#define B(name)        FIELD_BIT(FIELD_##name)
#define FIELDS_CONTENT (B(TYPE) | B(EXEC) | B(SIZE) | B(LINK) | B(CONTENT))
#define FIELDS_IMAGE                                                                         \
        (B(TYPE) | B(MODE) | B(UID) | B(GID) | B(SIZE) | B(DEVICE) | B(LINK) | B(HARDLINK) | \
         B(ACL) | B(XATTR) | B(CONTENT))
#define FIELDS_OUTPUT (FIELDS_IMAGE | B(LABEL))
#define FIELDS_EXACT  (FIELDS_OUTPUT | B(OVERLAY) | B(TIME) | B(FLAGS))

static const struct {
        const char *name;
        fields_t fields;
} profiles[] = {
        {"content", FIELDS_CONTENT},
        {"image", FIELDS_IMAGE},
        {"output", FIELDS_OUTPUT},
        {"exact", FIELDS_EXACT},
};

int fields_parse(const char *text, fields_t *ret, const char **ret_bad, size_t *ret_bad_size)
{
        fields_t fields = FIELD_BIT(FIELD_TYPE);

        if (!text)
                text = "image";
        for (size_t i = 0; i < ELEMENTSOF(profiles); i++)
                if (!strcmp(text, profiles[i].name)) {
                        *ret = profiles[i].fields;
                        return 0;
                }
        for (const char *p = text;; p++) {
                size_t n = strcspn(p, ","), f = 0;

                while (f < N_FIELDS &&
                       (strlen(field_names[f]) != n || memcmp(field_names[f], p, n) != 0))
                        f++;
                if (f == N_FIELDS) {
                        *ret_bad = p;
                        *ret_bad_size = n;
                        return -EINVAL;
                }
                fields |= FIELD_BIT(f);
                p += n;
                if (!*p)
                        break;
        }
        *ret = fields;
        return 0;
}

void fields_format(fields_t fields, char ret[static FIELDS_STRING_MAX])
{
        char *p = ret;

        for (size_t f = 0; f < N_FIELDS; f++)
                if (has_field(fields, (enum field)f)) {
                        if (p > ret)
                                *p++ = ',';
                        p = stpcpy(p, field_names[f]);
                }
}

int xattr_field(const char *name)
{
        static const char *const prefixes[] = {"trusted.overlay.", "user.overlay."};

        if (!strcmp(name, "security.selinux") || !strcmp(name, "security.ima") ||
            !strcmp(name, "security.evm"))
                return FIELD_LABEL;
        if (!strcmp(name, "system.posix_acl_access") || !strcmp(name, "system.posix_acl_default"))
                return -1;
        for (size_t i = 0; i < ELEMENTSOF(prefixes); i++) {
                size_t n = strlen(prefixes[i]);

                if (!strncmp(name, prefixes[i], n) &&
                    (!strcmp(name + n, "origin") || !strcmp(name + n, "impure") ||
                     !strcmp(name + n, "uuid")))
                        return FIELD_OVERLAY;
        }
        return FIELD_XATTR;
}
