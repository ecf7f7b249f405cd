/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diff/describe.h"

#include <time.h>

#include "core/text.h"
#include "tree/escape.h"

/* Longer values are cut, unless everything is asked for. */
#define VALUE_CHARACTERS 60

const char *keyword_title(enum keyword keyword)
{
        static const char *const titles[N_KEYWORDS] = {
                [KEYWORD_TYPE] = "type",
                [KEYWORD_MODE] = "mode",
                [KEYWORD_EXEC] = "executable",
                [KEYWORD_UID] = "uid",
                [KEYWORD_GID] = "gid",
                [KEYWORD_SIZE] = "size",
                [KEYWORD_DEVICE] = "device",
                [KEYWORD_LINK] = "link",
                [KEYWORD_HARDLINK] = "hard link",
                [KEYWORD_TIME] = "time",
                [KEYWORD_FLAGS] = "flags",
                [KEYWORD_ACL_ACCESS] = "ACL",
                [KEYWORD_ACL_DEFAULT] = "default ACL",
                [KEYWORD_XATTR] = "xattr",
                [KEYWORD_DIGEST] = "content",
        };

        return titles[keyword];
}

/* Both sides of a change; `has` is false where there is none. */
struct sides {
        bool has_old, has_new, whole;
        struct attribute old_one, new_one;
};

static void read_sides(const struct imgc_diff *diff, const struct change *change, struct sides *ret)
{
        const struct place *place = diff_place(diff, change);

        ret->has_old = change_attribute(&place->old_listing, change->old_at, &ret->old_one);
        ret->has_new = change_attribute(&place->new_listing, change->new_at, &ret->new_one);
}

static void add_bytes_shortened(struct buffer *out, const char *s, size_t size, bool whole)
{
        uint32_t c;
        size_t end = 0;

        for (size_t n = 0, step; end < size && (whole || n < VALUE_CHARACTERS); n++, end += step) {
                step = utf8_sequence(s + end, size - end, &c);
                step = step ? step : 1;
        }
        text_add_visible(out, s, end);
        if (end < size)
                buffer_add_literal(out, "…");
}

static void add_value(struct buffer *out, struct span value, bool whole)
{
        _cleanup_buffer_ struct buffer bytes = {0};

        escape_decode(&bytes, value.data, value.size);
        out->failed |= bytes.failed;
        add_bytes_shortened(out, bytes.data, bytes.size, whole);
}

/* "1,234 B" up to a kilobyte, then with one decimal, in powers of 1,000. */
static void add_size(struct buffer *out, struct span value)
{
        static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
        uint64_t n = 0, rest = 0;
        size_t unit = 0;

        for (size_t i = 0; i < value.size; i++)
                n = n * 10 + (uint64_t)(value.data[i] - '0');
        for (; n >= 1000; unit++) {
                rest = n % 1000 / 100;
                n /= 1000;
        }
        if (unit)
                buffer_printf(out, "%llu.%llu %s", (unsigned long long)n, (unsigned long long)rest,
                              units[unit]);
        else
                buffer_printf(out, "%llu %s", (unsigned long long)n, units[unit]);
}

static void add_time(struct buffer *out, struct span value)
{
        const char *dot = memchr(value.data, '.', value.size);
        char seconds[32] = {0}, text[64];
        time_t t;
        struct tm tm;

        memcpy(seconds, value.data, MIN((size_t)(dot - value.data), sizeof(seconds) - 1));
        t = (time_t)strtoll(seconds, NULL, 10);
        if (gmtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm)) {
                buffer_add_string(out, text);
                buffer_add(out, dot, (size_t)(value.data + value.size - dot));
                buffer_add_literal(out, " UTC");
        } else {
                buffer_add(out, value.data, value.size);
        }
}

static void add_one_side(struct buffer *out, const struct attribute *a, bool whole)
{
        if (a->keyword == KEYWORD_TIME)
                add_time(out, a->value);
        else if (a->keyword == KEYWORD_SIZE)
                add_size(out, a->value);
        else
                add_value(out, a->value, whole);
}

