/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree/exclude.h"

#include <errno.h>
#include <string.h>

#include "core/error.h"
#include "core/io.h"
#include "core/limits.h"

struct component {
        const char *text;
        size_t size;
        bool any; /* two stars or more: any number of components */
};

struct pattern {
        bool negated;
        bool directory_only;
        bool anchored; /* matched against the whole path, else against the last component */
        size_t n_components;
        struct component *components;
        char *text;
};

struct exclude {
        size_t n_patterns;
        struct pattern patterns[];
};

/* Without the trailing spaces that are not quoted. */
static size_t trimmed_size(const char *text)
{
        size_t size = 0;

        for (size_t i = 0; text[i]; i++) {
                if (text[i] == '\\' && text[i + 1])
                        size = ++i + 1;
                else if (text[i] != ' ')
                        size = i + 1;
        }
        return size;
}

/* The end of the component at p: a '/' outside brackets, plain or quoted. */
static const char *component_end(const char *p)
{
        const char *end = strchr(p, '\0');

        while (p < end && *p != '/') {
                if (*p == '\\' && p[1] == '/')
                        return p;
                if (*p == '[') {
                        p = glob_skip_bracket(p, end);
                        if (!p)
                                return end; /* refused later */
                } else {
                        p += *p == '\\' && p[1] ? 2 : 1;
                }
        }
        return p;
}

static int pattern_split(struct pattern *pattern, const char *text)
{
        size_t n = 1;

        for (const char *p = text; *p; p++)
                n += *p == '/';
        pattern->components = imgc_io_calloc(n, sizeof(*pattern->components));
        if (!pattern->components)
                return -ENOMEM;
        for (const char *p = text;; p++) {
                struct component *c = &pattern->components[pattern->n_components++];
                const char *end = component_end(p);

                c->text = p;
                c->size = (size_t)(end - p);
                c->any = c->size >= 2 && strspn(p, "*") >= c->size;
                p = end + (*end == '\\');
                if (!*p)
                        return 0;
        }
}

static int pattern_parse(struct pattern *pattern, const char *source, struct imgc_error **reterr)
{
        size_t size = trimmed_size(source);
        const char *reason = NULL;
        char *text;
        int r;

        if (strlen(source) > LIMIT_EXCLUDE_BYTES)
                return error_message(reterr, IMGC_ERROR_LIMIT, -E2BIG, "parse", NULL,
                                     "exclude pattern longer than %u bytes", LIMIT_EXCLUDE_BYTES);
        if (*source == '#' || size == 0)
                return 0;
        pattern->negated = *source == '!';
        text = imgc_io_malloc(size + 1);
        if (!text)
                return error_no_memory(reterr);
        pattern->text = text;
        size -= pattern->negated;
        memcpy(text, source + pattern->negated, size);
        text[size] = '\0';
        if (size && text[size - 1] == '/') {
                pattern->directory_only = true;
                text[--size] = '\0';
        }
        if (!size)
                return 0;
        pattern->anchored = strchr(text, '/') != NULL;
        r = pattern_split(pattern, text + (*text == '/'));
        if (r < 0)
                return error_no_memory(reterr);
        for (size_t i = 0; i < pattern->n_components && !reason; i++)
                reason = glob_check(pattern->components[i].text, pattern->components[i].size);
        if (reason)
                return error_message(reterr, IMGC_ERROR_INVALID_ARGUMENT, -EINVAL, "parse", NULL,
                                     "exclude pattern '%s': %s", source, reason);
        return 0;
}

int exclude_new(const char *const *patterns, struct exclude **ret, struct imgc_error **reterr)
{
        _cleanup_(exclude_freep) struct exclude *exclude = NULL;
        size_t n = 0;
        int r;

        while (patterns && patterns[n])
                n++;
        if (!n) {
                *ret = NULL;
                return 0;
        }
        if (n > LIMIT_EXCLUDE_PATTERNS)
                return error_message(reterr, IMGC_ERROR_LIMIT, -E2BIG, "parse", NULL,
                                     "more than %u exclude patterns", LIMIT_EXCLUDE_PATTERNS);
        exclude = imgc_io_calloc(1, sizeof(*exclude) + n * sizeof(exclude->patterns[0]));
        if (!exclude)
                return error_no_memory(reterr);
        for (size_t i = 0; i < n; i++) {
                exclude->n_patterns++;
                r = pattern_parse(&exclude->patterns[i], patterns[i], reterr);
                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(exclude);
        return 0;
}

struct exclude *exclude_free(struct exclude *exclude)
{
        if (!exclude)
                return NULL;
        for (size_t i = 0; i < exclude->n_patterns; i++) {
                free(exclude->patterns[i].components);
                free(exclude->patterns[i].text);
        }
        free(exclude);
        return NULL;
}

/* As in glob_matches(), with components for characters: only the last "**" needs another
 * try. At the end it stands for one component or more. */
static bool path_matches(const struct pattern *pattern, const char *path)
{
        const char *star_path = NULL;
        size_t c = 0, star = 0;

        while (*path) {
                size_t size = strcspn(path, "/");
                const struct component *component =
                        c < pattern->n_components ? &pattern->components[c] : NULL;

                if (component && component->any) {
                        if (c + 1 == pattern->n_components)
                                return true;
                        star = ++c;
                        star_path = path;
                        continue;
                }
                if (component && glob_matches(component->text, component->size, path, size)) {
                        c++;
                        path += size;
                        path += *path == '/';
                } else if (star_path) {
                        star_path += strcspn(star_path, "/");
                        star_path += *star_path == '/';
                        path = star_path;
                        c = star;
                } else {
                        return false;
                }
        }
        return c == pattern->n_components;
}

static bool pattern_matches(const struct pattern *pattern, const char *path, bool is_directory)
{
        const char *name;

        if (!pattern->n_components || (pattern->directory_only && !is_directory))
                return false;
        if (pattern->anchored)
                return path_matches(pattern, path);
        name = strrchr(path, '/');
        name = name ? name + 1 : path;
        return glob_matches(pattern->components[0].text, pattern->components[0].size, name,
                            strlen(name));
}

bool exclude_matches(const struct exclude *exclude, const char *path, bool is_directory)
{
        for (size_t i = exclude->n_patterns; i-- > 0;)
                if (pattern_matches(&exclude->patterns[i], path, is_directory))
                        return !exclude->patterns[i].negated;
        return false;
}
