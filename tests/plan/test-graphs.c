/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Properties of plans over random graphs of up to 200 images, and what planning costs.
 *
 * A build is followed by nothing to do. A change reaches the images that stand on it by key, and no
 * other. Building what the plan says ends, and taking the change back needs nothing again.
 */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "session.h"

#define N_IMAGES_MAX 200
#define N_GRAPHS     60

struct graph {
        int n;
        int n_stages[N_IMAGES_MAX];
        int links[N_IMAGES_MAX][3]; /* images, -1: none */
        int values[N_IMAGES_MAX];   /* of the first stage */
        bool output[N_IMAGES_MAX];
        bool reached[N_IMAGES_MAX];
};

static uint64_t state = 1;

static int below(int n)
{
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (int)((state >> 33) % (uint64_t)n);
}

static void make_graph(struct graph *graph, int n, int n_stages)
{
        *graph = (struct graph){.n = n};
        for (int i = 0; i < n; i++) {
                graph->n_stages[i] = n_stages ? n_stages : 1 + below(4);
                graph->output[i] = below(3) > 0;
                for (int k = 0; k < 3; k++)
                        graph->links[i][k] = i && below(2) ? below(i) : -1;
        }
}

static struct imgc_project *make_project(struct imgc_context *context, const struct graph *graph)
{
        struct imgc_project *project = NULL;
        struct imgc_error *error = NULL;
        struct buffer text = {0};

        buffer_add_literal(
                &text,
                "{\"imagecache\":\"project\",\"version\":1,\"name\":\"graph\",\"builder\":\"b 1\",\"images\":[");
        for (int i = 0; i < graph->n; i++) {
                buffer_printf(&text, "%s{\"image\":\"i%d\",\"outputs\":[%s],\"stages\":[",
                              i ? "," : "", i, graph->output[i] ? "\"out\"" : "");
                for (int s = 0; s < graph->n_stages[i]; s++) {
                        buffer_printf(
                                &text,
                                "%s{\"stage\":\"s%d\",\"snapshot\":true,\"inputs\":[{\"input\":\"v\",\"type\":\"option\",\"value\":%d}",
                                s ? "," : "", s, s ? 0 : graph->values[i]);
                        for (int k = 0; k < 3; k++)
                                if (!s && graph->links[i][k] >= 0)
                                        buffer_printf(
                                                &text,
                                                ",{\"input\":\"l%d\",\"type\":\"image\",\"image\":\"i%d\"}",
                                                k, graph->links[i][k]);
                        buffer_add_literal(&text, "]}");
                }
                buffer_add_literal(&text, "]}");
        }
        buffer_add_literal(&text, "]}");
        if (imgc_project_parse(context, text.data, text.size, NULL, AT_FDCWD, &project, &error) < 0)
                ck_abort_msg("%s", imgc_error_get_message(error));
        buffer_free(&text);
        return project;
}

static void reach(struct graph *graph, int image)
{
        memset(graph->reached, 0, sizeof(graph->reached));
        graph->reached[image] = true;
        for (int i = image + 1; i < graph->n; i++)
                for (int k = 0; k < 3; k++)
                        graph->reached[i] |= graph->links[i][k] >= 0 &&
                                             graph->reached[graph->links[i][k]];
}

