# SPDX-License-Identifier: LGPL-2.1-or-later
"""Projects and their manifests: strict JSON, canonical lines, keys.

A project is checked against doc/project.schema.json, which is the list of what may stand
in one, and by the few rules that a schema cannot say. Then each input is read and written
as a line. The lines of a stage are its key; the lines with what is not part of the key
(`info`) and the listings are the manifest.
"""

import base64
import errno
import functools
import hashlib
import hmac
import json
import os
import pathlib
import re
import stat

import gitignore
import listing
import walk
from listing import OracleError

SCHEMA = pathlib.Path(__file__).resolve().parent.parent.parent / "doc/project.schema.json"
MAGIC = b"#mtree imagecache=1 "
MAX_INTEGER = (1 << 53) - 1
MAX_DEPTH = 32
ON_CHANGE_NOT_IN_KEY = ("stale", "show")


# JSON, as strictly as a canonical form needs it.


def refuse(message, code="syntax", number=errno.EINVAL):
    raise OracleError(code, None, message, number)


def no_duplicates(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        refuse("a member twice")
    if any("\0" in name for name in found):
        refuse("a member's name with NUL")
    return found


def depth(value):
    if not isinstance(value, (dict, list)):
        return 0
    return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)


def integer(text):
    value = int(text)
    if text == "-0" or abs(value) > MAX_INTEGER:
        refuse("not a number that can be kept")
    return value


def parse_json(data):
    """Bytes as a value; OracleError for whatever RFC 8785 with integers cannot write."""
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=no_duplicates,
            parse_int=integer,
            parse_float=lambda text: refuse("a fraction"),
            parse_constant=lambda text: refuse("no number"),
        )
        canonical(value).decode("utf-8")  # no half of a surrogate pair
        if depth(value) > MAX_DEPTH:
            refuse("too deep")
    except (ValueError, RecursionError) as error:
        refuse(f"not JSON: {error}")
    return value


def canonical(value):
    """RFC 8785: members by their UTF-16 code units, the shortest spelling of everything."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return b"{" + b",".join(canonical(n) + b":" + canonical(value[n]) for n in names) + b"}"
    if isinstance(value, (list, tuple)):
        return b"[" + b",".join(map(canonical, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode("utf-8")


def to_bytes(value):
    """A string of a project, which may be spelt {"base64": …}."""
    if isinstance(value, dict):
        return base64.b64decode(value["base64"], validate=True)
    return value.encode("utf-8")


def from_bytes(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


def clean(value):
    """A string of a project in its one spelling."""
    return from_bytes(to_bytes(value))


# What may stand in a project. The schema uses little of JSON Schema, and anything else is
# an error here, so that no rule is passed over.


@functools.cache
def schema():
    return json.loads(SCHEMA.read_text())


def same_json(a, b):
    return type(a) is type(b) and a == b


TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}


def matches(value, rule):
    return check(value, rule) is None


def check_properties(value, properties, rule):
    if isinstance(value, dict):
        for name, member in value.items():
            if name in properties and (fault := check(member, properties[name])):
                return f"{name}: {fault}"
            if name not in properties and rule.get("additionalProperties") is False:
                return f"unknown member {name!r}"
    return None


def check_items(value, wanted, rule):
    if isinstance(value, list):
        for i, item in enumerate(value):
            if fault := check(item, wanted):
                return f"[{i}]: {fault}"
    return None


def all_of(value, rules, rule):
    return next((f for r in rules if (f := check(value, r))), None)


WORDS = {
    "type": lambda v, w, r: None if TYPES[w](v) else f"not of type {w}",
    "const": lambda v, w, r: None if same_json(v, w) else f"not {w!r}",
    "enum": lambda v, w, r: None if any(same_json(v, x) for x in w) else f"not one of {w}",
    "required": lambda v, w, r: next((f"no {n!r}" for n in w if n not in v), None) if isinstance(v, dict) else None,
    "properties": check_properties,
    "additionalProperties": lambda v, w, r: None,
    "items": check_items,
    "minItems": lambda v, w, r: "too few" if isinstance(v, list) and len(v) < w else None,
    "maxItems": lambda v, w, r: "too many" if isinstance(v, list) and len(v) > w else None,
    "uniqueItems": lambda v, w, r: "one twice" if w and len(set(map(canonical, v))) < len(v) else None,
    # Lengths of names are bytes.
    "minLength": lambda v, w, r: "too short" if isinstance(v, str) and len(v.encode()) < w else None,
    "maxLength": lambda v, w, r: "too long" if isinstance(v, str) and len(v.encode()) > w else None,
    "minimum": lambda v, w, r: "too small" if TYPES["integer"](v) and v < w else None,
    "maximum": lambda v, w, r: "too large" if TYPES["integer"](v) and v > w else None,
    "pattern": lambda v, w, r: "bad characters" if isinstance(v, str) and not re.search(w.replace("$", r"\Z"), v) else None,
    "not": lambda v, w, r: "not allowed" if matches(v, w) else None,
    "allOf": all_of,
    "oneOf": lambda v, w, r: None if sum(matches(v, x) for x in w) == 1 else "none of the alternatives",
    "$ref": lambda v, w, r: check(v, definition(w.rpartition("/")[2])),
    "contentEncoding": lambda v, w, r: check_base64(v),
    **dict.fromkeys(("default", "description", "$schema", "$defs", "title", "$id", "$comment"), lambda v, w, r: None),
}


def check_base64(value):
    try:
        listing.check_base64(value)
    except ValueError:
        return "not base64"
    return None


def definition(name):
    return schema()["$defs"][name]


def check(value, rule):
    """What is wrong with a value, or None."""
    for word, argument in rule.items():
        if fault := WORDS[word](value, argument, rule):
            return fault
    return None


INPUT_DEFINITIONS = {"image": "link"}  # where the definition is not named as the type


def has_layout(project):
    """Whether it has what a later release is to read: that is no fault of the project's."""
    try:
        return any(i["type"] == "layout" for image in project["images"] for s in image["stages"] for i in s["inputs"])
    except (TypeError, KeyError):
        return False


