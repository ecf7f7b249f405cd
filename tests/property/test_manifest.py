# SPDX-License-Identifier: LGPL-2.1-or-later
"""Manifests: the same inputs give the same bytes, the keys are those of the lines."""

import json
import os
import random
import shutil
import subprocess

import pytest

import manifest
import projects
from harness import need
from projects import Place, env, everything, file, files, image, items, link, option, project, shell, single, stage, tree

LANG = {"IMAGECACHE_TEST_LANG": "C"}


@pytest.fixture
def place(cli, space):
    return Place(cli, space)


@pytest.fixture
def whole(place):
    """A manifest with everything in it, secrets too."""
    given = everything()
    given["images"][1]["stages"][1]["inputs"] += [
        option("token", "t", secret=True), tree("secret tree", "skeleton", secret=True), env("PATH", secret=True),
        option("host tools", [1], on_change="stale"), file("notes", "key", on_change="show"),
        tree("absent", "nothing", optional=True), files("none", "none*", optional=True), env("IMAGECACHE_TEST_UNSET"),
        files("all", "scripts/*", "conf/*.conf", "scripts/.h*"),
    ]  # fmt: skip
    return given


def test_oracle_agrees(place, whole):
    sealed = place.both(whole, LANG)
    manifest.verify(sealed)
    assert sealed.count(b"\n#mtree ") == 5
    assert place.seal(whole, "--no-listings", env=LANG) == place.oracle(whole, LANG, listings=False)


def test_first_lines(place):
    """The example of the format, byte for byte."""
    sealed = place.both(project(
        image("base", stage("install", option("release", "bookworm"), items("set", "packages", "udev", "systemd", append=True),
                            snapshot=True, max_age_seconds=604800)),
        builder="mkdemo 1.0", max_append=8))  # fmt: skip
    lines = sealed.decode().splitlines()
    assert lines[0] == (
        '{"builder":"mkdemo 1.0","digest":"xxh128","imagecache":"manifest",'
        '"info":{"lines":4,"listings":true,"max_append":8},"name":"demo","version":1}'
    )
    assert lines[1] == '{"image":"base","info":{"outputs":[]},"scope":"base"}'
    assert lines[2].startswith('{"info":{"key":"')
    assert lines[2].endswith('","max_age_seconds":604800,"snapshot":true},"stage":"install"}')
    assert lines[3:] == [
        '{"input":"release","type":"option","value":"bookworm"}',
        '{"append":true,"input":"packages","items":["systemd","udev"],"type":"set"}',
    ]


def test_the_handbooks_key(place):
    """doc/manifest.md computes one by hand."""
    given = project(image("i", stage("s", option("a", 1))), name="n", builder="b 1")
    script = """printf '%s\\n' '{"builder":"b 1","digest":"xxh128","imagecache":"manifest","name":"n","version":1}' \
        '{"scope":"i"}' '{"previous":null}' '{"stage":"s"}' '{"input":"a","type":"option","value":1}' | sha256sum"""
    assert shell(script).decode().split()[0] == place.key(given)


@pytest.mark.parametrize("seed", range(25))
def test_random_projects(place, rng, seed):
    for name in ("t1", "t2"):
        projects.trees.build(projects.trees.random_tree(rng, 8), os.path.join(place.base, name))
    sealed = place.both(projects.random_project(rng))
    manifest.verify(sealed)


# The same inputs, the same bytes.


def test_elsewhere(place, cli, space, whole):
    sealed = place.seal(whole, env=LANG)
    copy = os.path.join(space.path(), "deep", "er\n\xe9")
    os.makedirs(os.path.dirname(copy))
    subprocess.run(["cp", "-a", place.base, copy], check=True)
    path = os.path.join(copy, "imagecache.json")
    variables = {**os.environ, **LANG}
    options = place.options()
    assert cli.good("manifest", path, *options, env=variables) == sealed
    assert cli.good("manifest", "imagecache.json", *options, env=variables, cwd=copy) == sealed
    with open(path, "rb") as f:
        assert cli.good("manifest", "-", *options, env=variables, cwd=copy, stdin=f) == sealed
    assert os.path.basename(copy).encode() not in sealed and space.root.encode() not in sealed


