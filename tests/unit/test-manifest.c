/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Manifests: canonical bytes, keys, what changes them and what does not, damage. */
#include <json-c/json.h>
#include <time.h>

#include "common.h"
#include "manifest/manifest-internal.h"

#include <imagecache/manifest.h>

#define P(images)                                                                                          \
        "{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b 1\",\"images\":[" images \
        "]}"
#define S(inputs) P("{\"image\":\"i\",\"stages\":[{\"stage\":\"s\",\"inputs\":[" inputs "]}]}")

static const char *variable; /* what every environment variable is */

static const char *test_env(void *userdata, const char *name)
{
        (void)userdata;
        (void)name;
        return variable;
}

static struct imgc_seal_options seal_options(void)
{
        struct imgc_seal_options options = IMGC_SEAL_OPTIONS_INIT;

        options.env = test_env;
        options.secret = "0123456789abcdef";
        options.secret_bytes = 16;
        return options;
}

static int try_seal(struct imgc_context *context, int dirfd, const char *text,
                    struct imgc_manifest **ret, struct imgc_error **reterr)
{
        struct imgc_seal_options options = seal_options();
        struct imgc_project *project = NULL;
        int r = imgc_project_parse(context, text, strlen(text), "p", dirfd, &project, reterr);

        if (r >= 0)
                r = imgc_manifest_seal(context, project, &options, ret, reterr);
        imgc_project_unref(project);
        return r;
}

static struct imgc_manifest *seal(struct imgc_context *context, int dirfd, const char *text)
{
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;
        int r = try_seal(context, dirfd, text, &manifest, &error);

        ck_assert_msg(r == 0, "%s\n%s", error ? imgc_error_get_message(error) : "", text);
        return manifest;
}

static struct imgc_project *parse(struct imgc_context *context, int dirfd, const char *text)
{
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        int r = imgc_project_parse(context, text, strlen(text), "p", dirfd, &project, &error);

        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "");
        return project;
}

static bool same_bytes(const struct imgc_manifest *a, const struct imgc_manifest *b)
{
        size_t x, y;
        const char *p = imgc_manifest_get_data(a, &x), *q = imgc_manifest_get_data(b, &y);

        return x == y && !memcmp(p, q, x);
}

/* The key of the last stage of the last image. */
static void key_of(struct imgc_context *context, int dirfd, const char *text, char ret[65])
{
        struct imgc_manifest *manifest = seal(context, dirfd, text);
        uint32_t image = imgc_manifest_get_n_images(manifest) - 1;

        strcpy(ret, imgc_manifest_get_key(manifest, image,
                                          imgc_manifest_get_n_stages(manifest, image) - 1));
        imgc_manifest_unref(manifest);
}

static bool same_key(struct imgc_context *context, int dirfd, const char *one, const char *other)
{
        char a[65], b[65];

        key_of(context, dirfd, one, a);
        key_of(context, dirfd, other, b);
        return !strcmp(a, b);
}

static void make_inputs(struct scratch *scratch)
{
        scratch_open(scratch);
        make_directory(scratch, "tree", 0755);
        make_directory(scratch, "tree/sub", 0755);
        make_text(scratch, "tree/a", "a");
        make_text(scratch, "tree/sub/b", "b");
        make_text(scratch, "tree/c~", "c");
        make_hard_link(scratch, "tree/a", "tree/sub/hard");
        make_symlink(scratch, "tree/link", "../x");
        make_directory(scratch, "copy", 0755);
        make_directory(scratch, "copy/sub", 0755);
        make_text(scratch, "copy/a", "a");
        make_text(scratch, "copy/sub/b", "b");
        make_text(scratch, "copy/c~", "c");
        make_hard_link(scratch, "copy/a", "copy/sub/hard");
        make_symlink(scratch, "copy/link", "../x");
        make_directory(scratch, "d", 0755);
        make_text(scratch, "d/10", "ten\n");
        make_text(scratch, "d/9", "nine\n");
        make_text(scratch, "d/.hidden", "h");
        make_directory(scratch, "d/sub", 0755);
        make_text(scratch, "d/sub/x", "x");
        make_text(scratch, "file", "demo\n");
        make_text(scratch, "file2", "demo\n");
}

/* Every member of every object that a project may have. */
static const char everything[] =
        "{\"imagecache\":\"project\",\"version\":1,\"name\":\"demo\",\"builder\":\"mk 1\",\"digest\":\"xxh128\","
        "\"max_append\":3,\"images\":["
        "{\"image\":\"other\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]},"
        "{\"image\":\"base\",\"scope\":\"shared\",\"outputs\":[\"out/a\"],\"stages\":["
        "{\"stage\":\"zero\",\"snapshot\":true,\"inputs\":[]},"
        "{\"stage\":\"one\",\"snapshot\":true,\"max_age_seconds\":60,\"previous\":\"key\",\"results\":[\"root\",\"meta\"],"
        "\"reads\":[{\"root\":\"src\",\"exclude\":[\"build/\"],\"method\":\"traced\"}],\"inputs\":["
        "{\"input\":\"o\",\"type\":\"option\",\"on_change\":\"rebuild\",\"value\":\"o-value\"},"
        "{\"input\":\"l\",\"type\":\"list\",\"on_change\":\"rebuild\",\"items\":[\"l-b\",\"l-a\"]},"
        "{\"input\":\"s\",\"type\":\"set\",\"on_change\":\"rebuild\",\"items\":[\"s-b\",\"s-a\"],\"append\":true},"
        "{\"input\":\"E\",\"type\":\"env\",\"on_change\":\"rebuild\"},"
        "{\"input\":\"d\",\"type\":\"digest\",\"on_change\":\"rebuild\",\"value\":\"d-value\"},"
        "{\"input\":\"t\",\"type\":\"tree\",\"on_change\":\"rebuild\",\"path\":\"tree\",\"kind\":\"directory\","
        "\"fields\":\"output\",\"exclude\":[\"*~\"],\"target\":\"/t\",\"uid\":1,\"gid\":2,\"one_filesystem\":true,"
        "\"ignore_root\":true,\"optional\":false},"
        "{\"input\":\"f\",\"type\":\"file\",\"on_change\":\"rebuild\",\"path\":\"file\",\"fields\":\"image\","
        "\"target\":\"/f\",\"uid\":3,\"gid\":4,\"optional\":false},"
        "{\"input\":\"fs\",\"type\":\"files\",\"on_change\":\"rebuild\",\"paths\":[\"d/1*\",\"d/9\"],\"fields\":\"content\","
        "\"exclude\":[\"*.bak\"],\"target\":\"/fs\",\"uid\":5,\"gid\":6,\"optional\":false}]}]},"
        "{\"image\":\"top\",\"scope\":\"top-scope\",\"outputs\":[\"out/b\"],\"stages\":[{\"stage\":\"top-stage\",\"inputs\":["
        "{\"input\":\"i\",\"type\":\"image\",\"on_change\":\"rebuild\",\"image\":\"base\",\"stage\":\"one\",\"by\":\"key\"}]}]}]}";

/* ------------------------------------------------------------------ bytes */

