# SPDX-License-Identifier: LGPL-2.1-or-later
"""The trees of tests/corpus give the listings and digests that stand there."""

import json

import pytest

import trees
from harness import REPOSITORY, need_root
from listing import PROFILES

CORPUS = REPOSITORY / "tests/corpus"
GOLDEN = CORPUS / "golden"
NAMES = sorted(p.stem for p in (CORPUS / "trees").glob("*.json"))
KEPT = [("image", "xxh128"), ("content", "xxh128"), ("exact", "sha256")]  # whole listings; of all others the digest
ALL = [(profile, digest) for profile in PROFILES for digest in ("xxh128", "sha256")]


@pytest.fixture(scope="module")
def built(module_space):
    need_root()
    paths = {}

    def build(name):
        if name not in paths:
            description = json.loads((CORPUS / "trees" / f"{name}.json").read_text())
            paths[name] = module_space.build(trees.from_description(description))
        return paths[name]

    return build


@pytest.fixture(scope="module")
def digests(request, built, oracle):
    """The golden digests, written first if that was asked for."""
    if request.config.getoption("--rewrite"):
        lines = []
        for name in NAMES:
            for profile, digest in ALL:
                listing = oracle.listing(built(name), profile, digest)
                lines.append(f"{listing.digest()}  {name}.{profile}.{digest}\n")
                if (profile, digest) in KEPT:
                    (GOLDEN / f"{name}.{profile}.{digest}.mtree").write_bytes(listing.emit())
        (GOLDEN / "digests").write_text("".join(lines))
    lines = (GOLDEN / "digests").read_text().splitlines()
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


@pytest.mark.parametrize("name", NAMES)
def test_golden(built, digests, cli, oracle, name):
    path = built(name)
    for profile, digest in ALL:
        label = f"{name}.{profile}.{digest}"
        options = ("--fields", profile, "--digest", digest)
        assert oracle.listing(path, profile, digest).digest() == digests[label], "the oracle has changed"
        if (profile, digest) in KEPT:
            assert cli.list(path, *options) == (GOLDEN / f"{label}.mtree").read_bytes()
        assert cli.hash(path, *options) == digests[label]


@pytest.mark.parametrize("name", NAMES)
def test_golden_listings_are_accepted(built, digests, cli, name):
    """Reading one back gives the tree that it was written from."""
    for profile, digest in KEPT:
        saved = GOLDEN / f"{name}.{profile}.{digest}.mtree"
        answer = cli.diff(saved, built(name), "--fields", profile, "--digest", digest)
        assert answer["equal"] and answer["left_out"] == []


def test_nothing_is_left_over(digests):
    """Each golden file belongs to a tree that is still there."""
    assert {label.split(".")[0] for label in digests} == set(NAMES)
    expected = {f"{n}.{p}.{d}.mtree" for n in NAMES for p, d in KEPT} | {"digests"}
    assert {p.name for p in GOLDEN.iterdir()} == expected
