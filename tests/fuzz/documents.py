"""Mutants of text documents: JSON, plain or compressed, TOML, and tables of comma-separated values."""

from __future__ import annotations

import gzip
import json
from random import Random
from typing import Any

from auditor.verify.shard import sealed
from tests.fuzz.messages import faulty_bytes

_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    1e308,
    -1e-320,
    1 << 63,
    10**40,
    "",
    "x",
    "\x1b[31m::error::x",
    "\u202e\ud800",
    "a\0b",
    "/",
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"$": "tuple", "items": [1]},
)
_LINES = (
    'select = ["AA101"]',
    "select = 5",
    "[tool]",
    "[[tool]]",
    "[rule.AA101]",
    'x = "unclosed',
    "a.b.c = 1",
    "fail-on = []",
    "\x00",
    "\ufeff",
    "x = [" * 300,
    ",,,,",
    '"',
    "é\u2028",
    "9" * 5000,
    "1e999",
    "images-limit = -1",
    'baseline = "a\\u0000b"',
    'baseline = "."',
    'custom-ops = ["\\u0000"]',
    'images = "\\u0000"',
    'labels = "."',
    'preset = "\\u0000"',
    "max-megapixels = nan",
    "seed = 1979-05-27T07:32:00Z",
)


def mutated_json(data: bytes, chance: Random) -> bytes:
    """A mutant of a JSON document, mostly one that can be parsed; compressed where the document is."""
    compressed = data[:2] == b"\x1f\x8b"
    if chance.random() < 0.1:
        return faulty_bytes(data, chance)
    plain = gzip.decompress(data) if compressed else data
    if chance.random() < 0.1:
        mutant = faulty_bytes(plain, chance)
    else:
        document = json.loads(plain)
        for _ in range(chance.randint(1, 3)):
            document = _fault(document, chance)
        mutant = json.dumps(document, sort_keys=True).encode("ascii")
    return gzip.compress(mutant, mtime=0) if compressed else mutant


def mutated_shard(data: bytes, chance: Random) -> bytes:
    """A mutant of a shard whose checksum is right, as somebody who means harm writes it."""
    compressed = data[:2] == b"\x1f\x8b"
    document = json.loads(gzip.decompress(data) if compressed else data)
    for _ in range(chance.randint(1, 3)):
        document = _fault(document, chance)
    if isinstance(document, dict):
        document = sealed(document)
    mutant = json.dumps(document, sort_keys=True).encode("ascii")
    return gzip.compress(mutant, mtime=0) if compressed else mutant


def mutated_state(data: bytes, chance: Random) -> bytes:
    """A mutant of what a search has measured, mostly one that is of the same search, so that all of it is read."""
    if chance.random() < 0.1:
        return mutated_json(data, chance)
    document = json.loads(data)
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.6:
            _other_value(document["trials"], chance)
        else:
            document["trials"] = _fault(document["trials"], chance)
    return json.dumps(document, sort_keys=True).encode("ascii")


def _other_value(document: Any, chance: Random) -> None:
    """Put another number in the place of a number, or another text in that of a text: what no type tells apart."""
    leaves = [
        place for place in _places(document) if not isinstance(place[1][place[2]], (dict, list, bool, type(None)))
    ]
    if leaves:
        _, around, key = chance.choice(leaves)
        kind = str if isinstance(around[key], str) else (int, float)
        around[key] = chance.choice([value for value in _VALUES if isinstance(value, kind) and value is not True])


def mutated_lines(data: bytes, chance: Random) -> bytes:
    """A mutant of a text of lines, such as settings or a table."""
    if chance.random() < 0.2:
        return faulty_bytes(data, chance)
    lines = data.decode("utf-8").splitlines()
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(lines) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            lines[place:place] = [chance.choice(_LINES)]
        elif kind == 1 and lines:
            lines[place:place] = [chance.choice(lines)]
        elif kind == 2:
            del lines[place : place + 1]
        elif kind == 3 and lines:
            lines[place % len(lines)] = faulty_bytes(lines[place % len(lines)].encode("utf-8"), chance).decode(
                "latin-1"
            )
        elif kind == 4 and lines:
            head, sign, _ = lines[place % len(lines)].partition("=")
            lines[place % len(lines)] = f"{head}{sign or ','} {_written(chance)}"
        elif kind == 5 and lines:
            cells = lines[place % len(lines)].split(",")
            cells[chance.randrange(len(cells))] = chance.choice(("", "-1", "9" * 30, "nan", '"', "../x", "\t"))
            lines[place % len(lines)] = ",".join(cells)
        else:
            chance.shuffle(lines)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _written(chance: Random) -> str:
    return json.dumps(chance.choice([value for value in _VALUES if not isinstance(value, dict)]))


def _value(chance: Random) -> Any:
    return json.loads(json.dumps(chance.choice(_VALUES)))  # a copy, which the next fault may change


def _fault(document: Any, chance: Random) -> Any:
    """The document with one fault at a random place, every depth as likely."""
    places = list(_places(document))
    if not places:
        return _value(chance)
    depth = chance.choice(sorted({depth for depth, _, _ in places}))
    _, around, key = chance.choice([place for place in places if place[0] == depth])
    kind = chance.randrange(6)
    if kind <= 1:
        around[key] = _value(chance)
    elif kind == 2:
        del around[key]
    elif kind == 3:
        _, other, name = chance.choice(places)
        around[key] = json.loads(json.dumps(other[name]))
    elif kind == 4 and isinstance(around, dict):
        around[chance.choice(("", "x", "$", f"{key}x"))] = around.pop(key)
    elif isinstance(around, list):
        around += [json.loads(json.dumps(around[key])) for _ in range(chance.choice((1, 3, 50)))]
    elif isinstance(around[key], (int, float)) and not isinstance(around[key], bool):
        around[key] = chance.choice((-around[key], around[key] + 1, around[key] * 1e6, str(around[key])))
    else:
        around[key] = [around[key]]
    return document


def _places(value: Any, depth: int = 0) -> Any:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield depth, value, key
        yield from _places(item, depth + 1)
