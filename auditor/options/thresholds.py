"""What a model must hold, by itself and against a base: the table ``compare`` of the settings, in the words of MLflow.

    [tool.aliasaudit.compare]
    min = 0.9
    max-absolute-drop = 0.02
    confidence = 0.95
    inconclusive = "warn"
    require-verify = true

A drop is a change for the worse: of a measure that should be low, it is a rise. The minimum is of one model, so it
holds wherever one is measured; the others need a base.
"""

from __future__ import annotations

from auditor.options.kinds import choice, number, switch, whole
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class Thresholds(Group, table="compare"):
    """What a model that replaces another must hold.

    Drops are in the measure's unit or, relative, a share of the base's value; the rise of jitter is a share of the
    typical jitter in pixels, which has no largest value. None: not asked. ``largest_change`` None takes twice the
    largest change seen, which is no proof and not for a gate. At a true change of exactly the allowed drop, at most one
    in twenty runs fails (or passes) at a ``confidence`` of 0.95.
    """

    minimum: float | None = option(
        number("NUMBER", float("-inf"), must="a number"),
        "Least value of the (new) model. The largest for a measure that should be low.",
        Panel.THRESHOLDS,
        "--fail-under",
        "--min",
        key="min",
    )
    max_absolute_drop: float | None = option(
        number("N", 0, must="a number of 0 or more, such as 0.02 for two points"),
        "Allowed drop in its unit. Against the base.",
        Panel.THRESHOLDS,
        default=0.02,
    )
    max_relative_drop: float | None = option(
        number("N", 0, below=1, must="a share such as 0.01"),
        "The same as a share of the base. It replaces the default absolute drop.",
        Panel.THRESHOLDS,
    )
    max_jitter_rise: float | None = option(
        number("N", 0, must="a share of 0 or more, such as 0.1"),
        "Allowed rise of box jitter. A share of the base's typical one.",
        Panel.THRESHOLDS,
        default=0.1,
    )
    largest_change: float | None = option(
        number("NUMBER", 1e-6, below=2.000001, must="a number above 0, at most 2"),
        "Most that one image can change. As far as you know.",
        Panel.THRESHOLDS,
        default=1.0,
    )
    confidence: float = option(
        number("SHARE", 0.75, below=1, must="a number from 0.75 to below 1"),
        "Confidence level of the verdict.",
        Panel.THRESHOLDS,
        default=0.95,
    )
    min_images: int = option(whole("N", 1), "Fewer images decide nothing.", Panel.THRESHOLDS, default=16)
    all_images: bool = option(
        switch(), "Measure every image. Without it a certain verdict ends the run.", Panel.THRESHOLDS
    )
    inconclusive: str = option(
        choice("RESULT"),
        "What an undecided verdict is. `fail` requires one.",
        Panel.THRESHOLDS,
        default="warn",
    )
    require_verify: bool = option(switch(), "Exit with 3 without a measurement.", Panel.THRESHOLDS)


OF_ONE_MODEL = ("minimum", "min_images", "all_images", "inconclusive")
"""Those that ask nothing of a base."""
