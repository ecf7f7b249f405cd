# SPDX-License-Identifier: LGPL-2.1-or-later
"""Differences of manifests: what is told, in which order, and how it looks."""

import json
import os
import re
import time

import pytest

import manifest
import manifest_diff
import projects
from harness import need_root
from projects import Place, env, file, image, items, link, option, project, single, stage, tree


@pytest.fixture
def place(cli, space):
    return Place(cli, space)


def told(place, old, new, *options):
    """The changes as short tuples: kind, image, stage, input, path, attribute, old, new."""
    answer = place.diff(place.seal(old), place.seal(new), *options)
    return [tuple(c.values()) for c in answer["changes"]]


def text(place, old, new, *options):
    sealed = [place.kept(m if isinstance(m, bytes) else place.seal(m)) for m in (old, new)]
    result = place.cli.run("diff", "--color=never", *options, *sealed)
    assert result.returncode in (0, 1) and result.stderr == b"", result
    return result.stdout.decode("utf-8")


@pytest.mark.parametrize("seed", range(150))
def test_random_edits(place, rng, seed):
    """The program and the oracle find the same, both ways."""
    need_root()
    model = projects.trees.random_tree(rng, 8)
    for name in ("t1", "t2"):
        projects.trees.build(model, os.path.join(place.base, name))
        for _ in range(3):
            projects.trees.edit(model, rng)
    made = projects.without_bad_links(projects.random_project(rng))
    old = place.seal(made)
    if rng.random() < 0.5:
        os.rename(f"{place.base}/t1", f"{place.base}/t")
        os.rename(f"{place.base}/t2", f"{place.base}/t1")
        os.rename(f"{place.base}/t", f"{place.base}/t2")
    new = place.seal(projects.edited(rng, made, rng.choice([0, 1, 1, 2, 4, 8, 16])))
    forth, back = place.diff(old, new), place.diff(new, old)
    assert forth["equal"] == back["equal"]
    if forth["equal"]:
        assert manifest.told_keys(old) == manifest.told_keys(new)
    for options in ((), ("-v",), ("--stat",), ("--name-only",)):
        assert (text(place, old, new, *options) == "") == forth["equal"]


def test_each_level(place):
    base = project(image("a", stage("s", option("x"))), image("b", stage("s")))
    # Images.
    assert told(place, base, project(*base["images"], image("c", stage("s")))) == [("image-added", "c", *[None] * 6)]
    assert told(place, project(*base["images"], image("c", stage("s"))), base) == [("image-removed", "c", *[None] * 6)]
    assert told(place, base, project(*reversed(base["images"]))) == [("image-moved", "b", None, None, None, None, "2", "1")]
    assert told(place, base, project(image("a", stage("s", option("x")), scope="q"), base["images"][1])) == [
        ("image-changed", "a", None, None, None, "scope", '"a"', '"q"')]  # fmt: skip
    # The project's own.
    assert told(place, base, {**base, "name": "n", "builder": "b"}) == [
        ("project-changed", None, None, None, None, "builder", '"mkdemo 1.0"', '"b"'),
        ("project-changed", None, None, None, None, "name", '"demo"', '"n"')]  # fmt: skip
    # Stages.
    one, two, three = (image("a", *(stage(s) for s in order)) for order in ("xyz", "zxy", "xyzw"))
    assert told(place, project(one), project(two)) == [("stage-moved", "a", "z", None, None, None, "3", "1")]
    assert told(place, project(one), project(three)) == [("stage-added", "a", "w", *[None] * 5)]
    results = image("a", stage("x", results=["r"], reads=[{"root": "src"}]), stage("y"), stage("z"))
    assert told(place, project(one), project(results)) == [
        ("stage-changed", "a", "x", None, None, "reads", None, '[{"root":"src"}]'),
        ("stage-changed", "a", "x", None, None, "results", None, '["r"]')]  # fmt: skip
    # Inputs.
    assert told(place, single(option("a"), option("b")), single(option("b"), option("c"), option("a"))) == [
        ("input-added", "i", "s", "c", None, None, None, None),
        ("input-moved", "i", "s", "b", None, None, "2", "1")][::-1]  # fmt: skip
    assert told(place, single(option("a", {"x": 1})), single(option("a", None))) == [
        ("input-changed", "i", "s", "a", None, "value", '{"x":1}', "null")]  # fmt: skip
    assert told(place, single(items("set", "a", "x", "y")), single(items("set", "a", "z", "y", append=True))) == [
        ("item-removed", "i", "s", "a", None, None, '"x"', None), ("item-added", "i", "s", "a", None, None, None, '"z"'),
        ("input-changed", "i", "s", "a", None, "append", None, "true")]  # fmt: skip
    assert told(place, single(items("list", "a", "x", "y", "x")), single(items("list", "a", "y", "x", "x"))) == [
        ("input-changed", "i", "s", "a", None, "items", '["x","y","x"]', '["y","x","x"]')]  # fmt: skip
    assert told(place, single(option("a")), single(env("a"))) == [("input-changed", "i", "s", "a", None, "type", '"option"', '"env"')]


