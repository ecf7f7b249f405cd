/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Projects: what the stages of images depend on.
 *
 * A project has images in the order in which they are built, an image has stages in
 * the order in which they run, a stage has inputs. An input is a *value*, a *tree*, or
 * a *link* to a stage of an earlier image; the stage before in the same image is an
 * input that is always there. A project says what is to be looked at; a manifest
 * (<imagecache/manifest.h>) is what was seen.
 *
 * A project is read from JSON (doc/manifest.md) or built by calls, and immutable from
 * then on; it may be shared between threads. Both ways have the same checks. Nothing
 * but the project file itself is read before sealing.
 *
 *     struct imgc_project *project = NULL;
 *     r = imgc_project_load_at(context, AT_FDCWD, "imagecache.json", &project, &error);
 *
 * or, a call for each thing in the order of a project file:
 *
 *     struct imgc_project_options options = IMGC_PROJECT_OPTIONS_INIT;
 *     struct imgc_image_options image = IMGC_IMAGE_OPTIONS_INIT;
 *     struct imgc_stage_options stage = IMGC_STAGE_OPTIONS_INIT;
 *     struct imgc_tree_input_options tree = IMGC_TREE_INPUT_OPTIONS_INIT;
 *     struct imgc_project_builder *builder = NULL;
 *
 *     options.name = "demo";
 *     options.builder = "mkdemo 1.0";
 *     image.name = "base";
 *     stage.name = "install";
 *     tree.name = "skeleton";
 *     tree.path = "skeleton";
 *     if ((r = imgc_project_builder_new(context, &options, &builder, &error)) >= 0 &&
 *         (r = imgc_project_builder_add_image(builder, &image, &error)) >= 0 &&
 *         (r = imgc_project_builder_add_stage(builder, &stage, &error)) >= 0 &&
 *         (r = imgc_project_builder_add_tree(builder, &tree, &error)) >= 0)
 *             r = imgc_project_builder_finish(builder, &project, &error);
 *     imgc_project_builder_free(builder);
 *
 * Names of images, stages, inputs, results and scopes are UTF-8 of 1 to 255 bytes without
 * control characters and not "." or ".."; those of images and results have no '/', those
 * of images no ':'. A name stands once among its siblings.
 */
#ifndef IMAGECACHE_PROJECT_H
#define IMAGECACHE_PROJECT_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/context.h>
#include <imagecache/error.h>
#include <imagecache/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imgc_project;

/* Reads a project file. Relative paths in it are relative to the directory that holds
 * it, which the project keeps open.
 *
 * dirfd, path: the file, as for openat(2); AT_FDCWD is fine.
 * ret: receives the project; the caller's reference.
 *
 * Returns 0 or a negative errno; among the codes: not-found, access, io, limit, and
 * syntax (-EBADMSG) for anything that is not a project, with a message that begins with
 * FILE:LINE:COLUMN (columns count bytes) and says where in the project that is;
 * unsupported (-ENOTSUP) for what this release does not read (kinds "archive" and "disk",
 * inputs of type "layout").
 * Since: 0.1.0 */
int imgc_project_load_at(struct imgc_context *context, int dirfd, const char *path,
                         struct imgc_project **ret, struct imgc_error **reterr);

/* Reads a project from an open descriptor up to its end, such as standard input.
 *
 * fd: stays the caller's and open.
 * name: stands in messages; NULL is "project".
 * dirfd: what relative paths in it are relative to; AT_FDCWD is the present working
 *     directory. Stays the caller's.
 *
 * Returns as imgc_project_load_at().
 * Since: 0.1.0 */
int imgc_project_load_fd(struct imgc_context *context, int fd, const char *name, int dirfd,
                         struct imgc_project **ret, struct imgc_error **reterr);

/* Reads a project from memory.
 *
 * data, data_bytes: the JSON text; not kept.
 * name, dirfd: as for imgc_project_load_fd().
 *
 * Returns as imgc_project_load_at().
 * Since: 0.1.0 */
