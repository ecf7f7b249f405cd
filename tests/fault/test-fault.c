/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every call that can fail, failing: then the operation fails with an error that says so,
 * touches nothing that it was given, and leaves no descriptor, thread or memory behind; or it
 * succeeds with exactly what it gives otherwise, where it can do without.
 */
#include "common.h"
#include "inject.h"

#define UNTOUCHED ((void *)(uintptr_t)1)

/* What a scenario came to. */
struct outcome {
        int r;
        struct imgc_error *error;
        void *object; /* UNTOUCHED unless the operation gave one */
        char *text;   /* all that can be told of the result */
        bool needs_path;
};

/* What scenarios need, made without faults. */
struct world {
        struct scratch scratch;
        struct imgc_context *context, *context_4;
        struct imgc_tree *old_tree, *new_tree;
        struct imgc_diff *diff;
        char *listing;
        size_t listing_size;
};

struct scenario {
        const char *name;
        void (*run)(const struct world *world, struct outcome *ret);
        unsigned n_random; /* 0: each call fails once, else so many at random */
};

/* ------------------------------------------------------------------ the tree */

static const unsigned char acl[] = {
        2, 0, 0,   0,   1,   0,   7,  0, 255, 255, 255, 255, 2,   0,   7,
        0, 5, 0,   0,   0,   4,   0,  5, 0,   255, 255, 255, 255, 16,  0,
        7, 0, 255, 255, 255, 255, 32, 0, 5,   0,   255, 255, 255, 255,
};

/* Names whose decoded text fills its buffer exactly. */
static const char long_name[] = "user.64-bytes-with-the-prefix-0123456789-0123456789-0123456789-0";

static void make_rich_tree(const struct scratch *scratch)
{
        char name[64], *data = calloc(1, 2 << 20), longer[80];
        int fd;

        make_directory(scratch, "t", 0755);
        make_directory(scratch, "t/empty", 0755);
        make_directory(scratch, "t/many", 0755);
        for (unsigned i = 0; i < 140; i++) {
                snprintf(name, sizeof(name), "t/many/%u", i);
                make_text(scratch, name, i % 10 ? "" : name);
        }
        make_directory(scratch, "t/a", 0755);
        make_directory(scratch, "t/a/b", 0755);
        make_text(scratch, "t/a/b/f", "demo\n");
        make_text(scratch, "t/a/z", "x");
        make_text(scratch, "t/left-out", "x");
        memset(data, 'd', 600000);
        make_file(scratch, "t/dense", data, 600000);
        make_file(scratch, "t/big", data, 1500000);
        make_text(scratch, "t/sparse", "");
        fd = openat(scratch->fd, "t/sparse", O_WRONLY | O_CLOEXEC);
        ck_assert_int_eq(ftruncate(fd, 3 << 20), 0);
        ck_assert_int_eq(pwrite(fd, "middle", 6, 1 << 20), 6);
        close(fd);
        free(data);
        make_hard_link(scratch, "t/a/z", "t/hard");
        make_symlink(scratch, "t/link", "a/b");
        make_fifo(scratch, "t/pipe");
        set_xattr(scratch, "t/a/b/f", "user.one", "1", 1);
        set_xattr(scratch, "t/a/b/f", long_name, "1", 1);
        snprintf(longer, sizeof(longer), "%s1", long_name);
        set_xattr(scratch, "t/a/b/f", longer, "2", 1);
        set_xattr(scratch, "t/a", "system.posix_acl_access", acl, sizeof(acl));
        set_xattr(scratch, "t/a", "system.posix_acl_default", acl, sizeof(acl));
        set_xattr(scratch, "t/link", "trusted.link", "1", 1);
        set_xattr(scratch, "t/pipe", "trusted.pipe", "1", 1);
        make_text(scratch, "single", "alone\n");
}

static const char *const patterns[] = {"left-out", "!/kept/**/x[a-c]", NULL};

static struct imgc_tree_options rich_options(void)
{
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;

        options.fields = "exact";
        options.flags = IMGC_TREE_ONE_FILESYSTEM;
        options.exclude = patterns;
        return options;
}

