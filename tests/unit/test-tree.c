/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls of imagecache/tree.h. */
#include "common.h"

#define UNTOUCHED ((void *)(uintptr_t)1)

static const char header[] =
        "#mtree imagecache=1 digest=xxh128 fields=type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content\n";

static void expect_refused(struct imgc_context *context, const struct scratch *scratch,
                           const char *path, const struct imgc_tree_options *options,
                           enum imgc_error_code code, int number)
{
        struct imgc_tree *tree = UNTOUCHED;
        struct imgc_error *error = NULL;
        int r = imgc_tree_read_at(context, scratch->fd, path, options, &tree, &error);

        expect_error(&error, r, code, number);
        ck_assert_ptr_eq(tree, UNTOUCHED);
        ck_assert_int_eq(imgc_tree_read_at(context, scratch->fd, path, options, &tree, NULL),
                         -number);
        ck_assert_ptr_eq(tree, UNTOUCHED);
}

static char *listing_of(struct imgc_tree *tree)
{
        size_t size;
        const char *data = imgc_tree_get_listing(tree, &size);

        ck_assert_ptr_nonnull(data);
        ck_assert(memchr(data, '\0', size) == NULL);
        return strndup(data, size);
}

static void make_example(const struct scratch *scratch)
{
        make_directory(scratch, "tree", 0755);
        make_directory(scratch, "tree/dir", 0700);
        make_text(scratch, "tree/dir/file", "demo\n");
        make_hard_link(scratch, "tree/dir/file", "tree/other");
        make_symlink(scratch, "tree/link", "dir/fi le");
        make_fifo(scratch, "tree/pipe");
}

START_TEST(test_tree_read_at_defaults)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1);
        char expected[2048];
        struct imgc_tree *tree;
        char *listing;

        scratch_open(&scratch);
        make_example(&scratch);
        tree = read_tree(context, &scratch, "tree", NULL);
        listing = listing_of(tree);
        snprintf(
                expected, sizeof(expected),
                "%s. type=dir mode=0755 uid=%u gid=%u\n"
                "./dir type=dir mode=0700 uid=%u gid=%u\n"
                "./dir/file type=file mode=0644 uid=%u gid=%u size=5 xxh128=eae6589110ab610531d45d7494da225d\n"
                "./link type=link mode=0777 uid=%u gid=%u link=dir/fi\\040le\n"
                "./other type=file hardlink=./dir/file\n"
                "./pipe type=fifo mode=0644 uid=%u gid=%u\n",
                header, getuid(), getgid(), getuid(), getgid(), getuid(), getgid(), getuid(),
                getgid(), getuid(), getgid());
        ck_assert_str_eq(listing, expected);
        ck_assert_int_eq(imgc_tree_get_kind(tree), IMGC_TREE_KIND_DIRECTORY);
        ck_assert_int_eq(imgc_tree_get_digest_algorithm(tree), IMGC_DIGEST_XXH128);
        ck_assert_str_eq(imgc_tree_get_fields(tree),
                         "type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content");
        ck_assert_uint_eq(imgc_tree_get_n_entries(tree), 6);
        ck_assert_uint_eq(imgc_tree_get_n_bytes(tree), 5);
        ck_assert_uint_eq(strlen(imgc_tree_get_digest(tree)), 32);
        free(listing);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_digest_only)
{
        static const char *const fields[] = {"content", "image", "exact", "type", "type,hardlink"};
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(2);

        scratch_open(&scratch);
        make_example(&scratch);
        for (size_t i = 0; i < 2 * ELEMENTSOF(fields); i++) {
                struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
                struct imgc_tree_iterator *iterator = UNTOUCHED;
                struct imgc_tree *tree, *digest_only;
                struct imgc_diff *diff = UNTOUCHED;
                struct imgc_error *error = NULL;
                size_t size = 1;
                int r;

                options.fields = fields[i / 2];
                options.digest = i % 2 ? IMGC_DIGEST_SHA256 : IMGC_DIGEST_XXH128;
                tree = read_tree(context, &scratch, "tree", &options);
                options.flags = IMGC_TREE_DIGEST_ONLY;
                digest_only = read_tree(context, &scratch, "tree", &options);
                ck_assert_str_eq(imgc_tree_get_digest(tree), imgc_tree_get_digest(digest_only));
                ck_assert_uint_eq(imgc_tree_get_n_bytes(tree), imgc_tree_get_n_bytes(digest_only));
                ck_assert_uint_eq(imgc_tree_get_n_entries(tree),
                                  imgc_tree_get_n_entries(digest_only));
                ck_assert_ptr_null(imgc_tree_get_listing(digest_only, &size));
                ck_assert_uint_eq(size, 0);
                r = imgc_tree_iterator_new(digest_only, &iterator, &error);
                expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, ENODATA);
                ck_assert_ptr_eq(iterator, UNTOUCHED);
                r = imgc_diff_trees(context, tree, digest_only, &diff, &error);
                expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, ENODATA);
                ck_assert_ptr_eq(diff, UNTOUCHED);
                ck_assert_int_eq(imgc_diff_trees(context, digest_only, tree, &diff, NULL),
                                 -ENODATA);
                imgc_tree_unref(tree);
                imgc_tree_unref(digest_only);
        }
        imgc_context_unref(context);
}
END_TEST