START_TEST(test_manifest_seal_golden)
{
        static const char expected[] =
                "{\"builder\":\"b 1\",\"digest\":\"xxh128\",\"imagecache\":\"manifest\",\"info\":{\"lines\":14,"
                "\"listings\":true,\"max_append\":8},\"name\":\"n\",\"version\":1}\n"
                "{\"image\":\"i\",\"info\":{\"outputs\":[]},\"scope\":\"i\"}\n"
                "{\"info\":{\"key\":\"b46b27ec21d15116c17b077744b367f4db9ff68db8de6f018332b8c1167e9ed3\","
                "\"max_age_seconds\":null,\"snapshot\":false},\"stage\":\"s\"}\n"
                "{\"input\":\"option\",\"type\":\"option\",\"value\":{\"a\":[1,-2],\"b\":\"\xc3\xa9\"}}\n"
                "{\"append\":true,\"input\":\"set\",\"items\":[\"a\",\"b\",{\"base64\":\"/w==\"}],\"type\":\"set\"}\n"
                "{\"input\":\"LANG\",\"type\":\"env\",\"value\":\"C\"}\n"
                "{\"digest\":\"0b61e890b080ae6bccc227d186dd6262\",\"fields\":\"content\",\"info\":{\"bytes\":5,"
                "\"entries\":1,\"label\":\"file\"},\"input\":\"file\",\"type\":\"file\"}\n"
                "#mtree imagecache=1 digest=xxh128 fields=type,exec,size,link,content\n"
                ". type=file size=5 xxh128=eae6589110ab610531d45d7494da225d\n"
                "{\"digest\":\"34dbed887845569d8b56ba7d1bb9c4bc\",\"fields\":\"content\",\"info\":{\"bytes\":9,"
                "\"entries\":4},\"input\":\"files\",\"paths\":[\"d/9\",\"d/*\"],\"type\":\"files\"}\n"
                "#mtree imagecache=1 digest=xxh128 fields=type,exec,size,link,content\n"
                ". type=dir\n"
                "./d type=dir\n"
                "./d/10 type=file size=4 xxh128=5b9910a21da036603eec3d4fef22b688\n"
                "./d/9 type=file size=5 xxh128=7386d7761e1f300c0c133fa5d676e9cf\n";
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest;
        const char *data;
        size_t size;

        make_inputs(&scratch);
        variable = "C";
        manifest = seal(
                context, scratch.fd,
                S("{\"input\":\"option\",\"type\":\"option\",\"value\":{\"b\":\"\\u00e9\",\"a\":[1,-2]}},"
                  "{\"input\":\"set\",\"type\":\"set\",\"items\":[\"b\",{\"base64\":\"/w==\"},\"a\",\"b\"],\"append\":true},"
                  "{\"input\":\"LANG\",\"type\":\"env\"},"
                  "{\"input\":\"file\",\"type\":\"file\",\"path\":\"file\"},"
                  "{\"input\":\"files\",\"type\":\"files\",\"paths\":[\"d/9\",\"d/*\"]}"));
        data = imgc_manifest_get_data(manifest, &size);
        ck_assert_msg(size == strlen(expected) && !memcmp(data, expected, strlen(expected)), "%.*s",
                      (int)size, data);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

static void check_round_trip(struct imgc_context *context, const struct imgc_manifest *manifest)
{
        struct imgc_manifest *again = NULL;
        struct imgc_error *error = NULL;
        size_t size;
        const char *data = imgc_manifest_get_data(manifest, &size);
        int r = imgc_manifest_parse(context, data, size, NULL, &again, &error);

        ck_assert_msg(r == 0, "%s\n%.*s", error ? imgc_error_get_message(error) : "", (int)size,
                      data);
        ck_assert(same_bytes(manifest, again));
        ck_assert_uint_eq(manifest->n_inputs, again->n_inputs);
        for (uint32_t i = 0; i < manifest->n_inputs; i++) {
                ck_assert_str_eq(manifest->inputs[i].name, again->inputs[i].name);
                ck_assert_uint_eq(manifest->inputs[i].listing.size, again->inputs[i].listing.size);
                ck_assert_uint_eq(manifest->inputs[i].line_number, again->inputs[i].line_number);
        }
        imgc_manifest_unref(again);
}

START_TEST(test_manifest_seal_canonical)
{
        struct imgc_manifest *first = NULL;

        variable = "v";
        for (uint32_t threads = 1; threads <= 8; threads += 7) {
                struct imgc_context *context = new_context(threads);
                _cleanup_scratch_ struct scratch scratch;
                struct imgc_manifest *manifest;

                umask(threads == 1 ? 022 : 077);
                setenv("TZ", threads == 1 ? "UTC" : "Asia/Tokyo", 1);
                make_inputs(&scratch);
                manifest = seal(context, scratch.fd, everything);
                check_round_trip(context, manifest);
                if (first)
                        ck_assert(same_bytes(first, manifest));
                else
                        first = imgc_manifest_ref(manifest);
                imgc_manifest_unref(manifest);
                ck_assert(no_thread_left());
                imgc_context_unref(context);
        }
        imgc_manifest_unref(first);
        ck_assert_ptr_null(imgc_manifest_unref(NULL));
}
END_TEST

START_TEST(test_manifest_seal_no_listings)
{
        struct imgc_context *context = new_context(2);
        struct imgc_seal_options options = seal_options();
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest = NULL, *with;
        struct imgc_project *project;
        struct imgc_manifest_input input = IMGC_MANIFEST_INPUT_INIT;

        make_inputs(&scratch);
        with = seal(context, scratch.fd, everything);
        project = parse(context, scratch.fd, everything);
        options.flags = IMGC_SEAL_NO_LISTINGS;
        ck_assert_int_eq(imgc_manifest_seal(context, project, &options, &manifest, NULL), 0);
        check_round_trip(context, manifest);
        ck_assert_int_eq(imgc_manifest_has_listings(manifest), 0);
        ck_assert_int_eq(imgc_manifest_has_listings(with), 1);
        for (uint32_t s = 0; s < 2; s++)
                ck_assert_str_eq(imgc_manifest_get_key(manifest, 1, s),
                                 imgc_manifest_get_key(with, 1, s));
        ck_assert_int_eq(imgc_manifest_get_input(manifest, 1, 1, 5, &input), 0);
        ck_assert_ptr_null(input.listing);
        ck_assert_ptr_nonnull(input.digest);
        ck_assert_int_eq(imgc_manifest_get_input(with, 1, 1, 5, &input), 0);
        ck_assert_ptr_nonnull(input.listing);
        ck_assert_int_eq(strncmp(input.listing, "#mtree ", 7), 0);
        ck_assert_str_eq(input.name, "t");
        ck_assert_uint_eq(input.type, IMGC_INPUT_TREE);
        ck_assert_int_eq(imgc_manifest_get_input(with, 1, 1, 99, &input), -ERANGE);
        ck_assert_uint_eq(imgc_manifest_get_n_inputs(with, 9, 9), 0);
        ck_assert_ptr_null(imgc_manifest_get_key(with, 9, 9));
        ck_assert_ptr_null(imgc_manifest_get_image(with, 9));
        ck_assert_ptr_null(imgc_manifest_get_scope(with, 9));
        ck_assert_str_eq(imgc_manifest_get_scope(with, 1), "shared");
        ck_assert_str_eq(imgc_manifest_get_stage(with, 1, 1), "one");
        ck_assert_str_eq(imgc_manifest_find_key(with, "base", "one"),
                         imgc_manifest_get_key(with, 1, 1));
        ck_assert_ptr_null(imgc_manifest_find_key(with, "base", "none"));
        ck_assert_ptr_null(imgc_manifest_find_key(with, "none", "one"));
        ck_assert_str_eq(imgc_manifest_get_name(with), "demo");
        ck_assert_str_eq(imgc_manifest_get_builder(with), "mk 1");
        ck_assert_int_eq(imgc_manifest_get_digest_algorithm(with), IMGC_DIGEST_XXH128);
        imgc_manifest_unref(manifest);
        imgc_manifest_unref(with);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_save_and_load)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest, *loaded = NULL;
        struct imgc_error *error = NULL;
        struct stat st;
        unsigned n_open;
        int r;

        make_inputs(&scratch);
        manifest = seal(context, scratch.fd, everything);
        make_text(&scratch, "target", "old");
        make_symlink(&scratch, "link-out", "target");
        n_open = count_descriptors();
        for (int i = 0; i < 4; i++) {
                const char *name = i < 2 ? "out" : "link-out";

                ck_assert_int_eq(imgc_manifest_save_at(manifest, scratch.fd, name, &error), 0);
                ck_assert_int_eq(imgc_manifest_load_at(context, scratch.fd, name, &loaded, &error),
                                 0);
                ck_assert(same_bytes(manifest, loaded));
                imgc_manifest_unref(loaded);
        }
        /* What is no regular file of its own is written to, and stays. */
        ck_assert_int_eq(fstatat(scratch.fd, "link-out", &st, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert(S_ISLNK(st.st_mode));
        ck_assert_int_eq(imgc_manifest_save_at(manifest, AT_FDCWD, "/dev/null", &error), 0);
        ck_assert_int_eq(fstatat(AT_FDCWD, "/dev/null", &st, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert(S_ISCHR(st.st_mode));
        r = imgc_manifest_save_at(manifest, scratch.fd, "none/out", &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_NOT_FOUND, ENOENT));
        r = imgc_manifest_save_at(manifest, scratch.fd, "d", &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_IO, EISDIR));
        r = imgc_manifest_load_at(context, scratch.fd, "none", &loaded, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_NOT_FOUND, ENOENT));
        r = imgc_manifest_load_at(context, scratch.fd, "d", &loaded, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_IO, EISDIR));
        r = imgc_manifest_load_at(context, scratch.fd, "file", &loaded, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_SYNTAX, EBADMSG));
        ck_assert_uint_eq(count_descriptors(), n_open);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ keys */

