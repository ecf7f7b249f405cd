/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls: what they refuse, what they tell, and records that no store should hand out. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

static const char project_text[] =
        "{\"imagecache\":\"project\",\"version\":1,\"name\":\"calls\",\"builder\":\"b 1\",\"images\":["
        "{\"image\":\"base\",\"stages\":["
        "{\"stage\":\"install\",\"snapshot\":true,\"inputs\":[{\"input\":\"packages\",\"type\":\"set\",\"append\":true,\"items\":[\"a\"]}]},"
        "{\"stage\":\"prepare\",\"snapshot\":true,\"inputs\":[]}]},"
        "{\"image\":\"system\",\"outputs\":[\"out\"],\"stages\":["
        "{\"stage\":\"extra\",\"snapshot\":true,\"inputs\":[{\"input\":\"base\",\"type\":\"image\",\"image\":\"base\"}]},"
        "{\"stage\":\"pack\",\"inputs\":[]}]}]}";

static struct imgc_context *context;
static struct imgc_project *project;
static struct session session;

static void set_up(void)
{
        ck_assert_int_ge(imgc_context_new(&context, NULL), 0);
        ck_assert_int_ge(imgc_project_parse(context, project_text, strlen(project_text), NULL,
                                            AT_FDCWD, &project, NULL),
                         0);
        session_open(&session, context);
}

static void tear_down(void)
{
        session_close(&session);
        imgc_project_unref(project);
        imgc_context_unref(context);
}

static struct imgc_plan *make_plan(const struct imgc_plan_options *options)
{
        struct imgc_error *error = NULL;
        struct imgc_plan *plan = NULL;

        if (session_plan(&session, project, options, &plan, &error) < 0)
                ck_abort_msg("%s", imgc_error_get_message(error));
        return plan;
}

static struct imgc_plan_image image_of(const struct imgc_plan *plan, uint32_t image)
{
        struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;

        ck_assert_int_eq(imgc_plan_get_image(plan, image, &told), 0);
        return told;
}

static struct imgc_record *find_record(const char *id)
{
        struct imgc_plan_lookup lookup;
        const struct imgc_record *record = NULL;

        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_gt(lookup.find_by_id(lookup.userdata, id, &record), 0);
        return (struct imgc_record *)(uintptr_t)record;
}

/* ------------------------------------------------------------------------------ arguments */

START_TEST(test_plan_new_refuses_options)
{
        struct imgc_plan_options options = IMGC_PLAN_OPTIONS_INIT;
        struct imgc_plan_lookup lookup, empty = IMGC_PLAN_LOOKUP_INIT;
        struct imgc_error *error = NULL;
        struct imgc_plan *plan = NULL;

        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_eq(imgc_plan_new(context, project, NULL, &empty, NULL, &plan, &error),
                         -EINVAL);
        ck_assert_int_eq(imgc_error_get_code(error), IMGC_ERROR_INVALID_ARGUMENT);
        error = imgc_error_unref(error);
        options.flags = 1u << 30;
        ck_assert_int_eq(imgc_plan_new(context, project, NULL, &lookup, &options, &plan, &error),
                         -EINVAL);
        error = imgc_error_unref(error);
        options.flags = 0;
        options.size = 0;
        ck_assert_int_eq(imgc_plan_new(context, project, NULL, &lookup, &options, &plan, NULL),
                         -EINVAL);
        ck_assert_ptr_null(plan);
}
END_TEST

START_TEST(test_plan_new_without_manifest)
{
        struct imgc_plan_lookup lookup;
        struct imgc_plan *plan = NULL;

        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_ge(imgc_plan_new(context, project, NULL, &lookup, NULL, &plan, NULL), 0);
        ck_assert_int_eq(image_of(plan, 1).decision, IMGC_DECISION_REBUILD);
        ck_assert_int_eq(image_of(plan, 1).tentative, 1);
        ck_assert_uint_eq(image_of(plan, 1).n_certain, 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 1);
        imgc_plan_unref(plan);
}
END_TEST

