/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls of imagecache/diff.h on trees. */
#include "common.h"

#define UNTOUCHED ((void *)(uintptr_t)1)
#define HEAD \
        "#mtree imagecache=1 digest=xxh128 fields=type,mode,size,device,link,hardlink,acl,xattr,content\n"
#define ROOT   ". type=dir mode=0755\n"
#define X      "xxh128=00000000000000000000000000000001"
#define Y      "xxh128=00000000000000000000000000000002"
#define EMPTY  "xxh128=99aa06d3014798d86001c324468d497f"
#define FILE_X " type=file mode=0644 size=5 " X "\n"
#define FILE_Y " type=file mode=0644 size=5 " Y "\n"

static struct imgc_diff *compare(const char *old_text, const char *new_text)
{
        struct imgc_context *context = new_context(1);
        struct imgc_tree *old_tree = parse_tree(context, old_text),
                         *new_tree = parse_tree(context, new_text);
        struct imgc_error *error = NULL;
        struct imgc_diff *diff = NULL;

        ck_assert_int_eq(imgc_diff_trees(context, old_tree, new_tree, &diff, &error), 0);
        ck_assert_ptr_null(error);
        /* The diff holds what it needs. */
        imgc_tree_unref(old_tree);
        imgc_tree_unref(new_tree);
        imgc_context_unref(context);
        return diff;
}

