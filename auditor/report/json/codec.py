"""Reading a JSON value whose shape is not known: each step says where it is, so that an error names the place."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import TypeVar

E = TypeVar("E", bound=Enum)


class SavedReportError(Exception):
    """A file that is no report of this program. The message is one line and names the place in the document."""


class MissingMemberError(SavedReportError):
    """A document without a member that a report has: it is damaged, or another version wrote it."""


class Cursor:
    """A value somewhere in a document. Reading it as something that it is not raises :class:`SavedReportError`."""

    __slots__ = ("_value", "_where")

    def __init__(self, value: object, where: str = "") -> None:
        self._value = value
        self._where = where

    def __getitem__(self, key: str) -> Cursor:
        if not isinstance(self._value, dict):
            raise self.wrong(f'has no "{key}"')
        if key not in self._value:
            raise MissingMemberError(str(self.wrong(f'has no "{key}"')))
        return Cursor(self._value[key], f"{self._where}.{key}" if self._where else key)

    def __iter__(self) -> Iterator[Cursor]:
        if not isinstance(self._value, list):
            raise self.wrong("is no list")
        return (Cursor(value, f"{self._where}[{index}]") for index, value in enumerate(self._value))

    def items(self) -> Iterator[tuple[str, Cursor]]:
        """The members of an object by name."""
        if not isinstance(self._value, dict):
            raise self.wrong("is no object")
        return ((key, Cursor(value, f"{self._where}.{key}")) for key, value in self._value.items())

    def get(self, key: str) -> Cursor | None:
        """A member, or None where it is absent or null."""
        present = isinstance(self._value, dict) and self._value.get(key) is not None
        return self[key] if present else None

    @property
    def null(self) -> bool:
        """Whether the value is null."""
        return self._value is None

    @property
    def raw(self) -> object:
        """The value itself."""
        return self._value

    @property
    def text(self) -> str:
        """The value as text."""
        if not isinstance(self._value, str):
            raise self.wrong("is no text")
        return self._value

    @property
    def flag(self) -> bool:
        """The value as true or false."""
        if not isinstance(self._value, bool):
            raise self.wrong("is neither true nor false")
        return self._value

    @property
    def integer(self) -> int:
        """The value as an integer."""
        if not isinstance(self._value, int) or isinstance(self._value, bool):
            raise self.wrong("must be an integer")
        return self._value

    @property
    def number(self) -> int | float:
        """The value as a number."""
        if not isinstance(self._value, (int, float)) or isinstance(self._value, bool):
            raise self.wrong("is no number")
        return self._value

    def one_of(self, kind: type[E]) -> E:
        """The value as a member of an enumeration."""
        try:
            return kind(self._value)
        except ValueError:
            raise self.wrong(f"is none of {', '.join(str(member.value) for member in kind)}") from None

    def wrong(self, what: str) -> SavedReportError:
        """An error about this place."""
        return SavedReportError(f"{self._where or 'the document'} {what}")
