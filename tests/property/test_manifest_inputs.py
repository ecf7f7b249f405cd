# SPDX-License-Identifier: LGPL-2.1-or-later
"""How inputs are seen: orders, absence, patterns, kinds, secrets."""

import base64
import errno
import hashlib
import json
import os
import random
import socket
import subprocess

import pytest

import manifest
from harness import need, need_root
from projects import SECRET, Place, env, everything, file, files, image, items, link, option, project, single, stage, tree
from xxh3 import Xxh128


@pytest.fixture
def place(cli, space):
    return Place(cli, space)


def last_line(sealed):
    return [line for line, _ in manifest.parse(sealed)[1][-1][1][-1][1]][-1]


# Orders.


def test_sets_have_none(place, rng):
    values = ["a", "b", "B", "\u00e9", "e\u0301", "", "\U0001f600", "\uffff", {"base64": "/w=="}, "aa", "a b"]
    sealed = place.both(single(items("set", "x", *values)))
    spelt = [base64.b64decode(v["base64"]) if isinstance(v, dict) else v.encode() for v in last_line(sealed)["items"]]
    assert spelt == sorted(spelt) and len(spelt) == len(values)
    for _ in range(10):
        shuffled = values + rng.choices(values, k=5)
        rng.shuffle(shuffled)
        assert place.seal(single(items("set", "x", *shuffled))) == sealed


def test_lists_stages_and_inputs_have_one(place):
    a, b = option("a"), option("b")
    for old, new in (
        (single(items("list", "x", "a", "b")), single(items("list", "x", "b", "a"))),
        (single(items("list", "x", "a", "a")), single(items("list", "x", "a"))),
        (single(a, b), single(b, a)),
        (project(image("i", stage("1"), stage("2"), stage("s"))), project(image("i", stage("2"), stage("1"), stage("s")))),
        (single(files("x", "key", "conf/a.conf")), single(files("x", "conf/a.conf", "key"))),
    ):
        assert place.key(old) != place.key(new)
        assert not place.diff(place.seal(old), place.seal(new))["equal"]


def test_bytes_have_one_spelling(place):
    """What is UTF-8 may be given as base64, and is written as it is."""
    for text in ("abc", "", "\u00e9", "a\n"):
        encoded = {"base64": base64.b64encode(text.encode()).decode()}
        for make in (lambda v: items("list", "x", v), lambda v: items("set", "x", v), lambda v: {"input": "x", "type": "digest", "value": v}):
            assert place.both(single(make(encoded))) == place.both(single(make(text)))
    encoded = base64.b64encode(b"skeleton").decode()
    assert place.both(single(tree("x", {"base64": encoded}))) == place.both(single(tree("x", "skeleton")))


def test_names_that_are_not_utf8(place):
    name = b"\xff\n\x1b[1m"
    for path in (name, b"conf/" + name):
        with open(place.base.encode() + b"/" + path, "wb") as f:
            f.write(b"x")
    encoded = {"base64": base64.b64encode(name).decode()}
    sealed = place.both(single(file("x", encoded), files("y", "conf/*")))
    assert rb"./conf/\377\012\033\133" in sealed
    for bad in (b"\xff.conf",):
        error = place.refusal(single(file("x", {"base64": base64.b64encode(bad).decode()})))
        assert error["code"] == "not-found"


# Variables.


def test_unset_is_not_empty(place):
    name = "IMAGECACHE_TEST_VARIABLE"
    os.environ.pop(name, None)
    lines, keys = [], []
    for value in (None, "", "null", "a", " "):
        sealed = place.both(single(env(name)), {} if value is None else {name: value})
        lines.append(last_line(sealed)["value"])
        keys += manifest.told_keys(sealed).values()
    assert lines == [None, "", "null", "a", " "]
    assert len(set(keys)) == 5


