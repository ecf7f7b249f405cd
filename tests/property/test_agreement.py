# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program and the oracle give the same bytes, for everything a tree can hold."""

import pytest

import trees
from harness import need_root
from listing import FIELDS, PROFILES

FILESYSTEMS = ["ext4", "btrfs", "xfs", "tmpfs"]


@pytest.fixture(scope="module")
def hostile(module_space):
    need_root()
    return module_space.build(trees.hostile())


def test_hostile_tree_has_every_feature(hostile, oracle):
    """So that a file system that silently keeps less does not pass for a good test."""
    text = oracle.list(hostile, "exact").decode()
    for sign in (" type=socket", " device=linux,", " hardlink=", " flags=nodump,sappnd,schg", " acl.default=u::rwx,g::",
                 " acl.access=u::rw-,u:0:", " xattr.security.capability=", " xattr.trusted.empty= ", " size=1048577 ",
                 " time=-", " time=9999999999.999999999", " uid=3000000000", r"./bytes/\001 ", r"./bytes/\377 ",
                 " xattr.security.selinux=", " xattr.trusted.overlay.origin=", "./links/1 type=link"):  # fmt: skip
        assert sign in text, sign
    assert "./xattrs/link type=link mode=0777 uid=0 gid=0 link=x" in oracle.list(hostile).decode()
    assert " xattr.trusted.t=" in next(x for x in text.splitlines() if x.startswith("./xattrs/link "))


@pytest.mark.parametrize("digest", ["xxh128", "sha256"])
@pytest.mark.parametrize("fields", [*PROFILES, *FIELDS[:-1], "type,content", "exec,mode,content,size", "time,label"])
def test_hostile_tree(hostile, cli, oracle, fields, digest):
    options = ("--fields", fields, "--digest", digest)
    expected = oracle.listing(hostile, fields, digest)
    assert cli.list(hostile, *options) == expected.emit()
    assert cli.hash(hostile, *options) == expected.digest()


@pytest.mark.parametrize(
    "args, kwargs",
    [
        (["--uid", "0", "--gid", "0"], {"uid": 0, "gid": 0}),
        (["--uid", "3000000000"], {"uid": 3 * 10**9}),
        (["--gid", "7"], {"gid": 7}),
        (["--ignore-root"], {"ignore_root": True}),
        (["--one-filesystem"], {"one_filesystem": True}),
        (["--exclude", "/bytes/", "--exclude", "link*"], {"exclude": ["/bytes/", "link*"]}),
        (["--exclude", "*", "--exclude", "!/hardlinks"], {"exclude": ["*", "!/hardlinks"]}),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_hostile_tree_options(hostile, cli, oracle, args, kwargs):
    assert cli.list(hostile, *args) == oracle.list(hostile, **kwargs)


@pytest.mark.parametrize("kind", FILESYSTEMS)
def test_hostile_tree_on_other_file_systems(space, cli, oracle, hostile, kind):
    """The same model gives the same bytes on each of them."""
    path = space.build(trees.hostile(), f"{space.image(kind)}/tree")
    expected = oracle.list(hostile, "exact")
    assert oracle.list(path, "exact") == expected
    assert cli.list(path, "--fields", "exact") == expected


@pytest.mark.parametrize("seed", range(40))
def test_random_trees(space, cli, oracle, rng, seed):
    need_root()
    tree = trees.random_tree(rng, rng.randrange(1, 80))
    path = space.build(tree)
    fields = rng.choice([*PROFILES, ",".join(rng.sample(FIELDS, rng.randrange(2, 8)))])
    digest = rng.choice(["xxh128", "sha256"])
    expected = oracle.listing(path, fields, digest)
    options = ("--fields", fields, "--digest", digest, "--threads", str(rng.randrange(1, 9)))
    assert cli.list(path, *options) == expected.emit()
    assert cli.hash(path, *options) == expected.digest()


def test_capability_of_the_trees_own_root(space, cli, oracle):
    """Version 3 with the root's owner as its root id is what version 2 is elsewhere."""
    need_root()
    tree = trees.Tree()
    tree.nodes[b""].uid = 5000
    for name, number in ((b"own", 5000), (b"other", 5001)):
        tree.add(name, trees.file(mode=0o755, xattrs={b"security.capability": trees.capability(root_id=number)}))
    path = space.build(tree)
    lines = cli.list(path).decode().splitlines()
    own = trees.base64.b64encode(trees.capability()).decode()
    other = trees.base64.b64encode(trees.capability(root_id=5001)).decode()
    assert f" xattr.security.capability={other} " in lines[2]
    assert f" xattr.security.capability={own} " in lines[3]
    assert cli.list(path) == oracle.list(path)


def test_inherited_flags_of_what_cannot_be_opened(space, cli, oracle):
    """A FIFO born in a no-dump directory has the flag, though no ioctl can show it."""
    need_root()
    tree = trees.Tree()
    tree.nodes[b""].flags = ("nodump",)
    path = space.build(tree, f"{space.image('ext4', 64)}/tree")
    for name, node in ((b"fifo", trees.Node("fifo")), (b"link", trees.link(b"x")), (b"file", trees.file())):
        trees.create(path.encode() + b"/" + name, node)
    text = cli.list(path, "--fields", "exact")
    assert text == oracle.list(path, "exact")
    assert text.count(b" flags=nodump") == 4


def test_largest_device_numbers(space, cli, oracle):
    """More than XFS keeps, so not part of the hostile tree."""
    need_root()
    path = space.build(trees.Tree({b"d": trees.Node("char", device=(4095, 1048575))}))
    assert b" device=linux,4095,1048575\n" in cli.list(path)
    assert cli.list(path) == oracle.list(path)
