"""One row for each image: what a run measured on it, and nothing that depends on another image."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from auditor.verify.images.source import ImageSource
from auditor.verify.measures.task import Repeated, Row, Sides, UnusableOutputError
from auditor.verify.pilot import MeasuredModel, RunPlan
from auditor.verify.result import Rejected
from auditor.verify.shifts.feeder import Load, Numbered
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import DEPTH, Worker
from auditor.verify.worker.job import Answer


def rows(plan: RunPlan, source: ImageSource, indices: Collection[int]) -> list[Row[Any]]:
    """The rows of the images at these places, from a worker of this call's own: for another process or machine.

    Places count all pictures of the source, unusable ones included; of a sequence of frames the first one counts.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    settings = plan.settings
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        here = plan.reopened(worker)
        return list(measured_rows(worker, here, here.units(source, frozenset(indices))))


def measured_rows(worker: Worker, plan: RunPlan, units: Iterable[Numbered]) -> Iterator[Row[Any]]:
    """The row of every unit. The worker computes one while the next is prepared and the last is measured."""
    waiting: deque[tuple[int, Load]] = deque()
    setup, settings = plan.model.setup, plan.settings
    for index, unit in units:
        if isinstance(unit, Rejected):
            yield Row(index, unit.name, rejected=unit.reason)
            continue
        if worker.pending == (DEPTH if plan.reference is None else 1):
            yield _collected(worker, plan, *waiting.popleft())
        worker.submit(setup.job(unit, settings, repeat=index in plan.repeated))
        waiting.append((index, unit))
    while waiting:
        yield _collected(worker, plan, *waiting.popleft())


def _collected(worker: Worker, plan: RunPlan, index: int, load: Load) -> Row[Any]:
    """The row of the oldest submitted unit."""
    answer = worker.collect()
    row: Row[Any] = Row(
        index,
        load.unit.name,
        label=load.unit.label,
        pixels=load.digest,
        runs=sum(call.rows for call in answer.calls),
        naive_runs=load.requested,
        runs_beside=load.requested_beside,
        enlarged=load.enlarged,
        factor=_factor(load),
        notes=load.notes,
    )
    count = len(load.places)
    try:
        outputs = _outputs(plan.model, answer, count)
        shifted = range(len(load.unit.plan.windows))
        answers, repeated = _answers(plan.model, outputs, shifted), _repeated(plan.model, outputs, count)
        row = replace(row, perturbed=_perturbed(plan.model, outputs, load))
        others = None
        if plan.reference is not None:
            # It runs in the same memory: nothing of the first answer may be looked at from here on.
            there = load.beside or load
            second = worker.run(plan.reference.setup.job(there, plan.settings, repeat=False))
            outputs = _outputs(plan.reference, second, count)
            others = _answers(plan.reference, outputs, shifted)
            if plan.settings.reference_reading.measured:
                alone = plan.reference.measures.row(there.unit, others, None)
                row = replace(row, reference=alone, reference_perturbed=_perturbed(plan.reference, outputs, there))
            first_class = plan.settings.reference_reading.first_class
            others = plan.model.measures.brought(others, Sides(load.unit, there.unit, first_class))
        return replace(row, measured=plan.model.measures.row(load.unit, answers, others), repeated=repeated)
    except UnusableOutputError as error:
        return replace(row, rejected=str(error))


def _factor(load: Load) -> tuple[float, float] | None:
    if not load.unit.placements:
        return None
    vertical, horizontal = load.unit.placements[0].scale
    return 1 / vertical, 1 / horizontal


def _outputs(model: MeasuredModel, answer: Answer, count: int) -> dict[str, list[Array]]:
    """The outputs of ``count`` windows, and after them of those that were given twice."""
    rows = {name: answer.rows(name) for name in model.setup.target.outputs}
    if any(len(found) < count for found in rows.values()):
        raise UnusableOutputError("the model gives no output of its own for every input")
    return rows


def _answers(model: MeasuredModel, outputs: Mapping[str, list[Array]], windows: Iterable[int]) -> Any:
    """The answers to these of the windows that were run."""
    chosen = tuple(windows)
    return model.measures.read({name: [rows[index] for index in chosen] for name, rows in outputs.items()})


def _perturbed(model: MeasuredModel, outputs: Mapping[str, list[Array]], load: Load) -> tuple[Any, ...]:
    """What was measured for every perturbation."""
    return tuple(
        model.measures.row(beside.unit, _answers(model, outputs, beside.windows), None) for beside in load.perturbed
    )


def _repeated(model: MeasuredModel, outputs: Mapping[str, list[Array]], count: int) -> Repeated | None:
    """How the answers to the unshifted input compare; None where it was given once."""
    if any(len(rows) == count for rows in outputs.values()):
        return None
    first = {name: rows[0] for name, rows in outputs.items()}
    second = {name: rows[count] for name, rows in outputs.items()}
    return Repeated(model.measures.same(first, second), _difference(first, second))


def _difference(first: Mapping[str, Array], second: Mapping[str, Array]) -> float:
    """The largest absolute difference of any element; infinite where shapes differ."""
    worst = 0.0
    for name, value in first.items():
        other = second[name]
        if value.shape != other.shape:
            return float("inf")
        # Equal infinities differ by nothing; their subtraction would be no number.
        differing = value != other
        gap = np.abs(value[differing].astype(np.float64) - other[differing].astype(np.float64))
        worst = max(worst, float(gap.max(initial=0.0)))
    return worst
