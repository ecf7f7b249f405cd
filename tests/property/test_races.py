# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees that change while they are read.

Every test writes in steps such that all the states which ever exist can be listed
beforehand. A run may then fail, with exit 2 and the code tree-changed, or print the
digest of one of those states; anything else is a tree that never was.
"""

import ctypes
import hashlib
import json
import os
import threading
import time

import pytest

SECONDS = 1.5
FIELDS = "type,link,size,content"


def digest_of(*lines):
    text = f"#mtree imagecache=1 digest=sha256 fields=type,size,link,content\n{chr(10).join(lines)}\n"
    return hashlib.sha256(text.encode()).hexdigest()


def file_line(name, data):
    return f"{name} type=file size={len(data)} sha256={hashlib.sha256(data).hexdigest()}"


def digest_in(output):
    """Of hash --json, which may say it in JSON or plainly."""
    if output.startswith(b"{"):
        return json.loads(output)["trees"][0]["digest"]
    return output.split()[0].decode()


def race(cli, path, writer, legal):
    """Reads as long as the writer writes; how often each outcome was seen."""
    stop = threading.Event()
    failure = []

    def write():
        try:
            writer(stop)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=write)
    thread.start()
    seen = {"refused": 0}
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            result = cli.run("hash", "--json", "--digest", "sha256", "--fields", FIELDS, path)
            if result.returncode == 0:
                digest = digest_in(result.stdout)
                assert digest in legal, "a state that never was"
                seen[legal[digest]] = seen.get(legal[digest], 0) + 1
            else:
                assert result.returncode == 2, result
                assert result.stderr.count(b"\n") == 1
                assert json.loads(result.stderr)["error"]["code"] == "tree-changed", result
                seen["refused"] += 1
    finally:
        stop.set()
        thread.join()
    assert not failure, failure
    return seen


def start(space):
    path = space.path()
    os.mkdir(path)
    return path


BLOCK = 512


def blocks(n):
    return b"".join(i.to_bytes(4, "big") * (BLOCK // 4) for i in range(n))


def test_growing_file(space, cli):
    """Appended in blocks that do not cross a page, truncated at the end."""
    path = start(space)
    n = 1000
    data = blocks(n)
    legal = {digest_of(". type=dir", file_line("./f", data[: i * BLOCK])): i for i in range(n + 1)}

    def write(stop):
        fd = os.open(f"{path}/f", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o644)
        while not stop.is_set():
            for i in range(n):
                os.write(fd, data[i * BLOCK : (i + 1) * BLOCK])
            os.ftruncate(fd, 0)
        os.close(fd)

    open(f"{path}/f", "w").close()
    race(cli, path, write, legal)


def test_truncated_file(space, cli):
    """Cut and refilled: between full and empty there is a state for each cut."""
    path = start(space)
    data = blocks(4000)
    cuts = [len(data) * i // 8 for i in range(9)]
    legal = {digest_of(". type=dir", file_line("./f", data[:cut])): cut for cut in cuts}
    # Filling goes through a rename, so that no half-filled state exists.
    with open(f"{path}/f", "wb") as f:
        f.write(data)
    spare = space.path()

    def write(stop):
        while not stop.is_set():
            for cut in reversed(cuts):
                os.truncate(f"{path}/f", cut)
            with open(spare, "wb") as f:
                f.write(data)
            os.rename(spare, f"{path}/f")

    race(cli, path, write, legal)


def mixtures(path, pages):
    """A file of pages that is rewritten from its start, a word in each page.

    A word is copied at once, where a page is not: what a read can find half-way through
    a page did stand there for a moment, and could not be listed beforehand.
    """
    old, new = (word * 8 + b"." * 4088 for word in (b"o", b"n"))
    legal = {}
    for a, b in ((old, new), (new, old)):
        for i in range(pages + 1):
            legal[digest_of(". type=dir", file_line("./f", b * i + a * (pages - i)))] = (a[:1], i)
    with open(f"{path}/f", "wb") as f:
        f.write(old * pages)
    return legal


@pytest.mark.parametrize("forged", [False, True], ids=["", "mtime-put-back"])
@pytest.mark.parametrize("pages", [2, 16, 200])
def test_rewritten_file(space, cli, pages, forged):
    """Same size, page after page: a mixture must be one that stood on the disk."""
    path = start(space)
    legal = mixtures(path, pages)

    def write(stop):
        fd = os.open(f"{path}/f", os.O_WRONLY)
        while not stop.is_set():
            for version in (b"n" * 8, b"o" * 8):
                for i in range(pages):
                    os.pwrite(fd, version, i * 4096)
                    if forged:
                        os.utime(fd, ns=(1, 1))
        os.close(fd)

    race(cli, path, write, legal)


def test_replaced_file(space, cli):
    """By rename, the way that is right: every answer is one of the two."""
    path = start(space)
    versions = [b"a" * 300_000, b"b" * 100_000]
    legal = {digest_of(". type=dir", file_line("./f", v)): v[:1] for v in versions}
    for i, v in enumerate(versions):
        with open(f"{path}.{i}", "wb") as f:
            f.write(v)
    os.link(f"{path}.0", f"{path}/f")

    def write(stop):
        while not stop.is_set():
            for i in (1, 0):  # a rename onto the same inode does nothing
                os.link(f"{path}.{i}", f"{path}.next")
                os.rename(f"{path}.next", f"{path}/f")

    race(cli, path, write, legal)


def test_file_becomes_another_kind(space, cli):
    """A file is swapped for a FIFO: nothing may block, and no FIFO is read as a file."""
    path = start(space)
    data = b"x" * 10_000
    with open(f"{path}.file", "wb") as f:
        f.write(data)
    os.mkfifo(f"{path}.fifo")
    legal = {digest_of(". type=dir", file_line("./f", data)): "file", digest_of(". type=dir", "./f type=fifo"): "fifo"}
    os.link(f"{path}.file", f"{path}/f")

    def write(stop):
        while not stop.is_set():
            for kind in ("fifo", "file"):
                os.link(f"{path}.{kind}", f"{path}.next")
                os.rename(f"{path}.next", f"{path}/f")

    race(cli, path, write, legal)


def swapped(space):
    """A tree with a directory d, and outside of it a link to a directory of secrets."""
    path = start(space)
    secret = start(space)
    for top, text in ((f"{path}/d", b"inside"), (secret, b"secret")):
        os.makedirs(top, exist_ok=True)
        for i in range(20):
            with open(f"{top}/{i:02}", "wb") as f:
                f.write(text)
    os.symlink(secret, f"{path}.link")
    inside = [file_line(f"./d/{i:02}", b"inside") for i in range(20)]
    as_directory = ["./d type=dir", *inside]
    as_link = [f"./d type=link link={secret}"]
    return path, as_directory, as_link


def test_directory_becomes_a_link(space, cli):
    """Moved away and replaced, with a moment of nothing between; the link is not followed."""
    path, as_directory, as_link = swapped(space)
    legal = {
        digest_of(". type=dir", *as_directory): "directory",
        digest_of(". type=dir", *as_link): "link",
        digest_of(". type=dir"): "nothing",
    }

    def write(stop):
        while not stop.is_set():
            os.rename(f"{path}/d", f"{path}.dir")
            os.rename(f"{path}.link", f"{path}/d")
            os.rename(f"{path}/d", f"{path}.link")
            os.rename(f"{path}.dir", f"{path}/d")

    race(cli, path, write, legal)


def exchange(a, b):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(a), -100, os.fsencode(b), 2) < 0:
        pytest.skip(f"renameat2: {os.strerror(ctypes.get_errno())}")


def test_directory_and_link_exchanged(space, cli):
    """Atomically, with a place outside: it is always one of the two."""
    path, as_directory, as_link = swapped(space)
    legal = {digest_of(". type=dir", *as_directory): "directory", digest_of(". type=dir", *as_link): "link"}
    exchange(f"{path}/d", f"{path}.link")
    exchange(f"{path}/d", f"{path}.link")

    def write(stop):
        while not stop.is_set():
            exchange(f"{path}/d", f"{path}.link")

    race(cli, path, write, legal)


def test_siblings_exchanged(space, cli):
    """Two names of one directory: seeing one before and the other after is a half-seen tree."""
    path = start(space)
    versions = {"a": b"a" * 3000, "b": b"b" * 3000}
    for name, data in versions.items():
        with open(f"{path}/{name}", "wb") as f:
            f.write(data)
    legal = {
        digest_of(". type=dir", file_line("./a", versions[x]), file_line("./b", versions[y])): x + y
        for x, y in (("a", "b"), ("b", "a"))
    }
    exchange(f"{path}/a", f"{path}/b")

    def write(stop):
        while not stop.is_set():
            exchange(f"{path}/a", f"{path}/b")

    race(cli, path, write, legal)


def test_entries_come_and_go(space, cli):
    """In one direction at a time, so that each state is a prefix of the names."""
    path = start(space)
    n = 200
    lines = [file_line(f"./{i:03}", b"") for i in range(n)]
    legal = {digest_of(". type=dir", *lines[:i]): i for i in range(n + 1)}

    def write(stop):
        while not stop.is_set():
            for i in range(n):
                os.close(os.open(f"{path}/{i:03}", os.O_CREAT | os.O_WRONLY, 0o644))
            for i in reversed(range(n)):
                os.unlink(f"{path}/{i:03}")

    race(cli, path, write, legal)


def test_quiet_tree_is_never_refused(space, cli):
    """The other side of the coin: no false alarm, right after writing either."""
    path = start(space)
    for i in range(100):
        with open(f"{path}/f", "wb") as f:
            f.write(b"%d" % i)
        assert cli.hash(path, "--digest", "sha256", "--fields", FIELDS) == digest_of(". type=dir", file_line("./f", b"%d" % i))
