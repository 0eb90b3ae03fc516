"""A stand-in for the parser of the GitHub Actions runner, which acts on commands in the log of a step.

Version 2 commands start a line, after white space: ``::error::text``. Version 1 commands stand anywhere in it:
``##[error]text``. Both are looked for on stdout and stderr.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def commands(log: str) -> list[str]:
    """The lines of a log that the runner may act on; colour codes are taken out first, to be on the safe side."""
    lines = re.split(r"[\n\r\v\f\x85\u2028\u2029]", _ANSI.sub("", log))
    return [line for line in lines if line.lstrip().startswith("::") or "##[" in line]


def control_bytes(log: str) -> set[str]:
    """Characters below 0x20 other than the newline, and DEL and the C1 controls."""
    return {c for c in log if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0}


@dataclass(frozen=True)
class Command:
    """A version 2 command as the runner understands it."""

    name: str
    properties: dict[str, str]
    data: str


def obeyed(log: str) -> list[Command]:
    """The version 2 commands of a log, taken apart and unescaped as the runner does."""
    found = []
    for line in re.split(r"[\n\r]", log):
        command = line.lstrip()
        if not command.startswith("::") or "::" not in command[2:]:
            continue
        head, data = command[2:].split("::", 1)
        name, _, rest = head.partition(" ")
        pairs = (pair.partition("=") for pair in rest.split(",") if pair)
        found.append(Command(name, {key.strip(): _unescaped(value, True) for key, _, value in pairs}, _unescaped(data)))
    return found


def _unescaped(text: str, in_property: bool = False) -> str:
    codes = {"%0D": "\r", "%0A": "\n"} | ({"%3A": ":", "%2C": ","} if in_property else {})
    for code, character in codes.items():
        text = text.replace(code, character)
    return text.replace("%25", "%")
