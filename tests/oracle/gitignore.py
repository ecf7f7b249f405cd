# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exclude patterns, by the rules of gitignore(5), on bytes.

A pattern becomes a regular expression over the path below the root; the last one that
matches decides. That nothing below a left-out directory can be taken back follows from
not entering it, which is the caller's business.
"""

import re

from listing import OracleError

CLASSES = {
    b"alnum": rb"0-9A-Za-z",
    b"alpha": rb"A-Za-z",
    b"blank": rb" \t",
    b"cntrl": rb"\x00-\x1f\x7f",
    b"digit": rb"0-9",
    b"graph": rb"\x21-\x7e",
    b"lower": rb"a-z",
    b"print": rb"\x20-\x7e",
    b"punct": rb"!-/:-@\[-`{-~",
    b"space": rb" \t\n\r",
    b"upper": rb"A-Z",
    b"xdigit": rb"0-9A-Fa-f",
}
NEVER = rb"(?!)"


def byte(b):
    return rb"\x%02x" % b


def strip_spaces(pattern):
    """Drops trailing spaces that no backslash quotes."""
    end = i = 0
    while i < len(pattern):
        if pattern[i : i + 1] == b"\\":
            i += 1
            end = min(i + 1, len(pattern))
        elif pattern[i : i + 1] != b" ":
            end = i + 1
        i += 1
    return pattern[:end]


def bracket(pattern, at):
    """The expression for the set that begins behind the [ before `at`, and its end."""
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    members = []
    previous = None  # what a range may begin with
    first = True
    while True:
        c = pattern[at : at + 1]
        if not c:
            raise ValueError("a [ without its ]")
        if c == b"]" and not first:
            break
        first = False
        name_end = pattern.find(b"]", at + 2) if pattern[at : at + 2] == b"[:" else -1
        if c == b"-" and previous is not None and pattern[at + 1 : at + 2] not in (b"", b"]"):
            at += 1
            if pattern[at : at + 1] == b"\\":
                at += 1
            if at >= len(pattern):
                raise ValueError("a [ without its ]")
            if previous <= pattern[at]:
                members.append(byte(previous) + b"-" + byte(pattern[at]))
            previous = None
        elif name_end > at + 2 and pattern[name_end - 1 : name_end] == b":":
            name = pattern[at + 2 : name_end - 1]
            if name not in CLASSES:
                raise ValueError("a class that does not exist")
            members.append(CLASSES[name])
            previous = None
            at = name_end
        else:
            if c == b"\\":
                at += 1
                if at >= len(pattern):
                    raise ValueError("a [ without its ]")
            members.append(byte(pattern[at]))
            previous = pattern[at]
        at += 1
    members = b"".join(members)
    if negated:
        return rb"[^/" + members + b"]", at + 1
    return (rb"(?!/)[" + members + b"]" if members else NEVER), at + 1


def translate(pattern, whole_path):
    """A glob as a regular expression; ** is special only where paths are matched."""
    out = []
    at = 0
    while at < len(pattern):
        c = pattern[at : at + 1]
        if c == b"*":
            end = at
            while pattern[end : end + 1] == b"*":
                end += 1
            component = (at == 0 or pattern[at - 1 : at] == b"/") and pattern[end : end + 1] in (b"", b"/")
            if whole_path and end - at >= 2 and component:
                if pattern[end : end + 1] == b"/":
                    out.append(rb"(?:[^/]+/)*")
                    end += 1
                else:
                    out.append(rb".+" if at else rb".*")
            else:
                out.append(rb"[^/]*")
            at = end
        elif c == b"?":
            out.append(rb"[^/]")
            at += 1
        elif c == b"[":
            expression, at = bracket(pattern, at + 1)
            out.append(expression)
        else:
            if c == b"\\":
                at += 1
                if at >= len(pattern):
                    raise ValueError(r"a \ at the end")
            out.append(byte(pattern[at]))
            at += 1
    return b"".join(out)


class Pattern:
    def __init__(self, text):
        try:
            self.parse(strip_spaces(text))
        except ValueError as error:
            raise OracleError("invalid-argument", None, f"exclude pattern {text!r}: {error}") from None

    def parse(self, text):
        self.take_back = text.startswith(b"!")
        self.directories_only = False
        self.anchored = False
        self.expression = None
        if text.startswith(b"#") or not text:
            return
        text = text[self.take_back :]
        if text.endswith(b"/"):
            self.directories_only = True
            text = text[:-1]
        self.anchored = b"/" in text
        if text.startswith(b"/"):
            text = text[1:]
        if text:
            self.expression = re.compile(translate(text, self.anchored), re.DOTALL)

    def matches(self, path, is_directory):
        if self.expression is None or self.directories_only and not is_directory:
            return False
        subject = b"/".join(path) if self.anchored else path[-1]
        return self.expression.fullmatch(subject) is not None


class Excludes:
    def __init__(self, patterns):
        self.patterns = [Pattern(p) for p in patterns]

    def leaves_out(self, path, is_directory):
        """Whether an entry, whose parents are all listed, is left out."""
        for pattern in reversed(self.patterns):
            if pattern.matches(path, is_directory):
                return not pattern.take_back
        return False
