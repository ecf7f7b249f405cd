# SPDX-License-Identifier: LGPL-2.1-or-later
"""The oracle against things known by other means, so that agreeing with it says something."""

import subprocess

import pytest

import listing
import trees
from harness import need, need_root
from xxh3 import Xxh128

# Of bytes 0, 1, … 250, 0, 1, …; made with the reference implementation.
VECTORS = {
    0: "99aa06d3014798d86001c324468d497f",
    1: "a6cd5e9392000f6ac44bdff4074eecdb",
    2: "6a4a5274c1b0d3add6645fc3051a9457",
    3: "e3b55f57945a17cf5f4299fc161c9cbb",
    4: "eb70bf5fc779e9e6a6111d53e80a3db5",
    5: "9434532106a7c141c920d2347a85929b",
    8: "e1e4432a62217fe4cfd50c61c8bb98c1",
    9: "16c769d83e4aebce907931979dca3746",
    15: "301a9f754e8f569a0017ea4be19bc787",
    16: "72950631827607e2842812cc870dcae2",
    17: "685bc458b37d057fc06e233df7729217",
    32: "25e7c9b3424ceed2457d9566b6fcd697",
    33: "02175c3aabb00637e08d84951339de86",
    64: "9c6e140a465545e590c1971ddb04ce74",
    65: "ebedf05eeadc28f11aee64a1615de88f",
    96: "c57556e9ccb97efa6e53ab55b4f5558b",
    97: "9b09227e063da5a25b3284a61f91e97d",
    127: "d5add870c9c9e00f060c2e3ddf0f2fb9",
    128: "14792fc3af88dc6c05321a0b64d67b41",
    129: "dd5e74ac6b45f54ebc30b63382b09a3b",
    160: "4e95c1cd6dc7bb85c67fcd13c31b09f4",
    161: "90805aa22c17b7a036ade0cea58f8377",
    239: "9843ab31a06be0dffe21374628fcc539",
    240: "65b5be86da5540e7c92b68e16f83bbb6",
    241: "1da1cb61bcb8a2a102e8cd95421c6d02",
    256: "96c36c85d00e5bc544f5d90dacde463a",
    512: "5884ea91ad7102d75c021aac13954143",
    1023: "4325711b0ed4d742d3d91d80ac495685",
    1024: "d0ac1f7b93bf57b9e5d78bafa45b2aa5",
    1025: "2882ebca04ec915ce95c42288f28186e",
    1088: "295519bc52981c5c1a848d807034c403",
    2048: "a5141efedfefc1af25339063db861586",
    2049: "39a54bc93f74921b6c9600c0e506e2ae",
    4096: "e12cd72144990fe57135ffa504f1bc71",
    65537: "0924e7a3a30e818770331d53d92bbc56",
}


def pattern(n):
    return bytes(i % 251 for i in range(n))


@pytest.mark.parametrize("n", VECTORS)
def test_xxh128_vectors(n):
    assert Xxh128(pattern(n)).hexdigest() == VECTORS[n]


@pytest.mark.parametrize("step", [1, 7, 64, 1000, 1024, 1025])
def test_xxh128_in_pieces(step):
    data = pattern(5000)
    digest = Xxh128()
    for at in range(0, len(data), step):
        digest.update(data[at : at + step])
    assert digest.hexdigest() == Xxh128(data).hexdigest()


def test_xxh128_reference_program(space):
    need("xxhsum")
    for n in [*range(0, 520, 13), *range(1000, 5000, 333)]:
        path = space.path()
        with open(path, "wb") as f:
            f.write(pattern(n))
        out = subprocess.run(["xxhsum", "-H2", path], check=True, capture_output=True, text=True).stdout
        assert out.split()[0] == Xxh128(pattern(n)).hexdigest()


EXAMPLE = b"""\
#mtree imagecache=1 digest=xxh128 fields=type,mode,uid,gid,size,device,link,hardlink,acl,xattr,content
. type=dir mode=0755 uid=0 gid=0
./etc type=dir mode=0755 uid=0 gid=0
./etc/hostname type=file mode=0644 uid=0 gid=0 size=5 xxh128=eae6589110ab610531d45d7494da225d
./etc/localtime type=link mode=0777 uid=0 gid=0 link=../usr/share/zoneinfo/UTC
"""


def test_example_of_the_format(space, cli, oracle):
    need_root()
    tree = trees.Tree({b"etc/hostname": trees.file(b"demo\n"), b"etc/localtime": trees.link(b"../usr/share/zoneinfo/UTC")})
    path = space.build(tree)
    assert oracle.list(path) == EXAMPLE
    assert cli.list(path) == EXAMPLE
    assert listing.parse(EXAMPLE).emit() == EXAMPLE