int imgc_project_parse(struct imgc_context *context, const void *data, size_t data_bytes,
                       const char *name, int dirfd, struct imgc_project **ret,
                       struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_project *imgc_project_ref(struct imgc_project *project);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_project *imgc_project_unref(struct imgc_project *project);

/* Its name, and its builder's name and version. Borrowed.
 * Since: 0.1.0 */
const char *imgc_project_get_name(const struct imgc_project *project);
const char *imgc_project_get_builder(const struct imgc_project *project);

/* What everything in it is hashed with. Never IMGC_DIGEST_DEFAULT.
 * Since: 0.1.0 */
enum imgc_digest_algorithm imgc_project_get_digest_algorithm(const struct imgc_project *project);

/* Images by number, in order. The name is borrowed; NULL where there is no such image.
 * Since: 0.1.0 */
uint32_t imgc_project_get_n_images(const struct imgc_project *project);
const char *imgc_project_get_image(const struct imgc_project *project, uint32_t image);

/* The image's scope. Borrowed; NULL where there is no such image.
 * Since: 0.1.0 */
const char *imgc_project_get_scope(const struct imgc_project *project, uint32_t image);

/* The outputs the image is built for, as the project names them: an array of paths ended
 * by NULL. Borrowed; NULL where there is no such image.
 * Since: 0.1.0 */
const char *const *imgc_project_get_outputs(const struct imgc_project *project, uint32_t image);

/* Stages by number, in order. 0 and NULL where there is no such image or stage.
 * Since: 0.1.0 */
uint32_t imgc_project_get_n_stages(const struct imgc_project *project, uint32_t image);
const char *imgc_project_get_stage(const struct imgc_project *project, uint32_t image,
                                   uint32_t stage);

/* The results that the stage leaves: an array of names ended by NULL. Borrowed; NULL where
 * there is no such stage.
 * Since: 0.1.0 */
const char *const *imgc_project_get_results(const struct imgc_project *project, uint32_t image,
                                            uint32_t stage);

/* ---------------------------------------------------------------- building by calls */

/* Builds a project by calls in the order of a project file. For one thread at a time. A
 * call that fails leaves the builder as it was. */
struct imgc_project_builder;

struct imgc_project_options {
        size_t size;         /* sizeof(struct imgc_project_options) */
        const char *name;    /* required */
        const char *builder; /* required: the builder's name and version */
        uint32_t digest;     /* enum imgc_digest_algorithm */
        uint32_t max_append; /* longest chain of append snapshots */
        int32_t dirfd;       /* for relative paths; AT_FDCWD (-100): the present directory */
};

#define IMGC_MAX_APPEND_DEFAULT 8
#define IMGC_PROJECT_OPTIONS_INIT                                                                 \
        {                                                                                         \
                sizeof(struct imgc_project_options), NULL, NULL, 0, IMGC_MAX_APPEND_DEFAULT, -100 \
        }

/* Starts a project. Opens the directory for relative paths; the caller's descriptor stays
 * its own.
 * ret: receives the builder; the caller's, to be freed with imgc_project_builder_free().
 * Returns 0, -EINVAL (code invalid-argument) or -ENOMEM.
 * Since: 0.1.0 */
int imgc_project_builder_new(struct imgc_context *context,
                             const struct imgc_project_options *options,
                             struct imgc_project_builder **ret, struct imgc_error **reterr);

/* NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_project_builder *imgc_project_builder_free(struct imgc_project_builder *builder);

struct imgc_image_options {
        size_t size;
        const char *name;           /* required */
        const char *scope;          /* stands in keys instead of the name; NULL: the name */
        const char *const *outputs; /* paths ended by NULL; NULL is none */
};

#define IMGC_IMAGE_OPTIONS_INIT                                     \
        {                                                           \
                sizeof(struct imgc_image_options), NULL, NULL, NULL \
        }

/* Adds an image behind the others; what is added next belongs to it. Its strings are
 * copied, as with all calls below.
 * Returns 0, -EINVAL (code invalid-argument: the message says what is wrong), -E2BIG or
 * -ENOMEM, as do all calls below.
 * Since: 0.1.0 */
int imgc_project_builder_add_image(struct imgc_project_builder *builder,
                                   const struct imgc_image_options *options,
                                   struct imgc_error **reterr);

/* Whether a stage's results are kept. Not in the key. */
enum imgc_snapshot_mode {
        IMGC_SNAPSHOT_NO = 0,
        IMGC_SNAPSHOT_YES = 1,
        IMGC_SNAPSHOT_AUTO = 2, /* where a copy takes less time than the stage did */
};