/* Computes the keys again as a person would. */
START_TEST(test_manifest_key_by_shell)
{
        static const char script[] =
                "bare() { sed -E 's/\"info\":\\{[^{}]*\\},//'; }\n"
                "head=$(head -n1 \"$1\" | bare); key=; scope=; lines=\n"
                "finish() { if [ -n \"$key\" ]; then\n"
                "  sum=$(printf '%s\\n{\"scope\":%s}\\n{\"previous\":%s}\\n%s' \"$head\" \"$scope\" \"$previous\" \"$lines\" | sha256sum)\n"
                "  echo \"${sum%% *}\"; previous=\"\\\"$key\\\"\"; [ \"${sum%% *}\" = \"$key\" ] || exit 1; fi; key=; lines=; }\n"
                "tail -n+2 \"$1\" | grep '^{' | { while IFS= read -r line; do case $line in\n"
                "  '{\"image\":'*) finish; previous=null; scope=$(printf '%s\\n' \"$line\" | sed -E 's/.*\"scope\":(\"[^\"]*\")}$/\\1/');;\n"
                "  *'\"key\":'*'\"stage\":'*'\"}') case $line in *'\"input\":'*) add=1;; *) finish; key=$(printf '%s\\n' \"$line\" | sed -E 's/.*\"key\":\"([0-9a-f]*)\".*/\\1/');; esac\n"
                "     lines=\"$lines$(printf '%s\\n' \"$line\" | bare)\n\";;\n"
                "  *'\"on_change\":'*) ;;\n"
                "  *) lines=\"$lines$(printf '%s\\n' \"$line\" | bare)\n\";; esac; done; finish; }\n";
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest;
        char command[256], line[128];
        unsigned n = 0;
        FILE *out;

        make_inputs(&scratch);
        make_text(&scratch, "script", script);
        variable = "x y\\z";
        manifest = seal(context, scratch.fd, everything);
        ck_assert_int_eq(imgc_manifest_save_at(manifest, scratch.fd, "m", NULL), 0);
        snprintf(command, sizeof(command), "sh %s/script %s/m", scratch.path, scratch.path);
        out = popen(command, "r");
        while (fgets(line, sizeof(line), out))
                n++;
        ck_assert_int_eq(pclose(out), 0);
        ck_assert_uint_eq(n, 4);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

enum effect {
        CHANGES,
        SAME,
        REFUSED
};

/* What to replace in `everything` to change one member. */
static const struct {
        const char *object, *member;
        const char *from, *to;
        enum effect effect;
} mutations[] = {
        {"project", "imagecache", "\"imagecache\":\"project\"", "\"imagecache\":\"projekt\"",
         REFUSED},
        {"project", "version", "\"version\":1", "\"version\":2", REFUSED},
        {"project", "name", "\"name\":\"demo\"", "\"name\":\"demo2\"", CHANGES},
        {"project", "builder", "\"builder\":\"mk 1\"", "\"builder\":\"mk 2\"", CHANGES},
        {"project", "digest", "\"digest\":\"xxh128\"", "\"digest\":\"sha256\"", CHANGES},
        {"project", "max_append", "\"max_append\":3", "\"max_append\":4", SAME},
        {"project", "images", "{\"image\":\"other\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]},",
         "", SAME},
        {"image", "image", "\"image\":\"top\"", "\"image\":\"top2\"", SAME},
        {"image", "scope", "\"scope\":\"top-scope\"", "\"scope\":\"top-scope2\"", CHANGES},
        {"image", "scope", "\"scope\":\"shared\"", "\"scope\":\"base\"", CHANGES},
        {"image", "outputs", "\"outputs\":[\"out/b\"]", "\"outputs\":[\"out/c\"]", SAME},
        {"image", "stages", "{\"stage\":\"zero\",\"snapshot\":true,\"inputs\":[]},", "", CHANGES},
        {"stage", "stage", "\"stage\":\"zero\"", "\"stage\":\"zero2\"", CHANGES},
        {"stage", "snapshot", "\"stage\":\"zero\",\"snapshot\":true",
         "\"stage\":\"zero\",\"snapshot\":\"auto\"", SAME},
        {"stage", "max_age_seconds", "\"max_age_seconds\":60", "\"max_age_seconds\":61", SAME},
        {"stage", "previous", "\"previous\":\"key\"", "\"previous\":\"output\"", REFUSED},
        {"stage", "results", "[\"root\",\"meta\"]", "[\"meta\",\"root\"]", CHANGES},
        {"stage", "results", "[\"root\",\"meta\"]", "[\"root\"]", CHANGES},
        {"stage", "reads",
         "\"reads\":[{\"root\":\"src\",\"exclude\":[\"build/\"],\"method\":\"traced\"}],", "",
         CHANGES},
        {"stage", "inputs", "{\"input\":\"E\",\"type\":\"env\",\"on_change\":\"rebuild\"},", "",
         CHANGES},
        {"read", "root", "\"root\":\"src\"", "\"root\":\"src2\"", CHANGES},
        {"read", "exclude", "\"exclude\":[\"build/\"]", "\"exclude\":[\"build\"]", CHANGES},
        {"read", "method", "\"method\":\"traced\"", "\"method\":\"declared\"", CHANGES},
        {"option", "input", "\"input\":\"o\"", "\"input\":\"o2\"", CHANGES},
        {"option", "type", "\"type\":\"option\"", "\"type\":\"digest\"", CHANGES},
        {"option", "on_change", "\"option\",\"on_change\":\"rebuild\"",
         "\"option\",\"on_change\":\"stale\"", CHANGES},
        {"option", "secret", "\"value\":\"o-value\"", "\"value\":\"o-value\",\"secret\":true",
         CHANGES},
        {"option", "value", "\"o-value\"", "[\"o-value\"]", CHANGES},
        {"list", "input", "\"input\":\"l\"", "\"input\":\"l2\"", CHANGES},
        {"list", "type", "\"type\":\"list\"", "\"type\":\"set\"", CHANGES},
        {"list", "on_change", "\"list\",\"on_change\":\"rebuild\"",
         "\"list\",\"on_change\":\"show\"", CHANGES},
        {"list", "secret", "[\"l-b\",\"l-a\"]", "[\"l-b\",\"l-a\"],\"secret\":true", CHANGES},
        {"list", "items", "[\"l-b\",\"l-a\"]", "[\"l-a\",\"l-b\"]", CHANGES},
        {"list", "items", "[\"l-b\",\"l-a\"]", "[\"l-b\",\"l-b\",\"l-a\"]", CHANGES},
        {"set", "input", "\"input\":\"s\"", "\"input\":\"s2\"", CHANGES},
        {"set", "type", "\"type\":\"set\"", "\"type\":\"list\"", REFUSED},
        {"set", "on_change", "\"set\",\"on_change\":\"rebuild\"", "\"set\",\"on_change\":\"stale\"",
         CHANGES},
        {"set", "secret", "\"append\":true", "\"secret\":true", CHANGES},
        {"set", "items", "[\"s-b\",\"s-a\"]", "[\"s-b\",\"s-c\"]", CHANGES},
        {"set", "items", "[\"s-b\",\"s-a\"]", "[\"s-a\",\"s-b\",\"s-a\"]", SAME},
        {"set", "append", "\"append\":true", "\"append\":false", CHANGES},
        {"env", "input", "\"input\":\"E\"", "\"input\":\"F\"", CHANGES},
        {"env", "type", "\"type\":\"env\"", "\"type\":\"option\"", REFUSED},
        {"env", "on_change", "\"env\",\"on_change\":\"rebuild\"", "\"env\",\"on_change\":\"stale\"",
         CHANGES},
        {"env", "secret", "\"type\":\"env\"", "\"secret\":true,\"type\":\"env\"", CHANGES},
        {"digest", "input", "\"input\":\"d\"", "\"input\":\"d2\"", CHANGES},
        {"digest", "type", "\"type\":\"digest\"", "\"type\":\"option\"", CHANGES},
        {"digest", "on_change", "\"digest\",\"on_change\":\"rebuild\"",
         "\"digest\",\"on_change\":\"stale\"", CHANGES},
        {"digest", "secret", "\"value\":\"d-value\"", "\"value\":\"d-value\",\"secret\":true",
         CHANGES},
        {"digest", "value", "\"d-value\"", "\"d-value2\"", CHANGES},
        {"tree", "input", "\"input\":\"t\"", "\"input\":\"t2\"", CHANGES},
        {"tree", "type", "\"type\":\"tree\"", "\"type\":\"file\"", REFUSED},
        {"tree", "on_change", "\"tree\",\"on_change\":\"rebuild\"",
         "\"tree\",\"on_change\":\"stale\"", CHANGES},
        {"tree", "secret", "\"path\":\"tree\"", "\"path\":\"tree\",\"secret\":true", CHANGES},
        {"tree", "optional", "\"ignore_root\":true,\"optional\":false",
         "\"ignore_root\":true,\"optional\":true", SAME},
        {"tree", "path", "\"path\":\"tree\"", "\"path\":\"copy\"", SAME},
        {"tree", "path", "\"path\":\"tree\"", "\"path\":\"d\"", CHANGES},
        {"tree", "path", "\"path\":\"tree\"", "\"path\":\"file\"", REFUSED},
        {"tree", "kind", "\"kind\":\"directory\",", "", CHANGES},
        {"tree", "fields", "\"fields\":\"output\"",
         "\"fields\":\"type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content\"", CHANGES},
        {"tree", "fields", "\"fields\":\"output\"",
         "\"fields\":\"label,type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content\"",
         SAME},
        {"tree", "exclude", "\"exclude\":[\"*~\"]", "\"exclude\":[\"c~\"]", CHANGES},
        {"tree", "target", "\"target\":\"/t\"", "\"target\":\"/t2\"", CHANGES},
        {"tree", "uid", "\"uid\":1", "\"uid\":7", CHANGES},
        {"tree", "gid", "\"gid\":2", "\"gid\":7", CHANGES},
        {"tree", "one_filesystem", "\"one_filesystem\":true", "\"one_filesystem\":false", CHANGES},
        {"tree", "ignore_root", "\"ignore_root\":true", "\"ignore_root\":false", CHANGES},
        {"file", "input", "\"input\":\"f\"", "\"input\":\"f2\"", CHANGES},
        {"file", "type", "\"type\":\"file\"", "\"type\":\"tree\"", CHANGES},
        {"file", "on_change", "\"file\",\"on_change\":\"rebuild\"",
         "\"file\",\"on_change\":\"show\"", CHANGES},
        {"file", "secret", "\"path\":\"file\"", "\"path\":\"file\",\"secret\":true", CHANGES},
        {"file", "optional", "\"gid\":4,\"optional\":false", "\"gid\":4,\"optional\":true", SAME},
        {"file", "path", "\"path\":\"file\"", "\"path\":\"file2\"", SAME},
        {"file", "path", "\"path\":\"file\"", "\"path\":\"d/9\"", CHANGES},
        {"file", "path", "\"path\":\"file\"", "\"path\":\"d\"", REFUSED},
        {"file", "fields", "\"fields\":\"image\"", "\"fields\":\"output\"", CHANGES},
        {"file", "target", "\"target\":\"/f\"", "\"target\":\"/f2\"", CHANGES},
        {"file", "uid", "\"uid\":3", "\"uid\":7", CHANGES},
        {"file", "gid", "\"gid\":4", "\"gid\":7", CHANGES},
        {"files", "input", "\"input\":\"fs\"", "\"input\":\"fs2\"", CHANGES},
        {"files", "type", "\"type\":\"files\"", "\"type\":\"file\"", REFUSED},
        {"files", "on_change", "\"files\",\"on_change\":\"rebuild\"",
         "\"files\",\"on_change\":\"stale\"", CHANGES},
        {"files", "secret", "\"paths\":[", "\"secret\":true,\"paths\":[", CHANGES},
        {"files", "optional", "\"gid\":6,\"optional\":false", "\"gid\":6,\"optional\":true", SAME},
        {"files", "paths", "[\"d/1*\",\"d/9\"]", "[\"d/9\",\"d/1*\"]", CHANGES},
        {"files", "paths", "[\"d/1*\",\"d/9\"]", "[\"./d//1*\",\"d/./9\"]", SAME},
        {"files", "fields", "\"fields\":\"content\"", "\"fields\":\"type,content\"", CHANGES},
        {"files", "exclude", "\"exclude\":[\"*.bak\"]", "\"exclude\":[]", CHANGES},
        {"files", "target", "\"target\":\"/fs\"", "\"target\":\"/fs2\"", CHANGES},
        {"files", "uid", "\"uid\":5", "\"uid\":7", CHANGES},
        {"files", "gid", "\"gid\":6", "\"gid\":7", CHANGES},
        {"link", "input", "\"input\":\"i\"", "\"input\":\"i2\"", CHANGES},
        {"link", "type", "\"type\":\"image\"", "\"type\":\"tree\"", REFUSED},
        {"link", "on_change", "\"image\",\"on_change\":\"rebuild\"",
         "\"image\",\"on_change\":\"stale\"", CHANGES},
        {"link", "image", "\"image\":\"base\",\"stage\":\"one\"",
         "\"image\":\"other\",\"stage\":\"s\"", CHANGES},
        {"link", "stage", "\"image\":\"base\",\"stage\":\"one\"",
         "\"image\":\"base\",\"stage\":\"zero\"", CHANGES},
        {"link", "by", "\"by\":\"key\"", "\"by\":\"output\"", REFUSED},
};

/* `everything` with one replacement, which must be possible in one place only. */
static char *replaced(const char *text, const char *from, const char *to)
{
        const char *found = strstr(text, from);
        char *result;

        ck_assert_msg(found && !strstr(found + 1, from), "%s", from);
        result = malloc(strlen(text) + strlen(to) + 1);
        sprintf(result, "%.*s%s%s", (int)(found - text), text, to, found + strlen(from));
        return result;
}

START_TEST(test_manifest_key_mutations)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        char before[65], after[65];

        make_inputs(&scratch);
        variable = "v";
        key_of(context, scratch.fd, everything, before);
        for (size_t i = 0; i < ELEMENTSOF(mutations); i++) {
                char *text = replaced(everything, mutations[i].from, mutations[i].to);
                struct imgc_manifest *manifest = NULL;
                struct imgc_error *error = NULL;

                if (mutations[i].effect == REFUSED) {
                        ck_assert_msg(try_seal(context, scratch.fd, text, &manifest, &error) < 0,
                                      "%s", mutations[i].to);
                        imgc_error_unref(error);
                } else {
                        key_of(context, scratch.fd, text, after);
                        ck_assert_msg(!strcmp(before, after) == (mutations[i].effect == SAME),
                                      "%s.%s: %s", mutations[i].object, mutations[i].member,
                                      mutations[i].to);
                }
                free(text);
        }
        imgc_context_unref(context);
}
END_TEST

