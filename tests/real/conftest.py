# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole Debian system, made by mmdebstrap from the mirrors that this machine uses.

The archive of it is kept in $IMAGECACHE_TEST_CACHE, if that is set. Needs root, for owners,
devices and capabilities.
"""

import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

# Programs with set-user-id and capabilities, hard links, ACLs, many links and small files.
PACKAGES = (
    "systemd,udev,dbus,iputils-ping,sudo,python3,perl,locales,tzdata,vim-runtime,elementary-xfce-icon-theme"
)
TOOLS = ("mmdebstrap", "getfattr", "getfacl", "setfacl", "setcap", "mtree", "tar")


def release():
    """Name and code name of the system that runs the tests: "debian", "bookworm"."""
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    values = dict(line.replace('"', "").split("=", 1) for line in lines if "=" in line)
    return values.get("ID", ""), values.get("VERSION_CODENAME", "")


def sources(name, codename):
    """This machine's own sources of its distribution, as lines of a sources.list."""
    command = [
        "apt-get", "indextargets", "--format", "$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)",
        "Created-By: Packages",
    ]  # fmt: skip
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    lines = set()
    for line in output.splitlines():
        origin, uri, suite, component = line.split()
        if origin.lower() == name and suite.startswith(codename):
            lines.add(f"deb {uri} {suite} {component}\n")
    return "".join(sorted(lines))


def make_archive(path):
    name, codename = release()
    lines = sources(name, codename)
    if not lines:
        pytest.skip(f"needs package sources for {name} {codename}: run apt-get update")
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=apt", f"--include={PACKAGES}", codename, path, "-"],
        input=lines, text=True, check=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("apt-get") is None:
        pytest.skip("needs Debian or Ubuntu")
    for tool in TOOLS:
        if shutil.which(tool) is None:
            pytest.skip(f"needs the program {tool}")
    cache = os.environ.get("IMAGECACHE_TEST_CACHE")
    directory = pathlib.Path(cache) if cache else tmp_path_factory.mktemp("archive")
    directory.mkdir(parents=True, exist_ok=True)
    version = hashlib.sha256(f"{release()} {PACKAGES}".encode()).hexdigest()[:12]
    path = directory / f"root-{version}.tar"
    if not path.exists():
        temporary = directory / f"root-{version}.{os.getpid()}.tar"
        make_archive(temporary)
        temporary.rename(path)
    return path


@pytest.fixture(scope="session")
def root(archive, tmp_path_factory):
    """The system, unpacked, with a few things that no package brings."""
    path = tmp_path_factory.mktemp("system") / "root"
    path.mkdir(mode=0o755)
    subprocess.run(
        ["tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xpf", archive, "-C", path], check=True
    )
    odd = path / "odd"
    odd.mkdir()
    for name in (b"a b", b"new\nline", b"\xff\xfe", b"x#=\\*?[", "ü".encode()):
        pathlib.Path(os.fsdecode(os.fsencode(odd) + b"/" + name)).write_bytes(name)
    os.mknod(odd / "block", 0o060640, os.makedev(7, 300000))
    os.mknod(odd / "whiteout", 0o020000, os.makedev(0, 0))
    os.mkfifo(odd / "fifo")
    (odd / "link to").symlink_to("some where\\else")
    with (odd / "sparse").open("wb") as file:
        file.seek(64 << 20)
        file.write(b"end")
    os.setxattr(odd / "sparse", "user.empty", b"")
    os.setxattr(odd / "sparse", "user.bytes", bytes(range(256)))
    os.setxattr(odd / "sparse", "trusted.name", b"value")
    subprocess.run(["setfacl", "-m", "u:1000:rwx,g:5:r--,m::rw-", odd / "sparse"], check=True)
    subprocess.run(["setfacl", "-d", "-m", "u::rwx,g::r-x,o::---", odd], check=True)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def program():
    here = pathlib.Path(__file__).resolve().parent
    return os.environ.get("IMAGECACHE") or str(here.parent.parent / "build/cli/imagecache")
