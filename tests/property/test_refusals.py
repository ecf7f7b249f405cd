# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cannot be read whole is refused: exit 2, one line, the path, a stable code."""

import base64
import errno
import os
import subprocess
import sys

import pytest

import trees
from harness import need, need_root

UNPRIVILEGED = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups"]


def path_of(error):
    path = error["path"]
    return base64.b64decode(path["base64"]) if isinstance(path, dict) else path.encode()


def runnable(cli, prefix):
    """Skips unless a program can be run so, and the one under test can be reached."""
    need(prefix[0])
    for command in (["true"], ["test", "-x", cli.binary]):
        if subprocess.run([*prefix, *command], capture_output=True).returncode != 0:
            pytest.skip(f"cannot run {command} by {' '.join(prefix)}")


# Arguments.


@pytest.mark.parametrize("verb", ["hash", "list"])
@pytest.mark.parametrize("name", ["nothing", "nothing/at/all", "dangling", "chain"])
def test_not_found(space, cli, verb, name):
    path = space.path()
    os.mkdir(path)
    os.symlink("nothing", f"{path}/dangling")
    os.symlink("dangling", f"{path}/chain")
    error = cli.refusal(verb, f"{path}/{name}")
    assert error["code"] == "not-found"
    assert error["errno"] == errno.ENOENT
    assert error["path"] == f"{path}/{name}"
    assert f"{path}/{name}" in error["message"]


@pytest.mark.parametrize("which", [0, 1])
def test_not_found_in_diff(space, cli, which):
    here = space.path()
    os.mkdir(here)
    paths = [here, here]
    paths[which] = f"{here}/nothing"
    error = cli.refusal("diff", *paths)
    assert (error["code"], error["path"]) == ("not-found", f"{here}/nothing")


def test_loop_of_links(space, cli):
    path = space.path()
    os.symlink(os.path.basename(path), path)
    error = cli.refusal("list", path)
    assert error["errno"] == errno.ELOOP and error["path"] == path


def test_one_of_several(space, cli):
    """A failure is not hidden by a success beside it."""
    path = space.path()
    os.mkdir(path)
    for args in ((path, f"{path}/nothing"), (f"{path}/nothing", path)):
        result = cli.run("hash", *args)
        assert result.returncode == 2 and f"{path}/nothing".encode() in result.stderr


