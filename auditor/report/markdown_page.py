"""A page of Markdown that stays below a number of bytes: GitHub drops what is longer altogether."""

from __future__ import annotations

from collections.abc import Iterable

BLANK = ""


class MarkdownPage:
    """Lines under a bound. What does not fit is left out, and the page says so in lines that were kept room for."""

    _CUT = "_The report was cut here, at {} bytes; the JSON and HTML reports hold everything._"
    _CLOSE = "</details>"

    def __init__(self, max_bytes: int) -> None:
        self._lines: list[str] = []
        self._cut = self._CUT.format(max_bytes)
        self._room = max_bytes - len(self._cut.encode()) - 2 * len(self._CLOSE) - 8
        self._full = False
        self._folds = 0

    def add(self, *lines: str) -> bool:
        """Add lines together, or none of them."""
        size = sum(len(line.encode()) + 1 for line in lines)
        self._full = self._full or size > self._room
        if not self._full:
            self._lines += lines
            self._room -= size
        return not self._full

    def rows(self, lines: Iterable[str]) -> None:
        """Add line by line, as many as fit."""
        for line in lines:
            if not self.add(line):
                break

    def unfold(self, summary: str, is_open: bool = False) -> None:
        """Begin a folded part, or one that can be folded; ``summary`` is HTML."""
        if self.add(BLANK, f"<details{' open' if is_open else ''}><summary>{summary}</summary>", BLANK):
            self._folds += 1

    def fold(self) -> None:
        """End the folded part."""
        if self.add(BLANK, self._CLOSE):
            self._folds -= 1

    def text(self) -> str:
        """The page as it is, its parts closed."""
        end = [BLANK, self._cut] if self._full else []
        end += [BLANK, self._CLOSE] * self._folds
        return "\n".join([*self._lines, *end]) + "\n"
