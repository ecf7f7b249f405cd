/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells plans to scenarios.py: reads commands from standard input, one a line, words separated by
 * tabs, and answers each with one line.
 *
 *     project FILE               reads a project; paths are relative to the present directory
 *     build OPTION…              builds what the plan says; answers with the stages that ran
 *     plan OPTION…               answers with the plan as JSON
 *     text OPTION…               answers with its text, line feeds as tabs
 *     age SECONDS                lets time pass
 *     evict|damage STAGE RULE    what happens to a stage's newest record ("IMAGE/STAGE")
 *     forget STAGE               loses the record as well
 *     missing|changed OUTPUT     what happens to an output ("IMAGE PATH")
 *     read ROOT DIGEST           what is below a root that is read
 *     result STAGE WORD          what the stage makes from now on; "-": what it would
 *     env NAME VALUE             sets a variable; without VALUE unsets it
 *     map MAP                    the present uid map
 *     stop N                     the next build is interrupted after N stages
 *     deaf CALL                  the store does not answer: key, stage, id, floor, output, state
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define WORDS_MAX 32

struct driver {
        struct session session;
        struct imgc_project *project;
        char *results[64][2];
        size_t n_results;
        char map[256];
        char deaf[16];
};

static const char *result_of(void *userdata, const char *image, const char *stage)
{
        struct driver *driver = userdata;
        char name[512];

        snprintf(name, sizeof(name), "%s/%s", image, stage);
        for (size_t i = driver->n_results; i-- > 0;)
                if (!strcmp(driver->results[i][0], name))
                        return strcmp(driver->results[i][1], "-") ? driver->results[i][1] : NULL;
        return NULL;
}

static const char *env(void *userdata, const char *name)
{
        (void)userdata;
        return getenv(name);
}

static int write_to_buffer(void *userdata, const void *data, size_t size)
{
        buffer_add(userdata, data, size);
        return 0;
}

static int fail(struct imgc_error *error)
{
        printf("{\"failed\":\"%s\",\"message\":", imgc_error_get_code_name(error));
        struct buffer text = {0};

        imgc_write_json_string(imgc_error_get_message(error), write_to_buffer, &text);
        printf("%.*s}\n", (int)text.size, text.data);
        buffer_free(&text);
        imgc_error_unref(error);
        return 0;
}

/* ------------------------------------------------------------------------------ options */

struct options {
        struct imgc_plan_options plan;
        const char *rebuild[WORDS_MAX], *keep[WORDS_MAX], *only[WORDS_MAX];
};

static void read_options(char **words, struct options *ret)
{
        size_t n_rebuild = 0, n_keep = 0, n_only = 0;

        *ret = (struct options){.plan = IMGC_PLAN_OPTIONS_INIT};
        for (; *words; words++) {
                char *value = strchr(*words, '=');

                if (value)
                        *value++ = '\0';
                if (!strcmp(*words, "--rebuild"))
                        ret->rebuild[n_rebuild++] = value;
                else if (!strcmp(*words, "--keep"))
                        ret->keep[n_keep++] = value;
                else if (!strcmp(*words, "--only"))
                        ret->only[n_only++] = value;
                else if (!strcmp(*words, "--refresh"))
                        ret->plan.flags |= IMGC_PLAN_REFRESH;
                else if (!strcmp(*words, "--no-append"))
                        ret->plan.flags |= IMGC_PLAN_NO_APPEND;
                else if (!strcmp(*words, "--fail-on-rebuild")) {
                        ret->plan.flags |= IMGC_PLAN_FAIL_ON_REBUILD;
                        ret->plan.fail_stage = value;
                }
        }
        ret->plan.rebuild = ret->rebuild;
        ret->plan.keep = ret->keep;
        ret->plan.only = ret->only;
}

/* ------------------------------------------------------------------------------ a deaf store */

static int deaf_list(void *userdata, const char *a, const struct imgc_record *const **ret,
                     size_t *n)
{
        (void)userdata, (void)a, (void)ret, (void)n;
        return -EIO;
}

static int deaf_stage(void *userdata, const char *a, const char *b,
                      const struct imgc_record *const **ret, size_t *n)
{
        (void)b;
        return deaf_list(userdata, a, ret, n);
}

static int deaf_id(void *userdata, const char *id, const struct imgc_record **ret)
{
        (void)userdata, (void)id, (void)ret;
        return -EIO;
}

