/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "common.h"
#include "tree/escape.h"
#include "tree/line.h"
#include "tree/read-listing.h"

static struct span span_of(const char *s)
{
        return (struct span){s, strlen(s)};
}

static struct listing read_listing(const char *text)
{
        struct listing_summary summary;
        struct imgc_error *error = NULL;
        struct listing listing;
        struct imgc_context *context = new_context(1);
        int r = listing_read(context, text, strlen(text), "test", 1, &listing, &summary, &error);

        imgc_context_unref(context);
        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "");
        return listing;
}

static const char example[] =
        "#mtree imagecache=1 digest=xxh128 fields=type,mode,size,link,hardlink,xattr,content\n"
        ". type=dir mode=0755\n"
        "./a type=dir\n"
        "./a/\\040b type=file mode=0644 size=0 xattr.user.x\\075y=AA== "
        "xxh128=99aa06d3014798d86001c324468d497f\n"
        "./b type=link mode=0777 link=a/\\040b\n"
        "./c type=file hardlink=./a/\\040b\n";

START_TEST(test_line_at)
{
        struct listing listing = read_listing(example);
        static const char *const names[] = {".", "./a", "./a/\\040b", "./b", "./c"};
        size_t offset = listing.header_size;
        struct line line;

        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                offset = line_at(&listing, offset, &line);
                ck_assert(span_is(line.name, names[i]));
                ck_assert_int_eq(*line.rest.data, ' ');
                ck_assert_int_eq(line.rest.data[line.rest.size], '\n');
        }
        ck_assert_uint_eq(offset, listing.size);
}
END_TEST

START_TEST(test_line_attributes)
{
        struct listing listing = read_listing(example);
        static const struct {
                enum keyword keyword;
                const char *name, *value;
        } expected[] = {
                {KEYWORD_TYPE, "type", "file"},
                {KEYWORD_MODE, "mode", "0644"},
                {KEYWORD_SIZE, "size", "0"},
                {KEYWORD_XATTR, "xattr.user.x\\075y", "AA=="},
                {KEYWORD_DIGEST, "xxh128", "99aa06d3014798d86001c324468d497f"},
        };
        struct attribute a;
        struct line line;

        ck_assert_uint_ne(line_find(&listing, listing.size, span_of("./a/\\040b"), &line),
                          SIZE_MAX);
        for (size_t i = 0; i < ELEMENTSOF(expected); i++) {
                ck_assert(line_next_attribute(&line.rest, &a));
                ck_assert_int_eq(a.keyword, expected[i].keyword);
                ck_assert(span_is(a.name, expected[i].name));
                ck_assert(span_is(a.value, expected[i].value));
        }
        ck_assert(!line_next_attribute(&line.rest, &a));
        line_find(&listing, listing.size, span_of("./c"), &line);
        ck_assert(line_get_attribute(&line, KEYWORD_HARDLINK, &a));
        ck_assert(span_is(a.value, "./a/\\040b"));
        ck_assert(!line_get_attribute(&line, KEYWORD_MODE, &a));
}
END_TEST

START_TEST(test_line_is_bare)
{
        static const char content[] =
                "#mtree imagecache=1 digest=xxh128 fields=type,size\n. type=dir\n";
        struct listing listing = read_listing(example), other = read_listing(content);
        struct line line;

        line_at(&listing, listing.header_size, &line);
        ck_assert(!line_is_bare(&listing, &line));
        line_find(&listing, listing.size, span_of("./a"), &line);
        ck_assert(line_is_bare(&listing, &line));
        /* Where no directory has more to say, this says everything. */
        line_at(&other, other.header_size, &line);
        ck_assert(!line_is_bare(&other, &line));
}
END_TEST

START_TEST(test_line_add_path)
{
        struct listing listing = read_listing(example);
        _cleanup_buffer_ struct buffer path = {0};
        struct line line;

        line_at(&listing, listing.header_size, &line);
        line_add_path(&line, &path);
        ck_assert_str_eq(buffer_string(&path), ".");
        path.size = 0;
        line_find(&listing, listing.size, span_of("./a/\\040b"), &line);
        line_add_path(&line, &path);
        ck_assert_str_eq(buffer_string(&path), "a/ b");
}
END_TEST

