"""A grid lock tested on the pictures that it is measured on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from auditor.repair.bench import Bench
from auditor.repair.held import added_by_choice
from auditor.repair.original import Original
from auditor.repair.trials import NOISE, LockTest, accuracy_test, perturbations, trials
from auditor.rewrite.result import Step, Strategy
from auditor.sampling.result import HeadKind
from auditor.verify.measures import leading
from auditor.verify.measures.embedding import COSINE
from auditor.verify.options import Request
from auditor.verify.perturbation import Perturbation
from auditor.verify.result import Task, Verification


def lock_of(steps: Sequence[Step]) -> Step | None:
    """The grid lock among rewrites that are done one after the other."""
    return next((step for step in steps if step.strategy is Strategy.GRID_LOCK), None)


def _perturbations(original: Original, lock: Step) -> tuple[Perturbation, ...]:
    maps = any(head.kind is HeadKind.DENSE and head.lattice for head in original.analysis.heads)
    return perturbations(lock.options, maps=maps)


def with_trials(original: Original, request: Request, steps: Sequence[Step]) -> Request:
    """The request with what a lock is tested with; the same for any other rewrites."""
    lock = lock_of(steps)
    if lock is None:
        return request
    asked = request.settings.perturbations
    further = tuple(one for one in _perturbations(original, lock) if one not in asked)
    return replace(request, settings=replace(request.settings, perturbations=(*asked, *further)))


def lock_trials(
    original: Original, bench: Bench, locked: Path, steps: Sequence[Step], loss: float = 0.005
) -> tuple[LockTest, ...]:
    """The tests of a lock that the bench has measured, which may lose ``loss`` of its accuracy; none for others.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
        ModelFileError: the file cannot be read.
    """
    lock = lock_of(steps)
    if lock is None or bench.pair is None:
        return ()
    before, after = bench.pair
    measure = _measure(after)
    if measure is None:
        return ()
    pairs = {one.name: _paired(before, after, measure, one.name) for one in _perturbations(original, lock)}
    added: dict[str, float] = {}
    if NOISE.name in pairs:
        source = replace(bench.request, limit=bench.images).source()
        _, analysis = original.read(locked)
        added = added_by_choice(locked, analysis, source, bench.request.settings, NOISE, measure)
    images = _images(before, after)
    found = tuple(trials(lock.options, [added.get(image, math.nan) for image in images], pairs))
    return (*found, *_accuracy(before, after, loss))


def _accuracy(before: Verification, after: Verification, loss: float) -> Iterator[LockTest]:
    """The test of accuracy of a classifier: over shifts, which tell more than one window, where there are any."""
    if after.outputs[0].task is not Task.CLASSIFICATION:
        return
    for name in ("shifted-accuracy", "accuracy"):
        base, new = _paired(before, after, name, "")
        if any(math.isfinite(one) for one in base):
            break
    yield accuracy_test(base, new, loss)


def _measure(found: Verification) -> str | None:
    """The leading measure of the first output that grows with what a disturbance changes, else a cosine that falls."""
    for output in found.outputs:
        for name in leading(output.task):
            one = output.measure(name, NOISE.name)
            if one is not None and (name == COSINE.name or not one.higher_is_better):
                return name
    return None


def _images(before: Verification, after: Verification) -> list[str]:
    """The images of both runs, in the order of the first."""
    there = {name.raw for name in after.data.used}
    return [name.raw for name in before.data.used if name.raw in there]


def _paired(
    before: Verification, after: Verification, measure: str, protocol: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    base, new = (_per_image(one, measure, protocol) for one in (before, after))
    images = _images(before, after)
    return tuple(base[image] for image in images), tuple(new[image] for image in images)


def _per_image(result: Verification, measure: str, protocol: str) -> dict[str, float]:
    found = result.outputs[0].measure(measure, protocol)
    names = result.data.used
    values = (math.nan,) * len(names) if found is None else found.per_image
    # How far a cosine is from 1 is what was changed.
    told = [1 - value for value in values] if measure == COSINE.name else values
    return {name.raw: value for name, value in zip(names, told, strict=True)}