def check_project(project):
    """Everything that can be said before anything is read."""
    if has_layout(project):
        refuse("inputs of type layout", "unsupported")
    if fault := check(project, schema()):
        refuse(fault)
    images = {}
    unique([image["image"] for image in project["images"]])
    for image in project["images"]:
        outputs = [to_bytes(output) for output in image.get("outputs", [])]
        unique(outputs)
        if b"" in outputs or any(b"\0" in output for output in outputs):
            refuse("not a path")
        stages = image["stages"]
        unique([stage["stage"] for stage in stages])
        for stage in stages:
            unique([given["input"] for given in stage["inputs"]])
            check_strings([s for read in stage.get("reads", []) for s in (read["root"], *read.get("exclude", []))])
            for read in stage.get("reads", []):
                if not to_bytes(read["root"]):
                    refuse("an empty path")
                as_syntax(gitignore.Excludes, [to_bytes(p) for p in read.get("exclude", [])])
            for given in stage["inputs"]:
                check_input(given, images)
        for before, stage in zip([None, *stages], stages):
            if stage.get("previous") == "output" and (before is None or before.get("snapshot") is not True):
                refuse("no snapshot of the stage before")
        images[image["image"]] = {stage["stage"]: stage for stage in stages}


def unique(names):
    if len(set(names)) != len(names):
        refuse("a name twice")


def strings_of(given):
    for name in ("path", "target"):
        if name in given:
            yield given[name]
    for name in ("paths", "exclude", "items"):
        yield from given.get(name, [])
    if given["type"] == "digest":
        yield given["value"]


def check_strings(strings):
    if any(b"\0" in to_bytes(s) for s in strings):
        refuse("a string with NUL")


def check_input(given, images):
    check_strings(strings_of(given))
    if b".." in to_bytes(given.get("target", "")).split(b"/"):
        refuse("a target with ..")
    if any(given.get(name) in ("", {"base64": ""}) for name in ("path", "target")):
        refuse("an empty string")
    if given.get("secret") and given.get("append"):
        refuse("secret and append")
    if "fields" in given:
        as_syntax(listing.parse_fields, given["fields"])
    as_syntax(gitignore.Excludes, [to_bytes(p) for p in given.get("exclude", [])])
    for pattern in given.get("paths", []):
        check_pattern(to_bytes(pattern))
    if given["type"] == "image":
        if given["image"] not in images:
            refuse("no earlier image of that name")
        if "stage" in given and given["stage"] not in images[given["image"]]:
            refuse("no stage of that name")
        stages = images[given["image"]]
        stage = stages[given["stage"]] if "stage" in given else list(stages.values())[-1]
        if given.get("by") == "output" and stage.get("snapshot") is not True:
            refuse("no snapshot of it")