START_TEST(test_plan_new_takes_a_manifest)
{
        struct imgc_plan_lookup lookup;
        struct imgc_manifest *manifest = NULL;
        struct imgc_plan *plan = NULL;

        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        ck_assert_int_ge(imgc_manifest_seal(context, project, NULL, &manifest, NULL), 0);
        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_ge(imgc_plan_new(context, project, manifest, &lookup, NULL, &plan, NULL), 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 0);
        ck_assert_ptr_eq(imgc_plan_ref(plan), plan);
        imgc_plan_unref(plan);
        imgc_plan_unref(plan);
        imgc_manifest_unref(manifest);
}
END_TEST

START_TEST(test_plan_new_refuses_other_manifest)
{
        struct imgc_project *other = NULL;
        struct imgc_plan_lookup lookup;
        struct imgc_manifest *manifest = NULL;
        struct imgc_plan *plan = NULL;
        char *text = strdup(project_text);

        ck_assert_ptr_nonnull(text);
        memcpy(strstr(text, "\"b 1\""), "\"b 2\"", 5);
        ck_assert_int_ge(
                imgc_project_parse(context, text, strlen(text), NULL, AT_FDCWD, &other, NULL), 0);
        ck_assert_int_ge(imgc_manifest_seal(context, other, NULL, &manifest, NULL), 0);
        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_eq(imgc_plan_new(context, project, manifest, &lookup, NULL, &plan, NULL),
                         -EINVAL);
        imgc_manifest_unref(manifest);
        imgc_project_unref(other);
        free(text);
}
END_TEST

START_TEST(test_plan_cancelled)
{
        struct imgc_plan_lookup lookup;
        struct imgc_plan *plan = NULL;

        imgc_memory_store_get_lookup(session.store, &lookup);
        imgc_context_cancel(context);
        ck_assert_int_eq(imgc_plan_new(context, project, NULL, &lookup, NULL, &plan, NULL),
                         -ECANCELED);
        ck_assert_ptr_null(plan);
}
END_TEST

/* ------------------------------------------------------------------------------ answers */

START_TEST(test_plan_get_refusal)
{
        struct imgc_plan_options options = IMGC_PLAN_OPTIONS_INIT;
        const char *image = NULL, *stage = NULL;
        struct imgc_plan *plan;

        options.flags = IMGC_PLAN_FAIL_ON_REBUILD;
        plan = make_plan(&options);
        ck_assert_int_eq(imgc_plan_get_refusal(plan, &image, &stage), 1);
        ck_assert_str_eq(image, "base");
        ck_assert_str_eq(stage, "install");
        imgc_plan_unref(plan);
        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        plan = make_plan(&options);
        ck_assert_int_eq(imgc_plan_get_refusal(plan, NULL, NULL), 0);
        imgc_plan_unref(plan);
        /* Resuming is no rebuild, but the stage runs. */
        ck_assert_int_ge(imgc_memory_store_set_state(session.store, 0, "system", "out", NULL, NULL),
                         0);
        plan = make_plan(&options);
        ck_assert_int_eq(imgc_plan_get_refusal(plan, NULL, NULL), 0);
        imgc_plan_unref(plan);
        options.fail_stage = "pack";
        plan = make_plan(&options);
        ck_assert_int_eq(imgc_plan_get_refusal(plan, &image, &stage), 1);
        ck_assert_str_eq(image, "system");
        imgc_plan_unref(plan);
        options.fail_stage = "nothing";
        ck_assert_int_eq(session_plan(&session, project, &options, &plan, NULL), -EINVAL);
}
END_TEST

