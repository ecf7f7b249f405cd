# SPDX-License-Identifier: LGPL-2.1-or-later
"""Projects as models: their files on disk, sealing them, and random ones with their edits."""

import copy
import json
import os
import subprocess

import manifest
import manifest_diff
import trees

SECRET = b"0123456789abcdef0123456789abcdef"


def option(name, value=1, **rest):
    return {"input": name, "type": "option", "value": value, **rest}


def env(name, **rest):
    return {"input": name, "type": "env", **rest}


def tree(name, path, **rest):
    return {"input": name, "type": "tree", "path": path, **rest}


def file(name, path, **rest):
    return {"input": name, "type": "file", "path": path, **rest}


def files(name, *paths, **rest):
    return {"input": name, "type": "files", "paths": list(paths), **rest}


def items(kind, name, *values, **rest):
    return {"input": name, "type": kind, "items": list(values), **rest}


def link(name, image, **rest):
    return {"input": name, "type": "image", "image": image, **rest}


def stage(name, *inputs, **rest):
    return {"stage": name, **rest, "inputs": list(inputs)}


def image(name, *stages, **rest):
    return {"image": name, **rest, "stages": list(stages)}


def project(*images, **rest):
    head = {"imagecache": "project", "version": 1, "name": "demo", "builder": "mkdemo 1.0"}
    return {**head, **rest, "images": list(images)}


def single(*inputs, **rest):
    """A project of one stage."""
    return project(image("i", stage("s", *inputs)), **rest)


FILES = trees.Tree(
    {
        b"skeleton/etc/hostname": trees.file(b"demo\n"),
        b"skeleton/etc/localtime": trees.link(b"../usr/share/zoneinfo/UTC"),
        b"skeleton/bin/tool": trees.file(b"#!/bin/sh\n", mode=0o755),
        b"skeleton/bin/backup~": trees.file(b"old"),
        b"copy/etc/hostname": trees.file(b"demo\n"),
        b"copy/etc/localtime": trees.link(b"../usr/share/zoneinfo/UTC"),
        b"copy/bin/tool": trees.file(b"#!/bin/sh\n", mode=0o755),
        b"copy/bin/backup~": trees.file(b"old"),
        b"other/etc/hostname": trees.file(b"other\n"),
        b"scripts/10-first.sh": trees.file(b"one\n", mode=0o755),
        b"scripts/20-second.sh": trees.file(b"two\n", mode=0o755),
        b"scripts/B.sh": trees.file(b"B\n"),
        b"scripts/\xc3\xa9.sh": trees.file(b"accent\n"),
        b"scripts/.hidden.sh": trees.file(b"hidden\n"),
        b"scripts/sub/30-third.sh": trees.file(b"three\n"),
        b"conf/a.conf": trees.file(b"a\n"),
        b"conf/link.conf": trees.link(b"a.conf"),
        b"key": trees.file(b"a key\n", mode=0o600),
        b"key2": trees.file(b"another key\n", mode=0o600),
    }
)


class Place:
    """A directory with a project's files in it."""

    def __init__(self, cli, space, files=FILES):
        self.cli, self.space = cli, space
        self.base = space.build(files.copy())
        self.secret = space.path()
        with open(self.secret, "wb") as f:
            f.write(SECRET)

    def save(self, content, path=None):
        """Writes a project (an object, text or bytes) beside the files."""
        path = path or os.path.join(self.base, "imagecache.json")
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        with open(path, "wb") as f:
            f.write(content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content)
        return path

    def options(self, secret=True):
        return ["--secret-file", self.secret] if secret else []

    def seal(self, content, *options, env=None, **rest):
        """The manifest's bytes."""
        path = self.save(content)
        variables = {**os.environ, **(env or {})}
        return self.cli.good("manifest", path, *self.options(), *options, env=variables, **rest)

    def oracle(self, content, env=None, listings=True):
        data = content if isinstance(content, (str, bytes)) else json.dumps(content)
        data = data.encode() if isinstance(data, str) else data
        values = {k.encode(): v.encode() for k, v in (env or {}).items()}

        def look_up(name):
            return values.get(name.encode(), manifest.environment(name))

        return manifest.seal(data, self.base, look_up, SECRET, listings)

    def both(self, content, env=None):
        """The manifest's bytes, after the oracle has made the same."""
        sealed = self.seal(content, env=env)
        assert sealed == self.oracle(content, env)
        return sealed

    def keys(self, content, env=None):
        return manifest.told_keys(self.both(content, env))

    def key(self, content, env=None):
        """Of a project's last stage."""
        return list(self.keys(content, env).values())[-1]

    def refusal(self, content, **rest):
        return self.cli.refusal("manifest", self.save(content), *self.options(), **rest)

    def kept(self, sealed):
        path = self.space.path()
        with open(path, "wb") as f:
            f.write(sealed)
        return path

    def diff(self, old, new, *options):
        """The object of diff --json, after the oracle has found the same."""
        told = self.cli.diff(self.kept(old), self.kept(new), *options)
        assert told == manifest_diff.compare(old, new)
        return told


