/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Bytes that claim to be a listing. What is accepted must be spelt in the one way there is:
 * everything that can be decoded is written again and must be the same bytes.
 */
#include <string.h>

#include <imagecache/imagecache.h>

#include "core/buffer.h"
#include "fuzz.h"
#include "tree/escape.h"

static const char other_text[] =
        "#mtree imagecache=1 digest=xxh128 fields=type,mode,uid,size,link,hardlink,time,xattr,content\n"
        ". type=dir mode=0755 uid=0 time=0.000000000\n"
        "./a type=dir\n"
        "./a/f type=file mode=0644 uid=0 size=1 time=1.000000000 xattr.user.\\040=AA== xattr.user.A= "
        "xxh128=00000000000000000000000000000001\n"
        "./b type=file hardlink=./a/f\n"
        "./l type=link mode=0777 uid=0 link=x\\040y time=-1.000000000\n";

static int count_bytes(void *userdata, const void *data, size_t data_bytes)
{
        size_t *count = userdata;

        (void)data;
        *count += data_bytes;
        return 0;
}

static void report_all(struct imgc_diff *diff)
{
        static const uint32_t flags[] = {0, IMGC_REPORT_VERBOSE, IMGC_REPORT_STAT,
                                         IMGC_REPORT_NAME_ONLY, IMGC_REPORT_COLOR};

        for (size_t i = 0; i <= ELEMENTSOF(flags); i++) {
                struct imgc_report_options options = IMGC_REPORT_OPTIONS_INIT;
                size_t count = 0;

                options.format = i == ELEMENTSOF(flags) ? IMGC_REPORT_JSON : IMGC_REPORT_TEXT;
                options.flags = i == ELEMENTSOF(flags) ? 0 : flags[i];
                REQUIRE(imgc_diff_report(diff, &options, count_bytes, &count, NULL) == 0);
                REQUIRE(imgc_diff_is_equal(diff) || count);
        }
}

static void compare(struct imgc_context *context, struct imgc_tree *x, struct imgc_tree *y,
                    int must_be_equal)
{
        struct imgc_diff_iterator *iterator = NULL;
        const struct imgc_change *change;
        struct imgc_diff *diff = NULL;
        uint64_t n = 0;

        REQUIRE(imgc_diff_trees(context, x, y, &diff, NULL) == 0);
        REQUIRE(!must_be_equal || imgc_diff_is_equal(diff));
        REQUIRE(imgc_diff_iterator_new(diff, &iterator, NULL) == 0);
        while (imgc_diff_iterator_next(iterator, &change, NULL) > 0) {
                REQUIRE(*change->path);
                n++;
        }
        REQUIRE(n == imgc_diff_get_n_changes(diff));
        imgc_diff_iterator_free(iterator);
        report_all(diff);
        imgc_diff_unref(diff);
}

/* Writes the listing again from what the public calls tell. */
static void write_again(struct imgc_tree *tree, struct buffer *out)
{
        struct imgc_tree_iterator *iterator = NULL;
        const char *keyword, *value;
        uint64_t n = 0;

        buffer_printf(out, "#mtree imagecache=1 digest=%s fields=%s\n",
                      imgc_digest_algorithm_get_name(imgc_tree_get_digest_algorithm(tree)),
                      imgc_tree_get_fields(tree));
        REQUIRE(imgc_tree_iterator_new(tree, &iterator, NULL) == 0);
        while (imgc_tree_iterator_next(iterator, NULL) > 0) {
                const char *path = imgc_tree_iterator_get_path(iterator);

                buffer_add_string(out, strcmp(path, ".") ? "./" : "");
                escape_add(out, path, strlen(path));
                for (size_t i = 0; i < imgc_tree_iterator_get_n_attributes(iterator); i++) {
                        REQUIRE(imgc_tree_iterator_get_attribute(iterator, i, &keyword, &value) ==
                                0);
                        buffer_printf(out, " %s=%s", keyword, value);
                }
                buffer_add_char(out, '\n');
                n++;
        }
        imgc_tree_iterator_free(iterator);
        REQUIRE(n == imgc_tree_get_n_entries(tree));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct imgc_context *context;
        static struct imgc_tree *other;
        struct imgc_error *error = NULL;
        struct imgc_tree *tree = NULL;
        struct buffer out = {0};
        int r;

        if (!context) {
                REQUIRE(imgc_context_new(&context, NULL) == 0);
                REQUIRE(imgc_tree_parse(context, other_text, strlen(other_text), NULL, &other,
                                        NULL) == 0);
        }
        r = imgc_tree_parse(context, data, size, "fuzz", &tree, &error);
        if (r < 0) {
                REQUIRE(!tree && error && *imgc_error_get_message(error));
                imgc_error_unref(error);
                return 0;
        }
        REQUIRE(!error);
        write_again(tree, &out);
        REQUIRE(out.size == size && !memcmp(out.data, data, size));
        buffer_free(&out);
        compare(context, tree, tree, 1);
        compare(context, tree, other, 0);
        compare(context, other, tree, 0);
        imgc_tree_unref(tree);
        return 0;
}
