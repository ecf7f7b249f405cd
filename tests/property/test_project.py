# SPDX-License-Identifier: LGPL-2.1-or-later
"""Projects: those of the corpus, and what is none.

A bad project is refused before anything is done, with FILE:LINE:COLUMN and the place in it.
"""

import copy
import json
import os
import re

import pytest

import manifest
import trees
from harness import REPOSITORY, need_root
from projects import SECRET, Place, env, everything, file, files, image, link, option, project, single, stage, tree

CORPUS = REPOSITORY / "tests/corpus/projects"
GOOD = sorted(p.stem for p in (CORPUS / "good").glob("*.json"))
BAD = json.loads((CORPUS / "bad/index.json").read_text())
SCHEMA = manifest.schema()
PLACE = re.compile(r"(.+\.json|standard input):([0-9]+):([0-9]+): (.+)")


@pytest.fixture(scope="module")
def place(cli, module_space):
    return Place(cli, module_space)


# The corpus.


@pytest.mark.parametrize("name", GOOD)
def test_golden(request, cli, space, name):
    need_root()
    description = json.loads((CORPUS / "good" / f"{name}.json").read_text())
    place = Place(cli, space, trees.from_description(description))
    golden = CORPUS / "good" / f"{name}.manifest"
    made = place.oracle(description["project"], description.get("environment"))
    if request.config.getoption("--rewrite"):
        golden.write_bytes(made)
    assert made == golden.read_bytes(), "the oracle has changed"
    variables = description.get("environment", {})
    assert place.seal(description["project"], env=variables) == golden.read_bytes()
    assert cli.diff(golden, place.kept(made))["equal"]
    manifest.verify(made)


def test_nothing_is_left_over():
    assert {p.name for p in (CORPUS / "good").iterdir()} == {f"{n}.{e}" for n in GOOD for e in ("json", "manifest")}
    assert {p.name for p in (CORPUS / "bad").iterdir()} == {"index.json", *BAD}


@pytest.mark.parametrize("name", BAD)
def test_bad(cli, name):
    path = str(CORPUS / "bad" / name)
    expected = BAD[name]
    error = cli.refusal("manifest", path)
    assert error["code"] == expected["code"], error
    match = PLACE.fullmatch(error["message"])
    assert match and match[1] == path, error
    assert int(match[2]) == expected["line"], error
    with open(path, "rb") as f:
        data = f.read()
    line = (data.split(b"\n") + [b""])[int(match[2]) - 1]
    assert 1 <= int(match[3]) <= len(line) + 1, error
    with pytest.raises(manifest.OracleError) as caught:
        manifest.seal(data, os.path.dirname(path))
    assert caught.value.code == expected["code"]
    # The same from standard input, by another name.
    with open(path, "rb") as f:
        result = cli.run("manifest", "-", stdin=f, cwd=CORPUS / "bad")
    assert result.returncode == 2 and result.stdout == b""
    assert result.stderr.decode().removeprefix("imagecache: ").startswith(f"standard input:{expected['line']}:")


def test_a_bad_project_writes_nothing(cli, space):
    out = space.path()
    for name in list(BAD)[:10]:
        assert cli.run("manifest", CORPUS / "bad" / name, "-o", out).returncode == 2
    assert not os.path.exists(out)


# From the schema: each member of each object.

OBJECTS = sorted(name for name, rule in SCHEMA["$defs"].items() if "properties" in rule)
VALUES = [None, True, -1, 7, "", "text", [], ["text"], [1], {"a": 1}]


def find(given, name):
    """The object of this definition in everything(), and its place in words."""
    base = given["images"][1]
    first = base["stages"][0]
    at = "images[1]"
    if name == "project":
        return given, ""
    if name == "image":
        return base, at
    if name == "stage":
        return first, f"{at}.stages[0]"
    if name == "read":
        return first["reads"][0], f"{at}.stages[0].reads[0]"
    kind = "image" if name == "link" else name
    i = next(i for i, x in enumerate(first["inputs"]) if x["type"] == kind)
    return first["inputs"][i], f"{at}.stages[0].inputs[{i}]"


def is_good(given):
    try:
        manifest.check_project(manifest.parse_json(json.dumps(given).encode()))
    except manifest.OracleError:
        return False
    return True