/* What of another stage counts. */
enum imgc_link_by {
        IMGC_BY_KEY = 0,    /* its key */
        IMGC_BY_OUTPUT = 1, /* the digests of its results; it must have IMGC_SNAPSHOT_YES */
};

#define IMGC_AGE_UNLIMITED UINT64_MAX

struct imgc_stage_options {
        size_t size;
        const char *name;           /* required */
        uint32_t snapshot;          /* enum imgc_snapshot_mode */
        uint32_t previous;          /* enum imgc_link_by: the stage before in this image */
        uint64_t max_age_seconds;   /* of a usable snapshot; not in the key */
        const char *const *results; /* names ended by NULL; NULL is "root" alone */
};

#define IMGC_STAGE_OPTIONS_INIT                                                         \
        {                                                                               \
                sizeof(struct imgc_stage_options), NULL, 0, 0, IMGC_AGE_UNLIMITED, NULL \
        }

/* Adds a stage to the present image. -EINVAL without one.
 * Since: 0.1.0 */
int imgc_project_builder_add_stage(struct imgc_project_builder *builder,
                                   const struct imgc_stage_options *options,
                                   struct imgc_error **reterr);

struct imgc_read_options {
        size_t size;
        const char *root;           /* required: path of a tree that the stage reads from */
        const char *const *exclude; /* patterns of gitignore(5) ended by NULL; NULL is none */
        const char *method;         /* how what was read is found out; NULL is "declared" */
};

#define IMGC_READ_OPTIONS_INIT                                     \
        {                                                          \
                sizeof(struct imgc_read_options), NULL, NULL, NULL \
        }

/* Declares that the present stage reads below a root without saying what. The declaration
 * is in the key, the root's contents are not.
 * Since: 0.1.0 */
int imgc_project_builder_add_read(struct imgc_project_builder *builder,
                                  const struct imgc_read_options *options,
                                  struct imgc_error **reterr);

enum imgc_input_type {
        IMGC_INPUT_OPTION = 1, /* "option": any JSON value */
        IMGC_INPUT_LIST = 2,   /* "list": strings, ordered */
        IMGC_INPUT_SET = 3,    /* "set": strings, order and duplicates do not matter */
        IMGC_INPUT_ENV = 4,    /* "env": an environment variable; unset is not empty */
        IMGC_INPUT_DIGEST = 5, /* "digest": an opaque string that the caller vouches for */
        IMGC_INPUT_TREE = 6,   /* "tree": anything that holds files */
        IMGC_INPUT_FILE = 7,   /* "file": one file */
        IMGC_INPUT_FILES = 8,  /* "files": the files that patterns match */
        IMGC_INPUT_IMAGE = 9,  /* "image": a stage of an earlier image */
};

/* The type as it stands in JSON, such as "option"; NULL for an unknown one. Static.
 * Since: 0.1.0 */
const char *imgc_input_type_get_name(enum imgc_input_type type);

/* What a change of an input means. */
enum imgc_on_change {
        IMGC_ON_CHANGE_REBUILD = 0, /* "rebuild": it is in the key */
        IMGC_ON_CHANGE_STALE = 1,   /* "stale": not in the key; a result is told to be stale */
        IMGC_ON_CHANGE_SHOW = 2,    /* "show": not in the key; recorded only */
};

enum imgc_input_flags {
        /* Only an HMAC is kept: no value, digest, size or listing. */
        IMGC_INPUT_SECRET = 1 << 0,
        /* Trees: a path that does not exist is recorded as absent, a pattern may match
         * nothing. Not in the key. */
        IMGC_INPUT_OPTIONAL = 1 << 1,
        /* Sets: growth may be appended to an earlier result. Not together with
         * IMGC_INPUT_SECRET. */
        IMGC_INPUT_APPEND = 1 << 2,
        /* Environment: `value` is the variable's value (NULL: unset), the callback given
         * for sealing is not asked. */
        IMGC_INPUT_ENV_GIVEN = 1 << 3,
        /* Trees: list mount points, but do not enter them. */
        IMGC_INPUT_ONE_FILESYSTEM = 1 << 4,
        /* Trees: leave the root's own attributes out. */
        IMGC_INPUT_IGNORE_ROOT = 1 << 5,
        /* Files from memory: the executable bit. */
        IMGC_INPUT_EXECUTABLE = 1 << 6,
};

