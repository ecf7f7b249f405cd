# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the digest is, and what it does not depend on."""

import hashlib
import os
import shutil
import socket
import subprocess

import pytest

import trees
from harness import need, need_root
from xxh3 import Xxh128

ALGORITHMS = {"xxh128": Xxh128, "sha256": hashlib.sha256}


@pytest.fixture(scope="module")
def tree(module_space):
    need_root()
    return module_space.build(trees.hostile())


@pytest.fixture(scope="module")
def expected(tree, cli):
    return cli.list(tree, "--fields", "exact")


@pytest.mark.parametrize("digest", ALGORITHMS)
def test_digest_is_that_of_the_listing(tree, cli, digest):
    data = cli.list(tree, "--digest", digest)
    assert data.startswith(b"#mtree imagecache=1 digest=" + digest.encode())
    assert cli.hash(tree, "--digest", digest) == ALGORITHMS[digest](data).hexdigest()


def test_contents_have_their_digest(tree, cli):
    """First principles: the digest of each small file, by hashlib."""
    lines = dict(x.split(b" ", 1) for x in cli.list(tree, "--digest", "sha256").splitlines()[1:])
    for name in os.listdir(f"{tree}/sizes"):
        with open(f"{tree}/sizes/{name}", "rb") as f:
            data = f.read()
        line = lines[b"./sizes/" + name.encode()]
        assert b" size=%d sha256=%s" % (len(data), hashlib.sha256(data).hexdigest().encode()) in line


def test_default_is_image_and_xxh128(tree, cli):
    assert cli.list(tree) == cli.list(tree, "--fields", "image", "--digest", "xxh128")
    assert cli.list(tree, "--fields", "content").startswith(
        b"#mtree imagecache=1 digest=xxh128 fields=type,exec,size,link,content\n. type=dir\n"
    )


def test_fields_in_any_order_and_type_always(tree, cli):
    assert cli.list(tree, "--fields", "content,link,size,exec,type") == cli.list(tree, "--fields", "content")
    assert cli.list(tree, "--fields", "mode") == cli.list(tree, "--fields", "type,mode")
    assert cli.list(tree, "--fields", "type,content") != cli.list(tree, "--fields", "content")


def test_two_runs(tree, cli, expected):
    assert cli.list(tree, "--fields", "exact") == expected


@pytest.mark.parametrize("threads", range(1, 9))
def test_threads(tree, cli, expected, threads):
    assert cli.list(tree, "--fields", "exact", "--threads", str(threads)) == expected


@pytest.mark.parametrize(
    "env", [{"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LANG": "de_DE.UTF-8", "TZ": "Asia/Kathmandu"}, {}],
    ids=lambda env: "-".join(env.values()) or "empty",
)  # fmt: skip
def test_locale(tree, cli, expected, env):
    env = {"PATH": os.environ["PATH"]} | {k: v for k, v in os.environ.items() if k.startswith("LD_")} | env
    assert cli.list(tree, "--fields", "exact", env=env) == expected


@pytest.mark.parametrize("umask", [0, 0o077, 0o777])
def test_umask(tree, cli, expected, umask):
    assert cli.list(tree, "--fields", "exact", umask=umask) == expected


@pytest.mark.parametrize("form", ["{}/", "{}/.", "{}//", "{}/names/..", "."])
def test_ways_to_say_the_path(tree, cli, expected, form):
    assert cli.list(form.format(tree), "--fields", "exact", cwd=tree) == expected


def test_several_paths(tree, cli, space):
    other = space.build(trees.Tree({b"x": trees.file(b"x")}))
    lines = cli.good("hash", tree, other, tree).splitlines()
    assert lines == [f"{cli.hash(p)}  {p}".encode() for p in (tree, other, tree)]


def test_copy(tree, cli, space):
    """By cp -a; what cp cannot carry is not in the image profile."""
    need("cp")
    copy = space.path()
    subprocess.run(["cp", "-a", tree, copy], check=True)
    assert cli.list(copy) == cli.list(tree)


def test_order_of_creation(cli, space):
    """Directories keep their entries in another order; the listing does not."""
    names = [b"%d" % (i * 7919 % 1000) for i in range(1000)]
    paths = [space.path(), space.path()]
    for path, order in zip(paths, (names, names[::-1])):
        os.mkdir(path)
        for name in order:
            os.close(os.open(os.fsencode(path) + b"/" + name, os.O_CREAT | os.O_WRONLY, 0o644))
    assert cli.list(paths[0]) == cli.list(paths[1])


def test_access_times_are_left_alone(tree, cli, space):
    """Reading must not be a change, at least for the owner."""
    path = space.path()
    os.mkdir(path)
    with open(f"{path}/f", "w") as f:
        f.write("x")
    os.utime(f"{path}/f", ns=(10**18, 1))
    os.utime(path, ns=(10**18, 1))
    cli.hash(path)
    assert os.stat(f"{path}/f").st_atime_ns == 10**18
    assert os.stat(path).st_atime_ns == 10**18


