# SPDX-License-Identifier: LGPL-2.1-or-later
"""Trees as models, and their building on a real file system.

A Tree maps paths (bytes below the root, b"" is the root) to Nodes. Two paths with the
same Node object are hard links of one inode, so that a copy, an edit and a comparison
of models need no second notion of identity. Every attribute that a listing can show
stands in the model; two builds of one model differ in nothing that counts.
"""

import base64
import copy
import dataclasses
import fcntl
import os
import re
import stat
import struct

FS_IOC_GETFLAGS, FS_IOC_SETFLAGS = 0x80086601, 0x40086602
FLAG_BITS = {"nodump": 0x40, "sappnd": 0x20, "schg": 0x10}
FORMATS = {"file": stat.S_IFREG, "fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK,
           "char": stat.S_IFCHR, "block": stat.S_IFBLK}  # fmt: skip
DEFAULT_TIME = 1_000_000_000 * 10**9


@dataclasses.dataclass(eq=False)
class Node:
    type: str
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    holes: list = None  # of (offset, bytes): a sparse file instead of content
    size: int = 0  # of a sparse file
    target: bytes = b""
    device: tuple = (0, 0)
    time: int = DEFAULT_TIME  # nanoseconds
    flags: tuple = ()
    access: str = None
    default: str = None
    xattrs: dict = dataclasses.field(default_factory=dict)


def file(content=b"", mode=0o644, **rest):
    return Node("file", mode=mode, content=content, **rest)


def directory(mode=0o755, **rest):
    return Node("dir", mode=mode, **rest)


def link(target, **rest):
    return Node("link", mode=0o777, target=target, **rest)


class Tree:
    def __init__(self, nodes=None):
        self.nodes = {b"": directory()}
        for path, node in (nodes or {}).items():
            self.add(path, node)

    def add(self, path, node):
        """Adds an entry, and directories above it that are not there yet."""
        path = os.fsencode(path)
        parent = path.rpartition(b"/")[0]
        if parent not in self.nodes:
            self.add(parent, directory())
        self.nodes[path] = node
        return node

    def copy(self):
        return copy.deepcopy(self)

    def paths_of(self, node):
        return [p for p in sorted(self.nodes, key=order) if self.nodes[p] is node]

    def below(self, path):
        """The path and everything below it."""
        return [p for p in self.nodes if not path or p == path or p.startswith(path + b"/")]

    def remove(self, path):
        for p in self.below(path):
            del self.nodes[p]

    def pick(self, rng, wanted=lambda path, node: True):
        """A random path other than the root's, or None."""
        found = [p for p in sorted(self.nodes) if p and wanted(p, self.nodes[p])]
        return rng.choice(found) if found else None


def order(path):
    return tuple(path.split(b"/")) if path else ()


# ACLs, from their text to the kernel's form.

ACL_TAGS = {("u", False): 1, ("u", True): 2, ("g", False): 4, ("g", True): 8, ("m", False): 0x10, ("o", False): 0x20}


def pack_acl(text):
    data = struct.pack("<I", 2)
    for entry in text.split(","):
        tag, number, bits = entry.split(":")
        value = sum(bit for bit, c in ((4, "r"), (2, "w"), (1, "x")) if c in bits)
        data += struct.pack("<HHI", ACL_TAGS[tag, bool(number)], value, int(number or 0xFFFFFFFF))
    return data


def rwx(bits):
    return "".join(c if bits & b else "-" for b, c in ((4, "r"), (2, "w"), (1, "x")))


def acl_for(mode, users=(), groups=(), group=5):
    """The text of an access ACL that agrees with the mode: its group bits are the mask."""
    words = [f"u::{rwx(mode >> 6)}"]
    words += [f"u:{number}:{rwx(bits)}" for number, bits in users]
    words += [f"g::{rwx(group)}"]
    words += [f"g:{number}:{rwx(bits)}" for number, bits in groups]
    words += [f"m::{rwx(mode >> 3)}", f"o::{rwx(mode)}"]
    return ",".join(words)