/* Whatever changes a key does not where the input is not in it. */
START_TEST(test_manifest_key_mutations_not_in_key)
{
        static const char *const types[] = {"option", "list", "set",   "env",  "digest",
                                            "tree",   "file", "files", "image"};
        static const char *const words[] = {"stale", "show"};
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;

        make_inputs(&scratch);
        for (size_t t = 0; t < ELEMENTSOF(types) * 2; t++) {
                const char *type = types[t / 2], *object = strcmp(type, "image") ? type : "link";
                char from[64], to[64], before[65], after[65], *base;

                snprintf(from, sizeof(from), "\"type\":\"%s\",\"on_change\":\"rebuild\"", type);
                snprintf(to, sizeof(to), "\"on_change\":\"%s\",\"type\":\"%s\"", words[t % 2],
                         type);
                base = replaced(everything, from, to);
                key_of(context, scratch.fd, base, before);
                for (size_t i = 0; i < ELEMENTSOF(mutations); i++) {
                        char *text;

                        if (strcmp(mutations[i].object, object) != 0 ||
                            mutations[i].effect == REFUSED ||
                            !strcmp(mutations[i].member, "on_change"))
                                continue;
                        text = replaced(base, mutations[i].from, mutations[i].to);
                        key_of(context, scratch.fd, text, after);
                        ck_assert_msg(!strcmp(before, after), "%s.%s", object, mutations[i].member);
                        free(text);
                }
                free(base);
        }
        imgc_context_unref(context);
}
END_TEST

static json_object *load_schema(void)
{
        const char *slash = strrchr(__FILE__, '/');
        char path[4096];
        json_object *schema;

        snprintf(path, sizeof(path), "%.*s/../../doc/project.schema.json",
                 (int)(slash ? slash - __FILE__ : 1), slash ? __FILE__ : ".");
        schema = json_object_from_file(path);
        ck_assert_msg(schema, "%s", path);
        return schema;
}

/* A member that the schema has and no mutation is a test that somebody forgot. */
START_TEST(test_manifest_key_mutations_are_complete)
{
        json_object *schema = load_schema(), *defs, *properties;
        size_t n_members = 0;

        ck_assert(json_object_object_get_ex(schema, "$defs", &defs));
        json_object_object_foreach(defs, object, def)
        {
                if (!strcmp(object, "bytes") ||
                    !json_object_object_get_ex(def, "properties", &properties))
                        continue;
                json_object_object_foreach(properties, member, property)
                {
                        bool found = false;

                        (void)property;
                        n_members++;
                        for (size_t i = 0; i < ELEMENTSOF(mutations); i++)
                                found |= !strcmp(mutations[i].object, object) &&
                                         !strcmp(mutations[i].member, member);
                        ck_assert_msg(found, "no mutation of %s.%s", object, member);
                }
        }
        ck_assert_uint_gt(n_members, 70);
        for (size_t i = 0; i < ELEMENTSOF(mutations); i++) {
                json_object *known, *ignored;

                ck_assert_msg(json_object_object_get_ex(defs, mutations[i].object, &known) &&
                                      json_object_object_get_ex(known, "properties", &properties) &&
                                      json_object_object_get_ex(properties, mutations[i].member,
                                                                &ignored),
                              "the schema has no %s.%s", mutations[i].object, mutations[i].member);
        }
        json_object_put(schema);
}
END_TEST

#define O(name, value)   "{\"input\":\"" name "\",\"type\":\"option\",\"value\":\"" value "\"}"
#define L(name, items)   "{\"input\":\"" name "\",\"type\":\"list\",\"items\":[" items "]}"
#define SET(name, items) "{\"input\":\"" name "\",\"type\":\"set\",\"items\":[" items "]}"
#define F(name, path)    "{\"input\":\"" name "\",\"type\":\"file\",\"path\":\"" path "\"}"
#define T(name, rest)    "{\"input\":\"" name "\",\"type\":\"tree\"," rest "}"
#define FS(name, rest)   "{\"input\":\"" name "\",\"type\":\"files\"," rest "}"

