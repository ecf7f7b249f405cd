/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reader of canonical listings: what it accepts, a tree could have been written as,
 * byte for byte.
 *
 * A large listing is cut at line ends, and its parts are checked in parallel. What a part must
 * know of those before it, the line before it tells: in a listing that is right so far, the
 * directories above a name have been listed. Hard links are checked last, because they look at
 * other parts.
 */
#include "tree/read-listing.h"

#include <errno.h>
#include <inttypes.h>

#include "core/context.h"
#include "core/error.h"
#include "core/limits.h"
#include "tree/check-line.h"
#include "tree/escape.h"

/* Worth a thread. */
#define PART_BYTES ((size_t)2 << 20)

/* A line that is a hard link, to be checked when all lines are. */
struct link {
        size_t offset;
        uint64_t line; /* from 0 */
};

struct part {
        const struct listing *listing;
        struct line_checker checker;
        size_t offset, end; /* the present line; where the part ends */
        struct line previous;
        bool has_previous;
        struct buffer parents; /* size_t: how long the names of the directories above are */
        struct buffer links;   /* struct link; lines count from the part's first */
        uint64_t n_lines;
        const char *reason; /* what is wrong with line n_lines, from 0; or NULL */
        pthread_t thread;
};

/* ------------------------------------------------------------------------------ places */

/* The directories above an entry, the innermost last, are known from the lines before. */
static const char *check_place(struct part *part, const struct line *line)
{
        struct span name = line->name, before = part->previous.name;
        size_t above = 0;

        if (!part->has_previous) {
                if (!span_is(name, "."))
                        return "the root does not stand first";
        } else {
                if (escape_compare_paths(before.data, before.size, name.data, name.size) >= 0)
                        return "names doubled or out of order";
                while (part->parents.size) {
                        memcpy(&above, part->parents.data + part->parents.size - sizeof(above),
                               sizeof(above));
                        if (above < name.size && name.data[above] == '/' &&
                            !memcmp(name.data, before.data, above))
                                break;
                        part->parents.size -= sizeof(above);
                }
                if (!part->parents.size ||
                    memchr(name.data + above + 1, '/', name.size - above - 1))
                        return "no directory above it is listed";
        }
        if (part->parents.size / sizeof(above) > LIMIT_DEPTH)
                return "the tree is too deep";
        if (part->checker.type == TYPE_DIR)
                buffer_add(&part->parents, &name.size, sizeof(name.size));
        return NULL;
}

/* Takes a line apart as far as it goes: nothing is known of it. */
static bool find_line(const struct listing *listing, size_t offset, struct line *ret,
                      size_t *ret_next)
{
        const char *start = listing->data + offset;
        const char *end = memchr(start, '\n', listing->size - offset), *space;

        if (!end)
                return false;
        space = memchr(start, ' ', (size_t)(end - start));
        if (!space)
                space = end;
        *ret = (struct line){{start, (size_t)(space - start)}, {space, (size_t)(end - space)}};
        *ret_next = offset + (size_t)(end - start) + 1;
        return true;
}

/* Sets a part up as if the lines before it had been read, and were right. */
static void seed(struct part *part)
{
        const struct listing *listing = part->listing;
        const char *start;
        struct span name;
        size_t next;

        if (part->offset == listing->header_size)
                return;
        start = memrchr(listing->data, '\n', part->offset - 1);
        part->has_previous =
                find_line(listing, (size_t)(start + 1 - listing->data), &part->previous, &next);
        name = part->previous.name;
        for (size_t i = 0; i < name.size; i++)
                if (name.data[i] == '/')
                        buffer_add(&part->parents, &i, sizeof(i));
        if (part->previous.rest.size >= 9 && !memcmp(part->previous.rest.data, " type=dir", 9))
                buffer_add(&part->parents, &name.size, sizeof(name.size));
}

/* ------------------------------------------------------------------------------ parts */