def as_syntax(function, argument):
    try:
        return function(argument)
    except OracleError as error:
        refuse(error.message)


# Files by patterns.


def components(pattern):
    return [c for c in pattern.split(b"/") if c not in (b"", b".")]


def check_pattern(pattern):
    parts = components(pattern)
    if pattern.startswith(b"/") or pattern.endswith(b"/") or not parts or any(p == b".." or b"**" in p for p in parts):
        refuse("not a pattern")
    for part in parts:
        try:
            gitignore.translate(part, False)
        except ValueError as error:
            refuse(str(error))


def names_in(directory, component):
    """The names that a component matches, and whether it named them without a glob."""
    if not re.search(rb"[*?\[]", re.sub(rb"\\.", b"", component, flags=re.DOTALL)):
        return [re.sub(rb"\\(.)", rb"\1", component, flags=re.DOTALL)], True
    expression = re.compile(gitignore.translate(component, False), re.DOTALL)
    names = [os.fsencode(name) for name in os.listdir(directory)]
    hidden = component.startswith((b".", b"\\."))
    return sorted(n for n in names if expression.fullmatch(n) and (hidden or not n.startswith(b"."))), False


def expand(base, pattern):
    """The paths of files below base, as tuples, that a pattern matches."""
    found = [()]
    parts = components(pattern)
    for i, component in enumerate(parts):
        last = i == len(parts) - 1
        step = []
        for parent in found:
            directory = os.path.join(base, *parent) if parent else base
            try:
                names, literal = names_in(directory, component)
            except FileNotFoundError:
                continue
            for name in names:
                path = os.path.join(directory, name)
                try:
                    status = os.stat(path)
                except FileNotFoundError:
                    if os.path.lexists(path):
                        refuse("a link that leads nowhere", "io", errno.ELOOP)
                    continue
                except NotADirectoryError:
                    refuse("not a directory", "not-found", errno.ENOTDIR)
                is_directory = stat.S_ISDIR(status.st_mode)
                if last and is_directory:
                    if literal:
                        refuse("it is a directory", "unsupported")
                    continue
                if not last and not is_directory:
                    if literal:
                        refuse("not a directory", "not-found", errno.ENOTDIR)
                    continue
                step.append((*parent, name))
        found = step
    return found


def is_left_out(excludes, path):
    return any(excludes.leaves_out(path[:n], n < len(path)) for n in range(1, len(path) + 1))


# Inputs.


class Sealed:
    """An input as it was seen: its line, and of a tree its Listing."""

    def __init__(self, line, tree=None):
        self.line, self.tree = line, tree


