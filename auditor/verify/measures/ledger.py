"""Numbers per image, by measure, and per shift distance; turned into means with intervals at the end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from auditor.verify.arrays import FloatArray
from auditor.verify.measures import MEASURES
from auditor.verify.result import Curve, CurvePoint, Interval, Measure
from auditor.verify.statistics import mean_interval

# The least and largest value of each unit; a ratio and a distance have none.
_BOUNDS = {"share": (0.0, 1.0), "probability": (0.0, 1.0)}


class Ledger:
    """Collects values; ``confidence`` is that of every interval."""

    def __init__(self, confidence: float) -> None:
        self._confidence = confidence
        self._images = 0
        self._values: dict[str, list[tuple[int, float]]] = {}
        self._curves: dict[str, dict[float, list[tuple[int, float, int]]]] = {}

    @property
    def images(self) -> int:
        """How many images were added."""
        return self._images

    def add(self, values: Mapping[str, float], curves: Mapping[str, FloatArray], distances: FloatArray) -> None:
        """Add one image: its measures, and for some of them a value per pair with the pair's distance in pixels.

        NaN says that a measure is not defined for the image or the pair; it counts in no mean.
        """
        for name, value in values.items():
            self._values.setdefault(name, []).append((self._images, value))
        for name, along in curves.items():
            points = self._curves.setdefault(name, {})
            for distance in np.unique(distances):
                chosen = along[(distances == distance) & ~np.isnan(along)]
                if not len(chosen):
                    continue
                row = (self._images, float(chosen.mean()), len(chosen))
                points.setdefault(float(distance), []).append(row)
        self._images += 1

    def measures(self) -> tuple[Measure, ...]:
        """Every measure with at least one value, in the order of :data:`MEASURES`."""
        return tuple(self._measure(name) for name in MEASURES if name in self._values)

    def curves(self) -> tuple[Curve, ...]:
        """Every curve, its points by growing distance."""
        return tuple(
            Curve(name, tuple(self._point(name, distance, points[distance]) for distance in sorted(points)))
            for name, points in self._curves.items()
        )

    def _measure(self, name: str) -> Measure:
        facts = MEASURES[name]
        per_image = np.full(self._images, math.nan)
        for image, value in self._values[name]:
            per_image[image] = value
        known = per_image[~np.isnan(per_image)]
        value = float(known.mean()) if len(known) else math.nan
        interval = self._interval(name, known)
        return Measure(name, value, interval, facts.unit, facts.higher_is_better, tuple(per_image.tolist()))

    def _point(self, name: str, distance: float, rows: Sequence[tuple[int, float, int]]) -> CurvePoint:
        values = np.array([value for _, value, _ in rows])
        pairs = sum(count for _, _, count in rows)
        return CurvePoint(distance, float(values.mean()), self._interval(name, values), pairs)

    def _interval(self, name: str, values: FloatArray) -> Interval | None:
        return mean_interval(values, self._confidence, _BOUNDS.get(MEASURES[name].unit))
