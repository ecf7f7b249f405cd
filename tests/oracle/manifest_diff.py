# SPDX-License-Identifier: LGPL-2.1-or-later
"""The difference of two manifests, as the JSON form of doc/format.md.

What is told comes in the order of the new manifest, outside in: of images, then for each
image that both have its own members and its stages, and so on down to entries. Among
siblings those that are gone come first, in their old order.
"""

import collections

import diff
import manifest
from listing import FIELDS


def text(value):
    """A member as canonical JSON; None where it is not there."""
    return None if value is MISSING else manifest.canonical(value).decode("utf-8")


MISSING = object()


def in_order(old, new):
    return [*sorted(set(old) - {"info"}), *sorted(set(new) - set(old) - {"info"})]


def kept_in_place(old, new):
    """Of two orders of the same names those that stay: the longest subsequence that both
    have; of several, the one whose members stood earlier in the old order."""
    place = {name: i for i, name in enumerate(old)}
    best = []  # for each element of new from its end: the best run that begins with it
    for name in reversed(new):
        at = place[name]
        behind = [run for run in best if run[0] > at]
        best.append([at] + min(behind, key=lambda run: (-len(run), run), default=[]))
    run = min(best, key=lambda run: (-len(run), run), default=[])
    return {old[at] for at in run}


class Difference:
    def __init__(self, old, new):
        self.changes = []
        self.compared, self.left_out = set(), set()
        self.place = {"image": None, "stage": None, "input": None}
        self.project(manifest.parse(old), manifest.parse(new))

    def tell(self, kind, attribute=None, old=None, new=None, **place):
        self.changes.append({"kind": kind, **self.place, **place, "path": None, "attribute": attribute, "old": old, "new": new})

    def members(self, kind, old, new, names=None):
        """What the old line has comes first, then what only the new one has."""
        for name in in_order(old, new) if names is None else names:
            before, after = old.get(name, MISSING), new.get(name, MISSING)
            if name != "info" and text(before) != text(after):
                self.tell(kind, name, text(before), text(after))

    def siblings(self, kind, old, new):
        """Tells what came, went and moved; gives the names that both have, in the new order."""
        common = [name for name in new if name in set(old)]
        stay = kept_in_place([name for name in old if name in set(new)], common)
        for name in old:
            if name not in new:
                self.tell(f"{kind}-removed", **{kind: name})
        for i, name in enumerate(new, 1):
            if name not in old:
                self.tell(f"{kind}-added", **{kind: name})
            elif name not in stay:
                self.tell(f"{kind}-moved", None, str(old.index(name) + 1), str(i), **{kind: name})
        return common

    def level(self, kind, old, new, compare):
        """Compares what has a name, such as the stages of an image: lists of (line, what it has)."""
        before, after = ({line[kind]: (line, inside) for line, inside in side} for side in (old, new))
        for name in self.siblings(kind, list(before), list(after)):
            self.place[kind] = name
            compare(*before[name], *after[name])
            self.place[kind] = None

    def project(self, old, new):
        self.members("project-changed", old[0], new[0])
        self.level("image", old[1], new[1], self.image)

    def image(self, old, old_stages, new, new_stages):
        self.members("image-changed", old, new)
        self.level("stage", old_stages, new_stages, self.stage)

    def stage(self, old, old_inputs, new, new_inputs):
        self.members("stage-changed", old, new)
        self.level("input", old_inputs, new_inputs, self.input)

    def input(self, old, old_tree, new, new_tree):
        entries = None
        if old_tree and new_tree and old["digest"] != new["digest"]:
            entries = diff.compare(old_tree, new_tree)
            self.compared.update(entries["compared"])
            self.left_out.update(entries["left_out"])
        if old["type"] != new["type"]:
            names = ["type"]  # the others are of one type only
        elif ("absent" in old) != ("absent" in new):
            names = ["absent"]
        else:
            names = in_order(old, new)
        for name in names:
            if name == "items" and "items" in old and "items" in new:
                self.items(old, new)
            elif name == "digest" and entries and entries["changes"]:
                continue  # told by these
            else:
                self.members("input-changed", old, new, [name])
        for change in entries["changes"] if entries else []:
            self.changes.append({**change, **self.place})

    def items(self, old, new):
        """Lists and sets: what came and went, and the whole where the rest stands in another order."""
        before, after = ([text(item) for item in line["items"]] for line in (old, new))
        common = collections.Counter(before) & collections.Counter(after)

        def split(items):
            left, same, own = common.copy(), [], []
            for item in items:
                (same if left[item] else own).append(item)
                left[item] -= bool(left[item])
            return same, own

        (same_before, removed), (same_after, added) = split(before), split(after)
        for item in removed:
            self.tell("item-removed", None, item, None)
        for item in added:
            self.tell("item-added", None, None, item)
        if same_before != same_after:
            self.members("input-changed", old, new, ["items"])

    def result(self):
        in_order = {name: [f for f in FIELDS if f in getattr(self, name)] for name in ("compared", "left_out")}
        return {"version": 1, "equal": not self.changes, **in_order, "changes": self.changes}


def compare(old, new):
    """Two manifests (bytes) as the object that `diff --json` prints."""
    return Difference(old, new).result()