class Sealer:
    def __init__(self, project, base, env, secret):
        check_project(project)
        self.project, self.base, self.env, self.secret = project, base, env, secret
        self.algorithm = project.get("digest", "xxh128")
        self.keys = {}  # (image, stage) -> key
        self.last = {}  # image -> its last stage

    def at(self, path):
        return os.path.join(self.base, path)

    def options(self, given, default):
        return walk.Options(
            algorithm=self.algorithm,
            fields=listing.parse_fields(given.get("fields", default)),
            exclude=[to_bytes(p) for p in given.get("exclude", [])],
            uid=given.get("uid"),
            gid=given.get("gid"),
            one_filesystem=given.get("one_filesystem", False),
            ignore_root=given.get("ignore_root", False),
        )

    def read_tree(self, given):
        path = self.at(to_bytes(given["path"]))
        options = self.options(given, "image")
        kind = given.get("kind")
        if kind in ("archive", "disk"):
            refuse(f"kind {kind}", "unsupported")
        saved = kind == "mtree"
        if kind is None and os.path.isfile(path):
            with open(path, "rb") as file:
                saved = file.read(len(MAGIC)) == MAGIC
        if saved:
            with open(path, "rb") as file:
                tree = listing.parse(file.read())
            if "fields" not in given:
                options.fields = tree.fields  # its own
            changed = options.exclude or options.uid is not None or options.gid is not None or options.ignore_root
            if tree.fields != options.fields or tree.algorithm != self.algorithm or changed:
                refuse("a listing that was made otherwise", "unsupported")
            return tree
        if kind is not None and os.path.exists(path) and os.path.isdir(path) != (kind == "directory"):
            refuse(f"not a {kind}", "unsupported")
        return walk.read_tree(path, options)

    def read_file(self, given):
        path = self.at(to_bytes(given["path"]))
        if os.path.isdir(path):
            refuse("it is a directory", "unsupported")
        return walk.read_tree(path, self.options(given, "content"))

    def read_files(self, given):
        options = self.options(given, "content")
        excludes = gitignore.Excludes(options.exclude)
        options.exclude = []
        paths = set()
        for pattern in given["paths"]:
            found = [p for p in expand(self.base, to_bytes(pattern)) if not is_left_out(excludes, p)]
            if not found and not given.get("optional"):
                refuse("no file matches", "not-found")
            paths.update(found)
        if not paths:
            return None
        parents = {p[:n] for p in paths for n in range(len(p))}
        tree = listing.Listing(self.algorithm, options.fields, [])
        for path in sorted(paths | parents):
            attributes = {"type": "dir"}
            if path in paths:
                attributes = walk.read_tree(os.path.join(self.base, *path), options).entries[0][1]
            tree.entries.append((path, attributes))
        return tree

    def read(self, given):
        reader = {"tree": self.read_tree, "file": self.read_file, "files": self.read_files}[given["type"]]
        path = self.at(to_bytes(given["path"])) if "path" in given else None
        if path and given.get("optional") and is_absent(path):
            return None
        return reader(given)

    def tree_line(self, given):
        line = {"fields": spell_fields(given.get("fields", "image" if given["type"] == "tree" else "content"))}
        info = {}
        if "path" in given:
            info["label"] = from_bytes(label(to_bytes(given["path"])))
        if "paths" in given:
            line["paths"] = [from_bytes(b"/".join(components(to_bytes(p)))) for p in given["paths"]]
        for name in ("kind", "uid", "gid"):
            if name in given:
                line[name] = given[name]
        for name in ("one_filesystem", "ignore_root"):
            if given.get(name):
                line[name] = True
        if "target" in given:
            line["target"] = clean(given["target"])
        if given.get("exclude"):
            line["exclude"] = [clean(p) for p in given["exclude"]]
        tree = self.read(given)
        if tree is None:
            line["absent"] = True
        else:
            line["fields"] = spell_fields(",".join(tree.fields))
            line["digest"] = tree.digest()
        info["bytes"] = sum(int(a.get("size", 0)) for _, a in tree.entries) if tree else 0
        info["entries"] = len(tree.entries) if tree else 0
        return line, info, tree

    def value_line(self, given):
        kind = given["type"]
        if kind == "option":
            return {"value": given["value"]}
        if kind == "digest":
            return {"value": clean(given["value"])}
        if kind == "env":
            value = self.env(given["input"])
            return {"value": None if value is None else from_bytes(value)}
        items = [to_bytes(item) for item in given["items"]]
        if kind == "set":
            items = sorted(set(items))
        line = {"items": [from_bytes(item) for item in items]}
        if given.get("append"):
            line["append"] = True
        return line

    def input(self, given):
        line = {"input": given["input"], "type": given["type"]}
        if given.get("on_change", "rebuild") != "rebuild":
            line["on_change"] = given["on_change"]
        if given["type"] == "image":
            image = given["image"]
            stage = given.get("stage", self.last[image])
            if given.get("by", "key") != "key":
                refuse("by output", "unsupported")
            line["key"] = self.keys[image, stage]
            return Sealed({**line, "info": {"image": image, "stage": stage}})
        tree, info = None, {}
        if given["type"] in ("tree", "file", "files"):
            more, info, tree = self.tree_line(given)
        else:
            more = self.value_line(given)
        if given.get("secret"):
            if self.secret is None:
                refuse("no secret was given", "invalid-argument")
            whole = canonical({**line, **more}) + b"\n"
            line |= {"secret": True, "hmac": hmac.new(self.secret, whole, hashlib.sha256).hexdigest()}
            kept = {"label": info["label"]} if "label" in info else {}
            return Sealed({**line, **({"info": kept} if kept else {})})
        return Sealed({**line, **more, **({"info": info} if info else {})}, tree)

    def stage(self, given):
        line = {"stage": given["stage"]}
        if given.get("previous", "key") != "key":
            line["previous"] = given["previous"]
        if given.get("results", ["root"]) != ["root"]:
            line["results"] = given["results"]
        reads = []
        for read in given.get("reads", []):
            one = {"root": from_bytes(label(to_bytes(read["root"])))}
            if read.get("exclude"):
                one["exclude"] = [clean(p) for p in read["exclude"]]
            if read.get("method", "declared") != "declared":
                one["method"] = read["method"]
            reads.append(one)
        if reads:
            line["reads"] = reads
        return line

    def head(self):
        p = self.project
        return {"imagecache": "manifest", "version": 1, "name": p["name"], "builder": p["builder"], "digest": self.algorithm}

    def seal(self, listings=True):
        """The manifest's bytes."""
        lines = []
        for image in self.project["images"]:
            scope = image.get("scope", image["image"])
            outputs = [from_bytes(label(to_bytes(o))) for o in image.get("outputs", [])]
            lines.append(canonical({"image": image["image"], "scope": scope, "info": {"outputs": outputs}}))
            previous = None
            for stage in image["stages"]:
                line = self.stage(stage)
                if previous is not None and "previous" in line:
                    refuse("previous by output", "unsupported")
                inputs = [self.input(given) for given in stage["inputs"]]
                previous = key(self.head(), scope, previous, line, [i.line for i in inputs])
                self.keys[image["image"], stage["stage"]] = previous
                info = {"key": previous, "snapshot": stage.get("snapshot", False),
                        "max_age_seconds": stage.get("max_age_seconds")}  # fmt: skip
                lines.append(canonical({**line, "info": info}))
                for i in inputs:
                    lines.append(canonical(i.line))
                    if listings and i.tree is not None:
                        lines += i.tree.emit()[:-1].split(b"\n")
            self.last[image["image"]] = image["stages"][-1]["stage"]
        info = {"lines": len(lines), "listings": listings, "max_append": self.project.get("max_append", 8)}
        return b"".join(line + b"\n" for line in [canonical({**self.head(), "info": info}), *lines])


