"""JSON Schemas of the shapes that every part of the document is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]


def members(properties: Mapping[str, Json] | None = None, /, **more: Json) -> Json:
    """An object of exactly these members: the report always writes every key."""
    every = {**(properties or {}), **more}
    return {
        "type": "object",
        "properties": every,
        "required": sorted(every),
        "additionalProperties": False,
    }


def list_of(items: Json) -> Json:
    """A list whose entries all have this schema."""
    return {"type": "array", "items": items}


def optional(schema: Json) -> Json:
    """``null``, or what the schema describes."""
    return {"oneOf": [{"type": "null"}, schema]}