/* All changes, one a line: "kind path attribute old new", "-" where there is none. */
static void expect_changes(const char *old_text, const char *new_text, const char *expected)
{
        struct imgc_diff *diff = compare(old_text, new_text);
        _cleanup_buffer_ struct buffer out = {0};
        struct imgc_diff_iterator *iterator = NULL;
        const struct imgc_change *c = NULL;
        struct imgc_error *error = NULL;
        uint64_t n = 0;
        int r;

        ck_assert_int_eq(imgc_diff_iterator_new(diff, &iterator, &error), 0);
        while ((r = imgc_diff_iterator_next(iterator, &c, &error)) > 0) {
                ck_assert_uint_ge(c->size, sizeof(*c));
                ck_assert(!c->image && !c->stage && !c->input);
                buffer_printf(&out, "%s %s %s %s %s\n",
                              imgc_change_kind_get_name((enum imgc_change_kind)c->kind) +
                                      strlen("entry-"),
                              c->path, c->attribute ? c->attribute : "-",
                              c->old_value ? c->old_value : "-", c->new_value ? c->new_value : "-");
                n++;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_int_eq(imgc_diff_iterator_next(iterator, &c, &error), 0);
        ck_assert_ptr_null(error);
        ck_assert_str_eq(buffer_string(&out), expected);
        ck_assert_uint_eq(imgc_diff_get_n_changes(diff), n);
        ck_assert_int_eq(imgc_diff_is_equal(diff), !n);
        imgc_diff_iterator_free(iterator);
        imgc_diff_unref(diff);
}

START_TEST(test_diff_trees_equal)
{
        expect_changes(HEAD ROOT "./a" FILE_X, HEAD ROOT "./a" FILE_X, "");
}
END_TEST

START_TEST(test_diff_trees_added_removed_changed)
{
        expect_changes(
                HEAD ROOT "./a" FILE_X "./b type=dir mode=0755\n./b/c" FILE_X "./b-d" FILE_Y
                          "./z" FILE_X,
                HEAD ". type=dir mode=0700\n./a type=file mode=0600 size=6 " Y "\n./b-d" FILE_Y
                     "./n\\040 type=fifo mode=0644\n./z" FILE_X,
                "changed . mode 0755 0700\n"
                "changed a mode 0644 0600\n"
                "changed a size 5 6\n"
                "changed a content 00000000000000000000000000000001 00000000000000000000000000000002\n"
                "removed b - - -\n"
                "removed b/c - - -\n"
                "added n  - - -\n");
}
END_TEST

START_TEST(test_diff_trees_xattrs)
{
        /* In the order of the names' bytes, not of their escapes: a space, then a letter. */
        expect_changes(HEAD ". type=dir mode=0755 xattr.user.\\040a=AA== xattr.user.A=AA==\n",
                       HEAD ". type=dir mode=0755 xattr.user.A=AA==\n",
                       "changed . xattr.user.\\040a AA== -\n");
        expect_changes(
                HEAD ". type=dir mode=0755 xattr.user.A=AA==\n",
                HEAD
                ". type=dir mode=0755 xattr.user.\\040a=AA== xattr.user.A=AQ== xattr.user.\\377=\n",
                "changed . xattr.user.\\040a - AA==\n"
                "changed . xattr.user.A AA== AQ==\n"
                "changed . xattr.user.\\377 - \n");
}
END_TEST

START_TEST(test_diff_trees_type_changed)
{
        expect_changes(
                HEAD ROOT "./a type=file mode=0644 size=5 xattr.user.a=AA== " X "\n",
                HEAD ROOT "./a type=fifo mode=0600\n",
                "changed a type file fifo\nchanged a mode 0644 0600\nchanged a xattr.user.a AA== -\n");
        expect_changes(HEAD ROOT "./a" FILE_X, HEAD ROOT "./a type=link mode=0777 link=x\n",
                       "changed a type file link\n");
        expect_changes(HEAD ROOT "./a type=char mode=0600 device=linux,1,3\n",
                       HEAD ROOT "./a type=block mode=0600 device=linux,1,4\n",
                       "changed a type char block\nchanged a device linux,1,3 linux,1,4\n");
        expect_changes(HEAD ROOT
                       "./a type=dir mode=0700 acl.default=u::rwx,g::---,o::---\n./a/b" FILE_X,
                       HEAD ROOT "./a" FILE_Y,
                       "changed a type dir file\nchanged a mode 0700 0644\nremoved a/b - - -\n");
}
END_TEST

START_TEST(test_diff_trees_hard_links)
{
        /* Every name of a changed file is told. */
        expect_changes(
                HEAD ROOT "./a" FILE_X "./b type=file hardlink=./a\n",
                HEAD ROOT "./a" FILE_Y "./b type=file hardlink=./a\n",
                "changed a content 00000000000000000000000000000001 00000000000000000000000000000002\n"
                "changed b content 00000000000000000000000000000001 00000000000000000000000000000002\n");
        expect_changes(HEAD ROOT "./a" FILE_X "./b" FILE_X,
                       HEAD ROOT "./a" FILE_X "./b type=file hardlink=./a\n",
                       "changed b hardlink - ./a\n");
        expect_changes(HEAD ROOT "./a" FILE_X "./b" FILE_X "./c type=file hardlink=./a\n",
                       HEAD ROOT "./a" FILE_X "./b" FILE_X "./c type=file hardlink=./b\n",
                       "changed c hardlink ./a ./b\n");
        /* Where one side does not tell links, what they share is compared. */
        expect_changes(HEAD ROOT "./a" FILE_X "./b type=file hardlink=./a\n",
                       "#mtree imagecache=1 digest=xxh128 fields=type,mode,content\n" ROOT
                       "./a type=file mode=0644 " X "\n./b type=file mode=0600 " X "\n",
                       "changed b mode 0644 0600\n");
}
END_TEST

START_TEST(test_diff_trees_bare_directories)
{
        expect_changes(HEAD ". type=dir\n./a" FILE_X, HEAD ROOT "./a" FILE_X, "");
        expect_changes(HEAD ROOT "./a type=dir\n", HEAD ROOT "./a" FILE_X,
                       "changed a type dir file\n");
}
END_TEST

START_TEST(test_diff_trees_moves)
{
        expect_changes(HEAD ROOT "./a" FILE_X "./z" FILE_Y,
                       HEAD ROOT "./b\\040" FILE_X "./z" FILE_Y, "moved b  - a b \n");
        /* Two that could be it, or that look the same: no guess. */
        expect_changes(HEAD ROOT "./a" FILE_X, HEAD ROOT "./b" FILE_X "./c" FILE_X,
                       "removed a - - -\nadded b - - -\nadded c - - -\n");
        expect_changes(HEAD ROOT "./a" FILE_X "./b" FILE_X, HEAD ROOT "./c" FILE_X,
                       "removed a - - -\nremoved b - - -\nadded c - - -\n");
        /* Other attributes, nothing in it, no file, no content: no move. */
        expect_changes(HEAD ROOT "./a" FILE_X, HEAD ROOT "./b type=file mode=0600 size=5 " X "\n",
                       "removed a - - -\nadded b - - -\n");
        expect_changes(HEAD ROOT "./a type=file mode=0644 size=0 " EMPTY "\n",
                       HEAD ROOT "./b type=file mode=0644 size=0 " EMPTY "\n",
                       "removed a - - -\nadded b - - -\n");
        expect_changes(
                "#mtree imagecache=1 digest=xxh128 fields=type,content\n. type=dir\n./a type=file " EMPTY
                "\n",
                "#mtree imagecache=1 digest=xxh128 fields=type,content\n. type=dir\n./b type=file " EMPTY
                "\n",
                "removed a - - -\nadded b - - -\n");
        expect_changes(HEAD ROOT "./a type=link mode=0777 link=x\n",
                       HEAD ROOT "./b type=link mode=0777 link=x\n",
                       "removed a - - -\nadded b - - -\n");
        expect_changes(
                "#mtree imagecache=1 digest=xxh128 fields=type,size\n. type=dir\n./a type=file size=7\n",
                "#mtree imagecache=1 digest=xxh128 fields=type,size\n. type=dir\n./b type=file size=7\n",
                "removed a - - -\nadded b - - -\n");
        /* What only one side has does not hinder it. */
        expect_changes(
                "#mtree imagecache=1 digest=xxh128 fields=type,content\n. type=dir\n./a type=file " X
                "\n",
                HEAD ROOT "./b" FILE_X, "moved b - a b\n");
}
END_TEST

static void expect_names(const char *const *names, const char *expected)
{
        _cleanup_buffer_ struct buffer out = {0};

        for (size_t i = 0; names[i]; i++)
                buffer_printf(&out, "%s%s", i ? "," : "", names[i]);
        ck_assert_str_eq(buffer_string(&out), expected);
}

START_TEST(test_diff_trees_left_out)
{
        struct imgc_diff *diff = compare(
                "#mtree imagecache=1 digest=xxh128 fields=type,mode,size,content\n" ROOT,
                "#mtree imagecache=1 digest=sha256 fields=type,mode,uid,content\n. type=dir "
                "mode=0755 uid=5\n");
        char *text;

        expect_names(imgc_diff_get_compared(diff), "type,mode");
        expect_names(imgc_diff_get_left_out(diff), "uid,size,content");
        ck_assert_int_eq(imgc_diff_is_equal(diff), 1);
        text = report_of(diff, IMGC_REPORT_TEXT, 0, 0);
        ck_assert_ptr_nonnull(strstr(text, "uid, size, content"));
        free(text);
        text = report_of(diff, IMGC_REPORT_JSON, 0, 0);
        ck_assert_str_eq(
                text,
                "{\"version\":1,\"equal\":true,\"compared\":[\"type\",\"mode\"],\"left_out\":[\"uid\","
                "\"size\",\"content\"],\"changes\":[]}\n");
        free(text);
        imgc_diff_unref(diff);
}
END_TEST

START_TEST(test_diff_references)
{
        struct imgc_diff *diff = compare(HEAD ROOT, HEAD ROOT "./a" FILE_X);
        struct imgc_diff_iterator *iterator = NULL;
        const struct imgc_change *change;

        ck_assert_ptr_eq(imgc_diff_ref(diff), diff);
        ck_assert_ptr_null(imgc_diff_unref(diff));
        ck_assert_int_eq(imgc_diff_iterator_new(diff, &iterator, NULL), 0);
        ck_assert_ptr_null(imgc_diff_unref(diff)); /* the iterator holds it */
        ck_assert_int_eq(imgc_diff_iterator_next(iterator, &change, NULL), 1);
        ck_assert_str_eq(change->path, "a");
        ck_assert_ptr_null(imgc_diff_iterator_free(iterator));
        ck_assert_ptr_null(imgc_diff_iterator_free(NULL));
        ck_assert_ptr_null(imgc_diff_unref(NULL));
}
END_TEST

START_TEST(test_diff_change_kind_names)
{
        ck_assert_str_eq(imgc_change_kind_get_name(IMGC_CHANGE_ENTRY_ADDED), "entry-added");
        ck_assert_str_eq(imgc_change_kind_get_name(IMGC_CHANGE_ENTRY_REMOVED), "entry-removed");
        ck_assert_str_eq(imgc_change_kind_get_name(IMGC_CHANGE_ENTRY_MOVED), "entry-moved");
        ck_assert_str_eq(imgc_change_kind_get_name(IMGC_CHANGE_ENTRY_CHANGED), "entry-changed");
        ck_assert_ptr_null(imgc_change_kind_get_name((enum imgc_change_kind)0));
        ck_assert_ptr_null(imgc_change_kind_get_name((enum imgc_change_kind)1000));
        ck_assert_ptr_null(imgc_change_kind_get_name((enum imgc_change_kind) - 1));
}
END_TEST

/* ------------------------------------------------------------------ reports */

static struct imgc_diff *compare_examples(void)
{
        static const char old_text[] = HEAD ROOT
                "./a" FILE_X "./gone type=dir mode=0755\n./gone/1" FILE_X "./gone/2" FILE_X
                "./gone-not" FILE_Y "./odd\\033\\133 type=link mode=0777 link=a\\134b\n"
                "./was type=file mode=0644 size=9 xxh128=0000000000000000000000000000000f\n";
        static const char new_text[] = HEAD ROOT
                "./a type=file mode=0700 size=14300 " Y "\n./gone-not" FILE_Y
                "./is type=file mode=0644 size=9 xxh128=0000000000000000000000000000000f\n"
                "./new type=dir mode=0755\n./new/1 type=fifo mode=0644\n"
                "./odd\\033\\133 type=link mode=0777 link=a\\012b\n";

        return compare(old_text, new_text);
}

static void expect_report(uint32_t flags, uint64_t limit, const char *expected)
{
        struct imgc_diff *diff = compare_examples();
        char *text = report_of(diff, IMGC_REPORT_TEXT, flags, limit);

        ck_assert_str_eq(text, expected);
        free(text);
        imgc_diff_unref(diff);
}

START_TEST(test_diff_report_text)
{
        expect_report(0, 40,
                      "a         mode 0644 → 0700, content changed (5 B → 14.3 kB)\n"
                      "gone/     removed, with 2 below it\n"
                      "is        moved from was\n"
                      "new/      added, with 1 below it\n"
                      "odd\\033[  link a\\\\b → a\\nb\n");
}
END_TEST

START_TEST(test_diff_report_verbose)
{
        expect_report(
                IMGC_REPORT_VERBOSE, 1,
                "a         mode 0644 → 0700, content changed (5 B → 14.3 kB) 00000000000000000000000000000001 → "
                "00000000000000000000000000000002\n"
                "gone/     removed\n"
                "gone/1    removed\n"
                "gone/2    removed\n"
                "is        moved from was\n"
                "new/      added\n"
                "new/1     added\n"
                "odd\\033[  link a\\\\b → a\\nb\n");
}
END_TEST

START_TEST(test_diff_report_limit)
{
        expect_report(0, 2,
                      "a      mode 0644 → 0700, content changed (5 B → 14.3 kB)\n"
                      "gone/  removed, with 2 below it\n"
                      "… and 4 more changes\n");
        expect_report(0, 4,
                      "a      mode 0644 → 0700, content changed (5 B → 14.3 kB)\n"
                      "gone/  removed, with 2 below it\n"
                      "is     moved from was\n"
                      "new/   added, with 1 below it\n"
                      "… and 1 more change\n");
}
END_TEST

START_TEST(test_diff_report_names)
{
        expect_report(IMGC_REPORT_NAME_ONLY, 1,
                      "a\ngone\ngone/1\ngone/2\nis\nnew\nnew/1\nodd\\033[\n");
}
END_TEST

START_TEST(test_diff_report_stat)
{
        expect_report(
                IMGC_REPORT_STAT, 1,
                "entries changed         2\nentries added           2\nentries removed         3\nentries moved           1\n"
                "  mode                  1\n  size                  1\n  link                  1\n"
                "  content               1\n");
}
END_TEST

START_TEST(test_diff_report_color)
{
        expect_report(IMGC_REPORT_COLOR, 2,
                      "a      \033[33mmode 0644 → 0700, content changed (5 B → 14.3 kB)\033[0m\n"
                      "gone/  \033[31mremoved, with 2 below it\033[0m\n"
                      "… and 4 more changes\n");
}
END_TEST

START_TEST(test_diff_report_json)
{
        struct imgc_diff *diff = compare(HEAD ROOT "./a" FILE_X "./b" FILE_X, HEAD ROOT
                                         "./a type=file mode=0600 size=5 " X "\n./\\377" FILE_Y);
        char *text =
                report_of(diff, IMGC_REPORT_JSON, IMGC_REPORT_STAT, 1); /* of no meaning here */

        ck_assert_str_eq(
                text,
                "{\"version\":1,\"equal\":false,\"compared\":[\"type\",\"mode\",\"size\",\"device\",\"link\","
                "\"hardlink\",\"acl\",\"xattr\",\"content\"],\"left_out\":[],\"changes\":["
                "{\"kind\":\"entry-changed\",\"image\":null,\"stage\":null,\"input\":null,\"path\":\"a\","
                "\"attribute\":\"mode\",\"old\":\"0644\",\"new\":\"0600\"},"
                "{\"kind\":\"entry-removed\",\"image\":null,\"stage\":null,\"input\":null,\"path\":\"b\","
                "\"attribute\":null,\"old\":null,\"new\":null},"
                "{\"kind\":\"entry-added\",\"image\":null,\"stage\":null,\"input\":null,\"path\":{\"base64\":"
                "\"/w==\"},\"attribute\":null,\"old\":null,\"new\":null}]}\n");
        free(text);
        imgc_diff_unref(diff);
}
END_TEST

struct failing {
        unsigned calls, fail_at;
};

static int fail_later(void *userdata, const void *data, size_t data_bytes)
{
        struct failing *failing = userdata;

        ck_assert_ptr_nonnull(data);
        ck_assert_uint_gt(data_bytes, 0);
        return ++failing->calls == failing->fail_at ? -EPIPE : 0;
}

/* In the middle of a report of several pieces. */
START_TEST(test_diff_report_write_fails)
{
        _cleanup_buffer_ struct buffer text = {0};
        struct imgc_diff *diff;

        buffer_add_string(&text, HEAD ROOT);
        for (unsigned i = 10000; i < 20000; i++)
                buffer_printf(&text, "./%u type=fifo mode=0644\n", i);
        diff = compare(HEAD ROOT, buffer_string(&text));
        for (uint32_t format = 0; format <= IMGC_REPORT_JSON; format++) {
                struct imgc_report_options options = IMGC_REPORT_OPTIONS_INIT;
                struct failing never = {0};

                options.format = format;
                options.limit = 0;
                ck_assert_int_eq(imgc_diff_report(diff, &options, fail_later, &never, NULL), 0);
                ck_assert_uint_ge(never.calls, 2);
                for (unsigned i = 1; i <= never.calls; i++) {
                        struct failing failing = {.fail_at = i};
                        struct imgc_error *error = NULL;
                        int r = imgc_diff_report(diff, &options, fail_later, &failing, &error);

                        ck_assert_uint_eq(failing.calls, i);
                        expect_error(&error, r, IMGC_ERROR_IO, EPIPE);
                        failing.calls = 0;
                        ck_assert_int_eq(
                                imgc_diff_report(diff, &options, fail_later, &failing, NULL),
                                -EPIPE);
                }
        }
        imgc_diff_unref(diff);
}
END_TEST

START_TEST(test_diff_report_bad_options)
{
        const struct imgc_report_options fresh = IMGC_REPORT_OPTIONS_INIT;
        struct {
                struct imgc_report_options options;
                char tail[8];
        } newer = {.options = IMGC_REPORT_OPTIONS_INIT};
        struct imgc_diff *diff = compare(HEAD ROOT, HEAD ROOT);
        struct imgc_report_options o = fresh;
        struct imgc_error *error = NULL;

        o.format = 2;
        expect_error(&error, imgc_diff_report(diff, &o, fail_later, NULL, &error),
                     IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.flags = 1u << 20;
        expect_error(&error, imgc_diff_report(diff, &o, fail_later, NULL, &error),
                     IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.size = 4;
        expect_error(&error, imgc_diff_report(diff, &o, fail_later, NULL, &error),
                     IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        newer.options.size = sizeof(newer);
        ck_assert_int_eq(imgc_diff_report(diff, &newer.options, fail_later, NULL, NULL), 0);
        newer.tail[7] = 1;
        expect_error(&error, imgc_diff_report(diff, &newer.options, fail_later, NULL, &error),
                     IMGC_ERROR_INVALID_ARGUMENT, E2BIG);
        ck_assert_int_eq(imgc_diff_report(diff, NULL, fail_later, NULL, NULL), 0);
        o = fresh;
        o.size = offsetof(struct imgc_report_options, flags);
        ck_assert_int_eq(imgc_diff_report(diff, &o, fail_later, NULL, NULL), 0);
        imgc_diff_unref(diff);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_diff_trees_equal,        test_diff_trees_added_removed_changed,
                test_diff_trees_xattrs,       test_diff_trees_type_changed,
                test_diff_trees_hard_links,   test_diff_trees_bare_directories,
                test_diff_trees_moves,        test_diff_trees_left_out,
                test_diff_references,         test_diff_change_kind_names,
                test_diff_report_text,        test_diff_report_verbose,
                test_diff_report_limit,       test_diff_report_names,
                test_diff_report_stat,        test_diff_report_color,
                test_diff_report_json,        test_diff_report_write_fails,
                test_diff_report_bad_options,
        };

        return run_suite(SUITE_OF("diff", tests));
}