def test_variables_that_are_not_utf8(place):
    name = b"IMAGECACHE_TEST_VARIABLE"
    sealed = place.cli.good("manifest", place.save(single(env(name.decode()))), env={**os.environb, name: b"\xff"})
    assert last_line(sealed)["value"] == {"base64": "/w=="}


def test_the_same_variable_in_two_stages(place):
    given = project(image("i", stage("a", env("LANG")), stage("b", env("LANG"))))
    assert place.both(given).count(b'"LANG"') == 2


# Absence, and what is none.


@pytest.mark.parametrize("make", [lambda path: tree("x", path, optional=True), lambda path: file("x", path, optional=True),
                                  lambda path: files("x", path, optional=True)], ids=["tree", "file", "files"])  # fmt: skip
def test_absent_then_present(place, make):
    given = single(make("later/it"))
    absent = place.both(given)
    assert last_line(absent)["absent"] is True and b"#mtree" not in absent
    os.mkdir(f"{place.base}/later")
    assert place.both(given) == absent
    with open(f"{place.base}/later/it", "w"):
        pass
    present = place.both(given)
    assert manifest.told_keys(absent) != manifest.told_keys(present)
    (told,) = place.diff(absent, present)["changes"]
    assert (told["attribute"], told["old"], told["new"]) == ("absent", "true", None)
    (told,) = place.diff(present, absent)["changes"]
    assert (told["attribute"], told["old"], told["new"]) == ("absent", None, "true")
    os.unlink(f"{place.base}/later/it")
    assert place.both(given) == absent


def refused(place, given, code, **rest):
    error = place.refusal(given, **rest)
    assert error["code"] == code, error
    assert "images[0].stages[0].inputs[0]" in error["message"] or "x" in error["message"]
    with pytest.raises(manifest.OracleError):
        place.oracle(given)
    return error


MAKERS = [tree, file, files]


@pytest.mark.parametrize("optional", [True, False])
@pytest.mark.parametrize("make", MAKERS)
def test_what_is_not_absence(place, make, optional):
    base = place.base
    os.symlink("nowhere", f"{base}/dangling")
    os.symlink("loop", f"{base}/loop")
    os.symlink("dangling", f"{base}/dangling twice")
    for path in ("key/x", "key/x/y", "dangling", "dangling/x", "loop", "loop/x", "dangling twice", "key/../x", "n" * 256):
        error = place.refusal(single(make("x", path, optional=optional)))
        assert error["errno"] != errno.ENOENT, error
        if "key" in path and ".." not in path:
            assert (error["code"], error["errno"]) == ("not-found", errno.ENOTDIR)
        with pytest.raises(manifest.OracleError):
            place.oracle(single(make("x", path, optional=optional)))


@pytest.mark.parametrize("make", MAKERS)
def test_what_is_missing(place, make):
    error = refused(place, single(make("x", "nothing")), "not-found")
    assert error["errno"] == 2 and "nothing" in error["message"]


@pytest.mark.parametrize("make", MAKERS)
def test_no_access_is_not_absence(place, make):
    """As another user, since nothing is refused to root."""
    need_root()
    need("setpriv")
    os.chmod(f"{place.base}/conf", 0o700)
    os.chmod(f"{place.base}/skeleton/etc/hostname", 0)
    prefix = ["setpriv", "--reuid=65533", "--regid=65533", "--clear-groups"]
    readable = place.save(single(make("x", "conf/a.conf", optional=True)))
    os.chmod(readable, 0o644)
    result = place.cli.run("manifest", "--json", readable, prefix=prefix)
    assert result.returncode == 2 and json.loads(result.stderr)["error"]["code"] == "access", result
    place.save(single(make("x", "conf/nothing", optional=True)))
    result = place.cli.run("manifest", "--json", readable, prefix=prefix)
    assert result.returncode == 2 and json.loads(result.stderr)["error"]["code"] == "access", result
    if make is not files:
        place.save(single(make("x", "skeleton" if make is tree else "skeleton/etc/hostname", optional=True)))
        result = place.cli.run("manifest", "--json", readable, prefix=prefix)
        assert result.returncode == 2 and json.loads(result.stderr)["error"]["code"] == "access", result


