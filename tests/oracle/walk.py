# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reading a real tree into a listing, by plain calls of the kernel.

One directory is open at a time and everything in it is named through
/proc/self/fd/N/NAME, so that a path may be longer than the kernel takes in one call,
and calls that know no directory descriptor (those for extended attributes) still work.
"""

import array
import base64
import ctypes
import dataclasses
import errno
import fcntl
import os
import stat
import struct

import gitignore
from listing import ACL_COPIES, ACL_XATTRS, ALGORITHMS, FLAGS, Listing, OracleError, escape, field_of_xattr, spell_name

TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}

FS_IOC_GETFLAGS = 0x80086601 if struct.calcsize("l") == 8 else 0x80046601
FS_FLAGS = {"nodump": 0x40, "sappnd": 0x20, "schg": 0x10}
STATX_ATTRIBUTES = {"nodump": 0x40, "sappnd": 0x20, "schg": 0x10}

ACL_TAGS = {0x01: "u", 0x02: "u", 0x04: "g", 0x08: "g", 0x10: "m", 0x20: "o"}
ACL_NAMED = (0x02, 0x08)
ACL_ORDER = [0x01, 0x02, 0x04, 0x08, 0x10, 0x20]

CAPABILITY = b"security.capability"
CAPABILITY_V2, CAPABILITY_V3, CAPABILITY_VERSION = 0x02000000, 0x03000000, 0xFF000000


@dataclasses.dataclass
class Options:
    algorithm: str
    fields: list
    exclude: list = dataclasses.field(default_factory=list)  # of bytes
    uid: int | None = None
    gid: int | None = None
    one_filesystem: bool = False
    ignore_root: bool = False


def parse_acl(data):
    """The kernel's form of an ACL as (entries as text, whether it is minimal)."""
    (version,) = struct.unpack_from("<I", data)
    if version != 2:
        raise ValueError("an ACL of unknown version")
    entries = list(struct.iter_unpack("<HHI", data[4:]))
    entries.sort(key=lambda e: (ACL_ORDER.index(e[0]), e[2] if e[0] in ACL_NAMED else 0))
    words = []
    for tag, permissions, number in entries:
        name = str(number) if tag in ACL_NAMED else ""
        rwx = "".join(c if permissions & bit else "-" for c, bit in (("r", 4), ("w", 2), ("x", 1)))
        words.append(f"{ACL_TAGS[tag]}:{name}:{rwx}")
    unmapped = any(tag in ACL_NAMED and number == 0xFFFFFFFF for tag, _, number in entries)
    return ",".join(words), [e[0] for e in entries] == [0x01, 0x04, 0x20], unmapped


def capability_for_root(value, root_uid):
    """A version 3 capability that belongs to the tree's own root as version 2."""
    if len(value) == 24:
        magic, root_id = struct.unpack_from("<I", value)[0], struct.unpack_from("<I", value, 20)[0]
        if magic & CAPABILITY_VERSION == CAPABILITY_V3 and root_id == root_uid:
            return struct.pack("<I", magic & ~CAPABILITY_VERSION | CAPABILITY_V2) + value[4:20]
    return value