def is_absent(path):
    """Whether a name on the way does not exist; a link that leads nowhere does."""
    on_the_way = b"/" if path.startswith(b"/") else b""
    for name in path.split(b"/"):
        on_the_way = os.path.join(on_the_way, name)
        try:
            os.lstat(on_the_way or b".")
        except FileNotFoundError:
            return not os.path.islink(os.path.dirname(on_the_way))
    return False


def label(path):
    """What a manifest calls a path: as it is if relative, else its last component."""
    if not path.startswith(b"/"):
        return path
    return path.rstrip(b"/").rpartition(b"/")[2] or b"/"


def spell_fields(text):
    """A profile by its name, however it was spelt."""
    fields = listing.parse_fields(text)
    names = {tuple(names.split()): profile for profile, names in listing.PROFILES.items()}
    return names.get(tuple(fields)) or ",".join(fields)


def without_info(line):
    return {name: value for name, value in line.items() if name != "info"}


def key(head, scope, previous, stage, inputs):
    """SHA-256 over the lines that count."""
    if "previous" in stage:
        previous = stage["info"]["previous"]
    lines = [head, {"scope": scope}, {"previous": previous}, stage]
    lines += [line for line in inputs if line.get("on_change") not in ON_CHANGE_NOT_IN_KEY]
    return hashlib.sha256(b"".join(canonical(without_info(line)) + b"\n" for line in lines)).hexdigest()


def environment(name):
    return os.environb.get(name.encode())


def seal(data, base, env=environment, secret=None, listings=True):
    """A project's text (or its object) as a manifest. Relative paths are below base."""
    project = parse_json(data) if isinstance(data, bytes) else data
    try:
        return Sealer(project, os.fsencode(base), env, secret).seal(listings)
    except OSError as error:
        raise OracleError("io", error.filename, str(error), error.errno or 5) from None


