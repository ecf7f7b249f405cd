/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest/pattern.h"

#include "core/limits.h"
#include "tree/exclude.h"

bool pattern_next(const char **pattern, struct span *ret)
{
        const char *end = strchrnul(*pattern, '/');

        if (!**pattern)
                return false;
        *ret = (struct span){*pattern, (size_t)(end - *pattern)};
        *pattern = end + (*end == '/');
        return true;
}

bool pattern_is_wild(struct span component)
{
        for (size_t i = 0; i < component.size; i++) {
                if (component.data[i] == '\\')
                        i++;
                else if (memchr("*?[", component.data[i], 3))
                        return true;
        }
        return false;
}

void pattern_unquote(struct span component, struct buffer *ret)
{
        for (size_t i = 0; i < component.size; i++) {
                i += component.data[i] == '\\' && i + 1 < component.size;
                buffer_add_char(ret, component.data[i]);
        }
}

bool pattern_matches(struct span component, const char *name)
{
        bool names_dot =
                component.data[0] == '.' ||
                (component.size > 1 && component.data[0] == '\\' && component.data[1] == '.');

        if (*name == '.' && !names_dot)
                return false;
        return glob_matches(component.data, component.size, name, strlen(name));
}

static const char *check_component(struct span component)
{
        const char *reason = glob_check(component.data, component.size);

        if (reason)
                return reason;
        /* What "**" means differs too much from shell to shell. */
        if (memmem(component.data, component.size, "**", 2))
                return "a pattern has \"**\"";
        if (!pattern_is_wild(component)) {
                _cleanup_buffer_ struct buffer name = {0};

                pattern_unquote(component, &name);
                if (name.size == 2 && !memcmp(name.data, "..", 2))
                        return "a pattern has a component \"..\"";
                if (name.size == 1 && name.data[0] == '.')
                        return "a pattern has a quoted component \".\"";
        }
        return NULL;
}

const char *pattern_normalize(const char *pattern, struct buffer *ret)
{
        size_t size = strlen(pattern), start = ret->size;
        struct span component;
        const char *reason;

        if (!size)
                return "a pattern is empty";
        if (size > LIMIT_EXCLUDE_BYTES)
                return "a pattern is too long";
        if (*pattern == '/')
                return "a pattern is absolute";
        if (pattern[size - 1] == '/')
                return "a pattern ends in '/': directories are inputs of type \"tree\"";
        while (pattern_next(&pattern, &component)) {
                if (!component.size || span_is(component, "."))
                        continue;
                reason = check_component(component);
                if (reason)
                        return reason;
                if (ret->size > start)
                        buffer_add_char(ret, '/');
                buffer_add(ret, component.data, component.size);
        }
        return ret->size == start && !ret->failed ? "a pattern names a directory" : NULL;
}
