/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Members stand in canonical order, which is that of the functions; defaults are left out, but
 * not in `info`. */
#include "manifest/line.h"

#include <inttypes.h>

#include "core/text.h"
#include "manifest/json.h"
#include "manifest/words.h"

static void add_text(struct buffer *out, const char *before, const char *text)
{
        buffer_add_string(out, before);
        json_add_bytes(out, text, strlen(text));
}

void line_add_head(struct buffer *out, const struct head_facts *head, bool with_info)
{
        add_text(out, "{\"builder\":", head->builder);
        buffer_printf(out, ",\"digest\":\"%s\",\"imagecache\":\"manifest\"",
                      imgc_digest_algorithm_get_name(head->digest));
        if (with_info)
                buffer_printf(out,
                              ",\"info\":{\"lines\":%" PRIu64
                              ",\"listings\":%s,\"max_append\":%" PRIu32 "}",
                              head->n_lines, head->listings ? "true" : "false", head->max_append);
        add_text(out, ",\"name\":", head->name);
        buffer_add_literal(out, ",\"version\":1}");
}

void line_add_image(struct buffer *out, const struct project_image *image)
{
        add_text(out, "{\"image\":", image->name);
        buffer_add_literal(out, ",\"info\":{\"outputs\":[");
        for (size_t i = 0; image->outputs[i]; i++) {
                size_t size;
                const char *label = path_label(image->outputs[i], &size);

                if (i)
                        buffer_add_char(out, ',');
                json_add_bytes(out, label, size);
        }
        add_text(out, "]},\"scope\":", image->scope);
        buffer_add_char(out, '}');
}

/* ------------------------------------------------------------------------------ stages */

static void add_stage_info(struct buffer *out, const struct project_stage *stage, const char *key,
                           const char *previous)
{
        static const char *const snapshots[] = {"false", "true", "\"auto\""};

        buffer_printf(out, "\"info\":{\"key\":\"%s\",\"max_age_seconds\":", key);
        if (stage->max_age_seconds == MAX_AGE_UNLIMITED)
                buffer_add_literal(out, "null");
        else
                buffer_add_u64(out, stage->max_age_seconds);
        if (previous) {
                buffer_add_literal(out, ",\"previous\":");
                buffer_add_string(out, previous);
        }
        buffer_printf(out, ",\"snapshot\":%s},", snapshots[stage->snapshot]);
}

static void add_reads(struct buffer *out, const struct project_read *reads, uint32_t n)
{
        buffer_add_literal(out, "\"reads\":[");
        for (uint32_t i = 0; i < n; i++) {
                buffer_add_string(out, i ? ",{" : "{");
                if (reads[i].exclude && *reads[i].exclude) {
                        buffer_add_literal(out, "\"exclude\":");
                        json_add_strings(out, reads[i].exclude);
                        buffer_add_char(out, ',');
                }
                if (reads[i].method) {
                        add_text(out, "\"method\":", reads[i].method);
                        buffer_add_char(out, ',');
                }
                add_text(out, "\"root\":", reads[i].label);
                buffer_add_char(out, '}');
        }
        buffer_add_literal(out, "],");
}

void line_add_stage(struct buffer *out, const struct project_stage *stage,
                    const struct project_read *reads, const char *key, const char *previous,
                    bool with_info)
{
        bool root_alone = stage->n_results == 1 && !strcmp(stage->results[0], "root");

        buffer_add_char(out, '{');
        if (with_info)
                add_stage_info(out, stage, key, previous);
        if (stage->previous == IMGC_BY_OUTPUT)
                buffer_add_literal(out, "\"previous\":\"output\",");
        if (stage->n_reads)
                add_reads(out, reads, stage->n_reads);
        if (!root_alone) {
                buffer_add_literal(out, "\"results\":");
                json_add_strings(out, stage->results);
                buffer_add_char(out, ',');
        }
        add_text(out, "\"stage\":", stage->name);
        buffer_add_char(out, '}');
}

/* ------------------------------------------------------------------------------ inputs */

static void add_on_change(struct buffer *out, const struct project_input *input)
{
        if (input->on_change != IMGC_ON_CHANGE_REBUILD)
                buffer_printf(out, ",\"on_change\":\"%s\"", on_change_word(input->on_change));
}

static void add_type(struct buffer *out, const struct project_input *input)
{
        buffer_printf(out, ",\"type\":\"%s\"", imgc_input_type_get_name(input->type));
}

