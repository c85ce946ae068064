# Copyright (c) 2026 The dfr.continuity authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of JSON Schema that our own schemas use, with a sentence for every fault.

Hosts do not have the package ``jsonschema``, and its messages are made for programmers. A test holds this against it.
"""

from __future__ import annotations

import math
import re
import typing as t

from .text import one_line, shown

Schema = t.Mapping[str, t.Any]

_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}
_KNOWN = {
    "$ref",
    "type",
    "const",
    "enum",
    "pattern",
    "minLength",
    "minimum",
    "required",
    "properties",
    "additionalProperties",
    "items",
}
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "object": ((dict,), "an object"),
    "array": ((list,), "a list"),
    "string": ((str,), "a text"),
    "boolean": ((bool,), "true or false"),
    "integer": ((int,), "a whole number"),
    "number": ((int, float), "a number"),
}


def faults(document: t.Any, schema: Schema) -> list[str]:
    """Return one sentence for each fault of a document, with the place it is at, in the order of the document."""
    return list(_faults(document, schema, schema, ""))


def _faults(value: t.Any, schema: Schema, root: Schema, place: str) -> t.Iterator[str]:
    unknown = schema.keys() - _KNOWN - _ANNOTATIONS
    if unknown:
        raise ValueError(f"This program does not know {sorted(unknown)} of JSON Schema.")
    if "$ref" in schema:
        yield from _faults(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, place)
        return
    what = place or "The document"
    if "const" in schema and value != schema["const"]:
        yield f"{what} is {shown(value)}, not {schema['const']}."
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{what} is {shown(value)}, not one of {', '.join(schema['enum'])}."
    elif "type" in schema and not _is(value, schema["type"]):
        yield f"{what} is {shown(value)}, not {_TYPES[schema['type']][1]}."
    elif isinstance(value, str):
        yield from _text_faults(value, schema, what)
    elif isinstance(value, dict):
        yield from _object_faults(value, schema, root, place)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _faults(item, schema.get("items", {}), root, f"{place}[{number}]")
    elif "minimum" in schema and value < schema["minimum"]:
        yield f"{what} is {shown(value)}, less than {schema['minimum']}."


def _is(value: t.Any, kind: str) -> bool:
    if isinstance(value, bool) and kind != "boolean":
        return False
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()  # JSON does not tell 1.0 from 1
    return isinstance(value, _TYPES[kind][0])


def _text_faults(value: str, schema: Schema, what: str) -> t.Iterator[str]:
    # `$` would let a line break at the end pass.
    if "pattern" in schema and not re.fullmatch(schema["pattern"].removeprefix("^").removesuffix("$"), value):
        yield f"{what} is {shown(value)}, which does not have the form {schema['pattern']}."
    elif len(value) < schema.get("minLength", 0):
        yield f"{what} is empty."


def _object_faults(value: dict[t.Any, t.Any], schema: Schema, root: Schema, place: str) -> t.Iterator[str]:
    prefix = f"{place}." if place else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{prefix}{name} is missing."
    properties = schema.get("properties", {})
    for name, item in value.items():
        if name in properties:
            yield from _faults(item, properties[name], root, f"{prefix}{name}")
        elif schema.get("additionalProperties") is False:
            yield f"{prefix}{one_line(str(name))[:60]} is not known."
