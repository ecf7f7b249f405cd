/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the listing of what a walk has found, in canonical order, and hashes it. */
#include <errno.h>

#include "core/limits.h"
#include "tree/escape.h"
#include "tree/walk-internal.h"

/* What is kept of a listing that is only hashed. */
#define FLUSH_BYTES ((size_t)256 << 10)

struct writer {
        struct walk *walk;
        struct buffer *out;
        struct buffer path;    /* the escaped name of the present directory */
        bool tells_links;      /* the field "hardlink" counts */
        uint64_t n_bytes;      /* in groups */
        struct hasher *hasher; /* NULL where the listing is kept and hashed at the end */
};

/* A position in a directory, and where its escaped name ends in the path. */
struct frame {
        struct node *node;
        uint32_t next;
        size_t path_size;
};

static size_t text_size(const char *text)
{
        return (size_t)((const char *)rawmemchr(text, '\n') - text) + 1;
}

/* A member of a group of hard links. The first one to be written carries everything. */
static int write_link(struct writer *writer, size_t name_start, struct group *group)
{
        struct buffer *out = writer->out;
        size_t name_size = out->size - name_start;

        if (!writer->tells_links || !group->first) {
                if (writer->tells_links) {
                        group->first = arena_copy(&writer->walk->links.arena,
                                                  out->data + name_start, name_size);
                        if (!group->first)
                                return -ENOMEM;
                        group->first_size = name_size;
                }
                buffer_add(out, group->text, text_size(group->text));
                writer->n_bytes += group->size;
                return 0;
        }
        buffer_add_literal(out, " type=");
        buffer_add_string(out, entry_type_name(group->stat.st_mode));
        buffer_add_literal(out, " hardlink=");
        buffer_add(out, group->first, group->first_size);
        buffer_add_char(out, '\n');
        return 0;
}

static int flush(struct writer *writer)
{
        int r;

        if (writer->out->failed)
                return -ENOMEM;
        if (!writer->hasher || writer->out->size < FLUSH_BYTES)
                return 0;
        r = hasher_update(writer->hasher, writer->out->data, writer->out->size);
        writer->out->size = 0;
        return r;
}

/* One line of an entry in the present directory, whose name ends at path_size. */
static int write_entry(struct writer *writer, const struct node *node, const struct entry *entry,
                       const char *text)
{
        const char *name = entry_name(node, entry);
        size_t start;
        int r = flush(writer);

        if (r < 0)
                return r;
        start = writer->out->size;
        buffer_add(writer->out, writer->path.data, writer->path.size);
        buffer_add_char(writer->out, '/');
        escape_add(writer->out, name, strlen(name));
        if (writer->out->failed)
                return -ENOMEM;
        if (writer->out->size - start > LIMIT_PATH_BYTES)
                return -ENAMETOOLONG;
        if (entry->kind == ENTRY_GROUP)
                r = write_link(writer, start, entry->group);
        else
                buffer_add(writer->out, text, text_size(text));
        if (r >= 0 && writer->out->size - start > LIMIT_LISTING_LINE_BYTES)
                r = -EMSGSIZE;
        return r;
}

static int write_nodes(struct writer *writer)
{
        _cleanup_buffer_ struct buffer stack = {0};
        struct frame frame = {.node = writer->walk->root};
        int r;

        buffer_add_char(&writer->path, '.');
        frame.path_size = writer->path.size;
        for (;;) {
                struct entry *entry;

                if (frame.next == frame.node->n_entries) {
                        if (!stack.size)
                                return 0;
                        stack.size -= sizeof(frame);
                        memcpy(&frame, stack.data + stack.size, sizeof(frame));
                        writer->path.size = frame.path_size;
                        continue;
                }
                if (context_is_cancelled(writer->walk->context))
                        return -ECANCELED;
                entry = &frame.node->entries[frame.next++];
                r = write_entry(writer, frame.node, entry,
                                entry->kind == ENTRY_NODE ? entry->node->text : entry->text);
                if (r < 0)
                        return r;
                if (entry->kind == ENTRY_NODE) {
                        const char *name = entry_name(frame.node, entry);

                        buffer_add(&stack, &frame, sizeof(frame));
                        buffer_add_char(&writer->path, '/');
                        escape_add(&writer->path, name, strlen(name));
                        frame = (struct frame){.node = entry->node, .path_size = writer->path.size};
                }
                if (stack.failed || writer->path.failed)
                        return -ENOMEM;
        }
}

static int write_all(struct writer *writer)
{
        struct walk *walk = writer->walk;
        const struct entry_style *style = &walk->options->style;
        const char *text = walk->root ? walk->root->text : walk->single.text;
        char fields[FIELDS_STRING_MAX];

        fields_format(style->fields, fields);
        buffer_printf(writer->out, "#mtree imagecache=1 digest=%s fields=%s\n.",
                      imgc_digest_algorithm_get_name(style->algorithm), fields);
        buffer_add(writer->out, text, text_size(text));
        return walk->root ? write_nodes(writer) : 0;
}

int walk_write_listing(struct walk *walk, struct walk_result *ret, struct imgc_error **reterr)
{
        _cleanup_buffer_ struct buffer out = {0};
        struct hasher *hasher = walk->workers[0].hasher;
        bool digest_only = walk->options->flags & IMGC_TREE_DIGEST_ONLY;
        struct writer writer = {
                .walk = walk,
                .out = &out,
                .tells_links = has_field(walk->fields, FIELD_HARDLINK),
                .hasher = digest_only ? hasher : NULL,
        };
        int r = digest_only ? hasher_start(hasher) : 0;

        if (r >= 0)
                r = write_all(&writer);
        buffer_free(&writer.path);
        if (out.failed)
                r = -ENOMEM;
        if (r >= 0 && digest_only) {
                r = hasher_update(hasher, out.data, out.size);
                if (r >= 0)
                        r = hasher_finish(hasher, ret->digest);
                buffer_free(&out);
        } else if (r >= 0) {
                r = hasher_digest(hasher, out.data, out.size, ret->digest);
        }
        if (r == -ENAMETOOLONG)
                return error_reason(reterr, IMGC_ERROR_LIMIT, r, "read", walk->options->label,
                                    "a path has more than %u bytes", LIMIT_PATH_BYTES);
        if (r == -EMSGSIZE)
                return error_reason(reterr, IMGC_ERROR_LIMIT, r, "read", walk->options->label,
                                    "an entry's line has more than %u bytes",
                                    LIMIT_LISTING_LINE_BYTES);
        if (r == -ECANCELED)
                return error_reason(reterr, IMGC_ERROR_CANCELLED, r, "read", walk->options->label,
                                    "cancelled");
        if (r < 0)
                return error_no_memory(reterr);
        ret->listing = out;
        out = (struct buffer){0};
        ret->n_entries = 0;
        ret->n_bytes = writer.n_bytes;
        for (uint32_t i = 0; i < walk->n_workers; i++) {
                ret->n_entries += walk->workers[i].n_entries;
                ret->n_bytes += walk->workers[i].n_bytes;
        }
        if (!has_field(walk->fields, FIELD_SIZE))
                ret->n_bytes = 0;
        return 0;
}