def capability(effective=True, root_id=None, bits=0x400):
    """The value of security.capability: version 3 if it has a root id, else 2."""
    magic = (0x02000000 if root_id is None else 0x03000000) | effective
    data = struct.pack("<IIIII", magic, bits, 0, 0, 0)
    return data if root_id is None else data + struct.pack("<I", root_id)


# Building.


def set_flags(path, names):
    """Sets exactly these of the flags that a listing knows."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        buffer = bytearray(8)
        fcntl.ioctl(fd, FS_IOC_GETFLAGS, buffer)
        (bits,) = struct.unpack("<q", buffer)
        bits = bits & ~sum(FLAG_BITS.values()) | sum(FLAG_BITS[n] for n in names)
        fcntl.ioctl(fd, FS_IOC_SETFLAGS, struct.pack("<q", bits))
    finally:
        os.close(fd)


def create(path, node):
    if node.type == "dir":
        if not os.path.isdir(path):
            os.mkdir(path)
    elif node.type == "link":
        os.symlink(node.target, path)
    elif node.type in ("char", "block"):
        os.mknod(path, FORMATS[node.type] | 0o600, os.makedev(*node.device))
    elif node.type != "file":
        os.mknod(path, FORMATS[node.type] | 0o600)
    else:
        with open(path, "xb", buffering=0) as f:
            if node.holes is None:
                f.write(node.content)
            else:
                f.truncate(node.size)
                for offset, data in node.holes:
                    os.pwrite(f.fileno(), data, offset)


def dress(path, node):
    """Gives an entry all its attributes but time and flags."""
    # chown clears set-user-id bits and capabilities, and an ACL follows the mode.
    status = os.lstat(path)
    if (status.st_uid, status.st_gid) != (node.uid, node.gid):
        os.lchown(path, node.uid, node.gid)
    if node.type != "link":
        os.chmod(path, node.mode)
    if node.access:
        os.setxattr(path, "system.posix_acl_access", pack_acl(node.access))
    if node.default:
        os.setxattr(path, "system.posix_acl_default", pack_acl(node.default))
    for name, value in node.xattrs.items():
        os.setxattr(path, name, value, follow_symlinks=False)


def build(tree, root):
    """Builds a tree at a path (bytes) that does not exist or is an empty directory."""
    root = os.fsencode(root)

    def at(path):
        return root + b"/" + path if path else root

    built = {}
    paths = sorted(tree.nodes, key=order)
    for path in paths:
        node = tree.nodes[path]
        if id(node) in built:
            os.link(at(built[id(node)]), at(path), follow_symlinks=False)
        else:
            create(at(path), node)
            built[id(node)] = path
    for path in built.values():
        dress(at(path), tree.nodes[path])
    # Times of directories last, deepest first; flags when nothing is left to be done.
    for path in sorted(built.values(), key=order, reverse=True):
        time = tree.nodes[path].time
        os.utime(at(path), ns=(time, time), follow_symlinks=False)
    for path in sorted(built.values(), key=order, reverse=True):
        if tree.nodes[path].flags:
            set_flags(at(path), tree.nodes[path].flags)


def clear_flags(tree, root):
    """Makes a built tree removable again."""
    root = os.fsencode(root)
    for path, node in tree.nodes.items():
        if node.flags:
            try:
                set_flags(root + b"/" + path if path else root, ())
            except FileNotFoundError:
                pass


# The tree with everything that has ever gone wrong in such programs.


def hostile():
    tree = Tree()
    for b in range(1, 256):
        if b != ord("/"):
            name = bytes([b])
            tree.add(b"bytes/" + (name if name != b"." else b".."[:1] + b"x"), file(b"content of " + name))
    names = [
        b"a", b"a b", b" lead", b"trail ", b"a=b", b"#x", b"*", b"a*b", b"back\\slash", b"\\040", b"q?", b"[x]",
        b"line\nfeed", b"tab\t", b"\x1b[31mred", b"del\x7f", b"...", b"..x", b"-n", b"--", b"~", b"\xc3\xa4", b"\xff\xfe",
        b"\xed\xa0\x80", b"\xc2\x9b", b"\xe2\x80\xae", b"%s%n", b"$(x)", b"`x`", b'"q"', b"'q'", b"n" * 255, b"\xff" * 255,
    ]  # fmt: skip
    for name in names:
        tree.add(b"names/" + name, file(name))
        tree.add(b"dirs/" + name + b"/" + name, link(name))
    # a, a/c, a-b: the order of a path's bytes is not the order of its names.
    for path in (b"order/a/c", b"order/a-b", b"order/a.b", b"order/a0", b"order/ab/c", b"order/B"):
        tree.add(path, file(path))
    for bits in (0, 0o777, 0o4755, 0o2755, 0o1755, 0o6711, 0o7777, 0o111, 0o100, 0o7000):
        tree.add(b"modes/file-%04o" % bits, file(b"x", mode=bits))
        tree.add(b"modes/dir-%04o" % bits, directory(mode=bits))
        tree.add(b"modes/fifo-%04o" % bits, Node("fifo", mode=bits))
    for i, number in enumerate((0, 1, 1000, 65533, 65534, 65535, 65536, 2**31, 3 * 10**9, 2**32 - 2)):
        tree.add(b"owners/%d" % i, file(uid=number, gid=2**32 - 2 - number))
        tree.add(b"owners/link-%d" % i, link(b"x", uid=number, gid=number))
    times = (0, 1, -1, 10**9, -1_500_000_000 * 10**9 + 1, 9_999_999_999 * 10**9 + 999_999_999, 2**31 * 10**9, -(10**9),
             1_700_000_000_123_456_789, 1_000_000_000_000_000_010)  # fmt: skip
    for i, time in enumerate(times):
        tree.add(b"times/%d" % i, file(time=time))
        tree.add(b"times/link-%d" % i, link(b"x", time=time))
        tree.add(b"times/dir-%d" % i, directory(time=time))
    for i, target in enumerate((b"nowhere", b".", b"..", b"/", b"loop-a", b"../hostile/names/a", b"a b=#\\*?[\n\xff",
                                b"x" * 1000, b"//a//b/", b"/proc/self/root", b"4")):  # fmt: skip
        tree.add(b"links/%d" % i, link(target))
    tree.add(b"links/loop-a", link(b"loop-b"))
    tree.add(b"links/loop-b", link(b"loop-a"))
    for i, device in enumerate(((0, 0), (1, 3), (8, 0), (259, 1), (511, 262143), (255, 256))):
        tree.add(b"devices/char-%d" % i, Node("char", device=device))
        tree.add(b"devices/block-%d" % i, Node("block", device=device))
    tree.add(b"devices/fifo", Node("fifo"))
    tree.add(b"devices/socket", Node("socket"))
    kinds = {b"file": file(b"linked"), b"link": link(b"linked"), b"fifo": Node("fifo"), b"socket": Node("socket"),
             b"char": Node("char", device=(1, 7)), b"block": Node("block", device=(7, 7))}  # fmt: skip
    for name, node in kinds.items():
        tree.add(b"hardlinks/z/" + name, node)
        tree.add(b"hardlinks/" + name, node)
        tree.add(b"hardlinks/a b\\/" + name, node)
    for size in (1, 3, 4, 8, 9, 16, 17, 31, 128, 129, 240, 241, 511, 512, 1023, 1024, 1025, 4095, 4096, 4097, 65536, 300_001):
        tree.add(b"sizes/%d" % size, file(bytes(i * 7 % 251 for i in range(size)), mode=0o755))
    tree.add(b"sparse/start", file(holes=[(0, b"x")], size=1 << 20))
    tree.add(b"sparse/end", file(holes=[((1 << 20) - 1, b"x")], size=1 << 20))
    tree.add(b"sparse/middle", file(holes=[(4096, b"x"), (300_000, b"y" * 5000)], size=(1 << 20) + 1))
    tree.add(b"sparse/nothing", file(holes=[], size=1 << 20))
    tree.add(b"acl/file", file(mode=0o640, access=acl_for(0o640, [(0, 7), (5, 4), (3 * 10**9, 0)], [(0, 1), (70000, 6)])))
    tree.add(b"acl/mask", file(mode=0o600, access=acl_for(0o600)))
    tree.add(b"acl/fifo", Node("fifo", mode=0o660, access=acl_for(0o660, [(1, 6)])))
    tree.add(b"acl/dir", directory(mode=0o750, access=acl_for(0o750, [(1, 7)]), default=acl_for(0o777, [(2, 5)], [(3, 0)])))
    tree.add(b"acl/minimal-default", directory(default="u::rwx,g::r-x,o::---"))
    tree.add(b"acl/sticky", directory(mode=0o3770, access=acl_for(0o770, [], [(9, 7)])))
    for name, node in ((b"file", file()), (b"dir", directory()), (b"link", link(b"x"))):
        node.xattrs = {b"trusted.t": b"1", b"trusted.empty": b"", b"security.selinux": b"system_u:object_r:etc_t:s0\0",
                       b"trusted.overlay.origin": b"\0\xfb", b"trusted.overlay.opaque": b"y", b"security.x": b"\xff\0"}  # fmt: skip
        if node.type != "link":
            node.xattrs |= {b"user.a b=#\\*?[\n\xff": b"\n\0\x80", b"user.a-b": b"1", b"user.a": b"", b"user.a.b": b"xyz",
                            b"user.overlay.uuid": b"u", b"user." + b"n" * 250: b"v" * 100, b"user.A": b"A"}  # fmt: skip
        tree.add(b"xattrs/" + name, node)
    for name in (b"fifo", b"socket"):
        tree.add(b"xattrs/" + name, Node(name.decode(), xattrs={b"trusted.t": b"1"}))
    tree.add(b"xattrs/char", Node("char", device=(1, 3), xattrs={b"security.selinux": b"d"}))
    tree.add(b"caps/v2", file(mode=0o755, xattrs={b"security.capability": capability()}))
    tree.add(b"caps/permitted", file(mode=0o755, xattrs={b"security.capability": capability(False, bits=1 << 13)}))
    tree.add(b"caps/v3-other", file(mode=0o755, xattrs={b"security.capability": capability(root_id=1234)}))
    for name, flags in ((b"nodump", ("nodump",)), (b"append", ("sappnd",)), (b"immutable", ("schg",)),
                        (b"all", ("nodump", "sappnd", "schg"))):  # fmt: skip
        tree.add(b"flags/" + name, file(b"x", flags=flags))
        tree.add(b"flags/dir-" + name, directory(flags=flags))
    tree.nodes[b""].mode = 0o751
    return tree


# Random trees and random edits.

NAMES = [b"a", b"b", b"c", b"a-b", b"a.b", b"ab", b"B", b"0", b"a b", b"x=y", b"#", b"\\", b"\xff", b"\xc3\xa9", b"\n", b"lib", b"*"]
CONTENTS = [b"", b"one", b"two", b"one\n", b"x" * 241, b"\0" * 5000]


def random_node(rng, kind=None):
    kind = kind or rng.choices(["file", "dir", "link", "fifo", "socket", "char", "block"], [8, 5, 3, 1, 1, 1, 1])[0]
    node = Node(kind, uid=rng.choice([0, 0, 1, 1000, 3 * 10**9]), gid=rng.choice([0, 0, 5, 70000]))
    node.mode = 0o777 if kind == "link" else rng.choice([0o644, 0o755, 0o600, 0o4755, 0o2775, 0o1777, rng.randrange(0o10000)])
    node.time = DEFAULT_TIME + rng.choice([0, 1, 10**9, rng.randrange(10**10)])
    if kind == "file":
        node.content = rng.choice(CONTENTS + [rng.randbytes(rng.randrange(2000))])
    elif kind == "link":
        node.target = rng.choice([b"a", b"../b", b"/etc/x", b"a b\\", rng.randbytes(5).replace(b"\0", b"x")])
    elif kind in ("char", "block"):
        node.device = (rng.randrange(300), rng.randrange(300))
    if kind != "link" and rng.random() < 0.2:
        node.access = acl_for(node.mode, [(rng.randrange(9), rng.randrange(8))])
    if kind == "dir" and rng.random() < 0.2:
        node.default = acl_for(rng.randrange(512), [], [(rng.randrange(9), rng.randrange(8))])
    if rng.random() < 0.3:
        prefixes = [b"trusted.", b"security."] + [b"user."] * (kind in ("file", "dir"))
        for _ in range(rng.randrange(1, 4)):
            node.xattrs[rng.choice(prefixes) + rng.choice([b"a", b"a b", b"c=", b"\xff"])] = rng.randbytes(rng.randrange(5))
    return node


def random_tree(rng, n=30):
    tree = Tree()
    for _ in range(n):
        parent = rng.choice([p for p in tree.nodes if tree.nodes[p].type == "dir"])
        path = (parent + b"/" if parent else b"") + rng.choice(NAMES)
        if path not in tree.nodes:
            others = [m for m in tree.nodes.values() if m.type != "dir"]
            shared = rng.choice(others) if others and rng.random() < 0.15 else None
            tree.add(path, shared or random_node(rng))
    return tree


def edit(tree, rng):
    """One random change in place: of an attribute, a name, a type, a hard link."""
    path = tree.pick(rng)
    action = rng.randrange(9)
    if path is None or action == 0:
        parent = rng.choice([p for p in sorted(tree.nodes) if tree.nodes[p].type == "dir"])
        path = (parent + b"/" if parent else b"") + rng.choice(NAMES)
        if path not in tree.nodes:
            tree.add(path, random_node(rng))
    elif action == 1:
        tree.remove(path)
    elif action in (2, 3):
        parent = rng.choice([p for p in sorted(tree.nodes) if tree.nodes[p].type == "dir"])
        new = (parent + b"/" if parent else b"") + rng.choice(NAMES)
        if new not in tree.nodes and parent not in tree.below(path):
            for p in tree.below(path):
                tree.nodes[new + p[len(path) :]] = tree.nodes.pop(p)
    elif action == 4:
        if tree.nodes[path].type != "dir":  # another kind of thing under the same name
            tree.nodes[path] = random_node(rng, rng.choice(["file", "link", "fifo", "char", "dir"]))
    elif action == 5:
        source = tree.pick(rng, lambda p, node: node.type != "dir")
        if source and tree.nodes[path].type != "dir":
            tree.nodes[path] = tree.nodes[source]
    elif action == 6:
        tree.nodes[path] = copy.deepcopy(tree.nodes[path])
    else:
        node, other = tree.nodes[path], random_node(rng, tree.nodes[path].type)
        # Mode and ACL hang together, everything else can be exchanged alone.
        names = rng.choice([("mode", "access"), ("uid",), ("gid",), ("content", "holes"), ("target",), ("device",), ("time",),
                            ("default",), ("xattrs",)])  # fmt: skip
        for name in names:
            setattr(node, name, getattr(other, name))


# Declarative trees, for the corpus.


def unescape(text):
    return re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), text.encode())


def from_description(description):
    """A Tree from the JSON form that tests/corpus/README.md describes."""
    tree = Tree()
    for entry in description["entries"]:
        path = unescape(entry["path"])
        if "hardlink" in entry:
            tree.add(path, tree.nodes[unescape(entry["hardlink"])])
            continue
        kind = entry["type"]
        node = Node(kind, mode=int(entry.get("mode", "0755" if kind == "dir" else "0644"), 8))
        node.uid, node.gid = entry.get("uid", 0), entry.get("gid", 0)
        node.content = unescape(entry.get("content", "")) * entry.get("repeat", 1)
        if "size" in entry:
            node.size = entry["size"]
            node.holes = [(offset, unescape(text)) for offset, text in entry.get("data", [])]
        node.target = unescape(entry.get("target", ""))
        node.device = tuple(entry.get("device", (0, 0)))
        if "time" in entry:
            seconds, nanoseconds = entry["time"].split(".")
            node.time = int(seconds) * 10**9 + int(nanoseconds)
        node.flags = tuple(entry.get("flags", ()))
        node.access, node.default = entry.get("acl.access"), entry.get("acl.default")
        node.xattrs = {unescape(k): base64.b64decode(v) for k, v in entry.get("xattrs", {}).items()}
        if path in (b".", b""):
            tree.nodes[b""] = node
        else:
            tree.add(path, node)
    return tree
