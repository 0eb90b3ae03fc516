"""How far a classifier's answer moves when its input is shifted.

Arrays: ``probabilities`` (W, C) of the windows of one image (see :class:`auditor.verify.shifts.plan.ShiftPlan`), W
windows by C classes. Ties of the largest probability go to the lowest class index, everywhere alike.

* consistency: share of random pairs with equal top-1 class. Zhang, ICML 2019.
* P(top-1 change), MAC (mean absolute change of the probability of the reference's top-1 class), jaggedness: Azulay and
  Weiss, JMLR 2019 and arXiv 1805.12177v1 (jaggedness: flips of "is the class among the five likeliest" along a path).
* worst case over all shifts of a radius: Engstrom et al., ICML 2019.
* J: variance of the scores within an image over that between images, see :mod:`auditor.verify.measures.variance`.
* stability, agree and be right: Saha and Gokhale (TIPS), WACV 2025. Fidelity: agreement with a reference model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import numpy.typing as npt

from auditor.text import ModelText
from auditor.verify.arrays import AnyArray, BoolArray, FloatArray, IntArray
from auditor.verify.example import SeenAnswer
from auditor.verify.hysteresis import AnswerScores, Margins
from auditor.verify.measures.class_changes import nearest_change, seen_answers
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.reference import AGREEMENT, Beside, changes_beside, fidelity_values, one_pixel
from auditor.verify.measures.task import (
    ImageMeasures,
    Outputs,
    Row,
    Sides,
    Subject,
    TaskMeasures,
    UnusableOutputError,
    WindowOutputs,
    by_distance,
    measured_of,
    stacked,
)
from auditor.verify.measures.totals import Totals, same_everywhere, steady_digest
from auditor.verify.measures.variance import J_NEAR, VARIANCES, J, spread_near, spread_of
from auditor.verify.result import ImageResult, OutputResult, Task
from auditor.verify.shifts.plan import Pairs, ShiftPlan, Unit

MEASURES = (
    MeasureFacts(
        "consistency",
        "share",
        True,
        "random pairs of shifts with the same top-1 class",
        gate=Gate.CHANGE,
        leading=True,
        summary=True,
        in_points=True,
    ),
    MeasureFacts("top1-change", "share", False, "shifts of one pixel that change the top-1 class"),
    MeasureFacts(
        "mac",
        "probability",
        False,
        "mean change of the reference class's probability, random shifts",
        title="MAC",
        leading=True,
        summary=True,
    ),
    MeasureFacts("mac-1px", "probability", False, "the same for shifts of one pixel", title="MAC, 1 px"),
    MeasureFacts("jaggedness", "share", False, "one-pixel steps of a path at which the top-5 decision flips"),
    MeasureFacts("worst-case", "share", False, "images whose class some shift of the radius changes"),
    MeasureFacts("worst-change", "probability", False, "largest change of the score over all shifts of the radius"),
    MeasureFacts("accuracy", "share", True, "unshifted inputs with the labelled class", summary=True, unshifted=True),
    MeasureFacts("shifted-accuracy", "share", True, "inputs of the random pairs with the labelled class", summary=True),
    MeasureFacts("robust-accuracy", "share", True, "images with the labelled class at every shift of the radius"),
    MeasureFacts("stability", "share", True, "random pairs that agree and are right"),
)
_SUM_TOLERANCE = 1e-2  # half-precision softmax over 1000 classes sums to 1 within this


class OutputScale(Enum):
    """What the numbers of a classifier's output are."""

    LOGITS = "logits"
    PROBABILITIES = "probabilities"
    INDEPENDENT = "independent"  # one probability per class that need not sum to one (sigmoid)


def output_scale(outputs: AnyArray) -> OutputScale:
    """What the outputs (W, C) are, from the numbers: in 0..1 and summing to one, in 0..1, or anything."""
    values = np.asarray(outputs, dtype=np.float64)
    if values.size == 0 or values.min() < -1e-6 or values.max() > 1 + 1e-3:
        return OutputScale.LOGITS
    sums = values.sum(axis=-1)
    return OutputScale.PROBABILITIES if np.abs(sums - 1).max() <= _SUM_TOLERANCE else OutputScale.INDEPENDENT


