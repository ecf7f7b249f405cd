/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each check returns NULL or the reason of a refusal. */
#include "tree/check-line.h"

#include "core/limits.h"
#include "core/text.h"
#include "tree/acl.h"
#include "tree/digest.h"
#include "tree/escape.h"

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

        if (!split(&value, ',', &system) || !split(&value, ',', &major) ||
            !span_is(system, "linux") || !is_number(major, UINT32_MAX) ||
            !is_number(value, UINT32_MAX))
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
        if (!is_number(seconds, (uint64_t)INT64_MAX + negative) ||
            (negative && span_is(seconds, "0")))
                return "malformed time";
        for (size_t i = 0; i < 9; i++)
                if (value.data[i] < '0' || value.data[i] > '9')
                        return "malformed time";
        return NULL;
}

static const char *check_flags(struct span value)
{
        static const char *const sets[] = {"nodump",
                                           "sappnd",
                                           "schg",
                                           "nodump,sappnd",
                                           "nodump,schg",
                                           "sappnd,schg",
                                           "nodump,sappnd,schg"};

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

static const char *check_xattr(struct line_checker *checker, const struct attribute *a)
{
        struct span name = {a->name.data + 6, a->name.size - 6};
        struct buffer swap = checker->xattr_before;
        const char *reason = check_escaped(name);
        int field;

        if (reason)
                return reason;
        checker->xattr_before = checker->xattr_name;
        checker->xattr_name = swap;
        checker->xattr_name.size = 0;
        escape_decode(&checker->xattr_name, name.data, name.size);
        if (!buffer_string(&checker->xattr_name))
                return "no memory"; /* the caller says so */
        if (checker->xattr_before.size &&
            strcmp(checker->xattr_before.data, checker->xattr_name.data) >= 0)
                return "extended attributes out of order";
        field = xattr_field(checker->xattr_name.data);
        if (field < 0 || !has_field(checker->listing->fields, (enum field)field))
                return "extended attribute of a field that does not count";
        if (!base64_is_canonical(a->value.data, a->value.size))
                return "malformed base64";
        return NULL;
}

/* ------------------------------------------------------------------------------ attributes */

static const char *check_value(struct line_checker *checker, const struct attribute *a,
                               enum entry_type type)
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
                return check_xattr(checker, a);
        case KEYWORD_DIGEST:
                return check_digest(checker->listing, a->name, a->value);
        default:
                return "unknown keyword";
        }
}

static const char *check_complete(struct line_checker *checker, const struct line *line,
                                  enum entry_type type, uint32_t seen)
{
        if (line_is_bare(checker->listing, line))
                return NULL;
        for (int k = 0; k < N_KEYWORDS; k++)
                if (keyword_is_required((enum keyword)k) && !(seen >> k & 1) &&
                    has_field(checker->listing->fields, keyword_field((enum keyword)k)) &&
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

static const char *check_attributes(struct line_checker *checker, const struct line *line)
{
        struct span rest = line->rest, first = {0};
        const struct listing *listing = checker->listing;
        struct attribute a, size = {0};
        enum entry_type type = N_TYPES;
        const char *reason;
        uint32_t seen = 0;
        uint64_t bytes;

        checker->xattr_name.size = 0;
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
                if (a.keyword != KEYWORD_XATTR &&
                    !has_field(listing->fields, keyword_field(a.keyword)))
                        return "keyword of a field that does not count";
                reason = check_value(checker, &a, type);
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
        checker->type = type;
        checker->hardlink = first;
        if (size.value.size && read_number(size.value, INT64_MAX, &bytes))
                checker->n_bytes += bytes;
        if (!first.data)
                return check_complete(checker, line, type, seen);
        return seen == (1u << KEYWORD_TYPE | 1u << KEYWORD_HARDLINK) ?
                       NULL :
                       "a hard link has its type and nothing else";
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
                int c = p == end                           ? '/' :
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

const char *line_check(struct line_checker *checker, const struct line *line)
{
        const char *reason = check_name(line->name);

        return reason ? reason : check_attributes(checker, line);
}

void line_checker_done(struct line_checker *checker)
{
        buffer_free(&checker->xattr_name);
        buffer_free(&checker->xattr_before);
}