def test_a_file_is_no_directory(place):
    refused(place, single(file("x", "conf")), "unsupported")
    refused(place, single(file("x", "conf", optional=True)), "unsupported")
    refused(place, single(files("x", "conf")), "unsupported")


# Kinds.


def test_forced_kinds(place):
    """What is found and what is forced are equal in content, not in key."""
    assert place.key(single(tree("x", "skeleton"))) != place.key(single(tree("x", "skeleton", kind="directory")))
    assert place.key(single(tree("x", "key"))) != place.key(single(tree("x", "key", kind="file")))
    for path, kind in (("key", "directory"), ("skeleton", "file"), ("skeleton", "mtree")):
        refused(place, single(tree("x", path, kind=kind)), "unsupported")
    refused(place, single(tree("x", "key", kind="mtree")), "syntax")
    for kind in ("archive", "disk"):
        refused(place, single(tree("x", "key", kind=kind)), "unsupported")


def test_replaced_by_another_kind(place, cli):
    """A directory and a listing of it are one tree; where the kind is forced that is refused."""
    path = f"{place.base}/it"
    os.rename(f"{place.base}/copy", path)
    free, forced = single(tree("x", "it")), single(tree("x", "it", kind="directory"))
    before = place.key(free)
    place.key(forced)
    listed = cli.list(path)
    os.rename(path, f"{place.base}/copy")
    with open(path, "wb") as f:
        f.write(listed)
    assert place.key(free) == before
    refused(place, forced, "unsupported")
    # Read as what it is, a file, it is another tree, and with the kind in the key at that.
    keys = {place.key(single(tree("x", "it", **k))) for k in ({}, {"kind": "mtree"}, {"kind": "file"})}
    assert len(keys) == 3


def test_listings_bring_their_fields(place, cli):
    for fields, short in (("content", "content"), ("mode,type,content", "type,mode,content"), ("exact", "exact")):
        with open(f"{place.base}/saved", "wb") as f:
            f.write(cli.list(f"{place.base}/skeleton", "--fields", fields))
        assert last_line(place.both(single(tree("x", "saved"))))["fields"] == short
        assert place.both(single(tree("x", "saved", fields=fields))) == place.both(single(tree("x", "saved")))
        refused(place, single(tree("x", "saved", fields="image")), "unsupported")
        refused(place, single(tree("x", "saved", uid=0)), "unsupported")
        refused(place, single(tree("x", "saved"), digest="sha256"), "unsupported")
    # A file is never read as anything else.
    assert last_line(place.both(single(file("x", "saved"))))["info"]["entries"] == 1


def test_special_files(place):
    os.mkfifo(f"{place.base}/conf/fifo")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{place.base}/conf/socket")
    place.both(single(files("x", "conf/*"), tree("y", "conf"), file("z", "conf/fifo"), files("u", "conf/*", fields="exact")))


# Patterns.