def test_another_day(place, whole):
    sealed = place.seal(whole, env=LANG)
    for where, directories, names in os.walk(place.base):
        for name in [*directories, *names]:
            os.utime(os.path.join(where, name), (1, 2), follow_symlinks=False)
    assert place.seal(whole, env=LANG) == sealed
    shutil.copy2(place.base + "/key", place.base + "/new")
    os.rename(place.base + "/new", place.base + "/key")  # another inode
    assert place.seal(whole, env=LANG) == sealed


@pytest.mark.parametrize(
    "prefix",
    [["env", "LC_ALL=C"], ["env", "LC_ALL=C.UTF-8"], ["env", "LC_ALL=tr_TR.UTF-8"], ["env", "LANG=de_DE", "LANGUAGE=de"],
     ["env", "TZ=Pacific/Kiritimati"], ["sh", "-c", 'umask 077; "$@"', "sh"], ["sh", "-c", 'umask 0; "$@"', "sh"],
     ["nice"], ["env", "-C", "/"], ["sh", "-c", 'ulimit -n 32; "$@"', "sh"]],
    ids=" ".join,
)  # fmt: skip
def test_other_surroundings(place, whole, prefix):
    # PATH is a secret of the project: the surroundings must not change what it says.
    assert place.seal(whole, env=LANG, prefix=prefix) == place.seal(whole, env=LANG)


def test_other_threads(place, whole):
    sealed = place.seal(whole, env=LANG)
    for threads in range(1, 9):
        for _ in range(3):
            assert place.seal(whole, "--threads", str(threads), env=LANG) == sealed


