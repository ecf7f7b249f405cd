/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "session.h"

#include <errno.h>
#include <stdio.h>

#include "manifest/json.h"
#include "manifest/manifest-internal.h"
#include "manifest/project-internal.h"
#include "tree/digest.h"

#define must(condition)                                                                         \
        do {                                                                                    \
                if (!(condition)) {                                                             \
                        fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
                        abort();                                                                \
                }                                                                               \
        } while (0)

static const char zeros[] = "0000000000000000000000000000000000000000000000000000000000000000";

void session_open(struct session *session, struct imgc_context *context)
{
        *session =
                (struct session){.context = context, .generation = 1, .now = 1000000, .next_id = 1};
        must(imgc_memory_store_new(&session->store, NULL) >= 0);
}

void session_close(struct session *session)
{
        imgc_memory_store_unref(session->store);
        buffer_free(&session->ran);
        buffer_free(&session->unkept);
}

static void get_lookup(struct session *session, struct imgc_plan_lookup *ret)
{
        imgc_memory_store_set_now(session->store, session->now);
        must(imgc_memory_store_set_uid_map(session->store, session->uid_map, NULL) >= 0);
        imgc_memory_store_get_lookup(session->store, ret);
}

static struct imgc_seal_options seal_options(const struct session *session)
{
        struct imgc_seal_options seal = IMGC_SEAL_OPTIONS_INIT;

        seal.env = session->env;
        seal.env_userdata = session->userdata;
        seal.secret = "a secret of enough bytes";
        seal.secret_bytes = 24;
        return seal;
}

int session_plan(struct session *session, struct imgc_project *project,
                 const struct imgc_plan_options *options, struct imgc_plan **ret,
                 struct imgc_error **reterr)
{
        struct imgc_seal_options seal = seal_options(session);
        struct imgc_plan_lookup lookup;

        get_lookup(session, &lookup);
        return imgc_plan_project(session->context, project, &seal, &lookup, options, ret, reterr);
}

/* ------------------------------------------------------------------------------ chains */

static const struct imgc_record *find_record(const struct imgc_plan_lookup *lookup, const char *id)
{
        const struct imgc_record *record = NULL;

        return id && lookup->find_by_id(lookup->userdata, id, &record) > 0 ? record : NULL;
}

/* What a record stands on in a place, as an ancestor; or itself. */
static bool below(const struct imgc_record *record, const char *scope, const char *stage,
                  struct imgc_ancestor *ret, const char **digests)
{
        if (!strcmp(record->scope, scope) && !strcmp(record->stage, stage)) {
                for (size_t i = 0; i < record->n_results; i++)
                        digests[i] = record->results[i].digest;
                *ret = (struct imgc_ancestor){
                        .id = record->id,
                        .scope = record->scope,
                        .stage = record->stage,
                        .key = record->key,
                        .append_depth = record->append_depth,
                        .generation = record->generation,
                        .begin_seconds = record->begin_seconds,
                        .uid_map = record->uid_map,
                        .result_digests = digests,
                        .n_results = (uint32_t)record->n_results,
                };
                return true;
        }
        for (size_t i = 0; i < record->n_ancestors; i++)
                if (!strcmp(record->ancestors[i].scope, scope) &&
                    !strcmp(record->ancestors[i].stage, stage) &&
                    !(record->ancestors[i].flags & IMGC_ANCESTOR_APPEND)) {
                        *ret = record->ancestors[i];
                        return true;
                }
        return false;
}

struct step {
        struct session *session;
        struct imgc_project *project;
        const struct imgc_plan *plan;
        struct imgc_plan_lookup lookup;
        const struct imgc_record
                *chains[SESSION_IMAGES_MAX]; /* of each image: what stands for it */
        uint32_t image, stage;
        const struct imgc_record *appended; /* NULL: none */
};

static const struct imgc_record *chain_of(const struct step *step, uint32_t image)
{
        struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;
        struct imgc_recorded_output output = {.size = sizeof(output)};
        const char *const *outputs = step->project->images[image].outputs;

        must(imgc_plan_get_image(step->plan, image, &told) == 0);
        if (told.restore_id)
                return find_record(&step->lookup, told.restore_id);
        if (told.decision == IMGC_DECISION_UP_TO_DATE || told.decision == IMGC_DECISION_KEPT)
                if (outputs[0] && step->lookup.get_output(step->lookup.userdata,
                                                          step->project->images[image].name,
                                                          outputs[0], &output) > 0)
                        return find_record(&step->lookup, output.id);
        return NULL;
}

