"""The measured half of ``fix``: both models on the same images and shifts, before the new one gets its name."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.rewrite.calibration.calibrate import Pictures
    from auditor.rewrite.result import Rewritten
    from auditor.rewrite.search.candidates import Step
    from auditor.rewrite.search.gain import Gain
    from auditor.sampling.result import Analysis
    from auditor.verify.images import ImageSource
    from auditor.verify.options import Request
    from auditor.verify.result import Verification
    from auditor.verify.runner import Observer
    from auditor.verify.settings import VerifySettings

UNCOUNTED_IMAGES = 64  # of a source that does not say how many it has


@dataclass(frozen=True, slots=True)
class Original:
    """The model to rewrite, where the result goes (None: nowhere), and how files are read.

    ``named`` is the file that the user named, where ``model`` is a copy of it without functions.
    """

    name: str
    model: Model
    analysis: Analysis
    target: Path | None
    in_place: bool
    read: Callable[[Path], tuple[Model, Analysis]]
    named: Model | None = None

    def check(self) -> None:
        """Refuse what cannot be written before time is spent on measuring. Raises RewriteError."""
        from auditor.rewrite.graph.save import check_target

        if self.target is not None:
            check_target(self.named or self.model, self.target, in_place=self.in_place)

    def keep(self, staged: Path) -> str | None:
        """Give the staged file its name; returns that of the backup. Raises RewriteError."""
        from auditor.onnxfile import read_model
        from auditor.rewrite.graph.save import publish

        assert self.target is not None
        backup = publish(read_model(staged), self.target, self.named or self.model, in_place=self.in_place)
        return None if backup is None else backup.as_posix()


class Bench:
    """Measures rewritten models beside their original, which is measured once per number of images."""

    def __init__(self, original: Original, settings: Settings, observer: Observer | None = None) -> None:
        from auditor.audit import ModelFile, project_path
        from auditor.cli.measuring import trusted_request

        file = ModelFile(Path(original.name), original.name)
        self._original = original
        request = trusted_request(settings, project_path(file, settings.root))
        # Curves over the distance are not shown here, and their pairs would be half of the runs.
        shifts = replace(request.settings.shifts, distances=())
        self.request: Request = replace(request, settings=replace(request.settings, shifts=shifts))
        self.observer = observer
        self._measured: dict[int, Verification] = {}
        self.images = self.request.source().count or self.request.limit or UNCOUNTED_IMAGES

    def gain(self, staged: Path, images: int, timed: bool) -> Gain:
        """The gain of the model at ``staged`` on so many images. Raises VerifyError, NotComparableError."""
        from auditor.comparison.gains import gain_between, labelled
        from auditor.rewrite.search.timing import speed

        before = self._before(images)
        source, model = self._source(images), self._original.model
        settings = replace(self.request.settings, layer_images=0, reference=None)
        if timed or not labelled(before):
            # The agreement costs a run of the original: few images only ask for it where it tells the loss.
            settings = replace(settings, reference=model.source)
        after = self._verify(staged, settings, source)
        found = speed(model.source, staged, source, settings) if timed else None
        return gain_between(before, after, found)

    def require_loss(self, images: int) -> None:
        """Raises DataError where nothing on so many images tells what a rewrite loses."""
        from auditor.comparison.gains import tells_loss
        from auditor.verify.errors import DataError

        if not tells_loss(self._before(images)):
            raise DataError(
                "nothing on these images tells what a rewrite loses: there are no labels, and the model gives no "
                "answers to agree with; measure on other --images, or choose a strategy and give --verify"
            )

    def _before(self, images: int) -> Verification:
        if images not in self._measured:
            settings = replace(self.request.settings, layer_images=0, reference=None)
            self._measured[images] = self._verify(self._original.model.source, settings, self._source(images))
        return self._measured[images]

    def _source(self, images: int) -> ImageSource:
        return replace(self.request, limit=images).source()

    def _verify(self, path: Path, settings: VerifySettings, source: ImageSource) -> Verification:
        from auditor.verify.runner import verify

        model, analysis = self._original.read(path)
        found = verify(model, source, settings, analysis, self.observer)
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
    watched: AbstractContextManager[Observer | None],
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
    from auditor.rewrite.graph.staging import staged, staging
    from auditor.rewrite.result import RewriteError

    original.check()
    bench = Bench(original, settings)
    with staging(original.target) as folder:
        path, (done,) = staged((original.model, original.analysis), (step,), folder, original.read, pictures)
        try:
            with watched as bench.observer:
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
