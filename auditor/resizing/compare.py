"""From numbers per picture to one row per kernel, with intervals over pictures."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from statistics import NormalDist, fmean, median

import numpy as np

from auditor.pipeline.placement import Placement
from auditor.pipeline.response import low_pass
from auditor.resizing.answers import AnswerReader, Likeness
from auditor.resizing.front import NOT_SHRUNK, Front
from auditor.resizing.judge import judged
from auditor.resizing.kernels import code_lines
from auditor.resizing.response import expected_alias
from auditor.resizing.result import (
    BoxCounts,
    ChangedPicture,
    Estimate,
    KernelRow,
    PictureFacts,
    ResizeComparison,
    ResizeCost,
)
from auditor.resizing.rows import ResizeRow
from auditor.text import ModelText
from auditor.verify.arrays import FloatArray
from auditor.verify.errors import DataError, NothingMeasuredError
from auditor.verify.images.source import ImageSource
from auditor.verify.interval import Interval
from auditor.verify.result import Provider, Rejected, Task
from auditor.verify.statistics import MIN_IMAGES, difference_interval, mean_interval

_SHOWN_REASONS = 3
_ONE_ANSWER = 8  # so many pictures with one and the same class are worth a word


class KernelTally:
    """The numbers of one run, a list per kernel over the pictures that were used; it stays usable when interrupted."""

    def __init__(self, reader: AnswerReader, kernels: Sequence[str], confidence: float) -> None:
        self._reader = reader
        self._kernels = tuple(kernels)
        self._confidence = confidence
        self._series: dict[str, list[dict[str, float]]] = {kernel: [] for kernel in kernels}
        self._boxes: dict[str, list[int]] = {kernel: [0, 0, 0] for kernel in kernels}
        self._placements: list[Placement] = []
        self._answers: Counter[str] = Counter()
        self._digest = hashlib.sha256()
        self._tested: list[Likeness] = []
        self.used: list[ModelText] = []
        self.rejected: list[Rejected] = []
        self.interrupted = False

    def add(self, row: ResizeRow) -> None:
        """One picture, in the order of their places."""
        placement = row.placement
        if placement is None:
            self.rejected.append(Rejected(row.name, row.rejected))
            return
        self.used.append(row.name)
        self._placements.append(placement)
        self._digest.update(row.digest)
        self._answers[row.words[self._kernels[0]][0]] += 1
        self._tested += [] if row.tested is None else [row.tested]
        factor = placement.picture[0] / placement.resized[0], placement.picture[1] / placement.resized[1]
        for kernel, series in self._series.items():
            likeness = row.numbers[kernel]
            cost = row.costs.get(kernel)
            series.append(
                {
                    "agreement": likeness.same,
                    "change": likeness.change,
                    "stability": _mean(move.same for move in row.moved[kernel]),
                    "change-1px": _mean(move.change for move in row.moved[kernel]),
                    "alias": expected_alias(kernel, _rounded(factor), min(placement.picture)),
                    "cost": math.nan if cost is None else cost,
                }
            )
            for index, count in enumerate((likeness.reference, likeness.lost, likeness.gained)):
                self._boxes[kernel][index] += count

    def require_measured(self, total: int | None) -> None:
        """See to it that there is something to say.

        Raises:
            DataError: no picture was used, or nothing in any answer can be held against another.
        """
        if not self.used:
            reasons = sorted({one.reason for one in self.rejected})
            count = len(self.rejected) if total is None else total
            raise DataError(f"none of the {count} images could be used: {'; '.join(reasons[:_SHOWN_REASONS])}")
        agreement = np.concatenate([self._along(kernel, "agreement") for kernel in self._kernels])
        if np.isnan(agreement).all():
            raise NothingMeasuredError(
                f"no answer on {len(self.used)} images has a box: check --preset, --box-score and --layout"
            )
        changes = np.concatenate(
            [self._along(kernel, name) for kernel in self._kernels for name in ("change", "change-1px")]
        )
        if not np.nan_to_num(changes).any() and self._reader.task is not Task.DETECTION and len(self._answers) == 1:
            raise NothingMeasuredError(
                f"the answers to {len(self.used)} images do not change at all: check --preset, --measured-output and "
                "the model"
            )

    def finish(
        self,
        *,
        name: str,
        source: ImageSource,
        front: Front,
        deployed: str,
        preset: str,
        changed: tuple[ChangedPicture, ...],
        provider: Provider,
        notes: Sequence[str],
        seconds: float,
    ) -> ResizeComparison:
        """The whole comparison."""
        reference = self._kernels[0]
        rows = sorted((self._row(kernel) for kernel in self._kernels), key=lambda row: _place(row, reference))
        resized = {placement.resized for placement in self._placements}
        agreement = {row.kernel: 1.0 if row.agreement is None else row.agreement.value for row in rows}
        sides = [side for placement in self._placements for side in placement.picture]
        factors = [
            have / want
            for placement in self._placements
            for have, want in zip(placement.picture, placement.resized, strict=True)
        ]
        facts = PictureFacts(
            source.kind,
            tuple(self.used),
            tuple(self.rejected),
            (min(sides), max(sides)),
            (min(factors), max(factors)),
            self._digest.hexdigest(),
        )
        return ResizeComparison(
            model=name,
            task=self._reader.task,
            layout=self._reader.layout,
            pictures=facts,
            input_size=front.size,
            fit=front.preprocessing.geometry.general_fit,
            preset=preset,
            how=front.preprocessing.describe(),
            reference=reference,
            deployed=deployed,
            confidence=self._confidence,
            rows=tuple(rows),
            judgement=judged(
                next((row for row in rows if row.kernel == deployed), None),
                1 - self._along(deployed, "agreement") if deployed else np.zeros(0),
                self._confidence,
                beyond=self._beyond(deployed),
            ),
            code=code_lines(next(iter(resized)) if len(resized) == 1 else None, agreement, deployed),
            changed=changed,
            provider=provider,
            libraries=_libraries(),
            seconds=seconds,
            incomplete=self._incomplete(source),
            notes=(*notes, *self._remarks()),
        )

    def _along(self, kernel: str, name: str) -> FloatArray:
        return np.array([numbers[name] for numbers in self._series[kernel]])

    def _row(self, kernel: str) -> KernelRow:
        reference, bound = self._kernels[0], (0.0, self._reader.bound)
        other = kernel != reference
        peer = self._peer(kernel) if other and not low_pass(kernel) else ""
        counts = BoxCounts(*self._boxes[kernel]) if self._reader.task is Task.DETECTION and other else None
        return KernelRow(
            kernel=kernel,
            low_pass=low_pass(kernel),
            alias=fmean(self._along(kernel, "alias")),
            agreement=self._estimate(self._along(kernel, "agreement")) if other else None,
            change=self._estimate(self._along(kernel, "change"), bound) if other else None,
            stability=self._estimate(self._along(kernel, "stability")),
            change_1px=self._estimate(self._along(kernel, "change-1px"), bound),
            stability_loss=self._difference(kernel, reference, "stability", 1.0) if other else None,
            change_rise=self._difference(reference, kernel, "change-1px", bound[1]) if other else None,
            excess=self._difference(kernel, peer, "agreement", 1.0) if peer else None,
            peer=peer,
            boxes=counts,
            cost=self._cost(kernel),
        )

    def _peer(self, kernel: str) -> str:
        """The other kernel that filters whose answers are most like the reference's: what two filters differ by."""
        filtering = [name for name in self._kernels[1:] if low_pass(name) and name != kernel]
        return max(filtering, key=lambda name: _mean(self._along(name, "agreement")), default="")

    def _beyond(self, kernel: str) -> FloatArray | None:
        """How much more of an answer a kernel changes than its peer, per picture."""
        peer = self._peer(kernel) if kernel and kernel != self._kernels[0] and not low_pass(kernel) else ""
        return self._along(peer, "agreement") - self._along(kernel, "agreement") if peer else None

    def _estimate(self, values: FloatArray, bounds: tuple[float, float] = (0.0, 1.0)) -> Estimate | None:
        known = values[~np.isnan(values)]
        if not len(known):
            return None
        return Estimate(float(known.mean()), mean_interval(known, self._confidence, bounds), len(known))

    def _difference(self, base: str, new: str, name: str, largest: float) -> Estimate | None:
        before, after = self._along(base, name), self._along(new, name)
        known = int(np.count_nonzero(~np.isnan(after - before)))
        if not known:
            return None
        mean, interval = difference_interval(before, after, self._confidence, largest)
        return Estimate(mean, interval, known)

    def _cost(self, kernel: str) -> ResizeCost | None:
        known = np.sort(self._along(kernel, "cost"))
        known = known[~np.isnan(known)]
        if not len(known):
            return None
        return ResizeCost(float(median(known)), _median_interval(known, self._confidence), len(known))

    def _incomplete(self, source: ImageSource) -> str:
        failed = sum(1 for likeness in self._tested if likeness.same < 1)
        if failed:
            return (
                "the self-test failed, so the comparison is void: the same input twice gave another answer for "
                f"{failed} of {len(self._tested)} images; the model draws random numbers, or its device is not "
                "deterministic"
            )
        if not self.interrupted:
            return ""
        total = f" of {source.count}" if source.count is not None else ""
        return f"interrupted after {len(self.used) + len(self.rejected)}{total} images"

    def _remarks(self) -> list[str]:
        remarks = []
        total = len(self.used) + len(self.rejected)
        small = sum(one.reason.startswith(NOT_SHRUNK) for one in self.rejected)
        for count, words in ((small, "no larger than the input"), (len(self.rejected) - small, "not usable")):
            if count:
                remarks.append(f"{count} of {total} images left out: {words}")
        ((answer, most),) = self._answers.most_common(1)
        if self._reader.task is Task.CLASSIFICATION and most == len(self.used) >= _ONE_ANSWER:
            remarks.append(f"every image is {answer}: check --preset and the images")
        return remarks