# Manifests that are there.


def parse(data):
    """A well-formed manifest as (head, images); an image is (line, stages), a stage is
    (line, inputs), an input is (line, Listing or None). For what is checked see verify()."""
    head, images = None, []
    for _, line, texts in split(data):
        if head is None:
            head = line
            continue
        tree = listing.parse("".join(t + "\n" for t in texts).encode()) if texts else None
        if "input" in line:
            images[-1][1][-1][1].append((line, tree))
        elif "stage" in line:
            images[-1][1].append((line, []))
        else:
            images.append((line, []))
    return head, images


def split(data):
    """Each JSON line as (number, object, the lines of the listing behind it)."""
    found = []
    for number, text in enumerate(data.decode("utf-8").split("\n")[:-1], 1):
        if text.startswith("{"):
            found.append((number, parse_json(text.encode()), []))
        elif not found:
            refuse("no object in the first line")
        else:
            found[-1][2].append(text)
    return found


def keys(data):
    """The keys of a manifest, computed again from its own lines: (image, stage) -> key."""
    head, images = parse(data)
    found = {}
    for image, stages in images:
        previous = None
        for stage, inputs in stages:
            previous = key(head, image["scope"], previous, stage, [line for line, _ in inputs])
            found[image["image"], stage["stage"]] = previous
    return found


def told_keys(data):
    """The keys as they stand in a manifest."""
    _, images = parse(data)
    return {(i["image"], s["stage"]): s["info"]["key"] for i, stages in images for s, _ in stages}


# The strict reader. A line is checked by its members: which there must and may be, and a
# test of each.


def wants(condition, reason):
    if not condition:
        refuse(reason)


def is_bytes(value):
    if isinstance(value, str):
        return "\0" not in value
    if not isinstance(value, dict) or set(value) != {"base64"} or not isinstance(value["base64"], str):
        return False
    return not check_base64(value["base64"]) and from_bytes(to_bytes(value)) == value and b"\0" not in to_bytes(value)


def is_some_bytes(value):
    return is_bytes(value) and value != ""


def is_strings(value):
    return isinstance(value, list) and all(map(is_bytes, value))


def is_patterns(value):
    if not is_strings(value) or not value:
        return False
    try:
        return bool(gitignore.Excludes([to_bytes(p) for p in value]))
    except OracleError:
        return False


def is_paths(value):
    if not is_strings(value) or not value:
        return False
    for pattern in map(to_bytes, value):
        try:
            check_pattern(pattern)
        except OracleError:
            return False
        if b"/".join(components(pattern)) != pattern:
            return False
    return True


def is_set(value):
    return is_strings(value) and list(map(to_bytes, value)) == sorted(set(map(to_bytes, value)))


def is_fields(value):
    try:
        return isinstance(value, str) and spell_fields(value) == value
    except OracleError:
        return False


def is_number(below):
    return lambda value: TYPES["integer"](value) and 0 <= value < below


def is_hex(digits):
    return lambda value: isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value)


def follows(path):
    """A test by the schema's word for a member of a definition."""
    name, member = path.split(".")
    return lambda value: matches(value, definition(name)["properties"][member])


def is_results(value):
    digest = is_hex("32}|[0-9a-f]{64")
    return isinstance(value, dict) and all(matches(n, definition("name")) and (d is None or digest(d)) for n, d in value.items())


def is_true(value):
    return value is True


def is_reads(value):
    return isinstance(value, list) and bool(value) and all(map(is_read, value))


def is_read(value):
    return (isinstance(value, dict) and {"root"} <= set(value) <= {"root", "exclude", "method"} and is_some_bytes(value["root"])
            and (not value["root"].startswith("/") or value["root"] == "/" if isinstance(value["root"], str) else True)
            and is_patterns(value.get("exclude", ["x"]))
            and value.get("method") != "declared" and matches(value.get("method", "x"), definition("name")))  # fmt: skip


def is_label(value):
    return is_some_bytes(value) and (not to_bytes(value).startswith(b"/") or value == "/")


def anything(value):
    return True


