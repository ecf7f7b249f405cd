/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Projects: what is read, what is refused and where, and that calls build the same as JSON. */
#include "common.h"
#include "manifest/pattern.h"
#include "manifest/project-internal.h"

#include <imagecache/manifest.h>
#include <imagecache/project.h>

#define HEAD \
        "{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b 1\",\"images\":["
#define IMAGE          HEAD "{\"image\":\"i\",\"stages\":["
#define STAGE          IMAGE "{\"stage\":\"s\",\"inputs\":["
#define END            "]}]}]}"
#define INPUT(members) STAGE "{\"input\":\"x\"," members "}" END

/* ------------------------------------------------------------------ refusals */

static const struct {
        const char *text;
        const char *message;
        enum imgc_error_code code; /* 0: syntax */
} bad[] = {
        {"", "p:1:1: the text ends too early"},
        {"[]", "p:1:1: expected an object"},
        {"{}", "p:1:1: missing member \"imagecache\""},
        {"{\"imagecache\":\"manifest\",\"version\":1}", "p:1:15: imagecache: expected \"project\""},
        {"{\"imagecache\":\"project\"}", "p:1:1: missing member \"version\""},
        {"{\"imagecache\":\"project\",\"version\":2,\"more\":1}",
         "p:1:35: version: version 2 is not known to this library"},
        {"{\"imagecache\":\"project\",\"version\":\"1\"}",
         "p:1:35: version: expected a number from 0 to 9007199254740991"},
        {"{\"imagecache\":\"project\",\"version\":1,\"builder\":\"b\",\"images\":[]}",
         "p:1:1: missing member \"name\""},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"images\":[]}",
         "p:1:1: missing member \"builder\""},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b\"}",
         "p:1:1: missing member \"images\""},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"\",\"builder\":\"b\",\"images\":[]}",
         "p:1:1: it has no name"},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"\",\"images\":[]}",
         "p:1:1: builder: it has no name"},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b\",\"images\":[],\n \"digest\":\"md5\"}",
         "p:2:11: digest: expected \"xxh128\" or \"sha256\""},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":\"n\",\"builder\":\"b\",\"images\":{}}",
         "p:1:71: images: expected an array"},
        {"{\"imagecache\":\"project\",\"version\":1,\"name\":1,\"builder\":\"b\",\"images\":[]}",
         "p:1:44: name: expected a string"},
        {HEAD "],\"max_append\":-1}", "max_append: expected a number from 0 to 4294967295"},
        {HEAD "],\"max_append\":1.5}", "number that is not written as an integer"},
        {HEAD "],\"name\":\"m\"}", "a member stands twice"},
        {HEAD "],\"images2\":1}", "unknown member \"images2\""},
        {HEAD "1]}", "images[0]: expected an object"},
        {HEAD "{\"stages\":[]}]}", "images[0]: missing member \"image\""},
        {HEAD "{\"image\":\"i\",\"stages\":[]}]}", "images[0].stages: an image needs a stage"},
        {HEAD "{\"image\":\"..\",\"stages\":[]}]}", "images[0]: its name is \".\" or \"..\""},
        {HEAD "{\"image\":\"a/b\",\"stages\":[]}]}", "images[0]: its name has a '/'"},
        {HEAD "{\"image\":\"a:b\",\"stages\":[]}]}", "images[0]: its name has a ':'"},
        {HEAD "{\"image\":\"a\\nb\",\"stages\":[]}]}",
         "images[0]: its name has a control character"},
        {HEAD "{\"image\":\"a\\u0000b\",\"stages\":[]}]}", "images[0].image: a string with NUL"},
        {HEAD "{\"image\":{\"base64\":\"/w==\"},\"stages\":[]}]}",
         "images[0]: its name is not UTF-8"},
        {HEAD "{\"image\":\"i\",\"scope\":\"\",\"stages\":[]}]}",
         "images[0]: scope: it has no name"},
        {HEAD "{\"image\":\"i\",\"outputs\":[\"\"],\"stages\":[]}]}",
         "images[0]: an output has no path"},
        {HEAD "{\"image\":\"i\",\"outputs\":[\"a\",\"a\"],\"stages\":[]}]}",
         "images[0]: an output stands twice"},
        {HEAD "{\"image\":\"i\",\"stage\":1,\"stages\":[]}]}",
         "images[0]: unknown member \"stage\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[]},{\"stage\":\"s\",\"inputs\":[]}]}]}",
         "images[0].stages[1]: another stage of the image has the same name"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[]}]},{\"image\":\"i\",\"stages\":[]}]}",
         "images[1]: another image has the same name"},
        {IMAGE "{\"stage\":\"s\"}]}]}", "images[0].stages[0]: missing member \"inputs\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"snapshot\":\"yes\"}]}]}",
         "images[0].stages[0].snapshot: expected true, false or \"auto\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"previous\":\"output\"}]}]}",
         "images[0].stages[0]: the first stage of an image has no stage before it to be judged by"},
        {IMAGE
         "{\"stage\":\"r\",\"inputs\":[]},{\"stage\":\"s\",\"inputs\":[],\"previous\":\"output\"}]}]}",
         "images[0].stages[1]: it is judged by the output of the stage before, which keeps no snapshot"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"previous\":\"results\"}]}]}",
         "images[0].stages[0].previous: expected \"key\" or \"output\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"max_age_seconds\":-1}]}]}",
         "images[0].stages[0].max_age_seconds: expected a number from 0 to 9007199254740991"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"results\":[\"a\",\"a\"]}]}]}",
         "images[0].stages[0]: two results have the same name"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"results\":[\"..\"]}]}]}",
         "images[0].stages[0]: result: its name is \".\" or \"..\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"results\":[\"a/b\"]}]}]}",
         "images[0].stages[0]: result: its name has a '/'"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"results\":\"root\"}]}]}",
         "images[0].stages[0].results: expected an array"},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"reads\":[{}]}]}]}",
         "images[0].stages[0].reads[0]: missing member \"root\""},
        {IMAGE "{\"stage\":\"s\",\"inputs\":[],\"reads\":[{\"root\":\"\"}]}]}]}",
         "images[0].stages[0].reads[0]: it has no path"},
        {IMAGE
         "{\"stage\":\"s\",\"inputs\":[],\"reads\":[{\"root\":\"a\",\"exclude\":[\"[\"]}]}]}]}",
         "images[0].stages[0].reads[0]: "},
        {STAGE "{\"type\":\"env\"}" END, "images[0].stages[0].inputs[0]: missing member \"input\""},
        {STAGE "{\"input\":\"x\"}" END, "images[0].stages[0].inputs[0]: missing member \"type\""},
        {STAGE "{\"input\":\"x\",\"type\":\"env\"},{\"input\":\"x\",\"type\":\"env\"}" END,
         "images[0].stages[0].inputs[1]: another input of the stage has the same name"},
        {STAGE "{\"input\":\"A=B\",\"type\":\"env\"}" END, "inputs[0]: its name has a '='"},
        {INPUT("\"type\":\"treee\""), "images[0].stages[0].inputs[0].type: unknown type \"treee\""},
        {INPUT("\"type\":\"layout\",\"path\":\"repart.d\""),
         "images[0].stages[0].inputs[0]: inputs of type \"layout\" are not read by this release",
         IMGC_ERROR_UNSUPPORTED},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"kind\":\"archive\""),
         "images[0].stages[0].inputs[0]: kinds \"archive\" and \"disk\" are not read by this release",
         IMGC_ERROR_UNSUPPORTED},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"kind\":\"disk\""),
         "inputs[0]: kinds \"archive\" and \"disk\"", IMGC_ERROR_UNSUPPORTED},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"kind\":\"tar\""),
         "inputs[0].kind: expected \"directory\", \"file\", \"archive\", \"mtree\" or \"disk\""},
        {INPUT("\"type\":\"option\""), "inputs[0]: missing member \"value\""},
        {INPUT("\"type\":\"option\",\"value\":1,\"optional\":true"), "unknown member \"optional\""},
        {INPUT("\"type\":\"option\",\"value\":1,\"on_change\":\"never\""),
         "inputs[0].on_change: expected \"rebuild\", \"stale\" or \"show\""},
        {INPUT("\"type\":\"option\",\"value\":1,\"secret\":1"),
         "inputs[0].secret: expected true or false"},
        {INPUT("\"type\":\"list\",\"items\":[1]"), "inputs[0].items: expected a string"},
        {INPUT("\"type\":\"list\",\"items\":[],\"append\":true"), "unknown member \"append\""},
        {INPUT("\"type\":\"set\",\"items\":{}"), "inputs[0].items: expected an array"},
        {INPUT("\"type\":\"set\",\"items\":[],\"append\":true,\"secret\":true"),
         "inputs[0]: a secret shows no items that could be appended"},
        {INPUT("\"type\":\"env\",\"value\":\"v\""), "unknown member \"value\""},
        {INPUT("\"type\":\"digest\",\"value\":1"), "inputs[0].value: expected a string"},
        {INPUT("\"type\":\"tree\""), "inputs[0]: missing member \"path\""},
        {INPUT("\"type\":\"tree\",\"pathh\":\"a\""),
         "images[0].stages[0].inputs[0]: unknown member \"pathh\""},
        {INPUT("\"type\":\"tree\",\"path\":\"\""), "inputs[0]: its path is empty"},
        {INPUT("\"type\":\"tree\",\"path\":\"a\\u0000\""), "inputs[0].path: a string with NUL"},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"fields\":\"image,bogus\""),
         "inputs[0]: unknown profile or field 'image'"},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"target\":\"usr/../etc\""),
         "inputs[0]: its target has a component \"..\""},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"target\":\"\""),
         "inputs[0]: its target is empty"},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"exclude\":[\"[\"]"), "inputs[0]: "},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"uid\":4294967295"),
         "inputs[0].uid: expected a number from 0 to 4294967294"},
        {INPUT("\"type\":\"tree\",\"path\":\"a\",\"gid\":\"0\""),
         "inputs[0].gid: expected a number"},
        {INPUT("\"type\":\"file\",\"path\":\"a\",\"exclude\":[]"), "unknown member \"exclude\""},
        {INPUT("\"type\":\"file\",\"path\":\"a\",\"kind\":\"file\""), "unknown member \"kind\""},
        {INPUT("\"type\":\"files\",\"path\":\"a\""), "unknown member \"path\""},
        {INPUT("\"type\":\"files\",\"paths\":[]"), "inputs[0]: it has no patterns"},
        {INPUT("\"type\":\"files\",\"paths\":[\"\"]"), "inputs[0]: a pattern is empty"},
        {INPUT("\"type\":\"files\",\"paths\":[\"/a\"]"), "inputs[0]: a pattern is absolute"},
        {INPUT("\"type\":\"files\",\"paths\":[\"a/../b\"]"),
         "inputs[0]: a pattern has a component \"..\""},
        {INPUT("\"type\":\"files\",\"paths\":[\"a/\\\\../b\"]"),
         "inputs[0]: a pattern has a component \"..\""},
        {INPUT("\"type\":\"files\",\"paths\":[\"a/**/b\"]"), "inputs[0]: a pattern has \"**\""},
        {INPUT("\"type\":\"files\",\"paths\":[\"a/\"]"), "inputs[0]: a pattern ends in '/'"},
        {INPUT("\"type\":\"files\",\"paths\":[\".\"]"), "inputs[0]: a pattern names a directory"},
        {INPUT("\"type\":\"files\",\"paths\":[\"a[\"]"), "inputs[0]: "},
        {INPUT("\"type\":\"image\""), "inputs[0]: missing member \"image\""},
        {INPUT("\"type\":\"image\",\"image\":\"i\""), "inputs[0]: an image cannot link to itself"},
        {INPUT("\"type\":\"image\",\"image\":\"later\""),
         "inputs[0]: there is no image \"later\" before this one"},
        {INPUT("\"type\":\"image\",\"image\":\"i\",\"by\":\"name\""),
         "inputs[0].by: expected \"key\" or \"output\""},
        {INPUT("\"type\":\"image\",\"image\":\"i\",\"secret\":true"), "unknown member \"secret\""},
        {STAGE "]}]},{\"image\":\"j\",\"stages\":[{\"stage\":\"s\",\"inputs\":["
               "{\"input\":\"x\",\"type\":\"image\",\"image\":\"i\",\"stage\":\"t\"}" END,
         "images[1].stages[0].inputs[0]: image \"i\" has no stage \"t\""},
        {STAGE "]}]},{\"image\":\"j\",\"stages\":[{\"stage\":\"s\",\"inputs\":["
               "{\"input\":\"x\",\"type\":\"image\",\"image\":\"i\",\"by\":\"output\"}" END,
         "images[1].stages[0].inputs[0]: it is judged by the output of stage \"s\", which keeps no snapshot"},
        /* A cycle: the first link already looks forward. */
        {STAGE
         "{\"input\":\"x\",\"type\":\"image\",\"image\":\"j\"}]}]},{\"image\":\"j\",\"stages\":["
         "{\"stage\":\"s\",\"inputs\":[{\"input\":\"x\",\"type\":\"image\",\"image\":\"i\"}" END,
         "images[0].stages[0].inputs[0]: there is no image \"j\" before this one"},
};

