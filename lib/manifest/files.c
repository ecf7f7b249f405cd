/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Files by pattern. Links are followed, at every step: the builder that is given the names
 * opens what they lead to, so that is what must be in the key.
 */
#include "manifest/files.h"

#include <errno.h>
#include <fcntl.h>

#include "core/context.h"
#include "core/error.h"
#include "core/io.h"
#include "core/limits.h"
#include "manifest/pattern.h"
#include "manifest/words.h"
#include "tree/escape.h"
#include "tree/exclude.h"
#include "tree/tree.h"

struct linux_dirent64 {
        uint64_t d_ino;
        int64_t d_off;
        unsigned short d_reclen;
        unsigned char d_type;
        char d_name[];
};

struct matcher {
        struct imgc_context *context;
        struct exclude *exclude;
        struct buffer path;    /* of the present directory, ended by '/' unless empty */
        struct buffer matches; /* paths, each ended by NUL */
        uint64_t n_matches;
        struct imgc_error **reterr;
};

static int expand(struct matcher *matcher, int dirfd, const char *pattern);

/* About `name` in the present directory. */
static int fail(struct matcher *matcher, int r, const char *name)
{
        size_t size = matcher->path.size;
        const char *path;

        buffer_add_string(&matcher->path, name);
        path = buffer_string(&matcher->path);
        matcher->path.size = size;
        if (!path || r == -ENOMEM)
                return error_no_memory(matcher->reterr);
        if (r == -ESTALE)
                return error_reason(matcher->reterr, IMGC_ERROR_TREE_CHANGED, r, "read", path,
                                    "it changed while it was read");
        if (r == -ENOENT)
                return error_reason(
                        matcher->reterr, IMGC_ERROR_IO, -ELOOP, "open", path,
                        "a link leads nowhere, or the directory of the project is gone");
        if (r == -EISDIR)
                return error_reason(matcher->reterr, IMGC_ERROR_UNSUPPORTED, r, "read", path,
                                    "it is a directory: an input of type \"tree\"");
        return error_errno(matcher->reterr, r, "open", path);
}

static bool is_excluded(struct matcher *matcher, const char *name, bool is_directory)
{
        size_t size = matcher->path.size;
        bool excluded;

        if (!matcher->exclude)
                return false;
        buffer_add_string(&matcher->path, name);
        excluded = buffer_string(&matcher->path) &&
                   exclude_matches(matcher->exclude, matcher->path.data, is_directory);
        matcher->path.size = size;
        return excluded;
}

static int add_match(struct matcher *matcher, const char *name)
{
        buffer_add(&matcher->matches, matcher->path.data, matcher->path.size);
        buffer_add(&matcher->matches, name, strlen(name) + 1);
        matcher->n_matches++;
        return matcher->matches.failed ? error_no_memory(matcher->reterr) : 0;
}

/* Goes on in a directory of the present one. */
static int enter(struct matcher *matcher, int dirfd, const char *name, const char *pattern)
{
        _cleanup_close_ int fd = imgc_io_openat(dirfd, name, O_PATH | O_DIRECTORY);
        size_t size = matcher->path.size;
        int r;

        if (fd < 0)
                return fail(matcher, fd == -ENOENT ? -ESTALE : fd, name);
        buffer_add_string(&matcher->path, name);
        buffer_add_char(&matcher->path, '/');
        if (matcher->path.failed)
                return error_no_memory(matcher->reterr);
        r = expand(matcher, fd, pattern);
        matcher->path.size = size;
        return r;
}

/* ------------------------------------------------------------------------------ names */

static int expand_name(struct matcher *matcher, int dirfd, struct span component, const char *rest)
{
        _cleanup_buffer_ struct buffer unquoted = {0};
        const char *name;
        struct stat st;
        int r;

        pattern_unquote(component, &unquoted);
        name = buffer_string(&unquoted);
        if (!name)
                return error_no_memory(matcher->reterr);
        if (is_excluded(matcher, name, *rest))
                return 0;
        r = imgc_io_fstatat(dirfd, name, &st, 0);
        if (r == -ENOENT) {
                r = check_is_absent(dirfd, name);
                return r < 0 ? fail(matcher, r, name) : 0;
        }
        if (r < 0)
                return fail(matcher, r, name);
        if (*rest)
                return S_ISDIR(st.st_mode) ? enter(matcher, dirfd, name, rest) :
                                             fail(matcher, -ENOTDIR, name);
        return S_ISDIR(st.st_mode) ? fail(matcher, -EISDIR, name) : add_match(matcher, name);
}

