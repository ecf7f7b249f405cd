# SPDX-License-Identifier: LGPL-2.1-or-later
"""Listings from strangers: nothing passes but what a tree could have been written as."""

import json
import random
import re

import pytest

import listing
import trees
from harness import REPOSITORY, need_root

BAD = REPOSITORY / "tests/corpus/listings/bad"
INDEX = json.loads((BAD / "index.json").read_text())
GOLDEN = REPOSITORY / "tests/corpus/golden"
MAGIC = b"#mtree imagecache=1 "


def test_index_is_complete():
    assert {p.name for p in BAD.glob("*.mtree")} == set(INDEX)


@pytest.mark.parametrize("name", INDEX)
def test_malformed(cli, name):
    path = str(BAD / name)
    good = GOLDEN / "empty.image.xxh128.mtree"
    for pair in ((path, good), (good, path)):
        error = cli.refusal("diff", *pair)
        assert error["code"] == "syntax", error
        match = re.search(re.escape(name) + r":([0-9]+): .", error["message"])
        assert match and int(match[1]) in INDEX[name], error


@pytest.mark.parametrize("name", INDEX)
def test_malformed_for_the_oracle(name):
    with pytest.raises(listing.OracleError) as caught:
        listing.parse((BAD / name).read_bytes())
    assert int(re.match("listing:([0-9]+): ", caught.value.message)[1]) in INDEX[name]


@pytest.fixture(scope="module")
def good(module_space, oracle):
    """Canonical listings with every keyword, small enough that a mutation hits something."""
    need_root()
    rng = random.Random(1)
    path = module_space.build(trees.random_tree(rng, 25))
    listings = [oracle.list(path, fields) for fields in ("exact", "image", "content")]
    for name in ("types", "hardlinks", "acls", "xattrs", "capabilities", "flags", "times"):
        listings.append((GOLDEN / f"{name}.exact.sha256.mtree").read_bytes())
    return listings


# Bytes that mean something somewhere are more telling than any others.
BYTES = b"\n\n  ==..//\\,:-0123456789abcdefrwxugmol\0\r\t\xff#*AZ+"


def mutate(rng, data):
    """One small damage behind the words by which a listing is known."""
    at = rng.randrange(len(MAGIC), len(data))
    end = min(len(data), at + rng.choice([1, 1, 1, 2, 5, 30]))
    piece = bytes(rng.choice(BYTES) for _ in range(rng.choice([1, 1, 2])))
    lines = data.splitlines(keepends=True)
    i, j = rng.randrange(1, len(lines)), rng.randrange(1, len(lines))
    words = lines[i].split(b" ")
    k, m = rng.randrange(len(words)), rng.randrange(len(words))
    how = rng.randrange(10)
    if how == 0:
        return data[:at]
    if how == 1:
        return data[:at] + data[end:]
    if how == 2:
        return data[:at] + data[at:end] + data[at:]
    if how in (3, 4):
        return data[:at] + piece + data[at:]
    if how in (5, 6):
        return data[:at] + piece + data[at + len(piece) :]
    if how == 7:
        lines[i], lines[j] = lines[j], lines[i]
    elif how == 8:
        lines[i : i + 1] = rng.choice([[], [lines[i], lines[i]], [lines[i], lines[j]]])
    elif rng.random() < 0.5:
        words[k], words[m] = words[m], words[k]
        lines[i] = b" ".join(words)
    else:
        del words[k]
        lines[i] = b" ".join(words)
    return b"".join(lines)


@pytest.mark.parametrize("seed", range(12))
def test_mutations(space, cli, oracle, good, rng, seed):
    """Each is refused, naming a line, or is canonical and compared like any other."""
    accepted = 0
    for _ in range(80):
        whole = rng.choice(good)
        damaged = mutate(rng, whole)
        paths = space.path(), space.path()
        for path, data in zip(paths, (damaged, whole)):
            with open(path, "wb") as f:
                f.write(data)
        result = cli.run("diff", "--json", *paths)
        try:
            assert listing.parse(damaged).emit() == damaged
        except listing.OracleError as error:
            assert result.returncode == 2, (error, damaged)
            message = json.loads(result.stderr)["error"]
            assert message["code"] == "syntax" and re.search(r":[0-9]+: ", message["message"])
        else:
            assert result.returncode in (0, 1), (result, damaged)
            assert json.loads(result.stdout) == oracle.diff(damaged, whole)
            accepted += 1
    print(f"{accepted} accepted")


def test_what_may_look_wrong_and_is_right(space, cli):
    """Accepted, because a tree can be written so."""
    texts = [
        "digest=xxh128 fields=type\n. type=dir\n./a type=dir\n./a/b type=file\n./a-b type=fifo\n",
        "digest=sha256 fields=type,mode,exec\n. type=dir\n./a type=file mode=0100 exec=1\n",
        "digest=xxh128 fields=type,hardlink,xattr\n. type=dir xattr.user.a=\n./a type=link\n./b type=link hardlink=./a\n",
        "digest=xxh128 fields=type,uid\n. type=socket uid=4294967294\n",
        "digest=xxh128 fields=type,acl\n. type=dir acl.default=u::---,g::---,o::---\n",
        "digest=xxh128 fields=type,acl\n. type=file acl.access=u::---,g::---,m::---,o::---\n",
        "digest=xxh128 fields=type,time\n. type=fifo time=-1.999999999\n",
        "digest=xxh128 fields=type,mode\n. type=dir\n./a type=dir\n./a/b type=dir mode=7777\n",
    ]
    for text in texts:
        path = space.path()
        with open(path, "wb") as f:
            f.write(MAGIC + text.encode())
        assert listing.parse(MAGIC + text.encode())
        assert cli.diff(path, path)["equal"]


def test_lines_without_end(space, cli):
    """A line beyond its limit is refused, and not by running out of memory."""
    path = space.path()
    with open(path, "wb") as f:
        f.write(MAGIC + b"digest=xxh128 fields=type\n. type=dir\n./" + b"a" * (17 << 20))
    error = cli.refusal("diff", path, path)
    assert error["code"] in ("syntax", "limit")


def test_names_at_their_limit(space, cli):
    text = "#mtree imagecache=1 digest=xxh128 fields=type\n. type=dir\n./{} type=dir\n"
    for n, good in ((255, True), (4095, True), (4096, False)):
        path = space.path()
        with open(path, "w") as f:
            f.write(text.format("n" * n))
        if good:
            assert cli.diff(path, path)["equal"]
        else:
            assert cli.refusal("diff", path, path)["code"] in ("syntax", "limit")
