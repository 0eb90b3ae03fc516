"""Sequences whose items are made when they are looked at, so that only one of them is in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

S = TypeVar("S")
T = TypeVar("T")


class Mapped(Sequence[T], Generic[S, T]):
    """What a function makes of every item of a sequence, made anew each time."""

    __slots__ = ("_items", "_make")

    def __init__(self, items: Sequence[S], make: Callable[[S], T]) -> None:
        self._items, self._make = items, make

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return map(self._make, self._items)

    @overload
    def __getitem__(self, place: int) -> T: ...

    @overload
    def __getitem__(self, place: slice) -> Mapped[S, T]: ...

    def __getitem__(self, place: int | slice) -> T | Mapped[S, T]:
        if isinstance(place, slice):
            return Mapped(self._items[place], self._make)
        return self._make(self._items[place])