/* ------------------------------------------------------------------------------ wildcards */

static int compare_names(const void *a, const void *b, void *names)
{
        return strcmp((const char *)names + *(const size_t *)a,
                      (const char *)names + *(const size_t *)b);
}

/* The names in a directory that match, sorted by bytes. */
static int list_names(int dirfd, struct span component, struct buffer *names,
                      struct buffer *offsets)
{
        _cleanup_close_ int fd = imgc_io_openat(dirfd, ".", O_RDONLY | O_DIRECTORY);
        _cleanup_buffer_ struct buffer raw = {0};
        ssize_t n;

        if (fd < 0)
                return fd;
        if (!buffer_reserve(&raw, 32u << 10))
                return -ENOMEM;
        while ((n = imgc_io_getdents(fd, raw.data, raw.capacity)) > 0) {
                const struct linux_dirent64 *d;

                for (ssize_t at = 0; at < n; at += d->d_reclen) {
                        d = (const struct linux_dirent64 *)(const void *)(raw.data + at);
                        if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..") ||
                            !pattern_matches(component, d->d_name))
                                continue;
                        buffer_add(offsets, &names->size, sizeof(names->size));
                        buffer_add(names, d->d_name, strlen(d->d_name) + 1);
                }
        }
        if (n < 0)
                return (int)n;
        if (names->failed || offsets->failed)
                return -ENOMEM;
        if (offsets->size)
                qsort_r(offsets->data, offsets->size / sizeof(size_t), sizeof(size_t),
                        compare_names, names->data);
        return 0;
}

/* A name that matched a wildcard. As for a shell, what is no directory has nothing below it;
 * a directory that matches the whole pattern is no file. */
