# SPDX-License-Identifier: LGPL-2.1-or-later
"""One attribute changes: the digest changes, and the diff names it and nothing else.

Each mutation takes a random tree that holds one entry for it under a known name, changes
that one entry and says what must be told. What is expected comes from the model alone.
"""

import dataclasses
import random

import pytest

import trees
from harness import need_root
from listing import FIELDS, PROFILES, escape, field_of, spell_name

MUTATIONS = {}


def mutation(name):
    def register(function):
        MUTATIONS[name] = function
        return function

    return register


def victim(tree, path, node):
    """Puts the entry that is to change into the tree, in place of what stood there."""
    path = b"victims/" + path
    if path in tree.nodes:
        tree.remove(path)
    return tree.add(path, node)


def spelled(path):
    return spell_name(trees.order(path))


def every_path(tree, node, **changes):
    """The same changes at each name of a node; . in an attribute's name is written __."""
    return {(p, k.replace("__", ".")): v for p in tree.paths_of(node) for k, v in changes.items()}


def hard_linked(tree, node):
    """Half the time the entry that changes has a second name, which is reported too."""
    tree.add(b"victims/second name", node)


# Types. Only the type is told: the rest either is equal or is of one type only.

PLAIN = {
    "file": lambda: trees.file(mode=0o640, content=b"abc"),
    "dir": lambda: trees.directory(mode=0o640),
    "link": lambda: trees.link(b"abc"),
    "fifo": lambda: trees.Node("fifo", mode=0o640),
    "socket": lambda: trees.Node("socket", mode=0o640),
    "char": lambda: trees.Node("char", mode=0o640, device=(5, 6)),
    "block": lambda: trees.Node("block", mode=0o640, device=(5, 6)),
}


def change_type(old, new):
    def mutate(tree, rng):
        victim(tree, b"type", PLAIN[old]())
        yield
        tree.nodes[b"victims/type"] = PLAIN[new]()
        return {(b"victims/type", "type"): (old, new)}

    return mutate


for old_type in PLAIN:
    for new_type in PLAIN:
        if old_type != new_type:
            MUTATIONS[f"type-{old_type}-{new_type}"] = change_type(old_type, new_type)


def change_mode(kind, bit):
    def mutate(tree, rng):
        mode = rng.randrange(0o10000) & ~bit
        node = victim(tree, b"mode", PLAIN[kind]())
        node.mode = mode
        if rng.random() < 0.5 and kind != "dir":
            hard_linked(tree, node)
        yield
        node.mode = mode | bit
        changes = every_path(tree, node, mode=(f"{mode:04o}", f"{mode | bit:04o}"))
        if kind == "file" and bit == 0o100:
            changes |= every_path(tree, node, exec=(None, "1"))
        return changes

    return mutate


for i in range(12):
    MUTATIONS[f"mode-file-{1 << i:04o}"] = change_mode("file", 1 << i)
for other in ("dir", "fifo", "socket", "char"):
    MUTATIONS[f"mode-{other}"] = change_mode(other, 0o2001)


def change_attribute(name, kind, make, field, values, told, twice=True):
    """Sets one member of a node to another value."""

    def mutate(tree, rng):
        node = victim(tree, b"attribute", make())
        if twice and kind != "dir" and rng.random() < 0.5:
            hard_linked(tree, node)
        setattr(node, field, values[0])
        yield
        setattr(node, field, values[1])
        return every_path(tree, node, **told)

    MUTATIONS[name] = mutate


for kind in PLAIN:
    for owner in ("uid", "gid"):
        change_attribute(f"{owner}-{kind}", kind, PLAIN[kind], owner, (0, 1), {owner: ("0", "1")})
    change_attribute(
        f"time-{kind}", kind, PLAIN[kind], "time", (10**18, 10**18 + 1),
        {"time": ("1000000000.000000000", "1000000000.000000001")},
    )  # fmt: skip
