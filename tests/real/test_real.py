# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole Debian system: fingerprinted, edited, and compared with what other programs see."""

import collections
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest

TYPES = {"f": "file", "d": "dir", "l": "link", "p": "fifo", "s": "socket", "c": "char", "b": "block"}


def run(*command, status=0, **options):
    result = subprocess.run(command, stdout=subprocess.PIPE, check=False, **options)
    assert result.returncode == status, (command, result.returncode, result.stdout[-2000:])
    return result.stdout


def unescape(text):
    r"""Bytes of a text in which \ooo stands for a byte."""
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text)


def parse(listing):
    """A listing as path -> keyword -> value, in its order."""
    header, *lines = listing.split(b"\n")
    assert header.startswith(b"#mtree imagecache=1 ")
    assert lines.pop() == b""
    entries = {}
    for line in lines:
        name, *pairs = line.split(b" ")
        path = unescape(name.removeprefix(b"./"))
        assert path not in entries
        entries[path] = {k.decode(): v for k, v in (pair.split(b"=", 1) for pair in pairs)}
    return entries


def resolve(entries):
    """The same, each name of a hard-link group with all attributes."""
    return {
        path: entries[unescape(e["hardlink"].removeprefix(b"./"))] if "hardlink" in e else e
        for path, e in entries.items()
    }


@pytest.fixture(scope="module")
def listing(root, program):
    return run(program, "list", "--digest", "sha256", root)


@pytest.fixture
def copy(root, tmp_path):
    path = tmp_path / "copy"
    run("cp", "-a", root, path)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def entries(listing):
    return parse(listing)


@pytest.fixture(scope="module")
def found(root):
    """What find(1) says: path -> type, mode, uid, gid, size, inode, link target."""
    fields = ("type", "mode", "uid", "gid", "size", "inode", "link")
    output = run("find", root, "-printf", r"%P\0%y\0%m\0%U\0%G\0%s\0%i\0%l\0").split(b"\0")
    assert output.pop() == b""
    rows = [output[i : i + 8] for i in range(0, len(output), 8)]
    return {path or b".": dict(zip(fields, values)) for path, *values in rows}


def test_the_system_is_worth_it(found, entries):
    assert len(found) > 20000
    kinds = collections.Counter(e["type"] for e in entries.values())
    assert set(kinds) >= {b"file", b"dir", b"link", b"char", b"block", b"fifo"}
    assert any("hardlink" in e for e in entries.values())
    assert sum(int(e.get("mode", b"0"), 8) & 0o4000 != 0 for e in entries.values()) >= 5
    assert "xattr.security.capability" in entries[b"usr/bin/ping"]


def test_find_sees_the_same(found, entries):
    assert set(found) == set(entries)
    for path, entry in resolve(entries).items():
        other = found[path]
        assert TYPES[other["type"].decode()] == entry["type"].decode(), path
        mode = b"777" if entry["type"] == b"link" else other["mode"]
        assert int(mode, 8) == int(entry["mode"], 8), path
        assert (other["uid"], other["gid"]) == (entry["uid"], entry["gid"]), path
        assert other["link"] == unescape(entry.get("link", b"")), path
        assert entry.get("size") == (other["size"] if entry["type"] == b"file" else None), path


def test_order_is_canonical(entries):
    paths = [[] if path == b"." else path.split(b"/") for path in entries]
    assert paths == sorted(paths)


def test_hard_links_are_groups_of_inodes(found, entries):
    groups = collections.defaultdict(list)
    for path in entries:
        if found[path]["type"] != b"d":
            groups[found[path]["inode"]].append(path)
    for first, *others in groups.values():
        assert "hardlink" not in entries[first]
        for path in others:
            assert unescape(entries[path]["hardlink"]) == b"./" + first
            assert set(entries[path]) == {"type", "hardlink"}


def test_stat_sees_the_same_devices(root, entries):
    output = run("find", root, "-type", "b,c", "-exec", "stat", "--printf", r"%n\0%Hr,%Lr\0", "{}", "+").split(b"\0")
    numbers = {os.path.relpath(path, os.fsencode(root)): n for path, n in zip(output[::2], output[1::2])}
    ours = {path: e["device"] for path, e in resolve(entries).items() if "device" in e}
    assert ours == {path: b"linux," + n for path, n in numbers.items()}
    assert ours[b"odd/block"] == b"linux,7,300000"


def test_sha256sum_sees_the_same_contents(root, entries):
    output = run("find", root, "-type", "f", "-exec", "sha256sum", "--zero", "{}", "+").split(b"\0")
    assert output.pop() == b""
    sums = {os.path.relpath(line[66:], os.fsencode(root)): line[:64] for line in output}
    assert {path: e["sha256"] for path, e in resolve(entries).items() if "sha256" in e} == sums


