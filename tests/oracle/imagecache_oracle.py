#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An independent reading of doc/format.md, to test the library against.

It shares no code with the library and was not written from it: where the two disagree,
one of them misreads the format. The command line is that of `imagecache` for the verbs
hash, list, diff and manifest, so that one can stand in for the other.

    listing.py    fields, spelling, the strict reader of listings
    walk.py       reading real trees
    gitignore.py  exclude patterns
    diff.py       differences of trees
    manifest.py   projects, manifests, keys
    manifest_diff.py  differences of manifests
    xxh3.py       XXH128
"""

import argparse
import base64
import json
import os
import sys

import diff
import listing
import manifest
import manifest_diff
import walk

MAGIC = b"#mtree imagecache=1 "


def number(text):
    if not text.isdecimal() or int(text) >= (1 << 32) - 1:
        raise argparse.ArgumentTypeError("not a number that can be used here")
    return int(text)


def arguments(argv):
    parser = argparse.ArgumentParser(prog="imagecache_oracle.py")
    parser.add_argument("verb", choices=["hash", "list", "diff", "manifest"])
    parser.add_argument("paths", nargs="+", type=os.fsencode)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--digest", choices=list(listing.ALGORITHMS), default="xxh128")
    parser.add_argument("--fields", default="image")
    parser.add_argument("--exclude", action="append", default=[], type=os.fsencode)
    parser.add_argument("--uid", type=number)
    parser.add_argument("--gid", type=number)
    parser.add_argument("--one-filesystem", action="store_true")
    parser.add_argument("--ignore-root", action="store_true")
    parser.add_argument("--output", "-o")
    parser.add_argument("--no-listings", action="store_true")
    parser.add_argument("--secret-file")
    parser.add_argument("--threads", type=number, help="accepted and without meaning")
    args = parser.parse_intermixed_args(argv)
    if args.verb != "hash" and len(args.paths) != {"list": 1, "diff": 2, "manifest": 1}[args.verb]:
        parser.error("wrong number of paths")
    return args


def options_of(args):
    return walk.Options(
        algorithm=args.digest,
        fields=listing.parse_fields(args.fields),
        exclude=args.exclude,
        uid=args.uid,
        gid=args.gid,
        one_filesystem=args.one_filesystem,
        ignore_root=args.ignore_root,
    )


def is_saved(path):
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def operand(path, options):
    """One side of a diff: a saved listing or a tree."""
    if not is_saved(path):
        return walk.read_tree(path, options)
    with open(path, "rb") as file:
        data = file.read()
    try:
        return listing.parse(data)
    except listing.OracleError as error:
        place = error.message.removeprefix("listing")
        raise listing.OracleError(error.code, path, ascii(os.fsdecode(path))[1:-1] + place) from None


def read(path):
    with open(path, "rb") as file:
        return file.read()


def seal(args):
    (path,) = args.paths
    data = sys.stdin.buffer.read() if path == b"-" else read(path)
    secret = read(args.secret_file) if args.secret_file else None
    base = b"." if path == b"-" else os.path.dirname(path) or b"."
    return manifest.seal(data, base, secret=secret, listings=not args.no_listings)


def compare(args, options):
    old, new = args.paths
    if all(os.path.isfile(p) and b'"imagecache":"manifest"' in read(p).partition(b"\n")[0] for p in args.paths):
        return manifest_diff.compare(read(old), read(new))
    return diff.compare(operand(old, options), operand(new, options))


def run(args):
    options = options_of(args)
    out = sys.stdout.buffer
    if args.verb == "hash":
        for path in args.paths:
            out.write(walk.read_tree(path, options).digest().encode() + b"  " + path + b"\n")
    elif args.verb == "list":
        out.write(walk.read_tree(args.paths[0], options).emit())
    elif args.verb == "manifest":
        if args.output:
            with open(args.output, "wb") as file:
                file.write(seal(args))
        else:
            out.write(seal(args))
    else:
        result = compare(args, options)
        if args.json:
            out.write(json.dumps(result, separators=(",", ":"), ensure_ascii=True).encode() + b"\n")
        else:
            for change in result["changes"]:
                out.write((json.dumps([v for v in change.values() if v is not None]) + "\n").encode())
        return 0 if result["equal"] else 1
    return 0


def report(error, as_json):
    if not as_json:
        print(f"imagecache: {error.message}", file=sys.stderr)
        return
    path = error.path
    if path is not None:
        try:
            path = path.decode("utf-8")
        except UnicodeDecodeError:
            path = {"base64": base64.b64encode(path).decode()}
    body = {"code": error.code, "errno": error.number, "operation": "read", "path": path, "message": error.message}
    print(json.dumps({"error": body}), file=sys.stderr)


def main(argv):
    args = arguments(argv)
    try:
        return run(args)
    except listing.OracleError as error:
        report(error, args.json)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
