/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The strict reader of canonical listings: what it accepts, a tree could have been written as,
 * byte for byte. Each check returns NULL or the reason of a refusal.
 */
#include "tree/read-listing.h"

#include <errno.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/limits.h"
#include "core/text.h"
#include "tree/acl.h"
#include "tree/digest.h"
#include "tree/escape.h"

struct reader {
        struct listing listing;
        size_t offset; /* of the present line */
        struct line previous;
        struct buffer parents;    /* size_t: how long the names of the directories above are */
        struct buffer xattr_name; /* decoded, NUL-terminated; and the one before */
        struct buffer xattr_before;
        struct listing_summary summary;
};

/* ------------------------------------------------------------------------------ values */

static bool read_number(struct span s, uint64_t max, uint64_t *ret)
{
        uint64_t n = 0;

        if (!s.size || (s.size > 1 && *s.data == '0'))
                return false;
        for (size_t i = 0; i < s.size; i++) {
                unsigned digit = (unsigned)(s.data[i] - '0');

                if (digit > 9 || n > (max - digit) / 10)
                        return false;
                n = n * 10 + digit;
        }
        *ret = n;
        return true;
}

static bool is_number(struct span s, uint64_t max)
{
        uint64_t n;

        return read_number(s, max, &n);
}

/* Takes what stands before `separator` off the front. */
static bool split(struct span *s, char separator, struct span *ret)
{
        const char *p = memchr(s->data, separator, s->size);

        if (!p)
                return false;
        *ret = (struct span){s->data, (size_t)(p - s->data)};
        s->size -= ret->size + 1;
        s->data = p + 1;
        return true;
}

static const char *check_mode(struct span value, enum entry_type type)
{
        if (value.size != 4)
                return "malformed mode";
        for (size_t i = 0; i < 4; i++)
                if (value.data[i] < '0' || value.data[i] > '7')
                        return "malformed mode";
        if (type == TYPE_LINK && !span_is(value, "0777"))
                return "a link's mode is 0777";
        return NULL;
}

static const char *check_device(struct span value)
{
        struct span system, major;

        if (!split(&value, ',', &system) || !split(&value, ',', &major) || !span_is(system, "linux") ||
            !is_number(major, UINT32_MAX) || !is_number(value, UINT32_MAX))
                return "malformed device";
        return NULL;
}

static const char *check_time(struct span value)
{
        struct span seconds;
        bool negative;

        if (!split(&value, '.', &seconds) || value.size != 9)
                return "malformed time";
        negative = seconds.size && *seconds.data == '-';
        seconds.data += negative;
        seconds.size -= negative;
        if (!is_number(seconds, (uint64_t)INT64_MAX + negative) || (negative && span_is(seconds, "0")))
                return "malformed time";
        for (size_t i = 0; i < 9; i++)
                if (value.data[i] < '0' || value.data[i] > '9')
                        return "malformed time";
        return NULL;
}

static const char *check_flags(struct span value)
{
        static const char *const sets[] = {"nodump", "sappnd", "schg", "nodump,sappnd", "nodump,schg",
                                           "sappnd,schg", "nodump,sappnd,schg"};

        for (size_t i = 0; i < ELEMENTSOF(sets); i++)
                if (span_is(value, sets[i]))
                        return NULL;
        return "malformed flags";
}

static const char *check_escaped(struct span value)
{
        const char *p = value.data, *end = p + value.size;

        if (!value.size)
                return "empty value";
        while (p < end)
                if (escape_next(&p, end) < 0)
                        return "byte that is not escaped as it must be";
        return NULL;
}

static const char *check_digest(const struct listing *listing, struct span name, struct span value)
{
        if (!span_is(name, imgc_digest_algorithm_get_name(listing->algorithm)))
                return "digest of another algorithm than the header's";
        if (value.size != digest_bytes(listing->algorithm) * 2)
                return "malformed digest";
        for (size_t i = 0; i < value.size; i++)
                if ((value.data[i] < '0' || value.data[i] > '9') &&
                    (value.data[i] < 'a' || value.data[i] > 'f'))
                        return "malformed digest";
        return NULL;
}

static const char *check_xattr(struct reader *reader, const struct attribute *a)
{
        struct span name = {a->name.data + 6, a->name.size - 6};
        struct buffer swap = reader->xattr_before;
        const char *reason = check_escaped(name);
        int field;

        if (reason)
                return reason;
        reader->xattr_before = reader->xattr_name;
        reader->xattr_name = swap;
        reader->xattr_name.size = 0;
        escape_decode(&reader->xattr_name, name.data, name.size);
        if (!buffer_string(&reader->xattr_name))
                return "no memory"; /* the caller says so */
        if (reader->xattr_before.size &&
            strcmp(reader->xattr_before.data, reader->xattr_name.data) >= 0)
                return "extended attributes out of order";
        field = xattr_field(reader->xattr_name.data);
        if (field < 0 || !has_field(reader->listing.fields, (enum field)field))
                return "extended attribute of a field that does not count";
        if (!base64_is_canonical(a->value.data, a->value.size))
                return "malformed base64";
        return NULL;
}

