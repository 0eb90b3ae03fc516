"""Measuring two models together, and looking at the verdict while it goes on: a certain one ends the run.

Both see the same images in the same random order. The looks and their levels are those of :mod:`auditor.verify.looks`;
a verdict is read from the last look alone, so that numbers, intervals and verdicts of a report belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import structs

from auditor.comparison.measured import Measured, NotComparableError, compare_measured
from auditor.options.thresholds import Thresholds
from auditor.verify.errors import DataError, VerifyError
from auditor.verify.looking import look_by_look, widened
from auditor.verify.looks import Look, planned_looks
from auditor.verify.measures import MEASURES
from auditor.verify.minimum import error_rate
from auditor.verify.observer import Observer
from auditor.verify.open_run import OpenRun
from auditor.verify.result import Verification
from auditor.verify.verdict import Looks, Verdict

Opener: TypeAlias = "Callable[[], AbstractContextManager[OpenRun]]"
_MINIMUM = "min"


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """What was measured on a base and on the new model, or why it was not; None where it was not tried."""

    base: Verification | VerifyError | None
    new: Verification | VerifyError | None
    looks: Looks | None = None


def measure_in_turn(
    base: Opener, new: Opener, places: Sequence[int], held: Thresholds, same: bool, observer: Observer
) -> MeasuredPair:
    """Measure both models, each by itself, until the verdict is certain; ``same``: they are one model.

    An interrupt after the first look ends the run there, and the result says so.
    """
    with ExitStack() as stack:
        try:
            first = stack.enter_context(base())
        except VerifyError as error:
            return MeasuredPair(error, None)
        try:
            second = stack.enter_context(new())
        except VerifyError as error:
            return MeasuredPair(None, error)
        return _looked_at(_Separate(first, second), places, held, same, observer)


def measure_together(pair: Opener, places: Sequence[int], held: Thresholds, observer: Observer) -> MeasuredPair:
    """As :func:`measure_in_turn`, for a run whose reference is the base."""
    with ExitStack() as stack:
        try:
            run = stack.enter_context(pair())
        except VerifyError as error:
            return MeasuredPair(None, error)
        return _looked_at(_Beside(run), places, held, False, observer)


class _OneFailedError(Exception):
    """A model of a pair could not be measured."""

    def __init__(self, pair: MeasuredPair) -> None:
        super().__init__()
        self.pair = pair


@dataclass(frozen=True, slots=True)
class _Separate:
    """Two models, each in a worker of its own."""

    base: OpenRun
    new: OpenRun

    @property
    def runs(self) -> tuple[OpenRun, ...]:
        return self.base, self.new

    def results(self, confidence: float, observer: Observer | None) -> tuple[Verification, Verification]:
        found = []
        for run in self.runs:
            try:
                layers, interrupted = (None, False) if observer is None else run.layers(observer)
                verification = run.found(confidence, layers)
            except VerifyError as error:
                raise _failed(self, run, error) from None
            if observer is not None:
                verification = run.shown(verification)
            if interrupted:
                verification = structs.replace(verification, incomplete="interrupted while layers were measured")
            found.append(verification)
        return found[0], found[1]


@dataclass(frozen=True, slots=True)
class _Beside:
    """A model with its base as the reference, in one worker; layers are not measured."""

    run: OpenRun

    @property
    def runs(self) -> tuple[OpenRun, ...]:
        return (self.run,)

    def results(self, confidence: float, observer: Observer | None) -> tuple[Verification, Verification]:
        try:
            new = self.run.found(confidence)
            new = new if observer is None else self.run.shown(new)
            base = self.run.found_on_reference(confidence)
        except VerifyError as error:
            raise _OneFailedError(MeasuredPair(None, error)) from None
        if new.incomplete and not base.incomplete:
            base = structs.replace(base, incomplete="the model beside it failed the self-test of their run")
        return base, new


_Pair: TypeAlias = "_Separate | _Beside"


def _failed(pair: _Separate, run: OpenRun, error: VerifyError) -> _OneFailedError:
    return _OneFailedError(MeasuredPair(error, None) if run is pair.base else MeasuredPair(None, error))


def _looked_at(pair: _Pair, places: Sequence[int], held: Thresholds, same: bool, observer: Observer) -> MeasuredPair:
    looks = planned_looks(len(places), error_rate(held), held.min_images)
    observer.begin("images of both models", len(places) * len(pair.runs))

    def failed(run: OpenRun, error: VerifyError) -> Exception:
        if isinstance(pair, _Separate):
            return _failed(pair, run, error)
        return _OneFailedError(MeasuredPair(None, error))

    def certain(look: Look) -> bool:
        return _certain(pair, look, held, same)

    try:
        taken, interrupted = look_by_look(pair.runs, places, looks, certain, observer, failed)
        if not interrupted:
            try:
                return _result(pair, looks, taken, held, observer)
            except KeyboardInterrupt:
                pass
        return _cut_short(_result(pair, looks, taken, held, None), looks[taken - 1].images, len(places))
    except _OneFailedError as error:
        return error.pair


def _result(
    pair: _Pair, looks: Sequence[Look], taken: int, held: Thresholds, observer: Observer | None
) -> MeasuredPair:
    level = looks[taken - 1].level
    base, new = pair.results(_confidence(pair, level, held), observer)
    sizes = tuple(look.images for look in looks)
    taken_looks = Looks(sizes, taken, level, error_rate(held)) if len(sizes) > 1 else None
    return MeasuredPair(base, new, taken_looks)


def _confidence(pair: _Pair, level: float, held: Thresholds) -> float:
    """That of each model's own intervals, as much wider as the verdict's are."""
    return widened(pair.runs[0].plan.settings.confidence, level, error_rate(held))


def _cut_short(pair: MeasuredPair, images: int, most: int) -> MeasuredPair:
    words = f"interrupted after {images} of at most {most} images"

    def said(side: Verification | VerifyError | None) -> Verification | VerifyError | None:
        if isinstance(side, Verification) and not side.incomplete:
            return structs.replace(side, incomplete=words)
        return side

    return MeasuredPair(said(pair.base), said(pair.new), pair.looks)


def _certain(pair: _Pair, look: Look, held: Thresholds, same: bool) -> bool:
    """Whether no further image can be needed for the verdict."""
    try:
        base, new = pair.results(_confidence(pair, look.level, held), None)
        if base.incomplete or new.incomplete:
            return True  # a self-test failed: the run is void
        measured = compare_measured(base, new, held.but(confidence=1 - look.level), same)
    except (_OneFailedError, NotComparableError) as error:
        if isinstance(error, _OneFailedError) and not isinstance(error.pair.base or error.pair.new, DataError):
            raise
        return False  # nothing to compare yet
    return not measured.unjudged and _decided(measured)


def _decided(measured: Measured) -> bool:
    asked = [(change, condition) for change in measured.changes for condition in change.conditions]
    # The mean of what has no bounds is resampled, which few images do not bear.
    sure = [
        condition.verdict
        for change, condition in asked
        if condition.name != _MINIMUM
        or ((facts := MEASURES.get(change.measure)) is not None and facts.interval_bounds is not None)
    ]
    return Verdict.FAIL in sure or (len(sure) == len(asked) and set(sure) == {Verdict.PASS})
