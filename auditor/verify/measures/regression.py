"""How far numbers in a unit of their own (degrees, years, steering) move when their input is shifted.

* value change: mean absolute change between the two inputs of a pair, in the unit of the output.
* relative change: the same over the spread of the output between images, the standard deviation of the answers to the
  unshifted inputs. It says whether shifts or contents decide the answer: at 1 a shift moves it as much as another
  picture does.
* consistency: share of pairs of which every number changes by less than a tenth of that spread.

Angles that come round are compared the short way, and spread about the direction of their mean (Mardia and Jupp 2000).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from auditor.pipeline.decoding import Numbers
from auditor.text import plain
from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.measures.decoded import answers_of, decoder_of
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.layouts import Decoder
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
)
from auditor.verify.measures.totals import output_result, same_everywhere, steady_digest
from auditor.verify.measures.tracks import number_tracks
from auditor.verify.measures.variance import VARIANCES, J, Spread, spread_from
from auditor.verify.result import OutputResult, Task
from auditor.verify.shifts.plan import Pairs, Unit
from auditor.verify.views import Mapped

MEASURES = (
    MeasureFacts(
        "value-consistency",
        "share",
        True,
        "random pairs of shifts whose numbers differ by less than a tenth of their spread between images",
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
        in_points=True,
    ),
    MeasureFacts(
        "value-change",
        "ratio",
        False,
        "change of the numbers, in the unit of the output",
        gate=Gate.RATIO,
        leading=True,
        summary=True,
    ),
    MeasureFacts(
        "relative-change", "ratio", False, "the same over the spread of the numbers between images", summary=True
    ),
    MeasureFacts(
        "reference-difference", "ratio", False, "difference to the reference model, in the unit of the output"
    ),
)
_FULL_TURN = 360.0  # of angles, which are all in degrees
_MOST_NAMES = 6

_STEADY = 0.1  # of the spread between images
LEAST_SPREAD = 3  # images; the spread of two is an accident


def difference(left: AnyArray, right: AnyArray, turn: float | None = None) -> FloatArray:
    """``right - left``; where values come round after ``turn``, the short way, in ``-turn/2 .. turn/2``."""
    step = np.asarray(right, np.float64) - np.asarray(left, np.float64)
    return step if turn is None else (step + turn / 2) % turn - turn / 2


def value_change(values: FloatArray, pairs: Pairs, turn: float | None = None) -> FloatArray:
    """(P, D) absolute change of each of the D numbers ``values`` (W, D) of one image's inputs."""
    return np.abs(difference(values[pairs.reference], values[pairs.moved], turn))


def spread(unshifted: FloatArray, turn: float | None = None) -> FloatArray:
    """(D,) standard deviation between images of the answers (N, D) to unshifted inputs.

    NaN below :data:`LEAST_SPREAD` images.
    """
    if len(unshifted) < LEAST_SPREAD:
        return np.full(unshifted.shape[1:], np.nan)
    away = deviations(unshifted, turn)
    return np.asarray(np.sqrt(np.square(away).sum(axis=0) / (len(unshifted) - 1)))


def deviations(unshifted: FloatArray, turn: float | None = None) -> FloatArray:
    """(N, D) how far the answers (N, D) are from their mean, the short way where they come round."""
    if turn is None:
        return np.asarray(unshifted - unshifted.mean(axis=0))
    angles = unshifted * (2 * np.pi / turn)
    middle = np.arctan2(np.sin(angles).mean(axis=0), np.cos(angles).mean(axis=0)) * turn / (2 * np.pi)
    return difference(middle[None], unshifted, turn)


def relative_change(changes: FloatArray, between: FloatArray) -> FloatArray:
    """(N,) the mean over the D numbers of the changes (N, D) per image over the spread (D,) between images.

    A number that no picture changes has no scale, and does not count; NaN where none has one.
    """
    known = np.flatnonzero(np.nan_to_num(between) > 1e-9 * np.maximum(1e-12, np.abs(changes).max(initial=0.0)))
    if not len(known):
        return np.full(len(changes), np.nan)
    return np.asarray((changes[:, known] / between[known]).mean(axis=1))


def consistency(changes: FloatArray, between: FloatArray) -> float:
    """The share of pairs (P, D) of which every number changes by less than a tenth of its spread (D,) between images.

    A number that no picture changes has no scale, and does not count; NaN where none has one.
    """
    known = np.flatnonzero(np.nan_to_num(between) > 0)
    if not len(known) or not len(changes):
        return float("nan")
    return float(np.mean(np.all(changes[:, known] < _STEADY * between[known], axis=1)))


@dataclass(frozen=True, slots=True)
class RegressionImage(ImageMeasures):
    """One image of a regression: ``unshifted`` and the ``change`` of each number at each pair of shifts; where no shift
    changes them, ``steady`` identifies them.
    """

    unshifted: tuple[float, ...]
    change: tuple[tuple[float, ...], ...]
    steady: bytes