def statx_attributes(path, follow):
    """stx_attributes, the way to the flags of what cannot be opened."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(256)
    if libc.statx(-100, path, 0 if follow else 0x100, 0, buffer) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    return struct.unpack_from("<Q", buffer, 8)[0]


def mount_id(fd):
    with open(f"/proc/self/fdinfo/{fd}") as f:
        return next(line.split()[1] for line in f if line.startswith("mnt_id:"))


def unmapped_id(kind):
    """The id that stands for all unmapped ones, or None where every id is told apart."""
    overflow = int(open(f"/proc/sys/kernel/overflow{kind}").read())
    for line in open(f"/proc/self/{kind}_map"):
        inside, _, count = map(int, line.split())
        if inside <= overflow < inside + count:
            return None
    return overflow


class Reader:
    def __init__(self, path, options):
        self.given = path
        self.options = options
        self.excludes = gitignore.Excludes(options.exclude)
        self.unmapped = {kind: unmapped_id(kind) for kind in ("uid", "gid")}
        self.listing = Listing(options.algorithm, options.fields, [])
        self.groups = {}  # (device, inode) -> (type, the path of the first)

    def counts(self, field):
        return field in self.options.fields

    def refuse(self, code, path, reason, number=errno.EIO):
        shown = b"/".join((self.given, *path))
        raise OracleError(code, shown, f"{ascii(os.fsdecode(shown))[1:-1]}: {reason}", number)

    def read(self):
        # What the last component links to is opened; nothing else is ever followed.
        fd = os.open(self.given, os.O_PATH)
        try:
            status = os.fstat(fd)
            self.root_uid = status.st_uid
            self.entry((), b"/proc/self/fd/%d" % fd, True, status)
            if stat.S_ISDIR(status.st_mode):
                self.walk(fd)
        finally:
            os.close(fd)
        return self.listing

    def walk(self, root):
        """Depth first, with one directory open and .. as the way back."""
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root)
        path = ()
        left = [self.names(fd)]
        try:
            while True:
                if not left[-1]:
                    left.pop()
                    if not left:
                        return
                    path = path[:-1]
                    fd = self.change(fd, "..", 0)
                    continue
                name = left[-1].pop()
                at = b"/proc/self/fd/%d/%s" % (fd, name)
                child = (*path, name)
                try:
                    status = os.lstat(at)
                    is_directory = stat.S_ISDIR(status.st_mode)
                    if self.excludes.leaves_out(child, is_directory):
                        continue
                    self.entry(child, at, False, status)
                    if is_directory and not (self.options.one_filesystem and self.is_mount_point(fd, at)):
                        path = child
                        fd = self.change(fd, name, os.O_NOFOLLOW)
                        left.append(self.names(fd))
                except OSError as error:
                    self.refuse_error(error, child)
        finally:
            os.close(fd)

    def change(self, fd, name, flags):
        new = os.open(name, os.O_RDONLY | os.O_DIRECTORY | flags, dir_fd=fd)
        os.close(fd)
        return new

    def names(self, fd):
        return sorted((os.fsencode(n) for n in os.listdir(fd)), reverse=True)

    def is_mount_point(self, parent, at):
        fd = os.open(at, os.O_PATH | os.O_NOFOLLOW)
        try:
            return mount_id(fd) != mount_id(parent)
        finally:
            os.close(fd)

    def refuse_error(self, error, path):
        if error.errno in (errno.EACCES, errno.EPERM):
            code = "access"
        elif error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            code = "tree-changed" if path else "not-found"
        else:
            code = "io"
        self.refuse(code, path, error.strerror, error.errno)

    def entry(self, path, at, follow, status):
        attributes = {"type": TYPES[stat.S_IFMT(status.st_mode)]}
        kind = attributes["type"]
        identity = (status.st_dev, status.st_ino)
        may_be_grouped = kind != "dir" and status.st_nlink > 1 and self.counts("hardlink")
        if not path and self.options.ignore_root and kind == "dir":
            pass
        elif may_be_grouped and identity in self.groups:
            attributes["hardlink"] = spell_name(self.groups[identity])
        else:
            if may_be_grouped:
                self.groups[identity] = path
            attributes.update(self.attributes(kind, path, at, follow, status))
        self.listing.entries.append((path, attributes))

    def attributes(self, kind, path, at, follow, status):
        """The keywords of an ordinary entry in their order."""
        if self.counts("mode"):
            yield "mode", "0777" if kind == "link" else f"{status.st_mode & 0o7777:04o}"
        if self.counts("exec") and kind == "file" and status.st_mode & 0o100:
            yield "exec", "1"
        for field in ("uid", "gid"):
            if self.counts(field):
                yield field, str(self.owner(field, path, status))
        digest, size = None, status.st_size
        if kind == "file" and (self.counts("content") or self.counts("size") and size == 0):
            digest, size = self.content(path, at, follow, status)
        if self.counts("size") and kind == "file":
            yield "size", str(size)
        if self.counts("device") and kind in ("char", "block"):
            yield "device", f"linux,{os.major(status.st_rdev)},{os.minor(status.st_rdev)}"
        if self.counts("link") and kind == "link":
            yield "link", escape(os.readlink(at))
        if self.counts("time"):
            seconds, nanoseconds = divmod(status.st_mtime_ns, 10**9)
            yield "time", f"{seconds}.{nanoseconds:09d}"
        if self.counts("flags"):
            flags = self.flags(kind, at, follow)
            if flags:
                yield "flags", ",".join(flags)
        if self.counts("acl"):
            yield from self.acls(kind, path, at, follow)
        yield from self.xattrs(at, follow)
        if self.counts("content") and kind == "file":
            yield self.options.algorithm, digest

    def owner(self, kind, path, status):
        given = getattr(self.options, kind)
        if given is not None:
            return given
        own = getattr(status, f"st_{kind}")
        if own == self.unmapped[kind]:
            self.refuse("unmapped-id", path, f"the {kind} is not mapped here")
        return own

    def open(self, at, follow):
        return os.open(at, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))

    def content(self, path, at, follow, status):
        digest = ALGORITHMS[self.options.algorithm]()
        size = 0
        with open(self.open(at, follow), "rb", buffering=0) as file:
            while data := file.read(1 << 20):
                digest.update(data)
                size += len(data)
        if status.st_size not in (0, size):
            self.refuse("tree-changed", path, "the size changed while it was read")
        return digest.hexdigest(), size

    def flags(self, kind, at, follow):
        if kind not in ("file", "dir"):
            bits = statx_attributes(at, follow)
            return [f for f in FLAGS if bits & STATX_ATTRIBUTES[f]]
        fd = self.open(at, follow)
        try:
            bits = array.array("L", [0])
            fcntl.ioctl(fd, FS_IOC_GETFLAGS, bits)
            return [f for f in FLAGS if bits[0] & FS_FLAGS[f]]
        except OSError as error:
            if error.errno in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                return []  # the file system knows no flags
            raise
        finally:
            os.close(fd)

    def acls(self, kind, path, at, follow):
        for name, keyword in ACL_XATTRS.items():
            if kind == "link" or keyword == "acl.default" and kind != "dir":
                continue
            try:
                text, minimal, unmapped = parse_acl(os.getxattr(at, name, follow_symlinks=follow))
            except OSError as error:
                if error.errno in (errno.ENODATA, errno.EOPNOTSUPP):
                    continue
                raise
            if unmapped:
                self.refuse("unmapped-id", path, "an ACL names an id that is not mapped here")
            if not (minimal and keyword == "acl.access"):
                yield keyword, text

    def xattrs(self, at, follow):
        try:
            names = sorted(os.fsencode(n) for n in os.listxattr(at, follow_symlinks=follow))
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                return
            raise
        for name in names:
            if name in ACL_XATTRS or ACL_COPIES.get(name) in names or not self.counts(field_of_xattr(name)):
                continue
            value = os.getxattr(at, name, follow_symlinks=follow)
            if name == CAPABILITY:
                value = capability_for_root(value, self.root_uid)
            yield f"xattr.{escape(name)}", base64.b64encode(value).decode()


def read_tree(path, options):
    """The Listing of what is at a path (bytes)."""
    reader = Reader(path, options)
    try:
        return reader.read()
    except OSError as error:
        reader.refuse_error(error, ())
