"""The measured half of ``fix``: both models on the same images and shifts, before the new one gets its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.rewrite.calibration import Pictures
    from auditor.rewrite.candidates import Candidate, Step
    from auditor.rewrite.gain import Gain
    from auditor.rewrite.result import Rewritten
    from auditor.rewrite.search import Budget, Search
    from auditor.sampling.result import Analysis
    from auditor.verify.images import ImageSource
    from auditor.verify.options import Request
    from auditor.verify.result import Verification
    from auditor.verify.settings import VerifySettings

UNCOUNTED_IMAGES = 64  # of a source that does not say how many it has


@dataclass(frozen=True, slots=True)
class Original:
    """The model to rewrite, where the result goes (None: nowhere), and how files are read."""

    name: str
    model: Model
    analysis: Analysis
    target: Path | None
    in_place: bool
    read: Callable[[Path], tuple[Model, Analysis]]

    def check(self) -> None:
        """Refuse what cannot be written before time is spent on measuring. Raises RewriteError."""
        from auditor.rewrite.save import check_target

        if self.target is not None:
            check_target(self.model, self.target, in_place=self.in_place)

    def keep(self, staged: Path) -> str | None:
        """Give the staged file its name; returns that of the backup. Raises RewriteError."""
        from auditor.onnxfile import read_model
        from auditor.rewrite.save import publish

        assert self.target is not None
        backup = publish(read_model(staged), self.target, self.model, in_place=self.in_place)
        return None if backup is None else backup.as_posix()


class Bench:
    """Measures rewritten models beside their original, which is measured once per number of images."""

    def __init__(self, original: Original, settings: Settings) -> None:
        from auditor.audit import ModelFile, project_path
        from auditor.cli.measuring import trusted_request

        file = ModelFile(Path(original.name), original.name)
        self._original = original
        self._request: Request = trusted_request(settings, project_path(file, settings.root))
        self._measured: dict[int, Verification] = {}
        self.images = self._request.source().count or self._request.limit or UNCOUNTED_IMAGES

    def gain(self, staged: Path, images: int, timed: bool) -> Gain:
        """The gain of the model at ``staged`` on so many images. Raises VerifyError, NotComparableError."""
        from auditor.comparison.gains import gain_between
        from auditor.rewrite.timing import speed
        from auditor.verify.result import Task

        before = self._before(images)
        source, model = self._source(images), self._original.model
        settings = replace(self._request.settings, layer_images=0)
        if before.outputs[0].task is Task.CLASSIFICATION:
            settings = replace(settings, reference=model.source)
        after = self._verify(staged, settings, source)
        found = speed(model.source, staged, source, settings) if timed else None
        return gain_between(before, after, found)

    def requires_classifier(self) -> None:
        """Raises RewriteError where nothing tells what a rewrite loses."""
        from auditor.rewrite.result import RewriteError
        from auditor.verify.result import Task

        if self._before(self.first).outputs[0].task is not Task.CLASSIFICATION:
            raise RewriteError(
                "--strategy auto searches for classifiers, where accuracy or agreement tells the loss: choose a "
                "strategy and give --verify"
            )

    @property
    def first(self) -> int:
        """The number of images of the first round of a search."""
        from auditor.rewrite.search import rounds

        return rounds(self.images)[0]

    def _before(self, images: int) -> Verification:
        if images not in self._measured:
            settings = replace(self._request.settings, layer_images=0, reference=None)
            self._measured[images] = self._verify(self._original.model.source, settings, self._source(images))
        return self._measured[images]

    def _source(self, images: int) -> ImageSource:
        return replace(self._request, limit=images).source()

    def _verify(self, path: Path, settings: VerifySettings, source: ImageSource) -> Verification:
        from auditor.verify.runner import verify

        model, analysis = self._original.read(path)
        found = verify(model, source, settings, analysis)
        if found.incomplete and (found.self_test is None or found.self_test.passed):
            raise KeyboardInterrupt  # half a measurement is nothing to choose by
        return found


def state_gain(gain: Gain) -> None:
    """Say on stdout what was measured."""
    from auditor.cli.output import emit
    from auditor.report.gains import gain_lines

    emit("\n".join(gain_lines(gain)) + "\n\n")


def rewrite_measured(
    original: Original,
    step: Step,
    settings: Settings,
    pictures: Pictures | None,
    require_gain: bool,
    state: Callable[[Gain], None],
) -> tuple[Rewritten, dict[str, Any]]:
    """Rewrite, measure, state what was measured, and only then give the file its name.

    Returns:
        What was done, its path None where nothing was kept, and the gain as JSON.

    Raises:
        RewriteError: nothing could be rewritten or written, or the two measurements cannot be compared.
        VerifyError: a model could not be measured.
    """
    from auditor.comparison.measured import NotComparableError
    from auditor.report.gains import NOT_RISEN, gain_json
    from auditor.rewrite.result import RewriteError
    from auditor.rewrite.staging import staged, staging

    original.check()
    bench = Bench(original, settings)
    with staging(original.target) as folder:
        path, (done,) = staged((original.model, original.analysis), (step,), folder, original.read, pictures)
        try:
            gain = bench.gain(path, bench.images, timed=True)
        except NotComparableError as error:
            raise RewriteError(str(error)) from error
        state(gain)
        if original.target is None:
            return done, gain_json(gain)
        if require_gain and not gain.rose:
            return replace(done, notes={"refused": NOT_RISEN}), gain_json(gain)
        backup = original.keep(path)
    notes = {} if backup is None else {"backup": backup}
    return replace(done, path=original.target, notes=notes), gain_json(gain)


def search_measured(
    original: Original,
    settings: Settings,
    budget: Budget,
    pictures: Pictures | None,
    state: Callable[[Search], None],
) -> tuple[Search, str | None, str | None]:
    """Search, state what was found, and only then write the best.

    Returns:
        The search, the path that was written and that of the backup.

    Raises:
        RewriteError, VerifyError: as :func:`rewrite_measured`.
    """
    from auditor.comparison.measured import NotComparableError
    from auditor.rewrite.candidates import candidates
    from auditor.rewrite.result import RewriteError
    from auditor.rewrite.search import search
    from auditor.rewrite.staging import staged, staging

    original.check()
    bench = Bench(original, settings)
    source = (original.model, original.analysis)
    with staging(original.target) as folder:
        bench.requires_classifier()
        paths: dict[str, Path] = {}

        def measure(candidate: Candidate, images: int, timed: bool) -> Gain:
            if candidate.name not in paths:
                place = folder / f"candidate-{len(paths)}"
                place.mkdir()
                paths[candidate.name] = staged(source, candidate.steps, place, original.read, pictures)[0]
            try:
                return bench.gain(paths[candidate.name], images, timed)
            except NotComparableError as error:
                raise RewriteError(str(error)) from error

        offered = candidates(*source, calibrating=pictures is not None)
        found = search(offered, measure, budget, bench.images)
        state(found)
        if found.best is None or original.target is None:
            return found, None, None
        backup = original.keep(paths[found.best.candidate.name])
    return found, original.target.as_posix(), backup
