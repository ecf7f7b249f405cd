# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manifests from strangers: nothing passes but what could have been written so.

A manifest guards itself by its digests and keys, so that much damage is found by them
alone. What a forger would do, who computes these again, is tried too.
"""

import json
import random
import re

import pytest

import manifest
from projects import Place, env, everything, file, files, image, items, link, option, project, single, stage, tree

ENV = {"IMAGECACHE_TEST_LANG": "C"}


@pytest.fixture(scope="module")
def place(cli, module_space):
    return Place(cli, module_space)


@pytest.fixture(scope="module")
def good(place):
    given = everything()
    given["images"][1]["stages"][1]["inputs"] += [
        option("token", "t", secret=True), tree("secret tree", "skeleton", secret=True), env("IMAGECACHE_TEST_UNSET"),
        option("stale", [1], on_change="stale"), tree("absent", "nothing", optional=True), files("none", "none*", optional=True),
        tree("whole", "skeleton"), items("list", "bytes", {"base64": "/w=="}),
    ]  # fmt: skip
    sealed = place.seal(given, env=ENV)
    manifest.verify(sealed)
    return sealed


@pytest.fixture(scope="module")
def small(place):
    return place.seal(project(
        image("a", stage("s", option("o", "v"), tree("t", "conf"), file("f", "key"), snapshot=True)), image("b", stage("s", link("l", "a"), items("set", "p", "x", "y")))))  # fmt: skip


class Judge:
    """Gives damaged manifests to the program, beside a whole one."""

    def __init__(self, place, good):
        self.cli, self.good = place.cli, place.kept(good)
        self.path = place.space.path()
        self.data = good

    def run(self, damaged):
        with open(self.path, "wb") as f:
            f.write(damaged)
        return self.cli.run("diff", "--json", self.path, self.good)

    def refused(self, damaged):
        """The line that is named; damage in the first line may hide what it is."""
        result = self.run(damaged)
        assert result.returncode == 2, (result, damaged)
        assert result.stdout == b"" and result.stderr.count(b"\n") == 1
        error = json.loads(result.stderr)["error"]
        assert not re.search("[\x00-\x1f\x7f-\x9f]", error["message"])
        if b'"imagecache":"manifest"' not in damaged.partition(b"\n")[0] or not damaged.startswith(b"{"):
            return 1
        assert error["code"] == "syntax", (error, damaged)
        match = re.match(re.escape(self.path) + r":([0-9]+)(:[0-9]+)?: .", error["message"])
        assert match and 1 <= int(match[1]) <= damaged.count(b"\n") + 1, error
        return int(match[1])

    def judged(self, damaged):
        """As the oracle does: refused, or another manifest that could be."""
        try:
            manifest.verify(damaged)
        except manifest.OracleError:
            self.refused(damaged)
            return False
        result = self.run(damaged)
        assert result.returncode in (0, 1), (result, damaged)
        return True


@pytest.fixture(scope="module")
def judge(place, good):
    return Judge(place, good)


def test_the_whole_one_is_accepted(judge, good):
    assert judge.judged(good)


def test_cut_at_every_byte(place, small):
    judge = Judge(place, small)
    for n in range(len(small)):
        judge.refused(small[:n])


def test_cut_at_every_line(judge, good):
    lines = good.splitlines(keepends=True)
    for n in range(1, len(lines)):
        judge.refused(b"".join(lines[:n]))


@pytest.mark.parametrize("recomputed", [False, True])
def test_lines(judge, good, recomputed):
    """Each line removed, doubled, swapped with its neighbour."""
    lines = good.splitlines(keepends=True)
    for i in range(len(lines)):
        for changed in (lines[:i] + lines[i + 1 :], lines[: i + 1] + lines[i:], lines[:i] + lines[i : i + 2][::-1] + lines[i + 2 :]):
            damaged = b"".join(changed)
            if recomputed:
                try:
                    damaged = manifest.rekey(damaged)
                except (manifest.OracleError, KeyError, IndexError, UnboundLocalError):
                    continue
                judge.judged(damaged)  # a value may be removed, or stand elsewhere
            elif damaged != good and judge.judged(damaged):
                assert b'"on_change"' in b"".join(lines[i : i + 2])  # in no key


def in_info(data, at):
    """Whether a byte is of what no key covers."""
    start = data.rfind(b"\n", 0, at) + 1
    line = data[start : data.index(b"\n", at)]
    return b'"info":' in line or b'"on_change"' in line or line.startswith(b'{"image":')


@pytest.mark.parametrize("seed", range(4))
def test_bytes(judge, good, seed):
    rng = random.Random(seed)
    for at in rng.sample(range(len(good)), 150):
        new = bytes([rng.choice([good[at] ^ 1 << rng.randrange(8), rng.randrange(256), *b'\n\r"\\{}0 ,:'])])
        damaged = good[:at] + rng.choice([new, new, b"", good[at : at + 1] + new]) + good[at + 1 :]
        if damaged != good and judge.judged(damaged):
            assert in_info(good, at)


def test_every_byte_of_a_small_one(place, small):
    judge = Judge(place, small)
    for at in range(0, len(small), 3):
        damaged = bytearray(small)
        damaged[at] ^= 1
        if judge.judged(bytes(damaged)):
            assert in_info(small, at)


# What a forger would write: every count and key is right, but for the one thing.


def swap(old, new, count=1):
    def change(data):
        assert old in data, old
        return data.replace(old, new, count)

    return change


FORGERIES = {
    "version 2": swap(b'"version":1}', b'"version":2}'),
    "version 1.0": swap(b'"version":1}', b'"version":1.0}'),
    "a project": swap(b'"imagecache":"manifest"', b'"imagecache":"project","x":"\\"imagecache\\":\\"manifest\\""'),
    "unknown digest": swap(b'"digest":"sha256","image', b'"digest":"sha512","image'),
    "other digest": swap(b'"digest":"sha256","image', b'"digest":"xxh128","image'),
    "space": swap(b'"value":1}', b'"value": 1}'),
    "space at the end": swap(b'"value":1}', b'"value":1} '),
    "carriage returns": lambda data: data.replace(b"\n", b"\r\n"),
    "one carriage return": swap(b'"value":1}\n', b'"value":1}\r\n'),
    "empty line": swap(b'"value":1}\n', b'"value":1}\n\n'),
    "nul": swap(b'"value":1}\n', b'"value":1}\0\n'),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "unknown member": swap(b'"value":1}', b'"value":1,"x":1}'),
    "unknown member of info": swap(b'"outputs":[]', b'"outputs":[],"x":1'),
    "missing member": swap(b',"value":1}', b"}"),
    "missing info": swap(b'"info":{"outputs":[]},', b""),
    "missing member of info": swap(b'"max_age_seconds":null,', b""),
    "info where none is": swap(b'{"input":"x","type":"option","value":1}', b'{"info":{},"input":"x","type":"option","value":1}'),
    "member twice": swap(b'"value":1}', b'"value":1,"value":1}'),
    "members out of order": swap(b'{"input":"x","type":"option","value":1}', b'{"type":"option","input":"x","value":1}'),
    "needless escape": swap(b'"input":"x"', b'"input":"\\u0078"'),
    "escape in upper case": swap(b"\\u0001", b"\\u0001\\u001F"),
    "escaped slash": swap(b'"label":"skeleton"', b'"label":"skele\\/ton"'),
    "half of a surrogate": swap(b'"input":"x"', b'"input":"\\ud800"'),
    "bad utf-8": swap(b'"value":1}', b'"value":"\xff"}'),
    "overlong utf-8": swap(b'"value":1}', b'"value":"\xc0\xaf"}'),
    "surrogate in utf-8": swap(b'"value":1}', b'"value":"\xed\xa0\x80"}'),
    "raw control character": swap(b'"value":1}', b'"value":"\x1b"}'),
    "leading zero": swap(b'"value":1}', b'"value":01}'),
    "plus": swap(b'"value":1}', b'"value":+1}'),
    "fraction": swap(b'"value":1}', b'"value":1.0}'),
    "exponent": swap(b'"value":1}', b'"value":1e0}'),
    "negative zero": swap(b'"value":1}', b'"value":-0}'),
    "not a number": swap(b'"value":1}', b'"value":NaN}'),
    "infinite": swap(b'"value":1}', b'"value":Infinity}'),
    "huge number": swap(b'"value":1}', b'"value":9007199254740992}'),
    "very huge number": swap(b'"value":1}', b'"value":1' + b"0" * 5000 + b"}"),
    "huge negative number": swap(b'"value":1}', b'"value":-9007199254740992}'),
    "huge lines": lambda data: re.sub(rb'"lines":\d+', b'"lines":18446744073709551616', data),
    "more lines": lambda data: re.sub(rb'"lines":\d+', lambda m: b'"lines":%d' % (int(m[0][8:]) + 1), data),
    "huge entries": lambda data: re.sub(rb'"entries":\d+', b'"entries":9007199254740991', data, count=1),
    "other bytes": lambda data: re.sub(rb'"bytes":\d+', b'"bytes":1', data, count=1),
    "huge max_append": swap(b'"max_append":5', b'"max_append":4294967296'),
    "huge age": swap(b'"max_age_seconds":604800', b'"max_age_seconds":9007199254740992'),
    "negative age": swap(b'"max_age_seconds":604800', b'"max_age_seconds":-1'),
    "deep": swap(b'"value":1}', b'"value":' + b"[" * 32 + b"]" * 32 + b"}"),
    "very deep": swap(b'"value":1}', b'"value":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "very deep and open": swap(b'"value":1}', b'"value":' + b'{"a":' * 200_000),
    "wrong key": lambda data: re.sub(rb'"key":"[0-9a-f]{64}"', b'"key":"' + b"0" * 64 + b'"', data, count=1),
    "wrong key of a link": lambda data: re.sub(rb'("input":"base","key":")[0-9a-f]{64}', rb"\g<1>" + b"0" * 64, data),
    "key in upper case": lambda data: re.sub(rb'"key":"[0-9a-f]{64}"', lambda m: m[0].upper().replace(b"KEY", b"key"), data, count=1),
    "short key": lambda data: re.sub(rb'"key":"[0-9a-f]', b'"key":"', data, count=1),
    "default told": swap(b'{"input":"x","type":"option","value":1}', b'{"input":"x","on_change":"rebuild","type":"option","value":1}'),
    "default results": swap(b'"results":["root","metadata"]', b'"results":["root"]'),
    "no reads": swap(b'"reads":[{"exclude":["build/"],"method":"traced","root":"src"}]', b'"reads":[]'),
    "default method": swap(b'"method":"traced"', b'"method":"declared"'),
    "absolute read root": swap(b'"root":"src"', b'"root":"/src"'),
    "absolute label": swap(b'"label":"skeleton"', b'"label":"/skeleton"'),
    "empty label": swap(b'"label":"skeleton"', b'"label":""'),
    "not secret": swap(b'"secret":true', b'"secret":false'),
    "secret with value": swap(b'"secret":true,"type":"option"', b'"secret":true,"type":"option","value":1'),
    "short hmac": lambda data: re.sub(rb'"hmac":"[0-9a-f]', b'"hmac":"', data, count=1),
    "set out of order": swap(b'"items":["systemd","udev"]', b'"items":["udev","systemd"]'),
    "set with duplicates": swap(b'"items":["systemd","udev"]', b'"items":["udev","udev"]'),
    "append of a list": swap(b'{"input":"repositories"', b'{"append":true,"input":"repositories"'),
    "append false": swap(b'"append":true', b'"append":false'),
    "needless base64": swap(b'{"base64":"/w=="}', b'{"base64":"YQ=="}'),
    "base64 without padding": swap(b'{"base64":"/w=="}', b'{"base64":"/w"}'),
    "base64 with bits over": swap(b'{"base64":"/w=="}', b'{"base64":"/x=="}'),
    "base64 with more": swap(b'{"base64":"/w=="}', b'{"base64":"/w==","x":1}'),
    "item that is no string": swap(b'{"base64":"/w=="}', b"1"),
    "nul in bytes": swap(b'{"base64":"/w=="}', b'"\\u0000"'),
    "empty name": swap(b'"input":"x"', b'"input":""'),
    "long name": swap(b'"input":"x"', b'"input":"' + b"x" * 256 + b'"'),
    "name with control character": swap(b'"input":"x"', b'"input":"\\n"'),
    "dot as a name": swap(b'"input":"x"', b'"input":".."'),
    "two inputs of a name": swap(b'"input":"token"', b'"input":"x"'),
    "two stages of a name": swap(b'"stage":"two"', b'"stage":"one"'),
    "two images of a name": swap(b'{"image":"apart"', b'{"image":"base"'),
    "slash in an image": swap(b'{"image":"apart"', b'{"image":"ap/art"'),
    "colon in an image": swap(b'{"image":"apart"', b'{"image":"ap:art"'),
    "equals sign in a variable": swap(b'"input":"IMAGECACHE_TEST_LANG"', b'"input":"A=B"'),
    "unknown type": swap(b'"input":"x","type":"option"', b'"input":"x","type":"layout"'),
    "unknown on_change": swap(b'"on_change":"stale"', b'"on_change":"never"'),
    "unknown kind": swap(b'"kind":"directory"', b'"kind":"tarball"'),
    "unknown snapshot": swap(b'"snapshot":true', b'"snapshot":"yes"'),
    "fields out of order": swap(b'"fields":"type,mode,content"', b'"fields":"type,content,mode"'),
    "fields spelt out": swap(b'"fields":"image"', b'"fields":"type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content"'),
    "other fields": swap(b'"fields":"type,mode,content"', b'"fields":"type,mode"'),
    "huge uid": swap(b'"uid":0', b'"uid":4294967295'),
    "empty exclude": swap(b'"exclude":["*~"]', b'"exclude":[]'),
    "malformed exclude": swap(b'"exclude":["*~"]', b'"exclude":["["]'),
    "empty target": swap(b'"target":"/"', b'"target":""'),
    "target with ..": swap(b'"target":"s"', b'"target":"../s"'),
    "bad pattern": swap(b'"paths":["scripts/*.sh"]', b'"paths":["../*.sh"]'),
    "pattern not normal": swap(b'"paths":["scripts/*.sh"]', b'"paths":["scripts//*.sh"]'),
    "no pattern": swap(b'"paths":["scripts/*.sh"]', b'"paths":[]'),
    "one_filesystem false": swap(b'"one_filesystem":true', b'"one_filesystem":false'),
    "absent and there": swap(b'{"absent":true,"fields":"image"', b'{"absent":true,"digest":"' + b"0" * 64 + b'","fields":"image"'),
    "absent false": swap(b'{"absent":true,"fields":"image"', b'{"absent":false,"fields":"image"'),
    "absent with entries": swap(b'"info":{"bytes":0,"entries":0,"label":"nothing"}', b'"info":{"bytes":0,"entries":1,"label":"nothing"}'),
    "wrong digest": lambda data: re.sub(rb'"digest":"[0-9a-f]{64}"', b'"digest":"' + b"0" * 64 + b'"', data, count=1),
    "digest of the other length": lambda data: re.sub(rb'"digest":"[0-9a-f]{64}"', b'"digest":"' + b"0" * 32 + b'"', data, count=1),
    "listings not there": lambda data: b"".join(x for x in data.splitlines(keepends=True) if x.startswith(b"{")),
    "listings not announced": swap(b'"listings":true', b'"listings":false'),
    "link to itself": swap(b'"info":{"image":"base","stage":"second"}', b'"info":{"image":"after","stage":"only"}'),
    "link to a later image": swap(b'"info":{"image":"base","stage":"second"}', b'"info":{"image":"apart","stage":"only"}'),
    "link to another stage": swap(b'"info":{"image":"base","stage":"second"}', b'"info":{"image":"base","stage":"first"}'),
    "link to nothing": swap(b'"info":{"image":"base","stage":"second"}', b'"info":{"image":"base","stage":"third"}'),
    "image without stages": lambda data: data + b'{"image":"z","info":{"outputs":[]},"scope":"z"}\n',
    "two first lines": lambda data: data.partition(b"\n")[0] + b"\n" + data,
    "a second manifest": lambda data: data + data,
    "no line feed": lambda data: data[:-1],
    "entry changed": swap(b"./bin/tool type=file mode=0755", b"./bin/tool type=file mode=0754"),
    "entry not canonical": swap(b"./bin/tool type=file mode=0755", b"./bin/tool type=file  mode=0755"),
    "listing in a value": swap(b'{"input":"x","type":"option","value":1}\n', b'{"input":"x","type":"option","value":1}\n#mtree imagecache=1 digest=sha256 fields=type\n. type=dir\n'),
    "null": swap(b'"input":"x","type":"option"', b'"input":null,"type":"option"'),
    "array": lambda data: data.replace(b'{"input":"x","type":"option","value":1}\n', b"[]\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_forgeries(judge, good, name):
    """Refused as they are, and with all keys and counts put right where that can be done."""
    damaged = FORGERIES[name](good)
    assert damaged != good
    judge.refused(damaged)
    with pytest.raises((manifest.OracleError, IndexError)):
        manifest.verify(damaged)
    if name in ("version 2", "wrong key", "more lines", "huge lines", "key in upper case", "short key", "wrong key of a link", "no line feed"):
        return
    try:
        again = rekeyed_text(damaged)
    except (ValueError, manifest.OracleError, KeyError, IndexError, UnboundLocalError, RecursionError):
        return
    judge.refused(again)


def rekeyed_text(damaged):
    """The keys computed over the lines as they stand, canonical or not."""
    import hashlib

    lines = damaged.split(b"\n")[:-1]
    head = None
    scope = previous = None
    out, told, inputs = [], None, []

    def flush():
        nonlocal told, previous
        if told is not None:
            at, stage = told
            text = b"".join(x + b"\n" for x in [head, b'{"scope":%s}' % scope, b'{"previous":%s}' % previous, stage, *inputs])
            found = hashlib.sha256(text).hexdigest().encode()
            out[at] = re.sub(rb'"key":"[0-9a-fA-F]*"', b'"key":"%s"' % found, out[at])
            previous = b'"%s"' % found
        told = None

    def without_info(line):
        return re.sub(rb',?"info":\{[^{}]*\}(,)?', lambda m: b"," if m[0].startswith(b",") and m[1] else b"", line, count=1)

    for i, line in enumerate(lines):
        out.append(line)
        if i == 0:
            head = without_info(line)
        elif line.startswith(b'{"image"'):
            flush()
            scope, previous = re.search(rb'"scope":("(?:[^"\\]|\\.)*")', line)[1], b"null"
        elif b'"info":{"key"' in line:
            flush()
            told, inputs = (i, without_info(line)), []
        elif line.startswith(b"{") and b'"on_change":"stale"' not in line:
            inputs.append(without_info(line))
    flush()
    out[0] = re.sub(rb'"lines":\d+', b'"lines":%d' % (len(out) - 1), out[0])
    return b"\n".join(out) + b"\n"


def test_rekeying_changes_nothing_that_is_right(good):
    assert rekeyed_text(good) == good
    assert manifest.rekey(good) == good


@pytest.mark.parametrize("name, line", [("wrong key", 3), ("unknown digest", 1), ("one carriage return", None), ("set out of order", None),
                                        ("entry not canonical", None), ("member twice", None), ("listings not announced", None)])  # fmt: skip
def test_the_line_is_named(judge, good, name, line):
    damaged = FORGERIES[name](good)
    first = next((i for i, (a, b) in enumerate(zip(damaged.split(b"\n"), good.split(b"\n")), 1) if a != b), None)
    if name == "listings not announced":
        first = next(i for i, x in enumerate(good.split(b"\n"), 1) if x.startswith(b"#mtree"))
        assert judge.refused(damaged) in (first - 1, first)
    else:
        assert judge.refused(damaged) == (line or first)


@pytest.mark.parametrize("seed", range(4))
def test_random_damage_with_right_keys(judge, good, seed):
    """Words exchanged between and within lines; the keys follow, so that only meaning is left to be checked."""
    rng = random.Random(seed)
    accepted = 0
    for _ in range(120):
        lines = manifest.split(good)
        rows = [line for _, line, _ in lines]
        row, other = rng.choice(rows), rng.choice(rows)
        member = rng.choice(sorted(row))
        action = rng.randrange(6)
        values = [None, True, False, 0, -1, 1, 2**53, "", "x", "0" * 64, "0" * 32, [], ["x"], ["b", "a"], {}, {"base64": "/w=="}, "content", "tree"]
        if action == 0:
            del row[member]
        elif action == 1:
            row[member] = rng.choice(values)
        elif action == 2:
            name = rng.choice(sorted(other))
            row[name] = other[name]
        elif action == 3 and "info" in row:
            name = rng.choice(sorted(row["info"]) or ["x"])
            row["info"][name] = rng.choice(values)
        elif action == 4 and "info" in row and row["info"]:
            del row["info"][rng.choice(sorted(row["info"]))]
        else:
            row[rng.choice(["append", "secret", "absent", "kind", "uid", "on_change", "by", "results", "previous", "x"])] = rng.choice(values)
        damaged = b"".join(manifest.canonical(r) + b"\n" + "".join(t + "\n" for t in texts).encode() for r, (_, _, texts) in zip(rows, lines))
        for change in (lambda data: data, manifest.rekey):
            try:
                changed = change(damaged)
            except (manifest.OracleError, KeyError, IndexError, UnboundLocalError, AttributeError, TypeError):
                continue
            accepted += judge.judged(changed)
    print(f"{accepted} accepted")


def test_other_projects_are_accepted(place, cli):
    """What may look wrong and is right."""
    for given in (single(), project(), single(option("x", [[[[]]]])), single(file("f", "key"), files("g", "*"), items("set", "s", "")),
                  single(option("e" * 255, 2**53 - 1)), project(image("i", stage("s", results=[])))):  # fmt: skip
        path = place.kept(place.seal(given))
        assert cli.diff(path, path)["equal"]
