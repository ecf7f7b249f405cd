# SPDX-License-Identifier: LGPL-2.1-or-later
"""The canonical listing: its fields, its spelling, and a strict reader.

An entry is (path, attributes): the path is a tuple of names as bytes, the root being
the empty tuple; the attributes are a dict of keyword and value in the order of the
line, both spelt as in the line. Everything else works on these.
"""

import base64
import binascii
import dataclasses
import errno
import hashlib
import re

import xxh3

FIELDS = ("type mode exec uid gid size device link hardlink time flags acl xattr label overlay content").split()
PROFILES = {
    "content": "type exec size link content",
    "image": "type mode uid gid size device link hardlink acl xattr content",
    "output": "type mode uid gid size device link hardlink acl xattr label content",
    "exact": "type mode uid gid size device link hardlink time flags acl xattr label overlay content",
}
ALGORITHMS = {"xxh128": xxh3.Xxh128, "sha256": hashlib.sha256}
TYPES = "file dir link fifo socket char block".split()
FLAGS = ["nodump", "sappnd", "schg"]

LABEL = {b"security.selinux", b"security.ima", b"security.evm"}
OVERLAY = {b"%s.overlay.%s" % (a, b) for a in (b"trusted", b"user") for b in (b"origin", b"impure", b"uuid")}
# The ACLs are read under these names. XFS shows root a second copy of each under its own.
ACL_XATTRS = {b"system.posix_acl_access": "acl.access", b"system.posix_acl_default": "acl.default"}
ACL_COPIES = {
    b"trusted.SGI_ACL_FILE": b"system.posix_acl_access",
    b"trusted.SGI_ACL_DEFAULT": b"system.posix_acl_default",
}

MAX_NAME, MAX_DEPTH, MAX_PATH, MAX_LINE = 4095, 16384, 1 << 20, 16 << 20


class OracleError(Exception):
    """A refusal: a code of the library, the path or None, a line of text, an errno."""

    def __init__(self, code, path, message, number=errno.EINVAL):
        super().__init__(message)
        self.code, self.path, self.message, self.number = code, path, message, number


def parse_fields(text):
    """A profile's name or names separated by commas, as a list in canonical order."""
    if text in PROFILES:
        return PROFILES[text].split()
    names = text.split(",")
    for name in names:
        if name not in FIELDS:
            raise OracleError("invalid-argument", None, f"no such field: {name!r}")
    return [f for f in FIELDS if f == "type" or f in names]


def field_of_xattr(name):
    return "label" if name in LABEL else "overlay" if name in OVERLAY else "xattr"


def escape(data):
    return "".join(
        chr(b) if 0x21 <= b <= 0x7E and b not in b"#=\\*?[" else f"\\{b:03o}" for b in data
    )


def unescape(text):
    """The inverse; ValueError for anything that escape() never writes."""
    data = re.sub(rb"\\([0-3][0-7]{2})", lambda m: bytes([int(m[1], 8)]), text.encode("ascii"))
    if escape(data) != text or b"\0" in data:
        raise ValueError("the spelling is not canonical")
    return data


def spell_name(path):
    return "/".join(["."] + [escape(name) for name in path])


def display(path):
    """A path as the JSON forms want it: no ./, the root is a dot."""
    return b"/".join(path) or b"."


@dataclasses.dataclass
class Listing:
    algorithm: str
    fields: list
    entries: list  # of (path, attributes), in order

    def header(self):
        return f"#mtree imagecache=1 digest={self.algorithm} fields={','.join(self.fields)}\n"

    def emit(self):
        lines = [self.header()]
        for path, attributes in self.entries:
            lines.append(" ".join([spell_name(path)] + [f"{k}={v}" for k, v in attributes.items()]) + "\n")
        return "".join(lines).encode("ascii")

    def digest(self):
        return ALGORITHMS[self.algorithm](self.emit()).hexdigest()

    def by_path(self):
        return dict(self.entries)


# Which types can have an attribute; what is not here every type can.
ONLY = {
    "exec": {"file"},
    "size": {"file"},
    "content": {"file"},
    "device": {"char", "block"},
    "link": {"link"},
    "hardlink": set(TYPES) - {"dir"},
    "acl.access": set(TYPES) - {"link"},
    "acl.default": {"dir"},
}


