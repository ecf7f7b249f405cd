# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each member that a project can have: another key of exactly the stages that depend on it,
or the same ones.

The members come from doc/project.schema.json: a new one without a mutation here fails.
"""

import itertools
import os

import pytest

import manifest
from projects import FILES, Place, env, everything, files, image, items, link, option, project, single, stage, trees, tree

SCHEMA = manifest.schema()
MEMBERS = {(name, member) for name, rule in SCHEMA["$defs"].items() if name != "bytes" for member in rule.get("properties", {})}
TYPES = {"option", "list", "set", "env", "digest", "tree", "file", "files", "link"}
ENV = {"IMAGECACHE_TEST_LANG": "C", "IMAGECACHE_TEST_OTHER": "D"}

# What depends on what in everything(): base/first is where most mutations happen.
FIRST = {("base", "first"), ("base", "second"), ("after", "only")}
SECOND = FIRST - {("base", "first")}
ALL = FIRST | {("before", "one"), ("before", "two"), ("apart", "only")}
SAME = set()


@pytest.fixture(scope="module")
def place(cli, module_space):
    place = Place(cli, module_space)
    os.symlink("skeleton", f"{place.base}/alias")
    return place


MUTATIONS = {}


def mutation(name, member, expected):
    """The stages whose key must differ, or the code of the refusal."""

    def register(function):
        MUTATIONS.setdefault((name, member), []).append((function, expected))
        return function

    return register


def base(given):
    return given["images"][1]


def first(given):
    return base(given)["stages"][0]


def sets(name, member, value, expected=FIRST):
    """Registers: the member of the object that everything() has of this definition becomes
    the value; REMOVED takes it away."""

    def change(given):
        place = object_of(given, name)
        assert (member in place) if value is REMOVED else place.get(member) != value, (name, member)
        if value is REMOVED:
            del place[member]
        else:
            place[member] = value

    mutation(name, member, expected)(change)


REMOVED = object()


def object_of(given, name):
    if name == "project":
        return given
    if name == "image":
        return base(given)
    if name == "stage":
        return first(given)
    if name == "read":
        return first(given)["reads"][0]
    kind = "image" if name == "link" else name
    return next(i for i in first(given)["inputs"] if i["type"] == kind)


sets("project", "imagecache", "manifest", "syntax")
sets("project", "version", 2, "syntax")
sets("project", "name", "dem", ALL)
sets("project", "builder", "mkdemo 1.1", ALL)
sets("project", "digest", "xxh128", ALL)
sets("project", "digest", REMOVED, ALL)
sets("project", "max_append", 6, SAME)
sets("project", "max_append", REMOVED, SAME)


@mutation("project", "images", SAME)
def add_image(given):
    given["images"].insert(1, image("new", stage("s", option("x"))))


@mutation("project", "images", SAME)
def move_image(given):
    given["images"].append(given["images"].pop(2))


sets("image", "image", "other", "syntax")  # after/only has a link to it


@mutation("image", "image", SAME)
def rename_image(given):
    """The scope stands in keys, and is given."""
    base(given)["image"] = "other"
    given["images"][2]["stages"][0]["inputs"][0]["image"] = "other"


@mutation("image", "image", {("apart", "only")})
def rename_image_without_scope(given):
    given["images"][3]["image"] = "other"


sets("image", "scope", "mine")
sets("image", "scope", REMOVED)
sets("image", "outputs", ["out/base.tar", "b"], SAME)
sets("image", "outputs", REMOVED, SAME)


@mutation("image", "stages", SAME)
def add_stage(given):
    base(given)["stages"].append(stage("third", option("x", 1)))


@mutation("image", "stages", FIRST)
def add_stage_before(given):
    base(given)["stages"].insert(0, stage("zeroth"))


@mutation("image", "stages", SECOND)
def add_stage_between(given):
    base(given)["stages"].insert(1, stage("between"))


@mutation("image", "stages", FIRST)
def swap_stages(given):
    base(given)["stages"].reverse()


sets("stage", "stage", "erster")
sets("stage", "snapshot", "auto", SAME)
sets("stage", "snapshot", REMOVED, SAME)
sets("stage", "max_age_seconds", 604801, SAME)
sets("stage", "max_age_seconds", REMOVED, SAME)
sets("stage", "previous", "output", "syntax")  # the first one has none


@mutation("stage", "previous", "unsupported")
def previous_by_output(given):
    """Only a session knows it."""
    base(given)["stages"][1]["previous"] = "output"


sets("stage", "results", ["root"])
sets("stage", "results", REMOVED)
sets("stage", "results", ["metadata", "root"])
sets("stage", "results", [])
sets("stage", "reads", REMOVED)
sets("stage", "reads", [{"root": "src"}, {"root": "src"}])


@mutation("stage", "inputs", FIRST)
def add_input(given):
    first(given)["inputs"].append(option("new"))


@mutation("stage", "inputs", FIRST)
def remove_input(given):
    first(given)["inputs"].pop(0)


@mutation("stage", "inputs", FIRST)
def swap_inputs(given):
    first(given)["inputs"].insert(0, first(given)["inputs"].pop(1))


sets("read", "root", "lib")
sets("read", "exclude", ["build"])
sets("read", "exclude", REMOVED)
sets("read", "method", "seen")
sets("read", "method", REMOVED)

for kind in TYPES:
    sets(kind, "input", "IMAGECACHE_TEST_OTHER" if kind == "env" else "another name")
    sets(kind, "on_change", "stale")
    sets(kind, "on_change", "show")
    if kind != "link":
        sets(kind, "secret", True, "syntax" if kind == "set" else FIRST)  # it has append
        if kind in ("tree", "file", "files"):
            sets(kind, "optional", REMOVED, SAME)
            sets(kind, "optional", False, SAME)


@mutation("set", "secret", FIRST)
def secret_set(given):
    del object_of(given, "set")["append"]
    object_of(given, "set")["secret"] = True


@mutation("option", "type", "syntax")
def no_such_type(given):
    object_of(given, "option")["type"] = "layout-of-houses"


def retype(name, other, **members):
    """The same name and place, another type."""

    def change(given):
        found = object_of(given, name)
        kept = found["input"]
        found.clear()
        found.update({"input": kept, "type": other, **members})

    mutation(name, "type", FIRST)(change)


retype("option", "digest", value="x")
retype("list", "set", items=["main", "extra", "main"])
retype("set", "list", items=["systemd", "udev"])
retype("env", "digest", value="C")
retype("digest", "option", value="0815")
retype("tree", "file", path="key")
retype("file", "tree", path="key", fields="content")
retype("files", "tree", path="scripts")
retype("link", "option", value="x")

for value in ({}, [], None, "", 0, False, {"b": [1, -5, None, True, "x\u00e9\u0001\u2028/"], "\U0001f600": 1, "\uffff": 3}):
    sets("option", "value", value)
for value in ("", "815", "0815 ", {"base64": "/w=="}):
    sets("digest", "value", value)
for value in ([], ["main"], ["main", "extra"], ["main", "main", "extra"], ["main", "extra", "main", "main"], ["mainextra", "main"]):
    sets("list", "items", value)
sets("set", "items", ["udev", "systemd", "udev"], SAME)
sets("set", "items", ["systemd", "udev"], SAME)
for value in ([], ["udev"], ["udev", "systemd", "x"], ["udev", "systemd", ""], ["udevsystemd"]):
    sets("set", "items", value)
sets("set", "append", REMOVED)
sets("set", "append", False)

sets("tree", "path", "copy", SAME)
sets("tree", "path", "alias", SAME)
sets("tree", "path", "./copy/../skeleton//", SAME)
sets("tree", "path", "other")
sets("tree", "path", "absent")
sets("tree", "kind", REMOVED)
sets("tree", "kind", "archive", "unsupported")
sets("tree", "kind", "disk", "unsupported")
sets("tree", "fields", REMOVED)
sets("tree", "fields", "content,mode,type,mode", SAME)
sets("tree", "fields", "content")
sets("tree", "exclude", REMOVED)
sets("tree", "exclude", ["bin/*~"])  # the same tree by other words
sets("tree", "exclude", ["*~", "*~"])
sets("tree", "target", REMOVED)
sets("tree", "target", "usr")
sets("tree", "uid", 5)
sets("tree", "uid", REMOVED)
sets("tree", "gid", 5)
sets("tree", "gid", REMOVED)
sets("tree", "one_filesystem", False)
sets("tree", "ignore_root", False)

sets("file", "path", "./key", SAME)
sets("file", "path", "key2")
sets("file", "path", "absent")
sets("file", "fields", REMOVED)
sets("file", "fields", "type,content")
sets("file", "target", "etc/key2")
sets("file", "target", REMOVED)
sets("file", "uid", 0)
sets("file", "uid", REMOVED)
sets("file", "gid", REMOVED)

sets("files", "paths", ["./scripts//*.sh"], SAME)
sets("files", "paths", ["scripts/*.s[h]"])  # the same files by other words
sets("files", "paths", ["scripts/*.sh", "scripts/*.sh"])
sets("files", "paths", ["scripts/[12]*"])
sets("files", "paths", ["conf/*"])
sets("files", "fields", "image")
sets("files", "fields", REMOVED)
sets("files", "exclude", REMOVED)
sets("files", "exclude", ["B.sh"])
sets("files", "target", "t")
sets("files", "target", REMOVED)
sets("files", "uid", REMOVED)
sets("files", "gid", 3)

sets("link", "image", "nowhere", "syntax")
sets("link", "image", "base", "syntax")
sets("link", "image", "after", "syntax")


@mutation("link", "image", FIRST)
def link_another_image(given):
    given["images"].insert(0, image("other", stage("one", option("y", 1))))
    next(i for i in given["images"][2]["stages"][0]["inputs"] if i["type"] == "image")["image"] = "other"
    # base() is the image at number 1: everything expects it there.
    given["images"][0], given["images"][1] = given["images"][1], given["images"][0]


sets("link", "stage", "two")
sets("link", "stage", REMOVED)
sets("link", "stage", "three", "syntax")
sets("link", "by", REMOVED, SAME)
sets("link", "by", "output", "syntax")  # that stage keeps no snapshot


@mutation("link", "by", "unsupported")
def link_by_output(given):
    given["images"][0]["stages"][0]["snapshot"] = True
    object_of(given, "link")["by"] = "output"


def test_every_member_has_a_mutation():
    assert MEMBERS - set(MUTATIONS) == set(), "a member of the schema without a mutation in this file"
    assert set(MUTATIONS) - MEMBERS == set(), "a mutation of what the schema does not have"
    alternatives = {r["$ref"].rpartition("/")[2] for r in SCHEMA["$defs"]["input"]["oneOf"]}
    assert alternatives == TYPES, "a type of inputs without mutations in this file"


def test_everything_has_every_member():
    """But for what cannot stand beside the others."""
    given = everything()
    left = {(n, m) for n, m in MEMBERS if m not in object_of(given, n)}
    assert left == {(n, m) for n, m in MEMBERS if m in ("on_change", "secret", "previous")}


def changed(old, new):
    return {k for k in old if k not in new or old[k] != new[k]}


@pytest.mark.parametrize("member", sorted(MUTATIONS), ids=".".join)
def test_member(place, member):
    before = place.keys(everything(), ENV)
    for change, expected in MUTATIONS[member]:
        given = everything()
        change(given)
        if isinstance(expected, str):
            assert place.refusal(given, env={**os.environ, **ENV})["code"] == expected
            with pytest.raises(manifest.OracleError) as caught:
                place.oracle(given, ENV)
            assert caught.value.code == expected
            continue
        after = place.keys(given, ENV)
        if set(after) != set(before) and len(after) == len(before):
            after = dict(zip(before, after.values()))  # something was renamed
        assert changed(before, after) == expected, change


@pytest.mark.parametrize("on_change", ["stale", "show"])
@pytest.mark.parametrize("kind", sorted(TYPES))
def test_members_of_what_does_not_count(place, kind, on_change):
    """Nothing of a stale or shown input is in a key, not even its name or place."""

    def prepared():
        given = everything()
        object_of(given, kind)["on_change"] = on_change
        return given

    before = place.keys(prepared(), ENV)
    for (name, member), changes in MUTATIONS.items():
        if name != kind or member in ("on_change", "type"):
            continue
        for change, expected in changes:
            if isinstance(expected, str):
                continue
            given = prepared()
            change(given)
            new = place.keys(given, ENV)
            assert changed(before, new) == SAME, (member, change)
    given = prepared()
    first(given)["inputs"].remove(object_of(given, kind))
    assert changed(before, place.keys(given, ENV)) == SAME


@pytest.mark.parametrize("kind", sorted(TYPES - {"link"}))
def test_members_of_secrets(place, kind):
    """The HMAC covers what the line would say."""

    def prepared():
        given = everything()
        found = object_of(given, kind)
        found.pop("append", None)
        found["secret"] = True
        return given

    before = place.keys(prepared(), ENV)
    for (name, member), changes in MUTATIONS.items():
        if name != kind or member in ("secret", "append"):
            continue
        for change, expected in changes:
            if isinstance(expected, str):
                continue
            given = prepared()
            change(given)
            assert changed(before, place.keys(given, ENV)) == expected, (member, change)


# What trees hold is in the key as their digest.

CONTENT = {
    "content": lambda t: setattr(t.nodes[b"skeleton/etc/hostname"], "content", b"demO\n"),
    "mode": lambda t: setattr(t.nodes[b"skeleton/etc/hostname"], "mode", 0o600),
    "owner": lambda t: setattr(t.nodes[b"skeleton/etc/hostname"], "uid", 1),
    "target": lambda t: setattr(t.nodes[b"skeleton/etc/localtime"], "target", b"UTC"),
    "name": lambda t: t.nodes.update({b"skeleton/etc/hosts": t.nodes.pop(b"skeleton/etc/hostname")}),
    "added": lambda t: t.add(b"skeleton/x", trees.file()),
    "empty directory": lambda t: t.add(b"skeleton/x", trees.directory()),
    "type": lambda t: t.nodes.update({b"skeleton/etc/hostname": trees.directory()}),
    "hard link": lambda t: t.nodes.update({b"skeleton/same": t.nodes[b"skeleton/etc/hostname"]}),
    "xattr": lambda t: t.nodes[b"skeleton/bin/tool"].xattrs.update({b"user.a": b"b"}),
}


@pytest.mark.parametrize("name", CONTENT)
def test_contents(cli, space, name):
    given = single(tree("t", "skeleton"))
    other = FILES.copy()
    CONTENT[name](other)
    assert Place(cli, space).key(given) != Place(cli, space, other).key(given)


# Boundaries: what two neighbours hold together, cut at another place.


def variants():
    """Projects of which no two may share a key: name of the group -> last stages."""
    yield "lists", [single(items("list", "x", *v)) for v in (
        [], [""], ["", ""], ["a", "b"], ["ab"], ["a,b"], ["a\",\"b"], ["a", ""], ["", "a"], ["a\nb"], ["a", "b", ""], ["b", "a"],
        ["ab", ""], ["\\u0061"], [{"base64": "/w=="}], ["/w=="], ["{\"base64\":\"/w==\"}"], ["null"])]  # fmt: skip
    yield "two lists", [single(items("list", "x", *a), items("list", "y", *b)) for a, b in (
        (["a"], ["b"]), (["a", "b"], []), ([], ["a", "b"]), (["ab"], []), (["a", "y"], ["b"]), ([""], ["a", "b"]))]  # fmt: skip
    yield "sets", [single(items("set", "x", *v)) for v in ([], [""], ["a", "b"], ["ab"], ["a,b"], ["a", "b", "ab"])]
    yield "values", [single(option("x", v)) for v in (
        None, "null", "", [], {}, [[]], [{}], {"": ""}, {"": None}, 0, "0", False, "false", True, "true", 1, "1", [1], ["1"], [1, 2], [12],
        {"a": "b"}, {"ab": ""}, {"a": 1, "b": 2}, {"a": {"b": 2}}, [None], "\u0000", "\\u0000", " ", "a ", "a", "\u00e9", "e\u0301")]  # fmt: skip
    yield "types", [single(x) for x in (
        option("x", "a"), {"input": "x", "type": "digest", "value": "a"}, items("list", "x", "a"), items("set", "x", "a"),
        items("set", "x", "a", append=True), option("x", ["a"]), env("x"), option("x", None), items("list", "x"), items("set", "x"))]  # fmt: skip
    yield "names", [single(*x) for x in (
        [option("a", "bc")], [option("ab", "c")], [option("a", "b"), option("c", "")], [option("a", ""), option("bc", "")],
        [option("ab", ""), option("c", "")], [option("a\",\"type\":\"option\",\"value\":\"b", "c")], [option("a b", "c")])]  # fmt: skip
    yield "project", [single(option("x"), name=a, builder=b) for a, b in (
        ("a", "bc"), ("ab", "c"), ("abc", "x"), ("x", "abc"), ("a\"", "bc"), ("a", "\"bc"), ("bc", "a"))]  # fmt: skip
    yield "scope and stage", [project(image("i", stage(s, option("x")), scope=c)) for c, s in (
        ("a", "bc"), ("ab", "c"), ("bc", "a"), ("a b", "c"), ("a", "b c"))]  # fmt: skip
    yield "stages", [project(image("i", *stages)) for stages in (
        [stage("a", option("x"), option("y"))], [stage("b"), stage("a", option("x"), option("y"))],
        [stage("b", option("x")), stage("a", option("y"))], [stage("b", option("x"), option("y")), stage("a")],
        [stage("b", option("y")), stage("a", option("x"))], [stage("c"), stage("b"), stage("a", option("x"), option("y"))])]  # fmt: skip
    yield "results", [project(image("i", stage("s", results=r))) for r in (["a", "b"], ["b", "a"], ["ab"], ["a,b"], [], ["root"], ["a\",\"b"])]
    yield "reads", [project(image("i", stage("s", reads=r))) for r in (
        [], [{"root": "a"}], [{"root": "a"}, {"root": "b"}], [{"root": "b"}, {"root": "a"}], [{"root": "ab"}], [{"root": "a", "exclude": ["b"]}],
        [{"root": "a", "method": "b"}], [{"root": "a", "exclude": ["b", "c"]}], [{"root": "a", "exclude": ["bc"]}],
        [{"root": "a", "exclude": ["b"]}, {"root": "c"}], [{"root": "a"}, {"root": "c", "exclude": ["b"]}])]  # fmt: skip
    yield "excludes", [single(tree("x", "skeleton", exclude=e)) for e in (
        [], [""], ["a", "b"], ["b", "a"], ["ab"], ["a b"], ["a\nb"], ["a,b"], ["a", "", "b"], ["!a", "b"], ["a", "!b"])]  # fmt: skip
    yield "tree parameters", [single(tree("x", "conf", **r)) for r in (
        {}, {"target": "a"}, {"exclude": ["a"]}, {"uid": 0}, {"gid": 0}, {"uid": 0, "gid": 0}, {"uid": 1, "gid": 0}, {"uid": 0, "gid": 1},
        {"target": "0"}, {"kind": "directory"}, {"ignore_root": True}, {"one_filesystem": True}, {"fields": "output"})]  # fmt: skip
    yield "two trees", [single(tree("x", a), tree("y", b)) for a, b in (
        ("skeleton", "other"), ("other", "skeleton"), ("skeleton", "skeleton"), ("other", "other"))]  # fmt: skip
    yield "patterns", [single(files("x", *p, optional=True)) for p in (
        ["conf/*", "key"], ["key", "conf/*"], ["conf/*"], ["key"], ["conf/* key"], ["conf/*", "key", "none"], ["[c]onf/*", "key"])]  # fmt: skip
    base = image("base", stage("a", option("x")), stage("b", option("y")))
    yield "links", [project(base, image("i", stage("s", *links))) for links in (
        [link("l", "base", stage="a")], [link("l", "base", stage="b")], [link("l", "base", stage="a"), link("m", "base", stage="b")],
        [link("l", "base", stage="b"), link("m", "base", stage="a")], [link("m", "base", stage="a")], [])]  # fmt: skip


@pytest.mark.parametrize("group", [name for name, _ in variants()])
def test_boundaries(place, group):
    given = dict(variants())[group]
    keys = [place.key(each) for each in given]
    for (a, x), (b, y) in itertools.combinations(zip(keys, given), 2):
        assert a != b, (x, y)


def test_boundaries_between_groups(place):
    """Equal keys of all these only where the lines are equal: some groups begin with the same."""
    by_key = {}
    for _, group in variants():
        for given in group:
            sealed = place.seal(given)
            head, images = manifest.parse(sealed)
            line, stages = images[-1]
            lines = [manifest.without_info(x) for x in (head, {"scope": line["scope"]})]
            lines += [manifest.without_info(x) for s, inputs in stages for x in (s, *(i for i, _ in inputs))]
            by_key.setdefault(stages[-1][0]["info"]["key"], set()).add(manifest.canonical(lines))
    assert len(by_key) > 130
    assert all(len(lines) == 1 for lines in by_key.values())
