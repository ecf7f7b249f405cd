/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/acl.h"

#include <endian.h>
#include <errno.h>

#define ACL_VERSION 2

/* In the order of the text. */
enum tag {
        TAG_USER_OBJ = 0x01,
        TAG_USER = 0x02,
        TAG_GROUP_OBJ = 0x04,
        TAG_GROUP = 0x08,
        TAG_MASK = 0x10,
        TAG_OTHER = 0x20,
};

struct acl_entry {
        uint16_t tag;
        uint16_t permissions;
        uint32_t id;
};

static bool tag_has_id(unsigned tag)
{
        return tag == TAG_USER || tag == TAG_GROUP;
}

/* One of the bits, and no other. */
static bool tag_is_known(unsigned tag)
{
        return tag && tag <= TAG_OTHER && !(tag & (tag - 1));
}

static char tag_letter(unsigned tag)
{
        return tag <= TAG_USER ? 'u' : tag <= TAG_GROUP ? 'g' : tag == TAG_MASK ? 'm' : 'o';
}

static int compare_entries(const void *a, const void *b)
{
        const struct acl_entry *x = a, *y = b;

        if (x->tag != y->tag)
                return x->tag < y->tag ? -1 : 1;
        return x->id < y->id ? -1 : x->id > y->id;
}

/* What any ACL must have: each of owner, group and others once, a mask where somebody is
 * named, nobody named twice. */
static bool entries_are_valid(const struct acl_entry *entries, size_t n)
{
        unsigned seen = 0;

        for (size_t i = 0; i < n; i++) {
                if (entries[i].permissions > 7 || !tag_is_known(entries[i].tag))
                        return false;
                if (i && !compare_entries(&entries[i - 1], &entries[i]))
                        return false;
                seen |= entries[i].tag;
        }
        if ((seen & (TAG_USER | TAG_GROUP)) && !(seen & TAG_MASK))
                return false;
        return (seen & TAG_USER_OBJ) && (seen & TAG_GROUP_OBJ) && (seen & TAG_OTHER);
}

static void add_entry(struct buffer *buffer, const struct acl_entry *entry)
{
        buffer_add_char(buffer, tag_letter(entry->tag));
        buffer_add_char(buffer, ':');
        if (tag_has_id(entry->tag))
                buffer_add_u64(buffer, entry->id);
        buffer_add_char(buffer, ':');
        buffer_add_char(buffer, entry->permissions & 4 ? 'r' : '-');
        buffer_add_char(buffer, entry->permissions & 2 ? 'w' : '-');
        buffer_add_char(buffer, entry->permissions & 1 ? 'x' : '-');
}

int acl_format(struct buffer *buffer, const void *data, size_t size, bool is_default)
{
        _cleanup_free_ struct acl_entry *entries = NULL;
        const unsigned char *bytes = data;
        size_t n;
        uint32_t version;

        if (size < 4 || (size - 4) % 8)
                return -EINVAL;
        memcpy(&version, bytes, 4);
        if (le32toh(version) != ACL_VERSION)
                return -EINVAL;
        n = (size - 4) / 8;
        entries = imgc_io_calloc(n, sizeof(*entries));
        if (!entries)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                struct acl_entry *e = &entries[i];

                memcpy(e, bytes + 4 + i * 8, 8);
                e->tag = le16toh(e->tag);
                e->permissions = le16toh(e->permissions);
                e->id = tag_has_id(e->tag) ? le32toh(e->id) : 0;
                if (tag_has_id(e->tag) && e->id == UINT32_MAX)
                        return -EOVERFLOW;
        }
        qsort(entries, n, sizeof(*entries), compare_entries);
        if (!entries_are_valid(entries, n))
                return -EINVAL;
        if (n == 3 && !is_default)
                return 0;
        for (size_t i = 0; i < n; i++) {
                if (i)
                        buffer_add_char(buffer, ',');
                add_entry(buffer, &entries[i]);
        }
        return 0;
}

/* Reads one entry; returns what follows it, or NULL. */
static const char *parse_entry(const char *p, const char *end, struct acl_entry *ret)
{
        static const char letters[] = "rwx";
        uint64_t id = 0;

        if (end - p < 2 || p[1] != ':')
                return NULL;
        *ret = (struct acl_entry){0};
        switch (*p) {
        case 'u':
                ret->tag = TAG_USER_OBJ;
                break;
        case 'g':
                ret->tag = TAG_GROUP_OBJ;
                break;
        case 'm':
                ret->tag = TAG_MASK;
                break;
        case 'o':
                ret->tag = TAG_OTHER;
                break;
        default:
                return NULL;
        }
        p += 2;
        if (p < end && *p >= '0' && *p <= '9') {
                const char *start = p;

                while (p < end && *p >= '0' && *p <= '9' && id < UINT32_MAX)
                        id = id * 10 + (uint64_t)(*p++ - '0');
                if (ret->tag > TAG_GROUP_OBJ || id >= UINT32_MAX ||
                    (*start == '0' && p - start > 1))
                        return NULL;
                ret->tag = (uint16_t)(ret->tag << 1); /* TAG_USER, TAG_GROUP */
                ret->id = (uint32_t)id;
        }
        if (end - p < 4 || *p++ != ':')
                return NULL;
        for (int i = 0; i < 3; i++, p++) {
                if (*p != letters[i] && *p != '-')
                        return NULL;
                ret->permissions = (uint16_t)(ret->permissions | (*p != '-') << (2 - i));
        }
        return p;
}

const char *acl_check(const char *text, size_t size, bool is_default)
{
        const char *p = text, *end = text + size;
        struct acl_entry previous = {0}, entry;
        unsigned seen = 0;
        size_t n = 0;

        for (;; p++) {
                p = parse_entry(p, end, &entry);
                if (!p)
                        return "malformed ACL";
                if (n++ && compare_entries(&previous, &entry) >= 0)
                        return "ACL entries out of order";
                seen |= entry.tag;
                previous = entry;
                if (p == end)
                        break;
                if (*p != ',')
                        return "malformed ACL";
        }
        if (!(seen & TAG_USER_OBJ) || !(seen & TAG_GROUP_OBJ) || !(seen & TAG_OTHER) ||
            ((seen & (TAG_USER | TAG_GROUP)) && !(seen & TAG_MASK)))
                return "incomplete ACL";
        if (n == 3 && !is_default)
                return "minimal access ACL";
        return NULL;
}
