/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the bytes of a manifest, which may come from a stranger. A line is accepted if it is what
 * this library would write for what it says; a listing if a tree could have been listed so, and
 * its digest is the one that its tree's line names; a stage if its key is that of its lines.
 */
#include "manifest/manifest-read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "core/context.h"
#include "core/error.h"
#include "core/io.h"
#include "manifest/key.h"
#include "tree/digest.h"
#include "tree/read-listing.h"

struct reader {
        struct imgc_context *context;
        struct imgc_manifest *manifest;
        const char *name;
        bool is_ours;
        size_t offset;      /* of the next line */
        uint64_t line;      /* number of the present one, from 1 */
        uint64_t n_lines;   /* as the first line says */
        struct arena arena; /* for one line */
        struct buffer spelled, key_bytes;
        struct buffer images, stages, inputs;
        struct hasher *hasher;
        struct imgc_error **reterr;
};

#define N(reader, what)     ((reader)->what##s.size / sizeof(struct manifest_##what))
#define ARRAY(reader, what) ((struct manifest_##what *)(void *)(reader)->what##s.data)

static struct manifest_image *last_image(const struct reader *reader)
{
        return N(reader, image) ? ARRAY(reader, image) + N(reader, image) - 1 : NULL;
}

/* Of the last image. */
static struct manifest_stage *last_stage(const struct reader *reader)
{
        const struct manifest_image *image = last_image(reader);

        return image && image->n_stages ? ARRAY(reader, stage) + N(reader, stage) - 1 : NULL;
}

_printf_(2, 3) static int fail(struct reader *reader, const char *format, ...)
{
        char reason[256];
        va_list ap;

        va_start(ap, format);
        vsnprintf(reason, sizeof(reason), format, ap);
        va_end(ap);
        return error_message(reader->reterr, IMGC_ERROR_SYNTAX, -EBADMSG, "parse", reader->name,
                             "%s:%llu: %s", reader->name,
                             (unsigned long long)MAX(reader->line, UINT64_C(1)), reason);
}

/* A copy that lives as long as the manifest. */
static const char *keep(struct reader *reader, const char *string)
{
        return arena_copy(&reader->manifest->arena, string, strlen(string) + 1);
}

/* ------------------------------------------------------------------------------ lines */

static int next_line(struct reader *reader, struct span *ret)
{
        const char *start = reader->manifest->data + reader->offset, *end;

        reader->line++;
        end = memchr(start, '\n', reader->manifest->size - reader->offset);
        if (!end)
                return fail(reader, "the line has no end");
        *ret = (struct span){start, (size_t)(end - start)};
        reader->offset += ret->size + 1;
        return 0;
}

static int next_object(struct reader *reader, struct span *ret_line, struct json **ret)
{
        struct json_fault fault;
        int r = next_line(reader, ret_line);

        if (r < 0)
                return r;
        if (ret_line->size > LIMIT_JSON_BYTES)
                return fail(reader, "the line has more than %zu bytes", LIMIT_JSON_BYTES);
        arena_free(&reader->arena);
        r = json_parse(&reader->arena, ret_line->data, ret_line->size, ret, &fault);
        if (r == -ENOMEM)
                return error_no_memory(reader->reterr);
        if (r < 0)
                return fail(reader, "%s (column %zu)", fault.reason, fault.offset + 1);
        return (*ret)->type == JSON_OBJECT ? 0 : fail(reader, "not an object");
}

/* Whether decoding went well, and the line is spelt as it must be. */
static int check_line(struct reader *reader, const struct decoder *decoder, struct span line)
{
        const char *at = line.data;
        size_t column = 0, n = MIN(line.size, reader->spelled.size);

        if (decoder->no_memory || reader->spelled.failed)
                return error_no_memory(reader->reterr);
        if (span_equals(line, (struct span){reader->spelled.data, reader->spelled.size}))
                return 0;
        while (column < n && at[column] == reader->spelled.data[column])
                column++;
        return fail(reader, "not spelt as it must be, or an unknown member (column %zu)",
                    column + 1);
}