def test_globs(place):
    def matched(*patterns, **rest):
        sealed = place.both(single(files("x", *patterns, optional=True, **rest)))
        trees = manifest.parse(sealed)[1][0][1][0][1][0][1]
        return [b"/".join(p).decode() for p, a in trees.entries if a["type"] != "dir"] if trees else []

    sh = ["scripts/10-first.sh", "scripts/20-second.sh", "scripts/B.sh", "scripts/\u00e9.sh"]
    assert matched("scripts/*") == matched("scripts/*.sh") == matched("*/*.sh") == matched("scri*/*") == sh
    assert matched("scripts/*.sh", "scripts/1*", "scripts/B.sh") == sh
    assert matched("scripts/[A-Z]*") == matched("scripts/[[:upper:]]*") == ["scripts/B.sh"]
    assert matched("scripts/?.sh") == ["scripts/B.sh"]
    assert matched("scripts/??.sh") == [sh[3]]
    assert matched("scripts/[!A-Z]*") == matched("scripts/[^A-Z]*") == sh[:2] + sh[3:]
    assert matched("scripts/.*") == matched("scripts/.hidden.sh") == matched("scripts/\\.h*") == ["scripts/.hidden.sh"]
    assert matched("scripts/?hidden.sh") == matched("scripts/[.]hidden.sh") == matched("scripts/*hidden*") == []
    assert matched("scripts/*/*") == ["scripts/sub/30-third.sh"]
    assert matched("conf/*") == ["conf/a.conf", "conf/link.conf"]
    assert matched("scripts/\\B.sh") == ["scripts/B.sh"]
    assert matched("scripts/*", exclude=["*.sh"]) == matched("scripts/*", exclude=["scripts/"]) == []
    assert matched("scripts/*", exclude=["*", "!scripts", "!B.sh"]) == ["scripts/B.sh"]
    assert matched("nothing*", "key") == ["key"]


@pytest.mark.parametrize("pattern", ["nothing", "nothing*", "scripts/[xyz]*", "nothing/*", "*/nothing", ".*", "scripts/sub*"])
def test_no_match_is_an_error(place, pattern):
    error = refused(place, single(files("x", pattern)), "not-found")
    assert error["errno"] == 2 and pattern in error["message"]
    refused(place, single(files("x", "key", pattern)), "not-found")
    place.both(single(files("x", "key", pattern, optional=True)))
    assert last_line(place.both(single(files("x", pattern, optional=True))))["absent"] is True


@pytest.mark.parametrize("pattern", ["", "/", "/key", "..", "../x", "conf/../key", "**", "**/key", "conf/**", "a**b", "conf/", "key/", ".", "./",
                                     "conf/[", "conf/[a", "conf/\\", "conf/[[:none:]]", "conf/x\0"])  # fmt: skip
def test_bad_patterns(place, pattern):
    for optional in (True, False):
        error = refused(place, single(files("x", pattern, optional=optional)), "syntax")
        assert ":1:" in error["message"]


def test_globs_do_not_know_the_locale(place):
    names = ["a", "B", "\u00e4", "z", "Z", "i", "I", "\u0130", "\u0131", "_", "1", "ss", "\u00df"]
    os.mkdir(f"{place.base}/names")
    for name in names:
        with open(f"{place.base}/names/{name}", "w") as f:
            f.write(name)
    given = single(*(files(str(i), f"names/{p}", optional=True) for i, p in enumerate(["*", "[a-z]", "[A-Z]*", "[[:alpha:]]", "?", "??", "[\u00e4]", "\u00e4"])))
    sealed = place.both(given)
    for locale in ("C", "C.UTF-8", "en_US.UTF-8", "tr_TR.UTF-8", "de_DE.ISO-8859-1"):
        assert place.seal(given, env={"LC_ALL": locale}) == sealed


@pytest.mark.parametrize("seed", range(6))
def test_random_patterns(place, seed):
    rng = random.Random(seed)
    letters = ["a", "b", "A", ".", "-", "1"]
    for _ in range(40):
        path = "/".join("".join(rng.choices(letters, k=rng.randrange(1, 4))) for _ in range(rng.randrange(1, 4)))
        if ".." in path or "/." in path + "/" and rng.random() < 0.5 or path.startswith("."):
            continue
        try:
            os.makedirs(os.path.dirname(f"{place.base}/g/{path}"), exist_ok=True)
            with open(f"{place.base}/g/{path}", "w") as f:
                f.write(path)
        except OSError:
            pass
    pieces = [*letters, "*", "?", "[ab]", "[!a]", "[a-z]", "\\a", "*", "/", "/", "\\*", "[.]"]
    for _ in range(60):
        pattern = "g/" + "".join(rng.choices(pieces, k=rng.randrange(1, 6)))
        given = single(files("x", pattern, optional=True))
        try:
            expected = place.oracle(given)
        except manifest.OracleError as error:
            assert place.refusal(given)["code"] == error.code, pattern
        else:
            assert place.seal(given) == expected, pattern


