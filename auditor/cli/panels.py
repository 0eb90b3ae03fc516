"""How an option is declared: its panel in ``--help``, one line of help, and the words that a shell completes.

Panels are laid out as plain text by :mod:`auditor.cli.commands`: without Rich, ``--help`` is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

import typer

from auditor.rewrite.strategies import NAMES

if TYPE_CHECKING:
    from typer.models import OptionInfo


class Panel(str, Enum):
    """The panels of ``--help``, in their order."""

    INPUT = "Input"
    REWRITE = "Rewrite"
    SEARCH = "Search (--strategy auto)"
    TRAINING = "Training"
    RULES = "Rules"
    VERDICT = "Verdict"
    REPORT = "Report"
    MEASURING = "Measurement"
    IMAGES = "Images and preprocessing"
    SHIFTS = "Shifts"
    THRESHOLDS = "Thresholds of a measured difference"
    RARE = "Rarely needed"


VALUES: dict[str, tuple[str, ...]] = {
    "FORMAT": ("text", "json", "sarif", "github", "markdown", "junit", "gitlab", "html"),
    "LEVEL": ("error", "warning", "note"),
    "WHEN": ("auto", "always", "never"),
    "STRATEGY": (*NAMES, "auto"),
    "KERNEL": ("rect2", "tri3", "bin4", "bin5", "bin6", "bin7", "identity"),
    "BORDER": ("auto", "reflect", "edge", "zero"),
    "LOWERING": ("auto", "batch", "dilation"),
    "REFIT": ("none", "last", "all"),
    "PRESET": ("imagenet", "caffe-bgr", "unit", "raw"),
    "PROTOCOL": ("crop", "roll", "embed-black", "embed-inpaint", "subpixel", "zoom", "frames"),
    "TASK": ("classification", "dense", "embedding", "detection"),
    "DEVICE": ("auto", "cpu", "cuda", "cuda:N", "tensorrt"),
    "RESULT": ("fail", "warn", "pass"),
}
"""What a metavar of an enumeration stands for. Help lists it behind the options, a shell completes it."""


def option(
    panel: Panel,
    *flags: str,
    metavar: str | None = None,
    text: str,
    complete: Callable[[str], list[str]] | None = None,
) -> OptionInfo:
    """An option in its panel. Its default, where there is one, is the end of its one line of help."""
    if complete is None and metavar is not None:
        words = values(metavar)
        complete = (
            (lambda incomplete: [word for word in words if word.startswith(incomplete) and word.islower()])
            if words
            else None
        )
    info: OptionInfo = typer.Option(
        *flags,
        metavar=metavar,
        help=text,
        rich_help_panel=panel.value,
        autocompletion=complete,
        show_default=False,
    )
    return info


def values(metavar: str) -> tuple[str, ...]:
    """The words that a metavar stands for: those of an enumeration, or its own where it lists them."""
    if metavar in VALUES:
        return VALUES[metavar]
    words = tuple(metavar.split("|"))
    return words if len(words) > 1 and all(word.isidentifier() and word.islower() for word in words) else ()


def first_sentence(text: str) -> str:
    """What the help of an option says of a longer description: its first sentence, and the default."""
    sentence, stop, rest = text.partition(". ")
    default = rest[rest.index("[default:") :] if "[default:" in rest else ""
    return f"{sentence}{stop.strip()} {default}".strip() if stop else text
