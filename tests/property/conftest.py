# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options and fixtures of the property tests.

The binary is $IMAGECACHE, by default build/cli/imagecache below the repository. Whatever
behaves like it can stand there, the oracle's own command line too.
"""

import os
import pathlib
import random
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "oracle")]

from harness import REPOSITORY, Cli, Oracle, Workspace  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="also the tests that take minutes")
    parser.addoption("--seed", type=int, default=0, help="shifts the seeds of random tests")
    parser.addoption("--rewrite", action="store_true", help="write the golden files of the corpus again")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes minutes; only with --full")
    config.addinivalue_line("markers", "slow: takes more than twenty seconds")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full"):
        for item in items:
            if "full" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: pytest --full"))


@pytest.fixture(scope="session")
def cli():
    binary = os.path.abspath(os.environ.get("IMAGECACHE", REPOSITORY / "build/cli/imagecache"))
    if not os.access(binary, os.X_OK):
        pytest.exit(f"no program at {binary}: build it or set IMAGECACHE", 3)
    status = subprocess.run([binary], capture_output=True).returncode
    if status not in (0, 1, 2):
        pytest.exit(f"{binary} does not run: exit status {status}", 3)
    return Cli(binary)


@pytest.fixture(scope="session")
def oracle():
    return Oracle()


@pytest.fixture
def space():
    workspace = Workspace()
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def module_space():
    workspace = Workspace()
    yield workspace
    workspace.close()


@pytest.fixture
def rng(request):
    """A seeded generator; a parameter `seed` of the test, if any, chooses the seed."""
    seed = getattr(request.node, "callspec", None)
    seed = seed.params.get("seed", 0) if seed else 0
    seed += request.config.getoption("--seed")
    print(f"seed {seed}")
    return random.Random(seed)
