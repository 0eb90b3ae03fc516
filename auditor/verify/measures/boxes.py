"""The boxes of one input, in the form in which they are compared."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.verify.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Boxes:
    """Detections of one window: ``corners`` (N, 4) of x1, y1, x2, y2 in pixels, ``scores`` (N,), ``labels`` (N,)."""

    corners: FloatArray
    scores: FloatArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.scores)

    def above(self, threshold: float) -> Boxes:
        """The boxes whose score reaches the threshold."""
        return self.chosen(self.scores >= threshold)

    def below(self, threshold: float) -> Boxes:
        """The boxes whose score does not reach the threshold."""
        return self.chosen(self.scores < threshold)

    def chosen(self, which: IntArray | BoolArray) -> Boxes:
        """The boxes at these indices, or where this is true."""
        return Boxes(self.corners[which], self.scores[which], self.labels[which])

    def at(self, corners: FloatArray) -> Boxes:
        """The same objects at other corners."""
        return Boxes(corners, self.scores, self.labels)
