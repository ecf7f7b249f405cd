/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Manifests: what went into the stages of a project.
 *
 * A manifest holds each input as it was seen (a value, or a tree's digest and listing)
 * and a *key* for each stage, which names the stage with all that it depends on. It is
 * canonical: the same inputs give the same bytes on another path, day or machine. The
 * bytes are those of the file (doc/manifest.md defines each of them), and every key can
 * be computed again from them with sha256sum.
 *
 * A manifest is made by sealing a project, at once (imgc_manifest_seal()) or stage by
 * stage (struct imgc_sealer), or read from a file. It is immutable from then on; it may
 * be shared between threads.
 *
 *     struct imgc_seal_options options = IMGC_SEAL_OPTIONS_INIT;
 *     struct imgc_manifest *manifest = NULL;
 *
 *     options.env = my_getenv;
 *     r = imgc_manifest_seal(context, project, &options, &manifest, &error);
 *     if (r >= 0)
 *             r = imgc_manifest_save_at(manifest, AT_FDCWD, "image.manifest", &error);
 *     imgc_manifest_unref(manifest);
 */
#ifndef IMAGECACHE_MANIFEST_H
#define IMAGECACHE_MANIFEST_H

#include <stddef.h>
#include <stdint.h>

#include <imagecache/context.h>
#include <imagecache/error.h>
#include <imagecache/project.h>
#include <imagecache/tree.h>

#ifdef __cplusplus
extern "C" {
#endif

struct imgc_manifest;

/* The value of an environment variable, NULL where it is unset. Called in the thread that
 * seals; what it returns must stay until the next call. */
typedef const char *(*imgc_env_fn)(void *userdata, const char *name);

enum imgc_seal_flags {
        IMGC_SEAL_NO_LISTINGS = 1 << 0, /* keep the digests of trees only */
};

struct imgc_seal_options {
        size_t size;    /* sizeof(struct imgc_seal_options) */
        uint32_t flags; /* enum imgc_seal_flags, or-ed */
        uint32_t reserved;
        imgc_env_fn env; /* NULL: a project that has "env" inputs is refused */
        void *env_userdata;
        const void *secret;  /* key of the HMACs; NULL: a project with secrets is refused */
        size_t secret_bytes; /* 16 to 4096 */
};

#define IMGC_SEAL_OPTIONS_INIT                                              \
        {                                                                   \
                sizeof(struct imgc_seal_options), 0, 0, NULL, NULL, NULL, 0 \
        }

/* Reads all inputs of a project, those of a stage in parallel, and computes all keys.
 *
 * options: NULL means the defaults.
 * ret: receives the manifest; the caller's reference.
 *
 * Returns 0 or a negative errno. Whatever fails for a tree (see imgc_tree_read_at())
 * fails the whole call, with a message that names the input; not-found with errno ENOENT
 * is an input that does not exist (yet). Further: unsupported where a link is "by":
 * "output", which only a session can seal; invalid-argument where `env` or `secret` is
 * needed and missing.
 * Since: 0.1.0 */
int imgc_manifest_seal(struct imgc_context *context, struct imgc_project *project,
                       const struct imgc_seal_options *options, struct imgc_manifest **ret,
                       struct imgc_error **reterr);

/* Reads a manifest and checks all of it: order, spelling, counts, the digest of every
 * listing and every key.
 *
 * dirfd, path: the file, as for openat(2). A file that is large is mapped, so it must not
 *     be cut short while the manifest lives: replace manifests by rename, as
 *     imgc_manifest_save_at() does.
 * ret: receives the manifest; the caller's reference.
 *
 * Returns 0 or a negative errno; among the codes: not-found, access, io, limit, and
 * syntax (-EBADMSG) with a message that begins with FILE:LINE.
 * Since: 0.1.0 */
int imgc_manifest_load_at(struct imgc_context *context, int dirfd, const char *path,
                          struct imgc_manifest **ret, struct imgc_error **reterr);

/* Reads a manifest from memory.
 *
 * data, data_bytes: its bytes; copied.
 * name: stands in messages in front of line numbers; NULL is "manifest".
 *
 * Returns as imgc_manifest_load_at().
 * Since: 0.1.0 */
int imgc_manifest_parse(struct imgc_context *context, const void *data, size_t data_bytes,
                        const char *name, struct imgc_manifest **ret, struct imgc_error **reterr);

/* Since: 0.1.0 */
struct imgc_manifest *imgc_manifest_ref(struct imgc_manifest *manifest);

/* Drops a reference; the last one frees. NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_manifest *imgc_manifest_unref(struct imgc_manifest *manifest);

/* The manifest's bytes, not terminated by NUL. Borrowed.
 * ret_bytes: receives their number.
 * Since: 0.1.0 */
const char *imgc_manifest_get_data(const struct imgc_manifest *manifest, size_t *ret_bytes);

/* Writes a manifest to a file: a temporary one in the same directory, synced, renamed,
 * and the directory synced. What was there before is whole until the new one is.
 *
 * dirfd, path: the file, as for openat(2). Its mode is 0666 less the umask. What is there
 *     and no regular file (a symbolic link, a device, a pipe) stays, and is written to.
 *
 * Returns 0 or a negative errno.
 * Since: 0.1.0 */
int imgc_manifest_save_at(const struct imgc_manifest *manifest, int dirfd, const char *path,
                          struct imgc_error **reterr);

/* Its project's name, and its builder's name and version. Borrowed.
 * Since: 0.1.0 */
const char *imgc_manifest_get_name(const struct imgc_manifest *manifest);
const char *imgc_manifest_get_builder(const struct imgc_manifest *manifest);

/* What everything in it was hashed with. Never IMGC_DIGEST_DEFAULT.
 * Since: 0.1.0 */
enum imgc_digest_algorithm imgc_manifest_get_digest_algorithm(const struct imgc_manifest *manifest);

/* Whether listings were kept.
 * Since: 0.1.0 */
int imgc_manifest_has_listings(const struct imgc_manifest *manifest);

/* Images by number, in order. The strings are borrowed; NULL where there is no such
 * image.
 * Since: 0.1.0 */
uint32_t imgc_manifest_get_n_images(const struct imgc_manifest *manifest);
const char *imgc_manifest_get_image(const struct imgc_manifest *manifest, uint32_t image);
const char *imgc_manifest_get_scope(const struct imgc_manifest *manifest, uint32_t image);

/* Stages by number, in order; the key is 64 hexadecimal digits. 0 and NULL where there is
 * no such stage.
 * Since: 0.1.0 */
uint32_t imgc_manifest_get_n_stages(const struct imgc_manifest *manifest, uint32_t image);
const char *imgc_manifest_get_stage(const struct imgc_manifest *manifest, uint32_t image,
                                    uint32_t stage);
const char *imgc_manifest_get_key(const struct imgc_manifest *manifest, uint32_t image,
                                  uint32_t stage);

/* The key of a stage by names; NULL where there is no such stage. Borrowed.
 * Since: 0.1.0 */
const char *imgc_manifest_find_key(const struct imgc_manifest *manifest, const char *image,
                                   const char *stage);

/* What a manifest has of an input. Strings are borrowed from the manifest. */
struct imgc_manifest_input {
        size_t size; /* sizeof(struct imgc_manifest_input), set by the caller */
        const char *name;
        uint32_t type;       /* enum imgc_input_type */
        uint32_t on_change;  /* enum imgc_on_change */
        uint32_t flags;      /* IMGC_INPUT_SECRET, …_APPEND */
        uint32_t absent;     /* 1: an optional tree that did not exist */
        const char *line;    /* its line of canonical JSON, not terminated */
        size_t line_bytes;   /* without the line feed */
        const char *digest;  /* of a tree that was there; NULL of others and of secrets */
        const char *listing; /* of a tree, not terminated; NULL where none was kept */
        size_t listing_bytes;
};

#define IMGC_MANIFEST_INPUT_INIT                                                             \
        {                                                                                    \
                sizeof(struct imgc_manifest_input), NULL, 0, 0, 0, 0, NULL, 0, NULL, NULL, 0 \
        }

/* Inputs by number, in order.
 * ret: `size` is set by the caller; receives what the manifest has.
 * Returns 0, or -ERANGE where there is no such input.
 * Since: 0.1.0 */
uint32_t imgc_manifest_get_n_inputs(const struct imgc_manifest *manifest, uint32_t image,
                                    uint32_t stage);
int imgc_manifest_get_input(const struct imgc_manifest *manifest, uint32_t image, uint32_t stage,
                            uint32_t input, struct imgc_manifest_input *ret);

/* The tree of an input as the manifest has it.
 * ret: receives the tree; the caller's reference.
 * Returns 0, -ERANGE where there is no such input, or -ENODATA (code not-found) where no
 * listing of it was kept.
 * Since: 0.1.0 */
int imgc_manifest_get_tree(const struct imgc_manifest *manifest, struct imgc_context *context,
                           uint32_t image, uint32_t stage, uint32_t input, struct imgc_tree **ret,
                           struct imgc_error **reterr);

/* Reads a tree from the disk in the way in which an input was read: with its fields, owners,
 * patterns and the manifest's digest, so that the two can be compared.
 *
 * dirfd, path: the tree, as for imgc_tree_read_at(); of an input of type "files" the directory
 *     that its patterns are relative to.
 * ret: receives the tree; the caller's reference.
 *
 * Returns 0, -EINVAL where the input is no tree or a secret, or as imgc_tree_read_at().
 * Since: 0.1.0 */
int imgc_manifest_read_tree_at(const struct imgc_manifest *manifest, struct imgc_context *context,
                               uint32_t image, uint32_t stage, uint32_t input, int dirfd,
                               const char *path, struct imgc_tree **ret,
                               struct imgc_error **reterr);

/* Called for each input that is no longer what it was, in order. `input` is NULL where the
 * stage itself is not in the project any more or has other inputs. A return value other
 * than 0 stops the check. */
typedef int (*imgc_input_changed_fn)(void *userdata, const char *image, const char *stage,
                                     const char *input);

/* Reads the inputs of a project again and compares them with a manifest of it. Links to
 * images are not followed: what changed there is told there. Stages that the manifest does
 * not have are not looked at.
 *
 * options: as for sealing; `flags` are not looked at.
 * changed: NULL is fine.
 *
 * Returns 0 where all inputs are as they were, 1 where one is not (an input that has gone is
 * a change), what `changed` returned, or a negative errno as imgc_manifest_seal().
 * Since: 0.1.0 */
int imgc_manifest_check_unchanged(const struct imgc_manifest *manifest,
                                  struct imgc_context *context, struct imgc_project *project,
                                  const struct imgc_seal_options *options,
                                  imgc_input_changed_fn changed, void *userdata,
                                  struct imgc_error **reterr);

/* ------------------------------------------------------------- sealing stage by stage */

/* Seals the stages of a project one by one, for builders whose later inputs come into
 * being during the build. The stages of an image are sealed in order; images may be mixed,
 * but a stage that links to another can be sealed only after that. For one thread at a
 * time. */
struct imgc_sealer;

/* Starts with nothing sealed. Nothing is read yet.
 * options: NULL means the defaults; the secret is copied.
 * ret: receives the sealer; the caller's, to be freed with imgc_sealer_free(). It holds
 *     references to context and project.
 * Returns 0, -EINVAL or -ENOMEM.
 * Since: 0.1.0 */
int imgc_sealer_new(struct imgc_context *context, struct imgc_project *project,
                    const struct imgc_seal_options *options, struct imgc_sealer **ret,
                    struct imgc_error **reterr);

/* NULL is fine. Returns NULL.
 * Since: 0.1.0 */
struct imgc_sealer *imgc_sealer_free(struct imgc_sealer *sealer);

/* Reads the inputs of the next stage of an image and computes its key. What is sealed is
 * never read again. A failure leaves the sealer as it was, so that the call can be made
 * again.
 *
 * image: its name.
 * ret_key: receives the key, 64 hexadecimal digits; borrowed from the sealer. NULL is fine.
 *
 * Returns 1, 0 where all stages of the image are sealed, or a negative errno as
 * imgc_manifest_seal(); unsupported where the results of a stage that is linked by output
 * are not known; invalid-argument where there is no such image, or a stage that is linked
 * is not sealed.
 * Since: 0.1.0 */
int imgc_sealer_seal_next(struct imgc_sealer *sealer, const char *image, const char **ret_key,
                          struct imgc_error **reterr);

/* Tells the digests of a stage's results, for links by output and "previous": "output".
 * May be told again while nothing that was sealed depends on it.
 *
 * image, stage: a stage that is sealed.
 * digests: one for each result, in the order in which the project names the results; NULL
 *     for one that is absent. In lower-case hexadecimal, of the project's algorithm.
 *
 * Returns 0, -EINVAL or -ENOMEM.
 * Since: 0.1.0 */
int imgc_sealer_set_results(struct imgc_sealer *sealer, const char *image, const char *stage,
                            const char *const *digests, size_t n_digests,
                            struct imgc_error **reterr);

/* Takes over the stages of an earlier manifest as sealed, so that a build can go on in
 * another process. They must be first stages, by name, of the project's images, and the
 * project's name, builder, digest and scopes must be the manifest's. Only before anything
 * is sealed. Results are not in a manifest and have to be told again.
 * Returns 0, -EINVAL or -ENOMEM.
 * Since: 0.1.0 */
int imgc_sealer_adopt(struct imgc_sealer *sealer, const struct imgc_manifest *manifest,
                      struct imgc_error **reterr);

/* Gives a manifest of what is sealed so far: images with a sealed stage, in the order of
 * the project. Sealing may go on afterwards.
 * ret: receives the manifest; the caller's reference.
 * Since: 0.1.0 */
int imgc_sealer_get_manifest(struct imgc_sealer *sealer, struct imgc_manifest **ret,
                             struct imgc_error **reterr);

#ifdef __cplusplus
}
#endif

#endif
