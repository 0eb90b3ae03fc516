"""Measuring layers: every shift of the grid runs once for all layers, and outputs are compared as they come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis, Site
from auditor.text import ModelText
from auditor.verify.errors import ModelRejectedError, RuntimeMissingError
from auditor.verify.layers.attribution import (
    MapAccumulator,
    ShiftGrid,
    added_losses,
    compare_layer,
    layer_score,
    map_runs,
    shift_grid,
)
from auditor.verify.layers.choose import Layer, choose_layers, layers_before
from auditor.verify.layers.layer_spectra import SiteSpectra
from auditor.verify.layers.result import LayerResult
from auditor.verify.result import ProtocolKind
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job, SessionSpec
from auditor.verify.worker.windows import cut

# Up to this factor a map holds the whole period; a longer one is sampled at powers of two and their neighbours.
MAP_LIMIT = 16
# Protocols whose windows lie whole pixels apart on one canvas.
MAPPED = (ProtocolKind.CROP, ProtocolKind.ROLL, ProtocolKind.EMBED_BLACK, ProtocolKind.EMBED_INPAINT)
_JOB_BYTES = 64 << 20
# Channels behave alike; comparing more of them costs time and changes the third digit.
_CHANNELS = 64


@dataclass(slots=True)
class LayerRun:
    """The layers of one model while images are added.

    ``runs`` counts inputs that were executed, ``naive`` what a loop over layers and shifts would have executed.
    """

    model: Model
    analysis: Analysis
    layers: tuple[Layer, ...]
    setup: Setup
    grid: ShiftGrid
    session: int
    maps: list[MapAccumulator]
    spectra: list[SiteSpectra | None]
    runs: int = 0
    naive: int = 0

    def add(self, worker: Worker, load: Load, settings: VerifySettings) -> None:
        """Measure one image."""
        reference = self._reference(worker, load, settings)
        period = [self.grid.within(layer.span) for layer in self.layers]
        rows = max(1, _JOB_BYTES // max(1, sum(value.nbytes for value in reference.values())))
        for shifts, wanted in self._pieces(period, rows):
            names = [self.layers[index].tensor for index in wanted]
            answer = worker.run(
                replace(
                    self._job(load, self._places(load, shifts), settings), session=self.session, outputs=tuple(names)
                )
            )
            found = {name: answer.rows(name) for name in names}
            self.runs += len(shifts)
            for position, shift in enumerate(shifts):
                for index in wanted:
                    layer = self.layers[index]
                    if shift[0] in period[index].dy and shift[1] in period[index].dx:
                        moved = features(found[layer.tensor][position], layer)
                        self._compare(index, reference[layer.tensor], moved, shift)
        self.naive += map_runs(self.grid, [layer.cumulative for layer in self.layers])[1]

    def results(self) -> tuple[LayerResult, ...]:
        """The layers in graph order."""
        maps = [accumulator.result() for accumulator in self.maps]
        scores = [layer_score(one, layer.cumulative) for one, layer in zip(maps, self.layers, strict=True)]
        added = added_losses([score.error for score in scores], layers_before(self.model, self.layers))
        found = []
        for index, layer in enumerate(self.layers):
            site = None if layer.site is None else self.analysis.sites[layer.site]
            spectra = self.spectra[index]
            found.append(
                LayerResult(
                    tensor=ModelText(layer.tensor),
                    node=layer.node,
                    site=layer.site,
                    cumulative=layer.cumulative,
                    cosine=scores[index].cosine,
                    error=scores[index].error,
                    added=added[index],
                    map=maps[index],
                    alias_measured=spectra.share if spectra is not None else None,
                    alias_predicted=_predicted(site),
                    before=spectra.before if spectra is not None else None,
                    after=spectra.after if spectra is not None else None,
                    factor=spectra.factor if spectra is not None else None,
                )
            )
        return tuple(found)

    def _reference(self, worker: Worker, load: Load, settings: VerifySettings) -> dict[str, Array]:
        """The features of the unshifted window; sites are given what they read and what they make."""
        read = [one.tensor for one in self.spectra if one is not None and one.tensor != self.setup.image.name]
        names = tuple(dict.fromkeys([*(layer.tensor for layer in self.layers), *read]))
        job = self._job(load, self._places(load, [(0, 0)]), settings)
        answer = worker.run(replace(job, session=self.session, outputs=names))
        self.runs += 1
        rows = {name: answer.rows(name)[0].copy() for name in names}
        windows = job.windows
        image = cut(windows.canvases, windows.places[:1], windows.size, windows.channels_last)
        rows.setdefault(self.setup.image.name, image[0])
        for layer, spectra in zip(self.layers, self.spectra, strict=True):
            if spectra is not None and spectra.tensor in rows:
                spectra.add(rows[spectra.tensor], features(rows[layer.tensor], layer))
        return {layer.tensor: features(rows[layer.tensor], layer) for layer in self.layers}

    def _compare(self, index: int, reference: Array, moved: Array, shift: tuple[int, int]) -> None:
        grid = self.layers[index].grid(self.setup.image.size)
        try:
            similarity, error = compare_layer(reference, moved, shift, grid)
        except ValueError:
            return  # a map of one or two positions leaves nothing to compare after this shift
        self.maps[index].add(shift, similarity, error)

    def _pieces(self, period: list[ShiftGrid], rows: int) -> Iterator[tuple[list[tuple[int, int]], tuple[int, ...]]]:
        """Shifts that need the same layers together, at most ``rows`` of them."""
        groups: dict[tuple[int, ...], list[tuple[int, int]]] = {}
        for shift in self.grid.shifts:
            wanted = tuple(i for i, one in enumerate(period) if shift[0] in one.dy and shift[1] in one.dx)
            if wanted:
                groups.setdefault(wanted, []).append(shift)
        for wanted, shifts in groups.items():
            for start in range(0, len(shifts), rows):
                yield shifts[start : start + rows], wanted

    def _places(self, load: Load, shifts: list[tuple[int, int]]) -> Array:
        """Windows about the middle of the canvas, so that all shifts of the grid stay on it."""
        room = self.setup.protocol.positions
        start = (
            [0, 0] if room.circular else [(room.height - self.grid.dy[-1]) // 2, (room.width - self.grid.dx[-1]) // 2]
        )
        canvas = int(load.places[0, 0])
        return np.array([(canvas, start[0] + dy, start[1] + dx) for dy, dx in shifts], np.int64)

    def _job(self, load: Load, places: Array, settings: VerifySettings) -> Job:
        return self.setup.job(replace(load, places=places), settings, repeat=False)


def open_layers(
    worker: Worker, model: Model, analysis: Analysis, setup: Setup, settings: VerifySettings
) -> LayerRun | str:
    """A session that also returns the layers, or why there is none, in our own words."""
    if setup.protocol.kind not in MAPPED:
        return f"layers are not measured with the protocol {setup.protocol.kind.value}"
    layers = choose_layers(model, analysis)
    if not layers:
        return "no layer was measured: there is no sampling site whose grid is known"
    batch = setup.batching
    outputs = {port.name for port in batch.opened.outputs}
    spectra = [_spectra(model, analysis, layer) for layer in layers]
    read = [one.tensor for one in spectra if one is not None and one.tensor != setup.image.name]
    extra = [name for name in dict.fromkeys([*(layer.tensor for layer in layers), *read]) if name not in outputs]
    free = (setup.image.name,) if setup.image.batch == 1 and batch.rows > 1 else ()
    try:
        opened = worker.open(SessionSpec(model.source, tuple(extra), free, settings.custom_ops))
    except RuntimeMissingError as error:
        return f"no layer was measured, which onnxruntime alone does: {error}"
    except ModelRejectedError:
        return "no layer was measured: onnxruntime does not return tensors from inside this model"
    margin = setup.protocol.margin if not setup.protocol.positions.circular else min(setup.image.size) - 1
    grid = shift_grid([layer.span for layer in layers], MAP_LIMIT)
    grid = ShiftGrid(tuple(y for y in grid.dy if y <= margin), tuple(x for x in grid.dx if x <= margin))
    maps = [MapAccumulator(grid.within(layer.span)) for layer in layers]
    return LayerRun(model, analysis, layers, setup, grid, opened.key, maps, spectra)


def features(row: Array, layer: Layer) -> Array:
    """One image's tensor as (C, h, w); at most 64 channels, evenly spread."""
    y, x = layer.axes[0] - 1, layer.axes[1] - 1
    moved = np.moveaxis(row, (y, x), (-2, -1))
    flat = moved.reshape(-1, *moved.shape[-2:])
    step = -(-len(flat) // _CHANNELS)
    return np.array(flat[::step])


def _predicted(site: Site | None) -> float | None:
    """The expected alias energy, which is on photographs; None where there is none."""
    return None if site is None or site.alias is None else site.alias.expected


def _spectra(model: Model, analysis: Analysis, layer: Layer) -> SiteSpectra | None:
    return None if layer.site is None else SiteSpectra.of(model, analysis.sites[layer.site], layer)
