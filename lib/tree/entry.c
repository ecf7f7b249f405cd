/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/entry.h"

#include <linux/fs.h>
#include <sys/sysmacros.h>

#include "tree/digest.h"
#include "tree/escape.h"

const char *entry_type_name(mode_t mode)
{
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "file";
        case S_IFDIR:
                return "dir";
        case S_IFLNK:
                return "link";
        case S_IFIFO:
                return "fifo";
        case S_IFSOCK:
                return "socket";
        case S_IFCHR:
                return "char";
        case S_IFBLK:
                return "block";
        default:
                return NULL;
        }
}

static void add_mode(struct buffer *buffer, mode_t mode)
{
        /* Links have no permissions; some file systems show other ones than 0777. */
        mode_t m = S_ISLNK(mode) ? 0777 : mode & 07777;

        buffer_add_literal(buffer, " mode=");
        for (int shift = 9; shift >= 0; shift -= 3)
                buffer_add_char(buffer, (char)('0' + (m >> shift & 7)));
}

static void add_number(struct buffer *buffer, const char *keyword, uint64_t value)
{
        buffer_add_string(buffer, keyword);
        buffer_add_u64(buffer, value);
}

static void add_time(struct buffer *buffer, const struct timespec *time)
{
        buffer_printf(buffer, " time=%lld.%09ld", (long long)time->tv_sec, time->tv_nsec);
}

static void add_flags(struct buffer *buffer, uint32_t flags)
{
        static const struct {
                uint32_t flag;
                const char *name;
        } names[] = {
                {FS_NODUMP_FL, "nodump"},
                {FS_APPEND_FL, "sappnd"},
                {FS_IMMUTABLE_FL, "schg"},
        };
        const char *separator = " flags=";

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                if (flags & names[i].flag) {
                        buffer_add_string(buffer, separator);
                        buffer_add_string(buffer, names[i].name);
                        separator = ",";
                }
}

static void add_digest(struct buffer *buffer, enum imgc_digest_algorithm algorithm,
                       const unsigned char *digest)
{
        buffer_add_char(buffer, ' ');
        buffer_add_string(buffer, imgc_digest_algorithm_get_name(algorithm));
        buffer_add_char(buffer, '=');
        buffer_add_hex(buffer, digest, digest_bytes(algorithm));
}

void entry_format(struct buffer *buffer, const struct entry_style *style,
                  const struct entry_facts *facts)
{
        const struct stat *st = facts->stat;
        fields_t fields = style->fields;
        mode_t mode = st->st_mode;

        buffer_add_literal(buffer, " type=");
        buffer_add_string(buffer, entry_type_name(mode));
        if (has_field(fields, FIELD_MODE))
                add_mode(buffer, mode);
        if (has_field(fields, FIELD_EXEC) && S_ISREG(mode) && mode & S_IXUSR)
                buffer_add_literal(buffer, " exec=1");
        if (has_field(fields, FIELD_UID))
                add_number(buffer, " uid=", style->uid != IMGC_ID_KEEP ? style->uid : st->st_uid);
        if (has_field(fields, FIELD_GID))
                add_number(buffer, " gid=", style->gid != IMGC_ID_KEEP ? style->gid : st->st_gid);
        if (has_field(fields, FIELD_SIZE) && S_ISREG(mode))
                add_number(buffer, " size=", facts->size);
        if (has_field(fields, FIELD_DEVICE) && (S_ISCHR(mode) || S_ISBLK(mode))) {
                add_number(buffer, " device=linux,", major(st->st_rdev));
                add_number(buffer, ",", minor(st->st_rdev));
        }
        if (has_field(fields, FIELD_LINK) && S_ISLNK(mode)) {
                buffer_add_literal(buffer, " link=");
                escape_add(buffer, facts->link, strlen(facts->link));
        }
        if (has_field(fields, FIELD_TIME))
                add_time(buffer, &st->st_mtim);
        if (has_field(fields, FIELD_FLAGS))
                add_flags(buffer, facts->flags);
        if (facts->xattrs)
                buffer_add(buffer, facts->xattrs->data, facts->xattrs->size);
        if (facts->digest)
                add_digest(buffer, style->algorithm, facts->digest);
        buffer_add_char(buffer, '\n');
}