/* append, input, items, on_change, type, value */
static void add_value(struct buffer *out, const struct project_input *input,
                      const struct input_facts *facts)
{
        bool is_list = input->type == IMGC_INPUT_LIST || input->type == IMGC_INPUT_SET;

        buffer_add_char(out, '{');
        if (input->flags & IMGC_INPUT_APPEND)
                buffer_add_literal(out, "\"append\":true,");
        add_text(out, "\"input\":", input->name);
        if (is_list) {
                buffer_add_literal(out, ",\"items\":");
                buffer_add_string(out, facts->value);
        }
        add_on_change(out, input);
        add_type(out, input);
        if (!is_list) {
                buffer_add_literal(out, ",\"value\":");
                buffer_add_string(out, facts->value);
        }
        buffer_add_char(out, '}');
}

static void add_tree_info(struct buffer *out, const struct project_input *input,
                          const struct input_facts *facts)
{
        const uint64_t max = JSON_INTEGER_MAX;

        buffer_printf(out, "\"info\":{\"bytes\":%" PRIu64 ",\"entries\":%" PRIu64,
                      MIN(facts->n_bytes, max), facts->n_entries);
        if (input->label)
                add_text(out, ",\"label\":", input->label);
        buffer_add_literal(out, "},");
}

/* absent, digest, exclude, fields, gid, ignore_root, info, input, kind, on_change,
 * one_filesystem, paths, target, type, uid */
static void add_tree(struct buffer *out, const struct project_input *input,
                     const struct input_facts *facts, bool with_info)
{
        char fields[FIELDS_WORD_MAX];

        fields_word(facts->fields, fields);
        if (facts->digest)
                buffer_printf(out, "{\"digest\":\"%s\"", facts->digest);
        else
                buffer_add_literal(out, "{\"absent\":true");
        if (input->exclude) {
                buffer_add_literal(out, ",\"exclude\":");
                json_add_strings(out, input->exclude);
        }
        buffer_printf(out, ",\"fields\":\"%s\",", fields);
        if (input->gid != IMGC_ID_KEEP)
                buffer_printf(out, "\"gid\":%" PRIu32 ",", input->gid);
        if (input->flags & IMGC_INPUT_IGNORE_ROOT)
                buffer_add_literal(out, "\"ignore_root\":true,");
        if (with_info)
                add_tree_info(out, input, facts);
        add_text(out, "\"input\":", input->name);
        if (input->kind != IMGC_TREE_KIND_AUTO)
                buffer_printf(out, ",\"kind\":\"%s\"", tree_kind_word(input->kind));
        add_on_change(out, input);
        if (input->flags & IMGC_INPUT_ONE_FILESYSTEM)
                buffer_add_literal(out, ",\"one_filesystem\":true");
        if (input->patterns) {
                buffer_add_literal(out, ",\"paths\":");
                json_add_strings(out, input->patterns);
        }
        if (input->target)
                add_text(out, ",\"target\":", input->target);
        add_type(out, input);
        if (input->uid != IMGC_ID_KEEP)
                buffer_printf(out, ",\"uid\":%" PRIu32, input->uid);
        buffer_add_char(out, '}');
}

/* by, info, input, key, on_change, results, type */
static void add_link(struct buffer *out, const struct project_input *input,
                     const struct input_facts *facts, bool with_info)
{
        bool by_output = input->by == IMGC_BY_OUTPUT;

        buffer_add_string(out, by_output ? "{\"by\":\"output\"," : "{");
        if (with_info) {
                add_text(out, "\"info\":{\"image\":", facts->link_image);
                add_text(out, ",\"stage\":", facts->link_stage);
                buffer_add_literal(out, "},");
        }
        add_text(out, "\"input\":", input->name);
        if (!by_output)
                buffer_printf(out, ",\"key\":\"%s\"", facts->link);
        add_on_change(out, input);
        if (by_output) {
                buffer_add_literal(out, ",\"results\":");
                buffer_add_string(out, facts->link);
        }
        add_type(out, input);
        buffer_add_char(out, '}');
}

/* hmac, info, input, on_change, secret, type. The sizes of a tree would tell something of it. */
static void add_secret(struct buffer *out, const struct project_input *input,
                       const struct input_facts *facts, bool with_info)
{
        buffer_printf(out, "{\"hmac\":\"%s\"", facts->hmac);
        if (with_info && input->label) {
                add_text(out, ",\"info\":{\"label\":", input->label);
                buffer_add_char(out, '}');
        }
        add_text(out, ",\"input\":", input->name);
        add_on_change(out, input);
        buffer_add_literal(out, ",\"secret\":true");
        add_type(out, input);
        buffer_add_char(out, '}');
}

void line_add_input(struct buffer *out, const struct project_input *input,
                    const struct input_facts *facts, bool with_info)
{
        if (facts->hmac)
                add_secret(out, input, facts, with_info);
        else if (input->type == IMGC_INPUT_IMAGE)
                add_link(out, input, facts, with_info);
        else if (input->type >= IMGC_INPUT_TREE)
                add_tree(out, input, facts, with_info);
        else
                add_value(out, input, facts);
}