change_attribute("uid-far", "file", PLAIN["file"], "uid", (65534, 3 * 10**9), {"uid": ("65534", "3000000000")})
change_attribute("time-negative", "file", PLAIN["file"], "time", (-1, 0), {"time": ("-1.999999999", "0.000000000")})
change_attribute("link", "link", PLAIN["link"], "target", (b"abc", b"ab c"), {"link": ("abc", r"ab\040c")})
for kind in ("char", "block"):
    for part, device in (("major", (6, 6)), ("minor", (5, 7))):
        change_attribute(f"device-{kind}-{part}", kind, PLAIN[kind], "device", ((5, 6), device),
                         {"device": ("linux,5,6", "linux,{},{}".format(*device))})  # fmt: skip

ACLS = [trees.acl_for(0o640, [(1, 7)]), trees.acl_for(0o640, [(1, 6)]), trees.acl_for(0o640, [(2, 7)]),
        trees.acl_for(0o640, [], [(1, 7)]), trees.acl_for(0o640, [(1, 7)], group=4), trees.acl_for(0o640)]  # fmt: skip
for i, pair in enumerate([(None, ACLS[0]), (ACLS[0], None), *((ACLS[0], acl) for acl in ACLS[1:])]):
    for kind in ("file", "dir", "fifo"):
        change_attribute(f"acl-access-{kind}-{i}", kind, PLAIN[kind], "access", pair, {"acl__access": pair})
    change_attribute(f"acl-default-{i}", "dir", PLAIN["dir"], "default", pair, {"acl__default": pair})
change_attribute("acl-default-minimal", "dir", PLAIN["dir"], "default", (None, "u::rwx,g::---,o::---"),
                 {"acl__default": (None, "u::rwx,g::---,o::---")})  # fmt: skip

XATTR_NAMES = {b"user.x": "xattr.user.x", b"trusted.x=": r"xattr.trusted.x\075", b"security.selinux": "xattr.security.selinux",
               b"security.ima": "xattr.security.ima", b"security.evm": "xattr.security.evm",
               b"trusted.overlay.origin": "xattr.trusted.overlay.origin", b"user.overlay.impure": "xattr.user.overlay.impure",
               b"trusted.overlay.uuid": "xattr.trusted.overlay.uuid", b"user.overlay.opaque": "xattr.user.overlay.opaque",
               b"security.selinux2": "xattr.security.selinux2"}  # fmt: skip
XATTR_VALUES = {"added": (None, b"\xff\0", None, "/wA="), "removed": (b"\xff\0", None, "/wA=", None),
                "changed": (b"1", b"2", "MQ==", "Mg=="), "emptied": (b"1", b"", "MQ==", ""),
                "empty": (None, b"", None, ""), "longer": (b"a", b"a\0", "YQ==", "YQA=")}  # fmt: skip
for xattr, keyword in XATTR_NAMES.items():
    for how, (before, after, old_text, new_text) in XATTR_VALUES.items():
        change_attribute(f"xattr-{xattr.decode()}-{how}", "file", PLAIN["file"], "xattrs",
                         tuple({b"user.always": b"x"} | ({} if v is None else {xattr: v}) for v in (before, after)),
                         {keyword.replace(".", "__"): (old_text, new_text)})  # fmt: skip
for kind in ("dir", "link", "fifo", "socket", "char"):
    change_attribute(f"xattr-{kind}", kind, PLAIN[kind], "xattrs", ({}, {b"trusted.t": b"1"}),
                     {"xattr__trusted__t": (None, "MQ==")})  # fmt: skip
change_attribute("xattr-renamed", "file", PLAIN["file"], "xattrs", ({b"user.a": b"1"}, {b"user.b": b"1"}),
                 {"xattr__user__a": ("MQ==", None), "xattr__user__b": (None, "MQ==")})  # fmt: skip
