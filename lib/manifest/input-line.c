/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The line of an input that was read. */
#include <errno.h>

#include "core/error.h"
#include "manifest/input-read.h"
#include "manifest/json.h"
#include "manifest/key.h"
#include "manifest/line.h"

static struct input_facts facts_of(const struct imgc_project *project,
                                   const struct project_input *input, const struct seen *seen)
{
        struct input_facts facts = {
                .value = seen->value.data ? seen->value.data : input->value,
                .fields = input->fields,
                .link = seen->link,
        };

        if (seen->tree) {
                facts.digest = seen->tree->digest;
                facts.fields = seen->tree->fields;
                facts.n_bytes = seen->tree->n_bytes;
                facts.n_entries = seen->tree->n_entries;
        }
        if (input->type == IMGC_INPUT_IMAGE) {
                facts.link_image = project->images[input->image].name;
                facts.link_stage = project_stage_of(project, input->image, input->stage)->name;
        }
        return facts;
}

int input_add_line(const struct seal_settings *settings, const struct project_input *input,
                   const struct seen *seen, bool with_info, struct buffer *ret,
                   struct imgc_error **reterr)
{
        struct input_facts facts = facts_of(settings->project, input, seen);
        char hmac[KEY_HEX_SIZE];
        size_t start = ret->size;

        if (input->flags & IMGC_INPUT_SECRET) {
                struct buffer plain = {0};
                int r;

                line_add_input(&plain, input, &facts, false);
                buffer_add_char(&plain, '\n');
                r = hmac_of(settings->context, settings->secret, settings->secret_size, &plain,
                            hmac);
                if (plain.data)
                        explicit_bzero(plain.data, plain.size);
                buffer_free(&plain);
                if (r < 0)
                        return error_no_memory(reterr);
                facts.hmac = hmac;
        }
        line_add_input(ret, input, &facts, with_info);
        if (ret->failed)
                return error_no_memory(reterr);
        /* Or we would write what we refuse to read. */
        if (ret->size - start > LIMIT_JSON_BYTES)
                return error_message(reterr, IMGC_ERROR_LIMIT, -E2BIG, "seal", NULL,
                                     "%s: its line in the manifest would have more than %zu bytes",
                                     input->place, LIMIT_JSON_BYTES);
        return 0;
}
