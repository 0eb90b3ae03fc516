"""Whether a value is of the type that a field declares; what is read from elsewhere is not believed."""

from __future__ import annotations

import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin, get_type_hints

from auditor.codec import Notation

Holds = Callable[[Any], bool]
_ABSTRACT = (Collection, Iterable, Sequence, list, set, frozenset)


@cache
def fields_of(kind: type) -> Mapping[str, Holds]:
    """What holds for the value of each field of a class."""
    return {name: holds(hint) for name, hint in get_type_hints(kind).items() if get_origin(hint) is not ClassVar}


@cache
def holds(hint: Any) -> Holds:
    """The test of a type hint. What a type variable stands for is not known, and anything passes."""
    if isinstance(hint, TypeVar) or hint in (Any, object):
        return lambda _: True
    if hint is None:
        return lambda value: value is None
    origin, of = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _any_of([holds(option) for option in of])
    if origin is tuple:
        return _tuple(of)
    if origin is not None and of and issubclass(origin, Mapping):
        return _mapping(origin, holds(of[0]), holds(of[1]))
    if origin in _ABSTRACT:
        return _items(origin, holds(of[0]))
    kind = origin or hint
    if isinstance(kind, Notation):
        return _any_of([holds(option) for option in kind.types])
    if kind is float:  # an integer is a float to the type checker, too
        return lambda value: isinstance(value, (float, int)) and not isinstance(value, bool)
    if kind is int:
        return lambda value: isinstance(value, int) and not isinstance(value, bool)
    if kind is str:
        return lambda value: isinstance(value, str) and not isinstance(value, Enum)
    return lambda value: isinstance(value, kind)


def _any_of(tests: Sequence[Holds]) -> Holds:
    return lambda value: any(test(value) for test in tests)


def _tuple(of: tuple[Any, ...]) -> Holds:
    if len(of) == 2 and of[1] is Ellipsis:
        return _items(tuple, holds(of[0]))
    tests = [holds(option) for option in of if option != ()]
    return lambda value: (
        isinstance(value, tuple)
        and len(value) == len(tests)
        and all(test(item) for test, item in zip(tests, value, strict=True))
    )


def _items(kind: Any, test: Holds) -> Holds:
    return lambda value: isinstance(value, kind) and all(test(item) for item in value)


def _mapping(kind: Any, key: Holds, item: Holds) -> Holds:
    return lambda value: isinstance(value, kind) and all(key(name) and item(part) for name, part in value.items())