static void make_world(struct world *world)
{
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        const char *listing;

        scratch_open(&world->scratch);
        make_rich_tree(&world->scratch);
        world->context = new_context(1);
        world->context_4 = new_context(4);
        options.fields = "mode,size,link,hardlink,xattr,content,acl";
        world->old_tree = read_tree(world->context, &world->scratch, "t", &options);
        listing = imgc_tree_get_listing(world->old_tree, &world->listing_size);
        world->listing = malloc(world->listing_size);
        memcpy(world->listing, listing, world->listing_size);
        make_file(&world->scratch, "listing", listing, world->listing_size);
        /* One of each kind of change. */
        make_directory(&world->scratch, "new", 0755);
        ck_assert_int_eq(renameat(world->scratch.fd, "t", world->scratch.fd, "new/t"), 0);
        make_text(&world->scratch, "new/t/a/b/f", "other\n");
        make_text(&world->scratch, "new/t/\x01\xff name", "added\n");
        ck_assert_int_eq(
                renameat(world->scratch.fd, "new/t/dense", world->scratch.fd, "new/t/moved"), 0);
        ck_assert_int_eq(unlinkat(world->scratch.fd, "new/t/link", 0), 0);
        make_symlink(&world->scratch, "new/t/link", "to \\where");
        set_xattr(&world->scratch, "new/t/a/b/f", "user.one", "2", 1);
        ck_assert_int_eq(fchmodat(world->scratch.fd, "new/t/many/1", 0600, 0), 0);
        ck_assert_int_eq(unlinkat(world->scratch.fd, "new/t/many/2", 0), 0);
        ck_assert_int_eq(unlinkat(world->scratch.fd, "new/t/empty", AT_REMOVEDIR), 0);
        world->new_tree = read_tree(world->context, &world->scratch, "new/t", &options);
        ck_assert_int_eq(imgc_diff_trees(world->context, world->old_tree, world->new_tree,
                                         &world->diff, NULL),
                         0);
        ck_assert_int_eq(renameat(world->scratch.fd, "new/t", world->scratch.fd, "t"), 0);
}

static void free_world(struct world *world)
{
        imgc_diff_unref(world->diff);
        imgc_tree_unref(world->old_tree);
        imgc_tree_unref(world->new_tree);
        imgc_context_unref(world->context);
        imgc_context_unref(world->context_4);
        free(world->listing);
        scratch_close(&world->scratch);
}

/* ------------------------------------------------------------------ scenarios */

static void run_context(const struct world *world, struct outcome *ret)
{
        struct imgc_context *context = UNTOUCHED;

        (void)world;
        ret->r = imgc_context_new(&context, &ret->error);
        ret->object = context;
        if (ret->r >= 0) {
                imgc_context_unref(context);
                ret->text = strdup("");
        }
}

static void read_into(const struct world *world, struct imgc_context *context, const char *path,
                      const struct imgc_tree_options *options, struct outcome *ret)
{
        struct imgc_tree *tree = UNTOUCHED;

        ret->needs_path = true;
        ret->r = imgc_tree_read_at(context, world->scratch.fd, path, options, &tree, &ret->error);
        ret->object = tree;
        if (ret->r < 0)
                return;
        ck_assert_int_ge(asprintf(&ret->text, "%s %llu %llu", imgc_tree_get_digest(tree),
                                  (unsigned long long)imgc_tree_get_n_entries(tree),
                                  (unsigned long long)imgc_tree_get_n_bytes(tree)),
                         0);
        imgc_tree_unref(tree);
}

static void run_read(const struct world *world, struct outcome *ret)
{
        struct imgc_tree_options options = rich_options();

        read_into(world, world->context, "t", &options, ret);
}

static void run_read_4(const struct world *world, struct outcome *ret)
{
        struct imgc_tree_options options = rich_options();

        read_into(world, world->context_4, "t", &options, ret);
}

static void run_read_digest(const struct world *world, struct outcome *ret)
{
        struct imgc_tree_options options = rich_options();

        options.flags |= IMGC_TREE_DIGEST_ONLY;
        options.digest = IMGC_DIGEST_SHA256;
        read_into(world, world->context, "t/a", &options, ret);
}

static void run_read_single(const struct world *world, struct outcome *ret)
{
        read_into(world, world->context, "single", NULL, ret);
}

static void run_read_listing(const struct world *world, struct outcome *ret)
{
        read_into(world, world->context, "listing", NULL, ret);
}

static void run_parse(const struct world *world, struct outcome *ret)
{
        struct imgc_tree *tree = UNTOUCHED;

        ret->r = imgc_tree_parse(world->context, world->listing, world->listing_size, NULL, &tree,
                                 &ret->error);
        ret->object = tree;
        if (ret->r >= 0) {
                ret->text = strdup(imgc_tree_get_digest(tree));
                imgc_tree_unref(tree);
        }
}

