"""How a rewritten model is trained."""

from __future__ import annotations

from pathlib import Path

from auditor.options.kinds import Kind, file, number, whole
from auditor.options.option import Group, option
from auditor.options.panels import Panel


def _count(least: int) -> Kind:
    return whole("N", least, f"a number of {least} or more")


class Training(Group):
    """The teacher, where the result goes, and the schedule, whose defaults are those of the fine-tuning."""

    original: Path = option(file("FILE"), "The model that was rewritten: the teacher.", Panel.TRAINING, required=True)
    target: Path = option(
        file("FILE"), "Write the trained model here.", Panel.TRAINING, "--output", "-o", required=True
    )
    epochs: int = option(_count(1), "Passes over all pictures.", Panel.TRAINING, default=10)
    rate: float = option(
        number("SHARE", 1e-12), "Highest relative learning rate.", Panel.TRAINING, default=1e-4, shown="1e-4"
    )
    batch: int = option(_count(1), "Pictures per step.", Panel.TRAINING, default=8)
    shifts: int = option(_count(1), "Average the original over N shifts.", Panel.TRAINING, default=8)
    views: int = option(_count(1), "Random parts of each picture.", Panel.TRAINING, default=4)
    seed: int = option(_count(0), "Seed of shifts and order.", Panel.TRAINING, default=0)
    minutes: float | None = option(number("N", 0.01), "End the training after N minutes.", Panel.TRAINING)