/* Of a listing too the digest only is kept. */
START_TEST(test_tree_read_at_digest_only_of_listing)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_tree *tree;
        size_t size;

        scratch_open(&scratch);
        make_text(&scratch, "l", "#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n");
        options.flags = IMGC_TREE_DIGEST_ONLY;
        tree = read_tree(context, &scratch, "l", &options);
        ck_assert_ptr_null(imgc_tree_get_listing(tree, &size));
        ck_assert_uint_eq(imgc_tree_get_n_entries(tree), 1);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_bad_options)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1);
        const struct imgc_tree_options fresh = IMGC_TREE_OPTIONS_INIT;
        struct imgc_tree_options o = fresh;
        const char *patterns[] = {"[", NULL};

        scratch_open(&scratch);
        o.digest = 3;
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.kind = 4;
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.flags = 1u << 31;
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.fields = "mode,none";
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o.fields = "";
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.exclude = patterns;
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        o = fresh;
        o.size = 0;
        expect_refused(context, &scratch, ".", &o, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        imgc_context_unref(context);
}
END_TEST

/* Callers that were built with an older or a newer header. */
START_TEST(test_tree_read_at_options_of_other_sizes)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1);
        struct {
                struct imgc_tree_options options;
                char tail[64];
        } newer = {.options = IMGC_TREE_OPTIONS_INIT};
        struct imgc_tree *tree, *expected;
        struct imgc_tree_options *older;

        scratch_open(&scratch);
        make_text(&scratch, "f", "x");
        make_text(&scratch, "listing",
                  "#mtree imagecache=1 digest=sha256 fields=type,mode\n. type=dir\n");
        expected = read_tree(context, &scratch, "f", NULL);
        newer.options.size = sizeof(newer);
        tree = read_tree(context, &scratch, "f", &newer.options);
        ck_assert_str_eq(imgc_tree_get_digest(tree), imgc_tree_get_digest(expected));
        imgc_tree_unref(tree);
        newer.tail[63] = 1;
        expect_refused(context, &scratch, "f", &newer.options, IMGC_ERROR_INVALID_ARGUMENT, E2BIG);
        /* Nothing behind what is there may be looked at: its memory ends there. */
        for (size_t size = sizeof(size_t); size < sizeof(*older); size += 4) {
                older = malloc(size);
                memset(older, 0, size);
                memcpy(older, &newer.options,
                       MIN(size, offsetof(struct imgc_tree_options, fields)));
                memcpy(older, &size, sizeof(size));
                tree = read_tree(context, &scratch, "f", older);
                ck_assert_str_eq(imgc_tree_get_digest(tree), imgc_tree_get_digest(expected));
                imgc_tree_unref(tree);
                imgc_tree_unref(read_tree(context, &scratch, "listing", older));
                free(older);
        }
        imgc_tree_unref(expected);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_kinds)
{
        _cleanup_scratch_ struct scratch scratch;
        static const char *const paths[] = {NULL, "dir", "file", "listing"};
        struct imgc_context *context = new_context(1);

        scratch_open(&scratch);
        make_directory(&scratch, "dir", 0755);
        make_text(&scratch, "file", "#mtree imagecache=2 ");
        make_text(&scratch, "listing",
                  "#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n");
        for (uint32_t is = 1; is <= 3; is++)
                for (uint32_t asked = 0; asked <= 3; asked++) {
                        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
                        bool fits = asked == 0 || asked == is || (is == 3 && asked == 2);
                        struct imgc_tree *tree;

                        options.kind = asked;
                        if (is == 2 && asked == 3) {
                                expect_refused(context, &scratch, paths[is], &options,
                                               IMGC_ERROR_SYNTAX, EBADMSG);
                        } else if (!fits) {
                                expect_refused(context, &scratch, paths[is], &options,
                                               IMGC_ERROR_UNSUPPORTED, ENOTSUP);
                        } else {
                                tree = read_tree(context, &scratch, paths[is], &options);
                                ck_assert_int_eq(imgc_tree_get_kind(tree), asked ? asked : is);
                                imgc_tree_unref(tree);
                        }
                }
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_paths)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1);
        struct imgc_tree *direct, *followed;
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;

        scratch_open(&scratch);
        make_directory(&scratch, "dir", 0755);
        make_text(&scratch, "dir/f", "x");
        make_symlink(&scratch, "to-dir", "dir");
        make_symlink(&scratch, "to-file", "dir/f");
        make_symlink(&scratch, "nowhere", "none");
        make_symlink(&scratch, "loop", "loop");
        make_fifo(&scratch, "pipe");
        direct = read_tree(context, &scratch, "dir", NULL);
        followed = read_tree(context, &scratch, "to-dir", NULL);
        ck_assert_str_eq(imgc_tree_get_digest(direct), imgc_tree_get_digest(followed));
        imgc_tree_unref(followed);
        imgc_tree_unref(direct);
        followed = read_tree(context, &scratch, "to-file", NULL);
        ck_assert_int_eq(imgc_tree_get_kind(followed), IMGC_TREE_KIND_FILE);
        imgc_tree_unref(followed);
        imgc_tree_unref(read_tree(context, &scratch, "pipe", NULL)); /* and is not opened */
        expect_refused(context, &scratch, "nowhere", NULL, IMGC_ERROR_NOT_FOUND, ENOENT);
        expect_refused(context, &scratch, "none", NULL, IMGC_ERROR_NOT_FOUND, ENOENT);
        expect_refused(context, &scratch, "dir/f/x", NULL, IMGC_ERROR_NOT_FOUND, ENOTDIR);
        expect_refused(context, &scratch, "loop", NULL, IMGC_ERROR_IO, ELOOP);
        ck_assert_int_eq(imgc_tree_read_at(context, 9999, "x", NULL, &tree, &error), -EBADF);
        ck_assert(expect_error(&error, -EBADF, IMGC_ERROR_INVALID_ARGUMENT, EBADF));
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_flags_and_owners)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_tree *tree;
        char *listing;

        scratch_open(&scratch);
        make_directory(&scratch, "dir", 0755);
        make_symlink(&scratch, "dir/l", "x");
        options.flags = IMGC_TREE_IGNORE_ROOT | IMGC_TREE_ONE_FILESYSTEM;
        options.fields = "mode,uid,gid";
        options.uid = 4294967294;
        options.gid = 0;
        tree = read_tree(context, &scratch, "dir", &options);
        listing = listing_of(tree);
        ck_assert_str_eq(listing, "#mtree imagecache=1 digest=xxh128 fields=type,mode,uid,gid\n"
                                  ". type=dir\n"
                                  "./l type=link mode=0777 uid=4294967294 gid=0\n");
        free(listing);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_exclude)
{
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        const char *patterns[] = {"*.o", "!keep.o", "/sub/", "x", NULL};
        struct imgc_tree *tree;
        char *listing;

        scratch_open(&scratch);
        make_directory(&scratch, "dir", 0755);
        make_directory(&scratch, "dir/sub", 0755);
        make_text(&scratch, "dir/sub/keep.o", "");
        make_text(&scratch, "dir/keep.o", "");
        make_text(&scratch, "dir/a.o", "");
        make_text(&scratch, "dir/x", "1");
        make_hard_link(&scratch, "dir/x", "dir/y");
        options.fields = "hardlink";
        options.exclude = patterns;
        tree = read_tree(context, &scratch, "dir", &options);
        listing = listing_of(tree);
        ck_assert_str_eq(listing, "#mtree imagecache=1 digest=xxh128 fields=type,hardlink\n"
                                  ". type=dir\n./keep.o type=file\n./y type=file\n");
        free(listing);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_read_at_listing_options)
{
        _cleanup_scratch_ struct scratch scratch;
        const struct imgc_tree_options fresh = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        const char *patterns[] = {"x", NULL}, *none[] = {NULL};
        struct imgc_tree_options o = fresh;

        scratch_open(&scratch);
        make_text(&scratch, "l",
                  "#mtree imagecache=1 digest=sha256 fields=type,mode\n. type=dir mode=0755\n");
        o.digest = IMGC_DIGEST_SHA256;
        o.fields = "mode";
        o.exclude = none;
        imgc_tree_unref(read_tree(context, &scratch, "l", &o));
        imgc_tree_unref(read_tree(context, &scratch, "l", NULL));
        o.digest = IMGC_DIGEST_XXH128;
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        o = fresh;
        o.fields = "image";
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        o = fresh;
        o.exclude = patterns;
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        o = fresh;
        o.uid = 0;
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        o = fresh;
        o.gid = 5;
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        o = fresh;
        o.flags = IMGC_TREE_IGNORE_ROOT;
        expect_refused(context, &scratch, "l", &o, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        imgc_context_unref(context);
}
END_TEST

/* A listing that was written is read back as the same tree. */
START_TEST(test_tree_listing_round_trip)
{
        static const char *const fields[] = {"content", "image", "output",
                                             "exact",   "type",  "size,hardlink"};
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_context *context = new_context(1);

        scratch_open(&scratch);
        make_example(&scratch);
        set_xattr(&scratch, "tree/dir/file", "user.\x01=x", "value", 5);
        set_xattr(&scratch, "tree/dir/file", "user.empty", "", 0);
        for (size_t i = 0; i < ELEMENTSOF(fields); i++) {
                struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
                struct imgc_tree *tree, *back = NULL, *read_back;
                const char *data;
                size_t size, back_size;

                options.fields = fields[i];
                tree = read_tree(context, &scratch, "tree", &options);
                data = imgc_tree_get_listing(tree, &size);
                ck_assert_int_eq(imgc_tree_parse(context, data, size, "name", &back, NULL), 0);
                ck_assert_str_eq(imgc_tree_get_digest(back), imgc_tree_get_digest(tree));
                ck_assert_str_eq(imgc_tree_get_fields(back), imgc_tree_get_fields(tree));
                ck_assert_uint_eq(imgc_tree_get_n_entries(back), imgc_tree_get_n_entries(tree));
                ck_assert_uint_eq(imgc_tree_get_n_bytes(back), imgc_tree_get_n_bytes(tree));
                ck_assert_int_eq(imgc_tree_get_kind(back), IMGC_TREE_KIND_LISTING);
                ck_assert(!memcmp(imgc_tree_get_listing(back, &back_size), data, size) &&
                          back_size == size);
                make_file(&scratch, "written", data, size);
                read_back = read_tree(context, &scratch, "written", NULL);
                ck_assert_str_eq(imgc_tree_get_digest(read_back), imgc_tree_get_digest(tree));
                imgc_tree_unref(read_back);
                imgc_tree_unref(back);
                imgc_tree_unref(tree);
        }
        imgc_context_unref(context);
}
END_TEST

static void expect_syntax(struct imgc_context *context, const char *data, size_t size,
                          const char *start)
{
        struct imgc_tree *tree = UNTOUCHED;
        struct imgc_error *error = NULL;
        int r = imgc_tree_parse(context, data, size, "L", &tree, &error);

        ck_assert_msg(r < 0, "accepted: %.*s", (int)size, data);
        ck_assert_msg(!strncmp(imgc_error_get_message(error), start, strlen(start)), "%s",
                      imgc_error_get_message(error));
        ck_assert(expect_error(&error, r, IMGC_ERROR_SYNTAX, EBADMSG));
        ck_assert_ptr_eq(tree, UNTOUCHED);
        ck_assert_int_eq(imgc_tree_parse(context, data, size, NULL, &tree, NULL), -EBADMSG);
}

START_TEST(test_tree_parse_refuses)
{
        static const struct {
                const char *text, *start;
        } cases[] = {
                {"", "L:1: "},
                {"#mtree", "L:1: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n", "L:1: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir", "L:2: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n./a type=fil\n",
                 "L:3: "},
                {"#mtree imagecache=1 digest=md5 fields=type\n. type=dir\n", "L:1: "},
                {"#mtree imagecache=1 digest=xxh128 fields=mode\n. type=dir mode=0755\n", "L:1: "},
                {"#mtree imagecache=1 digest=xxh128 fields=image\n. type=dir\n", "L:1: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n\n", "L:3: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n. type=dir\n",
                 "L:3: "},
                {"#mtree imagecache=1 digest=xxh128 fields=type\n. type=file\n./a type=file\n",
                 "L:3: "},
        };
        struct imgc_context *context = new_context(1);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                expect_syntax(context, cases[i].text, strlen(cases[i].text), cases[i].start);
        imgc_context_unref(context);
}
END_TEST

/* A NUL ends a C string, but no header. */
START_TEST(test_tree_parse_refuses_nul_in_header)
{
        static const char fields[] =
                "#mtree imagecache=1 digest=xxh128 fields=type,mode\0,uid\n. type=dir mode=0755\n";
        static const char only[] =
                "#mtree imagecache=1 digest=xxh128 fields=type\0,mode\n. type=dir\n";
        static const char digest[] =
                "#mtree imagecache=1 digest=xxh128\0 fields=type,mode\n. type=dir mode=0755\n";
        struct imgc_context *context = new_context(1);

        expect_syntax(context, fields, sizeof(fields) - 1, "L:1: ");
        expect_syntax(context, only, sizeof(only) - 1, "L:1: ");
        expect_syntax(context, digest, sizeof(digest) - 1, "L:1: ");
        imgc_context_unref(context);
}
END_TEST

/* No beginning of a listing but those that end with a line is one. */
START_TEST(test_tree_parse_truncated)
{
        static const char text[] =
                "#mtree imagecache=1 digest=xxh128 fields=type,mode,hardlink\n"
                ". type=dir mode=0755\n./a type=fifo mode=0644\n./b type=fifo hardlink=./a\n";
        struct imgc_context *context = new_context(1);

        for (size_t size = 0; size < sizeof(text) - 1; size++) {
                char *copy = malloc(size + !size);
                struct imgc_tree *tree = NULL;
                int r;

                memcpy(copy, text, size);
                r = imgc_tree_parse(context, copy, size, NULL, &tree, NULL);
                ck_assert_int_eq(r, size > 65 && text[size - 1] == '\n' ? 0 : -EBADMSG);
                imgc_tree_unref(tree);
                free(copy);
        }
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_iterator)
{
        struct imgc_context *context = new_context(1);
        struct imgc_tree *tree = parse_tree(
                context, "#mtree imagecache=1 digest=sha256 fields=type,mode,link,xattr\n"
                         ". type=dir mode=0755\n"
                         "./a\\040b type=link mode=0777 link=x\\040y xattr.user.z=eA==\n");
        struct imgc_tree_iterator *iterator = NULL;
        struct imgc_error *error = NULL;
        const char *keyword = NULL, *value = NULL;

        ck_assert_int_eq(imgc_tree_iterator_new(tree, &iterator, &error), 0);
        tree = imgc_tree_unref(tree); /* the iterator holds it */
        ck_assert_int_eq(imgc_tree_iterator_next(iterator, &error), 1);
        ck_assert_str_eq(imgc_tree_iterator_get_path(iterator), ".");
        ck_assert_uint_eq(imgc_tree_iterator_get_n_attributes(iterator), 2);
        ck_assert_int_eq(imgc_tree_iterator_next(iterator, &error), 1);
        ck_assert_str_eq(imgc_tree_iterator_get_path(iterator), "a b");
        ck_assert_uint_eq(imgc_tree_iterator_get_n_attributes(iterator), 4);
        ck_assert_int_eq(imgc_tree_iterator_get_attribute(iterator, 2, &keyword, &value), 0);
        ck_assert_str_eq(keyword, "link");
        ck_assert_str_eq(value, "x\\040y");
        ck_assert_int_eq(imgc_tree_iterator_get_attribute(iterator, 3, &keyword, NULL), 0);
        ck_assert_str_eq(keyword, "xattr.user.z");
        ck_assert_int_eq(imgc_tree_iterator_get_attribute(iterator, 3, NULL, &value), 0);
        ck_assert_str_eq(value, "eA==");
        ck_assert_int_eq(imgc_tree_iterator_get_attribute(iterator, 4, &keyword, &value), -ERANGE);
        ck_assert_int_eq(imgc_tree_iterator_get_attribute(iterator, SIZE_MAX, NULL, NULL), -ERANGE);
        ck_assert_int_eq(imgc_tree_iterator_next(iterator, &error), 0);
        ck_assert_int_eq(imgc_tree_iterator_next(iterator, &error), 0);
        ck_assert_ptr_null(error);
        ck_assert_ptr_null(imgc_tree_iterator_free(iterator));
        ck_assert_ptr_null(imgc_tree_iterator_free(NULL));
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_tree_references)
{
        struct imgc_context *context = new_context(1);
        struct imgc_tree *tree =
                parse_tree(context, "#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n");

        imgc_context_unref(context); /* a tree needs it no more */
        ck_assert_ptr_eq(imgc_tree_ref(tree), tree);
        ck_assert_ptr_null(imgc_tree_unref(tree));
        ck_assert_uint_eq(imgc_tree_get_n_entries(tree), 1);
        ck_assert_ptr_null(imgc_tree_unref(tree));
        ck_assert_ptr_null(imgc_tree_unref(NULL));
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_tree_read_at_defaults,
                test_tree_read_at_digest_only,
                test_tree_read_at_digest_only_of_listing,
                test_tree_read_at_bad_options,
                test_tree_read_at_options_of_other_sizes,
                test_tree_read_at_kinds,
                test_tree_read_at_paths,
                test_tree_read_at_flags_and_owners,
                test_tree_read_at_exclude,
                test_tree_read_at_listing_options,
                test_tree_listing_round_trip,
                test_tree_parse_refuses,
                test_tree_parse_refuses_nul_in_header,
                test_tree_parse_truncated,
                test_tree_iterator,
                test_tree_references,
        };

        return run_suite(SUITE_OF("tree", tests));
}
