"""One ONNX model in two runtimes: that of its deployment, and onnxruntime beside it on the same windows."""

from __future__ import annotations

from dataclasses import replace
from math import isnan

import numpy as np
from msgspec import structs

from auditor.onnxfile.graph import Model, ModelFormat
from auditor.text import count_text
from auditor.verify.measures import leading
from auditor.verify.measures.reference import FIDELITY_COSINE, FIDELITY_UNSHIFTED
from auditor.verify.measures.task import measured_of
from auditor.verify.merge import RowTable, of_reference
from auditor.verify.pilot import RunPlan
from auditor.verify.result import Measure, OutputResult, Task, Verification
from auditor.verify.settings import ReferenceReading, VerifySettings
from auditor.verify.worker.runtime import Runtime


def runs_beside_onnxruntime(model: Model, settings: VerifySettings) -> bool:
    """Whether onnxruntime can say how the model should answer, and nobody named another model for that."""
    elsewhere = settings.runtime not in (None, Runtime.ONNXRUNTIME)
    return elsewhere and model.format is ModelFormat.ONNX and settings.reference is None


def beside_onnxruntime(model: Model, settings: VerifySettings) -> VerifySettings:
    """The settings with the same model in onnxruntime as the reference."""
    reading = ReferenceReading(measured=True, runtime=Runtime.ONNXRUNTIME)
    return replace(settings, reference=model.source, reference_reading=reading)


def agreement_words(plan: RunPlan, table: RowTable) -> tuple[str, ...]:
    """How the answers in the two runtimes compare, in one sentence."""
    facts = plan.model.setup.batching.opened.provider.runtime
    alike = _alike(plan, table)
    if facts is None or not alike:
        return ()
    reference, beside = of_reference(plan, table)
    confidence, kind = plan.settings.confidence, plan.model.setup.target.task
    here = plan.model.measures.total(table.used, confidence)
    there = reference.model.measures.total(beside.used, confidence)
    compared = _compared(kind, here, there)
    return ("; ".join([f"in {facts.name} {facts.version} the model {alike}", *compared]),)


def with_notes(found: Verification, *notes: str) -> Verification:
    """The result with these notes in front."""
    return structs.replace(found, notes=(*notes, *found.notes))


def _alike(plan: RunPlan, table: RowTable) -> str:
    """On how many pictures both give the same answer, where an answer is the same or not; else how close they are."""
    rows = measured_of(table.used)
    shares = np.array([row.values.get(FIDELITY_UNSHIFTED.name, np.nan) for row in rows])
    shares = shares[~np.isnan(shares)]
    if len(shares) and plan.model.setup.target.task is Task.DENSE:
        pictures = count_text(len(shares), "picture")
        return f"answers as in onnxruntime at {100 * float(shares.mean()):.2f} % of the positions of {pictures}"
    if len(shares):
        words = f"answers as in onnxruntime on {int((shares == 1).sum())} of {count_text(len(shares), 'picture')}"
        return words if len(shares) == len(rows) else f"{words} with something to compare ({len(rows)} were run)"
    cosines = np.array([row.values.get(FIDELITY_COSINE.name, np.nan) for row in rows])
    cosines = cosines[~np.isnan(cosines)]
    if not len(cosines):
        return ""
    words = count_text(len(cosines), "picture")
    return f"answers with a cosine of {float(cosines.min()):.6f} or more to onnxruntime on {words}"


def _compared(kind: Task, here: OutputResult, there: OutputResult) -> list[str]:
    """The first leading measure that both have."""
    for name in leading(kind):
        ours, theirs = here.measure(name), there.measure(name)
        if ours is None or theirs is None or isnan(ours.value) or isnan(theirs.value):
            continue
        title = "shift consistency" if name == "consistency" else name
        return [f"its {title} is {_number(ours)} against {_number(theirs)}{_UNITS.get(ours.unit, '')}"]
    return []


_UNITS = {"share": " %", "px": " px"}


def _number(measure: Measure) -> str:
    if measure.unit == "share":
        return f"{100 * measure.value:.1f}"
    return f"{measure.value:.2f}" if measure.unit == "px" else f"{measure.value:.3g}"