/* ------------------------------------------------------------------------------ lineage */

static unsigned rank_of(uint32_t flags)
{
        if (flags & IMGC_ANCESTOR_BEHIND)
                return 2;
        return flags & IMGC_ANCESTOR_BY_OUTPUT ? 1 : 0;
}

static void add_ancestor(struct buffer *list, const struct imgc_ancestor *ancestor)
{
        struct imgc_ancestor *all = (struct imgc_ancestor *)(void *)list->data;

        for (size_t i = 0; i < list->size / sizeof(*all); i++) {
                if (strcmp(all[i].id, ancestor->id) != 0)
                        continue;
                if (rank_of(ancestor->flags) < rank_of(all[i].flags))
                        all[i].flags = ancestor->flags;
                return;
        }
        buffer_add(list, ancestor, sizeof(*ancestor));
}

static const char **take_digests(struct arena *arena, const struct imgc_record *record)
{
        const char **digests = arena_alloc(arena, (record->n_results + 1) * sizeof(*digests));

        must(digests);
        return digests;
}

/* A stage that the new record stands on, with all that it stands on itself. */
static void stand_on(struct buffer *list, struct arena *arena,
                     const struct imgc_plan_lookup *lookup, const struct imgc_record *record,
                     bool by_output, uint32_t flags)
{
        struct imgc_ancestor self;

        (void)lookup;
        for (size_t i = 0; i < record->n_ancestors; i++) {
                struct imgc_ancestor a = record->ancestors[i];

                if (by_output)
                        a.flags = (a.flags & IMGC_ANCESTOR_APPEND) | IMGC_ANCESTOR_BEHIND;
                add_ancestor(list, &a);
        }
        must(below(record, record->scope, record->stage, &self, take_digests(arena, record)));
        self.flags = by_output ? IMGC_ANCESTOR_BY_OUTPUT : flags;
        add_ancestor(list, &self);
}

static int compare_ancestors(const void *a, const void *b)
{
        const struct imgc_ancestor *x = a, *y = b;

        return x->generation < y->generation ? -1 : x->generation > y->generation;
}

/* The record of a stage in a chain. */
static const struct imgc_record *record_below(const struct step *step,
                                              const struct imgc_record *chain, uint32_t image,
                                              uint32_t stage)
{
        const char *digests[64];
        struct imgc_ancestor a;

        if (!chain || !below(chain, step->project->images[image].scope,
                             project_stage_of(step->project, image, stage)->name, &a, digests))
                return NULL;
        return find_record(&step->lookup, a.id);
}

static void gather(const struct step *step, struct arena *arena, struct buffer *list,
                   struct buffer *results)
{
        const struct project_stage *of = project_stage_of(step->project, step->image, step->stage);

        if (step->appended)
                stand_on(list, arena, &step->lookup, step->appended, false, IMGC_ANCESTOR_APPEND);
        if (step->stage) {
                const struct imgc_record *before =
                        record_below(step, step->chains[step->image], step->image, step->stage - 1);

                must(before);
                stand_on(list, arena, &step->lookup, before, of->previous == IMGC_BY_OUTPUT, 0);
                for (size_t i = 0; i < before->n_results; i++)
                        buffer_printf(results, "<%s",
                                      before->results[i].digest ? before->results[i].digest : "-");
        }
        for (uint32_t k = 0; k < of->n_inputs; k++) {
                const struct project_input *input = project_input_of(step->project, of, k);
                const struct imgc_record *linked;

                if (input->type != IMGC_INPUT_IMAGE)
                        continue;
                linked = record_below(step, step->chains[input->image], input->image, input->stage);
                must(linked);
                stand_on(list, arena, &step->lookup, linked, input->by == IMGC_BY_OUTPUT, 0);
                for (size_t i = 0; i < linked->n_results; i++)
                        buffer_printf(results, ">%s",
                                      linked->results[i].digest ? linked->results[i].digest : "-");
        }
        must(!list->failed);
        if (list->size)
                qsort(list->data, list->size / sizeof(struct imgc_ancestor),
                      sizeof(struct imgc_ancestor), compare_ancestors);
}

