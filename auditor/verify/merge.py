"""From the rows of all images to the result of a run. It runs nothing, and the order of the rows does not matter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from msgspec import structs

from auditor.pipeline.resampling import triangle
from auditor.pipeline.response import low_pass
from auditor.text import ModelText
from auditor.verify.columns import listed_names
from auditor.verify.errors import DataError, NothingMeasuredError
from auditor.verify.image_counts import ImageCounts
from auditor.verify.images.preprocess import DEFAULT_PRESET
from auditor.verify.images.source import ImageSource
from auditor.verify.layers.result import LayerResult
from auditor.verify.measures import facts_of
from auditor.verify.measures.reference import reference_remarks
from auditor.verify.measures.splitting import loss_splits
from auditor.verify.measures.task import Repeated, Row, measured_of
from auditor.verify.minimum import interval_with, judged_measure
from auditor.verify.pilot import RunPlan
from auditor.verify.result import (
    DataFacts,
    DataKind,
    Measure,
    OutputResult,
    Perturbed,
    ShiftAt,
    Shifts,
    Task,
    Verification,
)
from auditor.verify.ripple import Ripple
from auditor.verify.row_store import RowStore
from auditor.verify.self_test import SelfTest
from auditor.verify.split import LossSplit
from auditor.verify.views import Mapped

# So many a comparison takes, and the interval of a share is then a few points wide.
MANY_IMAGES = 256
# Up to this factor an enlargement is no loss that anybody sees in a measurement.
ENLARGED = 1.05
# Up to here the kernels differ little in how steady the answers are; OpenCV's linear one averages at exactly 2.
SHRUNK = 2.0
RESIZE_FIRST = "`aliasaudit resize` is the first to try"
_COMPARED = frozenset([Task.CLASSIFICATION, Task.DENSE, Task.EMBEDDING, Task.DETECTION])  # by the command resize


@dataclass(frozen=True, slots=True)
class MeasuredLayers:
    """The layers of a run, with remarks, and the ripple of its map. ``runs`` and ``naive_runs`` are as in a row."""

    results: tuple[LayerResult, ...] = ()
    remarks: tuple[str, ...] = ()
    runs: int = 0
    naive_runs: int = 0
    ripple: Ripple | None = None


@dataclass(frozen=True, slots=True)
class RowTable:
    """The rows of a run by their places, one at a time. ``used`` are those of the images that were measured."""

    rows: Sequence[Row[Any]]
    used: Sequence[Row[Any]]

    @classmethod
    def of(cls, rows: Iterable[Row[Any]]) -> RowTable:
        """The rows of one process or of several."""
        store = rows if isinstance(rows, RowStore) else RowStore(rows)
        return cls(store.rows(), store.rows(only_used=True))


def of_reference(plan: RunPlan, table: RowTable) -> tuple[RunPlan, RowTable]:
    """The plan and the rows of the reference model by itself, of a run that measured it too."""
    if plan.reference is None:
        raise ValueError("the run has no reference")
    rows = Mapped(table.rows, _of_reference)
    used = [place for place, row in enumerate(table.rows) if row.reference is not None]
    alone = replace(plan.settings, reference=None, preset_assumed=False)
    plan = replace(plan, settings=alone, model=plan.reference, reference=None, remarks=())
    return plan, RowTable(rows, Mapped(used, rows.__getitem__))


def _of_reference(row: Row[Any]) -> Row[Any]:
    return replace(row, measured=row.reference, perturbed=row.reference_perturbed, reference=None, repeated=None)


def require_measured(plan: RunPlan, table: RowTable) -> None:
    """See to it that some image has something to measure: numbers about nothing are never a pass.

    Raises:
        DataError: there is nothing in any image; the message says why, and what to check.
    """
    used = table.used
    if not used:
        reasons = sorted({row.rejected for row in table.rows})
        raise DataError(f"none of the {len(table.rows)} images could be measured: {'; '.join(reasons[:3])}")
    why = plan.model.measures.nothing(used)
    if why:
        assumed = f"the preset {DEFAULT_PRESET} was assumed, " if plan.settings.preset_assumed else ""
        raise NothingMeasuredError(
            f"there is nothing to measure on {len(used)} images: {why}; {assumed}check --preset, --channels, --task, "
            "--measured-output and the images"
        )


def merge(
    plan: RunPlan,
    source: ImageSource,
    table: RowTable,
    layers: MeasuredLayers,
    external: tuple[tuple[ModelText, str], ...] = (),
    interrupted: bool = False,
    seconds: float = 0.0,
) -> Verification:
    """The result of a run: a function of the plan and of the rows in the order of their places.

    Args:
        plan: what the pilot decided.
        source: where the pictures came from.
        table: the rows, of all processes.
        layers: what was measured inside of the model.
        external: the files with weights, and what is in them.
        interrupted: whether images or layers are missing.
        seconds: how long it took.
    """
    setup, settings, used = plan.model.setup, plan.settings, table.used
    opened = setup.batching.opened
    facts = ImageCounts.of(table.rows)
    output = structs.replace(_output(plan, used), ripple=layers.ripple)
    return Verification(
        provider=opened.provider,
        data=DataFacts(
            source.kind,
            listed_names(facts.names),
            tuple(facts.rejected),
            facts.labelled,
            facts.digest.hexdigest(),
            None if output.listed is None else len(facts.names),
        ),
        shifts=_shifts(plan, facts),
        outputs=(output,),
        layers=layers.results,
        self_test=_self_test(facts.tests),
        incomplete=_void(facts.tests) or (_cut_short(table, source) if interrupted else ""),
        preprocessing=setup.preprocessing.describe(),
        shared_batch=setup.batching.rows,
        runs=facts.runs + layers.runs,
        naive_runs=facts.naive_runs + layers.naive_runs,
        seconds=seconds,
        external=external,
        notes=(
            *source.notes,
            *setup.guesses,
            *plan.remarks,
            *opened.remarks,
            *plan.model.measures.remarks(used),
            *_agreement(plan, used, facts),
            *enlargement([factor for factor in facts.enlarged if factor > ENLARGED], len(used)),
            *resize_hint(setup.preprocessing.geometry.kernel, facts.larger, setup.target.task),
            *(f"{count} of {len(used)} images: {note}" for note, count in sorted(facts.notes.items())),
            *_more_images(source, output),
            *layers.remarks,
            *_unsplit(plan),
            *_unlisted(output),
        ),
        preset_assumed=DEFAULT_PRESET if settings.preset_assumed else "",
    )


def _output(plan: RunPlan, used: Sequence[Row[Any]]) -> OutputResult:
    """What was measured on the output under shifts, then under every perturbation."""
    confidence = plan.settings.confidence
    output = plan.model.measures.total(used, confidence)
    further: list[Measure] = []
    for place, perturbation in enumerate(plan.settings.perturbations):
        rows = _perturbed(used, place)
        measures = plan.model.measures.total(rows, confidence).measures
        further += (structs.replace(one, protocol=perturbation.name) for one in measures if not facts_of(one).unshifted)
    return structs.replace(output, measures=(*output.measures, *further), splits=_splits(plan, used))


def _perturbed(used: Sequence[Row[Any]], place: int) -> Sequence[Row[Any]]:
    """The rows as what was measured under one perturbation."""
    return Mapped(used, lambda row: replace(row, measured=row.perturbed[place]))


def _more_images(source: ImageSource, output: OutputResult) -> tuple[str, ...]:
    """What more images would tell, where nobody chose them."""
    measure = judged_measure(output)
    if source.kind is not DataKind.BUILTIN or measure is None or measure.interval is None:
        return ()
    later = interval_with(measure, MANY_IMAGES)
    if later is None:
        return ()
    span, unit = measure.interval, "%" if measure.unit == "share" else measure.unit
    scale = 100 if measure.unit == "share" else 1
    ends = [
        f"{scale * low:.3g} to {scale * high:.3g}" for low, high in ((later.low, later.high), (span.low, span.high))
    ]
    return (f"with {MANY_IMAGES} images the interval of {measure.name} would be about {ends[0]} {unit}, not {ends[1]}",)


def _splits(plan: RunPlan, used: Sequence[Row[Any]]) -> tuple[LossSplit, ...]:
    """How much of the change is the sampling grid's."""
    protocol = plan.model.setup.protocol
    if not protocol.splits or protocol.period is None:
        return ()
    ends = [_perturbed(used, place) for place in (-2, -1)]
    reach = protocol.period, protocol.longest_split
    return loss_splits(plan.model.measures, ends[0], ends[1], reach, plan.settings.confidence)