static int check_decoder(struct reader *reader, const struct decoder *decoder)
{
        if (decoder->no_memory)
                return error_no_memory(reader->reterr);
        if (decoder->fault && decoder->member)
                return fail(reader, "%s: \"%s\"", decoder->fault, decoder->member);
        return decoder->fault ? fail(reader, "%s", decoder->fault) : 0;
}

/* ------------------------------------------------------------------------------ stages */

/* A stage ends at `end`, before the line of that number. */
static int end_stage(struct reader *reader, size_t end, uint64_t line)
{
        struct manifest_stage *stage = last_stage(reader);
        char key[KEY_HEX_SIZE];

        if (!stage)
                return 0;
        stage->text = (struct span){stage->line.data,
                                    (size_t)(reader->manifest->data + end - stage->line.data)};
        stage->n_lines = line - stage->line_number;
        if (reader->is_ours)
                return 0;
        if (key_of(reader->context, &reader->key_bytes, key) < 0)
                return error_no_memory(reader->reterr);
        if (!strcmp(key, stage->key))
                return 0;
        reader->line = stage->line_number;
        return fail(reader, "the key of stage \"%s\" is not that of its lines", stage->name);
}

/* Checks a stage's place, and begins the bytes of its key. */
static int start_stage(struct reader *reader, const struct project_stage *stage,
                       const struct project_read *reads, const struct stage_facts *facts)
{
        const struct manifest_image *image = last_image(reader);
        char previous[KEY_HEX_SIZE + 2] = "";
        bool is_first = !image->n_stages;

        if (image->n_stages >= LIMIT_SIBLINGS)
                return fail(reader, "more than %u stages", LIMIT_SIBLINGS);
        for (uint32_t i = 0; i < image->n_stages; i++)
                if (!strcmp(ARRAY(reader, stage)[image->first_stage + i].name, stage->name))
                        return fail(reader, "two stages have the same name");
        if (is_first && facts->previous)
                return fail(reader, "the first stage has none before it");
        if (!is_first)
                snprintf(previous, sizeof(previous), "\"%s\"", last_stage(reader)->key);
        reader->key_bytes.size = 0;
        key_add_head(&reader->key_bytes, reader->manifest->head, image->scope,
                     facts->previous ? facts->previous :
                     is_first        ? NULL :
                                       previous);
        line_add_stage(&reader->key_bytes, stage, reads, NULL, NULL, false);
        buffer_add_char(&reader->key_bytes, '\n');
        return 0;
}

static int read_stage(struct reader *reader, struct span line, const struct json *json)
{
        struct decoder decoder = {.arena = &reader->arena};
        struct manifest_stage stage = {.line = line, .line_number = reader->line};
        struct project_read *reads = NULL;
        struct project_stage decoded;
        struct stage_facts facts;
        int r;

        if (!last_image(reader))
                return fail(reader, "a stage without an image");
        decode_stage(&decoder, json, reader->manifest->digest, &decoded, &reads, &facts);
        r = check_decoder(reader, &decoder);
        if (r < 0)
                return r;
        line_add_stage(&reader->spelled, &decoded, reads, facts.key, facts.previous, true);
        r = check_line(reader, &decoder, line);
        if (r >= 0)
                r = start_stage(reader, &decoded, reads, &facts);
        if (r < 0)
                return r;
        stage.name = keep(reader, decoded.name);
        stage.key = keep(reader, facts.key);
        stage.first_input = (uint32_t)N(reader, input);
        if (!stage.name || !stage.key || !buffer_reserve(&reader->stages, sizeof(stage)))
                return error_no_memory(reader->reterr);
        buffer_add(&reader->stages, &stage, sizeof(stage));
        last_image(reader)->n_stages++;
        return 0;
}

/* ------------------------------------------------------------------------------ images */

