# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees that are deep, wide or large."""

import hashlib
import os
import subprocess

import pytest

from harness import need, need_root

EMPTY = hashlib.sha256(b"").hexdigest()


def make_deep(path, names):
    """A chain of directories that no single path reaches, and a file in the last."""
    os.mkdir(path)
    fd = os.open(path, os.O_DIRECTORY | os.O_RDONLY)
    for name in names:
        os.mkdir(name, 0o755, dir_fd=fd)
        below = os.open(name, os.O_DIRECTORY | os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    with open(os.open("file", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd), "wb") as f:
        f.write(b"deep")
    os.symlink("file", "link", dir_fd=fd)
    os.link("file", "second", src_dir_fd=fd, dst_dir_fd=fd)
    os.close(fd)


def deep_lines(names):
    """The listing by first principles, fields type, size, link, hardlink, content."""
    yield "#mtree imagecache=1 digest=sha256 fields=type,size,link,hardlink,content"
    at = "."
    yield f"{at} type=dir"
    for name in names:
        at += f"/{name}"
        yield f"{at} type=dir"
    yield f"{at}/file type=file size=4 sha256={hashlib.sha256(b'deep').hexdigest()}"
    yield f"{at}/link type=link link=file"
    yield f"{at}/second type=file hardlink={at}/file"


DEPTHS = {"long-names": ["n" * 200] * 60, "longest-names": ["x" * 255] * 40, "many-levels": ["d"] * 3000}


@pytest.mark.parametrize("shape", DEPTHS)
def test_deeper_than_a_path_can_be(space, cli, shape):
    path = space.path()
    make_deep(path, DEPTHS[shape])
    expected = "".join(line + "\n" for line in deep_lines(DEPTHS[shape])).encode()
    options = ("--digest", "sha256", "--fields", "type,size,link,hardlink,content")
    assert cli.list(path, *options) == expected
    assert cli.hash(path, *options) == hashlib.sha256(expected).hexdigest()


def test_deep_tree_with_all_attributes(space, cli, oracle):
    """Also the calls that know no directory descriptor must reach down there."""
    need_root()
    path = space.path()
    make_deep(path, ["n" * 200] * 30)
    fd = os.open(path, os.O_DIRECTORY)
    for _ in range(30):
        fd = os.open("n" * 200, os.O_DIRECTORY, dir_fd=fd)
    for name in ("file", "link"):
        os.setxattr(f"/proc/self/fd/{fd}/{name}", "trusted.t", b"1", follow_symlinks=False)
    assert cli.list(path, "--fields", "exact") == oracle.list(path, "exact")
    assert cli.list(path).count(b" xattr.trusted.t=MQ==") == 2


def test_deep_tree_compared_and_excluded(space, cli):
    names = ["n" * 200] * 30
    old, new = space.path(), space.path()
    make_deep(old, names)
    make_deep(new, names)
    assert cli.diff(old, new, "--fields", "content")["equal"]
    assert cli.list(old, "--fields", "content", "--exclude", "file").count(b" type=file ") == 1
    assert cli.list(old, "--fields", "content", "--exclude", "/" + "n" * 200).count(b"\n") == 2


def test_wide_directory(space, cli):
    """200,000 entries, in the order of their names' bytes and not of their numbers."""
    n = 200_000
    path = space.path()
    if os.geteuid() == 0:
        space.mount(path, "-t", "tmpfs", "-o", "nr_inodes=300000", "tmpfs")
    else:
        os.mkdir(path)
    os.mkdir(f"{path}/d")
    fd = os.open(f"{path}/d", os.O_DIRECTORY)
    for i in range(n):
        os.close(os.open(f"{i:x}", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd))
    os.close(fd)
    names = sorted(f"{i:x}" for i in range(n))
    expected = "#mtree imagecache=1 digest=sha256 fields=type,size,content\n. type=dir\n./d type=dir\n"
    expected += "".join(f"./d/{name} type=file size=0 sha256={EMPTY}\n" for name in names)
    options = ("--digest", "sha256", "--fields", "type,size,content")
    assert cli.list(f"{path}", *options) == expected.encode()
    assert cli.hash(f"{path}", *options) == hashlib.sha256(expected.encode()).hexdigest()


def test_million_entries(space, cli):
    """In 1,000 directories; every line is known, so that no oracle has to walk it."""
    need_root()
    path = space.mount(space.path(), "-t", "tmpfs", "-o", "nr_inodes=1100000", "tmpfs")
    names = [f"{i:03d}" for i in range(1000)]
    lines = ["#mtree imagecache=1 digest=sha256 fields=type,content\n. type=dir\n"]
    for directory in names:
        os.mkdir(f"{path}/{directory}")
        fd = os.open(f"{path}/{directory}", os.O_DIRECTORY)
        for name in names[1:]:
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=fd))
        os.close(fd)
        lines.append(f"./{directory} type=dir\n")
        lines.extend(f"./{directory}/{name} type=file sha256={EMPTY}\n" for name in names[1:])
    expected = "".join(lines).encode()
    options = ("--digest", "sha256", "--fields", "type,content")
    assert expected.count(b"\n") == 1_000_002  # the header and the root
    assert cli.list(path, *options) == expected
    assert cli.hash(path, *options) == hashlib.sha256(expected).hexdigest()


def sparse(path, size, data):
    with open(path, "xb") as f:
        f.truncate(size)
        for offset, text in data:
            os.pwrite(f.fileno(), text, offset)


def test_sparse_file(space, cli, oracle):
    """Small enough to be read whole by the oracle."""
    path = space.path()
    os.mkdir(path)
    sparse(f"{path}/f", (12 << 20) + 17, [(0, b"a"), ((5 << 20) - 1, b"bc"), ((12 << 20) + 16, b"d")])
    sparse(f"{path}/g", 4 << 20, [])
    for digest in ("xxh128", "sha256"):
        assert cli.list(path, "--digest", digest) == oracle.list(path, digest=digest)


@pytest.mark.full
@pytest.mark.parametrize("size", [1 << 36, 1 << 40], ids=["64GiB", "1TiB"])
def test_very_large_sparse_file(space, cli, size):
    need("xxhsum")
    path = space.path()
    try:
        sparse(path, size, [(0, b"a"), (size // 2 + 12345, b"xyz"), (size - 1, b"z")])
    except OSError as error:
        pytest.skip(f"the file system takes no file of {size} bytes: {error}")
    text = cli.list(path, "--fields", "size,content", timeout=3600)
    expected = subprocess.run(["xxhsum", "-H2", path], check=True, capture_output=True, text=True).stdout.split()[0]
    assert text.endswith(f". type=file size={size} xxh128={expected}\n".encode())
