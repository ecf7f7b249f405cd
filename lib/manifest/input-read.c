/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the inputs of a stage in parallel: files and what is not there side by side, then
 * directories one after the other, each with all threads. So there are never more threads than
 * the context allows.
 */
#include "manifest/input-read.h"

#include <errno.h>
#include <fcntl.h>

#include "core/error.h"
#include "core/io.h"
#include "core/options.h"
#include "manifest/files.h"
#include "manifest/json.h"
#include "manifest/pool.h"

int seal_settings_init(struct imgc_context *context, const struct imgc_project *project,
                       const struct imgc_seal_options *options, struct seal_settings *ret,
                       struct imgc_error **reterr)
{
        struct imgc_seal_options o = IMGC_SEAL_OPTIONS_INIT;
        const char *reason = NULL;
        int r = 0;

        if (options) {
                r = options_check_size(options, options->size, sizeof(o));
                if (r < 0)
                        return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, r, "seal", NULL,
                                            "options of an unknown size");
                memcpy(&o, options, MIN(options->size, sizeof(o)));
        }
        if (o.flags & ~(uint32_t)IMGC_SEAL_NO_LISTINGS || o.reserved)
                reason = "unknown value in the options";
        else if (o.secret && (o.secret_bytes < 16 || o.secret_bytes > 4096))
                reason = "a secret has 16 to 4096 bytes";
        if (reason)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                    "%s", reason);
        *ret = (struct seal_settings){
                .context = context,
                .project = project,
                .flags = o.flags,
                .env = o.env,
                .env_userdata = o.env_userdata,
                .secret = o.secret,
                .secret_size = o.secret_bytes,
        };
        return 0;
}

int error_at_place(const char *place, struct imgc_error *error, int r, struct imgc_error **reterr)
{
        if (r == -ENOMEM || !error)
                r = error_no_memory(reterr);
        else
                r = error_message(reterr, imgc_error_get_code(error), r,
                                  imgc_error_get_operation(error), imgc_error_get_path(error),
                                  "%s: %s", place, imgc_error_get_message(error));
        imgc_error_unref(error);
        return r;
}

void seen_done(struct seen *seen)
{
        imgc_tree_unref(seen->tree);
        /* May be a secret. */
        if (seen->value.data)
                explicit_bzero(seen->value.data, seen->value.size);
        buffer_free(&seen->value);
}

/* ------------------------------------------------------------------------------ variables */

static int read_variable(const struct seal_settings *settings, const struct project_input *input,
                         struct seen *seen, struct imgc_error **reterr)
{
        const char *value;

        if (input->value)
                return 0;
        if (!settings->env)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal", NULL,
                                     "%s: no environment was given to take the variable from",
                                     input->place);
        value = settings->env(settings->env_userdata, input->name);
        if (value)
                json_add_bytes(&seen->value, value, strlen(value));
        else
                buffer_add_literal(&seen->value, "null");
        return buffer_string(&seen->value) ? 0 : error_no_memory(reterr);
}

/* ------------------------------------------------------------------------------ trees */

struct reading {
        const struct seal_settings *settings;
        const struct project_stage *stage;
        struct seen *seen;
        uint32_t *order; /* numbers of inputs */
        unsigned flags;
};

static int read_tree(const struct reading *reading, struct imgc_context *context, uint32_t index,
                     struct imgc_error **reterr)
{
        const struct seal_settings *settings = reading->settings;
        const struct project_input *input =
                project_input_of(settings->project, reading->stage, index);
        uint32_t flags = input->flags & IMGC_INPUT_SECRET ||
                                         settings->flags & IMGC_SEAL_NO_LISTINGS ?
                                 IMGC_TREE_DIGEST_ONLY :
                                 0;
        struct seen *seen = &reading->seen[index];
        struct imgc_error *error = NULL;
        int r;

        r = input->type == IMGC_INPUT_FILES ?
                    files_read(context, settings->project, input, &seen->tree, &error) :
                    path_read(context, settings->project, input, flags, &seen->tree, &error);
        if (r == -ENOENT && reading->flags & SEEN_GONE) {
                seen->gone = true;
                imgc_error_unref(error);
                return 0;
        }
        return r < 0 ? error_at_place(input->place, error, r, reterr) : 0;
}

static int read_in_pool(void *userdata, struct imgc_context *context, uint32_t index,
                        uint64_t *ret_entries, uint64_t *ret_bytes, struct imgc_error **reterr)
{
        const struct reading *reading = userdata;
        const struct imgc_tree *tree;
        int r = read_tree(reading, context, reading->order[index], reterr);

        tree = reading->seen[reading->order[index]].tree;
        if (tree) {
                *ret_entries = tree->n_entries;
                *ret_bytes = tree->n_bytes;
        }
        return r;
}

/* A race does no harm: a directory in the first group is read by one thread. */
static bool is_directory(const struct imgc_project *project, const struct project_input *input)
{
        struct stat st;

        return input->type == IMGC_INPUT_TREE &&
               imgc_io_fstatat(project->dirfd, input->path, &st, 0) >= 0 && S_ISDIR(st.st_mode);
}

static int read_trees(struct reading *reading, struct imgc_error **reterr)
{
        const struct imgc_project *project = reading->settings->project;
        uint32_t n = reading->stage->n_inputs, n_small = 0, first_large = n;
        int r;

        for (uint32_t i = n; i-- > 0;) {
                const struct project_input *input = project_input_of(project, reading->stage, i);

                if (input->tree)
                        reading->seen[i].tree = imgc_tree_ref(input->tree);
                else if (input->path && is_directory(project, input))
                        reading->order[--first_large] = i;
        }
        for (uint32_t i = 0, large = first_large; i < n; i++) {
                const struct project_input *input = project_input_of(project, reading->stage, i);

                if (large < n && reading->order[large] == i)
                        large++;
                else if ((input->path || input->patterns) && !input->tree)
                        reading->order[n_small++] = i;
        }
        r = pool_run(reading->settings->context, n_small, read_in_pool, reading, reterr);
        for (uint32_t i = first_large; r >= 0 && i < n; i++)
                r = read_tree(reading, reading->settings->context, reading->order[i], reterr);
        return r;
}

int inputs_read(const struct seal_settings *settings, const struct project_stage *stage,
                unsigned flags, struct seen *seen, struct imgc_error **reterr)
{
        struct reading reading = {
                .settings = settings, .stage = stage, .seen = seen, .flags = flags};
        int r = 0;

        for (uint32_t i = 0; r >= 0 && i < stage->n_inputs; i++) {
                const struct project_input *input = project_input_of(settings->project, stage, i);

                if (input->flags & IMGC_INPUT_SECRET && !settings->secret)
                        return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "seal",
                                             NULL, "%s: no secret was given to keep it with",
                                             input->place);
                if (input->type == IMGC_INPUT_ENV)
                        r = read_variable(settings, input, &seen[i], reterr);
        }
        if (r < 0)
                return r;
        reading.order = imgc_io_calloc(stage->n_inputs, sizeof(*reading.order));
        if (!reading.order)
                return error_no_memory(reterr);
        r = read_trees(&reading, reterr);
        free(reading.order);
        return r;
}
