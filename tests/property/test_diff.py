# SPDX-License-Identifier: LGPL-2.1-or-later
"""What changed between two trees: completely, exactly, and the same from both ends."""

import base64
import json
import os
import random

import pytest

import diff
import listing
import trees
from harness import need_root
from listing import FIELDS, PROFILES
from trees import Tree, directory, file, link


def pair(rng, size=25, edits=6):
    """Two trees of which the second was made from the first by some edits."""
    old = trees.random_tree(rng, size)
    new = old.copy()
    for _ in range(rng.randrange(1, edits)):
        trees.edit(new, rng)
    return old, new


def path_bytes(path):
    return base64.b64decode(path["base64"]) if isinstance(path, dict) else path.encode()


def in_order(changes):
    """Comparable, and independent of the order of telling."""
    return sorted(json.dumps(c, sort_keys=True) for c in changes)


def mirror(change):
    kinds = {"entry-added": "entry-removed", "entry-removed": "entry-added"}
    new = dict(change, kind=kinds.get(change["kind"], change["kind"]), old=change["new"], new=change["old"])
    if change["kind"] == "entry-moved":
        new["path"] = change["old"]
    return new


def check_application(old, new, answer):
    """The changes, applied to what the old listing says, give the new one."""
    comparison = diff.Comparison(listing.parse(old), listing.parse(new))
    at = {listing.display(p): comparison.visible(a) for p, a in comparison.old.items()}
    goal = {listing.display(p): comparison.visible(a) for p, a in comparison.new.items()}
    retyped = {path_bytes(c["path"]) for c in answer["changes"] if c["attribute"] == "type"}
    arrived = {}
    for change in answer["changes"]:
        path = path_bytes(change["path"])
        if change["kind"] == "entry-moved":
            arrived[path] = at.pop(path_bytes(change["old"]))
        elif change["kind"] == "entry-removed":
            del at[path]
        elif change["kind"] == "entry-added":
            arrived[path] = goal[path]
        else:
            keyword = {"content": comparison.algorithm}.get(change["attribute"], change["attribute"])
            assert at[path].get(keyword) == change["old"]
            at[path].pop(keyword, None)
            if change["new"] is not None:
                at[path][keyword] = change["new"]
    assert not set(arrived) & set(at)
    at |= arrived
    for path in retyped:  # what one of the types cannot have is not told
        assert at[path]["type"] == goal[path]["type"]
        at[path] = goal[path]
    assert at == goal


def check_order(answer):
    """Changes come in the order of the listing, an entry's in the order of its keywords."""
    places = []
    for c in answer["changes"]:
        path = path_bytes(c["path"])
        attribute = c["attribute"] or ""
        keyword = {"": "type", "content": "sha256"}.get(attribute, attribute)
        places.append((() if path == b"." else tuple(path.split(b"/")), listing.keyword_place(keyword)))
    assert places == sorted(places)


@pytest.mark.parametrize("seed", range(40))
def test_random_pairs(space, cli, oracle, rng, seed):
    need_root()
    old_tree, new_tree = pair(rng, edits=rng.choice([3, 12]))
    old, new = space.build(old_tree), space.build(new_tree)
    fields = rng.choice([*PROFILES, "image", ",".join(rng.sample(FIELDS, 6))])
    answer = cli.diff(old, new, "--fields", fields)
    old_listing, new_listing = oracle.list(old, fields), oracle.list(new, fields)
    expected = oracle.diff(old_listing, new_listing)
    assert in_order(answer["changes"]) == in_order(expected["changes"])
    assert answer == expected
    back = cli.diff(new, old, "--fields", fields)
    assert in_order(back["changes"]) == in_order(mirror(c) for c in answer["changes"])
    check_application(old_listing, new_listing, answer)
    check_order(answer)
    assert cli.diff(old, old, "--fields", fields)["equal"]
    assert answer["equal"] == (old_listing == new_listing)


