# SPDX-License-Identifier: LGPL-2.1-or-later
"""The part of JSON Schema that doc/plan.schema.json uses. check() raises ValueError."""

TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
KNOWN = {
    "$schema", "$id", "$defs", "$ref", "title", "description", "type", "enum", "const", "pattern", "properties",
    "required", "additionalProperties", "items", "anyOf", "minItems",
}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def check(schema, value, root=None, place="$"):
    import re

    root = root or schema
    if unknown := set(schema) - KNOWN:
        raise ValueError(f"{place}: this checker does not know {sorted(unknown)}")
    if "$ref" in schema:
        check(root["$defs"][schema["$ref"].rpartition("/")[2]], value, root, place)
    if "anyOf" in schema:
        faults = []
        for one in schema["anyOf"]:
            try:
                check(one, value, root, place)
                break
            except ValueError as fault:
                faults.append(str(fault))
        else:
            raise ValueError(f"{place}: none of: {faults}")
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        if not any(is_type(value, name) for name in names):
            raise ValueError(f"{place}: {value!r} is not of type {names}")
    if "const" in schema and value != schema["const"]:
        raise ValueError(f"{place}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise ValueError(f"{place}: {value!r} is none of {schema['enum']}")
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        raise ValueError(f"{place}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value:
                raise ValueError(f"{place}: {name} is missing")
        for name, member in value.items():
            if name in properties:
                check(properties[name], member, root, f"{place}.{name}")
            elif schema.get("additionalProperties") is False:
                raise ValueError(f"{place}: {name} is not expected")
            elif isinstance(schema.get("additionalProperties"), dict):
                check(schema["additionalProperties"], member, root, f"{place}.{name}")
    if isinstance(value, list):
        if len(value) < schema.get("minItems", 0):
            raise ValueError(f"{place}: too short")
        for i, item in enumerate(value):
            if "items" in schema:
                check(schema["items"], item, root, f"{place}[{i}]")
