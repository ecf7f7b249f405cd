/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A public walk over the lines of a tree's listing. */
#include <errno.h>

#include "core/error.h"
#include "tree/tree.h"

/* Offsets into `text`, because that moves as it grows. */
struct pair {
        size_t keyword, value;
};

struct imgc_tree_iterator {
        struct imgc_tree *tree;
        size_t offset;
        struct buffer text;  /* path, keywords, values, each ended by NUL */
        struct buffer pairs; /* struct pair */
};

IMGC_EXPORT int imgc_tree_iterator_new(struct imgc_tree *tree, struct imgc_tree_iterator **ret,
                                       struct imgc_error **reterr)
{
        struct imgc_tree_iterator *iterator;

        if (!tree->listing.data)
                return error_reason(reterr, IMGC_ERROR_INVALID_ARGUMENT, -ENODATA, "walk a tree",
                                    NULL, "it was read without its listing");
        iterator = imgc_io_calloc(1, sizeof(*iterator));
        if (!iterator)
                return error_no_memory(reterr);
        iterator->tree = imgc_tree_ref(tree);
        iterator->offset = tree->listing.header_size;
        *ret = iterator;
        return 0;
}

IMGC_EXPORT struct imgc_tree_iterator *imgc_tree_iterator_free(struct imgc_tree_iterator *iterator)
{
        if (!iterator)
                return NULL;
        imgc_tree_unref(iterator->tree);
        buffer_free(&iterator->text);
        buffer_free(&iterator->pairs);
        free(iterator);
        return NULL;
}

static size_t add_text(struct imgc_tree_iterator *iterator, struct span text)
{
        size_t start = iterator->text.size;

        buffer_add(&iterator->text, text.data, text.size);
        buffer_add_char(&iterator->text, '\0');
        return start;
}

IMGC_EXPORT int imgc_tree_iterator_next(struct imgc_tree_iterator *iterator,
                                        struct imgc_error **reterr)
{
        const struct listing *listing = &iterator->tree->listing;
        struct attribute a;
        struct line line;

        if (iterator->offset == listing->size)
                return 0;
        iterator->offset = line_at(listing, iterator->offset, &line);
        iterator->text.size = iterator->pairs.size = 0;
        line_add_path(&line, &iterator->text);
        buffer_add_char(&iterator->text, '\0');
        while (line_next_attribute(&line.rest, &a)) {
                struct pair pair = {.keyword = add_text(iterator, a.name)};

                pair.value = add_text(iterator, a.value);
                buffer_add(&iterator->pairs, &pair, sizeof(pair));
        }
        return iterator->text.failed || iterator->pairs.failed ? error_no_memory(reterr) : 1;
}

IMGC_EXPORT const char *imgc_tree_iterator_get_path(const struct imgc_tree_iterator *iterator)
{
        return iterator->text.data;
}

IMGC_EXPORT size_t imgc_tree_iterator_get_n_attributes(const struct imgc_tree_iterator *iterator)
{
        return iterator->pairs.size / sizeof(struct pair);
}

IMGC_EXPORT int imgc_tree_iterator_get_attribute(const struct imgc_tree_iterator *iterator,
                                                 size_t index, const char **ret_keyword,
                                                 const char **ret_value)
{
        struct pair pair;

        if (index >= imgc_tree_iterator_get_n_attributes(iterator))
                return -ERANGE;
        memcpy(&pair, iterator->pairs.data + index * sizeof(pair), sizeof(pair));
        if (ret_keyword)
                *ret_keyword = iterator->text.data + pair.keyword;
        if (ret_value)
                *ret_value = iterator->text.data + pair.value;
        return 0;
}
