"""The best of several rewrites, found by measuring them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from auditor.comparison.measured import NotComparableError
from auditor.repair.bench import Bench
from auditor.repair.original import Original
from auditor.repair.result import Repaired
from auditor.repair.search.candidates import Candidate, candidates
from auditor.repair.search.gain import Gain
from auditor.repair.search.memory import remembering
from auditor.repair.search.search import Budget, Measuring, Search, Stage, search
from auditor.repair.search.state import StateError
from auditor.repair.staging import staged, staging
from auditor.rewrite.calibration.calibrate import Pictures
from auditor.rewrite.result import Refit, RewriteError, Rewritten
from auditor.verify.options import Request
from auditor.verify.runner import Observer, Silent


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a search may cost and how it measures.

    ``pictures`` are what blurs are calibrated on, ``fitted_on`` the words that name them, and ``refit`` says what else
    is fitted; without pictures no blur is calibrated. ``state`` is a file that keeps every measurement. ``watched`` is
    entered for the time of the search, and gives who is told of its progress.
    """

    request: Request
    budget: Budget = field(default_factory=Budget)
    pictures: Pictures | None = None
    refit: Refit = Refit.LAST
    fitted_on: Sequence[str] = ()
    state: Path | None = None
    watched: Callable[[], AbstractContextManager[Observer | None]] = nullcontext


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found. ``path`` is the staged file of the best, None where nothing helps; ``done`` made it."""

    search: Search
    path: Path | None
    done: tuple[Rewritten, ...]

    def keep(self, original: Original) -> Repaired:
        """Give the best its name, if there is one and a place for it. Raises RewriteError."""
        best = self.search.best
        gain = None if best is None else best.gain
        if self.path is None or original.target is None:
            return Repaired(None, self.done, gain, self.search, inlined=original.inlined)
        backup = original.keep(self.path)
        return Repaired(original.target, self.done, gain, self.search, backup, inlined=original.inlined)


@contextmanager
def searching(original: Original, wish: SearchRequest) -> Iterator[Found]:
    """Search, with the best candidate in a hidden folder beside the target, which is gone when the context ends.

    Raises:
        RewriteError: nothing could be written, the state file does not do, or measurements cannot be compared.
        VerifyError: a model could not be measured, or nothing on the images tells what a rewrite would lose.
    """
    original.check()
    bench = Bench(original, wish.request)
    source = (original.model, original.analysis)
    with staging(original.target) as folder:
        finished: dict[str, tuple[Path, tuple[Rewritten, ...]]] = {}

        def made(candidate: Candidate) -> tuple[Path, tuple[Rewritten, ...]]:
            if candidate.name not in finished:
                place = folder / f"candidate-{len(finished)}"
                place.mkdir()
                finished[candidate.name] = staged(source, candidate.steps, place, original.read, wish.pictures)
            return finished[candidate.name]

        def measure(candidate: Candidate, images: int, timed: bool) -> Gain:
            bench.require_loss(images)
            try:
                return bench.gain(made(candidate)[0], images, timed)
            except NotComparableError as error:
                raise RewriteError(str(error)) from error

        refit = None if wish.pictures is None else wish.refit
        offered = candidates(*source, refit=refit, most_cost=wish.budget.cost)
        with wish.watched() as observer, _naming(wish.state):
            measuring: Measuring = measure
            if wish.state is not None:
                measuring = remembering(measure, wish.state, original, bench.request, wish.fitted_on)
            bench.observer = told = _Told(observer or Silent())
            found = search(offered, measuring, wish.budget, bench.images, told.enter)
        yield Found(found, *((None, ()) if found.best is None else made(found.best.candidate)))


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

    def begin(self, what: str, total: int | None) -> None:
        self._observer.begin(f"{self._stage}{what}", total)

    def advance(self) -> None:
        self._observer.advance()