def test_getfattr_sees_the_same_attributes(root, entries):
    output = run("getfattr", "-R", "-h", "-d", "-m", "-", "-e", "base64", "--absolute-names", root)
    expected = {}
    for block in output.strip(b"\n").split(b"\n\n"):
        path, *lines = block.split(b"\n")
        path = os.path.relpath(unescape(path.removeprefix(b"# file: ")), os.fsencode(root))
        for line in lines:
            name, _, value = line.partition(b"=")
            if not name.startswith(b"system.posix_acl_"):
                expected[path, name] = value.removeprefix(b"0s").strip(b'"')
    ours = {
        (path, unescape(keyword.encode()).removeprefix(b"xattr.")): value
        for path, entry in resolve(entries).items()
        for keyword, value in entry.items()
        if keyword.startswith("xattr.")
    }
    assert ours == expected
    assert ours[b"odd/sparse", b"user.empty"] == b""


def abbreviate(lines):
    """getfacl's lines as a listing spells them."""
    tags = {"user": "u", "group": "g", "mask": "m", "other": "o"}
    return ",".join(":".join((tags[tag], number, bits)) for tag, number, bits in (line.split(":") for line in lines))


def test_getfacl_sees_the_same_lists(root, entries):
    output = run("getfacl", "-R", "-P", "-n", "-p", "--no-effective", root).decode(errors="surrogateescape")
    expected = {}
    for block in output.strip("\n").split("\n\n"):
        lines = block.split("\n")
        path = unescape(os.fsencode(lines[0].removeprefix("# file: ")))
        path = os.path.relpath(path, os.fsencode(root))
        default = [line.removeprefix("default:") for line in lines if line.startswith("default:")]
        access = [line for line in lines if line[0] != "#" and not line.startswith("default:")]
        if len(access) > 3:
            expected[path, "acl.access"] = abbreviate(access)
        if default:
            expected[path, "acl.default"] = abbreviate(default)
    ours = {
        (path, keyword): entry[keyword].decode()
        for path, entry in resolve(entries).items()
        for keyword in ("acl.access", "acl.default")
        if keyword in entry
    }
    assert ours == expected
    assert ours[b"odd", "acl.default"] == "u::rwx,g::r-x,o::---"


def test_netbsd_mtree_sees_the_same(root, entries, tmp_path):
    """`mtree -c` describes the tree, `mtree -C` makes one line an entry of that."""
    keywords = "type,mode,uid,gid,size,link,sha256,device"
    (tmp_path / "spec").write_bytes(run("mtree", "-c", "-k", keywords, "-p", root))
    ours, names = resolve(entries), set()
    for line in run("mtree", "-C", "-f", tmp_path / "spec", "-k", keywords).splitlines():
        name, *pairs = line.split()
        path = name.removeprefix(b"./").replace(b"\\\\", b"\\")
        if path.startswith(b"odd/"):
            continue  # mtree has other escapes for the rest
        names.add(path)
        theirs = dict(pair.decode().split("=", 1) for pair in pairs)
        entry = {keyword: value.decode() for keyword, value in ours[path].items()}
        assert theirs.pop("mode").zfill(4)[-4:] == entry["mode"], path
        if "device" in theirs:
            device = int(theirs.pop("device"), 0)
            assert f"linux,{os.major(device)},{os.minor(device)}" == entry["device"], path
        assert theirs.items() <= entry.items(), path
        assert set(theirs) >= {"type", "uid", "gid"}, path
    assert names == {path for path in ours if not path.startswith(b"odd/")}


def test_netbsd_mtree_accepts_our_listing(root, program, copy, tmp_path):
    """With fields that both know a listing is a specification that the tree meets, until it changes."""
    fields = "type,mode,uid,gid,size,device,link,content"
    command = (program, "list", "--digest", "sha256", "--fields", fields, "--exclude", "/odd/block")
    (tmp_path / "spec").write_bytes(run(*command, root))
    (copy / "odd/block").unlink()
    run("mtree", "-f", tmp_path / "spec", "-p", copy)
    (copy / "etc/passwd").chmod(0o600)
    assert b"etc/passwd" in run("mtree", "-f", tmp_path / "spec", "-p", copy, status=2)


@pytest.mark.parametrize("digest", ["xxh128", "sha256"])
def test_digest_is_that_of_the_listing(root, program, digest):
    lines = run(program, "list", "--digest", digest, root)
    printed = run(program, "hash", "--digest", digest, root).split()[0].decode()
    assert lines == run(program, "list", "--digest", digest, "--threads", "1", root)
    assert lines == run(program, "list", "--digest", digest, "--threads", "16", root)
    if digest == "sha256":
        assert printed == hashlib.sha256(lines).hexdigest()