/* Checks the line at part->offset and goes behind it. */
static const char *read_line(struct part *part)
{
        struct line line;
        const char *reason;
        size_t next;

        if (!find_line(part->listing, part->offset, &line, &next))
                return "the last line has no end";
        if (next - part->offset > LIMIT_LISTING_LINE_BYTES)
                return "the line is too long";
        if (!line.rest.size)
                return "no keywords";
        reason = line_check(&part->checker, &line);
        if (!reason)
                reason = check_place(part, &line);
        if (reason)
                return reason;
        if (part->checker.hardlink.data) {
                struct link link = {part->offset, part->n_lines};

                buffer_add(&part->links, &link, sizeof(link));
        }
        part->previous = line;
        part->has_previous = true;
        part->offset = next;
        return NULL;
}

static void *read_part(void *userdata)
{
        struct part *part = userdata;

        seed(part);
        while (!part->reason && part->offset < part->end) {
                part->reason = read_line(part);
                part->n_lines += !part->reason;
        }
        return NULL;
}

static bool part_failed(const struct part *part)
{
        return part->parents.failed || part->links.failed || part->checker.xattr_name.failed ||
               part->checker.xattr_before.failed;
}

static void part_done(struct part *part)
{
        line_checker_done(&part->checker);
        buffer_free(&part->parents);
        buffer_free(&part->links);
}

/* Cuts the lines behind the header into parts of about equal size, at line ends. */
static void cut(const struct listing *listing, struct part *parts, size_t n)
{
        size_t start = listing->header_size;

        for (size_t i = 0; i < n; i++) {
                size_t end = i + 1 == n ?
                                     listing->size :
                                     listing->header_size +
                                             (listing->size - listing->header_size) / n * (i + 1);
                const char *feed = memchr(listing->data + end - 1, '\n', listing->size - end + 1);

                end = feed ? (size_t)(feed - listing->data) + 1 : listing->size;
                end = MAX(end, start);
                parts[i] = (struct part){
                        .listing = listing,
                        .checker = {.listing = listing},
                        .offset = start,
                        .end = end,
                };
                start = end;
        }
}

static void read_parts(struct part *parts, size_t n)
{
        size_t started = 1;

        while (started < n &&
               imgc_io_thread_create(&parts[started].thread, read_part, &parts[started]) >= 0)
                started++;
        read_part(&parts[0]);
        for (size_t i = 1; i < started; i++)
                pthread_join(parts[i].thread, NULL);
        /* Without a thread it takes longer. */
        for (size_t i = started; i < n; i++)
                read_part(&parts[i]);
}

/* ------------------------------------------------------------------------------ the whole */

static const char *check_link(const struct listing *listing, size_t offset)
{
        struct attribute first, type, a;
        struct line line, target;

        line_at(listing, offset, &line);
        line_get_attribute(&line, KEYWORD_TYPE, &type);
        line_get_attribute(&line, KEYWORD_HARDLINK, &first);
        if (line_find(listing, offset, first.value, &target) == SIZE_MAX)
                return "the first of the hard links is not listed before";
        if (line_get_attribute(&target, KEYWORD_HARDLINK, &a))
                return "the first of the hard links is a link to another";
        if (!line_get_attribute(&target, KEYWORD_TYPE, &a) || !span_equals(a.value, type.value))
                return "hard links of different types";
        return NULL;
}

/* Adds the parts up. Returns the first thing that is wrong, with the number of its line. */
static const char *judge(const struct listing *listing, const struct part *parts, size_t n,
                         struct listing_summary *summary, uint64_t *ret_line)
{
        uint64_t line = 0;

        for (size_t i = 0; i < n; i++) {
                if (parts[i].reason) {
                        *ret_line = line + parts[i].n_lines;
                        return parts[i].reason;
                }
                line += parts[i].n_lines;
                summary->n_bytes += parts[i].checker.n_bytes;
        }
        summary->n_entries = line;
        line = 0;
        for (size_t i = 0; i < n; line += parts[i++].n_lines)
                for (size_t at = 0; at < parts[i].links.size; at += sizeof(struct link)) {
                        struct link link;
                        const char *reason;

                        memcpy(&link, parts[i].links.data + at, sizeof(link));
                        reason = check_link(listing, link.offset);
                        if (reason) {
                                *ret_line = line + link.line;
                                return reason;
                        }
                }
        return NULL;
}

