"""The measured difference of two models, paired image by image on the same shifts.

The image is the unit. Pairs make the interval several times narrower than two separate ones would be. A verdict is
one-sided, since the question is only whether the new model is worse: with a confidence c, the two-sided interval of
2c - 1 lies wholly on the good side of a threshold (pass), wholly on the bad side (fail), or decides nothing. At a true
change of exactly the allowed drop each of the wrong verdicts then comes up in 1 - c of the runs (non-inferiority by two
one-sided tests; Schuirmann 1987).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from auditor.gate import Condition, MeasuredChange
from auditor.policy.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.result import Measure, OutputResult, Task, Verification
from auditor.verify.statistics import Judgement, Verdict, difference_interval, judge, mean_interval

# What a threshold is held against, the first that there is. The other measures are shown beside it.
GATED: Mapping[Task, tuple[str, ...]] = MappingProxyType(
    {
        Task.CLASSIFICATION: ("consistency",),
        Task.DENSE: ("massc", "equivariance-error"),
        Task.EMBEDDING: ("cosine",),
        Task.DETECTION: ("flicker", "score-deviation"),
    }
)
_BOUNDS = {"share": (0.0, 1.0), "probability": (0.0, 1.0)}


class NotComparableError(Exception):
    """The two measurements are none of the same thing. The message is one line: what differs, what to do."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The changes of an output's measures, gated ones first, and remarks in our own words."""

    changes: tuple[MeasuredChange, ...]
    remarks: tuple[str, ...] = ()


def compare_measured(base: Verification, new: Verification, thresholds: Thresholds) -> Measured:
    """The paired changes of every measure that both models have.

    Raises:
        NotComparableError: The runs differ in images, shifts, device or task, or one fails its self-test.
    """
    _require_same_runs(base, new)
    remarks = []
    if base.shifts.window != new.shifts.window:
        sizes = " and ".join("x".join(map(str, one.shifts.window)) for one in (base, new))
        remarks.append(f"the inputs differ in size ({sizes}): shifts are the same in pixels")
    rows = _same_images(base, new)
    images = len(rows[0])
    if images < len(base.data.used) or images < len(new.data.used):
        remarks.append(f"{images} images could be used with both models; the others are left out")
    changes = [change for before, after in _outputs(base, new) for change in _changes(before, after, rows, thresholds)]
    if not any(change.conditions for change in changes):
        raise NotComparableError("the two models have no measure in common that a threshold could be held against")
    return Measured(tuple(sorted(changes, key=lambda change: not change.conditions)), tuple(remarks))


def _require_same_runs(base: Verification, new: Verification) -> None:
    for one, name in ((base, "base"), (new, "new model")):
        if one.self_test is not None and not one.self_test.passed:
            raise NotComparableError(
                f"the {name} gives two answers to one input, so nothing can be said about shifts; try --device cpu"
            )
    if base.provider.used != new.provider.used:
        raise NotComparableError(
            f"the base ran on {base.provider.used} and the new model on {new.provider.used}; choose one with --device"
        )
    facts = [(one.shifts.protocol, one.shifts.radius, one.shifts.per_image, one.shifts.seed) for one in (base, new)]
    if facts[0] != facts[1]:
        radii = " and ".join(str(one.shifts.radius) for one in (base, new))
        raise NotComparableError(f"the shifts differ (radius {radii} px); set verify.radius for both models")
    if base.data.used == new.data.used and base.data.sha256 != new.data.sha256:
        raise NotComparableError("the images changed between the two runs; run again when they stand still")


def _same_images(base: Verification, new: Verification) -> tuple[list[int], list[int]]:
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
    before: OutputResult, after: OutputResult, rows: tuple[list[int], list[int]], thresholds: Thresholds
) -> list[MeasuredChange]:
    common = [(one, other) for other in after.measures if (one := before.measure(other.name)) is not None]
    gated = next((name for name in GATED[after.task] if any(one.name == name for one, _ in common)), "")
    return [_change(after, one, other, rows, thresholds, other.name == gated) for one, other in common]


def _change(
    output: OutputResult,
    before: Measure,
    after: Measure,
    rows: tuple[list[int], list[int]],
    thresholds: Thresholds,
    gated: bool,
) -> MeasuredChange:
    base = np.asarray(before.per_image, dtype=np.float64)[rows[0]]
    new = np.asarray(after.per_image, dtype=np.float64)[rows[1]]
    both = ~(np.isnan(base) | np.isnan(new))
    base, new = base[both], new[both]
    difference, interval = difference_interval(base, new, two_sided(thresholds.confidence))
    return MeasuredChange(
        measure=after.name,
        output=output.output,
        unit=after.unit,
        higher_is_better=after.higher_is_better,
        base=float(base.mean()) if len(base) else math.nan,
        new=float(new.mean()) if len(new) else math.nan,
        difference=difference,
        interval=interval,
        images=len(base),
        conditions=conditions(base, new, after, thresholds) if gated else (),
    )


def two_sided(confidence: float) -> float:
    """The confidence of the interval from which a one-sided verdict of ``confidence`` is read."""
    return 2 * confidence - 1


def conditions(base: FloatArray, new: FloatArray, measure: Measure, thresholds: Thresholds) -> tuple[Condition, ...]:
    """The thresholds that were asked for, on values per image (N,) of both models in the same order."""
    up = measure.higher_is_better
    confidence = two_sided(thresholds.confidence)
    found: list[tuple[str, float, Judgement]] = []
    if thresholds.minimum is not None:
        interval = mean_interval(new, confidence, _BOUNDS.get(measure.unit))
        value = float(new.mean()) if len(new) else math.nan
        found.append(("min", thresholds.minimum, judge(value, interval, thresholds.minimum, len(new), up)))
    if thresholds.max_absolute_drop is not None:
        drop = thresholds.max_absolute_drop
        found.append(("max-absolute-drop", drop, _drop(base, new, -drop if up else drop, confidence, up)))
    if thresholds.max_relative_drop is not None:
        drop = thresholds.max_relative_drop
        # As one paired difference, so that the base's own uncertainty counts.
        found.append(
            ("max-relative-drop", drop, _drop(base * (1 - drop if up else 1 + drop), new, 0.0, confidence, up))
        )
    return tuple(_condition(name, limit, judgement, len(new), thresholds) for name, limit, judgement in found)


def _drop(base: FloatArray, new: FloatArray, limit: float, confidence: float, higher_is_better: bool) -> Judgement:
    difference, interval = difference_interval(base, new, confidence)
    return judge(difference, interval, limit, len(new), higher_is_better)


def _condition(name: str, limit: float, judgement: Judgement, images: int, thresholds: Thresholds) -> Condition:
    if images < thresholds.min_images:
        needed = max(thresholds.min_images, judgement.images_needed or 0)
        return Condition(name, limit, Verdict.INCONCLUSIVE, needed)
    return Condition(name, limit, judgement.verdict, judgement.images_needed)


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Fail before inconclusive before pass."""
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    return next((one for one in order if one in verdicts), Verdict.PASS)