@pytest.mark.parametrize("seed", range(15))
def test_saved_listings(space, cli, oracle, rng, seed):
    """A saved listing stands for its tree, on either side, with any fields."""
    need_root()
    trees_built = [space.build(t) for t in pair(rng)]
    sides = []
    for built in trees_built:
        fields, digest = rng.choice([*PROFILES, "mode,size", "type,content"]), rng.choice(["xxh128", "xxh128", "sha256"])
        saved = space.path()
        with open(saved, "wb") as f:
            f.write(cli.list(built, "--fields", fields, "--digest", digest))
        sides.append((saved, oracle.list(built, fields, digest)))
    (old, old_listing), (new, new_listing) = sides
    answer = cli.diff(old, new)
    assert answer == oracle.diff(old_listing, new_listing)
    check_application(old_listing, new_listing, answer)
    assert cli.diff(old, old)["equal"]


def test_saved_listing_against_its_tree(space, cli):
    need_root()
    path = space.build(trees.hostile())
    saved = space.path()
    with open(saved, "wb") as f:
        f.write(cli.list(path))
    assert cli.diff(saved, path)["equal"] and cli.diff(path, saved)["equal"]
    os.symlink(saved, f"{saved}.link")
    assert cli.diff(f"{saved}.link", path)["equal"]


def test_file_that_only_begins_like_a_listing(space, cli):
    """One letter less, and it is a file like any other."""
    paths = [space.path(), space.path()]
    for path, text in zip(paths, ("#mtree imagecache=1", "#mtree imagecache=2 digest=xxh128\n")):
        with open(path, "w") as f:
            f.write(text)
    answer = cli.diff(*paths)
    assert [c["attribute"] for c in answer["changes"]] == ["size", "content"]


def told(cli, space, old, new, *options):
    answer = cli.diff(space.build(Tree(old)), space.build(Tree(new)), *options)
    return [(c["kind"].removeprefix("entry-"), c["path"], c["attribute"], c["old"], c["new"]) for c in answer["changes"]]


# Moves.


def moves(changes):
    return [(c[3], c[1]) for c in changes if c[0] == "moved"]


A = b"content a"


@pytest.mark.parametrize(
    "old, new, expected",
    [
        ({b"a": file(A)}, {b"b": file(A)}, [("a", "b")]),
        ({b"a": file(A)}, {b"d/e/b": file(A)}, [("a", "d/e/b")]),
        ({b"d/a": file(A), b"d/b": file(b"x")}, {b"e/a": file(A), b"e/b": file(b"x")}, [("d/a", "e/a"), ("d/b", "e/b")]),
        ({b"a": file(A), b"b": file(b"x")}, {b"c": file(b"x"), b"d": file(A)}, [("b", "c"), ("a", "d")]),
        ({b"a": file(A)}, {b"b": file(A + b"!")}, []),
        ({b"a": file(b"")}, {b"b": file(b"")}, []),
        ({b"a": file(A)}, {b"b": file(A, mode=0o600)}, []),
        ({b"a": file(A)}, {b"b": file(A, uid=1)}, []),
        ({b"a": file(A)}, {b"b": file(A, xattrs={b"user.x": b"1"})}, []),
        ({b"a": file(A), b"b": file(A)}, {b"c": file(A)}, []),
        ({b"a": file(A)}, {b"b": file(A), b"c": file(A)}, []),
        ({b"a": file(A), b"b": file(A)}, {b"c": file(A), b"d": file(A)}, []),
        ({b"a": file(A), b"b": file(A)}, {b"b": file(A), b"c": file(A)}, [("a", "c")]),
        ({b"a": file(A)}, {b"a": file(b"new"), b"b": file(A)}, []),
        ({b"a": link(A)}, {b"b": link(A)}, []),
        ({b"a": file(A)}, {b"b": link(A)}, []),
        ({b"a": trees.Node("fifo")}, {b"b": trees.Node("fifo")}, []),
        ({b"d": directory()}, {b"e": directory()}, []),
        ({b"a": file(A)}, {b"a": directory(), b"a/a": file(A)}, []),
        ({b"a/a": file(A)}, {b"a": file(A)}, []),
        ({b"a": file(A, time=5)}, {b"b": file(A, time=6)}, [("a", "b")]),
        ({b"\xff": file(A)}, {b"\xfe": file(A)}, [({"base64": "/w=="}, {"base64": "/g=="})]),
    ],
)
def test_moves(space, cli, old, new, expected):
    need_root()
    changes = told(cli, space, old, new)
    assert moves(changes) == expected
    for _, path, attribute, before, after in (c for c in changes if c[0] == "moved"):
        assert attribute is None and after == path