def refused(place, given, where):
    error = place.refusal(given)
    assert error["code"] == "syntax", error
    match = PLACE.fullmatch(error["message"])
    assert match and match[2] == "1", error
    assert where in match[4], (where, error)
    with pytest.raises(manifest.OracleError):
        place.oracle(given)


@pytest.mark.parametrize("name", [o for o in OBJECTS if o != "bytes"])
def test_unknown_members(place, name):
    for unknown in ("colour", "Input", "", "in\u0000put", "info", "key", "value ", "\u202e"):
        given = everything()
        found, where = find(given, name)
        if unknown not in found:
            found[unknown] = 1
            refused(place, given, where if "\0" not in unknown else "")


@pytest.mark.parametrize("name", [o for o in OBJECTS if o != "bytes"])
def test_missing_members(place, name):
    for member in SCHEMA["$defs"][name]["required"]:
        given = everything()
        found, where = find(given, name)
        del found[member]
        refused(place, given, where if (name, member) != ("image", "image") else "images[1]")


@pytest.mark.parametrize("name", [o for o in OBJECTS if o != "bytes"])
def test_wrong_types(place, name):
    """Each value of each type for each member: as the schema says, and no crash."""
    variables = {"IMAGECACHE_TEST_LANG": "C"}
    for member in SCHEMA["$defs"][name]["properties"]:
        for value in VALUES:
            given = everything()
            found, where = find(given, name)
            found[member] = copy.deepcopy(value)
            if is_good(given):
                result = place.cli.run("manifest", place.save(given), *place.options(), env={**os.environ, **variables})
                assert b'"syntax"' not in result.stderr, (member, value, result)
                assert result.returncode == 0 or b"nothing" in result.stderr or b"No such file" in result.stderr or b"no file" in result.stderr, (
                    member, value, result)  # fmt: skip
            else:
                error = place.refusal(given)
                assert error["code"] == "syntax" or (member, value) == ("type", "layout"), (member, value, error)
                assert PLACE.fullmatch(error["message"])


def test_names(place):
    good = ["a", "a b", "-", "\u00e9" * 127, "x" * 255, "...", "a/b", "a:b", "\u0080", "{}", '"', "\\"]
    bad = ["", ".", "..", "x" * 256, "\u00e9" * 128, "\n", "a\u0000", "\u001f", "\u007f", "\ud800"]
    for make in (
        lambda n: single(option(n)),
        lambda n: project(image("i", stage(n))),
        lambda n: project(image("i", stage("s"), scope=n)),
        lambda n: project(name=n),
        lambda n: project(builder=n),
        lambda n: project(image("i", stage("s", reads=[{"root": "x", "method": n}]))),
        lambda n: project(image(n, stage("s"))),
        lambda n: project(image("i", stage("s", results=[n]))),
    ):
        for name in good:
            given = make(name)
            if is_good(given):
                place.both(given)
            else:
                assert "/" in name or ":" in name
                assert place.refusal(given)["code"] == "syntax"
        for name in bad:
            assert place.refusal(make(name))["code"] == "syntax", name


def test_orders_of_images(place):
    """A link leads back only: no cycles, nothing ahead, not to itself."""
    a, b = (lambda *i: image("a", stage("s", *i))), (lambda *i: image("b", stage("s", *i)))
    place.both(project(a(), b(link("l", "a"))))
    for given in (project(b(link("l", "a")), a()), project(a(link("l", "b")), b(link("l", "a"))), project(a(link("l", "a"))),
                  project(a(), b(link("l", "c"))), project(a(), b(link("l", "a", stage="t"))), project(a(), b(link("l", "b", stage="s")))):  # fmt: skip
        assert place.refusal(given)["code"] == "syntax"
        with pytest.raises(manifest.OracleError):
            place.oracle(given)


def test_the_place_is_that_of_the_fault(place):
    """Lines and columns of a fault anywhere in a long project; columns count bytes."""
    given = project(*(image(f"i{n}", *(stage(f"s{k}", *(option(f"o\u00e9{m}", m) for m in range(5))) for k in range(4))) for n in range(4)))
    for indent in (None, 1):
        for n, k, m in ((0, 0, 0), (3, 3, 4), (1, 2, 3)):
            broken = copy.deepcopy(given)
            broken["images"][n]["stages"][k]["inputs"][m]["colour"] = 1
            text = json.dumps(broken, indent=indent, ensure_ascii=False).encode()
            at = text.index(b'"colour"')
            match = PLACE.fullmatch(place.refusal(text.decode())["message"])
            start = text.rfind(b"\n", 0, at) + 1
            assert (int(match[2]), int(match[3])) == (text.count(b"\n", 0, at) + 1, at - start + 1)
            assert f"images[{n}].stages[{k}].inputs[{m}]" in match[4] and "colour" in match[4]