/* ------------------------------------------------------------------------------ sealing */

/* What was restored was made with the results that its lineage has, whatever is there now. */
static void set_linked_results(const struct step *step, struct imgc_sealer *sealer, uint32_t image,
                               uint32_t stage)
{
        const struct project_stage *of = project_stage_of(step->project, image, stage);
        const struct imgc_record *restored = record_below(step, step->chains[image], image, stage);

        for (uint32_t k = 0; restored && k < of->n_inputs; k++) {
                const struct project_input *input = project_input_of(step->project, of, k);
                const char *digests[64], *stage_name;
                struct imgc_ancestor a;

                if (input->type != IMGC_INPUT_IMAGE || input->by != IMGC_BY_OUTPUT)
                        continue;
                stage_name = project_stage_of(step->project, input->image, input->stage)->name;
                if (below(restored, step->project->images[input->image].scope, stage_name, &a,
                          digests))
                        must(imgc_sealer_set_results(
                                     sealer, step->project->images[input->image].name, stage_name,
                                     a.result_digests, a.n_results, NULL) >= 0);
        }
}

/* Tells the results of what is there now. */
static void set_present_results(const struct step *step, struct imgc_sealer *sealer)
{
        const struct project_stage *of = project_stage_of(step->project, step->image, step->stage);

        for (uint32_t k = 0; k < of->n_inputs; k++) {
                const struct project_input *input = project_input_of(step->project, of, k);
                const char *digests[64];
                struct imgc_ancestor a;

                if (input->type != IMGC_INPUT_IMAGE || input->by != IMGC_BY_OUTPUT)
                        continue;
                must(below(step->chains[input->image], step->project->images[input->image].scope,
                           project_stage_of(step->project, input->image, input->stage)->name, &a,
                           digests));
                must(imgc_sealer_set_results(
                             sealer, step->project->images[input->image].name,
                             project_stage_of(step->project, input->image, input->stage)->name,
                             a.result_digests, a.n_results, NULL) >= 0);
        }
}

/* Seals one image up to a stage, with the results of its chain, and checks the keys. */
static void seal_up_to(const struct step *step, struct imgc_sealer *sealer, uint32_t image,
                       uint32_t end)
{
        const struct project_image *of = &step->project->images[image];

        for (uint32_t s = 0; s < end; s++) {
                const struct project_stage *stage = project_stage_of(step->project, image, s);
                const char *digests[64];
                struct imgc_ancestor a;
                const char *key = NULL;
                bool known = step->chains[image] &&
                             below(step->chains[image], of->scope, stage->name, &a, digests);

                set_linked_results(step, sealer, image, s);
                if (imgc_sealer_seal_next(sealer, of->name, &key, NULL) < 0) {
                        must(!known);
                        return;
                }
                if (known && image == step->image)
                        must(!strcmp(key, a.key));
                for (uint32_t i = 0; i < stage->n_results; i++)
                        digests[i] = known ? a.result_digests[i] :
                                     step->project->digest == IMGC_DIGEST_SHA256 ? zeros :
                                                                                   zeros + 32;
                must(imgc_sealer_set_results(sealer, of->name, stage->name, digests,
                                             stage->n_results, NULL) >= 0);
        }
}

static struct imgc_manifest *seal(const struct step *step, const char **ret_key, int *ret_r,
                                  struct imgc_error **reterr)
{
        struct imgc_seal_options options = seal_options(step->session);
        struct imgc_manifest *manifest = NULL;
        struct imgc_sealer *sealer = NULL;