HEAD = {"imagecache": lambda v: v == "manifest", "version": lambda v: same_json(v, 1), "name": follows("project.name"),
        "builder": follows("project.builder"), "digest": follows("project.digest")}  # fmt: skip
HEAD_INFO = {"lines": is_number(1 << 53), "listings": TYPES["boolean"], "max_append": follows("project.max_append")}
IMAGE = {"image": follows("image.image"), "scope": follows("image.scope")}
STAGE = {"stage": follows("stage.stage")}
STAGE_MAY = {"previous": lambda v: v == "output", "reads": is_reads,
             "results": lambda v: v != ["root"] and follows("stage.results")(v)}  # fmt: skip
STAGE_INFO = {"key": is_hex(64), "snapshot": follows("stage.snapshot"),
              "max_age_seconds": lambda v: v is None or follows("stage.max_age_seconds")(v)}  # fmt: skip
COUNTS = {"bytes": is_number(1 << 53), "entries": is_number(1 << 53)}
LABEL = {"label": is_label}
OWNERS = {"uid": follows("tree.uid"), "gid": follows("tree.gid"), "target": is_some_bytes}
VALUES = {
    "option": ({"value": anything}, {}),
    "digest": ({"value": is_bytes}, {}),
    "env": ({"value": lambda v: v is None or is_bytes(v)}, {}),
    "list": ({"items": is_strings}, {}),
    "set": ({"items": is_set}, {"append": is_true}),
}
TREES = {
    "tree": ({"fields": is_fields}, {**OWNERS, "exclude": is_patterns, "kind": follows("tree.kind"),
                                     "one_filesystem": is_true, "ignore_root": is_true}),
    "file": ({"fields": is_fields}, OWNERS),
    "files": ({"fields": is_fields, "paths": is_paths}, {**OWNERS, "exclude": is_patterns}),
}  # fmt: skip


def check_line(line, must, may, info):
    """A line of given members; info None is a line without it."""
    given = {**may, **must, **({"info": None} if info else {})}
    wants(set(must) <= set(line) <= set(given), "unknown or missing members")
    wants(("info" in line) == bool(info), "info")
    for name, value in line.items():
        if name != "info":
            wants(given[name](value), f"the member {name}")
    if info:
        wants(isinstance(line["info"], dict) and set(line["info"]) == set(info), "members of info")
        for name, value in line["info"].items():
            wants(info[name](value), f"the member {name} of info")


def check_input_line(line, algorithm):
    common = {"input": follows("env.input" if line.get("type") == "env" else "option.input"), "type": anything}
    may = {"on_change": lambda v: v in ON_CHANGE_NOT_IN_KEY}
    kind = line.get("type")
    if kind == "image":
        by_output = {"by": lambda v: v == "output", "results": is_results}
        check_line(line, {**common, **(by_output if "by" in line else {"key": is_hex(64)})}, may,
                   {"image": follows("link.image"), "stage": follows("link.stage")})  # fmt: skip
        return
    wants(isinstance(kind, str) and kind in {**VALUES, **TREES}, "the type")
    if "secret" in line:
        check_line(line, {**common, "secret": is_true, "hmac": is_hex(64)}, may, LABEL if kind in ("tree", "file") else None)
    elif kind in VALUES:
        must, more = VALUES[kind]
        check_line(line, {**common, **must}, {**may, **more}, None)
    else:
        must, more = TREES[kind]
        present = {"absent": is_true} if "absent" in line else {"digest": is_hex({"xxh128": 32, "sha256": 64}[algorithm])}
        check_line(line, {**common, **must, **present}, {**may, **more}, COUNTS if kind == "files" else {**COUNTS, **LABEL})


