"""Lines of text for a terminal: folded to its width, with colours where it shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from auditor.report import RenderOptions

BOLD, RED, GREEN, YELLOW, DIM = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m"
_END = "\x1b[0m"
_WIDEST_TEXT = 110


def wrapped(words: str, options: RenderOptions, style: str = "") -> Iterator[str]:
    """A sentence, indented once, and twice where it begins with two spaces; without a width on one line."""
    width = None if options.width is None else min(options.width, _WIDEST_TEXT)
    indent = "  " * (1 + words.startswith("  "))
    text = words.strip()
    folded = (
        [f"{indent}{text}"]
        if width is None
        else textwrap.wrap(text, width - 1, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)
    )
    yield from (styled(part, style, options) for part in folded)


def styled(line: str, style: str, options: RenderOptions) -> str:
    """A line in a style, where colours are wanted."""
    return f"{style}{line}{_END}" if options.colour and style else line