# Sizes.


def test_depth(place):
    for depth, good in ((20, True), (24, True), (25, True), (26, False), (33, False), (100_000, False)):
        text = json.dumps(single(option("x", "@"))).replace('"@"', "[" * depth + "]" * depth)
        # The project, its images, one of them, its stages, one of them, its inputs, one of them: seven levels before.
        if good:
            place.both(text)
        else:
            assert place.refusal(text)["code"] in ("syntax", "limit")


def test_sizes(place):
    at_limit = 16 << 20
    text = json.dumps(single(option("x", "@")))
    for n, good in ((at_limit, True), (at_limit + 1, False), (3 * at_limit, False)):
        path = place.save(text.replace("@", "x" * (n - len(text) + 1)))
        result = place.cli.run("manifest", path, "-o", "/dev/null" if not good else place.space.path(), "--json")
        if not good:
            assert result.returncode == 2 and json.loads(result.stderr)["error"]["code"] in ("limit", "syntax"), result.stderr
        else:
            # Its line in the manifest has a limit of its own.
            assert result.returncode in (0, 2)
    error = place.refusal(project(*(image(f"i{n}", stage("s")) for n in range(4097))))
    assert error["code"] in ("limit", "syntax")
    place.both(project(*(image(f"i{n}", stage("s")) for n in range(4096))))
    assert place.refusal(single(*(option(f"o{n}") for n in range(4097))))["code"] in ("limit", "syntax")
    assert place.refusal(single(files("x", *["a"] * 4097, optional=True)))["code"] in ("limit", "syntax")
    assert place.refusal(single(tree("x", "key", exclude=["a"] * 4097)))["code"] in ("limit", "syntax")


def test_what_is_no_file(cli, space):
    assert cli.refusal("manifest", "/nonexistent.json")["code"] == "not-found"
    assert cli.refusal("manifest", space.root)["code"] in ("io", "invalid-argument", "syntax", "unsupported")
    assert cli.refusal("manifest", "/dev/null")["code"] == "syntax"
    assert cli.run("manifest").returncode == 2
    assert cli.run("manifest", "a", "b").returncode == 2


def test_endless_input(cli):
    """Not read for ever, and not into all memory."""
    with open("/dev/zero", "rb") as f:
        result = cli.run("manifest", "--json", "-", stdin=f, timeout=30)
    assert result.returncode == 2 and json.loads(result.stderr)["error"]["code"] in ("syntax", "limit")


@pytest.mark.parametrize("seed", range(4))
def test_random_damage(place, rng, seed):
    """Any bytes: exit 2 with a place, or a manifest that the oracle makes too."""
    whole = json.dumps(everything(), indent=1).encode()
    variables = {"IMAGECACHE_TEST_LANG": "C"}
    for _ in range(150):
        at = rng.randrange(len(whole))
        piece = rng.choice([b"", b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"0", b"-", b"null", b"\xff", b"\0", b'"x":1,', rng.randbytes(2)])
        damaged = whole[:at] + piece + whole[at + rng.choice([0, 1, 1, 5, 50]) :]
        path = place.save(damaged)
        result = place.cli.run("manifest", "--json", "-o", "/dev/stdout", path, *place.options(), env={**os.environ, **variables})
        try:
            place.oracle(damaged, variables)
        except manifest.OracleError as error:
            assert result.returncode == 2, (damaged[max(0, at - 50) : at + 50], error)
            told = json.loads(result.stderr)["error"]
            assert told["code"] == error.code and PLACE.fullmatch(told["message"]), (told, error.message)
        else:
            assert place.seal(damaged, env=variables) == place.oracle(damaged, variables)


def test_nothing_else_is_read(place, cli):
    """A project without inputs reads nothing but itself; variables only by their names."""
    given = single(env("IMAGECACHE_TEST_LANG"), file("x", "key"))
    assert place.seal(given, env={"IMAGECACHE_TEST_LANG": "C", "OTHER": "1"}) == place.seal(given, env={"IMAGECACHE_TEST_LANG": "C"})
    assert SECRET not in place.seal(given)