START_TEST(test_project_parse_refusals)
{
        struct imgc_context *context = new_context(1);

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                struct imgc_project *project = NULL;
                struct imgc_error *error = NULL;
                int r = imgc_project_parse(context, bad[i].text, strlen(bad[i].text), "p", AT_FDCWD,
                                           &project, &error);
                enum imgc_error_code code = bad[i].code ? bad[i].code : IMGC_ERROR_SYNTAX;

                ck_assert_msg(r < 0, "%s", bad[i].text);
                ck_assert_ptr_null(project);
                ck_assert_msg(strstr(imgc_error_get_message(error), bad[i].message), "%s\n%s",
                              imgc_error_get_message(error), bad[i].message);
                ck_assert_int_eq(strncmp(imgc_error_get_message(error), "p:", 2), 0);
                expect_error(&error, r, code, code == IMGC_ERROR_SYNTAX ? EBADMSG : ENOTSUP);
        }
        imgc_context_unref(context);
}
END_TEST

static const char whole[] =
        "{\"imagecache\":\"project\",\"version\":1,\"name\":\"demo\",\"builder\":\"mk 1\",\"digest\":\"sha256\","
        "\"max_append\":3,\"images\":[{\"image\":\"base\",\"scope\":\"shared\",\"outputs\":[\"out/a\",\"/o/b\"],"
        "\"stages\":[{\"stage\":\"one\",\"snapshot\":true,\"max_age_seconds\":60,\"results\":[\"root\",\"meta\"],"
        "\"reads\":[{\"root\":\"/src/x/\",\"exclude\":[\"build/\"],\"method\":\"traced\"},{\"root\":\"y\"}],\"inputs\":["
        "{\"input\":\"o\",\"type\":\"option\",\"value\":{\"b\":[1,null],\"a\":\"x\"}},"
        "{\"input\":\"l\",\"type\":\"list\",\"items\":[\"b\",\"a\",\"b\"],\"on_change\":\"stale\"},"
        "{\"input\":\"s\",\"type\":\"set\",\"items\":[\"b\",\"a\",\"b\",{\"base64\":\"/w==\"}],\"append\":true},"
        "{\"input\":\"E\",\"type\":\"env\",\"on_change\":\"show\"},"
        "{\"input\":\"d\",\"type\":\"digest\",\"value\":\"v1\"},"
        "{\"input\":\"t\",\"type\":\"tree\",\"path\":\"tree\",\"kind\":\"directory\",\"fields\":\"type,content\","
        "\"exclude\":[\"*~\"],\"target\":\"/usr\",\"uid\":0,\"gid\":5,\"one_filesystem\":true,\"ignore_root\":true},"
        "{\"input\":\"f\",\"type\":\"file\",\"path\":\"tree/a\",\"fields\":\"image\",\"target\":\"b\"},"
        "{\"input\":\"fs\",\"type\":\"files\",\"paths\":[\"./tree//*\",\"none*\"],\"exclude\":[\"b\"],\"optional\":true},"
        "{\"input\":\"n\",\"type\":\"tree\",\"path\":\"none\",\"optional\":true}]},"
        "{\"stage\":\"two\",\"snapshot\":\"auto\",\"inputs\":[]}]},"
        "{\"image\":\"top\",\"stages\":[{\"stage\":\"one\",\"inputs\":["
        "{\"input\":\"i\",\"type\":\"image\",\"image\":\"base\",\"stage\":\"one\"},"
        "{\"input\":\"j\",\"type\":\"image\",\"image\":\"base\",\"on_change\":\"show\"}]}]}]}";