def probabilities(outputs: AnyArray, scale: OutputScale) -> FloatArray:
    """Probabilities (W, C) of outputs (W, C). One output (W, 1) is read as the second of two classes: (W, 2).

    Raises ValueError for outputs that are not finite.
    """
    values = np.asarray(outputs, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the output holds values that are not finite")
    if values.shape[-1] == 1:
        second = 1 / (1 + np.exp(-np.clip(values, -700, 700))) if scale is OutputScale.LOGITS else values
        return np.concatenate([1 - second, second], axis=-1)
    if scale is not OutputScale.LOGITS:
        return values
    shifted = np.exp(values - values.max(axis=-1, keepdims=True))
    softmax: FloatArray = shifted / shifted.sum(axis=-1, keepdims=True)
    return softmax


def log_scores(probabilities: FloatArray, independent: bool, least: float) -> FloatArray:
    """(W, C) the logits up to what changes no probability, from the probabilities (W, C).

    Of classes that exclude each other their logarithms less the mean over the classes, which is what logits are less
    theirs; of ``independent`` ones the log-odds. Nothing is below ``least``.
    """
    logs = np.log(np.maximum(probabilities, least))
    if independent:
        # Close to 1 the type of the outputs is coarser than close to 0.
        return np.asarray(logs - np.log(np.maximum(1 - probabilities, max(least, 1e-7))))
    return np.asarray(logs - logs.mean(axis=1, keepdims=True))


def top1(scores: FloatArray) -> IntArray:
    """(W,) the likeliest class."""
    return np.asarray(np.argmax(scores, axis=-1), dtype=np.int64)


def agreement(scores: FloatArray, pairs: Pairs) -> BoolArray:
    """(P,) whether both windows of a pair have the same top-1 class."""
    best = top1(scores)
    return np.asarray(best[pairs.reference] == best[pairs.moved])


def score_change(scores: FloatArray, pairs: Pairs) -> FloatArray:
    """(P,) absolute change of the probability of the reference window's top-1 class."""
    best = top1(scores)[pairs.reference]
    return np.abs(scores[pairs.reference, best] - scores[pairs.moved, best])


def jaggedness(scores: FloatArray, path: IntArray, target: int | None = None, k: int = 5) -> float:
    """Share of the steps of a path at which the decision "``target`` is among the ``k`` likeliest" flips.

    Without a target the path's first top-1 class is taken. NaN for a path of fewer than two windows. Published counts
    are this share times the number of steps.
    """
    if len(path) < 2:
        return float("nan")
    along = scores[path]
    wanted = int(top1(along[:1])[0]) if target is None else target
    ahead = along > along[:, [wanted]]
    tied = (along == along[:, [wanted]]) & (np.arange(along.shape[1]) < wanted)
    decision = (ahead | tied).sum(axis=1) < k
    return float(np.mean(decision[1:] != decision[:-1]))


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The worst of all shifts of a radius: is any class different, and where is the reference's score lowest.

    ``robust`` says that the labelled class wins at every shift, the unshifted input included (None without a label).
    """

    flipped: bool
    change: float
    shift: tuple[float, float]
    score: float
    robust: bool | None


def worst_case(scores: FloatArray, exhaustive: Pairs, label: int | None = None) -> WorstCase | None:
    """The worst shift of one image, or None where no exhaustive square was run."""
    if not len(exhaustive):
        return None
    best = top1(scores)
    reference = exhaustive.reference[0]
    along = scores[exhaustive.moved, best[reference]]
    lowest = int(np.argmin(along))
    shift = exhaustive.shift[lowest]
    return WorstCase(
        flipped=bool((best[exhaustive.moved] != best[reference]).any()),
        change=float(score_change(scores, exhaustive).max()),
        shift=(float(shift[0]), float(shift[1])),
        score=float(along[lowest]),
        robust=None if label is None else bool((best[exhaustive.moved] == label).all() and best[reference] == label),
    )


def measure_image(
    scores: FloatArray, plan: ShiftPlan, label: int | None = None, reference: FloatArray | None = None
) -> dict[str, float]:
    """Every measure of one image by its name in :data:`MEASURES`; what was not made is absent.

    ``reference`` are the probabilities of a reference model on the same windows (W, C).
    """
    best = top1(scores)
    values: dict[str, float] = {}
    if len(plan.pairs):
        agree = agreement(scores, plan.pairs)
        values["consistency"] = float(agree.mean())
        values["mac"] = float(score_change(scores, plan.pairs).mean())
        if label is not None:
            right = best == label
            values["shifted-accuracy"] = float(np.mean([right[plan.pairs.reference], right[plan.pairs.moved]]))
            values["stability"] = float((agree & right[plan.pairs.reference]).mean())
    if len(plan.neighbours):
        values["top1-change"] = float(1 - agreement(scores, plan.neighbours).mean())
        values["mac-1px"] = float(score_change(scores, plan.neighbours).mean())
    if len(plan.path) > 1:
        values["jaggedness"] = jaggedness(scores, plan.path, label)
    worst = worst_case(scores, plan.exhaustive, label)
    if worst is not None:
        values["worst-case"] = float(worst.flipped)
        values["worst-change"] = worst.change
        if worst.robust is not None:
            values["robust-accuracy"] = float(worst.robust)
    if label is not None:
        values["accuracy"] = float(best[0] == label)
    if reference is not None:
        values |= fidelity_values((best == top1(reference)).astype(np.float64))
    return values


def lead_scores(scores: FloatArray) -> AnswerScores | None:
    """By how much the first window's class leads over the next one in every window; None for a single class."""
    if scores.shape[1] < 2:
        return None
    best = int(scores[0].argmax())
    return AnswerScores.of(scores[:, best] - np.delete(scores, best, axis=1).max(axis=1))


def prediction_counts(classes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """(class, number of images), most frequent first, then by class; ``classes`` are counted, or have counts."""
    return tuple(sorted(Counter(classes).items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class ClassMeasures(ImageMeasures):
    """One image of a classifier; fields as in :class:`~auditor.verify.result.ImageResult`.

    ``lead`` is that of the unshifted input's class under all shifts. ``classes`` is how many the model can tell apart.
    ``steady`` identifies scores that no shift changes.
    """

    reference: int
    score: float
    path: tuple[float, ...]
    worst: WorstCase | None
    classes: int
    steady: bytes
    lead: AnswerScores | None = field(default=None, kw_only=True)
    answers: tuple[SeenAnswer, ...] = field(default=(), kw_only=True)


def _least(kind: npt.DTypeLike) -> float:
    """Half precision is exact to a tenth a few steps above nothing; the others have numbers enough."""
    facts = np.finfo(kind if np.dtype(kind).kind == "f" else np.float64)
    return float(8 * facts.smallest_subnormal if facts.bits == 16 else facts.tiny)


@dataclass(frozen=True, slots=True)
class Classification(TaskMeasures[FloatArray, ClassMeasures]):
    """Reads and measures class scores. Answers are probabilities (W, C); ``scale`` is what the outputs are.

    ``least`` is the smallest probability that the type of the outputs tells from its neighbours.
    """

    MEASURES = MEASURES
    SINGLE_STEPS = True

    scale: OutputScale | None = None
    least: float = 1e-300

    @classmethod
    def learn(cls, subject: Subject, samples: Sequence[Outputs]) -> Classification:
        output = subject.target.outputs[0]
        rows = [sample[output].reshape(-1) for sample in samples]
        known = [row for row in rows if np.isfinite(row).all()]
        scale = output_scale(np.stack(known)) if known else None
        return cls((output,), scale, _least(np.float64 if scale is OutputScale.LOGITS else rows[0].dtype))

    def read(self, rows: WindowOutputs) -> FloatArray:
        outputs = stacked(rows[self.outputs[0]])
        return probabilities(outputs, self.scale or output_scale(outputs))

    def row(self, unit: Unit, answers: FloatArray, reference: FloatArray | None) -> ClassMeasures:
        plan, label, classes = unit.plan, unit.label, answers.shape[1]
        if label is not None and not 0 <= label < classes:
            raise UnusableOutputError(f"label {label} is none of the model's {classes} classes")
        if reference is not None and reference.shape != answers.shape:
            raise UnusableOutputError(
                f"the reference model tells {reference.shape[1]} classes and this one {classes}: give "
                "--reference-first-class where it has further ones in front, such as 1 for a background"
            )
        values = measure_image(answers, plan, label, reference)
        beside: Beside | None = None
        if reference is not None:
            near = one_pixel(plan)
            beside, added = changes_beside(~agreement(answers, near), ~agreement(reference, near))
            values |= added
        along: dict[str, FloatArray] = {}
        if len(plan.distances):
            along["consistency"] = agreement(answers, plan.distances).astype(np.float64)
            along["mac"] = score_change(answers, plan.distances)
        best = top1(answers)
        scores = log_scores(answers, self.scale is OutputScale.INDEPENDENT, self.least)
        spread = spread_of(scores, plan.pairs, plan)
        spreads = {J.name: spread} if len(plan.pairs) else {}
        if len(plan.neighbours):
            spreads[J_NEAR.name] = spread_near(spread, scores, plan.neighbours)
        return ClassMeasures(
            values=values,
            curves=by_distance(along, plan.distances.distance),
            flips=float(np.mean(best != best[0])),
            reference=int(best[0]),
            score=float(answers[0, best[0]]),
            path=tuple(answers[plan.path, int(best[0]) if label is None else label].tolist()),
            worst=worst_case(answers, plan.exhaustive, label),
            classes=classes,
            steady=steady_digest(answers),
            beside=beside,
            lead=lead_scores(answers),
            class_change=nearest_change(answers, plan),
            answers=seen_answers(answers, plan),
            spreads=spreads,
        )

    def brought(self, answers: FloatArray, sides: Sides) -> FloatArray:
        return answers[:, sides.first_class :] if sides.first_class < answers.shape[1] else answers

    def total(self, rows: Sequence[Row[ClassMeasures]], confidence: float) -> OutputResult:
        margins, answers, classes = Margins("lead", 0.0), Counter[int](), 0

        def also(image: ClassMeasures) -> None:
            nonlocal classes
            answers[image.reference] += 1
            classes = max(classes, image.classes)
            if image.lead is not None:
                margins.add(image.lead)

        totals = Totals.of(rows, _image, also)
        return OutputResult(
            ModelText(self.outputs[0]),
            Task.CLASSIFICATION,
            totals.measures((*MEASURES, *VARIANCES, *AGREEMENT), confidence),
            totals.curves(MEASURES, confidence),
            totals.images.described,
            prediction_counts(answers),
            classes or None,
            margins.margin,
            listed=totals.images.listed,
            columns=totals.images.columns,
        )

    def same(self, first: Outputs, second: Outputs) -> bool:
        return int(np.argmax(first[self.outputs[0]])) == int(np.argmax(second[self.outputs[0]]))

    def nothing(self, rows: Sequence[Row[ClassMeasures]]) -> str:
        constant = same_everywhere(rows, (image.steady for image in measured_of(rows)))
        return "the scores are the same for every image and every shift" if constant else ""


def _image(row: Row[ClassMeasures], measured: ClassMeasures) -> ImageResult:
    worst = measured.worst
    return ImageResult(
        name=row.name,
        label=row.label,
        reference=measured.reference,
        score=measured.score,
        flips=measured.flips,
        path=measured.path,
        worst=None if worst is None else worst.shift,
        worst_score=None if worst is None else worst.score,
        class_change=measured.class_change,
        answers=measured.answers,
    )