def _place(row: KernelRow, reference: str) -> tuple[bool, bool, float]:
    """The reference, then what filters, then the rest; the most alike first."""
    alike = 1.0 if row.agreement is None else row.agreement.value
    return row.kernel != reference, not row.low_pass, -alike


def _rounded(factor: tuple[float, float]) -> tuple[float, float]:
    """Three digits, so that a response is computed once for pictures of nearly one size."""
    vertical, horizontal = (float(f"{step:.3g}") for step in factor)
    return vertical, horizontal


def _mean(values: Iterable[float]) -> float:
    """The mean of those that are numbers, NaN where none is."""
    known = [value for value in values if not math.isnan(value)]
    return fmean(known) if known else math.nan


def _median_interval(ordered: FloatArray, confidence: float) -> Interval | None:
    """The interval of a median between two order statistics (binomial, by its normal approximation)."""
    count = len(ordered)
    if count < MIN_IMAGES:
        return None
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * math.sqrt(count) / 2
    low, high = math.floor(count / 2 - reach), math.ceil(count / 2 + reach)
    return Interval(float(ordered[max(low, 0)]), float(ordered[min(high, count - 1)]), confidence)


def _libraries() -> tuple[tuple[str, str], ...]:
    """The versions that bytes depend on, of the libraries that are installed."""
    names = (("Pillow", "PIL"), ("OpenCV", "cv2"))
    return tuple((name, str(import_module(module).__version__)) for name, module in names if find_spec(module))