START_TEST(test_plan_getters_bounds)
{
        struct imgc_reason reason = IMGC_REASON_INIT;
        struct imgc_plan_image told = IMGC_PLAN_IMAGE_INIT;
        struct imgc_plan *plan = make_plan(NULL);
        const char *a, *b;

        ck_assert_uint_eq(imgc_plan_get_n_images(plan), 2);
        ck_assert_int_eq(imgc_plan_get_image(plan, 2, &told), -ERANGE);
        ck_assert_str_eq(imgc_plan_get_run(plan, 0, 1), "prepare");
        ck_assert_ptr_null(imgc_plan_get_run(plan, 0, 2));
        ck_assert_ptr_null(imgc_plan_get_run(plan, 9, 0));
        ck_assert_int_eq(imgc_plan_get_append(plan, 0, 0, &a, &b), -ERANGE);
        ck_assert_int_eq(imgc_plan_get_output(plan, 1, 0, &a), IMGC_OUTPUT_MISSING);
        ck_assert_str_eq(a, "out");
        ck_assert_int_eq(imgc_plan_get_output(plan, 1, 1, &a), -ERANGE);
        ck_assert_int_eq(imgc_plan_get_reason(plan, 0, 0, &reason), 0);
        ck_assert_int_eq(reason.code, IMGC_REASON_NEVER_BUILT);
        ck_assert_uint_eq(reason.size, sizeof(reason));
        ck_assert_int_eq(imgc_plan_get_reason(plan, 0, 1, &reason), -ERANGE);
        ck_assert_int_eq(imgc_plan_get_stale(plan, 0, 0, &reason), -ERANGE);
        imgc_plan_unref(plan);
}
END_TEST

START_TEST(test_plan_words)
{
        for (int i = IMGC_DECISION_UP_TO_DATE; i <= IMGC_DECISION_KEPT; i++)
                ck_assert_ptr_nonnull(imgc_decision_get_name((enum imgc_decision)i));
        for (int i = IMGC_REASON_NEVER_BUILT; i <= IMGC_REASON_TENTATIVE; i++)
                ck_assert_ptr_nonnull(imgc_reason_code_get_name((enum imgc_reason_code)i));
        ck_assert_ptr_null(imgc_decision_get_name((enum imgc_decision)0));
        ck_assert_ptr_null(imgc_reason_code_get_name((enum imgc_reason_code)999));
        ck_assert_ptr_null(imgc_output_state_get_name((enum imgc_output_state)0));
        ck_assert_str_eq(imgc_output_state_get_name(IMGC_OUTPUT_OUTDATED), "outdated");
}
END_TEST

static int refuse(void *userdata, const void *data, size_t size)
{
        (void)userdata, (void)data, (void)size;
        return -EPIPE;
}

START_TEST(test_plan_report_fails)
{
        struct imgc_plan_report_options options = IMGC_PLAN_REPORT_OPTIONS_INIT;
        struct imgc_plan *plan = make_plan(NULL);

        ck_assert_int_eq(imgc_plan_report(plan, &options, refuse, NULL, NULL), -EPIPE);
        options.format = 99;
        ck_assert_int_eq(imgc_plan_report(plan, &options, refuse, NULL, NULL), -EINVAL);
        imgc_plan_unref(plan);
}
END_TEST

/* ------------------------------------------------------------------------------ the store */

START_TEST(test_memory_store_refuses_records)
{
        struct imgc_record record = IMGC_RECORD_INIT;

        ck_assert_int_eq(imgc_memory_store_add_record(session.store, &record, NULL), -EINVAL);
        record.id = "x";
        record.scope = record.stage = "s";
        record.key = "k";
        record.n_ancestors = 1;
        ck_assert_int_eq(imgc_memory_store_add_record(session.store, &record, NULL), -EINVAL);
        record.n_ancestors = 0;
        ck_assert_int_eq(imgc_memory_store_add_record(session.store, &record, NULL), 0);
        ck_assert_int_eq(imgc_memory_store_add_record(session.store, &record, NULL), -EEXIST);
        ck_assert_int_eq(imgc_memory_store_set_flags(session.store, "y", 0, 0, NULL, NULL),
                         -ENOENT);
        ck_assert_int_eq(imgc_memory_store_remove_record(session.store, "x", NULL), 0);
        ck_assert_int_eq(imgc_memory_store_remove_record(session.store, "x", NULL), -ENOENT);
        ck_assert_int_eq(imgc_memory_store_add_record(session.store, &record, NULL), 0);
        ck_assert_ptr_eq(imgc_memory_store_ref(session.store), session.store);
        imgc_memory_store_unref(session.store);
}
END_TEST

