"""The best of several rewrites, found by measuring them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from itertools import count
from pathlib import Path

from auditor.comparison.measured import NotComparableError
from auditor.repair.bench import Bench
from auditor.repair.job import RepairJob
from auditor.repair.locked import lock_of, lock_trials, with_trials
from auditor.repair.original import Original
from auditor.repair.result import Staged
from auditor.repair.search.candidates import candidates, pairs
from auditor.repair.search.gain import Gain
from auditor.repair.search.memory import remembering
from auditor.repair.search.search import MeasureCandidate, Stage, search, with_tests
from auditor.repair.search.state import StateError
from auditor.repair.staging import staged, staging
from auditor.repair.trials import LockTest
from auditor.rewrite.result import RewriteError, Rewritten
from auditor.rewrite.strategy import Candidate
from auditor.verify.cluster import connected
from auditor.verify.observer import Observer, Silent
from auditor.verify.processes import Spares


@contextmanager
def searching(original: Original, job: RepairJob) -> Iterator[Staged]:
    """Search, with the best candidate in a hidden folder beside the target, which is gone when the context ends.

    Raises:
        RewriteError: nothing could be written, the state file does not do, or measurements cannot be compared.
        VerifyError: a model could not be measured, or nothing on the images tells what a rewrite would lose.
    """
    if job.request is None:
        raise ValueError("a search measures: say on what")
    original.check()
    bench = Bench(original, job.request)
    source = (original.model, original.analysis)
    with staging(original.target) as folder:
        numbers = count()
        finished: dict[str, tuple[Path, tuple[Rewritten, ...]]] = {}

        def made(candidate: Candidate) -> tuple[Path, tuple[Rewritten, ...]]:
            if candidate.name not in finished:
                place = folder / f"candidate-{next(numbers)}"
                place.mkdir()
                finished[candidate.name] = staged(source, candidate.steps, place, original.read, job.pictures)
            return finished[candidate.name]

        def measure(candidate: Candidate, images: int, timed: bool) -> Gain:
            bench.require_loss(images)
            try:
                return bench.gain(made(candidate)[0], images, timed)
            except NotComparableError as error:
                raise RewriteError(str(error)) from error

        def fits(candidate: Candidate) -> bool:
            try:
                made(candidate)
            except RewriteError:
                return False
            return True

        def grown(running: Sequence[Candidate]) -> Sequence[Candidate]:
            return pairs(running, fits)

        refit = None if job.pictures is None else job.refit
        offered = candidates(*source, refit=refit, most_cost=job.budget.cost, only=job.only, lock=job.lock)
        ray = job.request.settings.ray
        # Kept over all measurements, which would each start a cluster of this machine anew.
        connection = nullcontext() if ray is None else connected(ray)
        with job.watched() as observer, _naming(job.state), connection, Spares() as bench.spares:
            measuring: MeasureCandidate = measure
            if job.state is not None:
                measuring = remembering(measure, job.state, original, bench.request, job.fitted_on)
            bench.observer = told = _Told(observer or Silent())
            found = search(offered, measuring, job.budget, bench.images, told.enter, grown)

            def tests(candidate: Candidate) -> tuple[LockTest, ...]:
                told.test(candidate)
                return _tests(original, job, candidate, made(candidate)[0], told, bench.spares)

            found = with_tests(found, tests)
        if found.best is None:
            yield Staged(None, (), search=found)
        else:
            yield Staged(*made(found.best.candidate), found.best.gain, found, trials=found.best.tests)


def _tests(
    original: Original, job: RepairJob, candidate: Candidate, path: Path, told: Observer, spares: Spares | None
) -> tuple[LockTest, ...]:
    """The tests of a candidate that has a grid lock, on the images of the last round; none for any other.

    Raises:
        RewriteError: what was measured cannot be compared.
        VerifyError: as :func:`searching`.
    """
    if job.request is None or lock_of(candidate.steps) is None:
        return ()
    bench = Bench(original, with_trials(original, job.request, candidate.steps), told, spares)
    try:
        bench.gain(path, bench.images, timed=False)
    except NotComparableError as error:
        raise RewriteError(str(error)) from error
    return lock_trials(original, bench, path, candidate.steps, job.budget.loss)


@contextmanager
def _naming(state: Path | None) -> Iterator[None]:
    """Put the name of the state file in front of what is wrong with it."""
    try:
        yield
    except StateError as error:
        assert state is not None
        raise RewriteError(f"the state file {state.as_posix()} {error}") from error


class _Told:
    """Puts the stage of the search in front of what is observed."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._stage = ""

    def enter(self, stage: Stage) -> None:
        self._stage = f"round {stage.round}/{stage.rounds}, {stage.place}/{stage.of} {stage.candidate.name}: "
        self._observer.begin(f"{self._stage}rewriting", None)

    def test(self, candidate: Candidate) -> None:
        self._stage = f"tests, {candidate.name}: "

    def begin(self, what: str, total: int | None) -> None:
        self._observer.begin(f"{self._stage}{what}", total)

    def advance(self) -> None:
        self._observer.advance()