static const char *no_env(void *userdata, const char *name)
{
        (void)userdata;
        (void)name;
        return NULL;
}

static struct imgc_manifest *seal(struct imgc_context *context, struct imgc_project *project)
{
        struct imgc_seal_options options = IMGC_SEAL_OPTIONS_INIT;
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;
        int r;

        options.env = no_env;
        r = imgc_manifest_seal(context, project, &options, &manifest, &error);
        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "");
        return manifest;
}

static void make_inputs(struct scratch *scratch)
{
        scratch_open(scratch);
        make_directory(scratch, "tree", 0755);
        make_text(scratch, "tree/a", "a");
        make_text(scratch, "tree/b", "b");
        make_text(scratch, "tree/c~", "c");
}

START_TEST(test_project_parse_whole)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        int r;

        make_inputs(&scratch);
        r = imgc_project_parse(context, whole, strlen(whole), NULL, scratch.fd, &project, &error);
        ck_assert_msg(r == 0, "%s", error ? imgc_error_get_message(error) : "");
        ck_assert_str_eq(imgc_project_get_name(project), "demo");
        ck_assert_str_eq(imgc_project_get_builder(project), "mk 1");
        ck_assert_int_eq(imgc_project_get_digest_algorithm(project), IMGC_DIGEST_SHA256);
        ck_assert_uint_eq(imgc_project_get_n_images(project), 2);
        ck_assert_str_eq(imgc_project_get_image(project, 0), "base");
        ck_assert_ptr_null(imgc_project_get_image(project, 2));
        ck_assert_str_eq(imgc_project_get_scope(project, 0), "shared");
        ck_assert_str_eq(imgc_project_get_scope(project, 1), "top");
        ck_assert_ptr_null(imgc_project_get_scope(project, 2));
        ck_assert_str_eq(imgc_project_get_outputs(project, 0)[1], "/o/b");
        ck_assert_ptr_null(imgc_project_get_outputs(project, 1)[0]);
        ck_assert_ptr_null(imgc_project_get_outputs(project, 2));
        ck_assert_uint_eq(imgc_project_get_n_stages(project, 0), 2);
        ck_assert_uint_eq(imgc_project_get_n_stages(project, 2), 0);
        ck_assert_str_eq(imgc_project_get_stage(project, 0, 1), "two");
        ck_assert_ptr_null(imgc_project_get_stage(project, 1, 1));
        ck_assert_str_eq(imgc_project_get_results(project, 0, 0)[1], "meta");
        ck_assert_str_eq(imgc_project_get_results(project, 0, 1)[0], "root");
        ck_assert_ptr_null(imgc_project_get_results(project, 3, 0));
        imgc_project_unref(imgc_project_ref(project));
        imgc_project_unref(project);
        ck_assert_ptr_null(imgc_project_unref(NULL));
        imgc_context_unref(context);
}
END_TEST