def test_what_an_image_changes_downstream(place):
    """The key of a link is told, its own cause where it is."""
    old, new = (project(image("b", stage("s", option("x", v))), image("u", stage("t", link("l", "b")))) for v in (1, 2))
    first, second = told(place, old, new)
    assert first == ("input-changed", "b", "s", "x", None, "value", "1", "2")
    assert second[:6] == ("input-changed", "u", "t", "l", None, "key")
    assert second[6:] == tuple(f'"{manifest.told_keys(place.seal(m))["b", "s"]}"' for m in (old, new))


def test_info_does_not_count(place):
    old = project(image("i", stage("s", tree("t", "skeleton"))))
    new = project(image("i", stage("s", tree("t", "copy"), snapshot=True, max_age_seconds=1), outputs=["x"]), max_append=1)
    assert told(place, old, new) == []
    assert text(place, old, new) == ""


def test_entries(place):
    """Image, stage, input, path, attribute, old and new."""
    given = single(tree("t", "skeleton"), file("k", "key"))
    old = place.seal(given)
    base = f"{place.base}/skeleton"
    os.chmod(f"{base}/bin/tool", 0o700)
    os.rename(f"{base}/etc/hostname", f"{base}/hostname")
    os.unlink(f"{base}/etc/localtime")
    os.mkdir(f"{base}/new")
    with open(f"{place.base}/key", "a") as f:
        f.write("x")
    new = place.seal(given)
    where = ("i", "s", "t")
    changes = [tuple(c.values()) for c in place.diff(old, new)["changes"]]
    assert changes[:5] == [
        ("entry-changed", *where, "bin/tool", "mode", "0755", "0700"),
        ("entry-removed", *where, "etc/localtime", None, None, None),
        ("entry-moved", *where, "hostname", None, "etc/hostname", "hostname"),
        ("entry-added", *where, "new", None, None, None),
        ("entry-changed", "i", "s", "k", ".", "size", "6", "7"),
    ]
    assert changes[5][:6] == ("entry-changed", "i", "s", "k", ".", "content") and len(changes) == 6
    shown = text(place, old, new)
    for words in ("i/s", "bin/tool", "mode 0755 → 0700", "etc/localtime", "removed", "moved from etc/hostname", "new/", "content changed"):
        assert words in shown, shown


def test_parameters_and_entries(place):
    changes = told(place, single(tree("t", "skeleton")), single(tree("t", "skeleton", gid=7, exclude=["bin"])))
    assert [(c[0], c[4], c[5]) for c in changes] == [
        ("input-changed", None, "exclude"), ("input-changed", None, "gid"), ("entry-changed", ".", "gid"), ("entry-removed", "bin", None),
        ("entry-removed", "bin/backup~", None), ("entry-removed", "bin/tool", None), ("entry-changed", "etc", "gid"),
        ("entry-changed", "etc/hostname", "gid"), ("entry-changed", "etc/localtime", "gid")]  # fmt: skip


