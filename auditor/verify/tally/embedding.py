"""The tally of a feature extractor."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.text import ModelText
from auditor.verify.measures.classification import finite_rows
from auditor.verify.measures.embedding import cosine, pair_cosine
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.tally import OTHER_SHAPE, Constancy, Unit, UnusableOutputError, nearly_equal
from auditor.verify.tally.ledger import Ledger
from auditor.verify.worker.arena import Array

# A representation has changed where its cosine falls under this (Shifman and Weiss, ECCV 2024).
CHANGED_BELOW = 0.95


class EmbeddingTally:
    """Measures the cosine between the embeddings of shifted windows.

    ``reference`` names the same output of a reference model among the rows, if there is one.
    """

    def __init__(self, output: str, confidence: float, reference: str | None = None) -> None:
        self._output = output
        self._reference = reference
        self._constancy = Constancy()
        self._ledger = Ledger(confidence)
        self._images: list[ImageResult] = []

    def add(self, unit: Unit, rows: Mapping[str, list[Array]]) -> None:
        vectors = self._vectors(rows[self._output])
        self._constancy.add(unit, vectors)
        cosines = pair_cosine(vectors, unit.plan.pairs)
        values = {"cosine": float(cosines.mean())} if len(cosines) else {}
        if self._reference is not None:
            others = self._vectors(rows[self._reference])
            if others.shape != vectors.shape:
                raise UnusableOutputError(OTHER_SHAPE)
            values["fidelity-cosine"] = float(cosine(vectors, others).mean())
        along = {"cosine": pair_cosine(vectors, unit.plan.distances)} if len(unit.plan.distances) else {}
        self._ledger.add(values, along, unit.plan.distances.distance)
        flips = float(np.mean(cosines < CHANGED_BELOW)) if len(cosines) else 0.0
        self._images.append(ImageResult(unit.name, None, None, None, flips, (), None, None))

    def same(self, first: Mapping[str, Array], second: Mapping[str, Array]) -> bool:
        return nearly_equal(first[self._output], second[self._output])

    def nothing(self) -> str:
        return "the embedding is the same for every image and every shift" if self._constancy.constant else ""

    def finish(self) -> OutputResult:
        return OutputResult(
            ModelText(self._output),
            Task.EMBEDDING,
            self._ledger.measures(),
            self._ledger.curves(),
            tuple(self._images),
            (),
        )

    @staticmethod
    def _vectors(rows: list[Array]) -> Array:
        vectors = np.stack([row.reshape(-1) for row in rows])
        if not finite_rows(vectors).all():
            raise UnusableOutputError("the model's output holds NaN or infinity")
        return vectors
