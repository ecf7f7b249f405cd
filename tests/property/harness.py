# SPDX-License-Identifier: LGPL-2.1-or-later
"""The program under test, the oracle, and places to build in, for the tests of this folder."""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

import diff
import listing
import trees
import walk

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent


def need_root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"needs the program {tool}")


class Cli:
    """The program under test."""

    def __init__(self, binary):
        self.binary = binary

    def run(self, *args, prefix=(), timeout=60, **rest):
        """Runs it; never waits for ever, so that a read of a FIFO is a failure."""
        rest.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run([*prefix, self.binary, *args], capture_output=True, timeout=timeout, **rest)

    def good(self, *args, **rest):
        result = self.run(*args, **rest)
        assert result.returncode == 0, result
        assert result.stderr == b"", result
        return result.stdout

    def list(self, path, *options, **rest):
        return self.good("list", *options, path, **rest)

    def hash(self, path, *options, **rest):
        out = self.good("hash", *options, path, **rest)
        digest, _, shown = out.partition(b"  ")
        assert shown == os.fsencode(path) + b"\n"
        return digest.decode()

    def diff(self, old, new, *options, **rest):
        """The object that diff --json prints, its exit code checked against it."""
        result = self.run("diff", "--json", *options, old, new, **rest)
        assert result.returncode in (0, 1) and result.stderr == b"", result
        assert result.stdout.endswith(b"\n") and result.stdout.count(b"\n") == 1
        answer = json.loads(result.stdout)
        assert list(answer) == ["version", "equal", "compared", "left_out", "changes"]
        assert answer["version"] == 1
        assert answer["equal"] == (answer["changes"] == []) == (result.returncode == 0)
        members = ["kind", "image", "stage", "input", "path", "attribute", "old", "new"]
        assert all(list(c) == members for c in answer["changes"])
        return answer

    def refusal(self, verb, *args, **rest):
        """The error object of a run that must fail, after both of its forms are checked."""
        plain = self.run(verb, *args, **rest)
        result = self.run(verb, "--json", *args, **rest)
        for r in (plain, result):
            assert r.returncode == 2, r
            assert r.stderr.endswith(b"\n") and r.stderr.count(b"\n") == 1, r
            assert not any(b < 0x20 for b in r.stderr[:-1]), r
        error = json.loads(result.stderr)
        assert list(error) == ["error"]
        assert list(error["error"]) == ["code", "errno", "operation", "path", "message"]
        return error["error"]


class Oracle:
    """The oracle, in this process."""

    def listing(self, path, fields="image", digest="xxh128", **options):
        options["exclude"] = [os.fsencode(p) for p in options.get("exclude", [])]
        return walk.read_tree(
            os.fsencode(path), walk.Options(algorithm=digest, fields=listing.parse_fields(fields), **options)
        )

    def list(self, path, *args, **options):
        return self.listing(path, *args, **options).emit()

    def diff(self, old, new):
        """Of two listings as bytes."""
        return diff.compare(listing.parse(old), listing.parse(new))


class Workspace:
    """A directory to build in, and the undoing of everything that was done there."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="imagecache-")
        os.chmod(self.root, 0o755)
        self.undo = contextlib.ExitStack()
        self.n = 0

    def path(self, name=None):
        """A path that does not exist yet."""
        self.n += 1
        return os.path.join(self.root, name or f"{self.n}")

    def build(self, tree, path=None):
        path = path or self.path()
        self.undo.callback(trees.clear_flags, tree, path)
        trees.build(tree, path)
        return path

    def discard(self, path):
        subprocess.run(["rm", "-rf", "--", path], check=True)

    def mount(self, path, *args):
        need_root()
        need("mount", "umount")
        os.makedirs(path, exist_ok=True) if not os.path.isfile(path) else None
        result = subprocess.run(["mount", *args, path], capture_output=True, text=True)
        if result.returncode != 0:
            pytest.skip(f"cannot mount {' '.join(args)}: {result.stderr.strip()}")
        self.undo.callback(subprocess.run, ["umount", "-l", path], check=True)
        return path

    def image(self, kind, megabytes=320):
        """A fresh file system of a kind, mounted from a loop device; its mount point."""
        need_root()
        mount_point = self.path()
        if kind == "tmpfs":
            return self.mount(mount_point, "-t", "tmpfs", "tmpfs")
        need(f"mkfs.{kind}", "losetup")
        image = self.path()
        with open(image, "xb") as f:
            f.truncate(megabytes << 20)
        subprocess.run([f"mkfs.{kind}", "-q", image], check=True, capture_output=True)
        return self.mount(mount_point, "-t", kind, "-o", "loop", image)

    def close(self):
        try:
            self.undo.close()
        finally:
            subprocess.run(["rm", "-rf", "--one-file-system", "--", self.root], check=True)