        must(imgc_sealer_new(step->session->context, step->project, &options, &sealer, NULL) >= 0);
        for (uint32_t i = 0; i < step->image; i++)
                seal_up_to(step, sealer, i, step->project->images[i].n_stages);
        seal_up_to(step, sealer, step->image, step->stage);
        set_present_results(step, sealer);
        *ret_r = imgc_sealer_seal_next(sealer, step->project->images[step->image].name, NULL,
                                       reterr);
        if (*ret_r > 0) {
                must(imgc_sealer_get_manifest(sealer, &manifest, NULL) >= 0);
                *ret_key = imgc_manifest_find_key(
                        manifest, step->project->images[step->image].name,
                        project_stage_of(step->project, step->image, step->stage)->name);
        }
        imgc_sealer_free(sealer);
        return manifest;
}

/* ------------------------------------------------------------------------------ running */

/* What a stage makes: of its lines without what follows a '#' in a string, and of results. */
static void make_digest(const struct step *step, const char *name,
                        const struct manifest_stage *sealed, const struct manifest_input *inputs,
                        const struct buffer *results, char ret[static 33])
{
        struct hasher *hasher = NULL;
        unsigned char bytes[DIGEST_BYTES_MAX];
        struct buffer text = {0};

        buffer_printf(&text, "%s %s\n", sealed->name, name);
        buffer_add(&text, results->data, results->size);
        for (uint32_t i = 0; i < sealed->n_inputs; i++) {
                const struct manifest_input *input = &inputs[sealed->first_input + i];
                bool skip = false;

                if (input->on_change == IMGC_ON_CHANGE_SHOW || input->type == IMGC_INPUT_IMAGE)
                        continue;
                for (size_t k = 0; k < input->line.size; k++) {
                        skip = input->line.data[k] == '#' || (skip && input->line.data[k] != '"');
                        if (!skip)
                                buffer_add_char(&text, input->line.data[k]);
                }
        }
        must(!text.failed && hasher_new(step->session->context, IMGC_DIGEST_XXH128, &hasher) >= 0);
        must(hasher_digest(hasher, text.data, text.size, bytes) >= 0);
        digest_format(bytes, 16, ret);
        hasher_free(hasher);
        buffer_free(&text);
}

static const char *previous_of(const struct step *step, struct arena *arena,
                               const struct manifest_stage *sealed,
                               const struct imgc_record *before, struct buffer *text)
{
        struct json_fault fault;
        struct json *json;

        if (!step->stage)
                return NULL;
        if (project_stage_of(step->project, step->image, step->stage)->previous == IMGC_BY_KEY) {
                buffer_printf(text, "\"%s\"", before->key);
        } else {
                must(json_parse(arena, sealed->line.data, sealed->line.size, &json, &fault) >= 0);
                json_add(text, json_get(json_get(json, "info"), "previous"));
        }
        return buffer_string(text);
}

static void record_outputs(const struct step *step, const char *id)
{
        const struct project_image *of = &step->project->images[step->image];

        for (size_t i = 0; of->outputs[i]; i++) {
                must(imgc_memory_store_set_output(step->session->store, of->name, of->outputs[i],
                                                  id, id, NULL) >= 0);
                must(imgc_memory_store_set_state(step->session->store, 0, of->name, of->outputs[i],
                                                 id, NULL) >= 0);
        }
}

static void add_reads(const struct step *step, struct buffer *reads)
{
        const struct project_stage *of = project_stage_of(step->project, step->image, step->stage);

        for (uint32_t i = 0; i < of->n_reads; i++) {
                const struct project_read *read = &step->project->reads[of->first_read + i];
                struct imgc_state_query query = {
                        .size = sizeof(query), .kind = IMGC_READ_ROOT, .root = read->root};
                struct imgc_read_fact fact = {.kind = IMGC_READ_ROOT, .root = read->root};

                if (step->lookup.get_state(step->lookup.userdata, &query, &fact.digest) <= 0)
                        fact.digest = NULL;
                buffer_add(reads, &fact, sizeof(fact));
        }
}

