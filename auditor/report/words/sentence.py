"""A sentence with one part that is to be seen first."""

from __future__ import annotations

from typing import NamedTuple


class Sentence(NamedTuple):
    """A sentence in three parts, of which the middle one is to be seen first; it may be empty."""

    start: str
    accent: str
    end: str

    def __str__(self) -> str:
        return "".join(self)