def everything():
    """A project in which each member of the schema is given, and its value is no default."""
    base = image(
        "base",
        stage(
            "first",
            option("release", {"b": [1, -5, None, True, "x\u00e9\u0001\u2028/"], "\U0001f600": 1, "\uffff": 2}),
            items("list", "repositories", "main", "extra", "main"),
            items("set", "packages", "udev", "systemd", append=True),
            env("IMAGECACHE_TEST_LANG"),
            {"input": "revision", "type": "digest", "value": "0815"},
            tree("skeleton", "skeleton", kind="directory", fields="mode,content", exclude=["*~"], target="/", uid=0, gid=0,
                 one_filesystem=True, ignore_root=True, optional=True),
            file("key", "key", fields="image", target="etc/key", uid=1, gid=1, optional=True),
            files("scripts", "scripts/*.sh", fields="exec,content", exclude=["B*"], target="s", uid=2, gid=2, optional=True),
            results=["root", "metadata"],
            reads=[{"root": "src", "exclude": ["build/"], "method": "traced"}],
            snapshot=True,
            max_age_seconds=604800,
        ),
        stage("second", option("x", 1)),
        scope="shared",
        outputs=["out/base.tar"],
    )  # fmt: skip
    before = image("before", stage("one", option("y", 1)), stage("two", option("z", 2)))
    after = image("after", stage("only", link("base", "base", stage="second")))
    apart = image("apart", stage("only", option("w", 1)))
    base["stages"][0]["inputs"].append(link("before", "before", stage="one", by="key"))
    return project(before, base, after, apart, digest="sha256", max_append=5)


# Random projects. Names and values are few, so that two have much in common.

NAMES = ["a", "b", "c", "d", "e", "f", "\u00e9", "x y", "\u202e"]
VALUES = [1, 2, "1", "a", "", None, True, [], {}, ["a"], {"k": [1]}, -(2**53) + 1, "\u0000\u001b[31m", "\U0001f600"]
WORDS = ["a", "b", "c", "aa", "", "\u00e9", {"base64": "/w=="}, "a b", "\u001b[2J"]


def random_input(rng, name, images):
    kind = rng.choice(["option", "list", "set", "env", "digest", "tree", "file", "files", "image", "option", "list", "set"])
    given = {"input": name, "type": kind}
    if kind == "option":
        given["value"] = rng.choice(VALUES)
    elif kind == "digest":
        given["value"] = rng.choice(WORDS)
    elif kind in ("list", "set"):
        given["items"] = rng.choices(WORDS, k=rng.randrange(6))
        if kind == "set" and rng.random() < 0.3:
            given["append"] = True
    elif kind == "tree":
        given["path"] = rng.choice(["t1", "t2", "t1", "t2", "missing"])
        given["optional"] = True
        for member, values in (("kind", ["directory"]), ("fields", ["content", "exact", "mode,uid"]), ("target", WORDS[:2]),
                               ("exclude", [["a"], ["a*", "!ab"]]), ("uid", [0, 7]), ("ignore_root", [True])):  # fmt: skip
            if rng.random() < 0.15:
                given[member] = rng.choice(values)
    elif kind == "file":
        given["path"] = rng.choice(["conf/a.conf", "key", "missing"])
        given["optional"] = True
    elif kind == "files":
        given["paths"] = rng.sample(["scripts/*", "conf/*.conf", "scripts/[0-9]*", "none*"], rng.randrange(1, 4))
        given["optional"] = True
    elif kind == "env":
        pass
    elif images:
        chosen = rng.choice(images)
        given["image"] = chosen["image"]
        given["stage"] = rng.choice(chosen["stages"])["stage"]
    else:
        given = option(name)
    if rng.random() < 0.15:
        given["on_change"] = rng.choice(["stale", "show"])
    if given["type"] != "image" and not given.get("append") and rng.random() < 0.1:
        given["secret"] = True
    return given