static int expand_match(struct matcher *matcher, int dirfd, const char *name, const char *rest)
{
        struct stat st;
        int r;

        if (is_excluded(matcher, name, *rest))
                return 0;
        r = imgc_io_fstatat(dirfd, name, &st, 0);
        if (r == -ENOENT && imgc_io_fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                r = -ESTALE;
        if (r == -ENOENT && *rest)
                return 0;
        if (r < 0)
                return fail(matcher, r, name);
        if (*rest)
                return S_ISDIR(st.st_mode) ? enter(matcher, dirfd, name, rest) : 0;
        return S_ISDIR(st.st_mode) ? 0 : add_match(matcher, name);
}

static int expand_wild(struct matcher *matcher, int dirfd, struct span component, const char *rest)
{
        _cleanup_buffer_ struct buffer names = {0}, offsets = {0};
        int r = list_names(dirfd, component, &names, &offsets);

        if (r < 0)
                return fail(matcher, r, ".");
        for (size_t at = 0; at < offsets.size; at += sizeof(size_t)) {
                size_t offset;

                memcpy(&offset, offsets.data + at, sizeof(offset));
                if (context_is_cancelled(matcher->context))
                        return error_reason(matcher->reterr, IMGC_ERROR_CANCELLED, -ECANCELED,
                                            "read", NULL, "cancelled");
                r = expand_match(matcher, dirfd, names.data + offset, rest);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The depth of the recursion is the number of components that really are directories. */
static int expand(struct matcher *matcher, int dirfd, const char *pattern)
{
        struct span component;

        pattern_next(&pattern, &component);
        return pattern_is_wild(component) ? expand_wild(matcher, dirfd, component, pattern) :
                                            expand_name(matcher, dirfd, component, pattern);
}

/* ------------------------------------------------------------------------------ listing */

/* In the order of listings: '/' sorts before every other byte. */
static int compare_paths(const void *a, const void *b)
{
        const unsigned char *x = *(const unsigned char *const *)a,
                            *y = *(const unsigned char *const *)b;

        for (; *x && *x == *y; x++, y++)
                ;
        return (*x == '/' ? 1 : *x * 2) - (*y == '/' ? 1 : *y * 2);
}

/* Lines for the directories above a path, as far as the path before it has none. */
static void add_parents(struct buffer *listing, const char *path, const char *before)
{
        for (const char *slash = path; (slash = strchr(slash, '/')); slash++) {
                size_t size = (size_t)(slash - path) + 1;

                if (before && !strncmp(path, before, size))
                        continue;
                buffer_add_literal(listing, "./");
                escape_add(listing, path, size - 1);
                buffer_add_literal(listing, " type=dir\n");
        }
}

static int add_file(struct imgc_context *context, const struct imgc_project *project,
                    const struct project_input *input, const char *path, struct buffer *listing,
                    struct imgc_error **reterr)
{
        _cleanup_(imgc_error_unrefp) struct imgc_error *error = NULL;
        _cleanup_(imgc_tree_unrefp) struct imgc_tree *tree = NULL;
        struct imgc_tree_options options = IMGC_TREE_OPTIONS_INIT;
        char fields[FIELDS_WORD_MAX];
        int r;

        fields_word(input->fields, fields);
        options.digest = project->digest;
        options.kind = IMGC_TREE_KIND_FILE;
        options.uid = input->uid;
        options.gid = input->gid;
        options.fields = fields;
        r = imgc_tree_read_at(context, project->dirfd, path, &options, &tree, &error);
        if (r == -ENOENT)
                return error_reason(reterr, IMGC_ERROR_TREE_CHANGED, -ESTALE, "read", path,
                                    "it vanished before it was read");
        if (r < 0)
                return error_give(reterr, TAKE_PTR(error), r);
        buffer_add_literal(listing, "./");
        escape_add(listing, path, strlen(path));
        /* Behind the name ".". */
        buffer_add(listing, tree->listing.data + tree->listing.header_size + 1,
                   tree->listing.size - tree->listing.header_size - 1);
        return 0;
}

static int read_matches(struct matcher *matcher, const struct imgc_project *project,
                        const struct project_input *input, struct imgc_tree **ret,
                        struct imgc_error **reterr)
{
        _cleanup_free_ const char **paths = imgc_io_calloc(matcher->n_matches, sizeof(*paths));
        _cleanup_buffer_ struct buffer listing = {0};
        const char *path = matcher->matches.data;
        char fields[FIELDS_STRING_MAX];
        int r;

        if (!paths)
                return error_no_memory(reterr);
        for (uint64_t i = 0; i < matcher->n_matches; i++, path += strlen(path) + 1)
                paths[i] = path;
        qsort(paths, matcher->n_matches, sizeof(*paths), compare_paths);
        fields_format(input->fields, fields);
        buffer_printf(&listing, "#mtree imagecache=1 digest=%s fields=%s\n. type=dir\n",
                      imgc_digest_algorithm_get_name(project->digest), fields);
        for (uint64_t i = 0; i < matcher->n_matches; i++) {
                if (i && !strcmp(paths[i], paths[i - 1]))
                        continue;
                add_parents(&listing, paths[i], i ? paths[i - 1] : NULL);
                r = add_file(matcher->context, project, input, paths[i], &listing, reterr);
                if (r < 0)
                        return r;
        }
        if (listing.failed)
                return error_no_memory(reterr);
        return imgc_tree_parse(matcher->context, listing.data, listing.size, input->name, ret,
                               reterr);
}

static int match(struct matcher *matcher, const struct imgc_project *project,
                 const struct project_input *input)
{
        int r = exclude_new(input->exclude, &matcher->exclude, matcher->reterr);

        for (size_t i = 0; r >= 0 && input->patterns[i]; i++) {
                uint64_t before = matcher->n_matches;

                r = expand(matcher, project->dirfd, input->patterns[i]);
                if (r >= 0 && matcher->n_matches == before && !(input->flags & IMGC_INPUT_OPTIONAL))
                        r = error_reason(matcher->reterr, IMGC_ERROR_NOT_FOUND, -ENOENT, "read",
                                         input->patterns[i], "no file matches");
        }
        return r;
}

int files_read(struct imgc_context *context, const struct imgc_project *project,
               const struct project_input *input, struct imgc_tree **ret,
               struct imgc_error **reterr)
{
        struct matcher matcher = {.context = context, .reterr = reterr};
        int r = match(&matcher, project, input);

        if (r >= 0 && matcher.n_matches)
                r = read_matches(&matcher, project, input, ret, reterr);
        else if (r >= 0)
                *ret = NULL;
        exclude_free(matcher.exclude);
        buffer_free(&matcher.path);
        buffer_free(&matcher.matches);
        return r;
}