/* "mode 0755 → 0700", "flags added: schg", "flags removed: schg" */
static void add_from_to(struct buffer *out, const char *title, const struct sides *sides)
{
        buffer_add_string(out, title);
        if (sides->has_old && sides->has_new) {
                buffer_add_char(out, ' ');
                add_one_side(out, &sides->old_one, sides->whole);
                buffer_add_literal(out, " → ");
                add_one_side(out, &sides->new_one, sides->whole);
        } else {
                buffer_add_string(out, sides->has_new ? " added: " : " removed: ");
                add_one_side(out, sides->has_new ? &sides->new_one : &sides->old_one, sides->whole);
        }
}

static void add_hardlink(struct buffer *out, const struct sides *sides)
{
        /* NAME of the first, as in its line: "./…". */
        struct span from = {sides->old_one.value.data + 2, sides->old_one.value.size - 2};
        struct span to = {sides->new_one.value.data + 2, sides->new_one.value.size - 2};

        if (sides->has_old && sides->has_new) {
                buffer_add_literal(out, "hard link to ");
                add_value(out, to, sides->whole);
                buffer_add_literal(out, " (was to ");
                add_value(out, from, sides->whole);
                buffer_add_char(out, ')');
        } else {
                buffer_add_string(out, sides->has_new ? "now a hard link to " :
                                                        "no longer a hard link to ");
                add_value(out, sides->has_new ? to : from, sides->whole);
        }
}

static void add_xattr(struct buffer *out, const struct sides *sides)
{
        const struct attribute *a = sides->has_new ? &sides->new_one : &sides->old_one;
        struct span name = {a->name.data + 6, a->name.size - 6};

        buffer_add_literal(out, "xattr ");
        add_value(out, name, true);
        if (sides->has_old && sides->has_new && sides->whole) {
                buffer_add_char(out, ' ');
                buffer_add(out, sides->old_one.value.data, sides->old_one.value.size);
                buffer_add_literal(out, " → ");
                buffer_add(out, sides->new_one.value.data, sides->new_one.value.size);
        } else {
                buffer_add_string(out, !sides->has_old ? " added" :
                                       !sides->has_new ? " removed" :
                                                         " changed");
                if (sides->whole) {
                        buffer_add_literal(out, ": ");
                        buffer_add(out, a->value.data, a->value.size);
                }
        }
}

static void add_change(struct buffer *out, const struct sides *sides, const struct sides *size)
{
        const struct attribute *a = sides->has_new ? &sides->new_one : &sides->old_one;

        switch (a->keyword) {
        case KEYWORD_EXEC:
                buffer_add_string(out, sides->has_new ? "now executable" : "no longer executable");
                break;
        case KEYWORD_HARDLINK:
                add_hardlink(out, sides);
                break;
        case KEYWORD_XATTR:
                add_xattr(out, sides);
                break;
        case KEYWORD_DIGEST:
                buffer_add_literal(out, "content changed");
                if (size) {
                        buffer_add_literal(out, " (");
                        add_one_side(out, &size->old_one, true);
                        buffer_add_literal(out, " → ");
                        add_one_side(out, &size->new_one, true);
                        buffer_add_char(out, ')');
                }
                if (sides->whole) {
                        buffer_add_char(out, ' ');
                        buffer_add(out, sides->old_one.value.data, sides->old_one.value.size);
                        buffer_add_literal(out, " → ");
                        buffer_add(out, sides->new_one.value.data, sides->new_one.value.size);
                }
                break;
        default:
                add_from_to(out, keyword_title(a->keyword), sides);
        }
}

static void describe_entry(const struct imgc_diff *diff, const struct change *changes, uint64_t n,
                           bool whole, struct buffer *out)
{
        struct sides size = {0};
        bool has_digest = n && changes[n - 1].keyword == KEYWORD_DIGEST, has_size = false;

        for (uint64_t i = 0; i < n; i++) {
                struct sides sides = {.whole = whole};

                read_sides(diff, &changes[i], &sides);
                /* A new size is told with the new content. */
                if (has_digest && changes[i].keyword == KEYWORD_SIZE) {
                        size = sides;
                        has_size = true;
                        continue;
                }
                if (out->size)
                        buffer_add_literal(out, ", ");
                add_change(out, &sides, has_size ? &size : NULL);
        }
}