def random_stage(rng, name, images):
    made = stage(name, *(random_input(rng, n, images) for n in rng.sample(NAMES, rng.randrange(6))))
    if rng.random() < 0.2:
        made["results"] = rng.choice([["root"], ["root", "x"], []])
    if rng.random() < 0.2:
        made["reads"] = [{"root": rng.choice(["src", "/abs/src", "lib"])}]
    return made


def random_project(rng):
    images = []
    for name in rng.sample(NAMES, rng.randrange(1, 5)):
        images.append(image(name, *(random_stage(rng, n, images) for n in rng.sample(NAMES, rng.randrange(1, 5)))))
    return project(*images)


def without_bad_links(made):
    """Links that lead nowhere any more become options."""
    seen = {}
    for one in made["images"]:
        for each in one["stages"]:
            for i, given in enumerate(each["inputs"]):
                if given["type"] == "image" and given.get("stage") not in seen.get(given["image"], []):
                    each["inputs"][i] = option(given["input"], "gone")
        seen[one["image"]] = [s["stage"] for s in one["stages"]]
    return made


def shuffle_some(rng, things):
    if len(things) > 1:
        things.insert(rng.randrange(len(things)), things.pop(rng.randrange(len(things))))


def edit(rng, made):
    """One random change in place: added, removed, moved, renamed, another value."""
    one = rng.choice(made["images"])
    each = rng.choice(one["stages"])
    level, word, free = rng.choice([(made["images"], "image", 1), (one["stages"], "stage", 1), (each["inputs"], "input", 0)] * 2
                                   + [(each["inputs"], "input", 0)] * 4)  # fmt: skip
    unused = [n for n in NAMES if n not in [x[word] for x in level]]
    earlier = made["images"][: made["images"].index(one)]
    action = rng.randrange(7)
    if action == 0 and unused:
        name = rng.choice(unused)
        new = {"image": lambda: image(name, random_stage(rng, "a", [])), "stage": lambda: random_stage(rng, name, earlier),
               "input": lambda: random_input(rng, name, earlier)}[word]()  # fmt: skip
        level.insert(rng.randrange(len(level) + 1), new)
    elif action == 1 and len(level) > free:
        level.pop(rng.randrange(len(level)))
    elif action == 2:
        shuffle_some(rng, level)
    elif action == 3 and level and unused:
        rng.choice(level)[word] = rng.choice(unused)
    elif action == 4:
        made[rng.choice(["name", "builder"])] = rng.choice(["p", "q"])
        one["scope"] = rng.choice(["s", "t"])
    elif action == 5 and each["inputs"]:
        given = rng.choice(each["inputs"])
        if "items" in given:
            shuffle_some(rng, given["items"])
            given["items"] += rng.choices(WORDS, k=rng.randrange(2))
        elif "value" in given and given["type"] == "option":
            given["value"] = rng.choice(VALUES)
    elif each["inputs"]:
        i = rng.randrange(len(each["inputs"]))
        each["inputs"][i] = random_input(rng, each["inputs"][i]["input"], earlier)


def edited(rng, made, n):
    made = copy.deepcopy(made)
    for _ in range(n):
        edit(rng, made)
    return without_bad_links(made)


def shell(script, *args, **rest):
    return subprocess.run(["bash", "-ceu", script, "bash", *args], check=True, capture_output=True, timeout=60, **rest).stdout
