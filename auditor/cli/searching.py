"""``--strategy auto``: a search that shows how far it is, goes on where it stopped, and can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.cli.fix_measured import Original
    from auditor.cli.repair_options import Wanted
    from auditor.policy.settings import Settings
    from auditor.rewrite.result import Rewritten
    from auditor.rewrite.search.candidates import Candidate
    from auditor.rewrite.search.gain import Gain
    from auditor.rewrite.search.search import Measuring, Search, Stage
    from auditor.verify.runner import Observer


@dataclass(frozen=True, slots=True)
class Finding:
    """What a search found. ``path`` is the staged file of the best, None where nothing helps; ``done`` made it."""

    search: Search
    path: Path | None
    done: tuple[Rewritten, ...]


@contextmanager
def searching(
    original: Original, settings: Settings, wanted: Wanted, watched: AbstractContextManager[Observer | None]
) -> Iterator[Finding]:
    """Search, with the best candidate in a hidden folder beside the target, which is gone when the context ends.

    ``watched`` is entered for the time of the search, and gives who is told of its progress.

    Raises:
        RewriteError: nothing could be written, or the two measurements cannot be compared.
        VerifyError: a model could not be measured, or nothing on the images tells what a rewrite would lose.
        UsageError: the state file is damaged, or is one of another search.
    """
    from auditor.cli.fix_measured import Bench
    from auditor.cli.output import say
    from auditor.cli.search_file import remembering
    from auditor.comparison.measured import NotComparableError
    from auditor.rewrite.graph.staging import staged, staging
    from auditor.rewrite.result import RewriteError
    from auditor.rewrite.search.candidates import candidates
    from auditor.rewrite.search.search import search
    from auditor.verify.runner import Silent

    original.check()
    bench = Bench(original, settings)
    source = (original.model, original.analysis)
    with staging(original.target) as folder:
        finished: dict[str, tuple[Path, tuple[Rewritten, ...]]] = {}

        def made(candidate: Candidate) -> tuple[Path, tuple[Rewritten, ...]]:
            if candidate.name not in finished:
                place = folder / f"candidate-{len(finished)}"
                place.mkdir()
                finished[candidate.name] = staged(source, candidate.steps, place, original.read, wanted.pictures)
            return finished[candidate.name]

        def measure(candidate: Candidate, images: int, timed: bool) -> Gain:
            bench.require_loss(images)
            try:
                return bench.gain(made(candidate)[0], images, timed)
            except NotComparableError as error:
                raise RewriteError(str(error)) from error

        measuring: Measuring = measure
        if wanted.state is not None:
            typed = wanted.typed
            calibrate = (typed.calibrate or "", typed.calibrate_images or "")
            measuring = remembering(measure, wanted.state, original, bench.request, calibrate)
        offered = candidates(*source, calibrating=wanted.pictures is not None, most_cost=wanted.budget.cost)
        with watched as observer:
            bench.observer = told = _Told(observer or Silent())
            try:
                found = search(offered, measuring, wanted.budget, bench.images, told.enter)
            except KeyboardInterrupt:
                if wanted.state is not None:
                    say(f"interrupted: the same command goes on from {wanted.state.as_posix()}")
                raise
        yield Finding(found, *((None, ()) if found.best is None else made(found.best.candidate)))


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


def draw(found: Search, path: Path | None) -> bool:
    """Draw the search where that is asked for; False where it could not be. That does not cost what was found."""
    from auditor.cli.output import say
    from auditor.rewrite.search.plots import write_search
    from auditor.verify.errors import VerifyError

    if path is None:
        return True
    try:
        write_search(found, path)
    except VerifyError as error:
        say(f"--plot {path.as_posix()}: {error}")
        return False
    say(f"wrote {path.as_posix()}")
    return True