static int deaf_floor(void *userdata, const char *a, const char *b, uint64_t *ret)
{
        (void)userdata, (void)a, (void)b, (void)ret;
        return -EIO;
}

static int deaf_output(void *userdata, const char *a, const char *b,
                       struct imgc_recorded_output *ret)
{
        (void)userdata, (void)a, (void)b, (void)ret;
        return -EIO;
}

static int deaf_state(void *userdata, const struct imgc_state_query *query, const char **ret)
{
        (void)userdata, (void)query, (void)ret;
        return -EIO;
}

static int plan(struct driver *driver, const struct imgc_plan_options *options,
                struct imgc_plan **ret, struct imgc_error **reterr)
{
        struct imgc_seal_options seal = IMGC_SEAL_OPTIONS_INIT;
        struct imgc_plan_lookup lookup;

        imgc_memory_store_set_now(driver->session.store, driver->session.now);
        imgc_memory_store_set_uid_map(driver->session.store, driver->session.uid_map, NULL);
        imgc_memory_store_get_lookup(driver->session.store, &lookup);
        if (!strcmp(driver->deaf, "key"))
                lookup.find_by_key = deaf_list;
        if (!strcmp(driver->deaf, "stage"))
                lookup.find_by_stage = deaf_stage;
        if (!strcmp(driver->deaf, "id"))
                lookup.find_by_id = deaf_id;
        if (!strcmp(driver->deaf, "floor"))
                lookup.get_floor = deaf_floor;
        if (!strcmp(driver->deaf, "output"))
                lookup.get_output = deaf_output;
        if (!strcmp(driver->deaf, "state"))
                lookup.get_state = deaf_state;
        seal.env = env;
        seal.secret = "a secret of enough bytes";
        seal.secret_bytes = 24;
        return imgc_plan_project(driver->session.context, driver->project, &seal, &lookup, options,
                                 ret, reterr);
}

/* ------------------------------------------------------------------------------ commands */

static const struct imgc_record *find_newest(struct driver *driver, const char *stage)
{
        const struct imgc_record *const *records = NULL;
        struct imgc_plan_lookup lookup;
        char scope[256];
        size_t n = 0;

        snprintf(scope, sizeof(scope), "%.*s", (int)strcspn(stage, "/"), stage);
        imgc_memory_store_get_lookup(driver->session.store, &lookup);
        if (lookup.find_by_stage(lookup.userdata, scope, stage + strlen(scope) + 1, &records, &n) <=
                    0 ||
            !n)
                return NULL;
        return records[n - 1];
}

static int answer_plan(struct driver *driver, char **words, uint32_t format)
{
        struct imgc_plan_report_options report = IMGC_PLAN_REPORT_OPTIONS_INIT;
        struct imgc_error *error = NULL;
        struct imgc_plan *made = NULL;
        struct buffer text = {0};
        struct options options;

        read_options(words + 1, &options);
        if (plan(driver, &options.plan, &made, &error) < 0)
                return fail(error);
        report.format = format;
        imgc_plan_report(made, &report, write_to_buffer, &text, NULL);
        for (size_t i = 0; format != IMGC_PLAN_JSON && i < text.size; i++)
                text.data[i] = text.data[i] == '\n' ? '\t' : text.data[i];
        printf("%.*s%s", (int)text.size, text.data, format == IMGC_PLAN_JSON ? "" : "\n");
        buffer_free(&text);
        imgc_plan_unref(made);
        return 0;
}

static int build(struct driver *driver, char **words)
{
        struct imgc_error *error = NULL;
        struct options options;

        read_options(words + 1, &options);
        driver->session.now += 60;
        if (session_build(&driver->session, driver->project, &options.plan, &error) < 0)
                return fail(error);
        driver->session.stop_after = 0;
        printf("%s\n", driver->session.ran.data);
        return 0;
}

static int load(struct driver *driver, const char *path)
{
        struct imgc_error *error = NULL;

        driver->project = imgc_project_unref(driver->project);
        if (imgc_project_load_at(driver->session.context, AT_FDCWD, path, &driver->project,
                                 &error) < 0)
                return fail(error);
        puts("ok");
        return 0;
}

static int change_record(struct driver *driver, const char *what, const char *stage,
                         const char *rule)
{
        const struct imgc_record *record = find_newest(driver, stage);
        uint32_t flags = IMGC_RECORD_SNAPSHOT |
                         (!strcmp(what, "damage") ? IMGC_RECORD_DAMAGED : IMGC_RECORD_EVICTED);

        if (!record)
                return -ENOENT;
        if (!strcmp(what, "forget"))
                return imgc_memory_store_remove_record(driver->session.store, record->id, NULL);
        return imgc_memory_store_set_flags(driver->session.store, record->id, flags,
                                           driver->session.now, rule, NULL);
}