/* Bytes that move from one item or input to its neighbour. */
START_TEST(test_manifest_key_boundaries)
{
        static const char *const texts[] = {
                S(L("a", "\"x\",\"y\"")),
                S(L("a", "\"xy\"")),
                S(L("a", "\"x\"") "," L("b", "\"y\"")),
                S(L("a", "\"x,y\"")),
                S(L("a", "\"x\\\",\\\"y\"")),
                S(L("a", "\"x\\ny\"")),
                S(L("a", "\"x\",\"\",\"y\"")),
                S(L("a", "")),
                S(L("a", "\"\"")),
                S(SET("a", "\"x\",\"y\"")),
                S(O("a", "1") "," O("b", "2")),
                S(O("a", "12") "," O("b", "")),
                S(O("a", "") "," O("b", "12")),
                S(O("b", "2") "," O("a", "1")),
                S(O("ab", "12")),
                S(O("a", "1\\n") "," O("b", "2")),
                S(O("a", "1") "," O("b", "\\n2")),
                S(O("a", "null")),
                S("{\"input\":\"a\",\"type\":\"option\",\"value\":null}"),
                P("{\"image\":\"i\",\"stages\":[{\"stage\":\"s\",\"inputs\":[" O(
                        "a", "1") "]},{\"stage\":\"t\",\"inputs\":[" O("b", "2") "]}]}"),
                P("{\"image\":\"i\",\"stages\":[{\"stage\":\"s\",\"inputs\":[" O("a", "1") "," O(
                        "b", "2") "]},{\"stage\":\"t\",\"inputs\":[]}]}"),
                P("{\"image\":\"i\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]},{\"stage\":\"t\",\"inputs\":[" O(
                        "a", "1") "," O("b", "2") "]}]}"),
        };
        struct imgc_context *context = new_context(1);
        char keys[ELEMENTSOF(texts)][65];

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                key_of(context, AT_FDCWD, texts[i], keys[i]);
                for (size_t j = 0; j < i; j++)
                        ck_assert_msg(strcmp(keys[i], keys[j]) != 0, "%s\n%s", texts[i], texts[j]);
        }
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_key_names_and_scopes)
{
        struct imgc_context *context = new_context(1);

        ck_assert(same_key(
                context, AT_FDCWD,
                P("{\"image\":\"a\",\"scope\":\"x\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]}"),
                P("{\"image\":\"b\",\"scope\":\"x\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]}")));
        ck_assert(!same_key(context, AT_FDCWD,
                            P("{\"image\":\"a\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]}"),
                            P("{\"image\":\"b\",\"stages\":[{\"stage\":\"s\",\"inputs\":[]}]}")));
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ values */

START_TEST(test_manifest_env_unset_is_not_empty)
{
        static const char text[] = S("{\"input\":\"V\",\"type\":\"env\"}");
        static const char *const values[] = {NULL, "", "null", " ", "\xff", "a\nb"};
        struct imgc_seal_options options = IMGC_SEAL_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_project *project = parse(context, AT_FDCWD, text);
        struct imgc_manifest *manifest = NULL;
        char keys[ELEMENTSOF(values)][65];
        struct imgc_error *error = NULL;
        int r;

        for (size_t i = 0; i < ELEMENTSOF(values); i++) {
                variable = values[i];
                key_of(context, AT_FDCWD, text, keys[i]);
                for (size_t j = 0; j < i; j++)
                        ck_assert_str_ne(keys[i], keys[j]);
        }
        r = imgc_manifest_seal(context, project, &options, &manifest, &error);
        ck_assert_ptr_nonnull(
                strstr(imgc_error_get_message(error), "inputs[0]: no environment was given"));
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ trees */

static void check_refusal(struct imgc_context *context, const struct scratch *scratch,
                          const char *text, enum imgc_error_code code, int number,
                          const char *message)
{
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;
        int r = try_seal(context, scratch->fd, text, &manifest, &error);

        ck_assert_msg(r < 0, "%s", text);
        ck_assert_ptr_null(manifest);
        ck_assert_msg(strstr(imgc_error_get_message(error), message), "%s",
                      imgc_error_get_message(error));
        expect_error(&error, r, code, number);
}

START_TEST(test_manifest_absent)
{
        static const char *const optional[] = {
                S(T("t", "\"path\":\"gone\",\"optional\":true")),
                S(T("t", "\"path\":\"d/gone/x\",\"optional\":true")),
                S("{\"input\":\"t\",\"type\":\"file\",\"path\":\"gone\",\"optional\":true}"),
                S(FS("t", "\"paths\":[\"gone/*\",\"no*\"],\"optional\":true")),
        };
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        char before[65], after[65];

        make_inputs(&scratch);
        make_symlink(&scratch, "dangling", "nowhere");
        for (size_t i = 0; i < ELEMENTSOF(optional); i++) {
                struct imgc_manifest_input input = IMGC_MANIFEST_INPUT_INIT;
                struct imgc_manifest *manifest = seal(context, scratch.fd, optional[i]);

                ck_assert_int_eq(imgc_manifest_get_input(manifest, 0, 0, 0, &input), 0);
                ck_assert_uint_eq(input.absent, 1);
                ck_assert_ptr_null(input.digest);
                check_round_trip(context, manifest);
                imgc_manifest_unref(manifest);
        }
        check_refusal(
                context, &scratch, S(T("t", "\"path\":\"gone\"")), IMGC_ERROR_NOT_FOUND, ENOENT,
                "p:1:120: images[0].stages[0].inputs[0]: cannot open gone: No such file or directory");
        check_refusal(context, &scratch, S(T("t", "\"path\":\"file/x\",\"optional\":true")),
                      IMGC_ERROR_NOT_FOUND, ENOTDIR, "Not a directory");
        check_refusal(context, &scratch, S(T("t", "\"path\":\"dangling\",\"optional\":true")),
                      IMGC_ERROR_IO, ELOOP, "a link leads nowhere");
        check_refusal(context, &scratch, S(T("t", "\"path\":\"dangling/x\",\"optional\":true")),
                      IMGC_ERROR_IO, ELOOP, "a link leads nowhere");
        check_refusal(context, &scratch, S(FS("t", "\"paths\":[\"dang*\"],\"optional\":true")),
                      IMGC_ERROR_IO, ELOOP, "a link leads nowhere");
        check_refusal(context, &scratch, S(FS("t", "\"paths\":[\"dangling\"],\"optional\":true")),
                      IMGC_ERROR_IO, ELOOP, "a link leads nowhere");
        check_refusal(context, &scratch, S(FS("t", "\"paths\":[\"file/x\"],\"optional\":true")),
                      IMGC_ERROR_NOT_FOUND, ENOTDIR, "Not a directory");
        key_of(context, scratch.fd, optional[0], before);
        make_text(&scratch, "gone", "");
        key_of(context, scratch.fd, optional[0], after);
        ck_assert_str_ne(before, after);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_access)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;

        make_inputs(&scratch);
        make_directory(&scratch, "closed", 0755);
        make_text(&scratch, "closed/x", "x");
        ck_assert_int_eq(fchmodat(scratch.fd, "closed", 0, 0), 0);
        ck_assert_int_eq(fchmod(scratch.fd, 0755), 0);
        if (geteuid() == 0)
                ck_assert_int_eq(seteuid(65534), 0);
        check_refusal(context, &scratch, S(T("t", "\"path\":\"closed/x\",\"optional\":true")),
                      IMGC_ERROR_ACCESS, EACCES, "Permission denied");
        check_refusal(context, &scratch, S(T("t", "\"path\":\"closed\",\"optional\":true")),
                      IMGC_ERROR_ACCESS, EACCES, "Permission denied");
        check_refusal(context, &scratch, S(FS("t", "\"paths\":[\"closed/*\"],\"optional\":true")),
                      IMGC_ERROR_ACCESS, EACCES, "Permission denied");
        if (getuid() == 0)
                ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(fchmodat(scratch.fd, "closed", 0755, 0), 0);
        imgc_context_unref(context);
}
END_TEST

/* The paths of the listing of the only input. */
static char *paths_of(struct imgc_context *context, const struct scratch *scratch, const char *text)
{
        struct imgc_manifest *manifest = seal(context, scratch->fd, text);
        const struct manifest_input *input = &manifest->inputs[0];
        struct buffer out = {0};
        struct line line;

        for (size_t at = input->listing.header_size; at < input->listing.size;) {
                at = line_at(&input->listing, at, &line);
                buffer_add(&out, line.name.data, line.name.size);
                buffer_add_char(&out, ' ');
        }
        ck_assert_ptr_nonnull(buffer_string(&out));
        imgc_manifest_unref(manifest);
        return out.data;
}

START_TEST(test_manifest_files)
{
        static const struct {
                const char *rest, *paths;
        } cases[] = {
                {"\"paths\":[\"d/*\"]", ". ./d ./d/10 ./d/9 "},
                {"\"paths\":[\"d/.*\"]", ". ./d ./d/.hidden "},
                {"\"paths\":[\"d/*\",\"d/1?\",\"d/sub/x\"]",
                 ". ./d ./d/10 ./d/9 ./d/sub ./d/sub/x "},
                {"\"paths\":[\"*/sub/*\"],\"exclude\":[\"tree\",\"copy/sub/hard\"]",
                 ". ./copy ./copy/sub ./copy/sub/b ./d ./d/sub ./d/sub/x ./linked ./linked/sub ./linked/sub/x "},
                {"\"paths\":[\"d/[!1]\"]", ". ./d ./d/9 "},
                {"\"paths\":[\"linked/*\"]", ". ./linked ./linked/10 ./linked/9 "},
                {"\"paths\":[\"to-file\",\"sp ace\",\"a-b\",\"a/c\"]",
                 ". ./a ./a/c ./a-b ./sp\\040ace ./to-file "},
        };
        struct imgc_context *context = new_context(3);
        _cleanup_scratch_ struct scratch scratch;
        char before[65], after[65];

        make_inputs(&scratch);
        make_symlink(&scratch, "linked", "d");
        make_symlink(&scratch, "to-file", "d/9");
        make_text(&scratch, "sp ace", "");
        make_text(&scratch, "a-b", "");
        make_directory(&scratch, "a", 0755);
        make_text(&scratch, "a/c", "");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                char text[512], *paths;

                snprintf(text, sizeof(text), S(FS("f", "%s")), cases[i].rest);
                paths = paths_of(context, &scratch, text);
                ck_assert_str_eq(paths, cases[i].paths);
                free(paths);
        }
        /* What a link leads to counts, not the link. */
        key_of(context, scratch.fd, S(FS("f", "\"paths\":[\"to-file\"]")), before);
        make_text(&scratch, "d/9", "other");
        key_of(context, scratch.fd, S(FS("f", "\"paths\":[\"to-file\"]")), after);
        ck_assert_str_ne(before, after);
        check_refusal(context, &scratch, S(FS("f", "\"paths\":[\"d/*\",\"none*\"]")),
                      IMGC_ERROR_NOT_FOUND, ENOENT, "cannot read none*: no file matches");
        check_refusal(context, &scratch, S(FS("f", "\"paths\":[\"d/sub\"]")),
                      IMGC_ERROR_UNSUPPORTED, EISDIR, "it is a directory");
        check_refusal(context, &scratch, S(FS("f", "\"paths\":[\"?/su*\"]")), IMGC_ERROR_NOT_FOUND,
                      ENOENT, "no file matches");
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_kind)
{
        static const char free_kind[] = S(T("t", "\"path\":\"x\",\"fields\":\"content\""));
        static const char directory[] =
                S(T("t", "\"path\":\"x\",\"fields\":\"content\",\"kind\":\"directory\""));
        static const char mtree[] =
                S(T("t", "\"path\":\"x\",\"fields\":\"content\",\"kind\":\"mtree\""));
        static const char file[] =
                S(T("t", "\"path\":\"x\",\"fields\":\"content\",\"kind\":\"file\""));
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        char as_directory[65], as_listing[65], key[65];
        struct imgc_tree *tree;
        const char *listing;
        size_t size;

        make_inputs(&scratch);
        ck_assert_int_eq(renameat(scratch.fd, "d", scratch.fd, "x"), 0);
        options.fields = "content";
        tree = read_tree(context, &scratch, "x", &options);
        listing = imgc_tree_get_listing(tree, &size);
        make_file(&scratch, "listing", listing, size);
        key_of(context, scratch.fd, free_kind, as_directory);
        key_of(context, scratch.fd, directory, key);
        ck_assert_str_ne(key, as_directory);
        check_refusal(context, &scratch, mtree, IMGC_ERROR_UNSUPPORTED, ENOTSUP,
                      "it is a directory");
        ck_assert_int_eq(renameat(scratch.fd, "x", scratch.fd, "d"), 0);
        ck_assert_int_eq(renameat(scratch.fd, "listing", scratch.fd, "x"), 0);
        /* The same tree in another container. */
        key_of(context, scratch.fd, free_kind, as_listing);
        ck_assert_str_eq(as_listing, as_directory);
        key_of(context, scratch.fd, mtree, as_listing);
        ck_assert_str_ne(as_listing, key);
        ck_assert_str_ne(as_listing, as_directory);
        check_refusal(context, &scratch, directory, IMGC_ERROR_UNSUPPORTED, ENOTSUP,
                      "not a directory");
        key_of(context, scratch.fd, file, key);
        ck_assert_str_ne(as_listing, key);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_tree_from_memory)
{
        struct imgc_project_options project_options = IMGC_PROJECT_OPTIONS_INIT;
        struct imgc_tree_input_options o = IMGC_TREE_INPUT_OPTIONS_INIT;
        struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_tree_options tree_options = IMGC_TREE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_project_builder *builder = NULL;
        struct imgc_manifest *from_memory = NULL, *from_disk;
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_tree *tree;
        int r;

        make_inputs(&scratch);
        ck_assert_int_eq(fchmodat(scratch.fd, "file", 0755, 0), 0);
        project_options.name = "n";
        project_options.builder = "b 1";
        image.name = "i";
        stage.name = "s";
        ck_assert_int_eq(imgc_project_builder_new(context, &project_options, &builder, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_image(builder, &image, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_stage(builder, &stage, NULL), 0);
        o.name = "f";
        o.type = IMGC_INPUT_FILE;
        o.data = "demo\n";
        o.data_bytes = 5;
        o.flags = IMGC_INPUT_EXECUTABLE;
        o.label = "file";
        ck_assert_int_eq(imgc_project_builder_add_tree(builder, &o, NULL), 0);
        tree = read_tree(context, &scratch, "tree", NULL);
        o = (struct imgc_tree_input_options)IMGC_TREE_INPUT_OPTIONS_INIT;
        o.name = "t";
        o.tree = tree;
        o.label = "tree";
        ck_assert_int_eq(imgc_project_builder_add_tree(builder, &o, NULL), 0);
        imgc_tree_unref(tree);
        ck_assert_int_eq(imgc_project_builder_finish(builder, &project, NULL), 0);
        imgc_project_builder_free(builder);
        ck_assert_int_eq(imgc_manifest_seal(context, project, NULL, &from_memory, NULL), 0);
        from_disk = seal(context, scratch.fd, S(F("f", "file") "," T("t", "\"path\":\"tree\"")));
        ck_assert(same_bytes(from_memory, from_disk));
        imgc_manifest_unref(from_memory);
        imgc_manifest_unref(from_disk);
        imgc_project_unref(project);

        /* A digest alone is no listing. */
        tree_options.flags = IMGC_TREE_DIGEST_ONLY;
        o.tree = tree = read_tree(context, &scratch, "tree", &tree_options);
        ck_assert_int_eq(imgc_project_builder_new(context, &project_options, &builder, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_image(builder, &image, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_stage(builder, &stage, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_tree(builder, &o, NULL), 0);
        imgc_tree_unref(tree);
        ck_assert_int_eq(imgc_project_builder_finish(builder, &project, NULL), 0);
        imgc_project_builder_free(builder);
        r = imgc_manifest_seal(context, project, NULL, &from_memory, &error);
        ck_assert_ptr_nonnull(
                strstr(imgc_error_get_message(error), "input \"t\": the tree was read without"));
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, ENODATA);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ secrets */

START_TEST(test_manifest_secrets)
{
        static const char text[] = S(
                "{\"input\":\"o\",\"type\":\"option\",\"value\":\"hunter2\",\"secret\":true},"
                "{\"input\":\"l\",\"type\":\"list\",\"items\":[\"hunter2\"],\"secret\":true},"
                "{\"input\":\"s\",\"type\":\"set\",\"items\":[\"hunter2\"],\"secret\":true},"
                "{\"input\":\"E\",\"type\":\"env\",\"secret\":true,\"on_change\":\"stale\"},"
                "{\"input\":\"d\",\"type\":\"digest\",\"value\":\"hunter2\",\"secret\":true},"
                "{\"input\":\"t\",\"type\":\"tree\",\"path\":\"secret\",\"secret\":true},"
                "{\"input\":\"f\",\"type\":\"file\",\"path\":\"secret/hunter2\",\"secret\":true},"
                "{\"input\":\"fs\",\"type\":\"files\",\"paths\":[\"secret/hunter2\"],\"secret\":true}");
        struct imgc_seal_options options = seal_options();
        struct imgc_context *context = new_context(1);
        struct imgc_manifest *manifest, *other = NULL, *none = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_project *project;
        struct imgc_error *error = NULL;
        const char *data;
        size_t size;
        int r;

        make_inputs(&scratch);
        make_directory(&scratch, "secret", 0755);
        make_text(&scratch, "secret/hunter2", "hunter2");
        variable = "hunter2";
        manifest = seal(context, scratch.fd, text);
        check_round_trip(context, manifest);
        data = imgc_manifest_get_data(manifest, &size);
        /* The label of `f` names its path, which is none of the secret. */
        ck_assert_ptr_nonnull(memmem(data, size, "\"label\":\"secret/hunter2\"", 24));
        ck_assert_ptr_null(memmem(data, size, "\"hunter2", 8));
        ck_assert_ptr_null(memmem(data, size, "#mtree", 6));
        ck_assert_ptr_null(memmem(data, size, "entries", 7));
        /* Another secret of the caller: other keys; none: refused. */
        project = parse(context, scratch.fd, text);
        options.secret = "0123456789abcdeF";
        ck_assert_int_eq(imgc_manifest_seal(context, project, &options, &other, NULL), 0);
        ck_assert_str_ne(imgc_manifest_get_key(manifest, 0, 0), imgc_manifest_get_key(other, 0, 0));
        options.secret = NULL;
        r = imgc_manifest_seal(context, project, &options, &none, &error);
        ck_assert_ptr_nonnull(strstr(imgc_error_get_message(error), "no secret was given"));
        ck_assert_ptr_null(strstr(imgc_error_get_json(error), "hunter2"));
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        options.secret = "short";
        options.secret_bytes = 5;
        r = imgc_manifest_seal(context, project, &options, &none, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        imgc_manifest_unref(other);
        imgc_manifest_unref(manifest);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

/* A secret in every place where a value can stand, in a project that is wrong around it. */
START_TEST(test_manifest_secrets_in_errors)
{
        static const char *const texts[] = {
                S("{\"input\":\"o\",\"type\":\"option\",\"value\":\"hunter2\\q\",\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"option\",\"value\":{\"hunter2\":1,\"hunter2\":2},\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"option\",\"value\":\"hunter2,\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"list\",\"value\":\"hunter2\",\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"list\",\"items\":\"hunter2\",\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"list\",\"items\":[{\"hunter2\":1}],\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"digest\",\"value\":{\"base64\":\"hunter2\"},\"secret\":true}"),
                S("{\"input\":\"o\",\"type\":\"set\",\"items\":[\"hunter2\"],\"append\":true,\"secret\":true}"),
        };
        struct imgc_context *context = new_context(1);

        for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
                struct imgc_manifest *manifest = NULL;
                struct imgc_error *error = NULL;

                ck_assert_int_lt(try_seal(context, AT_FDCWD, texts[i], &manifest, &error), 0);
                ck_assert_msg(!strstr(imgc_error_get_json(error), "hunter2"), "%s",
                              imgc_error_get_json(error));
                imgc_error_unref(error);
        }
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ damage */

static int parse_bytes(struct imgc_context *context, const char *data, size_t size,
                       struct imgc_error **reterr)
{
        struct imgc_manifest *manifest = NULL;
        /* In memory of its own, so that a byte too far is seen. */
        char *copy = malloc(size ? size : 1);
        int r;

        memcpy(copy, data, size);
        r = manifest_of_bytes(context, copy, size, false, "m", false, &manifest, reterr);
        if (r < 0)
                free(copy);
        imgc_manifest_unref(manifest);
        return r;
}

static void check_damage(struct imgc_context *context, const char *data, size_t size,
                         const char *message)
{
        struct imgc_error *error = NULL;
        int r = parse_bytes(context, data, size, &error);

        ck_assert_msg(r == -EBADMSG, "%d: %s\n%.*s", r, message, (int)size, data);
        ck_assert_msg(strstr(imgc_error_get_message(error), message), "%s\n%s",
                      imgc_error_get_message(error), message);
        expect_error(&error, r, IMGC_ERROR_SYNTAX, EBADMSG);
}

START_TEST(test_manifest_damage_truncated)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest;
        const char *data;
        size_t size;

        make_inputs(&scratch);
        variable = "v";
        manifest = seal(context, scratch.fd, everything);
        data = imgc_manifest_get_data(manifest, &size);
        for (size_t i = 0; i < size; i++)
                check_damage(context, data, i, "m:");
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_damage_every_byte)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct random random = {3};
        struct imgc_manifest *manifest;
        const char *data;
        size_t size;
        char *copy;

        make_inputs(&scratch);
        variable = "v";
        manifest = seal(context, scratch.fd, everything);
        data = imgc_manifest_get_data(manifest, &size);
        copy = malloc(size);
        for (size_t i = 0; i < size; i++) {
                struct imgc_error *error = NULL;

                memcpy(copy, data, size);
                copy[i] = (char)(copy[i] ^ (1 << random_below(&random, 8)));
                /* Only what is not in a key, and not checked otherwise, may be another value. */
                if (parse_bytes(context, copy, size, &error) >= 0) {
                        const char *start = memrchr(data, '\n', i),
                                   *end = memchr(data + i, '\n', size - i);
                        const char *info;

                        start = start ? start : data;
                        info = memmem(start, (size_t)(data + i - start), "\"info\":", 7);
                        if (!info)
                                info = memmem(start, (size_t)(end - start), "\"on_change\":", 12);
                        /* Names of images are in no key, and this one has no link to it. */
                        if (!info && memmem(start, (size_t)(end - start), "{\"image\":", 9))
                                continue;
                        ck_assert_msg(info, "byte %zu: %.*s", i, (int)(end - start),
                                      copy + (start - data));
                }
                imgc_error_unref(error);
        }
        free(copy);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_manifest_damage_lines)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        const char *lines[128], *data;
        struct imgc_manifest *manifest;
        size_t size, n = 0;
        char *copy;

        make_inputs(&scratch);
        variable = "v";
        manifest = seal(context, scratch.fd, everything);
        data = imgc_manifest_get_data(manifest, &size);
        for (const char *p = data; p < data + size;
             p = (const char *)memchr(p, '\n', (size_t)(data + size - p)) + 1)
                lines[n++] = p;
        lines[n] = data + size;
        copy = malloc(size * 2);
        for (size_t i = 0; i < n; i++) {
                size_t a = (size_t)(lines[i] - data), b = (size_t)(lines[i + 1] - data), c;

                /* doubled */
                memcpy(copy, data, b);
                memcpy(copy + b, data + a, size - a);
                check_damage(context, copy, size + b - a, "m:");
                /* left out */
                memcpy(copy, data, a);
                memcpy(copy + a, data + b, size - b);
                check_damage(context, copy, size - (b - a), "m:");
                /* with a carriage return */
                memcpy(copy, data, b - 1);
                copy[b - 1] = '\r';
                memcpy(copy + b, data + b - 1, size - b + 1);
                check_damage(context, copy, size + 1, "m:");
                if (i + 1 == n)
                        break;
                /* swapped with the next */
                c = (size_t)(lines[i + 2] - data);
                memcpy(copy, data, size);
                memcpy(copy + a, data + b, c - b);
                memcpy(copy + a + (c - b), data + a, b - a);
                check_damage(context, copy, size, "m:");
        }
        free(copy);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

static const struct {
        const char *from, *to, *message;
} damages[] = {
        {"\"version\":1", "\"version\":2",
         "m:1: a version that is not known to this library: \"version\""},
        {"\"version\":1", "\"version\":1.0", "m:1: number that is not written as an integer"},
        {"\"version\":1", "\"version\":1e0", "m:1: number that is not written as an integer"},
        {"\"max_append\":3", "\"max_append\":99999999999999999999", "m:1: number beyond 2^53-1"},
        {"\"max_append\":3", "\"max_append\":4294967296", "m:1: number out of range"},
        {"\"max_append\":3", "\"max_append\":3,\"more\":1", "m:1: not spelt as it must be"},
        {",\"max_append\":3", "", "m:1: missing member: \"max_append\""},
        {"\"imagecache\":\"manifest\"", "\"imagecache\":\"project\"", "m:1: not a manifest"},
        {"\"name\":\"demo\"", "\"name\":\"demo\",\"name\":\"demo\"", "m:1: a member stands twice"},
        {"\"name\":\"demo\"", "\"name\":\"\\u0064emo\"", "m:1: not spelt as it must be"},
        {"\"name\":\"demo\"", "\"name\":\"d\\ud800\"", "m:1: half of a surrogate pair"},
        {"\"name\":\"demo\"", "\"name\": \"demo\"", "m:1: not spelt as it must be"},
        {"\"name\":\"demo\"", "\"name\":\"other\"",
         "the key of stage \"s\" is not that of its lines"},
        {"\"digest\":\"xxh128\"", "\"digest\":\"md5\"", "m:1: unknown digest"},
        {"\"lines\":", "\"lines\":1", "lines follow the first one"},
        {"\"listings\":true", "\"listings\":false", "neither an object nor part of a listing"},
        {"{\"image\":\"base\",\"info\":{\"outputs\":[\"out/a\"]}",
         "{\"image\":\"base\",\"info\":{}", "missing member: \"outputs\""},
        {"\"image\":\"base\",\"info\":{\"outputs\":[\"out/a\"]}",
         "\"image\":\"other\",\"info\":{\"outputs\":[\"out/a\"]}", "two images have the same name"},
        {"\"stage\":\"one\"}\n", "\"stage\":\"zero\"}\n", "two stages have the same name"},
        {"\"input\":\"l\"", "\"input\":\"o\"", "two inputs of a stage have the same name"},
        {"[\"l-b\",\"l-a\"]", "[\"l-b\",[\"l-a\"]]", "value of the wrong type: \"items\""},
        {"[\"s-a\",\"s-b\"]", "[\"s-b\",\"s-a\"]", "not spelt as it must be"},
        {"[\"s-a\",\"s-b\"]", "[\"s-a\",\"s-a\",\"s-b\"]", "not spelt as it must be"},
        {"[\"s-a\",\"s-b\"]", "[{\"base64\":\"YQ==\"},\"s-b\"]", "not spelt as it must be"},
        {"\"value\":\"o-value\"", "\"value\":\"x\"",
         "the key of stage \"one\" is not that of its lines"},
        {"\"value\":\"o-value\"", "\"more\":1,\"value\":\"o-value\"", "not spelt as it must be"},
        {",\"value\":\"o-value\"", "", "missing member: \"value\""},
        {"\"type\":\"option\"", "\"type\":\"layout\"", "unknown type"},
        {"\"target\":\"/t\"", "\"target\":\"/u\"",
         "the key of stage \"one\" is not that of its lines"},
        {"\"kind\":\"directory\"", "\"kind\":\"archive\"", "unknown value: \"kind\""},
        {"\"fields\":\"output\"", "\"fields\":\"type,content,mode\"", "not spelt as it must be"},
        {"\"fields\":\"output\"", "\"fields\":\"content\"",
         "the listing has another digest or other fields"},
        {"\"label\":\"tree\"", "\"label\":\"tree\",\"z\":1", "not spelt as it must be"},
        {",\"label\":\"tree\"", "", "missing member: \"label\""},
        {"./a type=file", "./a type=fifo", "m:1"},
        {"./sub/b type=file", "./sub/c type=file",
         "the digest of the tree is not that of its listing"},
        {"./sub/hard type=file hardlink=./a\n", "", "the listing has not as many entries or bytes"},
        {"\"bytes\":2,\"entries\":6", "\"bytes\":3,\"entries\":6",
         "the listing has not as many entries or bytes"},
        {"\"info\":{\"image\":\"base\",\"stage\":\"one\"}",
         "\"info\":{\"image\":\"base\",\"stage\":\"zero\"}",
         "the key is not that of the stage it links to"},
        {"\"info\":{\"image\":\"base\",\"stage\":\"one\"}",
         "\"info\":{\"image\":\"top\",\"stage\":\"top-stage\"}",
         "a link to a stage that does not stand before"},
        {"\"info\":{\"image\":\"base\",\"stage\":\"one\"}",
         "\"info\":{\"image\":\"gone\",\"stage\":\"one\"}",
         "a link to a stage that does not stand before"},
};

START_TEST(test_manifest_damage_named)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest;
        const char *data;
        char *text;
        size_t size;

        make_inputs(&scratch);
        variable = "v";
        manifest = seal(context, scratch.fd, everything);
        data = imgc_manifest_get_data(manifest, &size);
        text = strndup(data, size);
        for (size_t i = 0; i < ELEMENTSOF(damages); i++) {
                const char *found = strstr(text, damages[i].from);
                struct buffer out = {0};

                ck_assert_msg(found, "%s", damages[i].from);
                buffer_add(&out, text, (size_t)(found - text));
                buffer_add_string(&out, damages[i].to);
                buffer_add_string(&out, found + strlen(damages[i].from));
                check_damage(context, out.data, out.size, damages[i].message);
                buffer_free(&out);
        }
        check_damage(context, "", 0, "m:1: it is empty");
        check_damage(context, "\n", 1, "m:1: the text ends too early");
        check_damage(context, "[]\n", 3, "m:1: not an object");
        free(text);
        imgc_manifest_unref(manifest);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ stage by stage */

static const char with_output_links[] = P(
        "{\"image\":\"a\",\"stages\":[{\"stage\":\"1\",\"snapshot\":true,\"results\":[\"z\",\"root\"],\"inputs\":[]},"
        "{\"stage\":\"2\",\"previous\":\"output\",\"inputs\":[" F(
                "f",
                "file") "]}]},"
                        "{\"image\":\"b\",\"stages\":[{\"stage\":\"1\",\"inputs\":["
                        "{\"input\":\"i\",\"type\":\"image\",\"image\":\"a\",\"stage\":\"1\",\"by\":\"output\"}]}]}");

#define D1 "00000000000000000000000000000001"
#define D2 "00000000000000000000000000000002"

START_TEST(test_sealer_output_links)
{
        const char *const digests[] = {D1, NULL}, *const others[] = {D1, D2},
                          *const bad_digests[] = {"0", NULL};
        struct imgc_context *context = new_context(1);
        struct imgc_manifest *manifest = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_sealer *sealer = NULL;
        struct imgc_project *project;
        struct imgc_error *error = NULL;
        const char *key, *data;
        char first[65];
        size_t size;
        int r;

        make_inputs(&scratch);
        check_refusal(context, &scratch, with_output_links, IMGC_ERROR_UNSUPPORTED, ENOTSUP,
                      "images[0].stages[1]: it is judged by the output of stage \"1\"");
        project = parse(context, scratch.fd, with_output_links);
        ck_assert_int_eq(imgc_sealer_new(context, project, NULL, &sealer, NULL), 0);
        r = imgc_sealer_seal_next(sealer, "none", &key, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        r = imgc_sealer_seal_next(sealer, "b", &key, &error);
        ck_assert_ptr_nonnull(
                strstr(imgc_error_get_message(error), "stage \"1\" of image \"a\" is not sealed"));
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        r = imgc_sealer_set_results(sealer, "a", "1", digests, 2, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "a", &key, NULL), 1);
        r = imgc_sealer_seal_next(sealer, "a", &key, &error);
        expect_error(&error, r, IMGC_ERROR_UNSUPPORTED, ENOTSUP);
        r = imgc_sealer_set_results(sealer, "a", "1", digests, 1, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        r = imgc_sealer_set_results(sealer, "a", "1", bad_digests, 2, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        r = imgc_sealer_set_results(sealer, "a", "9", digests, 2, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        ck_assert_int_eq(imgc_sealer_set_results(sealer, "a", "1", digests, 2, NULL), 0);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "b", &key, NULL), 1);
        strcpy(first, key);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "a", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "a", &key, NULL), 0);
        ck_assert_int_eq(imgc_sealer_get_manifest(sealer, &manifest, NULL), 0);
        data = imgc_manifest_get_data(manifest, &size);
        ck_assert_ptr_nonnull(memmem(data, size,
                                     "\"previous\":{\"root\":null,\"z\":\"" D1
                                     "\"},\"snapshot\":false},"
                                     "\"previous\":\"output\",\"stage\":\"2\"}",
                                     103));
        ck_assert_ptr_nonnull(memmem(
                data, size,
                "{\"by\":\"output\",\"info\":{\"image\":\"a\",\"stage\":\"1\"},\"input\":\"i\","
                "\"results\":{\"root\":null,\"z\":\"" D1 "\"},\"type\":\"image\"}",
                136));
        check_round_trip(context, manifest);
        imgc_manifest_unref(manifest);
        ck_assert_ptr_null(imgc_sealer_free(sealer));
        ck_assert_ptr_null(imgc_sealer_free(NULL));

        /* Other results, another key; the same results by another way, the same. */
        ck_assert_int_eq(imgc_sealer_new(context, project, NULL, &sealer, NULL), 0);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "a", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_set_results(sealer, "a", "1", others, 2, NULL), 0);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "b", &key, NULL), 1);
        ck_assert_str_ne(key, first);
        imgc_sealer_free(sealer);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

/* Step by step, in any order, over two processes: the bytes of a seal at once. */
START_TEST(test_sealer_adopt)
{
        struct imgc_seal_options options = seal_options();
        struct imgc_context *context = new_context(2);
        struct imgc_manifest *whole, *part = NULL, *stepwise = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_sealer *sealer = NULL;
        struct imgc_project *project;
        struct imgc_error *error = NULL;
        int r;

        make_inputs(&scratch);
        variable = "v";
        whole = seal(context, scratch.fd, everything);
        project = parse(context, scratch.fd, everything);
        ck_assert_int_eq(imgc_sealer_new(context, project, &options, &sealer, NULL), 0);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "base", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "base", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_get_manifest(sealer, &part, NULL), 0);
        ck_assert_uint_eq(imgc_manifest_get_n_images(part), 1);
        check_round_trip(context, part);
        r = imgc_sealer_adopt(sealer, part, &error);
        expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, EINVAL);
        imgc_sealer_free(sealer);
        ck_assert_int_eq(imgc_sealer_new(context, project, &options, &sealer, NULL), 0);
        ck_assert_int_eq(imgc_sealer_adopt(sealer, part, NULL), 0);
        /* What is sealed is never read again. */
        make_text(&scratch, "file", "other");
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "base", NULL, NULL), 0);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "top", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_seal_next(sealer, "other", NULL, NULL), 1);
        ck_assert_int_eq(imgc_sealer_get_manifest(sealer, &stepwise, NULL), 0);
        ck_assert(same_bytes(whole, stepwise));
        imgc_sealer_free(sealer);
        imgc_manifest_unref(part);
        imgc_manifest_unref(stepwise);
        imgc_manifest_unref(whole);
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ unchanged */

