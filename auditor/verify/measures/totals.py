"""From the rows of all images to means with intervals. Rows come in the order of their index."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.margin import Margin
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.measures.task import DistanceMean, ImageMeasures, Row, RowT, measured_of
from auditor.verify.measures.variance import variance_ratio
from auditor.verify.result import Curve, CurvePoint, ImageResult, Measure, OutputResult, Task
from auditor.verify.statistics import mean_interval


def output_result(
    output: str,
    task: Task,
    table: Sequence[MeasureFacts],
    rows: Sequence[Row[RowT]],
    confidence: float,
    margin: Margin | None = None,
) -> OutputResult:
    """The result of a task that has no classes: of the measures and curves of the table those that some image has."""
    return OutputResult(
        ModelText(output),
        task,
        measure_totals(table, rows, confidence),
        curve_totals(table, rows, confidence),
        _image_results(rows),
        (),
        margin=margin,
    )


def measure_totals(table: Sequence[MeasureFacts], rows: Sequence[Row[RowT]], confidence: float) -> tuple[Measure, ...]:
    """Every measure of the table that some image has, in the table's order."""
    images = measured_of(rows)
    totals: list[Measure] = []
    for facts in table:
        if any(facts.name in image.values for image in images):
            totals.append(_measure(facts, images, confidence))
        elif any(facts.name in image.spreads for image in images):
            totals.append(variance_ratio(facts, [image.spreads.get(facts.name) for image in images], confidence))
    return tuple(one for one in totals if one.unit != "variance" or not math.isnan(one.value))


def curve_totals(table: Sequence[MeasureFacts], rows: Sequence[Row[RowT]], confidence: float) -> tuple[Curve, ...]:
    """Every curve of the table that some image has, its points by growing distance."""
    images = [image.curves for image in measured_of(rows)]
    return tuple(
        Curve(facts.name, _points(facts, [image.get(facts.name, ()) for image in images], confidence))
        for facts in table
        if any(facts.name in image for image in images)
    )


def _image_results(rows: Sequence[Row[RowT]]) -> tuple[ImageResult, ...]:
    return tuple(
        ImageResult(
            row.name,
            None,
            None,
            None,
            row.measured.flips,
            (),
            None,
            None,
            row.measured.tracks,
            moving_box=row.measured.moving_box,
            moving_joints=row.measured.moving_joints,
        )
        for row in rows
        if row.measured is not None
    )


def steady_digest(answers: AnyArray) -> bytes:
    """Identifies the answers (W, ...) of an image where all windows have one and the same; empty where they differ."""
    if (answers != answers[:1]).any():
        return b""
    first = np.ascontiguousarray(answers[0] + 0)  # -0 equals 0
    return hashlib.blake2b(f"{first.shape}".encode() + first.tobytes(), digest_size=8).digest()


def same_everywhere(rows: Sequence[Row[RowT]], digests: Sequence[bytes]) -> bool:
    """Whether images of different pixels have one :func:`steady_digest`: such an answer says nothing."""
    return len(set(digests)) == 1 and b"" not in digests and len({row.pixels for row in rows}) > 1


def _measure(facts: MeasureFacts, images: Sequence[ImageMeasures], confidence: float) -> Measure:
    per_image = np.array([image.values.get(facts.name, math.nan) for image in images])
    known = per_image[~np.isnan(per_image)]
    value = float(known.mean()) if len(known) else math.nan
    interval = mean_interval(known, confidence, facts.interval_bounds)
    return Measure(facts.name, value, interval, facts.unit, facts.higher_is_better, tuple(per_image.tolist()))


def _points(facts: MeasureFacts, images: Sequence[Sequence[DistanceMean]], confidence: float) -> tuple[CurvePoint, ...]:
    by_distance: dict[float, list[DistanceMean]] = {}
    for image in images:
        for point in image:
            by_distance.setdefault(point.distance, []).append(point)
    points = []
    for distance, means in sorted(by_distance.items()):
        values = np.array([mean.value for mean in means])
        interval = mean_interval(values, confidence, facts.interval_bounds)
        points.append(CurvePoint(distance, float(values.mean()), interval, sum(mean.pairs for mean in means)))
    return tuple(points)
