"""The measured cost of a rewrite: both models timed in turn on the same picture, in one process, on one device."""

from __future__ import annotations

import math
from pathlib import Path
from statistics import median

import numpy as np

from auditor.repair.search.gain import Speed
from auditor.verify.images.inputs import other_feeds
from auditor.verify.images.source import ImageSource
from auditor.verify.settings import VerifySettings
from auditor.verify.setup import prepare
from auditor.verify.shifts.feeder import Load
from auditor.verify.worker.client import Worker
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
    with Worker(settings.device, settings.limits, settings.threads) as worker:
        first = SessionSpec(original, custom_ops=settings.custom_ops)
        setup, units = prepare(worker, first, source, settings, any_task=True)
        load = next(unit for unit in units if isinstance(unit, Load))
        opened = [worker.open(SessionSpec(path, custom_ops=settings.custom_ops)) for path in (original, rewritten)]
        image = setup.image
        rows = image.batch or 1
        feeds = other_feeds(setup.opened.inputs, image, settings.feeds, load.extra, rows)
        places = load.places[: _CALLS * rows]

        def job(session: int, repeats: int) -> Job:
            windows = setup.windows(load.canvases, np.tile(places, (repeats, 1)))
            return Job(session, windows, setup.target.outputs, rows, image.batch is not None, feeds)

        for one in opened:
            worker.run(job(one.key, 1))
        taken = worker.run(job(opened[0].key, 1)).seconds
        repeats = min(_MOST_REPEATS, max(1, math.ceil(_SHORTEST / max(taken, 1e-9))))
        jobs = [job(one.key, repeats) for one in opened]
        ratios = []
        for number in range(ROUNDS):
            seconds = [0.0, 0.0]
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                seconds[index] = worker.run(jobs[index]).seconds
            ratios.append(seconds[1] / max(seconds[0], 1e-9))
    ratios.sort()
    return Speed(median(ratios), ratios[_LOW], ratios[_HIGH], ROUNDS)