/* ------------------------------------------------------------------------------ damaged records */

/* What a damaged store might hand out: each breaks one thing about a record of "base". Nothing of
 * it is reused, nothing crashes, and what stands on it runs again. */
enum damage {
        NO_KEY,
        SHORT_KEY,
        NO_SCOPE,
        NO_ANCESTORS,
        ANCESTOR_WITHOUT_ID,
        ANCESTOR_OF_ANOTHER_KEY,
        SELF_ANCESTOR,
        LINES_OF_NOISE,
        LINES_WITHOUT_END,
        N_DAMAGES
};

static void damage(struct imgc_record *record, enum damage what)
{
        struct imgc_ancestor *ancestors = (struct imgc_ancestor *)(uintptr_t)record->ancestors;

        switch (what) {
        case NO_KEY:
                record->key = NULL;
                break;
        case SHORT_KEY:
                record->key = "abc";
                break;
        case NO_SCOPE:
                record->scope = NULL;
                break;
        case NO_ANCESTORS:
                record->n_ancestors = 0;
                break;
        case ANCESTOR_WITHOUT_ID:
                ancestors[0].id = NULL;
                break;
        case ANCESTOR_OF_ANOTHER_KEY:
                ancestors[0].key =
                        "0000000000000000000000000000000000000000000000000000000000000000";
                break;
        case SELF_ANCESTOR:
                ancestors[0].id = record->id;
                break;
        case LINES_OF_NOISE:
                record->lines = "noise\n";
                record->lines_bytes = 6;
                break;
        default:
                record->lines_bytes--;
        }
}

START_TEST(test_plan_damaged_record)
{
        struct imgc_plan *plan;
        struct imgc_record *record;
        const bool only_words = _i >= LINES_OF_NOISE;

        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        record = find_record("id000002");
        ck_assert_str_eq(record->stage, "prepare");
        /* Somebody asks for it. */
        ck_assert_int_eq(imgc_memory_store_remove_record(session.store, "id000003", NULL), 0);
        damage(record, (enum damage)_i);
        plan = make_plan(NULL);
        ck_assert_int_eq(image_of(plan, 1).decision, IMGC_DECISION_REBUILD);
        ck_assert_uint_gt(image_of(plan, 1).n_reasons, 0);
        /* What a record was made of is only for explaining. */
        ck_assert_uint_eq(image_of(plan, 0).n_run, !only_words);
        imgc_plan_unref(plan);
}
END_TEST

/* A record that stands on two snapshots of one stage, as a store that was filled by hand may have:
 * no session makes one. */
START_TEST(test_plan_mixed_record)
{
        struct imgc_record twin, *record;
        struct imgc_ancestor ancestors[8] = {0};
        struct imgc_plan *plan;

        ck_assert_int_ge(session_build(&session, project, NULL, NULL), 0);
        twin = *find_record("id000001");
        twin.id = "twin";
        ck_assert_int_ge(imgc_memory_store_add_record(session.store, &twin, NULL), 0);
        record = find_record("id000004");
        ck_assert_str_eq(record->stage, "pack");
        memcpy(ancestors, record->ancestors, record->n_ancestors * sizeof(*ancestors));
        ancestors[record->n_ancestors] = ancestors[0];
        ck_assert_str_eq(ancestors[0].stage, "install");
        ancestors[record->n_ancestors].id = "twin";
        plan = make_plan(NULL);
        ck_assert_int_eq(imgc_plan_has_work(plan), 0);
        imgc_plan_unref(plan);
        record->ancestors = ancestors;
        record->n_ancestors++;
        plan = make_plan(NULL);
        ck_assert_int_eq(imgc_plan_has_work(plan), 1);
        ck_assert_int_eq(image_of(plan, 1).decision, IMGC_DECISION_RESUME);
        imgc_plan_unref(plan);
}
END_TEST