static int end_image(struct reader *reader)
{
        const struct manifest_image *image = last_image(reader);

        return image && !image->n_stages ? fail(reader, "image \"%s\" has no stage", image->name) :
                                           0;
}

static int read_image(struct reader *reader, struct span line, const struct json *json)
{
        struct decoder decoder = {.arena = &reader->arena};
        struct manifest_image image = {.line = line, .first_stage = (uint32_t)N(reader, stage)};
        struct project_image decoded;
        int r;

        decode_image(&decoder, json, &decoded);
        r = check_decoder(reader, &decoder);
        if (r < 0)
                return r;
        line_add_image(&reader->spelled, &decoded);
        r = check_line(reader, &decoder, line);
        if (r < 0)
                return r;
        if (N(reader, image) >= LIMIT_SIBLINGS)
                return fail(reader, "more than %u images", LIMIT_SIBLINGS);
        for (size_t i = 0; i < N(reader, image); i++)
                if (!strcmp(ARRAY(reader, image)[i].name, decoded.name))
                        return fail(reader, "two images have the same name");
        image.name = keep(reader, decoded.name);
        image.scope = keep(reader, decoded.scope);
        if (!image.name || !image.scope || !buffer_reserve(&reader->images, sizeof(image)))
                return error_no_memory(reader->reterr);
        buffer_add(&reader->images, &image, sizeof(image));
        return 0;
}

/* ------------------------------------------------------------------------------ listings */

/* The listing at the next line, up to the next line of JSON. */
static int find_listing(struct reader *reader, struct span *ret)
{
        const char *start = reader->manifest->data + reader->offset, *p = start;
        const char *end = reader->manifest->data + reader->manifest->size;

        while (p < end && *p != '{') {
                const char *feed = memchr(p, '\n', (size_t)(end - p));

                reader->line++;
                if (!feed)
                        return fail(reader, "the line has no end");
                p = feed + 1;
        }
        *ret = (struct span){start, (size_t)(p - start)};
        reader->offset += ret->size;
        return 0;
}

static int check_digest(struct reader *reader, struct span listing, const char *digest)
{
        enum imgc_digest_algorithm algorithm = reader->manifest->digest;
        unsigned char computed[DIGEST_BYTES_MAX];
        char hex[DIGEST_HEX_MAX];

        if (!reader->hasher && hasher_new(reader->context, algorithm, &reader->hasher) < 0)
                return error_no_memory(reader->reterr);
        if (hasher_digest(reader->hasher, listing.data, listing.size, computed) < 0)
                return error_no_memory(reader->reterr);
        digest_format(computed, digest_bytes(algorithm), hex);
        return strcmp(hex, digest) ?
                       fail(reader, "the digest of the tree is not that of its listing") :
                       0;
}

static int read_listing(struct reader *reader, const struct input_facts *facts,
                        struct manifest_input *input)
{
        uint64_t tree_line = reader->line, n_entries, n_bytes;
        struct listing_summary summary = {0};
        struct span listing = {0};
        int r = find_listing(reader, &listing);

        if (r < 0)
                return r;
        n_entries = reader->line - tree_line - 1;
        n_bytes = facts->n_bytes;
        if (!listing.size)
                return fail(reader, "no listing follows the line of the tree");
        if (reader->is_ours) {
                listing_read_header(listing.data, listing.size, &input->listing);
                return 0;
        }
        r = listing_read(reader->context, listing.data, listing.size, reader->name, tree_line + 1,
                         &input->listing, &summary, reader->reterr);
        if (r < 0)
                return r;
        reader->line = tree_line;
        if (input->listing.algorithm != reader->manifest->digest ||
            input->listing.fields != facts->fields)
                return fail(reader, "the listing has another digest or other fields than its tree");
        if (n_entries != facts->n_entries ||
            MIN(summary.n_bytes, (uint64_t)JSON_INTEGER_MAX) != n_bytes)
                return fail(reader, "the listing has not as many entries or bytes as its tree");
        r = check_digest(reader, listing, facts->digest);
        reader->line = tree_line + summary.n_entries + 1;
        return r;
}