/* ------------------------------------------------------------------------------ attributes */

static const char *check_value(struct reader *reader, const struct attribute *a, enum entry_type type)
{
        switch (a->keyword) {
        case KEYWORD_TYPE:
                return type == N_TYPES ? "unknown type" : NULL;
        case KEYWORD_MODE:
                return check_mode(a->value, type);
        case KEYWORD_EXEC:
                return span_is(a->value, "1") ? NULL : "malformed exec";
        case KEYWORD_UID:
        case KEYWORD_GID:
                return is_number(a->value, UINT32_MAX - 1) ? NULL : "malformed id";
        case KEYWORD_SIZE:
                return is_number(a->value, INT64_MAX) ? NULL : "malformed size";
        case KEYWORD_DEVICE:
                return check_device(a->value);
        case KEYWORD_LINK:
        case KEYWORD_HARDLINK:
                return check_escaped(a->value);
        case KEYWORD_TIME:
                return check_time(a->value);
        case KEYWORD_FLAGS:
                return check_flags(a->value);
        case KEYWORD_ACL_ACCESS:
        case KEYWORD_ACL_DEFAULT:
                return acl_check(a->value.data, a->value.size, a->keyword == KEYWORD_ACL_DEFAULT);
        case KEYWORD_XATTR:
                return check_xattr(reader, a);
        case KEYWORD_DIGEST:
                return check_digest(&reader->listing, a->name, a->value);
        default:
                return "unknown keyword";
        }
}

static const char *check_link_to_first(struct reader *reader, enum entry_type type, uint32_t seen,
                                       struct span first)
{
        struct attribute a;
        struct line target;

        if (seen != (1u << KEYWORD_TYPE | 1u << KEYWORD_HARDLINK))
                return "a hard link has its type and nothing else";
        if (line_find(&reader->listing, reader->offset, first, &target) == SIZE_MAX)
                return "the first of the hard links is not listed before";
        if (line_get_attribute(&target, KEYWORD_HARDLINK, &a))
                return "the first of the hard links is a link to another";
        if (!line_get_attribute(&target, KEYWORD_TYPE, &a) || type_of(a.value) != type)
                return "hard links of different types";
        return NULL;
}

static const char *check_complete(struct reader *reader, const struct line *line, enum entry_type type,
                                  uint32_t seen)
{
        if (line_is_bare(&reader->listing, line))
                return NULL;
        for (int k = 0; k < N_KEYWORDS; k++)
                if (keyword_is_required((enum keyword)k) && !(seen >> k & 1) &&
                    has_field(reader->listing.fields, keyword_field((enum keyword)k)) &&
                    keyword_may_stand_on((enum keyword)k, type))
                        return "a keyword is missing";
        return NULL;
}

/* Takes the next word off the front as line_next_attribute() does, without trusting it. */
static const char *next_attribute(struct span *rest, struct attribute *ret)
{
        const char *equals, *end;

        if (*rest->data != ' ' || rest->size < 2)
                return "more than one space, or a space at the end";
        end = memchr(rest->data + 1, ' ', rest->size - 1);
        end = end ? end : rest->data + rest->size;
        equals = memchr(rest->data + 1, '=', (size_t)(end - rest->data - 1));
        if (!equals)
                return "keyword without a value";
        line_next_attribute(rest, ret);
        return ret->keyword == N_KEYWORDS ? "unknown keyword" : NULL;
}

static const char *check_attributes(struct reader *reader, const struct line *line,
                                    enum entry_type *ret_type)
{
        struct span rest = line->rest, first = {0};
        const struct listing *listing = &reader->listing;
        struct attribute a, size = {0};
        enum entry_type type = N_TYPES;
        const char *reason;
        uint32_t seen = 0;
        uint64_t bytes;

        reader->xattr_name.size = 0;
        while (rest.size) {
                reason = next_attribute(&rest, &a);
                if (reason)
                        return reason;
                if (!seen && a.keyword != KEYWORD_TYPE)
                        return "the type does not stand first";
                if (seen >> a.keyword && !(a.keyword == KEYWORD_XATTR && seen >> a.keyword == 1))
                        return "keywords doubled or out of order";
                if (a.keyword == KEYWORD_TYPE)
                        type = type_of(a.value);
                if (a.keyword != KEYWORD_XATTR && !has_field(listing->fields, keyword_field(a.keyword)))
                        return "keyword of a field that does not count";
                reason = check_value(reader, &a, type);
                if (reason)
                        return reason;
                if (!keyword_may_stand_on(a.keyword, type))
                        return "keyword that this type cannot have";
                if (a.keyword == KEYWORD_HARDLINK)
                        first = a.value;
                if (a.keyword == KEYWORD_SIZE)
                        size = a;
                seen |= 1u << a.keyword;
        }
        if (!seen)
                return "no keywords";
        *ret_type = type;
        if (size.value.size && read_number(size.value, INT64_MAX, &bytes))
                reader->summary.n_bytes += bytes;
        return first.data ? check_link_to_first(reader, type, seen, first) :
                            check_complete(reader, line, type, seen);
}

