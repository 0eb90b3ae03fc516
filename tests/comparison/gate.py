"""A stand-in for two models that are measured on the same images and shifts, with a known true difference.

Images differ strongly in how often shifts change their class (a Beta distribution of concentration 2), and most pairs
of shifts agree or disagree in both models alike: the same draw decides both with probability 0.7. Run as a program, it
prints how often the gate is wrong and how often it sees a drop:

    python -m tests.comparison.gate
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from auditor.comparison.measured import conditions
from auditor.policy.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.result import Measure
from auditor.verify.statistics import Verdict

CONSISTENCY = 0.92
CONCENTRATION = 2.0
ALIKE = 0.7
SIZES = ((32, 16), (64, 16), (128, 16), (256, 16), (512, 16), (1000, 16))
_MEASURE = Measure("consistency", 0.0, None, "share", True, ())


@dataclass(frozen=True)
class Rates:
    """The shares of the runs that ended in each verdict."""

    passed: float
    failed: float
    open: float


def pair(draw: np.random.Generator, images: int, shifts: int, drop: float) -> tuple[FloatArray, FloatArray]:
    """Consistency per image of the base and of a model whose true consistency is lower by ``drop``: two (images,)."""
    a, b = CONCENTRATION * CONSISTENCY, CONCENTRATION * (1 - CONSISTENCY)
    base = draw.beta(a, b, images)[:, None]
    new = base * (1 - drop / CONSISTENCY)
    one, other = draw.random((2, images, shifts))
    shared = draw.random((images, shifts)) < ALIKE
    return (one < base).mean(axis=1), (np.where(shared, one, other) < new).mean(axis=1)


def simulate(images: int, shifts: int, drop: float, thresholds: Thresholds, runs: int, seed: int = 0) -> Rates:
    """What the gate says over ``runs`` independent sets of images."""
    draw = np.random.default_rng(seed)
    verdicts = []
    for _ in range(runs):
        (condition,) = conditions(*pair(draw, images, shifts, drop), _MEASURE, thresholds)
        verdicts.append(condition.verdict)
    return Rates(*(verdicts.count(one) / runs for one in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)))


def rows(runs: int, sizes: Iterable[tuple[int, int]] = SIZES) -> Iterator[str]:
    """The table of ``docs/gate.md`` as Markdown, line by line."""
    yield "| images | shifts each | fails: no change, 0 allowed | 2 points worse, 0 allowed | the same, 0.5 allowed |"
    yield "|--:|--:|--:|--:|--:|"
    for images, shifts in sizes:
        strict, lenient = Thresholds(max_absolute_drop=0.0), Thresholds(max_absolute_drop=0.005)
        found = (
            simulate(images, shifts, 0.0, strict, runs),
            simulate(images, shifts, 0.02, strict, runs),
            simulate(images, shifts, 0.02, lenient, runs),
        )
        yield f"| {images} | {shifts} | {' | '.join(f'{100 * one.failed:.1f} %' for one in found)} |"


if __name__ == "__main__":
    for line in rows(2000):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