/* ------------------------------------------------------------------------------ inputs */

static int check_link(struct reader *reader, const struct project_input *input,
                      const struct input_facts *facts)
{
        const struct manifest_stage *stages = ARRAY(reader, stage);

        for (size_t i = 0; i + 1 < N(reader, image); i++) {
                const struct manifest_image *image = ARRAY(reader, image) + i;

                if (strcmp(image->name, facts->link_image) != 0)
                        continue;
                for (uint32_t s = image->first_stage; s < image->first_stage + image->n_stages; s++)
                        if (!strcmp(stages[s].name, facts->link_stage))
                                return input->by == IMGC_BY_KEY &&
                                                       strcmp(stages[s].key, facts->link) != 0 ?
                                               fail(reader,
                                                    "the key is not that of the stage it links to") :
                                               0;
        }
        return fail(reader, "a link to a stage that does not stand before");
}

static int check_input(struct reader *reader, const struct project_input *input,
                       const struct input_facts *facts)
{
        const struct manifest_stage *stage = last_stage(reader);

        if (stage->n_inputs >= LIMIT_SIBLINGS)
                return fail(reader, "more than %u inputs", LIMIT_SIBLINGS);
        for (size_t i = stage->first_input; i < N(reader, input); i++)
                if (!strcmp(ARRAY(reader, input)[i].name, input->name))
                        return fail(reader, "two inputs of a stage have the same name");
        return input->type == IMGC_INPUT_IMAGE ? check_link(reader, input, facts) : 0;
}

static int read_input(struct reader *reader, struct span line, const struct json *json)
{
        struct decoder decoder = {.arena = &reader->arena};
        struct manifest_input input = {.line = line, .line_number = reader->line};
        struct project_input decoded = {0};
        struct input_facts facts = {0};
        int r;

        if (!last_stage(reader))
                return fail(reader, "an input without a stage");
        decode_input(&decoder, json, reader->manifest->digest, &decoded, &facts);
        r = check_decoder(reader, &decoder);
        if (r < 0)
                return r;
        line_add_input(&reader->spelled, &decoded, &facts, true);
        r = check_line(reader, &decoder, line);
        if (r >= 0)
                r = check_input(reader, &decoded, &facts);
        if (r < 0)
                return r;
        if (decoded.on_change == IMGC_ON_CHANGE_REBUILD) {
                line_add_input(&reader->key_bytes, &decoded, &facts, false);
                buffer_add_char(&reader->key_bytes, '\n');
        }
        input.name = keep(reader, decoded.name);
        input.type = decoded.type;
        input.on_change = decoded.on_change;
        input.flags = decoded.flags & (IMGC_INPUT_SECRET | IMGC_INPUT_APPEND);
        input.digest = facts.digest ? keep(reader, facts.digest) : NULL;
        input.absent = decoded.type >= IMGC_INPUT_TREE && decoded.type <= IMGC_INPUT_FILES &&
                       !facts.hmac && !facts.digest;
        if (!input.name || (facts.digest && !input.digest))
                return error_no_memory(reader->reterr);
        if (input.digest && reader->manifest->listings)
                r = read_listing(reader, &facts, &input);
        if (r < 0)
                return r;
        if (!buffer_reserve(&reader->inputs, sizeof(input)))
                return error_no_memory(reader->reterr);
        buffer_add(&reader->inputs, &input, sizeof(input));
        last_stage(reader)->n_inputs++;
        return 0;
}

/* ------------------------------------------------------------------------------ the whole */

