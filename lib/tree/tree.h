/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>

#include <imagecache/tree.h>

#include "core/macros.h"
#include "tree/digest.h"
#include "tree/line.h"

struct imgc_tree {
        atomic_uint references;
        enum imgc_tree_kind kind;
        enum imgc_digest_algorithm algorithm;
        fields_t fields;
        char fields_text[FIELDS_STRING_MAX];
        char digest[DIGEST_HEX_MAX];
        struct listing listing; /* its data is the tree's; NULL with IMGC_TREE_DIGEST_ONLY */
        uint64_t n_entries, n_bytes;
};

DEFINE_CLEANUP(struct imgc_tree *, imgc_tree_unref)