# Secrets.

MARKER = "Xy7-MARKER-q9Z"


def traces():
    """All forms in which the marker, or a digest of it that could be guessed at, might be seen."""
    data = MARKER.encode()
    yield data
    yield data.hex().encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data + b"\0" * 3)
        yield whole[4 : 4 * (len(data) // 3)]
    for content in (data, data + b"\n"):
        yield hashlib.sha256(content).hexdigest().encode()
        yield Xxh128(content).hexdigest().encode()


def secret_project(marker=MARKER, digest="xxh128"):
    return single(
        option("plain", "visible"),
        option("option", {"a": [marker], marker: 1}, secret=True),
        items("list", "list", "a", marker, secret=True),
        items("set", "set", "a", marker, secret=True),
        env("IMAGECACHE_TEST_TOKEN", secret=True),
        {"input": "digest", "type": "digest", "value": marker, "secret": True},
        tree("tree", "vault", secret=True, target=marker, exclude=[f"{marker}x"]),
        file("file", "vault/secret", secret=True, target=marker),
        files("files", "vault/*", secret=True, target=marker),
        option("stale", marker, secret=True, on_change="stale"),
        option("show", marker, secret=True, on_change="show"),
        digest=digest,
    )


def build_vault(place, marker):
    subprocess.run(["rm", "-rf", f"{place.base}/vault"], check=True)
    os.mkdir(f"{place.base}/vault")
    for name in ("secret", f"name of {marker}"):
        with open(f"{place.base}/vault/{name}", "w") as f:
            f.write(marker)
    os.symlink("secret", f"{place.base}/vault/link")


@pytest.mark.parametrize("digest", ["xxh128", "sha256"])
def test_secrets_appear_nowhere(place, cli, digest):
    outputs = []

    def run(*args, **rest):
        result = cli.run(*args, **rest)
        outputs.extend([result.stdout, result.stderr])
        return result

    sealed = []
    for marker in (MARKER, "another value"):
        build_vault(place, marker)
        path = place.save(secret_project(marker, digest))
        variables = {**os.environ, "IMAGECACHE_TEST_TOKEN": marker}
        for options in ((), ("--no-listings",), ("--json",), ("-v",)):
            assert run("manifest", path, *place.options(), *options, env=variables).returncode == 0
        kept = place.space.path()
        run("manifest", path, *place.options(), "-o", kept, env=variables)
        with open(kept, "rb") as f:
            outputs.append(f.read())
        sealed.append(kept)
    with open(sealed[0], "rb") as f:
        build_vault(place, MARKER)
        assert f.read() == place.oracle(secret_project(MARKER, digest), {"IMAGECACHE_TEST_TOKEN": MARKER})
    plain = place.kept(place.seal(single(option("plain", "visible"), option("option", "known"), env("IMAGECACHE_TEST_TOKEN"))))
    for pair in (sealed, sealed[::-1], [plain, sealed[0]], [sealed[0], plain], [sealed[0], sealed[0]]):
        for options in ((), ("-v",), ("--json",), ("--stat",), ("--name-only",), ("--color=always",)):
            assert run("diff", *options, *pair).returncode in (0, 1)
    # A directory can't be compared with a secret tree.
    assert run("diff", "--input", "tree", sealed[0], f"{place.base}/vault").returncode == 2
    assert run("diff", "--json", "--input", "i/s/tree", sealed[0], f"{place.base}/vault").returncode == 2
    # Nor is one sealed without a key.
    path = place.save(secret_project())
    for options in ((), ("--json",), ("-v",)):
        assert run("manifest", path, *options).returncode == 2
    everything_said = b"\n".join(outputs)
    assert b"visible" in everything_said
    for trace in traces():
        assert trace not in everything_said, trace


BREAKAGES = [
    lambda text: text.replace('"plain"', '"plain'),
    lambda text: text[: text.index(MARKER) + 3],
    lambda text: text[: text.rindex(MARKER) + len(MARKER)],
    lambda text: text.replace(f'"{MARKER}"', MARKER),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}'),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}\\ud800"'),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}\\x"'),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}\\u0000"'),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}\n"'),
    lambda text: text.replace(f'"{MARKER}"', f'"{MARKER}\xff"').encode("latin-1"),
    lambda text: text.replace(f'"{MARKER}"', f'["{MARKER}"]'),
    lambda text: text.replace(f'"{MARKER}"', f'{{"base64": "{MARKER}"}}'),
    lambda text: text.replace(f'"{MARKER}": 1', f'"{MARKER}": 1, "{MARKER}": 2'),
    lambda text: text.replace(f'"{MARKER}": 1', f'"{MARKER}": 1.5'),
    lambda text: text.replace(f'"{MARKER}": 1', f'"{MARKER}": 1, "{MARKER}\\u0000": 2'),
    lambda text: text.replace('"type": "digest"', '"type": "option", "unknown": 1'),
    lambda text: text.replace('"stale"}', '"never"}'),
    lambda text: text.replace('"input": "show"', '"input": "stale"'),
    lambda text: text + "x",
    lambda text: text.replace('"secret": true', '"secret": 1'),
    lambda text: text.replace('"vault"', '"nothing"'),
    lambda text: text.replace('"vault/*"', '"nothing/*"'),
    lambda text: text.replace('"type": "set"', '"type": "set", "append": true'),
    lambda text: text.replace('"secret": true', f'"secret": "{MARKER}"'),
]