/* Something that looks like a digest, and is another for another word. */
static char *make_digest(const char *word)
{
        unsigned long long n = 1469598103934665603u;
        char *text = malloc(33);

        for (; *word; word++)
                n = (n ^ (unsigned char)*word) * 1099511628211u;
        if (text)
                snprintf(text, 33, "%016llx%016llx", n, ~n);
        return text;
}

static int change_facts(struct driver *driver, char **w)
{
        struct session *session = &driver->session;

        if (!strcmp(w[0], "age") && w[1])
                session->now += atoll(w[1]);
        else if (!strcmp(w[0], "stop") && w[1])
                session->stop_after = (uint32_t)atoi(w[1]);
        else if (!strcmp(w[0], "missing") && w[2])
                return imgc_memory_store_set_state(session->store, 0, w[1], w[2], NULL, NULL);
        else if (!strcmp(w[0], "changed") && w[2])
                return imgc_memory_store_set_state(session->store, 0, w[1], w[2], "other", NULL);
        else if (!strcmp(w[0], "read") && w[1])
                return imgc_memory_store_set_state(session->store, IMGC_READ_ROOT, w[1], NULL, w[2],
                                                   NULL);
        else if (!strcmp(w[0], "env") && w[1])
                return w[2] ? setenv(w[1], w[2], 1) : unsetenv(w[1]);
        else if (!strcmp(w[0], "deaf") && w[1])
                snprintf(driver->deaf, sizeof(driver->deaf), "%s", w[1]);
        else if (!strcmp(w[0], "map") && w[1]) {
                snprintf(driver->map, sizeof(driver->map), "%s", w[1]);
                session->uid_map = driver->map;
        } else if (!strcmp(w[0], "result") && w[2] && driver->n_results < 64) {
                driver->results[driver->n_results][0] = strdup(w[1]);
                driver->results[driver->n_results++][1] = strcmp(w[2], "-") ? make_digest(w[2]) :
                                                                              strdup(w[2]);
        } else {
                return -EINVAL;
        }
        return 0;
}

static int obey(struct driver *driver, char **w)
{
        int r;

        if (!strcmp(w[0], "project") && w[1])
                return load(driver, w[1]);
        if (!strcmp(w[0], "build"))
                return build(driver, w);
        if (!strcmp(w[0], "plan") || !strcmp(w[0], "text") || !strcmp(w[0], "dot"))
                return answer_plan(driver, w,
                                   *w[0] == 'p' ? IMGC_PLAN_JSON :
                                   *w[0] == 'd' ? IMGC_PLAN_DOT :
                                                  IMGC_PLAN_TEXT);
        if ((!strcmp(w[0], "evict") || !strcmp(w[0], "damage") || !strcmp(w[0], "forget")) && w[1])
                r = change_record(driver, w[0], w[1], w[2]);
        else
                r = change_facts(driver, w);
        if (r >= 0)
                puts("ok");
        return r;
}

int main(void)
{
        struct driver driver = {0};
        struct imgc_context *context = NULL;
        char *line = NULL;
        size_t capacity = 0;
        ssize_t n;
        int r = 0;

        if (imgc_context_new(&context, NULL) < 0)
                return 2;
        session_open(&driver.session, context);
        driver.session.result_of = result_of;
        driver.session.env = env;
        driver.session.userdata = &driver;
        while (r >= 0 && (n = getline(&line, &capacity, stdin)) > 0) {
                char *words[WORDS_MAX + 1] = {NULL}, *at = line;

                line[strcspn(line, "\n")] = '\0';
                for (size_t i = 0; i < WORDS_MAX && (words[i] = strsep(&at, "\t")); i++)
                        ;
                r = obey(&driver, words);
                if (r < 0)
                        fprintf(stderr, "%s: %s\n", words[0], strerror(-r));
                fflush(stdout);
        }
        free(line);
        for (size_t i = 0; i < driver.n_results; i++) {
                free(driver.results[i][0]);
                free(driver.results[i][1]);
        }
        imgc_project_unref(driver.project);
        session_close(&driver.session);
        imgc_context_unref(context);
        return r < 0 ? 2 : 0;
}