def _unsplit(plan: RunPlan) -> tuple[str, ...]:
    """Why the change is not split, where the model has a grid and shifts are whole pixels of it."""
    protocol = plan.model.setup.protocol
    period = protocol.period
    if period is None or period <= protocol.margin or protocol.native:
        return ()
    what = "the change is not split into the sampling grid's part and the rest"
    return (f"{what}: the grids lie as before every {period} px, and shifts go to {protocol.margin} px (--radius)",)


def enlargement(factors: Sequence[float], images: int) -> tuple[str, ...]:
    """What was measured on pictures with fewer pixels than the model reads, enlarged by these factors."""
    if not factors:
        return ()
    words = f"{len(factors)} of {images} images were enlarged, up to {max(factors):.2f} times"
    return (f"{words}: they have no detail at the scale of a pixel, so too little aliases in the first layers",)


def resize_hint(kernel: str, factors: Sequence[float], task: Task) -> tuple[str, ...]:
    """What to try first where pictures are much larger than the model's input and nothing filters them in front of it.

    ``kernel`` is the one that they were resized with, ``factors`` how many of their pixels are one of the model.
    ``resize`` compares the answers of some tasks; of the others a second measurement tells the difference.
    """
    first = RESIZE_FIRST if task in _COMPARED else "measure with `--resize cv2-area`, too"
    typical = float(np.median(factors)) if len(factors) else 1.0
    if typical <= SHRUNK:
        return ()
    size = f"the pictures are {typical:.2g} times as large as the input"
    if kernel == triangle.NAME:
        return (f"{size} and no --resize was given: if yours does not filter, {first}",)
    if low_pass(kernel):
        return ()
    return (f"{size} and {kernel} does not filter them: {first}",)