struct imgc_value_input_options {
        size_t size;
        const char *name;   /* required; of a variable, its name */
        uint32_t type;      /* IMGC_INPUT_OPTION, …_LIST, …_SET, …_ENV or …_DIGEST */
        uint32_t on_change; /* enum imgc_on_change */
        uint32_t flags;     /* IMGC_INPUT_SECRET, …_APPEND, …_ENV_GIVEN */
        uint32_t reserved;  /* 0 */
        /* Option: JSON text (integers within ±(2^53-1), no fractions). Digest: the string.
         * Environment, with IMGC_INPUT_ENV_GIVEN: the value. */
        const char *value;
        const char *const *items; /* list, set: strings (any bytes) ended by NULL */
};

#define IMGC_VALUE_INPUT_OPTIONS_INIT                                                 \
        {                                                                             \
                sizeof(struct imgc_value_input_options), NULL, 0, 0, 0, 0, NULL, NULL \
        }

/* Adds a value to the present stage. -EINVAL without one.
 * Since: 0.1.0 */
int imgc_project_builder_add_value(struct imgc_project_builder *builder,
                                   const struct imgc_value_input_options *options,
                                   struct imgc_error **reterr);

/* One of `path`, `paths`, `tree` and `data` says where the tree comes from. */
struct imgc_tree_input_options {
        size_t size;
        const char *name;   /* required */
        uint32_t type;      /* IMGC_INPUT_TREE, …_FILE or …_FILES; 0 is …_TREE */
        uint32_t on_change; /* enum imgc_on_change */
        /* IMGC_INPUT_SECRET, …_OPTIONAL; trees: …_ONE_FILESYSTEM, …_IGNORE_ROOT; files from
         * memory: …_EXECUTABLE */
        uint32_t flags;
        uint32_t kind; /* trees: enum imgc_tree_kind; forced, and then in the key */
        uint32_t uid;  /* every entry's owner, instead of its own; IMGC_ID_KEEP */
        uint32_t gid;
        const char *fields;         /* what counts; NULL: trees "image", else "content" */
        const char *const *exclude; /* trees, files by pattern: patterns ended by NULL */
        const char *target;         /* where the builder puts it; in the key; NULL is none */
        const char *path;           /* tree, file: followed where it is a symbolic link */
        const char *const *paths;   /* files: patterns ended by NULL */
        /* Tree, file: read earlier; a reference is taken. Its algorithm must be the
         * project's, its kind and fields those of `kind` and `fields` where these are set. */
        struct imgc_tree *tree;
        const void *data; /* file: its content, copied; `fields` of "content" only */
        size_t data_bytes;
        /* What a manifest calls it; NULL is made from `path`, or `name` without one. */
        const char *label;
};

#define IMGC_TREE_INPUT_OPTIONS_INIT                                                    \
        {                                                                               \
                sizeof(struct imgc_tree_input_options), NULL, 0, 0, 0, 0, IMGC_ID_KEEP, \
                        IMGC_ID_KEEP, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL \
        }

/* Adds a tree, a file or files by pattern to the present stage. -EINVAL without one.
 * Since: 0.1.0 */
int imgc_project_builder_add_tree(struct imgc_project_builder *builder,
                                  const struct imgc_tree_input_options *options,
                                  struct imgc_error **reterr);

struct imgc_link_input_options {
        size_t size;
        const char *name;   /* required */
        const char *image;  /* required: an image that was added before the present one */
        const char *stage;  /* NULL: its last */
        uint32_t by;        /* enum imgc_link_by */
        uint32_t on_change; /* enum imgc_on_change */
};

#define IMGC_LINK_INPUT_OPTIONS_INIT                                           \
        {                                                                      \
                sizeof(struct imgc_link_input_options), NULL, NULL, NULL, 0, 0 \
        }

/* Adds a link to a stage of an earlier image to the present stage. -EINVAL without one.
 * Since: 0.1.0 */
int imgc_project_builder_add_link(struct imgc_project_builder *builder,
                                  const struct imgc_link_input_options *options,
                                  struct imgc_error **reterr);

/* Gives the project away that was built; the builder can only be freed then.
 * ret: receives the project; the caller's reference.
 * Since: 0.1.0 */
int imgc_project_builder_finish(struct imgc_project_builder *builder, struct imgc_project **ret,
                                struct imgc_error **reterr);

#ifdef __cplusplus
}
#endif

#endif