static void run_iterate(const struct world *world, struct outcome *ret)
{
        struct imgc_tree_iterator *iterator = NULL;
        const char *keyword, *value;
        unsigned sum = 0;

        ret->object = UNTOUCHED;
        ret->r = imgc_tree_iterator_new(world->old_tree, &iterator, &ret->error);
        while (ret->r >= 0 && (ret->r = imgc_tree_iterator_next(iterator, &ret->error)) > 0) {
                sum = sum * 31 + (unsigned)strlen(imgc_tree_iterator_get_path(iterator));
                for (size_t i = 0; i < imgc_tree_iterator_get_n_attributes(iterator); i++) {
                        imgc_tree_iterator_get_attribute(iterator, i, &keyword, &value);
                        sum = sum * 31 + (unsigned)(strlen(keyword) + strlen(value));
                }
        }
        imgc_tree_iterator_free(iterator);
        ck_assert_int_ge(asprintf(&ret->text, "%u", sum), 0);
}

static void run_diff(const struct world *world, struct outcome *ret)
{
        struct imgc_diff *diff = UNTOUCHED;

        ret->r = imgc_diff_trees(world->context, world->old_tree, world->new_tree, &diff,
                                 &ret->error);
        ret->object = diff;
        if (ret->r < 0)
                return;
        inject_stop();
        ret->text = report_of(diff, IMGC_REPORT_JSON, 0, 0);
        imgc_diff_unref(diff);
}

/* Gathers without the library's buffers, which may fail. */
static int gather(void *userdata, const void *data, size_t data_bytes)
{
        char **text = userdata;
        size_t size = strlen(*text);

        *text = realloc(*text, size + data_bytes + 1);
        memcpy(*text + size, data, data_bytes);
        (*text)[size + data_bytes] = '\0';
        return 0;
}

static void report(const struct world *world, uint32_t format, uint32_t flags, struct outcome *ret)
{
        struct imgc_report_options options = IMGC_REPORT_OPTIONS_INIT;

        options.format = format;
        options.flags = flags;
        ret->object = UNTOUCHED;
        ret->text = strdup("");
        ret->r = imgc_diff_report(world->diff, &options, gather, &ret->text, &ret->error);
}

static void run_report_text(const struct world *world, struct outcome *ret)
{
        report(world, IMGC_REPORT_TEXT, IMGC_REPORT_COLOR, ret);
}

static void run_report_verbose(const struct world *world, struct outcome *ret)
{
        report(world, IMGC_REPORT_TEXT, IMGC_REPORT_VERBOSE, ret);
}

static void run_report_stat(const struct world *world, struct outcome *ret)
{
        report(world, IMGC_REPORT_TEXT, IMGC_REPORT_STAT, ret);
}

static void run_report_names(const struct world *world, struct outcome *ret)
{
        report(world, IMGC_REPORT_TEXT, IMGC_REPORT_NAME_ONLY, ret);
}

static void run_report_json(const struct world *world, struct outcome *ret)
{
        report(world, IMGC_REPORT_JSON, 0, ret);
}

/* Errors are made of memory too. */
static void run_error(const struct world *world, struct outcome *ret)
{
        read_into(world, world->context, "none\xff", NULL, ret);
        ck_assert_int_lt(ret->r, 0);
        ck_assert_ptr_nonnull(imgc_error_get_json(ret->error));
        if (imgc_error_get_code(ret->error) == IMGC_ERROR_NOT_FOUND) {
                ret->text = strdup(imgc_error_get_json(ret->error));
                ret->error = imgc_error_unref(ret->error);
                ret->object = NULL;
                ret->r = 0;
        }
}

static const struct scenario scenarios[] = {
        {"context_new", run_context, 0},
        {"tree_read_at", run_read, 0},
        {"tree_read_at, 4 threads", run_read_4, 400},
        {"tree_read_at, digest only", run_read_digest, 0},
        {"tree_read_at, a file", run_read_single, 0},
        {"tree_read_at, a listing", run_read_listing, 0},
        {"tree_read_at, an error", run_error, 0},
        {"tree_parse", run_parse, 0},
        {"tree_iterator", run_iterate, 0},
        {"diff_trees", run_diff, 0},
        {"diff_report, text", run_report_text, 0},
        {"diff_report, verbose", run_report_verbose, 0},
        {"diff_report, stat", run_report_stat, 0},
        {"diff_report, names", run_report_names, 0},
        {"diff_report, JSON", run_report_json, 0},
};

