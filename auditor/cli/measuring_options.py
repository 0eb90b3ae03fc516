"""The options of a measurement that ``verify`` and ``check --verify`` share; their help is the settings file's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from auditor.cli.panels import Panel, first_sentence
from auditor.cli.panels import option as declared
from auditor.verify.options import OPTIONS

if TYPE_CHECKING:
    from typer.models import OptionInfo


def option(name: str, metavar: str, panel: Panel = Panel.MEASURING, *flags: str) -> OptionInfo:
    """An option of a measurement by its name in a settings file, under further ``flags`` too."""
    return declared(panel, f"--{name}", *flags, metavar=metavar, text=first_sentence(OPTIONS[name]))


Verify = Annotated[bool, declared(Panel.MEASURING, "--verify", text="Also run the models on shifted images.")]
MeasureAlias = Annotated[
    bool, declared(Panel.MEASURING, "--measure-alias", text="Also measure what folds at each site.")
]
PlotsFolder = Annotated[
    str | None, declared(Panel.REPORT, "--plots", metavar="DIR", text="Draw figures of the measurement here.")
]
PlotsFormat = Annotated[
    str | None,
    declared(Panel.REPORT, "--plots-format", metavar="png|svg", text="Format of the figures. [default: png]"),
]
Images = Annotated[str | None, option("images", "SOURCE", Panel.IMAGES)]
Labels = Annotated[str | None, option("labels", "CSV", Panel.IMAGES)]
ImagesLimit = Annotated[str | None, option("images-limit", "N", Panel.IMAGES)]
Preset = Annotated[str | None, option("preset", "PRESET", Panel.IMAGES)]
ImageInput = Annotated[str | None, option("image-input", "NAME", Panel.MEASURING, "--input")]
TaskName = Annotated[str | None, option("task", "TASK")]
MeasuredOutput = Annotated[str | None, option("measured-output", "NAME")]
Device = Annotated[str | None, option("device", "DEVICE")]