static int read_lines(struct imgc_context *context, const struct listing *listing,
                      struct listing_summary *ret, const char **ret_reason, uint64_t *ret_line)
{
        size_t n = MIN((listing->size - listing->header_size) / PART_BYTES + 1,
                       (size_t)context_get_threads(context));
        _cleanup_free_ struct part *parts = imgc_io_calloc(n, sizeof(*parts));
        bool failed = false;

        if (!parts)
                return -ENOMEM;
        cut(listing, parts, n);
        read_parts(parts, n);
        for (size_t i = 0; i < n; i++)
                failed |= part_failed(&parts[i]);
        if (!failed)
                *ret_reason = judge(listing, parts, n, ret, ret_line);
        for (size_t i = 0; i < n; i++)
                part_done(&parts[i]);
        return failed ? -ENOMEM : 0;
}

const char *listing_read_header(const char *data, size_t size, struct listing *ret)
{
        static const char digest_word[] = "digest=", fields_word[] = " fields=";
        const char *end = memchr(data, '\n', MIN(size, (size_t)512));
        const char *p = data + strlen(LISTING_MAGIC), *bad, *space;
        char text[FIELDS_STRING_MAX + 1] = {0}, canonical[FIELDS_STRING_MAX], algorithm[8] = {0};
        size_t bad_size, n;
        int r;

        if (size < strlen(LISTING_MAGIC) || memcmp(data, LISTING_MAGIC, strlen(LISTING_MAGIC)) != 0)
                return "not a listing: it does not begin with \"" LISTING_MAGIC "\"";
        if (!end)
                return "the header has no end";
        if ((size_t)(end - p) < strlen(digest_word) ||
            memcmp(p, digest_word, strlen(digest_word)) != 0)
                return "the header names no digest";
        p += strlen(digest_word);
        space = memchr(p, ' ', (size_t)(end - p));
        if (!space || (size_t)(space - p) >= sizeof(algorithm))
                return "malformed header";
        memcpy(algorithm, p, (size_t)(space - p));
        r = imgc_digest_algorithm_from_name(algorithm);
        if (r < 0)
                return "unknown digest";
        n = (size_t)(end - space);
        if (n < strlen(fields_word) || memcmp(space, fields_word, strlen(fields_word)) != 0 ||
            n - strlen(fields_word) >= FIELDS_STRING_MAX)
                return "the header names no fields";
        if (memchr(p, '\0', (size_t)(end - p)))
                return "malformed header";
        memcpy(text, space + strlen(fields_word), n - strlen(fields_word));
        /* A profile's name is none of a header's words; a comma makes it a list for certain. */
        ret->algorithm = (enum imgc_digest_algorithm)r;
        if (!strcmp(text, "type")) {
                ret->fields = FIELD_BIT(FIELD_TYPE);
        } else {
                if (!strchr(text, ',') || fields_parse(text, &ret->fields, &bad, &bad_size) < 0)
                        return "unknown field";
                fields_format(ret->fields, canonical);
                if (strcmp(text, canonical) != 0)
                        return "fields doubled or out of order";
        }
        ret->data = data;
        ret->size = size;
        ret->header_size = (size_t)(end - data) + 1;
        return NULL;
}

int listing_read(struct imgc_context *context, const char *data, size_t size, const char *name,
                 uint64_t first_line, struct listing *ret, struct listing_summary *ret_summary,
                 struct imgc_error **reterr)
{
        struct listing_summary summary = {0};
        struct listing listing;
        uint64_t line = 0;
        const char *reason;

        reason = listing_read_header(data, size, &listing);
        if (!reason && listing.header_size == size)
                reason = "nothing follows the header";
        if (!reason) {
                if (read_lines(context, &listing, &summary, &reason, &line) < 0)
                        return error_no_memory(reterr);
                line++; /* the header */
        }
        if (reason)
                return error_message(reterr, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", name,
                                     "%s:%" PRIu64 ": %s", name, first_line + line, reason);
        *ret = listing;
        *ret_summary = summary;
        return 0;
}