/* The same project by calls. */
static struct imgc_project *build_whole(struct imgc_context *context, int dirfd)
{
        struct imgc_project_options project_options = IMGC_PROJECT_OPTIONS_INIT;
        struct imgc_project_builder *builder = NULL;
        struct imgc_project *project = NULL;
        const char *const outputs[] = {"out/a", "/o/b", NULL}, *const results[] = {"root", "meta",
                                                                                   NULL};
        const char *const build[] = {"build/", NULL}, *const list[] = {"b", "a", "b", NULL};
        const char *const set[] = {"b", "a", "b", "\xff", NULL}, *const backups[] = {"*~", NULL};
        const char *const b[] = {"b", NULL}, *const patterns[] = {"./tree//*", "none*", NULL};
        struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_read_options read_options = IMGC_READ_OPTIONS_INIT;
        struct imgc_value_input_options value = IMGC_VALUE_INPUT_OPTIONS_INIT;
        struct imgc_tree_input_options tree = IMGC_TREE_INPUT_OPTIONS_INIT;
        struct imgc_link_input_options link_options = IMGC_LINK_INPUT_OPTIONS_INIT;

#define OK(call) ck_assert_int_eq(call, 0)
        project_options.name = "demo";
        project_options.builder = "mk 1";
        project_options.digest = IMGC_DIGEST_SHA256;
        project_options.max_append = 3;
        project_options.dirfd = dirfd;
        OK(imgc_project_builder_new(context, &project_options, &builder, NULL));
        image.name = "base";
        image.scope = "shared";
        image.outputs = outputs;
        OK(imgc_project_builder_add_image(builder, &image, NULL));
        stage.name = "one";
        stage.snapshot = IMGC_SNAPSHOT_YES;
        stage.max_age_seconds = 60;
        stage.results = results;
        OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        read_options.root = "/src/x/";
        read_options.exclude = build;
        read_options.method = "traced";
        OK(imgc_project_builder_add_read(builder, &read_options, NULL));
        read_options = (struct imgc_read_options)IMGC_READ_OPTIONS_INIT;
        read_options.root = "y";
        OK(imgc_project_builder_add_read(builder, &read_options, NULL));
        value.name = "o";
        value.type = IMGC_INPUT_OPTION;
        value.value = "{\"b\":[1,null],\"a\":\"x\"}";
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        value = (struct imgc_value_input_options)IMGC_VALUE_INPUT_OPTIONS_INIT;
        value.name = "l";
        value.type = IMGC_INPUT_LIST;
        value.on_change = IMGC_ON_CHANGE_STALE;
        value.items = list;
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        value.name = "s";
        value.type = IMGC_INPUT_SET;
        value.on_change = 0;
        value.flags = IMGC_INPUT_APPEND;
        value.items = set;
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        value = (struct imgc_value_input_options)IMGC_VALUE_INPUT_OPTIONS_INIT;
        value.name = "E";
        value.type = IMGC_INPUT_ENV;
        value.on_change = IMGC_ON_CHANGE_SHOW;
        value.flags = IMGC_INPUT_ENV_GIVEN;
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        value = (struct imgc_value_input_options)IMGC_VALUE_INPUT_OPTIONS_INIT;
        value.name = "d";
        value.type = IMGC_INPUT_DIGEST;
        value.value = "v1";
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        tree.name = "t";
        tree.path = "tree";
        tree.kind = IMGC_TREE_KIND_DIRECTORY;
        tree.fields = "content,type";
        tree.exclude = backups;
        tree.target = "/usr";
        tree.uid = 0;
        tree.gid = 5;
        tree.flags = IMGC_INPUT_ONE_FILESYSTEM | IMGC_INPUT_IGNORE_ROOT;
        OK(imgc_project_builder_add_tree(builder, &tree, NULL));
        tree = (struct imgc_tree_input_options)IMGC_TREE_INPUT_OPTIONS_INIT;
        tree.name = "f";
        tree.type = IMGC_INPUT_FILE;
        tree.path = "tree/a";
        tree.fields = "image";
        tree.target = "b";
        OK(imgc_project_builder_add_tree(builder, &tree, NULL));
        tree = (struct imgc_tree_input_options)IMGC_TREE_INPUT_OPTIONS_INIT;
        tree.name = "fs";
        tree.type = IMGC_INPUT_FILES;
        tree.paths = patterns;
        tree.exclude = b;
        tree.flags = IMGC_INPUT_OPTIONAL;
        OK(imgc_project_builder_add_tree(builder, &tree, NULL));
        tree = (struct imgc_tree_input_options)IMGC_TREE_INPUT_OPTIONS_INIT;
        tree.name = "n";
        tree.path = "none";
        tree.flags = IMGC_INPUT_OPTIONAL;
        OK(imgc_project_builder_add_tree(builder, &tree, NULL));
        stage = (struct imgc_stage_options)IMGC_STAGE_OPTIONS_INIT;
        stage.name = "two";
        stage.snapshot = IMGC_SNAPSHOT_AUTO;
        OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        image = (struct imgc_image_options)IMGC_IMAGE_OPTIONS_INIT;
        image.name = "top";
        OK(imgc_project_builder_add_image(builder, &image, NULL));
        stage.name = "one";
        stage.snapshot = 0;
        OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        link_options.name = "i";
        link_options.image = "base";
        link_options.stage = "one";
        OK(imgc_project_builder_add_link(builder, &link_options, NULL));
        link_options.name = "j";
        link_options.stage = NULL;
        link_options.on_change = IMGC_ON_CHANGE_SHOW;
        OK(imgc_project_builder_add_link(builder, &link_options, NULL));
        OK(imgc_project_builder_finish(builder, &project, NULL));
        imgc_project_builder_free(builder);
        return project;
}

