"""A stand-in for the parser of the GitHub Actions runner, which acts on commands in the log of a step.

Version 2 commands start a line, after white space: ``::error::text``. Version 1 commands stand anywhere in it:
``##[error]text``. Both are looked for on stdout and stderr.
"""

from __future__ import annotations

import re

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def commands(log: str) -> list[str]:
    """The lines of a log that the runner may act on; colour codes are taken out first, to be on the safe side."""
    lines = re.split(r"[\n\r\v\f\x85\u2028\u2029]", _ANSI.sub("", log))
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


def control_bytes(log: str) -> set[str]:
    """Characters below 0x20 other than the newline, and DEL and the C1 controls."""
    return {c for c in log if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0}
