"""Lines of text for a terminal: folded to its width, with colours where it shows them."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from auditor.report import RenderOptions

BOLD, RED, GREEN, YELLOW, DIM = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[2m"
_END = "\x1b[0m"
_WIDEST_TEXT = 110
_LEAST_TEXT = 40  # below that nothing is broken


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


def fitted(text: str, width: int | None) -> str:
    """A text whose lines are broken at words to so many columns, what follows indented further; None: as it is."""
    if width is None or width < _LEAST_TEXT:
        return text
    return "".join(f"{part}\n" for line in text.splitlines() for part in _broken(line, width))


def reflowed(page: str, width: int | None) -> str:
    """A Markdown page whose paragraphs and items fill so many columns; tables and code stay as they are."""
    if width is None or width < _LEAST_TEXT:
        return page
    lines: list[str] = []
    inside = False
    for line in page.splitlines():
        inside ^= line.startswith("```")
        goes_on = lines and lines[-1].strip() and line.strip() and not inside
        starts = re.match(r"\s*(?:[-*#>|]|\d+\.|```|\[\w+\]:|    )", line)
        if goes_on and not starts and not re.match(r"(?:[#|]|```|    )", lines[-1]):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    code, kept = False, []
    for line in lines:
        code ^= line.startswith("```")
        hanging = "  " if re.match(r"[-*] ", line) else ""
        whole = code or line.startswith(("|", "    ", "#", "```"))
        kept += [line] if whole or len(line) <= width else _filled(line, width, hanging)
    return "".join(f"{line}\n" for line in kept)


def _broken(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return [line] if len(line) <= width else _filled(line, width, f"{indent}    ")


def _filled(line: str, width: int, hanging: str) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line.strip(), width, initial_indent=indent, subsequent_indent=hanging, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
