# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exclude patterns mean what gitignore's mean: real git is asked."""

import os
import subprocess

import pytest

import gitignore
import trees
from harness import need
from listing import OracleError, unescape

NAMES = [b"a", b"b", b"ab", b"abc", b"a.b", b"a b", b"a ", b"#a", b"!a", b"*", b"a*b", b"[a]", b"\\a", b"-", b"]", b"A", b"\xff", b"a\nb"]


class Git:
    """An empty repository whose work tree is a given tree."""

    def __init__(self, directory, tree):
        self.tree = tree
        self.git_dir = f"{directory}/git"
        self.env = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q", "--bare", self.git_dir], env=self.env, check=True)
        os.makedirs(f"{self.git_dir}/info", exist_ok=True)
        self.paths = []
        for top, directories, files in os.walk(os.fsencode(tree)):
            self.paths += [os.path.relpath(os.path.join(top, n), os.fsencode(tree)) for n in directories + files]

    def kept(self, patterns):
        """The paths that git does not ignore."""
        with open(f"{self.git_dir}/info/exclude", "wb") as f:
            f.write(b"".join(p + b"\n" for p in patterns))
        command = ["git", f"--git-dir={self.git_dir}", f"--work-tree={self.tree}", "check-ignore", "--no-index", "--stdin", "-z"]
        result = subprocess.run(
            command, input=b"".join(p + b"\0" for p in self.paths), capture_output=True, cwd=self.tree, env=self.env
        )
        assert result.returncode in (0, 1), result
        return sorted(set(self.paths) - set(result.stdout.split(b"\0")))


@pytest.fixture(scope="module")
def git(module_space):
    need("git")
    tree = trees.Tree()
    for top in NAMES:
        tree.add(b"%s/a" % top, trees.file())
        tree.add(b"%s/b/a/b" % top, trees.file())
        tree.add(b"%s/ab/b/c" % top, trees.directory())
    for name in NAMES:
        tree.add(b"c/" + name, trees.file())
        tree.add(b"c/d/" + name, trees.file())
    tree.add(b"c/link", trees.link(b"d"))
    for node in tree.nodes.values():
        node.uid, node.gid = os.getuid(), os.getgid()
    path = module_space.path()
    trees.build(tree, path)
    directory = module_space.path()
    os.mkdir(directory)
    return Git(directory, path)


def listed(cli, tree, patterns):
    options = [b"--exclude=" + p for p in patterns]
    text = cli.list(tree, "--fields", "type", *options)
    return sorted(unescape(line.split(b" ")[0][2:].decode()) for line in text.splitlines()[2:])


CASES = [
    [b"a"], [b"/a"], [b"a/"], [b"/a/"], [b"a/b"], [b"/a/b/"], [b"*"], [b"*", b"!a"], [b"*", b"!/a", b"!/a/*"], [b"/*", b"!/c"],
    [b"**"], [b"**/"], [b"/**"], [b"**/a"], [b"a/**"], [b"a/**/b"], [b"a/**/"], [b"**/a/**"], [b"**/b/**/b"], [b"a**b"], [b"a/**b"],
    [b"a/b**/c"], [b"***"], [b"a/***/b"], [b"**/**"], [b"**/**/a"], [b"?"], [b"??"], [b"a?b"], [b"/?/b"], [b"a/?"], [b"[ab]"], [b"[!a]"],
    [b"[^a]"], [b"[a-b]"], [b"[b-a]"], [b"[]]"], [b"[]a]"], [b"[!]a]"], [b"[a-]"], [b"[-a]"], [b"[\\]]"], [b"[\\a-\\b]"], [b"[[:alpha:]]"],
    [b"[[:upper:]]"], [b"[![:alnum:]]"], [b"[[:nonsense:]]"], [b"[[:alpha:]"], [b"[[:punct:]]*"], [b"[[:space:]]"], [b"[a[:digit:]b]"],
    [b"a[ .*]b"], [b"[/]"], [b"a[/]b"], [b"[!x]/b"], [b"\\a"], [b"\\*"], [b"a\\*b"], [b"\\#a"], [b"#a"], [b"\\!a"], [b"!a"], [b"!!a"],
    [b"*", b"!!a"], [b"\\\\a"], [b"\\[a]"], [b"[[]a]"], [b"a "], [b"a\\ "], [b"a\\  "], [b" a"], [b"a b"], [b"a\\ b"], [b" "], [b""], [b"/"],
    [b"//"], [b"//a"], [b"a//b"], [b"a//"], [b"!"], [b"!/"], [b"!", b"a"], [b"./a"], [b"a/."], [b".."], [b"a/../b"], [b"c/*", b"!c/d"],
    [b"c", b"!c/a"], [b"c/d/*", b"!c/d/a"], [b"link/"], [b"link"], [b"c/link/a"], [b"\xff"], [b"[\xff]"], [b"[\x80-\xff]"],
    [b"*b"], [b"*.b"], [b"a*"], [b"a*c"], [b"*a*b*"], [b"c/*"], [b"c/*/a"], [b"*/a"], [b"*/*/a"], [b"A"], [b"ab/b/c/"], [b"a", b"!a", b"a"],
    [b"*/", b"!c/"], [b"*/", b"!c/", b"!c/d/"], [b"a/*", b"!a/b/", b"a/b/*", b"!a/b/a"], [b"\t"], [b"a\t"], [b"a\\\\ "], [b"a\\ \\ "],
]  # fmt: skip


