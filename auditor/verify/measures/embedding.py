"""How far an embedding turns when its input is shifted.

The share of pairs under a cosine threshold is the "representation change" of Shifman and Weiss, "Lost in Translation:
Modern Neural Networks Still Struggle With Small Realistic Image Transformations", ECCV 2024.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.classification import finite_rows
from auditor.verify.measures.ledger import Ledger
from auditor.verify.measures.tally import OTHER_SHAPE, Constancy, UnusableOutputError, nearly_equal
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.shifts.plan import Pairs, Unit
from auditor.verify.worker.arena import Array


def cosine(left: AnyArray, right: AnyArray) -> FloatArray:
    """(P,) cosine between rows of two (P, ...) arrays, all axes but the first taken as one vector.

    Two zero vectors are equal (1); a zero vector and another one have nothing in common (0).
    """
    first = np.asarray(left, dtype=np.float64).reshape(len(left), -1)
    second = np.asarray(right, dtype=np.float64).reshape(len(right), -1)
    lengths = np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1)
    product = lengths[0] * lengths[1]
    both_zero = (lengths[0] == 0) & (lengths[1] == 0)
    ratio = (first * second).sum(axis=1) / np.where(product > 0, product, 1.0)
    return np.asarray(np.where(both_zero, 1.0, np.clip(ratio, -1.0, 1.0)))


def pair_cosine(embeddings: AnyArray, pairs: Pairs) -> FloatArray:
    """(P,) cosine between the embeddings of each pair; ``embeddings`` (W, ...) are those of one image's windows."""
    return cosine(embeddings[pairs.reference], embeddings[pairs.moved])


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