static void describe_move(const struct imgc_diff *diff, const struct change *change,
                          struct buffer *out)
{
        _cleanup_buffer_ struct buffer bytes = {0};
        struct line line;

        line_at(&diff_place(diff, change)->old_listing, change->old_at, &line);
        line_add_path(&line, &bytes);
        out->failed |= bytes.failed;
        buffer_add_literal(out, "moved from ");
        text_add_visible(out, bytes.data, bytes.size);
}

static void add_text(struct buffer *out, const char *text, bool whole)
{
        add_bytes_shortened(out, text, strlen(text), whole);
}

/* What to say of members whose values are long hexadecimal numbers. */
static const char *summary_of(const char *attribute)
{
        static const struct {
                const char *attribute, *summary;
        } summaries[] = {
                /* A tree that both sides had a listing of is told by its entries. */
                {"digest", "content changed (no listing kept)"},
                {"hmac", "secret changed"},
                {"key", "the stage it stands on changed"},
                {"results", "the results it stands on changed"},
        };

        for (size_t i = 0; i < ELEMENTSOF(summaries); i++)
                if (!strcmp(attribute, summaries[i].attribute))
                        return summaries[i].summary;
        return NULL;
}

/* A member of a project, image, stage or input, or an item of a list. */
static void describe_text(const struct imgc_diff *diff, const struct change *change, bool whole,
                          struct buffer *out)
{
        const struct change_text *text = diff_text(diff, change);

        switch (change->kind) {
        case IMGC_CHANGE_ITEM_ADDED:
                buffer_add_char(out, '+');
                add_text(out, text->new_value, whole);
                return;
        case IMGC_CHANGE_ITEM_REMOVED:
                buffer_add_char(out, '-');
                add_text(out, text->old_value, whole);
                return;
        case IMGC_CHANGE_IMAGE_MOVED:
        case IMGC_CHANGE_STAGE_MOVED:
        case IMGC_CHANGE_INPUT_MOVED:
                buffer_printf(out, "moved from place %s to %s", text->old_value, text->new_value);
                return;
        default:
                break;
        }
        if (!text->attribute) {
                bool added = change->kind == IMGC_CHANGE_IMAGE_ADDED ||
                             change->kind == IMGC_CHANGE_STAGE_ADDED ||
                             change->kind == IMGC_CHANGE_INPUT_ADDED;

                buffer_add_string(out, added ? "added" : "removed");
                return;
        }
        if (!strcmp(text->attribute, "absent")) {
                buffer_add_string(out, text->new_value ? "gone" : "now there");
                return;
        }
        if (!whole && summary_of(text->attribute)) {
                buffer_add_string(out, summary_of(text->attribute));
                return;
        }
        if (strcmp(text->attribute, "value") != 0) {
                text_add_visible(out, text->attribute, strlen(text->attribute));
                buffer_add_char(out, ' ');
        }
        add_text(out, text->old_value ? text->old_value : "nothing", whole);
        buffer_add_literal(out, " → ");
        add_text(out, text->new_value ? text->new_value : "nothing", whole);
}

void describe_changes(const struct imgc_diff *diff, const struct change *changes, uint64_t n,
                      bool whole, struct buffer *out)
{
        switch (changes->kind) {
        case IMGC_CHANGE_ENTRY_ADDED:
                buffer_add_literal(out, "added");
                break;
        case IMGC_CHANGE_ENTRY_REMOVED:
                buffer_add_literal(out, "removed");
                break;
        case IMGC_CHANGE_ENTRY_MOVED:
                describe_move(diff, changes, out);
                break;
        case IMGC_CHANGE_ENTRY_CHANGED:
                describe_entry(diff, changes, n, whole, out);
                break;
        default:
                for (uint64_t i = 0; i < n; i++) {
                        if (i)
                                buffer_add_literal(out, ", ");
                        describe_text(diff, &changes[i], whole, out);
                }
        }
}