def test_moves_need_content(space, cli):
    need_root()
    assert moves(told(cli, space, {b"a": file(A)}, {b"b": file(A)}, "--fields", "type,size,mode")) == []
    assert moves(told(cli, space, {b"a": file(A)}, {b"b": file(A)}, "--fields", "type,content")) == [("a", "b")]
    assert moves(told(cli, space, {b"a": file(b"")}, {b"b": file(b"")}, "--fields", "type,content")) == []
    pair = {b"a": file(A, time=5)}, {b"b": file(A, time=6)}
    assert moves(told(cli, space, *pair, "--fields", "exact")) == []


def linked(**groups):
    """Nodes from letters: linked(x="ab") has a and b as one file."""
    nodes = {}
    for text, names in groups.items():
        node = file(text.encode())
        nodes |= {name.encode(): node for name in names}
    return nodes


def test_moved_group_of_hard_links(space, cli):
    """The first name is equal in all, so it is moved; the other's first name changed."""
    need_root()
    assert told(cli, space, linked(x="ab"), linked(x="cd")) == [
        ("removed", "b", None, None, None),
        ("moved", "c", None, "a", "c"),
        ("added", "d", None, None, None),
    ]
    # By the field alone they are two equal files, and nobody knows which went where.
    assert not moves(told(cli, space, linked(x="ab"), linked(x="cd"), "--fields", "size,content"))
    assert moves(told(cli, space, linked(x="ab"), linked(x="cb"), "--fields", "size,content")) == [("a", "c")]


# Hard links and types.


def test_every_name_of_a_changed_file_is_told(space, cli):
    need_root()
    changes = told(cli, space, linked(one="abc"), linked(two="abc"))
    assert [(c[1], c[2]) for c in changes] == [("a", "content"), ("b", "content"), ("c", "content")]


def test_new_first_name(space, cli):
    need_root()
    assert told(cli, space, linked(x="bc"), linked(x="abc")) == [
        ("added", "a", None, None, None),
        ("changed", "b", "hardlink", None, "./a"),
        ("changed", "c", "hardlink", "./b", "./a"),
    ]


def test_one_of_a_group_replaced(space, cli):
    need_root()
    changes = told(cli, space, linked(one="abc"), linked(one="ac", two="b"))
    assert [(c[1], c[2], c[4]) for c in changes if c[2] == "hardlink"] == [("b", "hardlink", None)]
    assert [c[1] for c in changes if c[2] == "content"] == ["b"]


def test_group_of_another_type(space, cli):
    need_root()
    node = trees.Node("fifo")
    changes = told(cli, space, linked(x="ab"), {b"a": node, b"b": node})
    assert [c[1:] for c in changes] == [("a", "type", "file", "fifo"), ("b", "type", "file", "fifo")]


@pytest.mark.parametrize(
    "old, new, expected",
    [
        (file(A), directory(0o644), ["type"]),
        (file(A), directory(0o755), ["type", "mode"]),
        (file(A, mode=0o600), link(b"x"), ["type"]),
        (directory(), link(b"x", uid=1), ["type", "uid"]),
        (trees.Node("char", device=(1, 2)), trees.Node("block", device=(1, 2)), ["type"]),
        (trees.Node("char", device=(1, 2)), trees.Node("block", device=(1, 3)), ["type", "device"]),
        (trees.Node("char", device=(1, 2)), trees.Node("fifo"), ["type"]),
        (file(mode=0o640, access=trees.acl_for(0o640)), directory(0o640), ["type", "acl.access"]),
        (file(mode=0o640, access=trees.acl_for(0o640)), link(b"x"), ["type"]),
        (file(mode=0o755), directory(default=trees.acl_for(0o755)), ["type"]),
        (file(xattrs={b"trusted.x": b"1"}), link(b"x"), ["type", "xattr.trusted.x"]),
        (file(xattrs={b"trusted.x": b"1"}), link(b"x", xattrs={b"trusted.x": b"1"}), ["type"]),
    ],
)
def test_changed_types(space, cli, old, new, expected):
    need_root()
    for pair in ((old, new), (new, old)):
        changes = told(cli, space, *({b"x": n} for n in pair))
        assert [c[2] for c in changes] == expected
        assert changes[0][3:] == (pair[0].type, pair[1].type)