def test_spelling_of_the_project(place, whole):
    """White space, escapes and the order of members do not matter."""
    sealed = place.seal(whole, env=LANG)
    turned = json.loads(json.dumps(whole), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    for text in (
        json.dumps(whole, indent="\t"),
        json.dumps(whole, ensure_ascii=False, separators=(",", ":")),
        json.dumps(turned).replace("/", "\\/"),
        "\n\r\t " + json.dumps(whole) + "\n\n",
        json.dumps(whole).replace("demo", "\\u0064e\\u006Do"),
    ):
        assert place.seal(text, env=LANG) == sealed


def test_defaults_spelt_out(place):
    """A default that is given is the same as one that is not."""
    short = project(image("i", stage("s", option("o"), items("set", "s"), tree("t", "skeleton"), file("f", "key"),
                                     files("g", "conf/*"))),
                    image("j", stage("s", link("l", "i"))))  # fmt: skip
    rest = {"on_change": "rebuild", "secret": False}
    more = {**rest, "optional": False}
    long = project(
        image("i", stage("s", option("o", **rest), items("set", "s", append=False, **rest),
                         tree("t", "skeleton", fields="image", exclude=[], one_filesystem=False, ignore_root=False, **more),
                         file("f", "key", fields="content", **more),
                         files("g", "conf/*", fields="type,link,content,size,exec", exclude=[], **more),
                         results=["root"], reads=[], previous="key", snapshot=False),
              scope="i", outputs=[]),
        image("j", stage("s", link("l", "i", stage="s", by="key", on_change="rebuild"))),
        digest="xxh128", max_append=8)  # fmt: skip
    assert place.both(long) == place.both(short)


# Reading and writing.


def test_written_to_a_file(place, cli, space, whole):
    sealed = place.seal(whole, env=LANG)
    out = space.path()
    for _ in range(2):  # the second time over the first
        assert place.seal(whole, "-o", out, env=LANG) == b""
        with open(out, "rb") as f:
            assert f.read() == sealed
    target = space.path()
    os.symlink(out, target)  # stays, and is written to
    place.seal(whole, "--no-listings", "-o", target, env=LANG)
    assert os.path.islink(target)
    with open(out, "rb") as f:
        assert f.read() == place.seal(whole, "--no-listings", env=LANG)
    assert place.seal(whole, "-o", "/dev/stdout", env=LANG) == sealed
    assert {n for n in os.listdir(space.root) if "tmp" in n} == set()
    error = cli.refusal("manifest", place.save(single()), "-o", "/nonexistent/x")
    assert error["code"] == "not-found"


def test_reading_back(place, whole):
    sealed = place.seal(whole, env=LANG)
    bare = place.seal(whole, "--no-listings", env=LANG)
    for pair in ((sealed, sealed), (bare, bare), (sealed, bare), (bare, sealed)):
        assert place.diff(*pair)["equal"]


def test_json(place, cli, whole):
    """--json: one object, the lines of the manifest in their places."""
    sealed = place.seal(whole, env=LANG)
    answer = json.loads(place.seal(whole, "--json", env=LANG))
    head, images = manifest.parse(sealed)
    assert {k: answer[k] for k in ("version", "name", "builder", "digest")} == {
        "version": 1, "name": head["name"], "builder": head["builder"], "digest": head["digest"]}  # fmt: skip
    assert [i["image"] for i in answer["images"]] == [line["image"] for line, _ in images]
    assert [i["scope"] for i in answer["images"]] == [line["scope"] for line, _ in images]
    for told, (_, stages) in zip(answer["images"], images):
        assert [(s["stage"], s["key"]) for s in told["stages"]] == [(s["stage"], s["info"]["key"]) for s, _ in stages]
        assert [s["inputs"] for s in told["stages"]] == [[line for line, _ in inputs] for _, inputs in stages]


def test_no_times_and_no_absolute_paths(place, space):
    at = place.base
    given = single(tree("t", f"{at}/skeleton"), tree("u", f"{at}/skeleton///"), file("f", f"{at}/key"), tree("/", f"{at}/conf/.."))
    given["images"][0]["outputs"] = [f"{at}/out.tar"]
    given["images"][0]["stages"][0]["reads"] = [{"root": f"{at}/src"}]
    sealed = place.both(given)
    assert space.root.encode() not in sealed
    labels = [line["info"]["label"] for line, _ in manifest.parse(sealed)[1][0][1][0][1]]
    assert labels[:3] == ["skeleton", "skeleton", "key"]


# Keys.

SHELL_KEYS = r"""
# One line a stage: what the manifest says and what its lines give. Only grep, sed and sha256sum.
manifest=$1
grep -v -e '^\.' -e '^#mtree ' "$manifest" > "$manifest.lines"
head=$(sed -n '1s/"info":{[^{}]*},//p' "$manifest.lines")
scope= previous=null key= lines=
flush() {
    [ -z "$key" ] && return
    printf '%s ' "$key"
    printf '%s\n{"scope":%s}\n{"previous":%s}\n%s' "$head" "$scope" "$previous" "$lines" | sha256sum
    previous="\"$key\"" key= lines=
}
without_info() { sed -E 's/"info":\{([^{}"]|"([^"\\]|\\.)*")*\},//; s/,"info":\{([^{}"]|"([^"\\]|\\.)*")*\}//' <<< "$1"; }
while IFS= read -r line; do
    case $line in
    '{"builder":'*) ;;
    '{"image":'*) flush; previous=null; scope=$(sed -E 's/.*"scope":("([^"\\]|\\.)*")\}$/\1/' <<< "$line") ;;
    '{"info":{"key":'*) flush; key=$(sed -E 's/^\{"info":\{"key":"([0-9a-f]{64})".*/\1/' <<< "$line")
        lines=$(without_info "$line")$'\n' ;;
    *'"on_change":'*) ;;
    *) lines+=$(without_info "$line")$'\n' ;;
    esac
done < "$manifest.lines"
flush
"""

JQ_KEYS = r"""
# The same with jq, which reads JSON: each stage's lines by themselves.
manifest=$1
grep '^{' "$manifest" > "$manifest.lines"
jq -rn --slurpfile all <(jq -c . "$manifest.lines") '
    ($all[0] | del(.info)) as $head
    | reduce $all[1:][] as $line ({out: []};
        if $line | has("scope") then .scope = $line.scope | .previous = null
        elif $line | has("stage") then
            .out += [{key: $line.info.key, lines: [$head, {scope}, {previous}, ($line | del(.info))]}]
            | .previous = $line.info.key
        elif $line | has("on_change") then .
        else .out[-1].lines += [$line | del(.info)] end)
    | .out[] | .key, (.lines | length), .lines[] | tojson' |
while read -r key; do
    read -r n
    printf '%s ' "$key" | tr -d '"'
    for _ in $(seq "$n"); do IFS= read -r line; printf '%s\n' "$line"; done | jq -cS . | sha256sum
done
"""


@pytest.mark.parametrize("how", [SHELL_KEYS, JQ_KEYS], ids=["sed", "jq"])
def test_keys_in_shell(place, whole, how):
    """With nothing but the manifest's own lines and sha256sum."""
    need("jq", "sha256sum")
    # jq sorts members by code points: a project where these and UTF-16 differ is for the oracle.
    whole["images"][1]["stages"][0]["inputs"][0]["value"] = {"b": [1, -5, None, True, "x\u00e9\u0001\n\\\"{}"], "a": {}}
    sealed = place.seal(whole, env=LANG)
    lines = shell(how, place.kept(sealed)).decode().splitlines()
    assert [line.split()[0] for line in lines] == list(manifest.told_keys(sealed).values())
    for line in lines:
        told, computed = line.split()[:2]
        assert told == computed
    assert len(set(lines)) == len(lines) == 6


def test_keys_by_the_oracle(place, whole):
    for options in ((), ("--no-listings",)):
        sealed = place.seal(whole, *options, env=LANG)
        assert manifest.keys(sealed) == manifest.told_keys(sealed)


def test_members_sort_by_utf16(place):
    """U+FFFF comes behind U+1F600, whose surrogates are smaller."""
    sealed = place.both(single(option("x", {"\uffff": 1, "\U0001f600": 2, "e": 3, "E": 4, "": 5, "\u00e9": 6})))
    assert '"value":{"":5,"E":4,"e":3,"\u00e9":6,"\U0001f600":2,"\uffff":1}'.encode() in sealed


@pytest.mark.parametrize("seed", range(10))
def test_random_json(place, seed):
    """Whatever JSON says, in its canonical spelling."""
    rng = random.Random(seed)

    def text():
        characters = ["a", "\"", "\\", "/", "\u0000", "\u001f", "\u007f", "\u0080", "\u2028", "\ufeff", "\uffff", "\U0010ffff",
                      "\b", "\t", "\n", "\f", "\r", "{", "e\u0301"]  # fmt: skip
        return "".join(rng.choices(characters, k=rng.randrange(5)))

    def value(depth=0):
        kind = rng.randrange(7 if depth < 5 else 4)
        if kind == 0:
            return rng.choice([0, 1, -1, 2**53 - 1, 1 - 2**53, rng.randrange(-(10**9), 10**9)])
        if kind == 1:
            return rng.choice([True, False, None])
        if kind in (2, 3):
            return text()
        if kind == 4:
            return [value(depth + 1) for _ in range(rng.randrange(4))]
        return {text().replace("\0", "") or "k": value(depth + 1) for _ in range(rng.randrange(5))}

    given = single(*(option(str(i), value()) for i in range(30)))
    sealed = place.both(given)
    place.diff(sealed, sealed)


# What makes a key.


def test_scope_is_shared(place):
    """Two images with one scope share the keys of equal first stages."""
    first, other = stage("install", option("a", 1), tree("t", "skeleton")), stage("more", option("b", 1))
    keys = place.keys(project(
        image("one", first, other, scope="s"), image("two", first, stage("more", option("b", 2)), scope="s"), image("three", first)))  # fmt: skip
    assert keys["one", "install"] == keys["two", "install"] != keys["three", "install"]
    assert keys["one", "more"] != keys["two", "more"]


def test_names_of_linked_images_are_not_in_the_key(place):
    def given(name, last):
        return project(image(name, stage(last, option("a", 1)), scope="s"), image("user", stage("x", link("l", name, stage=last))))

    old, new = place.both(given("one", "x")), place.both(given("two", "x"))
    assert manifest.told_keys(old)["user", "x"] == manifest.told_keys(new)["user", "x"]
    assert place.both(given("one", "y")) != old
    # The stage's own name is in its own key, and so in that of what links to it.
    assert manifest.told_keys(place.both(given("one", "y")))["user", "x"] != manifest.told_keys(old)["user", "x"]


def test_the_last_stage_is_what_a_link_means(place):
    base = image("base", stage("a", option("x")), stage("b", option("x")))
    keys = [place.key(project(base, image("user", stage("x", link("l", "base", **rest))))) for rest in ({}, {"stage": "b"}, {"stage": "a"})]
    assert keys[0] == keys[1] != keys[2]


def test_previous_stages_count(place):
    keys = place.keys(project(image("i", stage("a", option("x")), stage("b", option("x")), stage("c", option("x")))))
    assert len(set(keys.values())) == 3
    changed = place.keys(project(image("i", stage("a", option("x")), stage("b", option("x", 2)), stage("c", option("x")))))
    assert [keys[k] == changed[k] for k in keys] == [True, False, False]


def test_nothing_at_all(place):
    assert place.both(project()).count(b"\n") == 1
    place.both(project(image("i", stage("s"))))
    place.diff(place.seal(project()), place.seal(project(image("i", stage("s")))))