/* ------------------------------------------------------------------ one failure */

static struct {
        unsigned long sites, failed, ignored;
} tally[N_CALLS];

static bool is_allocation(enum call call)
{
        return call == CALL_MALLOC || call == CALL_CALLOC || call == CALL_REALLOC;
}

static void outcome_free(struct outcome *outcome)
{
        imgc_error_unref(outcome->error);
        free(outcome->text);
}

static void check_outcome(const struct scenario *scenario, unsigned long i,
                          const struct outcome *got, const struct outcome *expected)
{
        enum call call = inject_failed();
        const char *name = call < N_CALLS ? call_names[call] : "nothing";
        char where[128];

        snprintf(where, sizeof(where), "%s, call %lu (%s)", scenario->name, i, name);
        if (call < N_CALLS)
                tally[call].sites++;
        if (got->r >= 0) {
                ck_assert_msg(!got->error, "%s: success, and an error", where);
                ck_assert_msg(!strcmp(got->text, expected->text),
                              "%s: success with another result:\n%s\n%s", where, got->text,
                              expected->text);
                ck_assert_msg(call == N_CALLS || inject_may_be_ignored(), "%s: success", where);
                if (call < N_CALLS)
                        tally[call].ignored++;
                return;
        }
        tally[call].failed++;
        ck_assert_msg(got->error, "%s: no error", where);
        ck_assert_msg(got->object == UNTOUCHED, "%s: out-parameter written", where);
        ck_assert_msg(*imgc_error_get_message(got->error), "%s: no message", where);
        ck_assert_msg(*imgc_error_get_operation(got->error), "%s: no operation", where);
        if (is_allocation(call)) {
                ck_assert_msg(imgc_error_get_code(got->error) == IMGC_ERROR_NO_MEMORY, "%s: %s",
                              where, imgc_error_get_message(got->error));
                return;
        }
        ck_assert_msg(got->r == -imgc_error_get_errno(got->error), "%s: %d, but %s", where, got->r,
                      imgc_error_get_message(got->error));
        ck_assert_msg(imgc_error_get_code(got->error) == IMGC_ERROR_IO, "%s: %s", where,
                      imgc_error_get_message(got->error));
        ck_assert_msg(!got->needs_path || imgc_error_get_path(got->error), "%s: no path: %s", where,
                      imgc_error_get_message(got->error));
}

static void fail_everything(const struct world *world, const struct scenario *scenario)
{
        struct outcome expected = {.object = UNTOUCHED};
        struct random random = {13};
        unsigned n_descriptors;
        unsigned long n, n_runs;

        inject_start(0);
        scenario->run(world, &expected);
        n = inject_stop();
        ck_assert_msg(expected.r >= 0, "%s: %s", scenario->name,
                      expected.error ? imgc_error_get_message(expected.error) : "");
        n_descriptors = count_descriptors();
        n_runs = scenario->n_random ? scenario->n_random : n;
        for (unsigned long i = 1; i <= n_runs; i++) {
                struct outcome got = {.object = UNTOUCHED};
                unsigned long at = scenario->n_random ? 1 + random_below(&random, (uint32_t)n) : i;

                inject_start(at);
                scenario->run(world, &got);
                inject_stop();
                check_outcome(scenario, at, &got, &expected);
                outcome_free(&got);
                ck_assert_msg(count_descriptors() == n_descriptors,
                              "%s, call %lu (%s): descriptor left open", scenario->name, at,
                              call_names[inject_failed()]);
                ck_assert_msg(no_thread_left(), "%s, call %lu: thread left", scenario->name, at);
        }
        outcome_free(&expected);
}

START_TEST(test_fault_everything_once)
{
        struct world world = {0};
        unsigned long sites = 0;

        make_world(&world);
        for (size_t i = 0; i < ELEMENTSOF(scenarios); i++)
                fail_everything(&world, &scenarios[i]);
        free_world(&world);
        printf("%-16s %8s %8s %8s\n", "call", "failures", "refused", "ignored");
        for (int c = 0; c < N_CALLS; c++) {
                printf("%-16s %8lu %8lu %8lu\n", call_names[c], tally[c].sites, tally[c].failed,
                       tally[c].ignored);
                sites += tally[c].sites;
        }
        printf("%-16s %8lu\n", "all", sites);
        fflush(stdout);
}
END_TEST

/* ------------------------------------------------------------------ what the kernel may do */