/* ------------------------------------------------------------------------------ names */

static const char *check_name(struct span name)
{
        const char *p = name.data, *end = p + name.size;
        size_t component = 0, dots = 0;

        if (name.size > LIMIT_PATH_BYTES)
                return "the name is too long";
        if (span_is(name, "."))
                return NULL;
        if (name.size < 3 || memcmp(p, "./", 2) != 0)
                return "a name begins with ./";
        for (p += 2;;) {
                int c = p == end                            ? '/' :
                        escape_is_plain((unsigned char)*p) ? (unsigned char)*p++ :
                                                             escape_next(&p, end);

                if (c < 0)
                        return "byte in a name that is not escaped as it must be";
                if (c != '/') {
                        dots += c == '.';
                        if (++component > LIMIT_NAME_BYTES)
                                return "the name is too long";
                        continue;
                }
                if (!component || (dots == component && dots <= 2))
                        return "empty, . or .. in a name";
                component = dots = 0;
                if (p == end)
                        return end[-1] == '/' ? "empty, . or .. in a name" : NULL;
        }
}

/* The directories above an entry, the innermost last, are known from the lines before. */
static const char *check_place(struct reader *reader, const struct line *line, bool is_directory)
{
        struct span name = line->name;
        size_t above = 0;

        if (reader->offset == reader->listing.header_size) {
                if (!span_is(name, "."))
                        return "the root does not stand first";
        } else {
                struct span before = reader->previous.name;

                if (escape_compare_paths(before.data, before.size, name.data, name.size) >= 0)
                        return "names doubled or out of order";
                while (reader->parents.size) {
                        memcpy(&above, reader->parents.data + reader->parents.size - sizeof(above),
                               sizeof(above));
                        if (above < name.size && name.data[above] == '/' &&
                            !memcmp(name.data, before.data, MIN(above, before.size)) &&
                            above <= before.size)
                                break;
                        reader->parents.size -= sizeof(above);
                }
                if (!reader->parents.size || memchr(name.data + above + 1, '/', name.size - above - 1))
                        return "no directory above it is listed";
        }
        if (reader->parents.size / sizeof(above) > LIMIT_DEPTH)
                return "the tree is too deep";
        if (is_directory)
                buffer_add(&reader->parents, &name.size, sizeof(name.size));
        return NULL;
}

/* ------------------------------------------------------------------------------ the whole */

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
        if ((size_t)(end - p) < strlen(digest_word) || memcmp(p, digest_word, strlen(digest_word)) != 0)
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

/* Checks the line at reader->offset; *ret_next is the next one's offset. */
static const char *read_line(struct reader *reader, size_t *ret_next)
{
        const struct listing *listing = &reader->listing;
        const char *start = listing->data + reader->offset;
        size_t left = listing->size - reader->offset;
        const char *end = memchr(start, '\n', left), *space;
        struct line line;
        enum entry_type type;
        const char *reason;

        if (!end)
                return "the last line has no end";
        if (end - start > (ptrdiff_t)LIMIT_LISTING_LINE_BYTES)
                return "the line is too long";
        space = memchr(start, ' ', (size_t)(end - start));
        if (!space)
                return "no keywords";
        line = (struct line){{start, (size_t)(space - start)}, {space, (size_t)(end - space)}};
        reason = check_name(line.name);
        if (!reason)
                reason = check_attributes(reader, &line, &type);
        if (!reason)
                reason = check_place(reader, &line, type == TYPE_DIR);
        reader->previous = line;
        reader->summary.n_entries++;
        *ret_next = reader->offset + (size_t)(end - start) + 1;
        return reason;
}

int listing_read(const char *data, size_t size, const char *name, uint64_t first_line,
                 struct listing *ret, struct listing_summary *ret_summary,
                 struct imgc_error **reterr)
{
        struct reader reader = {0};
        uint64_t line = first_line;
        const char *reason;
        bool failed;

        reason = listing_read_header(data, size, &reader.listing);
        if (!reason && reader.listing.header_size == size)
                reason = "nothing follows the header";
        for (reader.offset = reader.listing.header_size; !reason && reader.offset < size;) {
                size_t next;

                line++;
                reason = read_line(&reader, &next);
                if (!reason)
                        reader.offset = next;
        }
        failed = reader.parents.failed || reader.xattr_name.failed || reader.xattr_before.failed;
        buffer_free(&reader.parents);
        buffer_free(&reader.xattr_name);
        buffer_free(&reader.xattr_before);
        if (failed)
                return error_no_memory(reterr);
        if (reason)
                return error_message(reterr, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", name,
                                     "%s:%llu: %s", name, (unsigned long long)line, reason);
        reader.summary.n_lines = line - first_line + 1;
        *ret = reader.listing;
        *ret_summary = reader.summary;
        return 0;
}