def test_a_copy_is_equal(root, program, copy):
    for fields in ("content", "image", "output", "exact"):
        assert run(program, "diff", "--fields", fields, root, copy) == b""
        for digest in ("xxh128", "sha256"):
            output = run(program, "hash", "--fields", fields, "--digest", digest, root, copy)
            assert len({line.split()[0] for line in output.splitlines()}) == 1


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def edit(root):
    """What a person does to a system; returns the changes to expect, as (kind, path, attribute, old, new)."""
    changes = []

    def changed(path, attribute, old, new):
        changes.append(("entry-changed", path, attribute, old, new))

    defaults = root / "etc/login.defs"
    old = sha256(defaults)
    text = defaults.read_text()
    defaults.write_text(re.sub(r"(?m)^UMASK(\s+)022", r"UMASK\g<1>077", text))
    changed("etc/login.defs", "content", old, sha256(defaults))

    shells = root / "etc/shells"
    old, size = sha256(shells), shells.stat().st_size
    with shells.open("a") as file:
        file.write("/usr/bin/fish\n")
    changed("etc/shells", "size", str(size), str(size + 14))
    changed("etc/shells", "content", old, sha256(shells))

    (root / "usr/bin/sudo").chmod(0o750)
    changed("usr/bin/sudo", "mode", "4755", "0750")

    # Directories, where an owner is no content.
    os.chown(root / "var/cache", 33, 34)
    changed("var/cache", "uid", "0", "33")
    changed("var/cache", "gid", "0", "34")

    python = root / "usr/bin/python3"
    python = root / "usr/bin" / os.readlink(python)
    run("setcap", "cap_net_bind_service=ep", python)
    changed(str(python.relative_to(root)), "xattr.security.capability", None, "AQAAAgAEAAAAAAAAAAAAAAAAAAA=")

    run("setcap", "-r", root / "usr/bin/ping")
    changed("usr/bin/ping", "xattr.security.capability", "AQAAAgAgAAAAAAAAAAAAAAAAAAA=", None)

    run("setfacl", "-m", "u:1000:r", root / "etc/shadow")
    changed("etc/shadow", "acl.access", None, "u::rw-,u:1000:r--,g::r--,m::r--,o::---")

    # A new name behind the old one, and one before it.
    os.link(root / "usr/bin/env", root / "usr/local/bin/env")
    changes.append(("entry-added", "usr/local/bin/env", None, None, None))
    os.link(root / "usr/bin/cat", root / "opt/cat")
    changes.append(("entry-added", "opt/cat", None, None, None))
    changed("usr/bin/cat", "hardlink", None, "./opt/cat")

    (root / "etc/issue").unlink()
    changes.append(("entry-removed", "etc/issue", None, None, None))

    (root / "etc/nsswitch.conf").rename(root / "etc/nsswitch.conf.old")
    changes.append(("entry-moved", "etc/nsswitch.conf.old", None, "etc/nsswitch.conf", "etc/nsswitch.conf.old"))

    (root / "etc/os-release").unlink()
    (root / "etc/os-release").symlink_to("../run/os-release")
    changed("etc/os-release", "link", "../usr/lib/os-release", "../run/os-release")

    # No change: the same bytes again, another time, the same names in another order.
    (root / "etc/passwd").write_bytes((root / "etc/passwd").read_bytes())
    os.utime(root / "etc/group", (0, 0))
    return changes


def in_order(changes):
    """As the report tells them: by path, then by the order of the keywords, which edit() keeps."""
    return sorted(changes, key=lambda change: [os.fsencode(part) for part in change[1].split("/")])


def test_edits_are_told_and_nothing_else(root, program, copy, tmp_path):
    saved = tmp_path / "before"
    saved.write_bytes(run(program, "list", "--digest", "sha256", copy))
    expected = in_order(edit(copy))

    for old in (root, saved):
        report = json.loads(run(program, "diff", "--json", "--digest", "sha256", old, copy, status=1))
        assert report["left_out"] == []
        assert not report["equal"]
        told = [tuple(c[m] for m in ("kind", "path", "attribute", "old", "new")) for c in report["changes"]]
        assert told == expected

    text = run(program, "diff", saved, copy, status=1).decode()
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in text.splitlines())
    assert set(lines) == {path + ("/" if path == "var/cache" else "") for _, path, *_ in expected}
    assert lines["usr/bin/sudo"] == "mode 4755 → 0750"
    assert lines["etc/issue"] == "removed"
    assert lines["etc/nsswitch.conf.old"] == "moved from etc/nsswitch.conf"

    names = run(program, "diff", "--name-only", saved, copy, status=1).decode().splitlines()
    assert [name.rstrip("/") for name in names] == list(dict.fromkeys(path for _, path, *_ in expected))


def test_excluded_paths_do_not_count(root, program, copy, tmp_path):
    patterns = [f"/{path}" for _, path, *_ in edit(copy)] + ["/etc/nsswitch.conf", "!/usr/bin"]
    (tmp_path / "patterns").write_text("\n".join(patterns) + "\n")
    assert run(program, "diff", "--exclude-from", tmp_path / "patterns", root, copy) == b""
    assert pathlib.Path(copy, "opt/cat").exists()
