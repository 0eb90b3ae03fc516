"""The measured alias energy of every site: its operator at stride 1 inside the model, on pictures, without shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis
from auditor.verify.admission import check_domains, check_external
from auditor.verify.errors import DataError, ModelRejectedError
from auditor.verify.images.inputs import other_feeds
from auditor.verify.images.preprocess import DEFAULT_PRESET
from auditor.verify.images.source import ImageSource
from auditor.verify.layers.choose import Layer, choose_layers
from auditor.verify.layers.layer_spectra import SiteSpectra
from auditor.verify.measures.target import Clues
from auditor.verify.result import AliasMeasurement, SiteAlias
from auditor.verify.runner import ENLARGED, Observer, Silent, enlargement
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup, prepare
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, SessionSpec
from auditor.verify.worker.windows import cut

MEASURED_IMAGES = 8
"""How many pictures are used where nobody says."""

_WINDOWS = 1  # of one picture: another window of the same picture says little that is new


@dataclass(frozen=True, slots=True)
class _Watched:
    """A site whose filter can be run at stride 1, the layer that it makes, and its sums."""

    site: int
    layer: Layer
    spectra: SiteSpectra


def measure_alias(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis,
    observer: Observer | None = None,
) -> AliasMeasurement:
    """Run a model on pictures and measure which share of the activations folds at each of its sites.

    A site whose filter cannot be run alone (its weights are not in the file, or its map has other axes than
    (N, C, H, W)) has no number. An interrupt (``KeyboardInterrupt``) after the first picture ends the run early.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    observer = observer or Silent()
    check_domains(model, settings.allow_domains)
    check_external(model)
    watched = _watched(model, analysis)
    if not watched:
        return AliasMeasurement({}, 0, source.kind, settings.preprocessing.describe(), notes=(_nothing(analysis),))
    spec = SessionSpec(model.source, custom_ops=settings.custom_ops)
    used, enlarged, interrupted = 0, list[float](), False
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        setup, units = prepare(worker, spec, source, settings, Clues.of(model, analysis), any_task=True)
        key, names = _open(worker, model, setup, settings, watched)
        observer.begin("images for alias energy", source.count)
        try:
            for load in units:
                if isinstance(load, Load):
                    _add(worker, setup, settings, load, key, names, watched)
                    used += 1
                    enlarged += [load.enlarged] if load.enlarged > ENLARGED else []
                observer.advance()
        except KeyboardInterrupt:
            if not used:
                raise
            interrupted = True
    if not used:
        raise DataError("none of the images could be used")
    return AliasMeasurement(
        sites={
            one.site: SiteAlias(one.spectra.share, len(one.spectra.shares))
            for one in watched
            if one.spectra.share is not None
        },
        images=used,
        data=source.kind,
        preprocessing=setup.preprocessing.describe(),
        preset_assumed=DEFAULT_PRESET if settings.preset_assumed else "",
        notes=(*source.notes, *enlargement(enlarged, used)),
        incomplete=f"interrupted after {used} images" if interrupted else "",
    )


def _watched(model: Model, analysis: Analysis) -> tuple[_Watched, ...]:
    found = []
    for layer in choose_layers(model, analysis):
        if layer.site is not None:
            spectra = SiteSpectra.of(model, analysis.sites[layer.site], layer)
            if spectra is not None:
                found.append(_Watched(layer.site, layer, spectra))
    return tuple(found)


def _nothing(analysis: Analysis) -> str:
    if not analysis.sites:
        return "no alias energy was measured: there is no sampling site"
    return "no alias energy was measured: the filter of no site can be run at stride 1"


def _open(
    worker: Worker, model: Model, setup: Setup, settings: VerifySettings, watched: Sequence[_Watched]
) -> tuple[int, tuple[str, ...]]:
    """A session that also returns what the sites read, and those tensors."""
    outputs = {port.name for port in setup.opened.outputs}
    read = [one.spectra.tensor for one in watched if one.spectra.tensor != setup.image.name]
    names = tuple(dict.fromkeys(read))
    extra = tuple(name for name in names if name not in outputs)
    try:
        return worker.open(SessionSpec(model.source, extra, custom_ops=settings.custom_ops)).key, names
    except ModelRejectedError as error:
        message = "no alias energy was measured: onnxruntime does not return tensors from inside this model"
        raise ModelRejectedError(message) from error


def _add(
    worker: Worker,
    setup: Setup,
    settings: VerifySettings,
    load: Load,
    key: int,
    names: tuple[str, ...],
    watched: Sequence[_Watched],
) -> None:
    windows = setup.windows(load.canvases, load.places[:_WINDOWS])
    rows: dict[str, Array] = {}
    if names:
        size = setup.image.batch or 1
        feeds = other_feeds(setup.opened.inputs, setup.image, settings.feeds, load.extra, size)
        answer = worker.run(Job(key, windows, names, size, setup.image.batch is not None, feeds))
        rows = {name: answer.rows(name)[0].copy() for name in names}
    rows[setup.image.name] = cut(windows.canvases, windows.places, windows.size, windows.channels_last)[0]
    for one in watched:
        one.spectra.add(rows[one.spectra.tensor])
