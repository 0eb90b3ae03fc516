"""A model that is open, its plan, and the rows of the images that were measured so far."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from msgspec import structs

from auditor.onnxfile.graph import Model, ModelFormat
from auditor.sampling.result import Analysis
from auditor.text import ModelText, count_text
from auditor.verify.admission import admit
from auditor.verify.images.source import ImageSource
from auditor.verify.layers.layer_runs import open_layers
from auditor.verify.layers.result import LayerResult
from auditor.verify.measures.target import Clues
from auditor.verify.merge import MeasuredLayers, RowTable, merge, of_reference, require_measured
from auditor.verify.observer import Observer
from auditor.verify.pilot import RunPlan, pilot
from auditor.verify.processes import Spares
from auditor.verify.result import Verification
from auditor.verify.ripple_run import measure_ripple
from auditor.verify.row_store import RowStore
from auditor.verify.rows import measured_rows
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import Setup
from auditor.verify.shifts.feeder import Load, Numbered
from auditor.verify.shown import shown_images
from auditor.verify.surround import beside_reference
from auditor.verify.worker.client import Worker
from auditor.verify.worker.runtime import Runtime


@dataclass(slots=True)
class OpenRun:
    """A model that is open, and the rows of the images that were measured on it so far.

    ``plain`` is the same model without functions, to measure its layers on. ``begun`` is when it was opened.
    ``spares`` are processes of earlier runs.
    """

    worker: Worker
    plan: RunPlan
    source: ImageSource
    model: Model
    analysis: Analysis | None
    external: tuple[tuple[ModelText, str], ...]
    begun: float
    plain: tuple[Model, Analysis] | None = None
    rows: RowStore = field(default_factory=RowStore)
    spares: Spares | None = None

    @property
    def table(self) -> RowTable:
        """The rows so far."""
        return RowTable.of(self.rows)

    def repeat_first(self, places: Iterable[int]) -> None:
        """Give the first of these places their unshifted input twice, for the self-test."""
        first = frozenset(list(places)[: self.plan.settings.self_test_images])
        self.plan = replace(self.plan, repeated=first)

    def widen(self, confidence: float) -> None:
        """Give all intervals this confidence."""
        self.plan = replace(self.plan, settings=replace(self.plan.settings, confidence=confidence))

    def keep(self, places: Collection[int]) -> None:
        """Forget the rows of all images but these."""
        self.rows = self.rows.only(frozenset(places))

    def extend(self, places: Collection[int], observer: Observer) -> None:
        """Measure the images at these places, too.

        Raises:
            VerifyError: as :func:`auditor.verify.runner.verify`.
        """
        wanted = places if isinstance(places, range) else frozenset(places)
        self.add(self.plan.units(self.source, wanted), observer)

    def add(self, units: Iterable[Numbered], observer: Observer) -> None:
        """Measure these units, too."""
        for row in measured_rows(self.worker, self.plan, units):
            self.rows.add(row)
            observer.advance()

    def layers(self, observer: Observer) -> tuple[MeasuredLayers, bool]:
        """The layers on the first images that were used, the ripple of a map, and whether that was interrupted."""
        graph = self.plain or (self.model, self.analysis)
        layers, interrupted = _measure_layers(self.worker, self.plan, graph, self.source, self.table, observer)
        if self.plain is not None and self.analysis is not None:
            results = tuple(_in_place(layer, self.analysis) for layer in layers.results)
            layers = replace(layers, results=results)
        if interrupted:
            return layers, interrupted
        ripple, runs = measure_ripple(self.worker, self.plan, self.source, self.table)
        layers = replace(layers, ripple=ripple, runs=layers.runs + runs, naive_runs=layers.naive_runs + runs)
        return layers, interrupted

    def found(self, confidence: float, layers: MeasuredLayers | None = None) -> Verification:
        """What the rows so far come to, with intervals of this confidence.

        Raises:
            DataError: there is nothing in any image.
        """
        return _merged(self, self.plan, self.table, confidence, layers)

    def shown(self, found: Verification) -> Verification:
        """The result with thumbnails of the images that changed most, where a page asked for them."""
        if not self.plan.settings.thumbnails:
            return found
        return structs.replace(found, shown=shown_images(self.plan, self.source, self.table, found.outputs[0]))

    def found_on_reference(self, confidence: float) -> Verification:
        """The same of the reference, where the settings ask to measure it, too."""
        plan, table = of_reference(self.plan, self.table)
        return _merged(self, plan, table, confidence, None)


def _merged(
    run: OpenRun, plan: RunPlan, table: RowTable, confidence: float, layers: MeasuredLayers | None
) -> Verification:
    plan = replace(plan, settings=replace(plan.settings, confidence=confidence))
    require_measured(plan, table)
    seconds = time.perf_counter() - run.begun
    return merge(plan, run.source, table, layers or MeasuredLayers(), run.external, seconds=seconds)


@contextmanager
def open_run(
    model: Model,
    source: ImageSource,
    settings: VerifySettings,
    analysis: Analysis | None = None,
    plain: tuple[Model, Analysis] | None = None,
) -> Iterator[tuple[OpenRun, Iterator[Numbered]]]:
    """Open a model and make the plan of its run; also gives all units of the source.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    begun = time.perf_counter()
    settings = beside_reference(settings, model)
    spec, external = admit(model, settings)
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan, units = pilot(worker, spec, source, settings, Clues.of(model, analysis), analysis)
        yield OpenRun(worker, plan, source, model, analysis, external, begun, plain), units


def _measure_layers(
    worker: Worker,
    plan: RunPlan,
    graph: tuple[Model, Analysis | None],
    source: ImageSource,
    table: RowTable,
    observer: Observer,
) -> tuple[MeasuredLayers, bool]:
    """The layers on the first images that were used, and whether that was interrupted."""
    model, analysis = graph
    chosen = frozenset(row.index for row in table.used[: plan.settings.layer_images])
    if analysis is None or not chosen:
        return MeasuredLayers(), False
    if model.format is not ModelFormat.ONNX:
        return MeasuredLayers(remarks=(f"no layers: {model.format.value} files are run, not read",)), False
    run = open_layers(worker, model, analysis, plan.model.setup, plan.settings)
    if isinstance(run, str):
        return MeasuredLayers(remarks=(run,)), False
    observer.begin("images for layers", len(chosen))
    interrupted = False
    try:
        left = len(chosen)
        for _, load in _on_model_pixels(plan.model.setup).units(source, chosen):
            if isinstance(load, Load):
                run.add(worker, load, plan.settings)
                observer.advance()
            left -= 1
            if not left:
                break
    except KeyboardInterrupt:
        interrupted = True
    where = "" if plan.model.setup.batching.spec.runtime is Runtime.ONNXRUNTIME else " in onnxruntime, which alone can"
    remarks = (f"layers were measured on {count_text(len(chosen), 'image')}{where}",)
    return MeasuredLayers(run.results(), remarks, run.runs, run.naive), interrupted


def _in_place(layer: LayerResult, analysis: Analysis) -> LayerResult:
    """A layer of the model without functions, at the node that its site has in the model itself."""
    return layer if layer.site is None else structs.replace(layer, node=analysis.sites[layer.site].node)


def _on_model_pixels(setup: Setup) -> Setup:
    """Layers are shifted by pixels of the model's input: its grids are what they tell about."""
    return replace(setup, protocol=replace(setup.protocol, native=False))