def test_directory_becomes_a_file(space, cli):
    need_root()
    changes = told(cli, space, {b"d/e/f": file(A), b"d/g": link(b"x")}, {b"d": file(A, mode=0o755)})
    assert [c[:3] for c in changes] == [
        ("changed", "d", "type"),
        ("removed", "d/e", None),
        ("removed", "d/e/f", None),
        ("removed", "d/g", None),
    ]


def test_roots_of_two_types(space, cli, oracle):
    need_root()
    path = space.build(Tree({b"f": file(A)}))
    answer = cli.diff(path, f"{path}/f")
    assert answer == oracle.diff(oracle.list(path), oracle.list(f"{path}/f"))
    assert [c["path"] for c in answer["changes"]][0] == "."


# The order of names is that of their bytes, not of their escaped spelling: a backslash
# sorts before every small letter, and 0xff after it.


SMALL_AND_LARGE = [b"a", b"\xff", b"A", b"\n", b" ", b"!", b"~", b"]", b"a b", b"a!", b"a\\", b"a]"]


@pytest.mark.parametrize("gone", SMALL_AND_LARGE, ids=ascii)
def test_pairing_of_escaped_names(space, cli, gone):
    """One of many is gone, and nothing else is told: neither of xattrs nor of entries."""
    need_root()
    old = {b"d/f": file(xattrs={b"trusted.%s" % n: b"1" for n in SMALL_AND_LARGE})}
    new = {b"d/f": file(xattrs={b"trusted.%s" % n: b"1" for n in SMALL_AND_LARGE if n != gone})}
    assert told(cli, space, old, new) == [("changed", "d/f", f"xattr.trusted.{listing.escape(gone)}", "MQ==", None)]
    assert told(cli, space, new, old) == [("changed", "d/f", f"xattr.trusted.{listing.escape(gone)}", None, "MQ==")]
    old = {n: directory() for n in SMALL_AND_LARGE} | {n + b"/x": link(b"y") for n in SMALL_AND_LARGE}
    new = {n: node for n, node in old.items() if n not in (gone, gone + b"/x")}
    for pair, kind in (((old, new), "removed"), ((new, old), "added")):
        changes = told(cli, space, *pair)
        assert [c[0] for c in changes] == [kind, kind]
        assert [path_bytes(c[1]) for c in changes] == [gone, gone + b"/x"]


# Unknown attributes, fields that one side lacks.


def test_ignored_root_is_equal_to_any(space, cli):
    need_root()
    paths = []
    for mode, uid in ((0o755, 0), (0o700, 1)):
        tree = Tree({b"f": file(A)})
        tree.nodes[b""] = directory(mode, uid=uid)
        paths.append(space.build(tree))
    assert not cli.diff(*paths)["equal"]
    assert cli.diff(*paths, "--ignore-root")["equal"]
    assert cli.hash(paths[0], "--ignore-root") == cli.hash(paths[1], "--ignore-root")
    saved = space.path()
    with open(saved, "wb") as f:
        f.write(cli.list(paths[0], "--ignore-root"))
    for side in paths:
        assert cli.diff(saved, side)["equal"] and cli.diff(side, saved)["equal"]


def save(space, text):
    path = space.path()
    with open(path, "w") as f:
        f.write(text)
    return path


HEADER = "#mtree imagecache=1 digest=xxh128 fields="


def test_bare_directories_are_unknown(space, cli):
    bare = save(space, HEADER + "type,mode,xattr\n. type=dir\n./d type=dir\n./f type=file mode=0644\n")
    full = save(space, HEADER + "type,mode,xattr\n. type=dir mode=0755\n./d type=dir mode=0755 xattr.user.x=MQ==\n./f type=file mode=0644\n")
    other = save(space, HEADER + "type,mode,xattr\n. type=dir mode=0755\n./d type=file mode=0755\n./f type=file mode=0644\n")
    for pair in ((bare, full), (full, bare)):
        assert cli.diff(*pair)["equal"]
    assert [c["attribute"] for c in cli.diff(bare, other)["changes"]] == ["type"]


