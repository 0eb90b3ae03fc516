"""Values as plain JSON and back, exactly: what one process measured for another one to go on with.

Documents for people round numbers (:mod:`auditor.codec`); here a value that was written and read is the same value, so
that a result does not depend on where its parts were measured. Only values of this package are made from what is read:
frozen classes without behaviour of their own, never code.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from importlib import import_module
from pathlib import PurePath
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np

from auditor.codec import DocumentError
from auditor.text import ModelText
from auditor.verify.typed import fields_of, holds

_ROOMS = ("auditor.verify.", "auditor.pipeline.", "auditor.onnxfile.", "auditor.text")
_TAG = "$"


def pack(value: object) -> Any:
    """The value as dictionaries, lists, numbers and text.

    Raises:
        TypeError: It holds something that is not a value.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {_TAG: "float", "value": repr(float(value))}
    if isinstance(value, Enum):
        return {_TAG: _name(type(value)), "value": pack(value.value)}
    if isinstance(value, np.generic):
        return pack(value.item())
    kind = type(value)
    if kind in (tuple, list, set, frozenset):
        items: Any = value
        ordered = sorted(items) if kind in (set, frozenset) else items
        return {_TAG: kind.__name__, "items": [pack(item) for item in ordered]}
    if isinstance(value, bytes):
        return {_TAG: "bytes", "value": base64.b64encode(value).decode("ascii")}
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError("an array of objects holds no numbers")
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode("ascii")
        return {_TAG: "array", "type": value.dtype.str, "shape": list(value.shape), "value": data}
    if isinstance(value, range):
        return {_TAG: "range", "items": [value.start, value.stop, value.step]}
    if isinstance(value, (dict, MappingProxyType)):
        return {_TAG: "dict", "items": [[pack(key), pack(item)] for key, item in value.items()]}
    if isinstance(value, ModelText):
        return {_TAG: "text", "value": value.raw}
    if isinstance(value, PurePath):
        return {_TAG: "path", "value": value.as_posix()}
    if isinstance(value, Fraction):
        return {_TAG: "fraction", "items": [value.numerator, value.denominator]}
    return {_TAG: _name(kind), **{name: pack(getattr(value, name)) for name in _fields(kind)}}


def unpack(packed: Any, kind: Any = Any) -> Any:
    """The value that :func:`pack` made this of, and of a type such as ``tuple[int, ...]`` where one is asked for.

    Raises:
        DocumentError: It is none.
    """
    try:
        value = _unpack(packed)
    except (ValueError, TypeError, KeyError, AttributeError, ImportError, RecursionError, ArithmeticError) as error:
        raise DocumentError(f"$: holds no value of this version ({type(error).__name__})") from error
    if not holds(kind)(value):
        raise DocumentError("$: holds no value of this version (another type)")
    return value


def _unpack(packed: Any) -> Any:
    if not isinstance(packed, dict):
        if isinstance(packed, list):
            raise TypeError("a list without a kind")
        return packed
    tag = packed[_TAG]
    reader = _READERS.get(tag)
    return reader(packed) if reader is not None else _value(tag, packed)


def _value(tag: str, packed: Mapping[str, Any]) -> Any:
    module, colon, name = tag.partition(":")
    if not colon or not module.startswith(_ROOMS) or not name.isidentifier():
        raise ValueError("not a class of this package")
    kind = getattr(import_module(module), name)
    if not isinstance(kind, type) or kind.__module__ != module:
        raise ValueError("not a class of this package")
    if issubclass(kind, Enum):
        return kind(_unpack(packed["value"]))
    given = {key: _unpack(value) for key, value in packed.items() if key != _TAG}
    if set(given) != set(_fields(kind)):
        raise ValueError("other fields")
    own: Any = kind
    expected = fields_of(own)
    for field, value in given.items():
        if not expected[field](value):
            raise TypeError(f"{name}.{field} is of another type")
    return kind(**given)


def _fields(kind: type) -> tuple[str, ...]:
    """The fields of a class without behaviour of its own."""
    names: tuple[str, ...]
    if is_dataclass(kind):
        names = tuple(field.name for field in fields(kind) if field.init)
    elif issubclass(kind, msgspec.Struct):
        names = kind.__struct_fields__
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        names = kind._fields
    else:
        raise TypeError(f"a {kind.__name__} is no value")
    return names


def _name(kind: type) -> str:
    if not kind.__module__.startswith(_ROOMS) or "." in kind.__qualname__:
        raise TypeError(f"a {kind.__qualname__} is no value of this package")
    return f"{kind.__module__}:{kind.__name__}"


def _items(packed: Mapping[str, Any]) -> list[Any]:
    return [_unpack(item) for item in packed["items"]]


def _array(packed: Mapping[str, Any]) -> Any:
    kind = np.dtype(packed["type"])
    if kind.hasobject:
        raise TypeError("an array of objects")
    return np.frombuffer(base64.b64decode(packed["value"]), kind).reshape(packed["shape"]).copy()


_READERS: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "float": lambda packed: float(packed["value"]),
    "tuple": lambda packed: tuple(_items(packed)),
    "list": _items,
    "set": lambda packed: set(_items(packed)),
    "frozenset": lambda packed: frozenset(_items(packed)),
    "bytes": lambda packed: base64.b64decode(packed["value"], validate=True),
    "array": _array,
    "range": lambda packed: range(*_items(packed)),
    "dict": lambda packed: {_unpack(key): _unpack(item) for key, item in packed["items"]},
    "text": lambda packed: ModelText(packed["value"]),
    "path": lambda packed: _path(packed["value"]),
    "fraction": lambda packed: Fraction(*_items(packed)),
}


def _path(text: str) -> PurePath:
    from pathlib import Path

    return Path(text)
