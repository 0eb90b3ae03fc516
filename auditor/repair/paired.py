"""Measuring a model together with the base that it is to replace, layers inside of functions included."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from auditor.audit.run import Examined
from auditor.options.thresholds import Thresholds
from auditor.repair.layered import measure_layered, open_layered
from auditor.verify.errors import VerifyError

if TYPE_CHECKING:
    from auditor.comparison.looks import MeasuredPair
    from auditor.verify.images.source import ImageSource
    from auditor.verify.observer import Observer
    from auditor.verify.settings import VerifySettings


def measure_both(
    before: Examined,
    after: Examined,
    source: ImageSource,
    settings: VerifySettings,
    held: Thresholds,
    observer: Observer | None = None,
    together: bool = False,
) -> MeasuredPair:
    """Measure a base and the model that is to replace it on the same images, until the verdict is certain.

    With ``together`` both run on the same windows, each read in its own way. All images are measured where the
    thresholds ask for that, or the images cannot be measured in a random order.

    Raises:
        KeyboardInterrupt: before there is anything to compare.
    """
    from auditor.comparison.identity import same_model
    from auditor.comparison.looks import measure_in_turn, measure_together
    from auditor.verify.looking import random_places
    from auditor.verify.observer import Silent
    from auditor.verify.runtimes import runs_beside_onnxruntime
    from auditor.verify.surround import beside

    if together:
        reading = replace(settings.reference_reading, measured=True)
        settings = replace(settings, reference=before.file.path, reference_reading=reading, layer_images=0)
    places = None if held.all_images else random_places(source, settings)
    if places is None or any(runs_beside_onnxruntime(seen.model, settings) for seen in (before, after)):
        return _all_images(before, after, source, settings, observer, together)
    if together:
        pair = partial(open_layered, after.model, source, settings, after.analysis)
        return measure_together(pair, places, held, observer or Silent())
    base, new = (
        partial(open_layered, seen.model, source, beside(settings, seen.model, other.file.path), seen.analysis)
        for seen, other in ((before, after), (after, before))
    )
    same = same_model(before.model, after.model)
    return measure_in_turn(base, new, places, held, same, observer or Silent())


def _all_images(
    before: Examined,
    after: Examined,
    source: ImageSource,
    settings: VerifySettings,
    observer: Observer | None,
    together: bool,
) -> MeasuredPair:
    from auditor.comparison.looks import MeasuredPair
    from auditor.verify.runner import verify_pair
    from auditor.verify.surround import beside

    if together:
        try:
            return MeasuredPair(*verify_pair(after.model, source, settings, after.analysis, observer))
        except VerifyError as error:
            return MeasuredPair(None, error)
    of_base, of_new = (
        beside(settings, seen.model, other.file.path) for seen, other in ((before, after), (after, before))
    )
    try:
        base = measure_layered(before.model, source, of_base, before.analysis, observer)
    except VerifyError as error:
        return MeasuredPair(error, None)
    if base.incomplete.startswith("interrupted"):
        raise KeyboardInterrupt  # half a base is nothing to compare with, so the new model need not run
    try:
        return MeasuredPair(base, measure_layered(after.model, source, of_new, after.analysis, observer))
    except VerifyError as error:
        return MeasuredPair(base, error)