@dataclass(frozen=True, slots=True)
class Regression(TaskMeasures[FloatArray, RegressionImage]):
    """Measures how far numbers move. Answers are (W, D).

    ``decoder`` reads them; ``names`` and ``unit`` are theirs, and ``turn`` is after how much angles come round.
    """

    MEASURES = MEASURES
    TRACKS = True

    decoder: Decoder
    period: int | None
    names: tuple[str, ...] = ()
    unit: str = ""
    turn: float | None = None

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Regression:
        blank = cls(subject.target.outputs, decoder_of(subject), subject.period)
        first = blank.decoder.read({name: samples[0][name] for name in blank.outputs})
        assert isinstance(first, Numbers)
        return replace(blank, names=first.names, unit=first.unit, turn=_FULL_TURN if first.circular else None)

    def read(self, rows: WindowOutputs) -> FloatArray:
        numbers = answers_of(self.decoder, self.outputs, rows, Numbers)
        return np.array([answer.values for answer in numbers], np.float64)

    def row(self, unit: Unit, answers: FloatArray, reference: FloatArray | None) -> RegressionImage:
        plan = unit.plan
        values: dict[str, float] = {}
        change = value_change(answers, plan.pairs, self.turn)
        if len(plan.pairs):
            values["value-change"] = float(change.mean())
        curves: dict[str, FloatArray] = {}
        if len(plan.distances):
            curves["value-change"] = value_change(answers, plan.distances, self.turn).mean(axis=1)
        if reference is not None:
            if reference.shape != answers.shape:
                raise UnusableOutputError(OTHER_SHAPE)
            values["reference-difference"] = float(np.abs(difference(reference, answers, self.turn)).mean())
        return RegressionImage(
            values,
            by_distance(curves, plan.distances.distance),
            0.0,
            tuple(answers[0].tolist()),
            tuple(map(tuple, change.tolist())),
            steady_digest(answers),
            tracks=number_tracks(answers[plan.walk], self.names, self.period) if len(plan.walk) else (),
        )

    def total(self, rows: Sequence[Row[RegressionImage]], confidence: float) -> OutputResult:
        return output_result(self.outputs[0], Task.REGRESSION, (*MEASURES, *VARIANCES), self._scaled(rows), confidence)

    def nothing(self, rows: Sequence[Row[RegressionImage]]) -> str:
        digests = (image.steady for image in measured_of(rows))
        return "the numbers are the same for every image and every shift" if same_everywhere(rows, digests) else ""

    def remarks(self, rows: Sequence[Row[RegressionImage]]) -> tuple[str, ...]:
        images = measured_of(rows)
        if not images or not images[0].change:
            return ()
        means = np.mean([np.mean(image.change, axis=0) for image in images], axis=0)
        each = ", ".join(
            f"{plain(name, 40)} {mean:.3g}" for name, mean in zip(self.names[:_MOST_NAMES], means, strict=False)
        )
        unit = f" in {self.unit}" if self.unit else " in the unit of the output"
        few = len(images) < LEAST_SPREAD
        missing = (f"no relative change: the spread between images wants {LEAST_SPREAD} of them",) if few else ()
        return (f"value-change is{unit}: {each}", *missing)

    def _scaled(self, rows: Sequence[Row[RegressionImage]]) -> Sequence[Row[RegressionImage]]:
        """The rows with their change relative to the spread between all of them."""
        images = measured_of(rows)
        if not images or not any("value-change" in image.values for image in images):
            return rows
        between = spread(np.array([image.unshifted for image in images]), self.turn)
        relative = relative_change(np.array([np.mean(image.change, axis=0) for image in images]), between)
        steady = [consistency(np.array(image.change), between) for image in images]
        spreads = _spreads(images, between, self.turn)
        return Mapped(
            range(len(rows)), lambda place: _with(rows[place], float(relative[place]), steady[place], spreads[place])
        )


def _with(row: Row[RegressionImage], relative: float, steady: float, spread: Spread) -> Row[RegressionImage]:
    assert row.measured is not None
    values = {**row.measured.values, "relative-change": relative, "value-consistency": steady}
    return replace(row, measured=replace(row.measured, values=values, spreads={J.name: spread}))


def _spreads(images: Sequence[RegressionImage], between: FloatArray, turn: float | None) -> list[Spread]:
    """The spread of every image; each number counts alike, whatever its unit."""
    known = np.flatnonzero(np.nan_to_num(between) > 0)
    away = deviations(np.array([image.unshifted for image in images]), turn)[:, known] / between[known]
    squares = [np.square(np.array(image.change)[:, known] / between[known]).sum(axis=1) / 2 for image in images]
    return [spread_from(float(within.mean()), row[None]) for within, row in zip(squares, away, strict=True)]