static int read_head(struct reader *reader)
{
        struct imgc_manifest *manifest = reader->manifest;
        struct decoder decoder = {.arena = &reader->arena};
        _cleanup_buffer_ struct buffer bare = {0};
        struct head_facts head;
        struct json *json;
        int r;

        if (!manifest->size)
                return fail(reader, "it is empty");
        r = next_object(reader, &manifest->line, &json);
        if (r < 0)
                return r;
        decode_head(&decoder, json, &head);
        r = check_decoder(reader, &decoder);
        if (r < 0)
                return r;
        line_add_head(&reader->spelled, &head, true);
        r = check_line(reader, &decoder, manifest->line);
        if (r < 0)
                return r;
        line_add_head(&bare, &head, false);
        manifest->name = keep(reader, head.name);
        manifest->builder = keep(reader, head.builder);
        manifest->head = buffer_string(&bare) ? keep(reader, bare.data) : NULL;
        manifest->digest = head.digest;
        manifest->listings = head.listings;
        manifest->max_append = head.max_append;
        reader->n_lines = head.n_lines;
        return manifest->name && manifest->builder && manifest->head ?
                       0 :
                       error_no_memory(reader->reterr);
}

static int read_next(struct reader *reader)
{
        size_t before = reader->offset;
        struct json *json;
        struct span line;
        int r;

        if (reader->manifest->data[before] != '{') {
                reader->line++;
                return fail(reader, "a line that is neither an object nor part of a listing");
        }
        r = next_object(reader, &line, &json);
        if (r < 0)
                return r;
        reader->spelled.size = 0;
        if (json_get(json, "input"))
                return read_input(reader, line, json);
        r = end_stage(reader, before, reader->line);
        if (r < 0)
                return r;
        if (json_get(json, "stage"))
                return read_stage(reader, line, json);
        r = end_image(reader);
        return r < 0 ? r : read_image(reader, line, json);
}

static int read_all(struct reader *reader)
{
        int r = read_head(reader);

        while (r >= 0 && reader->offset < reader->manifest->size) {
                if (context_is_cancelled(reader->context))
                        return error_reason(reader->reterr, IMGC_ERROR_CANCELLED, -ECANCELED,
                                            "read", reader->name, "cancelled");
                r = read_next(reader);
        }
        if (r >= 0)
                r = end_stage(reader, reader->offset, reader->line + 1);
        if (r >= 0)
                r = end_image(reader);
        if (r >= 0 && reader->line - 1 != reader->n_lines)
                r = fail(reader, "%llu lines follow the first one, which says %llu",
                         (unsigned long long)(reader->line - 1),
                         (unsigned long long)reader->n_lines);
        return r;
}

static void give_index(struct reader *reader)
{
        struct imgc_manifest *manifest = reader->manifest;

        manifest->n_images = (uint32_t)N(reader, image);
        manifest->n_stages = (uint32_t)N(reader, stage);
        manifest->n_inputs = (uint32_t)N(reader, input);
        manifest->images = ARRAY(reader, image);
        manifest->stages = ARRAY(reader, stage);
        manifest->inputs = ARRAY(reader, input);
}

int manifest_of_bytes(struct imgc_context *context, const char *data, size_t size, bool is_mapped,
                      const char *name, bool is_ours, struct imgc_manifest **ret,
                      struct imgc_error **reterr)
{
        struct reader reader = {
                .context = context, .name = name, .is_ours = is_ours, .reterr = reterr};
        struct imgc_manifest *manifest = imgc_io_calloc(1, sizeof(*manifest));
        int r;

        if (!manifest)
                return error_no_memory(reterr);
        manifest->references = 1;
        manifest->data = data;
        manifest->size = size;
        manifest->is_mapped = is_mapped;
        reader.manifest = manifest;
        r = read_all(&reader);
        give_index(&reader);
        arena_free(&reader.arena);
        buffer_free(&reader.spelled);
        buffer_free(&reader.key_bytes);
        hasher_free(reader.hasher);
        if (r < 0) {
                /* The bytes stay the caller's. */
                manifest->data = NULL;
                manifest->is_mapped = false;
                imgc_manifest_unref(manifest);
                return r;
        }
        *ret = manifest;
        return 0;
}