CAPABILITIES = [trees.base64.b64encode(trees.capability(bits=b)).decode() for b in (1, 2)]
change_attribute("capability", "file", PLAIN["file"], "xattrs",
                 tuple({b"security.capability": trees.capability(bits=b)} for b in (1, 2)),
                 {"xattr__security__capability": tuple(CAPABILITIES)})  # fmt: skip

for flag in ("nodump", "sappnd", "schg"):
    for kind in ("file", "dir"):
        change_attribute(f"flags-{flag}-{kind}", kind, PLAIN[kind], "flags", ((), (flag,)), {"flags": (None, flag)}, twice=False)
change_attribute("flags-more", "file", PLAIN["file"], "flags", (("sappnd",), ("nodump", "sappnd")),
                 {"flags": ("sappnd", "nodump,sappnd")}, twice=False)  # fmt: skip


def change_content(old, new):
    def mutate(tree, rng):
        node = victim(tree, b"content", trees.file(old))
        if rng.random() < 0.5:
            hard_linked(tree, node)
        yield
        node.content = new
        changes = every_path(tree, node, content=(trees_digest(old), trees_digest(new)))
        if len(old) != len(new):
            changes |= every_path(tree, node, size=(str(len(old)), str(len(new))))
        return changes

    return mutate


def trees_digest(data):
    from xxh3 import Xxh128

    return Xxh128(data).hexdigest()


BIG = bytes(range(256)) * 300
for i, (old, new) in enumerate([(b"abc", b"abd"), (b"", b"\0"), (b"abc", b"abc\n"), (BIG, BIG[:-1] + b"x"),
                                (BIG, b"x" + BIG[1:]), (b"\0" * 5000, b"\0" * 5001), (b"\0", b"0")]):  # fmt: skip
    MUTATIONS[f"content-{i}"] = change_content(old, new)


@mutation("content-below-a-hole")
def sparse(tree, rng):
    node = victim(tree, b"sparse", trees.file(holes=[(0, b"x")], size=1 << 20))
    yield
    old = trees_digest(b"x" + b"\0" * ((1 << 20) - 1))
    node.holes = [(0, b"x"), ((1 << 20) - 1, b"x")]
    return every_path(tree, node, content=(old, trees_digest(b"x" + b"\0" * ((1 << 20) - 2) + b"x")))


def groups(*sets):
    """Files that are equal in everything, linked as the sets of letters say."""

    def apply(tree):
        for letters in sets:
            node = trees.file(b"linked")
            for letter in letters:
                tree.nodes[b"victims/%c" % ord(letter)] = node

    return apply


def change_groups(old, new, **told):
    def mutate(tree, rng):
        victim(tree, b"a", trees.file())
        groups(*old)(tree)
        yield
        groups(*new)(tree)
        name = lambda x: x and f"./victims/{x}"
        return {(b"victims/" + k.encode(), "hardlink"): (name(a), name(b)) for k, (a, b) in told.items()}

    return mutate


MUTATIONS["hardlink-joined"] = change_groups(["a", "b"], ["ab"], b=(None, "a"))
MUTATIONS["hardlink-split"] = change_groups(["ab"], ["a", "b"], b=("a", None))
MUTATIONS["hardlink-one-leaves"] = change_groups(["abc"], ["a", "bc"], b=("a", None), c=("a", "b"))
MUTATIONS["hardlink-third-joins"] = change_groups(["ab", "c"], ["abc"], c=(None, "a"))
MUTATIONS["hardlink-exchanged"] = change_groups(["ab", "cd"], ["ac", "bd"], b=("a", None), c=(None, "a"), d=("c", "b"))
MUTATIONS["hardlink-crossed"] = change_groups(["ab", "cd"], ["ad", "bc"], b=("a", None), c=(None, "b"), d=("c", "a"))
MUTATIONS["hardlink-other-first"] = change_groups(["a", "bc"], ["ac", "b"], c=("b", "a"))


@dataclasses.dataclass
class Case:
    old: str
    new: str
    expected: dict


