/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

static const struct option_spec manifest_options[] = {
        {OPTION_OUTPUT, "output", "FILE",
         "write the manifest to FILE, which is replaced when it is whole"},
        {OPTION_NO_LISTINGS, "no-listings", NULL,
         "keep the digests of trees only: a smaller file, that cannot say which file changed"},
        {OPTION_SECRET_FILE, "secret-file", "FILE",
         "the key that secrets are hashed with: FILE's bytes, 16 to 4096"},
        {0},
};

static void print_input(const struct imgc_manifest_input *input)
{
        write_to_stdout(NULL, input->line, input->line_bytes);
}

static void print_stage(const struct imgc_manifest *manifest, uint32_t image, uint32_t stage)
{
        const char *separator = "";

        fputs("{\"stage\":", stdout);
        print_json_string(imgc_manifest_get_stage(manifest, image, stage));
        printf(",\"key\":\"%s\",\"inputs\":[", imgc_manifest_get_key(manifest, image, stage));
        for (uint32_t i = 0; i < imgc_manifest_get_n_inputs(manifest, image, stage); i++) {
                struct imgc_manifest_input input = IMGC_MANIFEST_INPUT_INIT;

                imgc_manifest_get_input(manifest, image, stage, i, &input);
                fputs(separator, stdout);
                separator = ",";
                print_input(&input);
        }
        fputs("]}", stdout);
}

static void print_image(const struct imgc_manifest *manifest, uint32_t image)
{
        const char *separator = "";

        fputs("{\"image\":", stdout);
        print_json_string(imgc_manifest_get_image(manifest, image));
        fputs(",\"scope\":", stdout);
        print_json_string(imgc_manifest_get_scope(manifest, image));
        fputs(",\"stages\":[", stdout);
        for (uint32_t i = 0; i < imgc_manifest_get_n_stages(manifest, image); i++) {
                fputs(separator, stdout);
                separator = ",";
                print_stage(manifest, image, i);
        }
        fputs("]}", stdout);
}

/* The manifest as one object, without listings. */
static void print_json(const struct imgc_manifest *manifest)
{
        const char *separator = "";

        fputs("{\"version\":1,\"name\":", stdout);
        print_json_string(imgc_manifest_get_name(manifest));
        fputs(",\"builder\":", stdout);
        print_json_string(imgc_manifest_get_builder(manifest));
        printf(",\"digest\":\"%s\",\"images\":[",
               imgc_digest_algorithm_get_name(imgc_manifest_get_digest_algorithm(manifest)));
        for (uint32_t i = 0; i < imgc_manifest_get_n_images(manifest); i++) {
                fputs(separator, stdout);
                separator = ",";
                print_image(manifest, i);
        }
        fputs("]}\n", stdout);
}

static int write_manifest(struct cli *cli, const struct imgc_manifest *manifest)
{
        struct imgc_error *error = NULL;
        const char *data;
        size_t size;

        progress_clear();
        if (cli->output && imgc_manifest_save_at(manifest, AT_FDCWD, cli->output, &error) < 0)
                return fail_error(cli, error);
        if (cli->json) {
                print_json(manifest);
        } else if (!cli->output) {
                data = imgc_manifest_get_data(manifest, &size);
                write_to_stdout(NULL, data, size); /* told by finish_output() */
        }
        return EXIT_SAME;
}

static int run(struct cli *cli, char **arguments, int n_arguments)
{
        struct imgc_project *project = read_project(cli, arguments[0]);
        struct imgc_seal_options options = IMGC_SEAL_OPTIONS_INIT;
        struct imgc_manifest *manifest = NULL;
        struct imgc_error *error = NULL;
        int code;

        (void)n_arguments;
        if (!project)
                return EXIT_TROUBLE;
        options.env = get_env;
        options.flags = cli->no_listings ? IMGC_SEAL_NO_LISTINGS : 0;
        options.secret = cli->secret;
        options.secret_bytes = cli->secret_bytes;
        if (imgc_manifest_seal(cli->context, project, &options, &manifest, &error) < 0)
                code = fail_error(cli, error);
        else
                code = write_manifest(cli, manifest);
        imgc_manifest_unref(manifest);
        imgc_project_unref(project);
        return code;
}

const struct verb verb_manifest = {
        .name = "manifest",
        .arguments = "PROJECT",
        .summary = "record what goes into a project's images",
        .description =
                "Reads all inputs of PROJECT, a JSON file (- is standard input), and prints its "
                "manifest: every input as it was seen, and a key for each stage. With --json, one "
                "object without the listings of trees. Compare manifests with `imagecache diff`.",
        .options = manifest_options,
        .min_arguments = 1,
        .max_arguments = 1,
        .run = run,
};
