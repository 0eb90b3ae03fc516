"""How far an embedding turns when its input is shifted.

The share of pairs under a cosine threshold is the "representation change" of Shifman and Weiss, "Lost in Translation:
Modern Neural Networks Still Struggle With Small Realistic Image Transformations", ECCV 2024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from auditor.verify.arrays import AnyArray, FloatArray, IntArray
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.reference import AGREEMENT, Beside, changes_beside, one_pixel
from auditor.verify.measures.task import (
    OTHER_SHAPE,
    ImageMeasures,
    Outputs,
    Row,
    Subject,
    TaskMeasures,
    UnusableOutputError,
    WindowOutputs,
    by_distance,
    measured_of,
    stacked,
)
from auditor.verify.measures.totals import output_result, same_everywhere, steady_digest
from auditor.verify.measures.tracks import likeness_track
from auditor.verify.measures.variance import VARIANCES, J, spread_of
from auditor.verify.result import OutputResult, Task, Track
from auditor.verify.shifts.plan import Pairs, Unit

COSINE = MeasureFacts(
    "cosine",
    "ratio",
    True,
    "cosine between the outputs of two shifts",
    limits=(-1.0, 1.0),
    gate=Gate.CHANGE,
    leading=True,
    summary=True,
)


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


@dataclass(frozen=True, slots=True)
class EmbeddingImage(ImageMeasures):
    """One image of an embedding. ``steady`` identifies a vector that no shift changes."""

    steady: bytes


@dataclass(frozen=True, slots=True)
class Embedding(TaskMeasures[AnyArray, EmbeddingImage]):
    """Measures the cosine between the embeddings (W, N) of shifted windows."""

    MEASURES = (COSINE,)
    TRACKS = True

    period: int | None = None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Embedding:  # noqa: ARG003 - nothing to learn
        return cls(subject.target.outputs, subject.period)

    def read(self, rows: WindowOutputs) -> AnyArray:
        return stacked(rows[self.outputs[0]])

    def row(self, unit: Unit, answers: AnyArray, reference: AnyArray | None) -> EmbeddingImage:
        plan = unit.plan
        cosines = pair_cosine(answers, plan.pairs)
        values = {"cosine": float(cosines.mean())} if len(cosines) else {}
        beside: Beside | None = None
        if reference is not None:
            if reference.shape != answers.shape:
                raise UnusableOutputError(OTHER_SHAPE)
            values["fidelity-cosine"] = float(cosine(answers, reference).mean())
            near = one_pixel(plan)
            changed = [pair_cosine(vectors, near) < CHANGED_BELOW for vectors in (answers, reference)]
            beside, added = changes_beside(changed[0], changed[1])
            values |= added
        along = {"cosine": pair_cosine(answers, plan.distances)} if len(plan.distances) else {}
        return EmbeddingImage(
            values=values,
            curves=by_distance(along, plan.distances.distance),
            flips=float(np.mean(cosines < CHANGED_BELOW)) if len(cosines) else 0.0,
            steady=steady_digest(answers),
            beside=beside,
            spreads={J.name: spread_of(answers, plan.pairs, plan)} if len(plan.pairs) else {},
            tracks=self._tracks(answers, plan.walk),
        )

    def _tracks(self, answers: AnyArray, path: IntArray) -> tuple[Track, ...]:
        if not len(path):
            return ()
        along = cosine(answers[path[1:]], np.repeat(answers[path[:1]], len(path) - 1, axis=0))
        return likeness_track("cosine to the first input", "ratio", along, self.period)

    def total(self, rows: Sequence[Row[EmbeddingImage]], confidence: float) -> OutputResult:
        return output_result(self.outputs[0], Task.EMBEDDING, (*AGREEMENT, COSINE, *VARIANCES), rows, confidence)

    def nothing(self, rows: Sequence[Row[EmbeddingImage]]) -> str:
        constant = same_everywhere(rows, (image.steady for image in measured_of(rows)))
        return "the embedding is the same for every image and every shift" if constant else ""
