"""A locked model whose window is held: what remains of a disturbance where it may not move the window.

The file is the locked model with its choice as an input. The choice of the clean picture is given with the disturbed
one, and what the answer changes less than with a choice of its own is what the choice adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from auditor.onnxfile import read_model
from auditor.rewrite.graph.marks import WINDOW
from auditor.rewrite.graph.parts import PREFIX
from auditor.sampling.result import Analysis
from auditor.verify.admission import admitted
from auditor.verify.images.source import ImageSource
from auditor.verify.measures import MEASURES
from auditor.verify.measures.target import Clues
from auditor.verify.measures.task import UnusableOutputError
from auditor.verify.perturbation import Perturbation
from auditor.verify.pilot import RunPlan, pilot
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.feeder import Load
from auditor.verify.shifts.plan import PlanBuilder, no_pairs
from auditor.verify.worker.arena import Array
from auditor.verify.worker.client import Worker
from auditor.verify.worker.job import Job

_CHOICE = "ArgMax"


def added_by_choice(
    locked: Path,
    analysis: Analysis,
    source: ImageSource,
    settings: VerifySettings,
    perturbation: Perturbation,
    measure: str,
) -> dict[str, float]:
    """By the name of an image, how much more a measure changes than it would with the window of the clean picture.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    model = read_model(locked)
    names = [
        node.outputs[0]
        for node in model.graph.nodes
        if node.op == _CHOICE and node.name.startswith(PREFIX) and WINDOW in node.name
    ]
    held = held_copy(locked, names, locked.with_name("held.onnx"))
    shifts = replace(settings.shifts, pairs=1, neighbours=0, distances=(), path=0, exhaustive=0)
    alone = replace(settings, shifts=shifts, perturbations=(perturbation,), reference=None, layer_images=0)
    added: dict[str, float] = {}
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        plan, units = pilot(worker, admitted(model, alone), source, alone, Clues.of(model, analysis), analysis)
        # Layouts of boxes are told by all outputs together, so that the choice is read from a session of its own.
        sessions = (
            worker.open(admitted(model, alone, names)).key,
            worker.open(admitted(read_model(held), alone)).key,
        )
        for _, load in units:
            if isinstance(load, Load):
                try:
                    added[load.unit.name.raw] = _added(worker, plan, sessions, load, names, measure)
                except UnusableOutputError:
                    continue
    return added


def held_copy(locked: Path, names: Sequence[str], target: Path) -> Path:
    """The locked model with its choice as inputs."""
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load(str(locked), load_external_data=False)
    kept = [node for node in model.graph.node if not set(names).intersection(node.output)]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.input.extend(helper.make_tensor_value_info(name, TensorProto.INT64, [None]) for name in names)
    onnx.save(model, str(target))
    return target


def _added(
    worker: Worker, plan: RunPlan, sessions: tuple[int, int], load: Load, names: Sequence[str], measure: str
) -> float:
    """How much the measure changes more; ``sessions`` are that which tells its choice, and that which is given one."""
    choosing, held = sessions
    beside = load.perturbed[0]
    pairs = beside.unit.plan.pairs
    places = [beside.windows[int(index[0])] for index in (pairs.reference, pairs.moved)]
    clean, disturbed = (_run(worker, plan, choosing, load, place, names) for place in places)
    still = _run(worker, plan, held, load, places[1], (), {name: clean[name] for name in names})
    windows = [beside.unit.plan.windows[int(index[0])] for index in (pairs.reference, pairs.moved)]
    builder = PlanBuilder(windows[0])
    pair = builder.pairs([(windows[0], windows[1], (0.0, 0.0))])
    shifts = builder.build(pair, no_pairs(), no_pairs(), builder.path(()), no_pairs())
    placements = tuple(beside.unit.placements[int(index[0])] for index in (pairs.reference, pairs.moved))
    unit = replace(beside.unit, plan=shifts, placements=placements if beside.unit.placements else ())
    changes = []
    for second in (disturbed, still):
        outputs = {name: [clean[name], second[name]] for name in plan.model.setup.target.outputs}
        changes.append(plan.model.measures.row(unit, plan.model.measures.read(outputs), None).values[measure])
    more = float(changes[0] - changes[1])
    return -more if MEASURES[measure].higher_is_better else more


def _run(
    worker: Worker,
    plan: RunPlan,
    session: int,
    load: Load,
    place: int,
    further: Sequence[str],
    feeds: dict[str, Array] | None = None,
) -> dict[str, Any]:
    """Every output for one window, copied; the choice of a model with a fixed batch is given for all of it."""
    setup = plan.model.setup
    image = setup.image
    rows = image.batch or 1
    outputs = (*setup.target.outputs, *further)
    job = Job(
        session,
        image.windows(load.canvases, load.places[place : place + 1]),
        outputs,
        rows,
        image.batch is not None,
        {name: np.full(rows, value, np.int64) for name, value in (feeds or {}).items()},
    )
    answer = worker.run(job)
    return {name: answer.rows(name)[0].copy() for name in outputs}