def refused(pattern):
    try:
        gitignore.Pattern(pattern)
    except OracleError:
        return True
    return False


@pytest.mark.parametrize("patterns", [c for c in CASES if not any(map(refused, c))], ids=ascii)
def test_known_patterns(git, cli, oracle, patterns):
    kept = git.kept(patterns)
    assert listed(cli, git.tree, patterns) == kept
    assert oracle_listed(oracle, git.tree, patterns) == kept


PIECES = [b"a", b"b", b"c", b"d", b"ab", b"*", b"**", b"***", b"/", b"/", b"/**/", b"**/", b"/**", b"?", b"[ab]", b"[!a]", b"[^b-]",
          b"[a-c]", b"[]a]", b"[\\]]", b"[[:alpha:]]", b"[![:alpha:]]", b"[*]", b"\\a", b"\\*", b"\\\\", b"\\ ", b" ", b"#", b"!",
          b".", b"-", b"\xff", b"A", b"\\!", b"[A-]", b"[a-\xff]", b"]", b"[[]"]  # fmt: skip


def random_pattern(rng):
    pattern = rng.choice([b"", b"", b"", b"!", b"/", b"!/", b"\\"])
    if pattern == b"\\":
        pattern += rng.choice([b"#", b"!", b"a"])
    pattern += b"".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 6)))
    return pattern + rng.choice([b"", b"", b"", b"/", b" ", b"*"])


def oracle_listed(oracle, tree, patterns):
    return sorted(b"/".join(p) for p, _ in oracle.listing(tree, "type", exclude=patterns).entries[1:])


@pytest.mark.parametrize("seed", range(25))
def test_random_patterns(git, cli, oracle, rng, seed):
    """Several lists a seed; the last pattern that matches decides, so they come in lists."""
    for _ in range(8):
        patterns = [random_pattern(rng) for _ in range(rng.choice([1, 1, 2, 3, 5]))]
        patterns = [p for p in patterns if not refused(p)]
        kept = git.kept(patterns)
        assert listed(cli, git.tree, patterns) == kept, patterns
        assert oracle_listed(oracle, git.tree, patterns) == kept, patterns


@pytest.mark.parametrize("pattern", [b"[", b"a[", b"[a", b"[!", b"[]", b"[!]", b"[a-", b"[\\]", b"a\\", b"\\", b"a/\\", b"!\\", b"a[/b", b"[[:alpha:]"], ids=ascii)
def test_refused_patterns(git, cli, pattern):
    """What can only be a slip of the hand; git would match nothing."""
    error = cli.refusal("list", b"--exclude=" + pattern, git.tree)
    assert error["code"] == "invalid-argument"


def test_the_root_is_never_left_out(git, cli):
    for pattern in ("*", ".", "/", "**", "./"):
        assert cli.list(git.tree, "--fields", "type", "--exclude=" + pattern).splitlines()[1] == b". type=dir"


def test_nothing_below_a_left_out_directory_comes_back(git, cli):
    assert not [p for p in listed(cli, git.tree, [b"/c/", b"!/c/d", b"!/c/d/a"]) if p.startswith(b"c")]


def test_left_out_entries_are_not_read(space, cli):
    """An unreadable thing that is left out is no error, and a FIFO neither."""
    path = space.path()
    os.makedirs(f"{path}/secret/d")
    os.mkfifo(f"{path}/secret/fifo")
    os.chmod(f"{path}/secret", 0)
    space.undo.callback(os.chmod, f"{path}/secret", 0o700)
    cli.list(path, "--exclude", "secret", timeout=10)
