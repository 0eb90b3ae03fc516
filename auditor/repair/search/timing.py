"""The measured cost of a rewrite: both models timed in turn on the same picture, in one process, on one device."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

from auditor.repair.search.gain import Speed
from auditor.verify.images.source import ImageSource
from auditor.verify.probe import probe
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import prepare
from auditor.verify.worker.job import Job, SessionSpec

ROUNDS = 12
_LOW, _HIGH = 2, 9  # order statistics of 12 values that hold their median in 96 % of the cases
_CALLS = 4
_SHORTEST = 0.02  # seconds of one timing: what is shorter, another program's time slice doubles
_MOST_REPEATS = 25


def speed(original: Path, rewritten: Path, source: ImageSource, settings: VerifySettings) -> Speed:
    """Time both models, one picture per call where they allow it; the order turns round by round, so that a machine
    that slows down does not favour one of them.

    Raises:
        VerifyError: as :func:`auditor.verify.runner.verify`.
    """
    with probe(SessionSpec(original, custom_ops=settings.custom_ops), source, settings) as run:
        # Both are opened anew, so that neither has run before.
        opened = [run.open(SessionSpec(path, custom_ops=settings.custom_ops)) for path in (original, rewritten)]
        fed = [run, run]
        if opened[0].inputs != opened[1].inputs:
            spec = SessionSpec(rewritten, custom_ops=settings.custom_ops)
            setup, units = prepare(run.worker, spec, source, replace(settings, native=False), any_task=True)
            fed[1] = replace(run, setup=setup, units=units)
        loads = {id(one): next(one.loads()) for one in fed}

        def job(index: int, repeats: int) -> Job:
            one = fed[index]
            load = loads[id(one)]
            places = load.places[: _CALLS * (one.setup.image.batch or 1)]
            return one.job(opened[index].key, load, np.tile(places, (repeats, 1)), one.setup.target.outputs)

        for index in (0, 1):
            run.worker.run(job(index, 1))
        taken = run.worker.run(job(0, 1)).seconds
        repeats = min(_MOST_REPEATS, max(1, math.ceil(_SHORTEST / max(taken, 1e-9))))
        jobs = [job(index, repeats) for index in (0, 1)]
        ratios = []
        for number in range(ROUNDS):
            seconds = [0.0, 0.0]
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                seconds[index] = run.worker.run(jobs[index]).seconds
            ratios.append(seconds[1] / max(seconds[0], 1e-9))
    ratios.sort()
    return Speed(median(ratios), ratios[_LOW], ratios[_HIGH], ROUNDS)
