/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libimagecache: what went into an image, and what changed.
 *
 * For programs that build operating-system images in stages and want to skip every
 * stage whose inputs did not change.
 *
 * In rising order of power:
 *
 *  1. Fingerprint a tree. imgc_tree_read_at() reads a directory (or a file) into a
 *     canonical listing with a digest: see <imagecache/tree.h>.
 *  2. Say what changed. imgc_diff_trees() compares two trees entry by entry and
 *     attribute by attribute: see <imagecache/diff.h>.
 *  3. Record all that images are made from. A project (<imagecache/project.h>) names the
 *     inputs of each stage; imgc_manifest_seal() reads them and gives every stage a key
 *     (<imagecache/manifest.h>); imgc_diff_manifests() says what changed between two builds.
 *  4. Decide. imgc_plan_project() says which stages of a project must run, which snapshots
 *     a build goes on from, and why: see <imagecache/plan.h>.
 *
 * All of it works through a context (<imagecache/context.h>) and tells what went
 * wrong in an error object (<imagecache/error.h>).
 *
 * Conventions
 *  - Objects are opaque and counted: `new` or an out-parameter gives one reference,
 *    `ref` takes another, `unref` drops one. What a getter returns is borrowed from
 *    its object.
 *  - Calls return 0, a positive result, or a negative errno; out-parameters are
 *    written on success only.
 *  - Objects that were read or computed are immutable and may be shared between
 *    threads. Reference counting is atomic.
 *  - Structures that a caller fills begin with their size and have an initializer.
 *  - No thread of the library outlives the call that made it, and nothing is kept
 *    outside the objects, so a program may fork, unshare or setns between calls.
 *  - Strings are bytes ended by NUL. Paths are the kernel's bytes, in no encoding.
 *
 * Before version 1.0 a release may change the interface; the library's soname changes
 * with it. The formats (doc/format.md) carry versions of their own.
 */
#ifndef IMAGECACHE_IMAGECACHE_H
#define IMAGECACHE_IMAGECACHE_H

#include <imagecache/context.h>
#include <imagecache/diff.h>
#include <imagecache/error.h>
#include <imagecache/manifest.h>
#include <imagecache/plan.h>
#include <imagecache/project.h>
#include <imagecache/tree.h>

#endif