@pytest.mark.parametrize("breakage", range(len(BREAKAGES)))
def test_secrets_of_broken_projects(place, cli, breakage):
    build_vault(place, MARKER)
    text = json.dumps(secret_project())
    broken = BREAKAGES[breakage](text)
    assert broken != text
    path = place.save(broken)
    for options in ((), ("--json",), ("-v",)):
        result = cli.run("manifest", path, *place.options(), *options, env={**os.environ, "IMAGECACHE_TEST_TOKEN": MARKER})
        assert result.returncode == 2, result
        for trace in traces():
            assert trace not in result.stdout + result.stderr, result.stderr


def test_secrets_are_bound_to_their_place(place):
    """Equal secrets under other names or keys can't be told to be equal."""
    sealed = place.both(single(option("a", "x", secret=True), option("b", "x", secret=True), option("c", {"k": "x"}, secret=True)))
    hmacs = [line["hmac"] for line, _ in manifest.parse(sealed)[1][0][1][0][1]]
    assert len(set(hmacs)) == 3
    with open(place.secret, "wb") as f:
        f.write(SECRET[::-1])
    other = place.seal(single(option("a", "x", secret=True)))
    assert last_line(other)["hmac"] not in hmacs


def test_keys_of_secrets(place, cli):
    path = place.save(single(option("a", "x", secret=True)))
    for n, good in ((0, False), (15, False), (16, True), (4096, True), (4097, False)):
        with open(place.secret, "wb") as f:
            f.write(b"k" * n)
        result = cli.run("manifest", path, *place.options())
        assert result.returncode == (0 if good else 2), (n, result)
    error = cli.refusal("manifest", path, "--secret-file", "/nonexistent")
    assert error["code"] == "not-found"
    assert cli.refusal("manifest", path)["code"] == "invalid-argument"


def test_links_have_no_secret(place):
    given = project(image("a", stage("s")), image("b", stage("s", link("l", "a", secret=True))))
    assert place.refusal(given)["code"] == "syntax"
    assert everything()
