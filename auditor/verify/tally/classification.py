"""The tally of a classifier."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import FloatArray
from auditor.verify.measures.classification import (
    OutputScale,
    agreement,
    finite_rows,
    measure_image,
    output_scale,
    prediction_counts,
    probabilities,
    score_change,
    top1,
    worst_case,
)
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.tally import Constancy, Unit, UnusableOutputError
from auditor.verify.tally.ledger import Ledger
from auditor.verify.worker.arena import Array


class ClassificationTally:
    """Measures class scores. ``reference`` names the same output of a reference model among the rows, if there is one.

    ``scale`` is what the numbers are; it is read from the first image where it is None.
    """

    def __init__(
        self, output: str, confidence: float, scale: OutputScale | None = None, reference: str | None = None
    ) -> None:
        self._output = output
        self._reference = reference
        self._scale = scale
        self._constancy = Constancy()
        self._classes: int | None = None
        self._ledger = Ledger(confidence)
        self._images: list[ImageResult] = []

    def add(self, unit: Unit, rows: Mapping[str, list[Array]]) -> None:
        scores = self._scores(rows[self._output])
        if unit.label is not None and not 0 <= unit.label < scores.shape[1]:
            raise UnusableOutputError(f"label {unit.label} is none of the model's {scores.shape[1]} classes")
        self._constancy.add(unit, scores)
        self._classes = scores.shape[1]
        other = self._scores(rows[self._reference]) if self._reference is not None else None
        plan = unit.plan
        values = measure_image(scores, plan, unit.label, other)
        along: dict[str, FloatArray] = {}
        if len(plan.distances):
            along["consistency"] = agreement(scores, plan.distances).astype(np.float64)
            along["mac"] = score_change(scores, plan.distances)
        self._ledger.add(values, along, plan.distances.distance)
        self._images.append(self._image(unit, scores))

    def same(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
        return int(np.argmax(first[self._output])) == int(np.argmax(second[self._output]))

    def nothing(self) -> str:
        return "the scores are the same for every image and every shift" if self._constancy.constant else ""

    def finish(self) -> OutputResult:
        references = [image.reference for image in self._images if image.reference is not None]
        return OutputResult(
            ModelText(self._output),
            Task.CLASSIFICATION,
            self._ledger.measures(),
            self._ledger.curves(),
            tuple(self._images),
            prediction_counts(references),
            self._classes,
        )

    def _scores(self, rows: list[Array]) -> FloatArray:
        outputs = np.stack([row.reshape(-1) for row in rows])
        if not finite_rows(outputs).all():
            raise UnusableOutputError("the model's output holds NaN or infinity")
        if self._scale is None:
            self._scale = output_scale(outputs)
        return probabilities(outputs, self._scale)

    @staticmethod
    def _image(unit: Unit, scores: FloatArray) -> ImageResult:
        best = top1(scores)
        plan = unit.plan
        target = unit.label if unit.label is not None else int(best[0])
        worst = worst_case(scores, plan.exhaustive, unit.label)
        return ImageResult(
            name=unit.name,
            label=unit.label,
            reference=int(best[0]),
            score=float(scores[0, best[0]]),
            flips=float(np.mean(best != best[0])),
            path=tuple(scores[plan.path, target].tolist()),
            worst=worst.shift if worst is not None else None,
            worst_score=worst.score if worst is not None else None,
        )