def _unlisted(output: OutputResult) -> tuple[str, ...]:
    """That a report does not describe all images."""
    listed = output.listed
    if listed is None:
        return ()
    return (f"of {listed.images} images the {len(listed.places)} that change most are described",)


def _agreement(plan: RunPlan, used: Sequence[Row[Any]], facts: ImageCounts) -> tuple[str, ...]:
    """How the answers are held against those of the reference, in sentences."""
    if plan.reference is None:
        return ()
    compared = [place for place, row in enumerate(used) if row.measured is not None and row.measured.beside is not None]
    if not compared:
        return ()
    pixel = float(np.median(facts.larger)) if facts.larger and plan.model.setup.protocol.native else 1.0
    images = measured_of(Mapped(compared, used.__getitem__))
    values, beside = Mapped(images, lambda image: image.values), Mapped(images, lambda image: image.beside)
    return reference_remarks(values, beside, plan.settings.confidence, pixel)


def _self_test(tests: Sequence[Repeated]) -> SelfTest | None:
    """The self-test, or None where no input was run twice."""
    if not tests:
        return None
    agreed = sum(test.same for test in tests)
    return SelfTest(agreed == len(tests), agreed / len(tests), max(test.difference for test in tests))


def _shifts(plan: RunPlan, facts: ImageCounts) -> Shifts:
    setup, images = plan.model.setup, max(len(facts.names), 1)
    return Shifts(
        protocol=setup.protocol.kind,
        source=setup.protocol.picture,
        window=setup.image.size,
        radius=setup.shifts.radius,
        per_image=round((facts.naive_runs - facts.runs_beside) / images) - 1,
        distinct=round(facts.runs / images),
        exhaustive=setup.shifts.exhaustive > 0,
        seed=plan.settings.shifts.seed,
        at=ShiftAt.NATIVE if setup.protocol.native else ShiftAt.MODEL,
        factor=float(np.median(facts.factors)) if facts.factors else None,
        perturbations=tuple(Perturbed(one.name, one.meaning) for one in plan.settings.perturbations),
    )


def _void(tests: Sequence[Repeated]) -> str:
    """Why the numbers say nothing about shifts; empty where the self-test did not fail."""
    failed = sum(not test.same for test in tests)
    if not failed:
        return ""
    return (
        f"the self-test failed, so the measurement is void: the same input twice gave another answer for {failed} of "
        f"{len(tests)} images; the model draws random numbers, or its device is not deterministic"
    )


def _cut_short(table: RowTable, source: ImageSource) -> str:
    done = len(table.rows)
    if done == source.count:
        return "interrupted while layers were measured"
    total = f" of {source.count}" if source.count is not None else ""
    return f"interrupted after {done}{total} images"