def test_parameters_of_what_is_absent(place):
    old = single(tree("t", "nothing", optional=True, uid=1))
    assert [c[5] for c in told(place, old, single(tree("t", "nothing", optional=True, uid=2)))] == ["uid"]
    assert [c[5] for c in told(place, old, single(tree("t", "skeleton", uid=2)))] == ["absent"]


def test_without_listings(place):
    """It says that it cannot say more."""
    old, new = single(tree("t", "skeleton")), single(tree("t", "other"))
    digests = [manifest.parse(place.seal(m))[1][0][1][0][1][0][0]["digest"] for m in (old, new)]
    for bare in ((True, False), (False, True), (True, True)):
        sealed = [place.seal(m, *["--no-listings"] * b) for m, b in zip((old, new), bare)]
        answer = place.diff(*sealed)
        assert [tuple(c.values()) for c in answer["changes"]] == [
            ("input-changed", "i", "s", "t", None, "digest", *(f'"{d}"' for d in digests))]  # fmt: skip
        shown = text(place, *sealed)
        assert "listing" in shown or "no list" in shown, shown
        assert place.diff(sealed[0], sealed[0])["equal"]


def test_a_digest_that_no_entry_explains(place):
    """A root of which nothing is known is not the same tree, though nothing tells them apart."""
    for name, line in (("1", ". type=dir"), ("2", ". type=dir mode=0755")):
        with open(f"{place.base}/{name}", "w") as f:
            f.write(f"#mtree imagecache=1 digest=xxh128 fields=type,mode\n{line}\n")
    (change,) = told(place, single(tree("t", "1")), single(tree("t", "2")))
    assert change[0] == "input-changed" and change[5] == "digest"


def test_another_digest(place):
    changes = told(place, single(tree("t", "skeleton")), single(tree("t", "skeleton"), digest="sha256"))
    assert changes[0] == ("project-changed", None, None, None, None, "digest", '"xxh128"', '"sha256"')
    assert len(changes) == 2 and changes[1][0] == "input-changed"


def test_longest_common_subsequence():
    """Against all subsequences of short orders."""
    import itertools

    for n in range(1, 6):
        old = list(range(n))
        for new in itertools.permutations(old):
            runs = [r for k in range(n + 1) for r in itertools.combinations(old, k) if [x for x in new if x in r] == list(r)]
            best = min(runs, key=lambda r: (-len(r), r))
            assert manifest_diff.kept_in_place(old, list(new)) == set(best)


@pytest.mark.parametrize("seed", range(10))
def test_moves(place, rng, seed):
    """Orders of inputs, stages and images at random; what moved is told, nothing else."""
    names = [chr(ord("a") + i) for i in range(9)]
    orders = [rng.sample(names, rng.randrange(5, 10)) for _ in range(2)]
    old, new = (single(*(option(n) for n in order)) for order in orders)
    changes = told(place, old, new)
    moved = {c[3]: (int(c[6]), int(c[7])) for c in changes if c[0] == "input-moved"}
    for name, (before, after) in moved.items():
        assert orders[0][before - 1] == orders[1][after - 1] == name
    stay = [n for n in orders[0] if n in orders[1] and n not in moved]
    assert stay == [n for n in orders[1] if n in stay]
    for make in (lambda order: project(image("i", *(stage(n) for n in order))), lambda order: project(*(image(n, stage("s")) for n in order))):
        again = told(place, make(orders[0]), make(orders[1]))
        assert [(c[0].partition("-")[2], *c[6:]) for c in again] == [(c[0].partition("-")[2], *c[6:]) for c in changes]


# Large ones.