def test_empty_tree(cli, oracle, space):
    need_root()
    path = space.build(trees.Tree())
    expected = oracle.list(path)
    assert expected.count(b"\n") == 2
    assert cli.list(path) == expected


# Roots that are not directories, and roots that are links.


def only(path, kind, **rest):
    trees.create(os.fsencode(path), trees.Node(kind, **rest))
    return path


@pytest.mark.parametrize("kind", ["file", "fifo", "socket", "char", "block"])
@pytest.mark.parametrize("fields", ["image", "exact", "content"])
def test_single_things(cli, oracle, space, kind, fields):
    """A listing of "." alone; nothing that is not a regular file is ever opened."""
    if kind in ("char", "block"):
        need_root()
    path = only(space.path(), kind, content=b"hello", device=(1, 3))
    os.chmod(path, 0o640)
    expected = oracle.list(path, fields)
    assert expected.count(b"\n") == 2 and b"\n. type=" + kind.encode() in expected
    assert cli.list(path, "--fields", fields, timeout=10) == expected
    assert cli.list(path, "--fields", fields, "--exclude", "*", timeout=10) == expected


def test_a_socket_that_is_bound(cli, oracle, space):
    path = space.path()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        assert cli.list(path, timeout=10) == oracle.list(path)


def test_fifo_with_a_writer_waiting(cli, oracle, space):
    """Neither end may notice."""
    path = space.path()
    os.mkdir(path)
    only(f"{path}/fifo", "fifo")
    reader = os.open(f"{path}/fifo", os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(f"{path}/fifo", os.O_WRONLY)
    os.write(writer, b"kept")
    assert cli.list(path, timeout=10) == oracle.list(path)
    assert os.read(reader, 10) == b"kept"
    os.close(reader), os.close(writer)


@pytest.mark.parametrize("target", ["dir", "file", "fifo"])
@pytest.mark.parametrize("length", [1, 3])
def test_root_is_a_link(cli, oracle, space, target, length):
    """The last component is followed, through a chain too."""
    if target == "dir":
        need_root()
    path = space.path()
    if target == "dir":
        space.build(trees.Tree({b"link": trees.link(b"x"), b"f": trees.file(b"f")}), path)
    else:
        only(path, target, content=b"hello")
    last = path
    for _ in range(length):
        new = space.path()
        os.symlink(os.path.basename(last), new)
        last = new
    assert cli.list(last, timeout=10) == cli.list(path, timeout=10) == oracle.list(path)
    assert cli.hash(last, timeout=10) == cli.hash(path, timeout=10)


def test_link_in_the_middle_of_the_path(cli, oracle, space):
    need_root()
    path = space.build(trees.Tree({b"d/e/f": trees.file(b"f"), b"link": trees.link(b"d")}))
    assert cli.list(f"{path}/link/e") == oracle.list(f"{path}/d/e")


@pytest.mark.parametrize("path", ["/proc/version", "/proc/filesystems", "/proc/cmdline", "/proc/sys/kernel/ostype"])
def test_files_that_say_they_are_empty(cli, oracle, path):
    with open(path, "rb") as f:
        data = f.read()
    if not data:
        pytest.skip(f"{path} is empty here")
    text = cli.list(path, "--digest", "sha256", "--fields", "size,content")
    assert text.endswith(b". type=file size=%d sha256=%s\n" % (len(data), hashlib.sha256(data).hexdigest().encode()))
    assert cli.list(path, "--fields", "size").endswith(b". type=file size=%d\n" % len(data))
    assert cli.list(path) == oracle.list(path)


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "xfs", "tmpfs"])
def test_another_file_system(cli, tree, space, expected, kind):
    target = f"{space.image(kind)}/tree"
    space.build(trees.hostile(), target)
    assert cli.hash(target, "--fields", "exact") == cli.hash(tree, "--fields", "exact")
    copy = f"{os.path.dirname(target)}/copy"
    subprocess.run(["cp", "-a", tree, copy], check=True)
    assert cli.hash(copy) == cli.hash(tree)


def test_overlay(cli, space):
    """What an overlay shows is what counts, not what its layers hold."""
    need_root()
    base = space.image("tmpfs")
    lower, upper, work = (f"{base}/{n}" for n in ("lower", "upper", "work"))
    for path in (upper, work):
        os.mkdir(path)
        os.chmod(path, 0o755)
    model = trees.Tree({b"d/a": trees.file(b"a"), b"d/b": trees.file(b"b"), b"e": trees.link(b"d")})
    space.build(model, lower)
    merged = space.mount(space.path(), "-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay")
    assert cli.list(merged) == cli.list(lower)
    os.unlink(f"{merged}/d/a")
    shutil.copystat(lower, merged)
    model.remove(b"d/a")
    assert cli.list(merged) == cli.list(space.build(model))
