# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mount points below the root, entered or not."""

import os
import subprocess

import pytest

import trees
from harness import need, need_root


@pytest.fixture
def tree(space):
    need_root()
    model = trees.Tree({b"a/f": trees.file(b"f"), b"mnt/below": trees.file(b"hidden"), b"z": trees.file(b"z")})
    return space.build(model)


def names(text):
    return [line.split(b" ")[0].decode() for line in text.splitlines()[1:]]


def test_tmpfs(space, cli, oracle, tree):
    space.mount(f"{tree}/mnt", "-t", "tmpfs", "-o", "mode=0701,uid=7", "tmpfs")
    os.mkdir(f"{tree}/mnt/inner")
    all_of_it = cli.list(tree)
    assert names(all_of_it) == [".", "./a", "./a/f", "./mnt", "./mnt/inner", "./z"]
    assert b"./mnt type=dir mode=0701 uid=7 gid=0\n" in all_of_it
    assert all_of_it == oracle.list(tree)
    one = cli.list(tree, "--one-filesystem")
    assert names(one) == [".", "./a", "./a/f", "./mnt", "./z"]
    assert b"./mnt type=dir mode=0701 uid=7 gid=0\n" in one
    assert one == oracle.list(tree, one_filesystem=True)


def test_bind_mount_of_the_same_file_system(space, cli, oracle, tree):
    """The device number does not tell this one; the mount does."""
    other = space.build(trees.Tree({b"x": trees.file(b"x")}))
    space.mount(f"{tree}/mnt", "--bind", other)
    assert names(cli.list(tree)) == [".", "./a", "./a/f", "./mnt", "./mnt/x", "./z"]
    assert names(cli.list(tree, "--one-filesystem")) == [".", "./a", "./a/f", "./mnt", "./z"]
    assert cli.list(tree, "--one-filesystem") == oracle.list(tree, one_filesystem=True)


def test_directory_mounted_on_itself(space, cli, tree):
    space.mount(f"{tree}/mnt", "--bind", f"{tree}/mnt")
    assert names(cli.list(tree)) == [".", "./a", "./a/f", "./mnt", "./mnt/below", "./z"]
    assert names(cli.list(tree, "--one-filesystem")) == [".", "./a", "./a/f", "./mnt", "./z"]


def test_file_mounted_on_a_file(space, cli, oracle, tree):
    """Listed with what is mounted, in both cases: there is nothing to enter."""
    other = space.path()
    with open(other, "w") as f:
        f.write("mounted")
    os.chmod(other, 0o644)
    space.mount(f"{tree}/z", "--bind", other)
    assert b"./z type=file mode=0644 uid=0 gid=0 size=7 " in cli.list(tree)
    assert cli.list(tree, "--one-filesystem") == cli.list(tree) == oracle.list(tree)


def test_one_inode_through_two_mounts(space, cli, oracle, tree):
    """No group, because its link count is one."""
    space.mount(f"{tree}/z", "--bind", f"{tree}/a/f")
    assert b" hardlink=" not in cli.list(tree)
    assert cli.list(tree) == oracle.list(tree)


def test_inode_numbers_of_two_file_systems(space, cli, oracle, tree):
    """The same number on another device is another file."""
    for name in ("mnt", "mnt2"):
        path = space.mount(f"{tree}/{name}", "-t", "tmpfs", "tmpfs")
        with open(f"{path}/f", "w") as f:
            f.write("x")
        os.link(f"{path}/f", f"{path}/g")
    assert os.stat(f"{tree}/mnt/f").st_ino == os.stat(f"{tree}/mnt2/f").st_ino
    text = cli.list(tree)
    assert text == oracle.list(tree)
    assert text.count(b" hardlink=") == 2 and b"./mnt2/g type=file hardlink=./mnt2/f\n" in text


def test_the_root_is_a_mount_point(space, cli, tree):
    mounted = space.mount(space.path(), "--bind", tree)
    assert cli.list(mounted, "--one-filesystem") == cli.list(tree)
    assert cli.list(f"{mounted}/a", "--one-filesystem") == cli.list(f"{tree}/a")


def test_excluded_mount_point(space, cli, tree):
    space.mount(f"{tree}/mnt", "-t", "tmpfs", "tmpfs")
    assert names(cli.list(tree, "--exclude", "mnt")) == [".", "./a", "./a/f", "./z"]


def test_btrfs_subvolume_is_no_mount_point(space, cli, oracle):
    need("btrfs")
    mounted = space.image("btrfs")
    path = f"{mounted}/tree"
    os.mkdir(path)
    subprocess.run(["btrfs", "-q", "subvolume", "create", f"{path}/sub"], check=True, capture_output=True)
    for name in ("f", "sub/f"):
        with open(f"{path}/{name}", "w") as f:
            f.write(name)
    os.link(f"{path}/sub/f", f"{path}/sub/g")
    text = cli.list(path, "--one-filesystem")
    assert names(text) == [".", "./f", "./sub", "./sub/f", "./sub/g"]
    assert text == cli.list(path) == oracle.list(path)


def test_btrfs_snapshot_keeps_the_digest(space, cli):
    need("btrfs")
    mounted = space.image("btrfs")
    path = f"{mounted}/tree"
    subprocess.run(["btrfs", "-q", "subvolume", "create", path], check=True, capture_output=True)
    space.build(trees.hostile(), path)
    snapshot = f"{mounted}/snapshot"
    subprocess.run(["btrfs", "-q", "subvolume", "snapshot", "-r", path, snapshot], check=True, capture_output=True)
    assert cli.list(snapshot, "--fields", "exact") == cli.list(path, "--fields", "exact")


def test_other_types_mounted_on_files(space, cli, oracle, tree):
    """A directory tells the types of its own entries; what counts is what is mounted on them."""
    content = space.path()
    with open(content, "w") as f:
        f.write("mounted")
    open(f"{tree}/plain", "w").close()
    os.mkfifo(f"{tree}/fifo")
    space.mount(f"{tree}/plain", "--bind", "/dev/null")
    subprocess.run(["mount", "--bind", content, f"{tree}/fifo"], check=True)
    space.undo.callback(subprocess.run, ["umount", f"{tree}/fifo"], check=True)
    for fields in ("image", "type", "size"):
        assert cli.list(tree, "--fields", fields) == oracle.list(tree, fields)
    assert b"./plain type=char " in cli.list(tree)