def big(place, name, n, mode):
    path = f"{place.base}/{name}"
    with open(path, "w") as f:
        f.write("#mtree imagecache=1 digest=sha256 fields=type,mode\n. type=dir mode=0755\n")
        f.writelines(f"./{i:06} type=fifo mode={mode}\n" for i in range(n))
    return path


def test_many_changes(place):
    """A hundred thousand of them: the report stays short and says what it left out."""
    n = 100_000
    big(place, "1", n, "0644"), big(place, "2", n, "0600")
    old, new = (place.seal(single(tree("t", p), digest="sha256")) for p in "12")
    before = time.monotonic()
    shown = text(place, old, new)
    assert shown.count("\n") <= 50
    assert re.search(r"99[,.\u202f]?9\d\d", shown), shown[-300:]
    assert text(place, old, new, "--stat").count("\n") <= 10
    assert text(place, old, new, "--limit", "5").count("\n") <= 15
    assert time.monotonic() - before < 10
    assert text(place, old, new, "-v").count("\n") >= n
    answer = place.cli.diff(place.kept(old), place.kept(new))
    assert len(answer["changes"]) == n


def test_many_inputs_and_items(place):
    old = single(*(items("list", f"l{i}", *(str(k) for k in range(20))) for i in range(1000)))
    new = single(*(items("list", f"l{i}", *(str(k) for k in range(20, 0, -1))) for i in range(1000)))
    shown = text(place, old, new)
    assert shown.count("\n") <= 50 and max(map(len, shown.splitlines())) < 1000
    place.diff(place.seal(old), place.seal(new))
    values = [single(option("v", "x" * 10**6 + end)) for end in "ab"]
    shown = text(place, *values)
    assert len(shown) < 2000, len(shown)
    assert len(text(place, *values, "-v")) > 2 * 10**6


# Names that want to drive a terminal.

HOSTILE = ["\u202eevil", "\u2066x\u2069", "\u009b31mred", "\u200e", "\u2028line", "a\u0085b", "\ufeffx", "-n", "a b", "\u061c"]
VALUES = ["\x1b[31mred\x1b]0;title\x07", "\r\n\b\x7f", "\u202evil", "\u009b2J", "\0"]
FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def test_hostile_names_and_values(place):
    old, new = [], []
    for i, name in enumerate(HOSTILE):
        value = VALUES[i % len(VALUES)]
        inputs = [option(name, value), items("list", f"{name}l", name), items("set", f"{name}s", "x")]
        others = [option(name, {value.replace("\0", "\1"): name}), items("list", f"{name}l", value.replace("\0", "\1"), "y"), items("set", f"{name}s", name, {"base64": "/w=="})]
        old.append(image(name, stage(name, *inputs), stage("gone" + name)))
        new.append(image(name, stage(name, *reversed(others), results=[name]), scope=f"scope{name}"))
    names = [b"\x1b[31mred", b"\xff", "\u202etxt.exe".encode(), b"a\nb", "\u009b".encode(), b"\x7f", b"\xc2"]
    with open(f"{place.base}/key", "wb"):
        pass
    os.mkdir(f"{place.base}/hostile")
    inputs = [tree("t", "hostile"), projects.files("f", "hostile/*", optional=True)]
    old.append(image("trees", stage("s", *inputs)))
    new.append(image("trees", stage("s", *inputs)))
    before = place.seal(project(*old))
    for name in names:
        with open(place.base.encode() + b"/hostile/" + name, "wb") as f:
            f.write(name)
        os.symlink(name, place.base.encode() + b"/hostile/link to " + name)
    after = place.seal(project(*reversed(new)))
    for pair in ((before, after), (after, before)):
        for options in ((), ("-v",), ("--name-only",), ("--stat",), ("--limit=0",)):
            shown = text(place, *pair, *options)
            found = FORBIDDEN.search(shown)
            assert not found, (options, shown[max(0, found.start() - 60) : found.end() + 20])
        place.diff(*pair)
    result = place.cli.run("diff", "--color=always", "-v", place.kept(before), place.kept(after))
    plain = re.sub(rb"\x1b\[[0-9;]*m", b"", result.stdout).decode()
    assert not FORBIDDEN.search(plain) and b"\x1b[31mred" not in result.stdout