def test_bare_directories_without_common_fields_are_known(space, cli):
    """Where no field counts that every directory has, the line says all there is."""
    bare = save(space, HEADER + "type,xattr\n. type=dir\n")
    full = save(space, HEADER + "type,xattr\n. type=dir xattr.user.x=MQ==\n")
    (change,) = cli.diff(bare, full)["changes"]
    assert (change["attribute"], change["old"], change["new"]) == ("xattr.user.x", None, "MQ==")


@pytest.mark.parametrize("old_fields", ["image", "content", "exact", "type", "mode,acl"])
@pytest.mark.parametrize("new_fields", ["image", "exact", "time,flags"])
def test_left_out_fields(space, cli, old_fields, new_fields):
    need_root()
    paths = []
    for fields, node in ((old_fields, file(A)), (new_fields, file(b"other", uid=1, time=7, xattrs={b"security.ima": b"1"}))):
        path = space.build(Tree({b"f": node}))
        paths.append(save(space, cli.list(path, "--fields", fields).decode()))
    answer = cli.diff(*paths)
    one, two = (set(PROFILES.get(f, f"type,{f}").replace(",", " ").split()) for f in (old_fields, new_fields))
    assert answer["compared"] == [f for f in FIELDS if f in one & two]
    assert answer["left_out"] == [f for f in FIELDS if f in one ^ two]
    assert {c["attribute"] for c in answer["changes"]} <= {"xattr.security.ima", *(one & two)}


def test_different_digests(space, cli):
    need_root()
    path = space.build(Tree({b"f": file(A)}))
    other = space.build(Tree({b"f": file(A[::-1])}))
    old = save(space, cli.list(path, "--digest", "xxh128").decode())
    new = save(space, cli.list(other, "--digest", "sha256").decode())
    answer = cli.diff(old, new)
    assert answer["equal"] and answer["left_out"] == ["content"] and "content" not in answer["compared"]


def test_hardlink_field_on_one_side(space, cli):
    """Links are resolved by their own listing, whatever the other one knows."""
    need_root()
    path = space.build(Tree(linked(x="abc")))
    old = save(space, cli.list(path).decode())
    new = save(space, cli.list(path, "--fields", "type,mode,size,content").decode())
    for answer in (cli.diff(old, new), cli.diff(new, old)):
        assert answer["equal"] and "hardlink" in answer["left_out"]


# Text.


def test_hostile_names_in_text(space, cli):
    """Nothing that a terminal would obey, in names, values, link targets or attributes."""
    need_root()
    old = trees.hostile()
    new = old.copy()
    for path, node in list(new.nodes.items()):
        if node.type == "file":
            node.content += b"!"
        elif node.type == "link":
            node.target += b"\x1b[2J"
        node.xattrs = {k + b"\x1b\xc2\x9b": v for k, v in node.xattrs.items() if not k.startswith((b"security", b"trusted.overlay")) and len(k) < 99}
    for path in list(new.nodes):
        if path.startswith(b"names/"):
            new.nodes[b"moved" + path[5:]] = new.nodes.pop(path)
    new.add(b"moved", directory())
    paths = space.build(old), space.build(new)
    for options in ([], ["-v"], ["--name-only"], ["--stat"]):
        result = cli.run("diff", *options, *paths)
        if options and result.returncode == 2:
            continue  # the program, or its stand-in, has no such option
        assert result.returncode == 1 and result.stdout and result.stderr == b""
        text = result.stdout.decode("utf-8")
        bad = {c for c in text if c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0)}
        assert not bad, bad


def test_text_names_what_changed(space, cli):
    need_root()
    old = space.build(Tree({b"etc/hostname": file(A), b"etc/motd": file(A)}))
    new = space.build(Tree({b"etc/hostname": file(b"x"), b"etc/issue": file(b"new")}))
    text = cli.run("diff", old, new).stdout.decode()
    for word in ("etc/hostname", "content", "etc/motd", "etc/issue"):
        assert word in text


def test_threads_do_not_matter(space, cli):
    need_root()
    rng = random.Random(7)
    paths = [space.build(t) for t in pair(rng, 60, 20)]
    answers = [cli.diff(*paths, "--fields", "exact", "--threads", str(n)) for n in (1, 2, 8)]
    assert answers[0] == answers[1] == answers[2]
