"""Ranges of versions: ``>=10``, ``>=2026,<2027``, ``==3.6``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PLACES = 4
_CLAUSE = re.compile(r"\s*(==|>=|<=|>|<)\s*([0-9]{1,9}(?:\.[0-9]{1,9}){0,3})\s*")

Point = tuple[tuple[int, ...], int]
"""A place between versions: just before a version (0) or just behind it (1)."""

_LOWEST: Point = ((0,) * _PLACES, 0)
_HIGHEST: Point = ((1 << 62,) * _PLACES, 1)


@dataclass(frozen=True, slots=True)
class VersionRange:
    """All versions between two places; ``text`` is how it was written, empty for all versions."""

    text: str
    low: Point
    high: Point

    def meets(self, other: VersionRange) -> bool:
        """Whether a version lies in both."""
        return max(self.low, other.low) < min(self.high, other.high)

    def begins_before(self, other: VersionRange) -> bool:
        """Whether it has versions before all of the other."""
        return self.low < other.low

    def reaches(self, other: VersionRange) -> bool:
        """Whether it goes on to the end of the other."""
        return self.high >= other.high

    @property
    def is_bounded_below(self) -> bool:
        return self.low != _LOWEST


ALL_VERSIONS = VersionRange("", _LOWEST, _HIGHEST)


def version_range(text: str) -> VersionRange:
    """Reads a range; an empty text is all versions.

    Raises:
        ValueError: It is none, or holds no version.
    """
    low, high = _LOWEST, _HIGHEST
    for clause in text.split(",") if text.strip() else ():
        match = _CLAUSE.fullmatch(clause)
        if match is None:
            raise ValueError(f"{clause.strip()!r} is no version range such as >=10 or >=2026,<2027")
        numbers = tuple(int(number) for number in match[2].split("."))
        version = numbers + (0,) * (_PLACES - len(numbers))
        if match[1] == "==":
            behind = (*numbers[:-1], numbers[-1] + 1)
            low = max(low, (version, 0))
            high = min(high, (behind + (0,) * (_PLACES - len(behind)), 0))
        elif match[1] in (">=", ">"):
            low = max(low, (version, int(match[1] == ">")))
        else:
            high = min(high, (version, int(match[1] == "<=")))
    if low >= high:
        raise ValueError(f"{text.strip()!r} holds no version")
    return VersionRange(text.strip(), low, high)