@pytest.mark.parametrize("name", HOSTILE[:7])
def test_hostile_names_in_errors(place, name):
    path = f"{place.base}/{name}.json"
    cases = [single(option(name), option(name)), project(image(name, stage(name, tree(name, f"{name}\x1b[m")))), single({**option("x"), name: 1}),
             single({**option("x"), "type": name}), single(tree("x", "key", kind=name)), single(tree("x", "key", fields=name)),
             project(image("a", stage("b", link("x", name)))), single(tree("x", "key", exclude=[f"{name}["]))]  # fmt: skip
    for given in cases:
        place.save(given, path)
        result = place.cli.run("manifest", path)
        assert result.returncode == 2 and result.stderr.count(b"\n") == 1
        assert not FORBIDDEN.search(result.stderr.decode()), result.stderr


# A manifest's tree with a directory.


def test_with_a_directory(place, cli, oracle):
    given = project(image("i", stage("s", tree("t", "skeleton", exclude=["*~"], uid=3, fields="content,uid"), tree("u", "conf")), stage("s2", tree("t", "conf"))))
    sealed = place.kept(place.seal(given))
    skeleton, other = f"{place.base}/skeleton", f"{place.base}/other"
    for name in ("i/s/t", "s/t"):
        assert cli.diff(sealed, skeleton, "--input", name)["equal"]
        # Read with the input's own options: the backup and the owners do not count.
        answer = cli.diff(sealed, other, "--input", name)
        assert {c["path"] for c in answer["changes"]} == {"bin", "bin/tool", "etc/hostname", "etc/localtime"}
        lists = [oracle.list(p, "content,uid", exclude=["*~"], uid=3) for p in (skeleton, other)]
        assert answer == oracle.diff(*lists)
        assert cli.diff(other, sealed, "--input", name) == oracle.diff(*reversed(lists))
    assert cli.diff(sealed, f"{place.base}/conf", "--input", "i/s/u")["equal"]
    for args in ((), ("--input", "t"), ("--input", "nothing"), ("--input", "/s/t"), ("--input", ""), ("--input", "i/s"), ("--input", "x/i/s/t")):
        result = cli.run("diff", *args, sealed, skeleton)
        assert result.returncode == 2 and result.stderr, args
    bare = place.kept(place.seal(given, "--no-listings"))
    error = cli.refusal("diff", "--input", "i/s/t", bare, skeleton)
    assert "listing" in error["message"]
    assert cli.refusal("diff", "--input", "i/s/t", sealed, "/nonexistent")["code"] == "not-found"


def test_with_a_directory_files_and_one_tree(place, cli):
    given = single(option("o"), projects.files("f", "scripts/*", "conf/*"))
    sealed = place.kept(place.seal(given))
    assert cli.diff(sealed, place.base)["equal"]
    with open(f"{place.base}/scripts/B.sh", "a") as f:
        f.write("more")
    assert [(c["path"], c["attribute"]) for c in cli.diff(sealed, place.base, "--input", "f")["changes"]] == [
        ("scripts/B.sh", "size"), ("scripts/B.sh", "content")]  # fmt: skip
    os.unlink(f"{place.base}/scripts/B.sh")
    assert [c["kind"] for c in cli.diff(sealed, place.base)["changes"]] == ["entry-removed"]


def test_json_is_one_line(place):
    result = place.cli.run("diff", "--json", place.kept(place.seal(single(option("a\u2028", "\n\u001b")))), place.kept(place.seal(single(option("a\u2028")))))
    assert result.stdout.count(b"\n") == 1 and not re.search(rb"[\x00-\x09\x0b-\x1f]", result.stdout)
    assert json.loads(result.stdout)["changes"][0]["old"] == '"\\n\\u001b"'
