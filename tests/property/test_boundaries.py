# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bytes that move from one field to its neighbour never give the same listing."""

import itertools

import pytest

import trees
from harness import need_root
from trees import Tree, directory, file, link

GROUPS = {
    "content-of-neighbours": [
        {b"a": file(b"xy"), b"b": file(b"z")},
        {b"a": file(b"x"), b"b": file(b"yz")},
        {b"a": file(b"xyz"), b"b": file(b"")},
        {b"a": file(b""), b"b": file(b"xyz")},
    ],
    "names-of-neighbours": [
        {b"ab": file(), b"c": file()},
        {b"a": file(), b"bc": file()},
        {b"a/b": file(), b"c": file()},
        {b"a": file(), b"b/c": file()},
        {b"a/b/c": file()},
        {b"a/bc": file()},
        {b"ab/c": file()},
    ],
    "name-and-content": [{b"ab": file(b"c")}, {b"a": file(b"bc")}, {b"abc": file(b"")}],
    "name-and-target": [{b"ab": link(b"c")}, {b"a": link(b"bc")}, {b"a": link(b"b c")}, {b"a b": link(b"c")}],
    "target-and-content": [{b"a": link(b"b")}, {b"a": file(b"b")}],
    "one-name-or-two-lines": [
        {b"a": file(), b"b": file()},
        {b"a\nb": file()},
        {b"a\\012b": file()},
        {b"a type=file\n": file()},
        {b"a type=file mode=0644": file()},
    ],
    "escape-and-byte": [{b"\n": file()}, {b"\\012": file()}, {b"\\n": file()}, {b"\\134012": file()}, {b"012": file()}],
    "target-and-keyword": [
        {b"a": link(b"b")},
        {b"a": link(b"b uid=0")},
        {b"a": link(b"b xattr.user.x=MQ==")},
        {b"a": link(b"b", xattrs={b"trusted.x": b"1"})},
    ],
    "xattr-name-and-value": [
        {b"f": file(xattrs={b"user.ab": b"c"})},
        {b"f": file(xattrs={b"user.a": b"bc"})},
        {b"f": file(xattrs={b"user.abc": b""})},
        {b"f": file(xattrs={b"user.a=b": b"c"})},
        {b"f": file(xattrs={b"user.a": b"b=c"})},
        {b"f": file(xattrs={b"user.a": b"", b"user.b": b"c"})},
    ],
    "one-xattr-or-two": [
        {b"f": file(xattrs={b"user.a": b"1user.b2"})},
        {b"f": file(xattrs={b"user.a": b"1", b"user.b": b"2"})},
        {b"f": file(xattrs={b"user.a": b"1\0user.b=2"})},
        {b"f": file(xattrs={b"user.a": b"2", b"user.b": b"1"})},
        {b"f": file(xattrs={b"user.a": b"12", b"user.b": b""})},
        {b"f": file(xattrs={b"user.a=1 xattr.user.b": b"2"})},
    ],
    "xattr-of-which-entry": [
        {b"a": file(xattrs={b"user.x": b"1"}), b"b": file()},
        {b"a": file(), b"b": file(xattrs={b"user.x": b"1"})},
        {b"a": file(xattrs={b"user.x": b""}), b"b": file(xattrs={b"user.x": b"1"})},
    ],
    "acl-or-xattr": [
        {b"d": directory()},
        {b"d": directory(default="u::rwx,g::r-x,o::r-x")},
        {b"d": directory(access=trees.acl_for(0o755))},
        {b"d": directory(default=trees.acl_for(0o755))},
        {b"d": directory(xattrs={b"user.acl.default": b"u::rwx,g::r-x,o::r-x"})},
    ],
    "acl-users-and-groups": [
        {b"f": file(mode=0o640, access=trees.acl_for(0o640, [(1, 4), (2, 6)]))},
        {b"f": file(mode=0o640, access=trees.acl_for(0o640, [(1, 6), (2, 4)]))},
        {b"f": file(mode=0o640, access=trees.acl_for(0o640, [(1, 4)], [(2, 6)]))},
        {b"f": file(mode=0o640, access=trees.acl_for(0o640, [(12, 6)]))},
        {b"f": file(mode=0o640, access=trees.acl_for(0o640, [], [(1, 4), (2, 6)]))},
    ],
    "owner-and-group": [{b"f": file(uid=1, gid=11)}, {b"f": file(uid=11, gid=1)}, {b"f": file(uid=111, gid=0)}],
    "device-numbers": [
        {b"f": trees.Node("char", device=(1, 11))},
        {b"f": trees.Node("char", device=(11, 1))},
        {b"f": trees.Node("block", device=(1, 11))},
        {b"f": trees.Node("char", device=(0, 257 + 11))},
    ],
    "size-and-name": [{b"f": file(b"1" * 11)}, {b"f1": file(b"1")}, {b"f": file(b"1")}],
    "empty-kinds": [{b"f": file()}, {b"f": directory()}, {b"f": trees.Node("fifo")}, {b"f": trees.Node("socket")}, {}],
    "where-a-hole-is": [
        {b"f": file(holes=[(0, b"x")], size=8192)},
        {b"f": file(holes=[(1, b"x")], size=8192)},
        {b"f": file(holes=[(4096, b"x")], size=8192)},
        {b"f": file(holes=[(0, b"x")], size=8193)},
        {b"f": file(holes=[], size=8192)},
    ],
    "layout-of-a-link": [{b"a/b": link(b"c"), b"a/c": file()}, {b"a/b": file(), b"a/c": link(b"b")}],
}  # fmt: skip


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("fields", ["image", "exact"])
def test_no_two_are_equal(space, cli, name, fields):
    need_root()
    paths = [space.build(Tree(nodes)) for nodes in GROUPS[name]]
    listings = [cli.list(p, "--fields", fields) for p in paths]
    digests = [cli.hash(p, "--fields", fields) for p in paths]
    for i, j in itertools.combinations(range(len(paths)), 2):
        assert listings[i] != listings[j], (i, j)
        assert digests[i] != digests[j], (i, j)


def test_hard_link_groups_of_equal_files(space, cli):
    """All ways to link four equal files give fifteen different listings."""
    need_root()

    def partitions(items):
        if not items:
            yield []
            return
        for rest in partitions(items[1:]):
            yield [[items[0]], *rest]
            for i in range(len(rest)):
                yield [*rest[:i], [items[0], *rest[i]], *rest[i + 1 :]]

    seen = set()
    for partition in partitions([b"a", b"b", b"c", b"d"]):
        tree = Tree()
        for names in partition:
            node = file(b"same")
            for n in names:
                tree.add(n, node)
        seen.add(cli.list(space.build(tree)))
    assert len(seen) == 15


def test_holes_are_zeros(space, cli):
    need_root()
    data = bytearray(1 << 16)
    data[40000] = 1
    a = space.build(Tree({b"f": file(bytes(data))}))
    b = space.build(Tree({b"f": file(holes=[(40000, b"\1")], size=1 << 16)}))
    assert cli.list(a) == cli.list(b)