def attribute_of(keyword):
    """The attribute's name in a diff: the keyword, but the digest is called content."""
    return "content" if keyword in ALGORITHMS else keyword


def types_with(keyword):
    return ONLY.get(attribute_of(keyword), set(TYPES))


def field_of(keyword):
    """The field that a keyword belongs to."""
    attribute = attribute_of(keyword)
    if attribute.startswith("acl."):
        return "acl"
    if attribute.startswith("xattr."):
        return field_of_xattr(unescape(attribute[len("xattr.") :]))
    return attribute


def is_bare_directory(attributes, fields):
    """Whether a line says that nothing but the type is known of a directory."""
    return attributes == {"type": "dir"} and any(f in fields for f in ("mode", "uid", "gid", "time"))


# The strict reader. Each keyword has a test of its value alone; what depends on other
# keywords or entries is checked in parse().


def number(text, below):
    if not re.fullmatch("0|[1-9][0-9]*", text) or int(text) >= below:
        raise ValueError("not a canonical number")
    return int(text)


def check_device(value):
    system, major, minor = value.split(",")
    if system != "linux":
        raise ValueError("not a Linux device")
    number(major, 1 << 32), number(minor, 1 << 32)


def check_time(value):
    match = re.fullmatch(r"(0|-?[1-9][0-9]*)\.[0-9]{9}", value)
    if not match or not -(1 << 63) <= int(match[1]) < 1 << 63:
        raise ValueError("not a canonical time")


def check_flags(value):
    flags = value.split(",")
    if flags != [f for f in FLAGS if f in flags]:
        raise ValueError("not canonical flags")


def check_acl(value, access):
    last = None
    tags = []
    for entry in value.split(","):
        match = re.fullmatch("(?:([ugmo])::|([ug]):([0-9]+):)[r-][w-][x-]", entry)
        if not match:
            raise ValueError("not an ACL entry")
        tag = match[1] or match[2]
        place = ("ugmo".index(tag), -1 if match[1] else number(match[3], (1 << 32) - 1))
        if last is not None and place <= last:
            raise ValueError("ACL entries out of order")
        last = place
        tags.append(tag + ("" if match[1] else "N"))
    if not {"u", "g", "o"} <= set(tags):
        raise ValueError("an ACL without owner, group or others")
    if {"uN", "gN"} & set(tags) and "m" not in tags:
        raise ValueError("an ACL without its mask")
    if access and tags == ["u", "g", "o"]:
        raise ValueError("an access ACL that says nothing")


def check_base64(value):
    if base64.b64encode(base64.b64decode(value, validate=True)).decode() != value:
        raise ValueError("base64 is not canonical")


CHECKS = {
    "type": lambda v: TYPES.index(v),
    "mode": lambda v: re.fullmatch("[0-7]{4}", v) or fail("not a mode"),
    "exec": lambda v: v == "1" or fail("not 1"),
    "uid": lambda v: number(v, (1 << 32) - 1),
    "gid": lambda v: number(v, (1 << 32) - 1),
    "size": lambda v: number(v, 1 << 63),
    "device": check_device,
    "link": lambda v: unescape(v) or fail("an empty target"),
    "hardlink": lambda v: None,
    "time": check_time,
    "flags": check_flags,
    "acl.access": lambda v: check_acl(v, True),
    "acl.default": lambda v: check_acl(v, False),
    "xxh128": lambda v: re.fullmatch("[0-9a-f]{32}", v) or fail("not a digest"),
    "sha256": lambda v: re.fullmatch("[0-9a-f]{64}", v) or fail("not a digest"),
}
KEYWORD_ORDER = ["type", "mode", "exec", "uid", "gid", "size", "device", "link", "hardlink", "time", "flags",
                 "acl.access", "acl.default", "xattr", "xxh128", "sha256"]  # fmt: skip


def fail(reason):
    raise ValueError(reason)


def keyword_place(keyword):
    """A key that sorts keywords into their order on the line."""
    if keyword.startswith("xattr."):
        name = unescape(keyword[len("xattr.") :])
        if not name or name in ACL_XATTRS:
            raise ValueError("no name of an extended attribute")
        return KEYWORD_ORDER.index("xattr"), name
    if keyword == "xattr":
        raise ValueError("unknown keyword")
    return KEYWORD_ORDER.index(keyword), b""