START_TEST(test_line_keywords)
{
        static const char *const names[] = {"type",        "mode",    "exec",   "uid",
                                            "gid",         "size",    "device", "link",
                                            "hardlink",    "time",    "flags",  "acl.access",
                                            "acl.default", "xattr.u", "xxh128"};

        for (int k = 0; k < N_KEYWORDS; k++)
                ck_assert_int_eq(keyword_of(span_of(names[k])), k);
        ck_assert_int_eq(keyword_of(span_of("sha256")), KEYWORD_DIGEST);
        ck_assert_int_eq(keyword_of(span_of("xattr.")), N_KEYWORDS);
        ck_assert_int_eq(keyword_of(span_of("acl")), N_KEYWORDS);
        ck_assert_int_eq(keyword_of(span_of("")), N_KEYWORDS);
        ck_assert(keyword_may_stand_on(KEYWORD_SIZE, TYPE_FILE));
        ck_assert(!keyword_may_stand_on(KEYWORD_HARDLINK, TYPE_DIR));
        ck_assert(keyword_may_stand_on(KEYWORD_HARDLINK, TYPE_BLOCK));
        ck_assert(!keyword_may_stand_on(KEYWORD_ACL_ACCESS, TYPE_LINK));
        ck_assert(keyword_may_stand_on(KEYWORD_XATTR, TYPE_LINK));
        ck_assert(!keyword_may_stand_on(KEYWORD_DEVICE, TYPE_FIFO));
}
END_TEST

START_TEST(test_line_types)
{
        static const char *const words[] = {"file",   "dir",  "link", "fifo",
                                            "socket", "char", "block"};

        for (int t = 0; t < N_TYPES; t++)
                ck_assert_int_eq(type_of(span_of(words[t])), t);
        ck_assert_int_eq(type_of(span_of("")), N_TYPES);
        ck_assert_int_eq(type_of(span_of("fil")), N_TYPES);
        ck_assert_int_eq(type_of(span_of("files")), N_TYPES);
}
END_TEST

/* ------------------------------------------------------------------ random listings */

static void add_random_directory(struct random *random, struct buffer *out, struct buffer *path,
                                 int depth)
{
        const size_t path_size = path->size;
        unsigned first = 1;

        while (first < 180 && random_below(random, 4)) {
                char name[3];
                size_t n = 0;
                bool is_directory = depth < 5 && !random_below(random, 3);

                first += 1 + random_below(random, 60);
                while (first == '/' || first == '.')
                        first++;
                name[n++] = (char)first;
                if (random_below(random, 2))
                        name[n++] = (char)(0x80 + random_below(random, 100));
                buffer_add_char(path, '/');
                escape_add(path, name, n);
                buffer_add(out, path->data, path->size);
                buffer_printf(out, " type=%s\n", is_directory ? "dir" : "file");
                if (is_directory)
                        add_random_directory(random, out, path, depth + 1);
                path->size = path_size;
        }
}

/* Every line that is there is found, in what stands before each line; none that is not. */
START_TEST(test_line_find_random)
{
        struct random random = {12};
        unsigned n_lines = 0;

        for (int i = 0; i < 300; i++) {
                _cleanup_buffer_ struct buffer text = {0}, path = {0};
                size_t offsets[4096], n = 0, offset;
                struct line lines[4096], found;
                struct listing listing;

                buffer_add_string(&text,
                                  "#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n");
                buffer_add_char(&path, '.');
                add_random_directory(&random, &text, &path, 0);
                listing = read_listing(buffer_string(&text));
                for (offset = listing.header_size;
                     offset < listing.size && n < ELEMENTSOF(lines) - 1;) {
                        offsets[n] = offset;
                        offset = line_at(&listing, offset, &lines[n++]);
                }
                offsets[n] = offset;
                n_lines += (unsigned)n;
                for (size_t j = 0; j < 200; j++) {
                        size_t which = random_below(&random, (uint32_t)n);
                        size_t end = random_below(&random, (uint32_t)n + 1);
                        size_t got = line_find(&listing, offsets[end], lines[which].name, &found);
                        char other[64];

                        ck_assert_uint_eq(got, which < end ? offsets[which] : SIZE_MAX);
                        ck_assert(got == SIZE_MAX || (span_equals(found.name, lines[which].name) &&
                                                      span_equals(found.rest, lines[which].rest)));
                        if (lines[which].name.size > 50)
                                continue;
                        snprintf(other, sizeof(other), "%.*s~", (int)lines[which].name.size,
                                 lines[which].name.data);
                        got = line_find(&listing, listing.size, span_of(other), &found);
                        for (size_t k = 0; k < n && got == SIZE_MAX; k++)
                                ck_assert(!span_is(lines[k].name, other));
                        ck_assert(got == SIZE_MAX || span_is(found.name, other));
                }
        }
        ck_assert_uint_gt(n_lines, 2000);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_line_at,       test_line_attributes, test_line_is_bare,     test_line_add_path,
                test_line_keywords, test_line_types,      test_line_find_random,
        };

        return run_suite(SUITE_OF("line", tests));
}
