"""Measuring until a verdict is certain: images in a random order, and a look at the verdict after each part of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from auditor.options.thresholds import Thresholds
from auditor.verify.errors import DataError, VerifyError
from auditor.verify.images.source import ImageSource
from auditor.verify.intake import Intake
from auditor.verify.looks import Look, planned_looks, random_order
from auditor.verify.minimum import error_rate, may_end_early, required
from auditor.verify.observer import Observer
from auditor.verify.open_run import OpenRun
from auditor.verify.result import ProtocolKind
from auditor.verify.settings import VerifySettings
from auditor.verify.verdict import Looks, Verdict


def random_places(source: ImageSource, settings: VerifySettings) -> list[int] | None:
    """All places of a source in a random order; None where images cannot be measured in one."""
    places = source.all_places
    if places is None or source.is_clip or settings.protocol is ProtocolKind.FRAMES:
        return None
    return random_order(len(places), settings.shifts.seed)


def look_by_look(
    runs: Sequence[OpenRun],
    places: Sequence[int],
    looks: Sequence[Look],
    certain: Callable[[Look], bool],
    observer: Observer,
    failed: Callable[[OpenRun, VerifyError], Exception] = lambda _, error: error,
) -> tuple[int, bool]:
    """Measure these places on all runs up to the look at which the verdict is ``certain``, or the last one.

    ``failed`` makes the error of a run that ends another one.

    Returns:
        How many looks were taken, and whether an interrupt ended it; the runs then have the images of those looks.

    Raises:
        KeyboardInterrupt: before the first look.
    """
    taken = 0
    for run in runs:
        run.repeat_first(places)
    try:
        with ExitStack() as stack:
            ends = [look.images for look in looks]
            intakes = [stack.enter_context(Intake(run, places, ends)) for run in runs]
            for look in looks:
                for intake in intakes:
                    try:
                        intake.take(observer, taken)
                    except VerifyError as error:
                        raise failed(intake.run, error) from None
                taken += 1
                if certain(look):
                    break
    except KeyboardInterrupt:
        if not taken:
            raise
        for run in runs:
            run.keep(places[: looks[taken - 1].images])
        return taken, True
    return taken, False


def measure_until_certain(
    run: OpenRun, places: Sequence[int], held: Thresholds, observer: Observer
) -> tuple[Looks, bool]:
    """Measure as many of these places as tell whether the model holds its minimum.

    Returns:
        The looks that were taken, and whether an interrupt ended it.
    """
    error = error_rate(held)
    looks: tuple[Look, ...] = (Look(len(places), error),)
    if may_end_early(run.plan.model.setup.target.task):
        looks = planned_looks(len(places), error, held.min_images)
    observer.begin("images", len(places))

    def certain(look: Look) -> bool:
        try:
            found = run.found(_confidence(run, look.level, error))
            asked = required(found, held, _looks(looks, looks.index(look) + 1, error))
        except DataError:
            return False  # nothing to judge yet
        return bool(found.incomplete) or (asked is not None and asked.condition.verdict is not Verdict.INCONCLUSIVE)

    taken, interrupted = look_by_look([run], places, looks, certain, observer)
    run.widen(_confidence(run, looks[taken - 1].level, error))
    return _looks(looks, taken, error), interrupted


def _looks(looks: Sequence[Look], taken: int, error: float) -> Looks:
    return Looks(tuple(look.images for look in looks), taken, looks[taken - 1].level, error)


def _confidence(run: OpenRun, level: float, error: float) -> float:
    """That of all intervals, as much wider as the verdict's is."""
    return widened(run.plan.settings.confidence, level, error)


def widened(confidence: float, level: float, error: float) -> float:
    """The confidence of intervals that allow for a look at this ``level``, where all looks may err in ``error``."""
    return 1 - (1 - confidence) * level / error