static char *read_rich(const struct world *world)
{
        struct outcome outcome = {0};

        run_read_4(world, &outcome);
        ck_assert_msg(outcome.r >= 0, "%s",
                      outcome.error ? imgc_error_get_message(outcome.error) : "");
        return outcome.text;
}

static void expect_same(const struct world *world, const struct inject_mode *mode)
{
        char *expected = read_rich(world), *got;

        inject_mode = *mode;
        got = read_rich(world);
        inject_mode = (struct inject_mode){0};
        ck_assert_str_eq(got, expected);
        free(got);
        free(expected);
}

START_TEST(test_fault_same_digest)
{
        struct world world = {0};

        make_world(&world);
        expect_same(&world, &(struct inject_mode){.short_reads = true});
        expect_same(&world, &(struct inject_mode){.unknown_types = true});
        expect_same(&world, &(struct inject_mode){.no_noatime = true});
        expect_same(&world, &(struct inject_mode){.no_threads = true});
        free_world(&world);
}
END_TEST

/* An entry that is listed, and then is not there any more, or is something else. */
START_TEST(test_fault_gone_after_listing)
{
        static const char *const names[] = {"f", "b", "pipe", "link", "dense", "sparse", "empty"};
        static const char *const paths[] = {"t/a/b/f", "t/a/b",    "t/pipe", "t/link",
                                            "t/dense", "t/sparse", "t/empty"};
        static const int numbers[] = {-ENOENT, -ELOOP, -ENOTDIR};
        struct world world = {0};
        struct outcome before = {0};

        make_world(&world);
        make_directory(&world.scratch, "t/empty", 0755);
        make_text(&world.scratch, "t/dense", "x");
        run_read(&world, &before);
        ck_assert_int_ge(before.r, 0);
        outcome_free(&before);
        for (size_t i = 0; i < ELEMENTSOF(names) * ELEMENTSOF(numbers) * 2; i++) {
                struct outcome outcome = {.object = UNTOUCHED};
                const char *path = paths[i / 2 / ELEMENTSOF(numbers)];

                inject_mode.gone_name = names[i / 2 / ELEMENTSOF(numbers)];
                inject_mode.gone_errno = numbers[i / 2 % ELEMENTSOF(numbers)];
                inject_mode.unknown_types = i % 2 && inject_mode.gone_errno == -ENOENT;
                (i % 3 ? run_read : run_read_4)(&world, &outcome);
                inject_mode = (struct inject_mode){0};
                ck_assert_msg(outcome.r < 0, "%s", path);
                ck_assert_msg(imgc_error_get_code(outcome.error) == IMGC_ERROR_TREE_CHANGED, "%s",
                              imgc_error_get_message(outcome.error));
                ck_assert_str_eq(imgc_error_get_path(outcome.error), path);
                ck_assert_ptr_eq(outcome.object, UNTOUCHED);
                outcome_free(&outcome);
        }
        free_world(&world);
}
END_TEST

/* A directory so wide that pushing its parts fails while threads work on some already. */
START_TEST(test_fault_wide_directory)
{
        _cleanup_scratch_ struct scratch scratch;
        struct world world = {.context_4 = new_context(4)};
        unsigned n_descriptors;
        char name[32];

        scratch_open(&scratch);
        world.scratch = scratch;
        make_directory(&scratch, "t", 0755);
        for (unsigned i = 0; i < 128 * 150; i++) {
                snprintf(name, sizeof(name), "t/%u", i);
                make_text(&scratch, name, "");
        }
        n_descriptors = count_descriptors();
        for (unsigned i = 0; i < 20; i++) {
                struct outcome outcome = {.object = UNTOUCHED};

                /* The stack of parts grows from 64 to 128 of 16 bytes. */
                inject_mode.refused_bytes = 2048;
                read_into(&world, world.context_4, "t", NULL, &outcome);
                inject_mode = (struct inject_mode){0};
                ck_assert(outcome.r == -ENOMEM || outcome.text);
                ck_assert(no_thread_left());
                ck_assert_uint_eq(count_descriptors(), n_descriptors);
                outcome_free(&outcome);
        }
        imgc_context_unref(world.context_4);
}
END_TEST

int main(void)
{
        const TTest *tests[] = {
                test_fault_everything_once,
                test_fault_same_digest,
                test_fault_gone_after_listing,
                test_fault_wide_directory,
        };

        return run_suite(SUITE_OF("fault", tests));
}