static void write_record(struct step *step, const struct imgc_manifest *manifest, const char *key)
{
        struct session *session = step->session;
        const struct project_stage *of = project_stage_of(step->project, step->image, step->stage);
        const uint32_t image =
                manifest_find_image(manifest, step->project->images[step->image].name);
        const struct manifest_stage *sealed =
                &manifest->stages[manifest_find_stage(manifest, image, of->name)];
        struct buffer ancestors = {0}, results_below = {0}, previous = {0}, reads = {0};
        struct imgc_record_result results[64];
        struct imgc_record record = IMGC_RECORD_INIT;
        const struct imgc_record *before = step->stage ?
                                                   record_below(step, step->chains[step->image],
                                                                step->image, step->stage - 1) :
                                                   NULL;
        char id[32], digests[64][33];
        struct arena arena = {0};

        gather(step, &arena, &ancestors, &results_below);
        add_reads(step, &reads);
        for (uint32_t i = 0; i < of->n_results; i++) {
                const char *given =
                        session->result_of ?
                                session->result_of(session->userdata,
                                                   step->project->images[step->image].name,
                                                   of->name) :
                                NULL;

                make_digest(step, of->results[i], sealed, manifest->inputs, &results_below,
                            digests[i]);
                results[i] = (struct imgc_record_result){.name = of->results[i],
                                                         .digest = given ? given : digests[i]};
        }
        snprintf(id, sizeof(id), "id%06u", session->next_id++);
        record.id = id;
        record.scope = step->project->images[step->image].scope;
        record.stage = of->name;
        record.key = key;
        record.generation = session->generation++;
        record.begin_seconds = session->now;
        record.append_depth = step->appended ? step->appended->append_depth + 1 : 0;
        record.flags = IMGC_RECORD_SNAPSHOT;
        record.uid_map = session->uid_map;
        record.head = manifest->head;
        record.previous = previous_of(step, &arena, sealed, before, &previous);
        record.lines = sealed->text.data;
        record.lines_bytes = sealed->text.size;
        record.results = results;
        record.n_results = of->n_results;
        record.reads = (const struct imgc_read_fact *)(const void *)reads.data;
        record.n_reads = reads.size / sizeof(struct imgc_read_fact);
        record.ancestors = (const struct imgc_ancestor *)(const void *)ancestors.data;
        record.n_ancestors = ancestors.size / sizeof(struct imgc_ancestor);
        must(imgc_memory_store_add_record(session->store, &record, NULL) >= 0);
        /* In the session everything that ran is at hand; see session_build(). */
        if (of->snapshot != IMGC_SNAPSHOT_YES)
                buffer_add(&session->unkept, id, strlen(id) + 1);
        if (session->made)
                session->made(session->userdata, &record, step->image, step->stage);
        if (step->stage + 1 == step->project->images[step->image].n_stages)
                record_outputs(step, id);
        buffer_free(&ancestors);
        buffer_free(&results_below);
        buffer_free(&previous);
        buffer_free(&reads);
        arena_free(&arena);
}

static int run_stage(struct step *step, struct imgc_error **reterr)
{
        const char *key = NULL;
        struct imgc_manifest *manifest;
        int r;

        for (uint32_t i = 0; i < step->project->n_images; i++)
                step->chains[i] = chain_of(step, i);
        /* Of images that the plan leaves alone, what the restored stages stand on. */
        for (uint32_t i = 0; i < step->image; i++)
                for (uint32_t s = step->project->images[i].n_stages; !step->chains[i] && s-- > 0;)
                        step->chains[i] = record_below(step, step->chains[step->image], i, s);
        manifest = seal(step, &key, &r, reterr);
        if (r < 0)
                return r;
        must(manifest && key);
        write_record(step, manifest, key);
        step->session->n_run++;
        buffer_printf(&step->session->ran, "%s%s/%s", step->session->ran.size ? " " : "",
                      step->project->images[step->image].name,
                      project_stage_of(step->project, step->image, step->stage)->name);
        imgc_manifest_unref(manifest);
        return 0;
}

/* ------------------------------------------------------------------------------ building */

/* Forced stages raise the floor when they begin; the wish is granted with that. */
static void raise_floors(struct session *session, struct imgc_project *project, uint32_t image,
                         uint32_t stage)
{
        must(imgc_memory_store_set_floor(session->store, project->images[image].scope,
                                         project_stage_of(project, image, stage)->name,
                                         session->generation, NULL) >= 0);
}

struct wishes {
        const char *forced[256];
        char texts[256][128];
        size_t n;
        bool granted[SESSION_IMAGES_MAX][64];
};