START_TEST(test_project_builder_equals_json)
{
        struct imgc_context *context = new_context(2);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_manifest *one, *other;
        struct imgc_project *parsed = NULL, *built;
        const char *a, *b;
        size_t a_size, b_size;

        make_inputs(&scratch);
        ck_assert_int_eq(
                imgc_project_parse(context, whole, strlen(whole), NULL, scratch.fd, &parsed, NULL),
                0);
        built = build_whole(context, scratch.fd);
        one = seal(context, parsed);
        other = seal(context, built);
        a = imgc_manifest_get_data(one, &a_size);
        b = imgc_manifest_get_data(other, &b_size);
        ck_assert_msg(a_size == b_size && !memcmp(a, b, a_size), "%.*s\n%.*s", (int)a_size, a,
                      (int)b_size, b);
        imgc_manifest_unref(one);
        imgc_manifest_unref(other);
        imgc_project_unref(parsed);
        imgc_project_unref(built);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ the builder's refusals */

static struct imgc_project_builder *new_builder(struct imgc_context *context, bool with_stage)
{
        struct imgc_project_options options = IMGC_PROJECT_OPTIONS_INIT;
        struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_project_builder *builder = NULL;

        options.name = options.builder = image.name = stage.name = "x";
        OK(imgc_project_builder_new(context, &options, &builder, NULL));
        if (with_stage) {
                OK(imgc_project_builder_add_image(builder, &image, NULL));
                OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        }
        return builder;
}

#define REFUSED(call, number, text)                                              \
        do {                                                                     \
                struct imgc_error *error = NULL;                                 \
                int r = call;                                                    \
                ck_assert_ptr_nonnull(error);                                    \
                ck_assert_msg(strstr(imgc_error_get_message(error), text), "%s", \
                              imgc_error_get_message(error));                    \
                expect_error(&error, r, IMGC_ERROR_INVALID_ARGUMENT, number);    \
        } while (0)

START_TEST(test_project_builder_order)
{
        struct imgc_context *context = new_context(1);
        struct imgc_project_builder *builder = new_builder(context, false);
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
        struct imgc_value_input_options value = IMGC_VALUE_INPUT_OPTIONS_INIT;
        struct imgc_read_options read_options = IMGC_READ_OPTIONS_INIT;
        struct imgc_project *project = NULL;

        image.name = stage.name = value.name = read_options.root = value.value = "1";
        value.type = IMGC_INPUT_OPTION;
        REFUSED(imgc_project_builder_add_stage(builder, &stage, &error), EINVAL,
                "there is no image yet");
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "there is no stage yet");
        REFUSED(imgc_project_builder_add_read(builder, &read_options, &error), EINVAL,
                "there is no stage yet");
        OK(imgc_project_builder_add_image(builder, &image, NULL));
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "there is no stage yet");
        REFUSED(imgc_project_builder_finish(builder, &project, &error), EINVAL,
                "image \"1\" has no stage");
        image.name = "2";
        REFUSED(imgc_project_builder_add_image(builder, &image, &error), EINVAL,
                "image \"1\" has no stage");
        OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        OK(imgc_project_builder_add_image(builder, &image, NULL));
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "image \"2\", input \"1\": there");
        OK(imgc_project_builder_add_stage(builder, &stage, NULL));
        OK(imgc_project_builder_add_value(builder, &value, NULL));
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "image \"2\", stage \"1\", input \"1\": another input");
        OK(imgc_project_builder_finish(builder, &project, NULL));
        REFUSED(imgc_project_builder_finish(builder, &project, &error), EINVAL,
                "the project is finished");
        REFUSED(imgc_project_builder_add_image(builder, &image, &error), EINVAL,
                "the project is finished");
        imgc_project_builder_free(builder);
        ck_assert_ptr_null(imgc_project_builder_free(NULL));
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_project_builder_options)
{
        struct imgc_context *context = new_context(1);
        struct imgc_project_builder *builder = new_builder(context, true);
        struct {
                struct imgc_value_input_options known;
                char more;
        } newer = {IMGC_VALUE_INPUT_OPTIONS_INIT, 0};
        struct imgc_value_input_options value = IMGC_VALUE_INPUT_OPTIONS_INIT;
        struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
        struct imgc_link_input_options link_options = IMGC_LINK_INPUT_OPTIONS_INIT;
        const char *const items[] = {NULL};

        newer.known.size = sizeof(newer);
        newer.known.name = "a";
        newer.known.type = IMGC_INPUT_DIGEST;
        newer.known.value = "v";
        newer.more = 1;
        REFUSED(imgc_project_builder_add_value(builder, &newer.known, &error), E2BIG,
                "does not know");
        newer.more = 0;
        OK(imgc_project_builder_add_value(builder, &newer.known, NULL));
        REFUSED(imgc_project_builder_add_value(builder, NULL, &error), EINVAL, "no options");
        value.size = 0;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL, "without a size");
        value.size = sizeof(value);
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "its type is none of a value");
        value.type = IMGC_INPUT_OPTION;
        value.value = "1";
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL, "it has no name");
        value.name = "x";
        value.value = "{\"a\":1,\n\"a\":\"hunter2\"}";
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "value, line 2, column 1: a member stands twice");
        value.value = "1],[2";
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "value, line 1, column 2: something follows the value");
        value.value = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]";
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "nested too deeply");
        value.value = NULL;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL, "it has no value");
        value.items = items;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "a value has no items");
        value.type = IMGC_INPUT_LIST;
        value.items = NULL;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL, "it has no items");
        value.type = IMGC_INPUT_ENV;
        value.value = "v";
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "IMGC_INPUT_ENV_GIVEN");
        value.flags = IMGC_INPUT_APPEND;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL,
                "flags that an input");
        value.flags = IMGC_INPUT_ENV_GIVEN;
        value.on_change = 3;
        REFUSED(imgc_project_builder_add_value(builder, &value, &error), EINVAL, "unknown value");
        stage.name = "y";
        stage.snapshot = 3;
        REFUSED(imgc_project_builder_add_stage(builder, &stage, &error), EINVAL, "unknown value");
        stage.snapshot = 0;
        stage.max_age_seconds = UINT64_C(1) << 53;
        REFUSED(imgc_project_builder_add_stage(builder, &stage, &error), EINVAL, "2^53-1");
        link_options.name = "l";
        REFUSED(imgc_project_builder_add_link(builder, &link_options, &error), EINVAL,
                "it names no image");
        link_options.image = "x";
        link_options.by = 2;
        REFUSED(imgc_project_builder_add_link(builder, &link_options, &error), EINVAL,
                "unknown value");
        imgc_project_builder_free(builder);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_project_builder_trees)
{
        struct imgc_context *context = new_context(1);
        struct imgc_project_builder *builder = new_builder(context, true);
        struct imgc_tree *tree = parse_tree(
                context, "#mtree imagecache=1 digest=xxh128 fields=type,exec,size,link,content\n"
                         ". type=dir\n./a type=file size=1 "
                         "xxh128=00000000000000000000000000000000\n");
        struct imgc_tree *other =
                parse_tree(context, "#mtree imagecache=1 digest=sha256 fields=type\n. type=dir\n");
        struct imgc_tree_input_options o = IMGC_TREE_INPUT_OPTIONS_INIT;
        const char *const patterns[] = {"*", NULL};

        o.name = "t";
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "it has no path");
        o.path = "a";
        o.tree = tree;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "more than one place");
        o.path = NULL;
        o.fields = "image";
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "with other fields");
        o.fields = "content";
        o.kind = IMGC_TREE_KIND_DIRECTORY;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "of another kind");
        o.kind = IMGC_TREE_KIND_LISTING;
        o.type = IMGC_INPUT_FILE;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL,
                "only an input of type \"tree\"");
        o.kind = 0;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "not a single file");
        o.type = IMGC_INPUT_FILES;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "patterns belong to");
        o.type = IMGC_INPUT_TREE;
        o.tree = other;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "another digest");
        o.tree = tree;
        OK(imgc_project_builder_add_tree(builder, &o, NULL));
        o.tree = NULL;
        o.name = "u";
        o.paths = patterns;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "patterns belong to");
        o.type = IMGC_INPUT_FILES;
        o.label = "l";
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "have no label");
        o.label = NULL;
        o.paths = NULL;
        o.data = "x";
        o.data_bytes = 1;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "patterns belong to");
        o.type = IMGC_INPUT_FILE;
        o.fields = "image";
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL,
                "fields of \"content\" only");
        o.fields = NULL;
        o.flags = IMGC_INPUT_IGNORE_ROOT;
        REFUSED(imgc_project_builder_add_tree(builder, &o, &error), EINVAL, "flags that an input");
        o.flags = IMGC_INPUT_EXECUTABLE;
        OK(imgc_project_builder_add_tree(builder, &o, NULL));
        imgc_project_builder_free(builder);
        imgc_tree_unref(tree);
        imgc_tree_unref(other);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ files */

