"""What a result says of each image: of all of them, or of many only of those that change most."""

from __future__ import annotations

import heapq
import math
from array import array
from collections import Counter
from collections.abc import Mapping

import numpy as np

from auditor.verify import columns
from auditor.verify.columns import FloatColumn, Floats
from auditor.verify.listing import Listed
from auditor.verify.result import ImageResult


class DescribedImages:
    """The images of a run, of which so many come one after the other."""

    def __init__(self, count: int) -> None:
        self._all = count <= columns.MOST_LISTED
        self._most = count if self._all else columns.MOST_SHOWN
        self._kept: list[tuple[float, int, ImageResult]] = []
        self._numbers = {name: array("d") for name in ("flips", "label", "answer", "score")}
        self._labels: Counter[int] = Counter()
        self._seen = 0

    def add(self, image: ImageResult) -> None:
        """The next image."""
        flips = 0.0 if math.isnan(image.flips) else image.flips
        entry = (flips, -self._seen, image)  # of equal ones the first stay
        self._seen += 1
        if self._all:
            self._kept.append(entry)
            return
        numbers = (image.flips, image.label, image.reference, image.score)
        for column, value in zip(self._numbers.values(), numbers, strict=True):
            column.append(math.nan if value is None else value)
        self._labels.update([] if image.label is None else [image.label])
        if len(self._kept) < self._most:
            heapq.heappush(self._kept, entry)
        else:
            heapq.heappushpop(self._kept, entry)

    @property
    def described(self) -> tuple[ImageResult, ...]:
        """In the order in which they came."""
        return tuple(image for _, _, image in self._in_order())

    @property
    def listed(self) -> Listed | None:
        """Which of many they are, and what holds for all; None where they are all."""
        if self._all:
            return None
        places = tuple(-place for _, place, _ in self._in_order())
        unsteady = int((np.array(self._numbers["flips"]) > 0).sum())
        return Listed(places, self._seen, unsteady, tuple(sorted(self._labels.items())))

    @property
    def columns(self) -> Mapping[str, Floats]:
        """Of many, what can be said in a number."""
        known = {name: np.array(column) for name, column in self._numbers.items()}
        return {name: FloatColumn(column) for name, column in known.items() if not np.isnan(column).all()}

    def _in_order(self) -> list[tuple[float, int, ImageResult]]:
        return sorted(self._kept, key=lambda entry: -entry[1])