/* IMAGE as a wish for each of its stages, so that they can be granted one by one. */
static void spell_wishes(struct wishes *wishes, const struct imgc_project *project,
                         const struct imgc_plan_options *options)
{
        wishes->n = 0;
        for (size_t i = 0; options->rebuild && options->rebuild[i]; i++) {
                for (uint32_t image = 0; image < project->n_images; image++) {
                        for (uint32_t s = 0; s < project->images[image].n_stages; s++) {
                                char *text = wishes->texts[wishes->n];
                                const char *name = project->images[image].name;

                                snprintf(text, 128, "%s:%s", name,
                                         project_stage_of(project, image, s)->name);
                                if ((!strcmp(options->rebuild[i], name) ||
                                     !strcmp(options->rebuild[i], text)) &&
                                    !wishes->granted[image][s])
                                        wishes->forced[wishes->n++] = text;
                        }
                }
        }
        wishes->forced[wishes->n] = NULL;
}

static bool is_wished(const struct wishes *wishes, const char *image, const char *stage)
{
        char text[128];

        snprintf(text, sizeof(text), "%s:%s", image, stage);
        for (size_t i = 0; i < wishes->n; i++)
                if (!strcmp(wishes->forced[i], text))
                        return true;
        return false;
}

/* One step. Returns 1, 0 where nothing is left, or an error. */
static int advance(struct session *session, struct imgc_project *project,
                   const struct imgc_plan_options *options, struct wishes *wishes,
                   struct imgc_error **reterr)
{
        struct step step = {.session = session, .project = project};
        struct imgc_plan_options now = *options;
        struct imgc_plan *plan = NULL;
        int r;

        spell_wishes(wishes, project, options);
        now.rebuild = wishes->forced;
        r = session_plan(session, project, &now, &plan, reterr);
        if (r < 0)
                return r;
        get_lookup(session, &step.lookup);
        step.plan = plan;
        r = 0;
        for (uint32_t i = 0; r == 0 && i < project->n_images; i++) {
                struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;
                bool outputs = false;

                must(imgc_plan_get_image(plan, i, &told) == 0);
                for (uint32_t k = 0; k < told.n_outputs; k++)
                        outputs |= imgc_plan_get_output(plan, i, k, &(const char *){NULL}) !=
                                   IMGC_OUTPUT_VALID;
                if (told.decision < IMGC_DECISION_RESUME || told.decision > IMGC_DECISION_REBUILD)
                        continue;
                step.image = i;
                if (!told.n_run && outputs) {
                        record_outputs(&step, told.restore_id);
                        r = 1;
                } else if (told.n_run) {
                        step.stage = told.first_run;
                        if (is_wished(wishes, told.image, imgc_plan_get_run(plan, i, 0))) {
                                raise_floors(session, project, i, step.stage);
                                wishes->granted[i][step.stage] = true;
                        }
                        if (told.decision == IMGC_DECISION_APPEND)
                                step.appended = find_record(&step.lookup, told.restore_id);
                        r = run_stage(&step, reterr);
                        r = r < 0 ? r : 1;
                }
        }
        imgc_plan_unref(plan);
        return r;
}

int session_build(struct session *session, struct imgc_project *project,
                  const struct imgc_plan_options *options, struct imgc_error **reterr)
{
        const struct imgc_plan_options defaults = IMGC_PLAN_OPTIONS_INIT;
        struct wishes *wishes = calloc(1, sizeof(*wishes));
        int r = 1;

        must(wishes && project->n_images <= SESSION_IMAGES_MAX);
        session->n_run = 0;
        session->ran.size = 0;
        session->unkept.size = 0;
        for (uint32_t n = 0; r > 0; n++) {
                must(n < SESSION_STEPS_MAX);
                if (session->stop_after && session->n_run == session->stop_after)
                        break;
                r = advance(session, project, options ? options : &defaults, wishes, reterr);
        }
        for (size_t i = 0; i < session->unkept.size; i += strlen(session->unkept.data + i) + 1)
                must(imgc_memory_store_set_flags(session->store, session->unkept.data + i, 0, 0,
                                                 NULL, NULL) >= 0);
        must(buffer_string(&session->ran));
        free(wishes);
        return r < 0 ? r : 0;
}
