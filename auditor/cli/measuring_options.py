"""The options of a measurement that ``verify`` and ``check --verify`` share; their help is the settings file's."""

from __future__ import annotations

from typing import Annotated

import typer
from typer.models import OptionInfo

from auditor.verify.options import OPTIONS


def option(name: str, metavar: str) -> OptionInfo:
    """An option of a measurement by its name in a settings file."""
    found: OptionInfo = typer.Option(f"--{name}", metavar=metavar, help=OPTIONS[name])
    return found


Verify = Annotated[bool, typer.Option("--verify", help="Also run the models on shifted images, as verify does.")]
PlotsFolder = Annotated[
    str | None, typer.Option("--plots", metavar="DIR", help="Draw figures of the measurement into this folder.")
]
PlotsFormat = Annotated[
    str | None, typer.Option("--plots-format", metavar="png|svg", help="The format of the figures. [default: png]")
]
Images = Annotated[str | None, option("images", "DIR|FILE|MODULE:FUNCTION")]
Labels = Annotated[str | None, option("labels", "CSV")]
ImagesLimit = Annotated[str | None, option("images-limit", "N")]
Preset = Annotated[str | None, option("preset", "NAME")]
ImageInput = Annotated[
    str | None, typer.Option("--image-input", "--input", metavar="NAME", help=OPTIONS["image-input"])
]
TaskName = Annotated[str | None, option("task", "NAME")]
MeasuredOutput = Annotated[str | None, option("measured-output", "NAME")]
Device = Annotated[str | None, option("device", "DEVICE")]