class Verifier:
    """Reads line by line; self.at is the line that a refusal is about."""

    def __init__(self, data):
        self.at = 1
        self.data = data
        self.images = {}  # image -> {stage: key}
        self.image = self.stage = None

    def run(self):
        wants(self.data.endswith(b"\n"), "no line feed at the end")
        lines = split(self.data)
        for self.at, line, texts in lines:
            wants(canonical(line) == self.data.split(b"\n")[self.at - 1], "not canonical")
        self.head = lines[0][1]
        self.at = 1
        check_line(self.head, HEAD, {}, HEAD_INFO)
        wants(not lines[0][2], "a listing without its tree")
        wants(self.head["info"]["lines"] == self.data.count(b"\n") - 1, "lines")
        for self.at, line, texts in lines[1:]:
            if "input" in line:
                self.input(line, texts)
                continue
            wants(not texts, "a listing without its tree")
            self.end_stage()
            if "stage" in line:
                self.begin_stage(line)
            else:
                self.begin_image(line)
        self.end_stage()
        wants(not self.image or self.images[self.image], "an image without stages")

    def begin_image(self, line):
        check_line(line, IMAGE, {}, {"outputs": is_strings})
        wants(not self.image or self.images[self.image], "an image without stages")
        wants(line["image"] not in self.images, "a name twice")
        self.image, self.scope, self.previous = line["image"], line["scope"], None
        self.images[self.image] = {}

    def begin_stage(self, line):
        check_line(line, STAGE, STAGE_MAY, {**STAGE_INFO, **({"previous": is_results} if "previous" in line else {})})
        wants("previous" not in line or self.previous, "no stage before")
        wants(self.image and line["stage"] not in self.images[self.image], "a name twice")
        self.stage, self.inputs, self.stage_at = line, {}, self.at

    def end_stage(self):
        if self.stage:
            wanted = key(self.head, self.scope, self.previous, self.stage, list(self.inputs.values()))
            told = self.stage["info"]["key"]
            self.at, at = self.stage_at, self.at
            wants(told == wanted, "the key")
            self.at = at
            self.previous = self.images[self.image][self.stage["stage"]] = told
        self.stage = None

    def input(self, line, texts):
        wants(self.stage, "an input without its stage")
        check_input_line(line, self.head["digest"])
        wants(line["input"] not in self.inputs, "a name twice")
        self.inputs[line["input"]] = line
        if line["type"] == "image":
            info = line["info"]
            wants(info["image"] != self.image and info["stage"] in self.images.get(info["image"], {}), "no such stage")
            wants("by" in line or self.images[info["image"]][info["stage"]] == line["key"], "another key than the stage's")
        self.tree(line, texts)

    def tree(self, line, texts):
        expected = "digest" in line and self.head["info"]["listings"]
        wants(bool(texts) == expected, "a listing missing or too many")
        if "absent" in line:
            wants(line["info"]["bytes"] == line["info"]["entries"] == 0, "what is absent is empty")
        if not texts:
            return
        data = "".join(t + "\n" for t in texts).encode()
        tree = listing.parse(data)
        wants(tree.digest() == line["digest"] and tree.algorithm == self.head["digest"], "the digest")
        wants(tree.fields == listing.parse_fields(line["fields"]), "the fields")
        wants(line["info"]["entries"] == len(tree.entries), "entries")
        wants(line["info"]["bytes"] == sum(int(a.get("size", 0)) for _, a in tree.entries), "bytes")


def verify(data):
    """None for a manifest that could have been written so, else OracleError."""
    verifier = Verifier(data)
    try:
        verifier.run()
    except (UnicodeDecodeError, OracleError) as error:
        raise OracleError("syntax", None, f"manifest:{verifier.at}: {error}") from None


def rekey(data):
    """A manifest with all counts of lines and keys as they would be, for damage that these
    alone would show: None where that cannot be said."""
    lines = split(data)
    head, images, previous = lines[0][1], {}, None
    head["info"]["lines"] = data.count(b"\n") - 1
    stages = []
    for _, line, _ in lines[1:]:
        if "stage" in line:
            stages.append((scope, line, []))
        elif "input" in line:
            stages[-1][2].append(line)
        else:
            scope = line["scope"]
            image = images[line["image"]] = []
        if "stage" in line:
            image.append(stages[-1])
    for name, own in images.items():
        previous = None
        for scope, stage, inputs in own:
            for line in inputs:
                if line.get("type") == "image":
                    target = [s for s in images[line["info"]["image"]] if s[1]["stage"] == line["info"]["stage"]]
                    line["key"] = target[0][1]["info"]["key"]
            previous = stage["info"]["key"] = key(head, scope, previous, stage, inputs)
    return b"".join(canonical(line) + b"\n" + "".join(t + "\n" for t in texts).encode() for _, line, texts in lines)
