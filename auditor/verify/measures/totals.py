"""From the rows of all images to means with intervals. Rows come in the order of their index."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.described import DescribedImages
from auditor.verify.measures.facts import MeasureFacts
from auditor.verify.measures.task import DistanceMean, Row, RowT, measured_of, measured_on
from auditor.verify.measures.variance import Spreads, measure_of, variance_ratio
from auditor.verify.result import Curve, CurvePoint, ImageResult, Measure, OutputResult, Task
from auditor.verify.statistics import mean_interval


def output_result(
    output: str,
    task: Task,
    table: Sequence[MeasureFacts],
    rows: Sequence[Row[RowT]],
    confidence: float,
    also: Callable[[RowT], None] | None = None,
) -> OutputResult:
    """The result of a task that has no classes: of the measures and curves of the table those that some image has.

    ``also`` sees what was measured on each image, for what the task makes of it itself.
    """
    totals = Totals.of(rows, _image_result, also)
    return OutputResult(
        ModelText(output),
        task,
        totals.measures(table, confidence),
        totals.curves(table, confidence),
        totals.images.described,
        (),
        listed=totals.images.listed,
        columns=totals.images.columns,
    )


@dataclass(frozen=True, slots=True)
class Totals:
    """What all images of a run have together. Their rows were gone over twice at most, one at a time."""

    images: DescribedImages
    _values: Mapping[str, FloatArray]
    _spreads: Mapping[str, Spreads]
    _along: Mapping[str, Mapping[float, _Along]]

    @classmethod
    def of(
        cls,
        rows: Sequence[Row[RowT]],
        describe: Callable[[Row[RowT], RowT], ImageResult],
        also: Callable[[RowT], None] | None = None,
    ) -> Totals:
        """Those of these rows. ``describe`` makes what a result says of an image, and ``also`` sees each one."""
        images = DescribedImages(len(rows))
        values: dict[str, FloatArray] = {}
        spreads: dict[str, Spreads] = {}
        along: dict[str, dict[float, _Along]] = {}
        for place, row in enumerate(rows):
            image = measured_on(row)
            images.add(describe(row, image))
            for name, value in image.values.items():
                if name not in values:
                    values[name] = np.full(len(rows), math.nan)
                values[name][place] = value
            for name, spread in image.spreads.items():
                spreads.setdefault(name, Spreads(len(rows))).add(place, spread)
            for name, points in image.curves.items():
                curve = along.setdefault(name, {})
                for point in points:
                    curve.setdefault(point.distance, _Along()).add(point)
            if also is not None:
                also(image)
        for place, image in enumerate(measured_of(rows) if spreads else ()):
            for name, spread in image.spreads.items():
                spreads[name].hold(place, spread)
        return cls(images, values, spreads, along)

    def measures(self, table: Sequence[MeasureFacts], confidence: float) -> tuple[Measure, ...]:
        """Every measure of the table that some image has, in the table's order."""
        totals: list[Measure] = []
        for facts in table:
            if facts.name in self._values:
                totals.append(_measure(facts, self._values[facts.name], confidence))
            elif facts.name in self._spreads:
                totals.append(variance_ratio(facts, self._spreads[facts.name], confidence))
        return tuple(one for one in totals if one.unit != "variance" or not math.isnan(one.value))

    def curves(self, table: Sequence[MeasureFacts], confidence: float) -> tuple[Curve, ...]:
        """Every curve of the table that some image has, its points by growing distance."""
        known = [facts for facts in table if facts.name in self._along]
        return tuple(Curve(facts.name, _points(facts, self._along[facts.name], confidence)) for facts in known)


@dataclass(slots=True)
class _Along:
    """What all images have at one distance."""

    values: array[float] = field(default_factory=lambda: array("d"))
    pairs: int = 0

    def add(self, point: DistanceMean) -> None:
        self.values.append(point.value)
        self.pairs += point.pairs


def _image_result(row: Row[RowT], measured: RowT) -> ImageResult:
    return ImageResult(
        row.name,
        None,
        None,
        None,
        measured.flips,
        (),
        None,
        None,
        measured.tracks,
        moving_box=measured.moving_box,
        moving_joints=measured.moving_joints,
    )


def steady_digest(answers: AnyArray) -> bytes:
    """Identifies the answers (W, ...) of an image where all windows have one and the same; empty where they differ."""
    if (answers != answers[:1]).any():
        return b""
    first = np.ascontiguousarray(answers[0] + 0)  # -0 equals 0
    return hashlib.blake2b(f"{first.shape}".encode() + first.tobytes(), digest_size=8).digest()


def same_everywhere(rows: Iterable[Row[RowT]], digests: Iterable[bytes]) -> bool:
    """Whether images of different pixels have one :func:`steady_digest`: such an answer says nothing."""
    first: bytes | None = None
    for digest in digests:
        first = digest if first is None else first
        if not digest or digest != first:
            return False
    pixels: bytes | None = None
    for row in rows:
        pixels = row.pixels if pixels is None else pixels
        if row.pixels != pixels:
            return True
    return False


def _measure(facts: MeasureFacts, per_image: FloatArray, confidence: float) -> Measure:
    known = per_image[~np.isnan(per_image)]
    value = float(known.mean()) if len(known) else math.nan
    interval = mean_interval(known, confidence, facts.interval_bounds)
    return measure_of(facts, value, interval, per_image)


def _points(facts: MeasureFacts, along: Mapping[float, _Along], confidence: float) -> tuple[CurvePoint, ...]:
    points = []
    for distance, means in sorted(along.items()):
        values = np.array(means.values)
        interval = mean_interval(values, confidence, facts.interval_bounds)
        points.append(CurvePoint(distance, float(values.mean()), interval, means.pairs))
    return tuple(points)
