"""Rewritten models beside their original, on the same images and shifts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from auditor.repair.original import Original
from auditor.repair.search.gain import Gain
from auditor.repair.search.gains import gain_between, labelled, tells_loss
from auditor.repair.search.timing import speed
from auditor.verify import runner
from auditor.verify.errors import DataError
from auditor.verify.images.drawn import Drawn
from auditor.verify.images.source import ImageSource
from auditor.verify.images.synthetic import synthetic_image
from auditor.verify.observer import Observer
from auditor.verify.options import Request
from auditor.verify.pilot import whole_factor
from auditor.verify.processes import Spares
from auditor.verify.result import Verification
from auditor.verify.settings import VerifySettings
from auditor.verify.surround import beside

UNCOUNTED_IMAGES = 64  # of a source that does not say how many it has


class Bench:
    """Measures rewritten models beside their original, which is measured once per number of images.

    ``pair`` are the newest results of both. ``spares`` are processes that are kept from one measurement to the next.
    """

    def __init__(
        self,
        original: Original,
        request: Request,
        observer: Observer | None = None,
        spares: Spares | None = None,
    ) -> None:
        request = request.for_file(original.model.metadata)
        # Curves over the distance are not shown here, and their pairs would be half of the runs.
        shifts = replace(request.settings.shifts, distances=())
        # What a rewrite reaches is told at the multiples of the original's factor, whatever it makes of its own.
        period = request.settings.period or whole_factor(original.analysis)
        self._original = original
        self._measured: dict[tuple[int, int], Verification] = {}
        self.request = replace(request, settings=replace(request.settings, shifts=shifts, period=period))
        self.observer, self.spares = observer, spares
        self._drawn = Drawn(synthetic_image)
        self.pair: tuple[Verification, Verification] | None = None
        self.images = self.request.source().count or self.request.limit or UNCOUNTED_IMAGES

    def gain(self, staged: Path, images: int, timed: bool) -> Gain:
        """The gain of the model at ``staged`` on so many images. Raises VerifyError, NotComparableError."""
        before = self._before(images, staged)
        source, model = self._source(images), self._original.model
        settings = replace(self.request.settings, layer_images=0, reference=None)
        if timed or not labelled(before):
            # The agreement costs a run of the original: few images only ask for it where it tells the loss.
            settings = replace(settings, reference=model.source)
        after = self._verify(staged, settings, source)
        self.pair = before, after
        found = speed(model.source, staged, source, settings) if timed else None
        return gain_between(before, after, found)

    def require_loss(self, images: int) -> None:
        """Raises DataError where nothing on so many images tells what a rewrite loses."""
        if not tells_loss(self._before(images)):
            raise DataError(
                "nothing on these images tells what a rewrite loses: there are no labels, and the model gives no "
                "answers to agree with; measure on other --images, or choose a strategy and give --verify"
            )

    def _before(self, images: int, staged: Path | None = None) -> Verification:
        """The original alone, on the pictures of a rewritten model that may read more of them."""
        model = self._original.model
        settings = beside(replace(self.request.settings, layer_images=0, reference=None), model, staged)
        key = images, settings.surround
        if key not in self._measured:
            self._measured[key] = self._verify(model.source, settings, self._source(images))
        return self._measured[key]

    def _source(self, images: int) -> ImageSource:
        return replace(self.request, limit=images).source(self._drawn)

    def _verify(self, path: Path, settings: VerifySettings, source: ImageSource) -> Verification:
        model, analysis = self._original.read(path)
        found = runner.verify(model, source, settings, analysis, self.observer, spares=self.spares)
        if found.incomplete and (found.self_test is None or found.self_test.passed):
            raise KeyboardInterrupt  # half a measurement is nothing to choose by
        return found
