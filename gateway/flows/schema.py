"""The JSON Schema (2020-12) of a flow's document: the table [flows.NAME] of a service file."""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from gateway.config.model import Seconds
from gateway.flows.definition import Variable
from gateway.flows.nodes import TYPES
from gateway.flows.trial import Trial

Json = dict[str, Any]

_DURATION: Json = {"type": ["string", "number"], "description": '"20s", "10m", "2h", "7d", or seconds'}
_SCALAR: Json = {"type": ["string", "number", "boolean"]}


def document() -> Json:
    fields = {
        name: [field for field in msgspec.structs.fields(node) if field.name not in node.hidden]
        for name, node in TYPES.items()
    }
    wanted = [field.type for each in fields.values() for field in each]
    found, components = msgspec.json.schema_components(
        [*wanted, Variable, Trial], schema_hook=_hook, ref_template="#/$defs/{name}"
    )
    *schemas, variable, trial = found
    left = iter(schemas)
    choices = []
    for name, each in fields.items():
        components[f"node:{name}"] = {
            "type": "object",
            "description": _about(name),
            "properties": {
                "type": {"const": name},
                **{field.encode_name: next(left) for field in each},
            },
            "required": ["type", *(field.encode_name for field in each if field.required)],
            "additionalProperties": False,
        }
        choices.append({"if": _typed({"const": name}), "then": {"$ref": f"#/$defs/node:{name}"}})
    method: Json = {"type": "string", "pattern": r"^[^.]+\.[^.]+$", "description": "INTEGRATION.METHOD"}
    known: Json = {"anyOf": [{"enum": list(TYPES)}, method]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A flow of trunkline",
        "type": "object",
        "required": ["start", "nodes"],
        "additionalProperties": False,
        "properties": {
            "start": {"type": "string", "description": "the first node"},
            "nodes": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "additionalProperties": {
                    "type": "object",
                    "required": ["type"],
                    "properties": {"type": known},
                    "allOf": choices,
                },
            },
            "variables": {"type": "object", "additionalProperties": {"anyOf": [_SCALAR, variable]}},
            "key": {"type": "string", "description": "a session key, such as $(custom.order)"},
            "key_within": _DURATION,
            "integrations": {"type": "object"},
            "draft": {"type": "boolean"},
            "note": {"type": "string"},
            "author": {"type": "string"},
            "tests": {"type": "array", "items": trial},
        },
        "$defs": components,
    }


def _typed(schema: Json) -> Json:
    return {"properties": {"type": schema}}


def _about(name: str) -> str:
    """The first line of its module, which says what it is for."""
    doc = sys.modules[TYPES[name].__module__].__doc__ or ""
    return doc.partition("\n\n")[0].replace("\n", " ")


def _hook(kind: type) -> Json:
    if kind is Seconds:
        return _DURATION
    raise NotImplementedError