def parse_name(text):
    if text == ".":
        return ()
    if not text.startswith("./"):
        raise ValueError("a name begins with ./")
    path = tuple(unescape(name) for name in text[2:].split("/"))
    for name in path:
        if name in (b"", b".", b"..") or len(name) > MAX_NAME:
            raise ValueError("not a name")
    if len(path) > MAX_DEPTH or len(display(path)) > MAX_PATH:
        raise ValueError("too deep")
    return path


def required(kind, fields, algorithm):
    """The keywords that an ordinary entry must have."""
    wanted = ["type"] + [f for f in ("mode", "uid", "gid", "time") if f in fields]
    wanted += [f for f in ("size", "device", "link") if f in fields and kind in ONLY[f]]
    if "content" in fields and kind == "file":
        wanted.append(algorithm)
    return set(wanted)


def parse_line(line, algorithm, fields):
    """One line without its line feed as (path, attributes), checked on its own."""
    name, *words = line.split(" ")
    path = parse_name(name)
    attributes = {}
    last = None
    for word in words:
        keyword, equals, value = word.partition("=")
        if not equals:
            raise ValueError("a keyword without a value")
        place = keyword_place(keyword)
        if last is not None and place <= last:
            raise ValueError("keywords out of order")
        last = place
        if keyword in ALGORITHMS and keyword != algorithm or field_of(keyword) not in fields:
            raise ValueError("a keyword that does not count")
        (check_base64 if keyword.startswith("xattr.") else CHECKS[keyword])(value)
        attributes[keyword] = value
    kind = attributes.get("type") or fail("no type")
    if "hardlink" in attributes:
        if list(attributes) != ["type", "hardlink"]:
            raise ValueError("a hard link with attributes of its own")
    elif not is_bare_directory(attributes, fields):
        if required(kind, fields, algorithm) - set(attributes):
            raise ValueError("an attribute is missing")
    for keyword in attributes:
        if kind not in types_with(keyword):
            raise ValueError("an attribute that the type cannot have")
    if kind == "link" and attributes.get("mode", "0777") != "0777":
        raise ValueError("the mode of a symbolic link")
    return path, attributes


def parse_header(line):
    match = re.fullmatch("#mtree imagecache=1 digest=(xxh128|sha256) fields=([a-z,]+)", line)
    if not match:
        raise ValueError("not the header of a listing")
    fields = match[2].split(",")
    if fields != [f for f in FIELDS if f in fields] or "type" not in fields:
        raise ValueError("fields out of order")
    return match[1], fields


def parse(data):
    """Bytes as a Listing; OracleError of code syntax for what no tree is written as."""
    at = 1
    try:
        text = data.decode("ascii")
        if not text.endswith("\n"):
            at = text.count("\n") + 1
            raise ValueError("no line feed at the end")
        lines = text[:-1].split("\n")
        algorithm, fields = parse_header(lines[0])
        listing = Listing(algorithm, fields, [])
        kinds = {}  # the type of each entry so far
        others = set()  # the entries that are hard links to another
        for at, line in enumerate(lines[1:], 2):
            if len(line) > MAX_LINE:
                raise ValueError("a line too long")
            path, attributes = parse_line(line, algorithm, fields)
            if not kinds and path:
                raise ValueError("the root is missing")
            # Tuples compare as depth first, a directory first, siblings by bytes.
            if kinds and path <= listing.entries[-1][0]:
                raise ValueError("names do not ascend")
            if path and kinds.get(path[:-1]) != "dir":
                raise ValueError("the parent is no directory")
            if "hardlink" in attributes:
                first = parse_name(attributes["hardlink"])
                if kinds.get(first) != attributes["type"] or first in others:
                    raise ValueError("not the first of a group")
                others.add(path)
            kinds[path] = attributes["type"]
            listing.entries.append((path, attributes))
        if not kinds:
            at = 2
            raise ValueError("no entry")
    except (ValueError, binascii.Error, KeyError) as error:
        if isinstance(error, UnicodeDecodeError):
            at = data.count(b"\n", 0, error.start) + 1
        raise OracleError("syntax", None, f"listing:{at}: {error}") from None
    if listing.emit() != data:
        raise OracleError("syntax", None, "listing:1: not what would be written")
    return listing