static const char small[] = STAGE "{\"input\":\"x\",\"type\":\"file\",\"path\":\"f\"}" END;

START_TEST(test_project_load_at)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        struct imgc_manifest *manifest;
        unsigned n_open;
        int r;

        scratch_open(&scratch);
        n_open = count_descriptors();
        make_directory(&scratch, "d", 0755);
        make_text(&scratch, "d/f", "content");
        make_text(&scratch, "d/p.json", small);
        r = imgc_project_load_at(context, scratch.fd, "none", &project, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_NOT_FOUND, ENOENT));
        r = imgc_project_load_at(context, scratch.fd, "d/p.json/x", &project, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_NOT_FOUND, ENOTDIR));
        r = imgc_project_load_at(context, scratch.fd, "d", &project, &error);
        ck_assert(expect_error(&error, r, IMGC_ERROR_IO, EISDIR));
        ck_assert_int_eq(imgc_project_load_at(context, scratch.fd, "d/p.json", &project, &error),
                         0);
        manifest = seal(context, project);
        imgc_manifest_unref(manifest);
        imgc_project_unref(project);
        ck_assert_uint_eq(count_descriptors(), n_open);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_project_load_fd)
{
        struct imgc_context *context = new_context(1);
        _cleanup_scratch_ struct scratch scratch;
        struct imgc_project *project = NULL;
        int pipe_fds[2];

        scratch_open(&scratch);
        make_text(&scratch, "f", "content");
        ck_assert_int_eq(pipe(pipe_fds), 0);
        ck_assert_int_eq(write(pipe_fds[1], small, strlen(small)), (ssize_t)strlen(small));
        close(pipe_fds[1]);
        ck_assert_int_eq(
                imgc_project_load_fd(context, pipe_fds[0], "-", scratch.fd, &project, NULL), 0);
        close(pipe_fds[0]);
        imgc_manifest_unref(seal(context, project));
        imgc_project_unref(project);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_project_parse_limits)
{
        struct imgc_context *context = new_context(1);
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        size_t size = ((size_t)16 << 20) + 1;
        struct buffer text = {0};
        char *spaces = malloc(size);
        int r;

        memset(spaces, ' ', size);
        r = imgc_project_parse(context, spaces, size, NULL, AT_FDCWD, &project, &error);
        expect_error(&error, r, IMGC_ERROR_LIMIT, E2BIG);
        free(spaces);
        buffer_add_string(&text, STAGE);
        for (unsigned i = 0; i < 4097; i++)
                buffer_printf(&text, "%s{\"input\":\"%u\",\"type\":\"env\"}", i ? "," : "", i);
        buffer_add_string(&text, END);
        r = imgc_project_parse(context, text.data, text.size, NULL, AT_FDCWD, &project, &error);
        ck_assert_ptr_nonnull(
                strstr(imgc_error_get_message(error), "inputs[4096]: there are more than 4096"));
        expect_error(&error, r, IMGC_ERROR_SYNTAX, EBADMSG);
        buffer_free(&text);
        imgc_context_unref(context);
}
END_TEST

