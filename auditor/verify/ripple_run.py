"""Running a model on flat pictures, to measure the ripple of its map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from auditor.verify.arrays import AnyArray
from auditor.verify.errors import ModelRejectedError
from auditor.verify.images.preprocess import to_tensor
from auditor.verify.images.source import ImageSource
from auditor.verify.measures.dense import Dense
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.merge import RowTable
from auditor.verify.pilot import RunPlan
from auditor.verify.ripple import Ripple, map_period, ripple
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.client import Worker

_LEVELS = (64, 128, 192)  # of 255: dark, grey and bright
_PICTURES = 4


def measure_ripple(worker: Worker, plan: RunPlan, source: ImageSource, table: RowTable) -> tuple[Ripple | None, int]:
    """The ripple of a map that is finer than the coarsest grid, and how many inputs were run for it.

    The range of the map is that over the first four images that were used.
    """
    measures, setup = plan.model.measures, plan.model.setup
    period = map_period(plan.settings.period, measures.grid.stride) if isinstance(measures, Dense) else None
    if period is None or not isinstance(measures, Dense):
        return None, 0
    loads = list(_first(plan, source, table))
    if not loads:
        return None, 0
    height, width = setup.image.size
    pictures = [np.full((height, width, setup.image.channels), level, np.uint8) for level in _LEVELS]
    canvases = np.stack([to_tensor(picture, setup.preprocessing) for picture in pictures])
    places = np.array([(place, 0, 0) for place in range(len(_LEVELS))], np.int64)
    try:
        flat = _maps(worker, plan, measures, replace(loads[0], canvases=canvases, places=places))
        others = [_maps(worker, plan, measures, replace(load, places=load.places[:1])) for load in loads]
    except (ModelRejectedError, UnusableOutputError):
        return None, 0  # such a model was refused, or its answers left out, before
    runs = len(flat) + len(others)
    if flat.dtype.kind not in "f":
        return None, runs  # the map of a choice has no range
    return ripple(flat, np.concatenate(others), period), runs


def _first(plan: RunPlan, source: ImageSource, table: RowTable) -> Iterator[Load]:
    chosen = frozenset(row.index for row in islice(table.used, _PICTURES))
    for _, load in plan.model.setup.units(source, chosen):
        if isinstance(load, Load):
            yield load


def _maps(worker: Worker, plan: RunPlan, measures: Dense, load: Load) -> AnyArray:
    answer = worker.run(plan.model.setup.job(load, plan.settings, repeat=False))
    return measures.read({name: [row.copy() for row in answer.rows(name)] for name in measures.outputs})