/* A manifest that was sealed with results which nothing usable has any more. */
START_TEST(test_plan_new_results_are_gone)
{
        char *text = strdup(project_text), *at;
        const char *digests[1];
        struct imgc_project *linked = NULL;
        struct imgc_manifest *manifest = NULL;
        struct imgc_plan_lookup lookup;
        struct imgc_sealer *sealer = NULL;
        struct imgc_plan *plan = NULL;
        struct buffer by_output = {0};

        ck_assert_ptr_nonnull(text);
        at = strstr(text, ",\"image\":\"base\"}]}");
        buffer_add(&by_output, text, (size_t)(at - text));
        buffer_add_literal(&by_output, ",\"by\":\"output\"");
        buffer_add_string(&by_output, at);
        ck_assert_int_ge(imgc_project_parse(context, by_output.data, by_output.size, NULL, AT_FDCWD,
                                            &linked, NULL),
                         0);
        ck_assert_int_ge(session_build(&session, linked, NULL, NULL), 0);
        digests[0] = find_record("id000002")->results[0].digest;
        ck_assert_int_ge(imgc_sealer_new(context, linked, NULL, &sealer, NULL), 0);
        for (int i = 0; i < 4; i++) {
                ck_assert_int_eq(
                        imgc_sealer_seal_next(sealer, i < 2 ? "base" : "system", NULL, NULL), 1);
                if (i == 1)
                        ck_assert_int_ge(imgc_sealer_set_results(sealer, "base", "prepare", digests,
                                                                 1, NULL),
                                         0);
        }
        ck_assert_int_ge(imgc_sealer_get_manifest(sealer, &manifest, NULL), 0);
        imgc_memory_store_get_lookup(session.store, &lookup);
        ck_assert_int_ge(imgc_plan_new(context, linked, manifest, &lookup, NULL, &plan, NULL), 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 0);
        plan = imgc_plan_unref(plan);
        ck_assert_int_ge(imgc_memory_store_remove_record(session.store, "id000002", NULL), 0);
        ck_assert_int_ge(imgc_plan_new(context, linked, manifest, &lookup, NULL, &plan, NULL), 0);
        ck_assert_int_eq(imgc_plan_has_work(plan), 1);
        ck_assert_int_eq(image_of(plan, 1).decision, IMGC_DECISION_REBUILD);
        imgc_plan_unref(plan);
        imgc_sealer_free(sealer);
        imgc_manifest_unref(manifest);
        imgc_project_unref(linked);
        buffer_free(&by_output);
        free(text);
}
END_TEST

int main(void)
{
        const TTest *const tests[] = {
                test_plan_new_refuses_options,
                test_plan_new_without_manifest,
                test_plan_new_takes_a_manifest,
                test_plan_new_refuses_other_manifest,
                test_plan_cancelled,
                test_plan_get_refusal,
                test_plan_getters_bounds,
                test_plan_words,
                test_plan_report_fails,
                test_memory_store_refuses_records,
                test_plan_mixed_record,
                test_plan_new_results_are_gone,
        };
        Suite *suite = suite_create("plan-calls");
        TCase *tcase = tcase_create("calls");
        SRunner *runner;
        int failed;

        tcase_add_checked_fixture(tcase, set_up, tear_down);
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
                tcase_add_test(tcase, tests[i]);
        tcase_add_loop_test(tcase, test_plan_damaged_record, 0, N_DAMAGES);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_NORMAL);
        failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
