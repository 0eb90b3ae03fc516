"""The figures of a measurement."""

from __future__ import annotations

from pathlib import Path

from auditor.options.kinds import choice, file
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class Figures(Group):
    """Where figures go, and as what."""

    plots: Path | None = option(file("DIR"), "Draw figures of the measurement here.", Panel.REPORT)
    plots_format: str = option(choice("png|svg"), "Format of the figures.", Panel.REPORT, default="png")