static double milliseconds(void)
{
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void check_graph(struct imgc_context *context, struct graph *graph)
{
        struct imgc_project *project = make_project(context, graph), *changed;
        struct session session;
        struct imgc_plan *plan = NULL;
        int image = below(graph->n);

        session_open(&session, context);
        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        ck_assert_int_ge(session_plan(&session, project, NULL, &plan, NULL), 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 0);
        imgc_plan_unref(plan);

        graph->values[image] = 1;
        reach(graph, image);
        changed = make_project(context, graph);
        ck_assert_int_ge(session_plan(&session, changed, NULL, &plan, NULL), 0);
        for (int i = 0; i < graph->n; i++) {
                struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;

                ck_assert_int_eq(imgc_plan_get_image(plan, (uint32_t)i, &told), 0);
                ck_assert_msg((told.n_run > 0) == graph->reached[i], "image %d: %u stages run", i,
                              told.n_run);
                ck_assert(!told.n_run || told.n_reasons);
        }
        imgc_plan_unref(plan);
        ck_assert_int_ge(session_build(&session, changed, NULL, NULL), 0);
        ck_assert_int_ge(session_plan(&session, changed, NULL, &plan, NULL), 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 0);
        imgc_plan_unref(plan);

        /* Outputs are of the other build; no stage has to run for them. */
        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        ck_assert_uint_eq(session.n_run, 0);
        session_close(&session);
        imgc_project_unref(changed);
        imgc_project_unref(project);
}

START_TEST(test_graphs_random)
{
        struct imgc_context *context = NULL;
        struct graph *graph = calloc(1, sizeof(*graph));
        int images = 0;

        ck_assert_ptr_nonnull(graph);
        ck_assert_int_ge(imgc_context_new(&context, NULL), 0);
        for (int i = 0; i < N_GRAPHS; i++) {
                make_graph(graph, 1 + below(i % 10 ? 8 : 24), 0);
                check_graph(context, graph);
                images += graph->n;
        }
        printf("%d random graphs with %d images\n", N_GRAPHS, images);
        free(graph);
        imgc_context_unref(context);
}
END_TEST

START_TEST(test_graphs_large)
{
        struct imgc_context *context = NULL;
        struct graph *graph = calloc(1, sizeof(*graph));

        ck_assert_ptr_nonnull(graph);
        ck_assert_int_ge(imgc_context_new(&context, NULL), 0);
        make_graph(graph, N_IMAGES_MAX, 0);
        check_graph(context, graph);
        free(graph);
        imgc_context_unref(context);
}
END_TEST

/* ------------------------------------------------------------------------------ cost */

/* A record of each stage, with the lineage that a build gives it: the session plans anew for each
 * stage, which takes its time with a thousand of them. */
static void fill(struct session *session, struct imgc_context *context,
                 struct imgc_project *project, const struct graph *graph)
{
        struct imgc_ancestor *ancestors = calloc((size_t)graph->n * 8, sizeof(*ancestors));
        size_t(*ranges)[2] = calloc((size_t)graph->n, sizeof(*ranges));
        struct imgc_manifest *manifest = NULL;
        char(*ids)[16] = calloc((size_t)graph->n * 8, sizeof(*ids));
        const char *digest = "00000000000000000000000000000000";
        size_t n = 0;

        ck_assert(ancestors && ranges && ids);
        ck_assert_int_ge(imgc_manifest_seal(context, project, NULL, &manifest, NULL), 0);
        for (int i = 0; i < graph->n; i++) {
                struct imgc_ancestor *own = calloc((size_t)graph->n * 8, sizeof(*own));
                bool stands[N_IMAGES_MAX] = {false};
                size_t n_own = 0;

                ck_assert_ptr_nonnull(own);
                for (int j = i; j >= 0; j--)
                        for (int k = 0; k < 3; k++)
                                if ((j == i || stands[j]) && graph->links[j][k] >= 0)
                                        stands[graph->links[j][k]] = true;
                for (int j = 0; j < i; j++)
                        for (size_t a = ranges[j][0]; stands[j] && a < ranges[j][1]; a++)
                                own[n_own++] = ancestors[a];
                ranges[i][0] = n;
                for (int s = 0; s < graph->n_stages[i]; s++) {
                        const struct imgc_record_result result = {.name = "root", .digest = digest};
                        struct imgc_record record = IMGC_RECORD_INIT;

                        snprintf(ids[n], sizeof(ids[n]), "r%zu", n);
                        record.id = ids[n];
                        record.scope = imgc_manifest_get_scope(manifest, (uint32_t)i);
                        record.stage = imgc_manifest_get_stage(manifest, (uint32_t)i, (uint32_t)s);
                        record.key = imgc_manifest_get_key(manifest, (uint32_t)i, (uint32_t)s);
                        record.generation = n + 1;
                        record.flags = IMGC_RECORD_SNAPSHOT;
                        record.results = &result;
                        record.n_results = 1;
                        record.ancestors = own;
                        record.n_ancestors = n_own;
                        ck_assert_int_ge(
                                imgc_memory_store_add_record(session->store, &record, NULL), 0);
                        ancestors[n] = (struct imgc_ancestor){.id = record.id,
                                                              .scope = record.scope,
                                                              .stage = record.stage,
                                                              .key = record.key,
                                                              .generation = record.generation};
                        own[n_own++] = ancestors[n++];
                }
                ranges[i][1] = n;
                ck_assert_int_ge(
                        imgc_memory_store_set_output(session->store,
                                                     imgc_manifest_get_image(manifest, (uint32_t)i),
                                                     "out", digest, ids[n - 1], NULL),
                        0);
                ck_assert_int_ge(
                        imgc_memory_store_set_state(session->store, 0,
                                                    imgc_manifest_get_image(manifest, (uint32_t)i),
                                                    "out", digest, NULL),
                        0);
                free(own);
        }
        imgc_manifest_unref(manifest);
        free(ancestors);
        free(ranges);
        free(ids);
}

static double time_plan(struct imgc_context *context, struct session *session,
                        struct imgc_project *project, int *ret_work)
{
        struct imgc_plan_lookup lookup;
        struct imgc_manifest *manifest = NULL;
        struct imgc_plan *plan = NULL;
        double best = 1e9;

        ck_assert_int_ge(imgc_manifest_seal(context, project, NULL, &manifest, NULL), 0);
        imgc_memory_store_get_lookup(session->store, &lookup);
        for (int i = 0; i < 5; i++) {
                double start = milliseconds();

                ck_assert_int_ge(
                        imgc_plan_new(context, project, manifest, &lookup, NULL, &plan, NULL), 0);
                best = milliseconds() - start < best ? milliseconds() - start : best;
                *ret_work = imgc_plan_has_work(plan);
                plan = imgc_plan_unref(plan);
        }
        imgc_manifest_unref(manifest);
        return best;
}

/* Of instrumented builds nothing is expected. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MS 1000.0
#else
#define LIMIT_MS 20.0
#endif

START_TEST(test_graphs_cost)
{
        struct imgc_context *context = NULL;
        struct graph *graph = calloc(1, sizeof(*graph));
        struct imgc_project *project, *changed;
        struct session session;
        double empty, same, first, last;
        int work;

        ck_assert_ptr_nonnull(graph);
        ck_assert_int_ge(imgc_context_new(&context, NULL), 0);
        make_graph(graph, 200, 5);
        /* As wide as projects are: an image stands on one of the ten before it. */
        for (int i = 0; i < graph->n; i++) {
                graph->output[i] = true;
                for (int k = 0; k < 3; k++)
                        graph->links[i][k] = k || i < 10 ? -1 : i - 10 + below(5);
        }
        project = make_project(context, graph);
        session_open(&session, context);
        empty = time_plan(context, &session, project, &work);
        ck_assert_int_eq(work, 1);
        fill(&session, context, project, graph);
        same = time_plan(context, &session, project, &work);
        ck_assert_int_eq(work, 0);
        graph->values[199] = 1;
        changed = make_project(context, graph);
        last = time_plan(context, &session, changed, &work);
        imgc_project_unref(changed);
        memset(graph->values, 0, sizeof(graph->values));
        graph->values[0] = 1;
        changed = make_project(context, graph);
        first = time_plan(context, &session, changed, &work);
        printf("1,000 stages: %.1f ms with an empty store, %.1f up to date, %.1f last changed, %.1f first changed\n",
               empty, same, last, first);
        ck_assert(empty < LIMIT_MS && same < LIMIT_MS && first < LIMIT_MS && last < LIMIT_MS);
        imgc_project_unref(changed);
        imgc_project_unref(project);
        session_close(&session);
        free(graph);
        imgc_context_unref(context);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("plan-graphs");
        TCase *tcase = tcase_create("graphs");
        SRunner *runner;
        int failed;

        tcase_set_timeout(tcase, 300);
        tcase_add_test(tcase, test_graphs_random);
        tcase_add_test(tcase, test_graphs_large);
        tcase_add_test(tcase, test_graphs_cost);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
