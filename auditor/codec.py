"""Documents made from values: written, read and described from the classes of these values, so a field stands once.

A class (a frozen dataclass or a :class:`msgspec.Struct`) is an object whose members are its fields. Two class
variables change that: ``unwritten`` names fields that no document holds, which need a default, and ``computed`` names
properties that are written beside the fields and ignored when they are read.

Written, enumerations are their values, text of a model is exact, and numbers have six decimals (below 0.001 six
significant digits); ``null`` is what is not known or not finite. Documents are ASCII with sorted keys, so that equal
values give equal bytes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from fractions import Fraction
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from auditor.text import ModelText, inert_json, plain

T = TypeVar("T")
Json: TypeAlias = dict[str, Any]

# Strides in a hostile file multiply to integers of thousands of digits, which Python refuses to print.
_LARGEST_INTEGER = 2**63
_FEW_DECIMALS = 1e-3  # a smaller number says too little with six decimals
_MOST_PARTS = 1000  # denominators that six decimals tell apart
_LONGEST_ERROR = 400


class DocumentError(ValueError):
    """A document that does not hold what it should. The message is one line that begins with the place."""


class Notation(type):
    """A type that documents write in a way of their own; everywhere else a value is one of ``types``.

    ``written`` are the types of JSON that it is written as, and ``read(value)`` is the way back, a ValueError where
    there is none.
    """

    types: tuple[type, ...]
    written: tuple[str, ...]
    read: Callable[[object], object]

    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, cls.types)


class LeftOut(Sequence[T]):
    """A long list that a document leaves out, and writes as an empty one: a file beside the document holds it."""

    __slots__ = ()


if TYPE_CHECKING:
    FloatOrNan: TypeAlias = float
    Scalar: TypeAlias = float | int | str
    Dimension: TypeAlias = int | ModelText | None
else:

    class FloatOrNan(metaclass=Notation):
        """A float that is NaN where nothing was measured: ``null`` in a document."""

        types = (float,)
        written = ("number", "null")

        @staticmethod
        def read(written):
            return math.nan if written is None else float(_number(written))

    class Scalar(metaclass=Notation):
        """A number or our own words."""

        types = (float, int, str)
        written = ("number", "string", "null")

        @staticmethod
        def read(written):
            return written if isinstance(written, str) else math.nan if written is None else _number(written)

    class Dimension(metaclass=Notation):
        """A dimension of a tensor: a size, a symbol of the model, or None where nothing is said."""

        types = (int, ModelText, type(None))
        written = ("integer", "string", "null")

        @staticmethod
        def read(written):
            if isinstance(written, str):
                return ModelText(written)
            if isinstance(written, bool) or not isinstance(written, int | None):
                raise ValueError(f"Expected `int`, `str` or `null`, got `{type(written).__name__}`")
            return written


def builtins(value: object) -> Any:
    """The value as dictionaries, lists, numbers and text: what :func:`encode` writes.

    Raises:
        TypeError: Documents have no way to write it.
    """
    if value is None or (isinstance(value, (str, bool)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, ModelText):
        return value.raw
    if isinstance(value, (int, float, Fraction)):
        return number(value)
    if isinstance(value, (tuple, list)):
        return [builtins(item) for item in value]
    if isinstance(value, LeftOut):
        return []
    if isinstance(value, Mapping):
        return {_key(key): builtins(item) for key, item in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(builtins(item) for item in value)
    if isinstance(value, PurePath):
        return value.as_posix()
    kind: Any = type(value)
    return {name: builtins(getattr(value, field)) for name, field in _members(kind)}


def number(value: Fraction | float) -> int | float | None:
    """A number as documents write it; None where it is not finite. A share is never 0 or 1 where it is neither."""
    if not isinstance(value, float) and value.denominator == 1 and abs(value) < _LARGEST_INTEGER:
        return value.numerator
    try:
        real = float(value)
    except OverflowError:
        return None
    if not math.isfinite(real):
        return None
    if abs(real) < _FEW_DECIMALS:
        return float(f"{real:.6g}")
    rounded = round(real, 6)
    return 1 - 1e-6 if rounded == 1 and real < 1 else rounded


def text(document: object) -> str:
    """Plain dictionaries, lists, numbers and text as JSON that is inert wherever it is printed."""
    import json

    return inert_json(json.dumps(document, ensure_ascii=True, sort_keys=True, indent=1, allow_nan=False)) + "\n"


def encode(value: object) -> str:
    """The JSON document of a value, ending in a newline."""
    return text(builtins(value))


def parse(document: str | bytes) -> Any:
    """JSON as plain dictionaries, lists, numbers and text.

    Raises:
        DocumentError: It is not valid JSON.
    """
    import json

    try:
        return json.loads(document, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"is not valid JSON: {plain(' '.join(str(error).split()), 200)}") from error


def convert(plain_value: object, kind: type[T]) -> T:
    """The value of a class that plain dictionaries, lists, numbers and text describe.

    Raises:
        DocumentError: They do not, with the place: ``$.models[0].findings[2].severity: ...``.
        TypeError: The class has a field that documents have no way to write.
    """
    import msgspec

    try:
        return msgspec.convert(plain_value, kind, dec_hook=_read, str_keys=True)
    except (msgspec.ValidationError, OverflowError, RecursionError) as error:
        message, _, place = str(error).removesuffix("`").rpartition(" - at `")
        message, place = (message, place) if message else (str(error), "$")
        words = f"{message[0].lower()}{message[1:]}"
        raise DocumentError(plain(f"{place}: {words}", _LONGEST_ERROR)) from error
    except UnicodeEncodeError as error:  # JSON can write half a character, and msgspec compares names in UTF-8
        raise DocumentError("$: a name or a word holds half a character (a lone surrogate)") from error
    except NotImplementedError as error:
        raise TypeError(str(error)) from error


def decode(document: str | bytes, kind: type[T]) -> T:
    """The value of a class in a JSON document.

    Raises:
        DocumentError: The document is not valid JSON, or describes no such value; the message names the place.
        TypeError: As for :func:`convert`.
    """
    return convert(parse(document), kind)


def schema(kind: Any, *, whole: bool = True) -> Json:
    """The JSON Schema (draft 2020-12) of the documents of a class, described by the docstrings of its classes.

    ``whole``: every member is there and no other is, as in what :func:`encode` writes. Otherwise members with a default
    may be absent, as in what a person writes.

    Raises:
        TypeError: A class has a field that documents have no way to write.
    """
    import msgspec

    found = _classes(kind)
    hints = {owner: _computed(owner) for owner in found.values()}
    extra = [hint for computed in hints.values() for hint in computed.values()]
    (root, *others), components = msgspec.json.schema_components(
        [kind, *extra], schema_hook=_schema_hook, ref_template="#/$defs/{name}"
    )
    described = iter(others)
    for name, owner in found.items():
        definition = components[name]
        properties = definition["properties"]
        for field in getattr(owner, "unwritten", ()):
            del properties[field]
        properties |= {field: next(described) for field in hints[owner]}
        sentences = _sentences(owner)
        for field, member in properties.items():
            member.pop("default", None)
            words = " ".join(sentence for sentence in sentences if f"`{field}`" in sentence)
            if words and "description" not in member:
                properties[field] = {**member, "description": words}
        named = {f"`{field}`" for field in (*properties, *getattr(owner, "unwritten", ()))}
        general = (words for words in sentences if not any(name in words for name in named))
        definition["description"] = " ".join(general) or sentences[0]
        if whole:
            definition |= {"required": sorted(properties), "additionalProperties": False}
    for definition in components.values():
        definition["description"] = _plain_words(definition.get("description", ""))
    draft = "https://json-schema.org/draft/2020-12/schema"
    document: Json = _settled({"$schema": draft, **root, "$defs": _reached(root, components)})
    return document


def _settled(value: Any) -> Any:
    """A schema in the words that every version of Python and msgspec has: null last, nothing said of sets."""
    if isinstance(value, list):
        return [_settled(item) for item in value]
    if not isinstance(value, dict):
        return value
    ordered = {name: _settled(item) for name, item in value.items() if name != "uniqueItems"}
    if "anyOf" in ordered and isinstance(ordered["anyOf"], list):
        ordered["anyOf"] = sorted(ordered["anyOf"], key=lambda choice: choice == {"type": "null"})
    return ordered


def _reached(root: Json, components: Json) -> Json:
    """The definitions that a schema refers to; those of fields that are not written are none of them."""
    reached: Json = {}
    waiting = [root]
    while waiting:
        for name in re.findall(r"'#/\$defs/(\w+)'", str(waiting.pop())):
            if name not in reached:
                reached[name] = components[name]
                waiting.append(components[name])
    return dict(sorted(reached.items()))


def _read(kind: Any, written: object) -> object:
    if isinstance(kind, Notation):
        return kind.read(written)
    if kind is ModelText:
        if not isinstance(written, str):
            raise ValueError(f"Expected `str`, got `{type(written).__name__}`")
        return ModelText(written)
    if kind is Fraction:
        return _fraction(written)
    # Of a TypeError msgspec would make a fault of the document.
    raise NotImplementedError(_no_way(kind))


def _fraction(written: object) -> Fraction:
    """The simplest fraction that is written as this number; 0 for null, which stands for one beyond every number."""
    if written is None:
        return Fraction(0)
    exact = Fraction(str(_number(written)))
    simple = exact.limit_denominator(_MOST_PARTS)
    return simple if number(simple) == written else exact


def _number(written: object) -> int | float:
    if isinstance(written, bool) or not isinstance(written, (int, float)):
        raise ValueError(f"Expected a number, got `{type(written).__name__}`")
    return written


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _key(key: object) -> str:
    return key if isinstance(key, str) else str(builtins(key))


@cache
def _members(kind: type) -> tuple[tuple[str, str], ...]:
    """The members of an object by name, and the attribute that each holds."""
    fields: Iterable[str] = getattr(kind, "__struct_fields__", getattr(kind, "__dataclass_fields__", ()))
    names: Iterable[str] = getattr(kind, "__struct_encode_fields__", fields)
    if not fields:
        raise TypeError(_no_way(kind))
    unwritten = getattr(kind, "unwritten", ())
    pairs = [(name, field) for name, field in zip(names, fields, strict=True) if field not in unwritten]
    return (*pairs, *((name, name) for name in getattr(kind, "computed", ())))


def _computed(owner: type) -> dict[str, Any]:
    """The types of the computed members of a class."""
    from typing import get_type_hints

    names = getattr(owner, "computed", ())
    return {name: get_type_hints(getattr(owner, name).fget)["return"] for name in names}


def _classes(kind: Any) -> dict[str, type]:
    """The classes that a document of this type is made of, by name."""
    import msgspec.inspect as look

    found: dict[str, type] = {}
    waiting = [look.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, (look.StructType, look.DataclassType)):
            if info.cls.__name__ in found:
                continue
            found[info.cls.__name__] = info.cls
            unwritten = getattr(info.cls, "unwritten", ())
            waiting += [field.type for field in info.fields if field.name not in unwritten]
            waiting += [look.type_info(hint) for hint in _computed(info.cls).values()]
        for part in ("item_type", "key_type", "value_type"):
            waiting += [getattr(info, part)] if hasattr(info, part) else []
        waiting += [*getattr(info, "item_types", ()), *getattr(info, "types", ())]
    return found


def _schema_hook(kind: Any) -> Json:
    if isinstance(kind, Notation):
        return {"type": list(kind.written)}
    if kind is ModelText:
        return {"type": "string"}
    if kind is Fraction:
        return {"type": ["number", "null"]}
    raise TypeError(_no_way(kind))


def _no_way(kind: type) -> str:
    return f"documents have no way to write a {kind.__name__}"


def _sentences(owner: Any) -> list[str]:
    """The sentences of a docstring, and the clauses behind a semicolon that begin with the name of a field."""
    docstring = owner.__doc__ or ""
    if docstring.startswith(f"{owner.__name__}("):  # a dataclass without one
        docstring = ""
    clauses = re.split(r"(?<=[.!?])\s+(?=[A-Z`])|(?<=;)\s+(?=`)", _plain_words(docstring))
    return [re.sub(";$", ".", clause) for clause in clauses]


def _plain_words(docstring: str) -> str:
    """A docstring as one line, what it quotes as Markdown code."""
    words = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"`\1`", " ".join(docstring.split()))
    return words.replace("``", "`")