static int note(void *userdata, const char *image, const char *stage, const char *input)
{
        struct buffer *out = userdata;

        buffer_printf(out, "%s/%s/%s ", image, stage, input ? input : "-");
        return 0;
}

static void check_changed(struct imgc_context *context, const struct imgc_manifest *manifest,
                          struct imgc_project *project, const char *expected)
{
        struct imgc_seal_options options = seal_options();
        struct buffer out = {0};
        struct imgc_error *error = NULL;
        int r = imgc_manifest_check_unchanged(manifest, context, project, &options, note, &out,
                                              &error);

        ck_assert_msg(r == (*expected ? 1 : 0), "%d %s", r,
                      error ? imgc_error_get_message(error) : "");
        ck_assert_ptr_nonnull(buffer_string(&out));
        ck_assert_str_eq(out.data, expected);
        buffer_free(&out);
}

static int stop(void *userdata, const char *image, const char *stage, const char *input)
{
        (void)userdata;
        (void)image;
        (void)stage;
        (void)input;
        return 7;
}

START_TEST(test_manifest_check_unchanged)
{
        struct imgc_seal_options options = seal_options();
        struct imgc_context *context = new_context(2);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *manifest;
        struct imgc_project *project;
        char *text;

        make_inputs(&scratch);
        variable = "v";
        text = replaced(everything, "\"type\":\"file\",\"on_change\":\"rebuild\"",
                        "\"type\":\"file\",\"secret\":true,\"on_change\":\"stale\"");
        manifest = seal(context, scratch.fd, text);
        project = parse(context, scratch.fd, text);
        check_changed(context, manifest, project, "");
        make_text(&scratch, "tree/new", "");
        make_text(&scratch, "file", "other");
        check_changed(context, manifest, project, "base/one/t base/one/f ");
        variable = NULL;
        ck_assert_int_eq(unlinkat(scratch.fd, "d/10", 0), 0);
        ck_assert_int_eq(unlinkat(scratch.fd, "file", 0), 0);
        check_changed(context, manifest, project, "base/one/E base/one/t base/one/f base/one/fs ");
        ck_assert_int_eq(imgc_manifest_check_unchanged(manifest, context, project, &options, NULL,
                                                       NULL, NULL),
                         1);
        ck_assert_int_eq(imgc_manifest_check_unchanged(manifest, context, project, &options, stop,
                                                       NULL, NULL),
                         7);
        imgc_project_unref(project);
        project = parse(context, scratch.fd, S(O("a", "1")));
        check_changed(context, manifest, project,
                      "other/s/- base/zero/- base/one/- top/top-stage/- ");
        imgc_project_unref(project);
        imgc_manifest_unref(manifest);
        free(text);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ threads and size */

START_TEST(test_manifest_seal_parallel)
{
        struct imgc_context *one = new_context(1), *many = new_context(16);
        struct imgc_manifest *a, *b, *none = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_error *error = NULL;
        struct buffer text = {0};
        int r;

        scratch_open(&scratch);
        make_wide_tree(&scratch, "wide", 10, 20);
        buffer_add_string(
                &text,
                "{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b\",\"images\":["
                "{\"image\":\"i\",\"stages\":[{\"stage\":\"s\",\"inputs\":[" T(
                        "w", "\"path\":\"wide\""));
        for (unsigned i = 0; i < 200; i++) {
                char name[32];

                snprintf(name, sizeof(name), "f%u", i);
                make_text(&scratch, name, name);
                buffer_printf(&text, "," F("%s", "%s"), name, name);
        }
        buffer_add_string(&text, "," FS("fs", "\"paths\":[\"f*\"]") "," T(
                                         "w2", "\"path\":\"wide\"") "]}]}]}");
        ck_assert_ptr_nonnull(buffer_string(&text));
        a = seal(one, scratch.fd, text.data);
        b = seal(many, scratch.fd, text.data);
        ck_assert(same_bytes(a, b));
        ck_assert(no_thread_left());
        imgc_manifest_unref(a);
        imgc_manifest_unref(b);
        /* Of several failures the first by place is told, however many threads there are. */
        ck_assert_int_eq(unlinkat(scratch.fd, "f150", 0), 0);
        ck_assert_int_eq(unlinkat(scratch.fd, "f20", 0), 0);
        for (unsigned i = 0; i < 20; i++) {
                r = try_seal(many, scratch.fd, text.data, &none, &error);
                ck_assert_msg(strstr(imgc_error_get_message(error), "inputs[21]: cannot open f20:"),
                              "%s", imgc_error_get_message(error));
                expect_error(&error, r, IMGC_ERROR_NOT_FOUND, ENOENT);
        }
        imgc_context_cancel(many);
        r = try_seal(many, scratch.fd,
                     S(F("f", "f1") "," F("g", "f2") "," T("w", "\"path\":\"wide\"")), &none,
                     &error);
        expect_error(&error, r, IMGC_ERROR_CANCELLED, ECANCELED);
        ck_assert(no_thread_left());
        buffer_free(&text);
        imgc_context_unref(one);
        imgc_context_unref(many);
}
END_TEST

/* A million entries. The numbers are for people; only a hang fails the test. */
START_TEST(test_manifest_million_entries)
{
        const unsigned n =
                getenv("IMGC_TEST_ENTRIES") ? (unsigned)atoi(getenv("IMGC_TEST_ENTRIES")) : 100000;
        struct imgc_project_options project_options = IMGC_PROJECT_OPTIONS_INIT;
        struct imgc_tree_input_options o = IMGC_TREE_INPUT_OPTIONS_INIT;
        struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_context *context = new_context(1);
        struct imgc_project_builder *builder = NULL;
        struct imgc_manifest *manifest = NULL, *loaded = NULL;
        struct imgc_project *project = NULL;
        _cleanup_scratch_ struct scratch scratch;
        struct buffer listing = {0};
        struct imgc_tree *tree = NULL;
        clock_t t[4];

        scratch_open(&scratch);
        buffer_add_string(
                &listing,
                "#mtree imagecache=1 digest=xxh128 fields=type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content\n"
                ". type=dir mode=0755 uid=0 gid=0\n");
        for (unsigned i = 0; i < n - 1; i++)
                buffer_printf(
                        &listing,
                        "./usr-share-doc-package-%09u-changelog-file.gz type=file mode=0644 uid=0 gid=0 "
                        "size=%u xxh128=%032x\n",
                        i, i, i);
        ck_assert_int_eq(imgc_tree_parse(context, listing.data, listing.size, NULL, &tree, NULL),
                         0);
        buffer_free(&listing);
        project_options.name = project_options.builder = image.name = stage.name = o.name = "x";
        o.tree = tree;
        ck_assert_int_eq(imgc_project_builder_new(context, &project_options, &builder, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_image(builder, &image, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_stage(builder, &stage, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_add_tree(builder, &o, NULL), 0);
        ck_assert_int_eq(imgc_project_builder_finish(builder, &project, NULL), 0);
        imgc_project_builder_free(builder);
        t[0] = clock();
        ck_assert_int_eq(imgc_manifest_seal(context, project, NULL, &manifest, NULL), 0);
        t[1] = clock();
        ck_assert_int_eq(imgc_manifest_save_at(manifest, scratch.fd, "m", NULL), 0);
        t[2] = clock();
        ck_assert_int_eq(imgc_manifest_load_at(context, scratch.fd, "m", &loaded, NULL), 0);
        t[3] = clock();
        ck_assert(same_bytes(manifest, loaded));
        ck_assert(loaded->is_mapped == (loaded->size >= (size_t)8 << 20));
        fprintf(stderr, "%u entries, %zu bytes: seal %.3f s, save %.3f s, load %.3f s\n", n,
                loaded->size, (double)(t[1] - t[0]) / CLOCKS_PER_SEC,
                (double)(t[2] - t[1]) / CLOCKS_PER_SEC, (double)(t[3] - t[2]) / CLOCKS_PER_SEC);
        imgc_manifest_unref(manifest);
        imgc_manifest_unref(loaded);
        imgc_project_unref(project);
        imgc_tree_unref(tree);
        imgc_context_unref(context);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_manifest_seal_golden,
                test_manifest_seal_canonical,
                test_manifest_seal_no_listings,
                test_manifest_save_and_load,
                test_manifest_key_by_shell,
                test_manifest_key_mutations,
                test_manifest_key_mutations_not_in_key,
                test_manifest_key_mutations_are_complete,
                test_manifest_key_boundaries,
                test_manifest_key_names_and_scopes,
                test_manifest_env_unset_is_not_empty,
                test_manifest_absent,
                test_manifest_access,
                test_manifest_files,
                test_manifest_kind,
                test_manifest_tree_from_memory,
                test_manifest_secrets,
                test_manifest_secrets_in_errors,
                test_manifest_damage_truncated,
                test_manifest_damage_every_byte,
                test_manifest_damage_lines,
                test_manifest_damage_named,
                test_sealer_output_links,
                test_sealer_adopt,
                test_manifest_check_unchanged,
                test_manifest_seal_parallel,
                test_manifest_million_entries,
        };

        return run_suite(SUITE_OF("manifest", tests));
}
