"""The measured difference of two models, paired image by image on the same shifts.

The image is the unit. Pairs make the interval several times narrower than two separate ones would be. With a confidence
c of a verdict, the interval shown is the two-sided one of 2c - 1, from whose ends the verdict is read
(:mod:`auditor.comparison.conditions`).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from auditor.comparison.conditions import Judged, conditions, floor, largest_change
from auditor.facts.comparison import MeasuredChange, TypicalRatio
from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.interval import Interval
from auditor.verify.measures import gated
from auditor.verify.measures.facts import Gate
from auditor.verify.minimum import two_sided, unbounded
from auditor.verify.result import Measure, OutputResult, Verification
from auditor.verify.statistics import difference_interval, ratio_interval, unseen_share


class NotComparableError(Exception):
    """The two measurements are none of the same thing. The message is one line: what differs, what to do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The changes of an output's measures, gated ones first, and remarks in our own words.

    ``unjudged`` says of each measure why it was to be judged and could not be.
    """

    changes: tuple[MeasuredChange, ...]
    remarks: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


def compare_measured(base: Verification, new: Verification, thresholds: Thresholds, same: bool = False) -> Measured:
    """The paired changes of every measure that both models have; ``same``: they are one model.

    Raises:
        NotComparableError: The runs differ in images, shifts, device or task, or one fails its self-test.
    """
    _require_same_runs(base, new)
    remarks = []
    if base.shifts.window != new.shifts.window:
        sizes = " and ".join("x".join(map(str, one.shifts.window)) for one in (base, new))
        remarks.append(f"the inputs differ in size ({sizes}): shifts are the same in pixels")
    rows = same_images(base, new)
    images = len(rows[0])
    if images < base.data.images or images < new.data.images:
        remarks.append(f"{images} images could be used with both models; the others are left out")
    changes: list[MeasuredChange] = []
    unjudged: list[str] = []
    for before, after in _outputs(base, new):
        for change, said in _changes(before, after, rows, thresholds, same):
            changes.append(change)
            remarks += said
            if not (same or change.images or change.protocol) and change.measure in _gated(before, after):
                unjudged.append(_without_images(change, before, after))
    if not unjudged and not any(change.conditions for change in changes):
        raise NotComparableError("the two models have no measure in common that a threshold could be held against")
    ordered = sorted(changes, key=lambda change: not change.conditions)
    return Measured(tuple(ordered), tuple(remarks), tuple(unjudged))


def _without_images(change: MeasuredChange, before: OutputResult, after: OutputResult) -> str:
    counts = [0 if (measure := one.measure(change.measure)) is None else measure.images for one in (before, after)]
    return (
        f"no image in common gave a value of {change.measure} ({counts[0]} did with the base, {counts[1]} with the new"
        " model), so there is nothing to compare: give images with what the models look for (--images)"
    )


def _require_same_runs(base: Verification, new: Verification) -> None:
    for one, name in ((base, "base"), (new, "new model")):
        if one.self_test is not None and not one.self_test.passed:
            raise NotComparableError(
                f"the {name} gives two answers to one input, so nothing can be said about shifts; try --device cpu"
            )
    runtimes = {one.provider.runtime.name if one.provider.runtime else "" for one in (base, new)}
    if base.provider.used != new.provider.used and len(runtimes) == 1:
        raise NotComparableError(
            f"the base ran on {base.provider.used} and the new model on {new.provider.used}; choose one with --device"
        )
    facts = [
        (one.shifts.protocol, one.shifts.at, one.shifts.radius, one.shifts.per_image, one.shifts.seed)
        for one in (base, new)
    ]
    if facts[0] != facts[1]:
        at = " and ".join(one.shifts.at.value for one in (base, new))
        radii = " and ".join(str(one.shifts.radius) for one in (base, new))
        raise NotComparableError(
            f"the shifts differ (radius {radii} px, --shift-at {at}); set verify.radius for both models"
        )
    if base.data.used == new.data.used and base.data.sha256 != new.data.sha256:
        raise NotComparableError("the images changed between the two runs; run again once they no longer change")


def same_images(base: Verification, new: Verification) -> tuple[list[int], list[int]]:
    """Rows of the images that both models were measured on. Equal names are told apart by their order."""
    places: dict[tuple[str, int], int] = {}
    for verification, keep in ((base, True), (new, False)):
        seen: Counter[str] = Counter()
        pairs: list[tuple[int, int]] = []
        for row, name in enumerate(verification.data.used):
            key = (name.raw, seen[name.raw])
            seen[name.raw] += 1
            if keep:
                places[key] = row
            elif key in places:
                pairs.append((places[key], row))
    if not pairs:
        raise NotComparableError("no image could be used with both models")
    return [first for first, _ in pairs], [second for _, second in pairs]


def _outputs(base: Verification, new: Verification) -> list[tuple[OutputResult, OutputResult]]:
    """The outputs of both models: by name, a single one whatever it is called."""
    if len(base.outputs) == len(new.outputs) == 1:
        pairs = [(base.outputs[0], new.outputs[0])]
    else:
        by_name = {one.output: one for one in base.outputs}
        pairs = [(by_name[one.output], one) for one in new.outputs if one.output in by_name]
    for before, after in pairs:
        if before.task is not after.task:
            raise NotComparableError(
                f"the base was measured as {before.task.value} and the new model as {after.task.value};"
                " set verify.task or verify.measured-output"
            )
    return pairs


def _changes(
    before: OutputResult, after: OutputResult, rows: tuple[list[int], list[int]], thresholds: Thresholds, same: bool
) -> list[tuple[MeasuredChange, tuple[str, ...]]]:
    common = [
        (one, other) for other in after.measures if (one := before.measure(other.name, other.protocol)) is not None
    ]
    gated = _gated(before, after)
    return [
        _change(after, (one, other), rows, thresholds, not other.protocol and other.name in gated, same)
        for one, other in common
    ]


def _gated(before: OutputResult, after: OutputResult) -> frozenset[str]:
    """The names of the measures of both that are held against a threshold."""
    known = {measure.name for measure in after.measures if before.measure(measure.name) is not None}
    gates = (gated(after.task, gate) for gate in (Gate.CHANGE, Gate.RATIO))
    return frozenset(next((name for name in names if name in known), "") for names in gates)


def _change(
    output: OutputResult,
    pair: tuple[Measure, Measure],
    rows: tuple[list[int], list[int]],
    thresholds: Thresholds,
    gated: bool,
    same: bool,
) -> tuple[MeasuredChange, tuple[str, ...]]:
    before, after = pair
    base = np.asarray(before.per_image, dtype=np.float64)[rows[0]]
    new = np.asarray(after.per_image, dtype=np.float64)[rows[1]]
    both = ~(np.isnan(base) | np.isnan(new))
    base, new = base[both], new[both]
    confidence = two_sided(thresholds.confidence)
    largest = largest_change(base, new, after, thresholds)
    difference, interval = difference_interval(base, new, confidence, largest)
    ratio = None
    if unbounded(after):
        interval = None
        ratio = _ratio(base, new, confidence, floor(after)) if len(base) else None
    elif same and interval is not None:
        interval = Interval(0.0, 0.0, confidence)
    judged = conditions(base, new, after, thresholds, same) if gated and (same or len(base)) else Judged(())
    unchanged = len(base) > 0 and not same and bool(np.all(base == new))
    change = MeasuredChange(
        measure=after.name,
        output=output.output,
        unit=after.unit,
        higher_is_better=after.higher_is_better,
        base=float(base.mean()) if len(base) else math.nan,
        new=float(new.mean()) if len(new) else math.nan,
        difference=difference,
        interval=interval,
        images=len(base),
        conditions=judged.conditions,
        ratio=ratio,
        unseen=unseen_share(len(base), 1 - thresholds.confidence) if unchanged else None,
        protocol=after.protocol,
    )
    return change, judged.remarks


def _ratio(base: FloatArray, new: FloatArray, confidence: float, least: float) -> TypicalRatio:
    value, interval = ratio_interval(base, new, confidence, least)
    return TypicalRatio(value, interval, float(base.max()), float(new.max()))
