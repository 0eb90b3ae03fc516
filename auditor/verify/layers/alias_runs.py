"""The measured alias energy of every site: its operator at stride 1 inside the model, on pictures, without shifts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis
from auditor.verify.admission import admitted
from auditor.verify.errors import DataError, ModelRejectedError
from auditor.verify.images.preprocess import DEFAULT_PRESET
from auditor.verify.images.source import ImageSource
from auditor.verify.layers.alias import AliasMeasurement, SiteAlias
from auditor.verify.layers.choose import Layer, choose_layers
from auditor.verify.layers.layer_spectra import SiteSpectra
from auditor.verify.measures.target import Clues
from auditor.verify.merge import ENLARGED, enlargement
from auditor.verify.observer import Observer, Silent
from auditor.verify.probe import Run, probe
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.arena import Array

MEASURED_IMAGES = 8
"""How many pictures are used where nobody says."""


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
    spec = admitted(model, settings)
    watched = _watched(model, analysis)
    if not watched:
        return AliasMeasurement({}, 0, source.kind, settings.preprocessing.describe(), notes=(_nothing(analysis),))
    used, enlarged, interrupted = 0, list[float](), False
    observer = observer or Silent()
    with probe(spec, source, settings, observer, clues=Clues.of(model, analysis)) as run:
        key, names = _open(run, model, watched)
        observer.begin("images for alias energy", source.count)
        try:
            for load in run.loads():
                _add(run, load, key, names, watched)
                used += 1
                enlarged += [load.enlarged] if load.enlarged > ENLARGED else []
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
        preprocessing=run.setup.preprocessing.describe(),
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


def _open(run: Run, model: Model, watched: Sequence[_Watched]) -> tuple[int, tuple[str, ...]]:
    """A session that also returns what the sites read, and those tensors."""
    read = [one.spectra.tensor for one in watched if one.spectra.tensor != run.setup.image.name]
    names = tuple(dict.fromkeys(read))
    try:
        return run.open(admitted(model, run.settings, names)).key, names
    except ModelRejectedError as error:
        message = "no alias energy was measured: onnxruntime does not return tensors from inside this model"
        raise ModelRejectedError(message) from error


def _add(run: Run, load: Load, key: int, names: tuple[str, ...], watched: Sequence[_Watched]) -> None:
    rows: dict[str, Array] = {}
    if names:
        rows = {name: maps[0] for name, maps in run.tensors(key, load, names).items()}
    rows[run.setup.image.name] = run.window(load)[0]
    for one in watched:
        one.spectra.add(rows[one.spectra.tensor])