/* Cut anywhere, with any byte replaced: an error or a project, and nothing else. */
START_TEST(test_project_parse_mutations)
{
        struct imgc_context *context = new_context(1);
        struct random random = {1};
        char text[sizeof(whole)];

        for (size_t i = 0; i < strlen(whole); i++) {
                struct imgc_project *project = NULL;
                struct imgc_error *error = NULL;
                int r = imgc_project_parse(context, whole, i, "p", AT_FDCWD, &project, &error);

                expect_error(&error, r, IMGC_ERROR_SYNTAX, EBADMSG);
        }
        for (unsigned i = 0; i < 5000; i++) {
                struct imgc_project *project = NULL;
                struct imgc_error *error = NULL;

                memcpy(text, whole, sizeof(whole));
                for (unsigned j = 0; j <= i % 3; j++)
                        text[random_below(&random, sizeof(text) - 1)] = (char)random_u64(&random);
                if (imgc_project_parse(context, text, strlen(whole), "p", AT_FDCWD, &project,
                                       &error) < 0)
                        imgc_error_unref(error);
                else
                        imgc_project_unref(project);
        }
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------ patterns */

START_TEST(test_pattern_normalize)
{
        static const struct {
                const char *pattern, *normal;
        } cases[] = {
                {"a", "a"},       {"./a", "a"},   {"a//b", "a/b"},  {"././a/./b", "a/b"},
                {".a/*", ".a/*"}, {"..a", "..a"}, {"a\\*", "a\\*"}, {"[]]", "[]]"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_buffer_ struct buffer out = {0};

                ck_assert_ptr_null(pattern_normalize(cases[i].pattern, &out));
                ck_assert_str_eq(buffer_string(&out), cases[i].normal);
        }
}
END_TEST

START_TEST(test_pattern_matches_dots)
{
        static const struct {
                const char *pattern, *name;
                bool matches;
        } cases[] = {
                {"*", "a", true},       {"*", ".a", false},    {".*", ".a", true},
                {"\\.*", ".a", true},   {"[.]*", ".a", false}, {"?a", ".a", false},
                {"a*", "a.b", true},    {"[a-c]", "b", true},  {"[!a-c]", "b", false},
                {"[!a]a", ".a", false},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++)
                ck_assert_msg(
                        pattern_matches((struct span){cases[i].pattern, strlen(cases[i].pattern)},
                                        cases[i].name) == cases[i].matches,
                        "%s %s", cases[i].pattern, cases[i].name);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_project_parse_refusals,
                test_project_parse_whole,
                test_project_builder_equals_json,
                test_project_builder_order,
                test_project_builder_options,
                test_project_builder_trees,
                test_project_load_at,
                test_project_load_fd,
                test_project_parse_limits,
                test_project_parse_mutations,
                test_pattern_normalize,
                test_pattern_matches_dots,
        };

        return run_suite(SUITE_OF("project", tests));
}