def run(name, space, seed):
    rng = random.Random(f"{name} {seed}")
    tree = trees.random_tree(rng, 15)
    steps = MUTATIONS[name](tree, rng)
    next(steps)
    old = space.build(tree)
    try:
        next(steps)
    except StopIteration as stop:
        return Case(old, space.build(tree), stop.value)


def told(expected, fields):
    """The changes that a comparison by these fields must tell, as (path, attribute, old, new)."""
    return sorted((p, a, *v) for (p, a), v in expected.items() if field_of(a) in fields)


def changes_of(answer):
    assert all(c["kind"] == "entry-changed" for c in answer["changes"]), answer
    return sorted((c["path"].encode(), c["attribute"], c["old"], c["new"]) for c in answer["changes"])


@pytest.mark.parametrize("name", MUTATIONS)
def test_one_attribute(space, cli, request, name):
    """In each profile: told exactly, or no trace of it at all."""
    need_root()
    case = run(name, space, request.config.getoption("--seed"))
    for profile, fields in PROFILES.items():
        expected = told(case.expected, fields.split())
        answer = cli.diff(case.old, case.new, "--fields", profile)
        assert answer["compared"] == fields.split() and answer["left_out"] == []
        assert changes_of(answer) == expected
        same = cli.hash(case.old, "--fields", profile) == cli.hash(case.new, "--fields", profile)
        assert same == (not expected)


# One mutation of each kind is enough to see that fields do not leak into each other.
TYPICAL = [
    "type-fifo-socket", "mode-file-0100", "mode-file-4000", "uid-file", "gid-link", "content-0", "content-2", "link",
    "device-char-minor", "hardlink-joined", "hardlink-exchanged", "time-dir", "flags-nodump-file", "flags-schg-dir",
    "acl-access-file-0", "acl-default-0", "xattr-user.x-added", "xattr-security.ima-changed", "xattr-trusted.overlay.uuid-emptied",
]  # fmt: skip


@pytest.mark.parametrize("name", TYPICAL)
def test_single_fields(space, cli, name):
    need_root()
    case = run(name, space, "fields")
    for field in FIELDS[:-1] + ["type,content"]:
        fields = {"type", *field.split(",")}
        same = cli.hash(case.old, "--fields", field) == cli.hash(case.new, "--fields", field)
        assert same == (not told(case.expected, fields)), field


def test_first_name_of_a_group_is_left_out(space, cli):
    """The next one carries everything then, as if the first did not exist."""
    need_root()
    tree = trees.Tree()
    node = trees.file(b"linked", mode=0o640)
    for name in (b"a", b"b", b"c", b"d/e"):
        tree.add(name, node)
    path = space.build(tree)
    without = tree.copy()
    without.remove(b"a")
    assert cli.list(path, "--exclude", "/a") == cli.list(space.build(without))
    for name in (b"b", b"c"):
        without.remove(name)
    alone = space.build(without)
    assert cli.list(path, "--exclude", "/?", "--exclude", "!/d") == cli.list(alone)
    assert b" hardlink=" not in cli.list(alone)


def test_links_outside_the_tree_do_not_count(space, cli):
    need_root()
    path = space.build(trees.Tree({b"in/a": trees.file(b"x"), b"in/b": trees.file(b"y")}))
    before = cli.list(f"{path}/in")
    trees.os.link(f"{path}/in/a", f"{path}/outside")
    trees.os.link(f"{path}/in/b", f"{path}/outside-too")
    assert cli.list(f"{path}/in") == before


def test_escapes_in_what_is_told(space, cli):
    """Values are spelt as in listings; the path is not."""
    need_root()
    name = b"a b\n=\\"
    trees_pair = []
    for target in (b"x y", b"\xff"):
        tree = trees.Tree({b"d/" + name: trees.link(target)})
        trees_pair.append(space.build(tree))
    (change,) = cli.diff(*trees_pair)["changes"]
    assert change["path"] == "d/" + name.decode()
    assert (change["old"], change["new"]) == (escape(b"x y"), escape(b"\xff"))
