# SPDX-License-Identifier: LGPL-2.1-or-later
"""The difference of two listings, as the JSON form of doc/format.md."""

import base64
import collections

from listing import (
    ALGORITHMS,
    FIELDS,
    attribute_of,
    display,
    field_of,
    is_bare_directory,
    keyword_place,
    parse_name,
    types_with,
)


def json_path(path):
    data = display(path)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def resolve(listing):
    """Each path with all it has: what a hard link says of its group is its own."""
    own = listing.by_path()
    resolved = {}
    for path, attributes in listing.entries:
        if "hardlink" in attributes:
            attributes = {**own[parse_name(attributes["hardlink"])], "hardlink": attributes["hardlink"]}
        resolved[path] = attributes
    return resolved


def empty_digest(algorithm):
    return ALGORITHMS[algorithm](b"").hexdigest()


def change(kind, path, attribute=None, old=None, new=None):
    return {"kind": kind, "image": None, "stage": None, "input": None, "path": json_path(path),
            "attribute": attribute, "old": old, "new": new}  # fmt: skip


class Comparison:
    def __init__(self, old, new):
        both = set(old.fields) & set(new.fields)
        either = set(old.fields) | set(new.fields)
        if old.algorithm != new.algorithm:
            both.discard("content")
        self.compared = [f for f in FIELDS if f in both]
        self.left_out = [f for f in FIELDS if f in either - both]
        self.old_fields, self.new_fields = old.fields, new.fields
        self.algorithm = old.algorithm
        self.old, self.new = resolve(old), resolve(new)

    def visible(self, attributes):
        """The attributes that are compared."""
        return {k: v for k, v in attributes.items() if field_of(k) in self.compared}

    def entry(self, path):
        """The changes of one path that both sides have."""
        old, new = self.old[path], self.new[path]
        types = {old["type"], new["type"]}
        if is_bare_directory(old, self.old_fields) or is_bare_directory(new, self.new_fields):
            old, new = {"type": old["type"]}, {"type": new["type"]}
        old, new = self.visible(old), self.visible(new)
        for keyword in sorted(set(old) | set(new), key=keyword_place):
            before, after = old.get(keyword), new.get(keyword)
            if before == after:
                continue
            if not types <= types_with(keyword):
                continue  # the type changed, and only one of them can have this
            if keyword == "mode" and len(types) > 1 and "link" in types:
                continue
            yield change("entry-changed", path, attribute_of(keyword), before, after)

    def moves(self, removed, added):
        """new path -> old path, of files that went from one place to another."""
        if "content" not in self.compared:
            return {}

        def candidates(paths, side):
            found = collections.defaultdict(list)
            for path in paths:
                seen = self.visible(side[path])
                if seen["type"] == "file" and seen[self.algorithm] != empty_digest(self.algorithm):
                    found[tuple(seen.items())].append(path)
            return {k: v[0] for k, v in found.items() if len(v) == 1}

        before, after = candidates(removed, self.old), candidates(added, self.new)
        return {after[k]: before[k] for k in after if k in before}

    def changes(self):
        removed, added = set(self.old) - set(self.new), set(self.new) - set(self.old)
        moved = self.moves(removed, added)
        gone = set(moved.values())
        for path in sorted(set(self.old) | set(self.new)):
            if path in moved:
                origin = json_path(moved[path])
                yield change("entry-moved", path, None, origin, json_path(path))
            elif path in added:
                yield change("entry-added", path)
            elif path in removed:
                if path not in gone:
                    yield change("entry-removed", path)
            else:
                yield from self.entry(path)

    def result(self):
        changes = list(self.changes())
        return {"version": 1, "equal": not changes, "compared": self.compared, "left_out": self.left_out,
                "changes": changes}  # fmt: skip


def compare(old, new):
    """Two Listings as the object that `diff --json` prints."""
    return Comparison(old, new).result()
