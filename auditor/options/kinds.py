"""How the value of an option is read: one reader for the command line, a settings file and a Python caller.

A reader takes text as well as what it made of text, so that a value may be read again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from auditor.choices import suggestion
from auditor.options.panels import VALUES, values

Schema = Mapping[str, Any]
_TEXT: Schema = {"type": "string", "minLength": 1}
_WORD_LIST: Schema = {"type": "array", "items": _TEXT}
_NUMBER_OR_TEXT: Schema = {"type": ["number", "string"]}


class Kind:
    """A kind of value.

    ``read`` checks a value and raises ValueError with what it must be; ``typed`` makes the plain value, as a settings
    file has it, of what a shell hands over. ``words`` are what a shell completes, ``listed`` those that help lists, by
    the metavar that stands for them. A ``switch`` has no value behind its flag, and a ``repeatable`` one may be given
    several times. A ``path`` may be relative to a folder.
    """

    __slots__ = ("listed", "metavar", "path", "read", "repeatable", "schema", "switch", "typed", "words")

    def __init__(
        self,
        metavar: str | None,
        read: Callable[[Any], Any],
        *,
        typed: Callable[[Any], object] = lambda value: value,
        schema: Schema = _TEXT,
        switch: bool = False,
        repeatable: bool = False,
    ) -> None:
        self.metavar, self.read, self.typed, self.schema = metavar, read, typed, schema
        self.words = values(metavar or "")
        self.listed = {word: VALUES[word] for word in re.split("[|=]", metavar or "") if word in VALUES}
        self.switch, self.repeatable, self.path = switch, repeatable, False


def text(metavar: str, path: bool = False) -> Kind:
    """Any text; a ``path`` may be one of a file or folder."""
    kind = Kind(metavar, str)
    kind.path = path
    return kind


def file(metavar: str) -> Kind:
    """The path of a file or folder."""

    def read(value: object) -> Path:
        if not isinstance(value, str | os.PathLike) or not str(value):
            raise ValueError("must be the path of a file")
        return Path(value)

    kind = Kind(metavar, read)
    kind.path = True
    return kind


def switch() -> Kind:
    """On or off."""

    def read(value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value

    return Kind(None, read, schema={"type": "boolean"}, switch=True)


def choice(metavar: str, words: tuple[str, ...] = ()) -> Kind:
    """One of these words, or of those that the metavar stands for."""
    known = words or values(metavar)

    def read(value: object) -> str:
        word = getattr(value, "value", value)
        if word not in known:
            hint = suggestion(word, known) if isinstance(word, str) else ""
            raise ValueError(f"must be one of {', '.join(known)}{hint}")
        return str(word)

    kind = Kind(metavar, read, schema={"enum": list(known)})
    kind.words, kind.listed = known, {metavar: words} if words else kind.listed
    return kind


def parsed(metavar: str, parse: Callable[[str], Any], must: str, made: type = str, schema: Schema = _TEXT) -> Kind:
    """Text that a function reads, or raises ValueError. What is of the type ``made`` was read before."""

    def read(value: object) -> Any:
        if isinstance(value, made) and made is not str:
            return value
        try:
            return parse(str(value))
        except (ValueError, ZeroDivisionError, OverflowError):
            raise ValueError(f"must be {must}{suggestion(str(value), values(metavar))}") from None

    return Kind(metavar, read, schema=schema)


def whole(metavar: str, least: int, must: str = "", most: int | None = None) -> Kind:
    """A whole number from ``least`` on, at most ``most``."""

    def parse(word: str) -> int:
        if int(word) < least or (most is not None and int(word) > most):
            raise ValueError
        return int(word)

    schema: Schema = {"type": ["integer", "string"], "minimum": least}
    if most is not None:
        return parsed(metavar, parse, f"a whole number from {least} to {most}", schema={**schema, "maximum": most})
    return parsed(metavar, parse, must or f"a whole number of {least} or more", schema=schema)


def number(metavar: str, least: float, below: float = float("inf"), must: str = "") -> Kind:
    """A finite number of ``least`` or more, and below ``below``."""

    def parse(word: str) -> float:
        if not (least <= float(word) < below and float(word) > float("-inf")):
            raise ValueError
        return float(word)

    bounds: Schema = {} if least == float("-inf") else {"minimum": least}
    bounds = bounds if below == float("inf") else {**bounds, "exclusiveMaximum": below}
    return parsed(metavar, parse, must or f"a number of {least:g} or more", schema={**_NUMBER_OR_TEXT, **bounds})


def share(metavar: str, must: str = "a number between 0 and 1", up_to_one: bool = False) -> Kind:
    """A number above 0 and below 1, or 1 too with ``up_to_one``."""

    def parse(word: str) -> float:
        if not 0 < float(word) <= 1 or (float(word) == 1 and not up_to_one):
            raise ValueError
        return float(word)

    return parsed(metavar, parse, must, schema=_NUMBER_OR_TEXT)


def numbers(metavar: str, above: float = float("-inf")) -> Kind:
    """One number, or one per channel."""

    def parse(word: str) -> float:
        if not above < float(word) < float("inf"):
            raise ValueError
        return float(word)

    bound = "" if above == float("-inf") else f" above {above:g}"

    def read(value: object) -> tuple[float, ...]:
        try:
            return tuple(parse(word) for word in _split(value))
        except ValueError:
            raise ValueError(
                f"must be one number{bound}, or one per channel separated by commas, such as 0.5,0.5,0.5"
            ) from None

    return Kind(metavar, read, schema={"type": ["number", "string", "array"]})


def words(metavar: str, strict: bool = False, path: bool = False) -> Kind:
    """Words, separated by commas or one per use of the flag; a ``strict`` settings file has a list of them."""
    kind = Kind(metavar, _listed if strict else _split, typed=_split, repeatable=True)
    kind.schema = _WORD_LIST if strict else {"type": ["string", "array"]}
    kind.path = path
    return kind


def folders(metavar: str) -> Kind:
    """Folders, one per use of the flag."""
    return Kind(metavar, _listed, schema=_WORD_LIST, repeatable=True)


def versioned(metavar: str) -> Kind:
    """Words with a range of versions, such as ``tensorrt>=10,<11``; a comma in front of a comparison belongs to it."""

    def split(value: object) -> tuple[str, ...]:
        parts = (part.strip() for word in _listed(value) for part in re.split(r",(?!\s*[<>=])", word))
        return tuple(part for part in parts if part)

    return Kind(metavar, split, typed=split, schema={"type": "array", "items": _TEXT}, repeatable=True)


def names(metavar: str) -> Kind:
    """Names as they are, one per use of the flag: they may hold commas."""

    def read(value: object) -> tuple[str, ...]:
        if isinstance(value, str) or not isinstance(value, Collection):
            raise TypeError(f"must be a list of names such as [{value!r}]")
        return tuple(value)

    return Kind(metavar, read, schema=_WORD_LIST, repeatable=True)


def height_width(metavar: str) -> Kind:
    """A height and a width."""

    def parse(word: str) -> tuple[int, int]:
        sides = re.fullmatch(r"([1-9][0-9]{0,4})(?:x([1-9][0-9]{0,4}))?", word)
        if sides is None:
            raise ValueError
        return int(sides[1]), int(sides[2] or sides[1])

    must = "a height and a width in pixels such as 224x320, or one number for both"
    return parsed(metavar, parse, must, tuple, _NUMBER_OR_TEXT)


def side_lengths(metavar: str) -> Kind:
    """One to three side lengths, outermost first; one number stands for all sides."""

    def parse(word: str) -> tuple[int, ...]:
        if re.fullmatch(r"[1-9][0-9]{0,5}(x[1-9][0-9]{0,5}){0,2}", word) is None:
            raise ValueError
        return tuple(map(int, word.split("x")))

    return parsed(
        metavar, parse, "sizes in pixels such as 512x768, or one number for all sides", tuple, _NUMBER_OR_TEXT
    )


def memory(metavar: str) -> Kind:
    """A number of bytes with a unit, such as 8GB (10^9) or 512MiB (2^20)."""

    def parse(word: str) -> int:
        found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]+)?) ?(?:([KMGT])(i)?)?B?", word, re.IGNORECASE)
        if found is None:
            raise ValueError
        power = "KMGT".index(found[2].upper()) + 1 if found[2] else 0
        amount = int(float(found[1]) * (1024 if found[3] else 1000) ** power)
        if amount < 1:
            raise ValueError
        return amount

    return parsed(metavar, parse, "an amount of memory such as 8GB or 512MiB", schema=_NUMBER_OR_TEXT)


def fraction(metavar: str) -> Kind:
    """A number above 0, or a fraction of two."""

    def parse(word: str) -> float:
        above, _, below = word.partition("/")
        value = float(above) / float(below or 1)
        if not 0 < value < float("inf"):
            raise ValueError
        return value

    return parsed(metavar, parse, "a number or a fraction such as 1/255", schema=_NUMBER_OR_TEXT)


def constants(metavar: str) -> Kind:
    """Numbers by name: ``NAME=NUMBER``, several separated by commas."""

    def read(value: object) -> Mapping[str, float]:
        pairs = value.items() if isinstance(value, Mapping) else [word.rpartition("=")[::2] for word in _split(value)]
        try:
            table = {str(name): float(word) for name, word in pairs}
        except ValueError:
            raise ValueError("must be NAME=NUMBER with a number behind the equals sign") from None
        if "" in table:
            raise ValueError("must be NAME=NUMBER")
        return table

    return Kind(metavar, read, schema={"type": ["string", "array"]}, repeatable=True)


def shapes(metavar: str) -> Kind:
    """The full shapes of inputs by name: ``NAME=1x3x224x224``. Names may hold ``=``, shapes never do."""

    def typed(texts: Sequence[str]) -> dict[str, str]:
        table = {}
        for word in texts:
            name, equals, shape = word.rpartition("=")
            if not equals or not name:
                raise ValueError(f'{word}: write the input\'s name and its shape, as in "image=1x3x224x224"')
            table[name] = shape
        return table

    def read(value: object) -> dict[str, tuple[int, ...]]:
        if not isinstance(value, dict):
            raise ValueError("must be a table")
        return {name: _shape(name, entry) for name, entry in value.items()}

    one_shape: Schema = {
        "oneOf": [
            {"type": "string", "pattern": "^[0-9]{1,9}(x[0-9]{1,9})*$"},
            {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
        ]
    }
    schema = {"type": "object", "additionalProperties": one_shape}
    return Kind(metavar, read, typed=typed, schema=schema, repeatable=True)


def _shape(name: str, value: object) -> tuple[int, ...]:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(x[0-9]{1,9})*", value):
        value = [int(part) for part in value.split("x")]
    sizes = value if isinstance(value, list | tuple) else []
    if not sizes or not all(isinstance(part, int) and not isinstance(part, bool) and part > 0 for part in sizes):
        raise ValueError(f'entry "{name}" must be a shape of positive sizes such as 1x3x224x224')
    return tuple(sizes)


def whole_bytes(metavar: str, least: int) -> Kind:
    """A number of bytes."""

    def parse(word: str) -> int:
        if not word.isdecimal() or int(word) < least:
            raise ValueError
        return int(word)

    return parsed(metavar, parse, f"a number of bytes, at least {least}", schema=_NUMBER_OR_TEXT)


def day(metavar: str) -> Kind:
    """A day as ``YYYY-MM-DD``."""
    return Kind(metavar, read_day)


def read_day(value: object) -> date:
    """A day as ``YYYY-MM-DD``.

    Raises:
        ValueError: It is not a day of the calendar in that form.
    """
    if type(value) is date:  # a date-time is a date too, but one that ends in the middle of a day
        return value
    try:
        # Newer versions of Python read other spellings too.
        if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("must be a day such as 2027-01-31")


def _listed(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) and word for word in value):
        raise ValueError("must be a list of words")
    return tuple(value)


def _split(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list | tuple) else [value]
    return tuple(word.strip() for part in parts for word in str(part).split(",") if word.strip())