@pytest.mark.parametrize(
    "args",
    [
        ["--fields", "nonsense"], ["--fields", ""], ["--fields", "mode,"], ["--fields", "mode,nonsense"], ["--fields", "image,time"],
        ["--fields", "Mode"], ["--digest", "md5"], ["--digest", ""], ["--uid", "-1"], ["--uid", "4294967296"], ["--gid", "x"], ["--uid", ""],
        ["--threads", "-1"], ["--threads", "x"], ["--nonsense"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_bad_arguments(space, cli, args):
    path = space.path()
    os.mkdir(path)
    result = cli.run("list", *args, path)
    assert result.returncode == 2
    assert result.stdout == b"" and result.stderr


@pytest.mark.parametrize("args", [[], ["nonsense"], ["hash"], ["list"], ["diff"], ["diff", "/proc/version"], ["list", "/proc/version", "/proc/version"]], ids=" ".join)
def test_bad_number_of_arguments(cli, args):
    result = cli.run(*args)
    assert result.returncode == 2 and result.stdout == b"" and result.stderr


# Permissions.


@pytest.fixture
def guarded(space):
    need_root()
    model = trees.Tree({b"a": trees.file(b"a"), b"d/e/f": trees.file(b"f"), b"z": trees.file(b"z")})
    return space.build(model)


@pytest.mark.parametrize("name, mode", [("d/e/f", 0o600), ("d/e", 0o700), ("d", 0o711), ("", 0o700), ("z", 0)])
def test_permission_denied(space, cli, guarded, name, mode):
    runnable(cli, UNPRIVILEGED)
    path = f"{guarded}/{name}" if name else guarded
    os.chmod(path, mode)
    error = cli.refusal("hash", guarded, prefix=UNPRIVILEGED)
    assert error["code"] == "access" and error["errno"] == errno.EACCES
    assert error["path"] == path and path in error["message"]


def test_names_without_attributes(space, cli, guarded):
    """A directory that may be read but not searched: the first entry in it is told."""
    runnable(cli, UNPRIVILEGED)
    os.chmod(f"{guarded}/d", 0o744)
    error = cli.refusal("hash", guarded, prefix=UNPRIVILEGED)
    assert error["code"] == "access" and error["path"] == f"{guarded}/d/e"


def test_unreadable_but_not_needed(space, cli, guarded):
    """Where content does not count, nobody has to open the file."""
    runnable(cli, UNPRIVILEGED)
    os.chmod(f"{guarded}/z", 0)
    assert b"./z type=file mode=0000 " in cli.list(guarded, "--fields", "type,mode,uid", prefix=UNPRIVILEGED)
    assert b"./z " not in cli.list(guarded, "--exclude", "z", prefix=UNPRIVILEGED)


@pytest.mark.parametrize("name", [b"line\nfeed", b"\x1b[31m", b"\xff", b"\xc2\x9b31m", b"del\x7f"], ids=ascii)
def test_hostile_names_in_messages(space, cli, name):
    """They cannot drive a terminal, nor make a second line."""
    need_root()
    runnable(cli, UNPRIVILEGED)
    path = space.build(trees.Tree({b"d/" + name: trees.file(mode=0)}))
    error = cli.refusal("hash", path, prefix=UNPRIVILEGED)
    assert error["code"] == "access"
    assert path_of(error) == os.fsencode(path) + b"/d/" + name
    plain = cli.run("hash", path, prefix=UNPRIVILEGED).stderr
    assert not any(0x7F <= ord(c) < 0xA0 or not (c.isprintable() or c == "\n") for c in plain.decode("utf-8"))


def test_unprivileged_reading_agrees(space, cli, oracle):
    """What another user may read has the same bytes for him, but for trusted.*."""
    need_root()
    runnable(cli, UNPRIVILEGED)
    tree = trees.Tree({b"d/f": trees.file(b"f", uid=7, access=trees.acl_for(0o644, [(1, 7)])), b"l": trees.link(b"x")})
    tree.nodes[b"d/f"].xattrs = {b"user.a": b"1", b"trusted.b": b"2"}
    path = space.build(tree)
    del tree.nodes[b"d/f"].xattrs[b"trusted.b"]
    assert cli.list(path, prefix=UNPRIVILEGED) == cli.list(space.build(tree))


# User namespaces.

NAMESPACE = ["unshare", "-Ur"]


@pytest.fixture
def owned(space):
    """A tree with one entry that a namespace of one id does not map."""
    need_root()
    tree = trees.Tree({b"a": trees.file(b"a"), b"d/strange": trees.file(b"s"), b"z": trees.link(b"x")})
    return tree


@pytest.mark.parametrize("kind", ["uid", "gid"])
@pytest.mark.parametrize("name", [b"d/strange", b"z", b"d", b""])
def test_unmapped_id(space, cli, owned, kind, name):
    runnable(cli, NAMESPACE)
    setattr(owned.nodes[name], kind, 12345)
    path = space.build(owned)
    error = cli.refusal("hash", path, prefix=NAMESPACE)
    shown = f"{path}/{name.decode()}" if name else path
    assert error["code"] == "unmapped-id"
    assert error["path"] == shown and shown in error["message"]
    other = {"uid": "gid", "gid": "uid"}[kind]
    assert cli.refusal("hash", f"--{other}", "0", path, prefix=NAMESPACE)["code"] == "unmapped-id"
    overridden = cli.list(path, f"--{kind}", "0", prefix=NAMESPACE)
    assert overridden == cli.list(path, f"--{kind}", "0")
    assert f" {kind}=0".encode() in overridden
    cli.list(path, "--exclude", "strange", "--exclude", "z", "--exclude", "d", prefix=NAMESPACE) if name else None


def test_unmapped_id_of_an_ignored_root(space, cli, owned):
    """Its owner enters no line."""
    runnable(cli, NAMESPACE)
    owned.nodes[b""].uid = 12345
    path = space.build(owned)
    assert cli.list(path, "--ignore-root", prefix=NAMESPACE) == cli.list(path, "--ignore-root")


def test_unmapped_id_in_an_acl(space, cli, owned):
    """No override is meant for these, so there is nothing but to refuse."""
    runnable(cli, NAMESPACE)
    owned.nodes[b"d/strange"].mode = 0o640
    owned.nodes[b"d/strange"].access = trees.acl_for(0o640, [(12345, 7)])
    path = space.build(owned)
    assert cli.refusal("hash", path, prefix=NAMESPACE)["code"] == "unmapped-id"
    cli.list(path, "--fields", "mode,uid,gid,content", prefix=NAMESPACE)


def test_overflow_id_itself(space, cli, oracle, owned):
    """Where 65534 is mapped it is a user like any other."""
    owned.nodes[b"d/strange"].uid = owned.nodes[b"d/strange"].gid = 65534
    path = space.build(owned)
    assert b" uid=65534 gid=65534 " in cli.list(path)
    assert cli.list(path) == oracle.list(path)
    runnable(cli, NAMESPACE)
    assert cli.refusal("hash", path, prefix=NAMESPACE)["code"] == "unmapped-id"


# Runs a command in a new user namespace with the given line in both of its maps.
IN_NAMESPACE = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
child = os.fork()
if child == 0:
    if ctypes.CDLL(None).unshare(0x10000000):
        os._exit(99)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.setgroups([]), os.setgid(0), os.setuid(0)
    os.execvp(sys.argv[2], sys.argv[2:])
os.close(ready[1])
if not os.read(ready[0], 1):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
for kind in ("uid", "gid"):
    with open(f"/proc/{child}/{kind}_map", "w") as f:
        f.write(sys.argv[1])
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_namespace_with_a_range(space, cli, owned):
    """Ids are those of the namespace the program runs in, and 65534 is told from unmapped."""
    owned.nodes[b"d/strange"].uid = 100_005
    owned.nodes[b"d/strange"].gid = 165_534
    for path, node in owned.nodes.items():
        if path != b"d/strange":
            node.uid = node.gid = 100_000
    path = space.build(owned)
    prefix = [sys.executable, "-c", IN_NAMESPACE, "0 100000 70000"]
    runnable(cli, prefix)
    text = cli.list(path, prefix=prefix)
    assert b"./d/strange type=file mode=0644 uid=5 gid=65534 " in text
    assert b"\n. type=dir mode=0755 uid=0 gid=0\n" in text


def test_capability_in_a_namespace(space, cli, owned):
    """Inside, the kernel shows a namespace's own capability as version 2; the bytes agree."""
    runnable(cli, NAMESPACE)
    owned.nodes[b"a"].xattrs = {b"security.capability": trees.capability()}
    path = space.build(owned)
    assert b" xattr.security.capability=" in cli.list(path)
    tree_of_user = owned.copy()
    for node in tree_of_user.nodes.values():
        node.uid = node.gid = 12345
    tree_of_user.nodes[b"a"].xattrs = {b"security.capability": trees.capability(root_id=12345)}
    user_path = space.build(tree_of_user)
    prefix = [*UNPRIVILEGED, "--inh-caps=-all", *NAMESPACE]
    runnable(cli, prefix)
    assert cli.list(user_path, prefix=prefix) == cli.list(path)
    assert cli.list(user_path, "--uid", "0", "--gid", "0") == cli.list(path)
