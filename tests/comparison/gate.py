"""Pairs of models with a known true difference, and how often the gate is wrong about them.

A truth draws the differences of images, new less base, worse being negative. The hostile ones are those in which few
images lose much: no sample shows what none of its images shows. Run as a program, it prints the tables of
``docs/gate.md``:

    python -m tests.comparison.gate
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from auditor.comparison.conditions import conditions
from auditor.options.thresholds import Thresholds
from auditor.verify.arrays import FloatArray
from auditor.verify.looks import Look, planned_looks
from auditor.verify.result import Measure
from auditor.verify.statistics import judge_mean
from auditor.verify.verdict import Verdict

SIZES = (16, 32, 64, 128, 256)
ALPHA = 0.05
CONSISTENCY = 0.92
CONCENTRATION = 2.0
ALIKE = 0.7
PAIRS = 10
_SHARE = Measure("consistency", 0.0, None, "share", True, ())
_JITTER = Measure("centre-jitter", 0.0, None, "px", False, ())

Draw = Callable[[np.random.Generator, int], FloatArray]


@dataclass(frozen=True)
class Truth:
    """How differences of images come about, and their true mean."""

    name: str
    mean: float
    draw: Draw


@dataclass(frozen=True)
class Rates:
    """The shares of the runs that ended in each verdict."""

    passed: float
    failed: float
    open: float


def mixture(*parts: tuple[float, float]) -> Draw:
    """Images that change by a value with its probability, and else not at all."""

    def draw(generator: np.random.Generator, images: int) -> FloatArray:
        shares = np.array([share for share, _ in parts])
        values = np.array([0.0, *(value for _, value in parts)])
        return np.asarray(values[generator.choice(len(values), images, p=[1 - shares.sum(), *shares])], np.float64)

    return draw


def rare(*parts: tuple[float, float]) -> Truth:
    """A truth of a mixture, whose name says which."""
    words = " and ".join(f"{100 * share:g} % change by {100 * value:+g} points" for share, value in parts)
    return Truth(words, sum(share * value for share, value in parts), mixture(*parts))


def noise(mean: float, spread: float) -> Truth:
    """A truth in which every image changes a little."""

    def draw(generator: np.random.Generator, images: int) -> FloatArray:
        return np.asarray(np.clip(generator.normal(mean, spread, images), -1, 1), np.float64)

    return Truth(f"normal, mean {mean:g}, deviation {spread:g}", mean, draw)


def skewed(sign: float) -> Truth:
    """A truth in which most images hardly change, and some by much."""

    def draw(generator: np.random.Generator, images: int) -> FloatArray:
        return np.asarray(sign * generator.beta(0.1, 1.9, images), np.float64)

    return Truth(f"Beta(0.1, 1.9), {'gains' if sign > 0 else 'losses'}", sign * 0.05, draw)


def pair(draw: np.random.Generator, images: int, drop: float, shifts: int = PAIRS) -> tuple[FloatArray, FloatArray]:
    """Consistency per image of the base and of a model whose true consistency is lower by ``drop``: two (images,).

    Images differ strongly in how often shifts change their class, and most pairs of shifts agree or disagree in both
    models alike: the same draw decides both with probability 0.7.
    """
    a, b = CONCENTRATION * CONSISTENCY, CONCENTRATION * (1 - CONSISTENCY)
    base = draw.beta(a, b, images)[:, None]
    new = base * (1 - drop / CONSISTENCY)
    one, other = draw.random((2, images, shifts))
    shared = draw.random((images, shifts)) < ALIKE
    return (one < base).mean(axis=1), (np.where(shared, one, other) < new).mean(axis=1)


def stand_in(drop: float) -> Truth:
    """Two models on the same images and shifts."""

    def draw(generator: np.random.Generator, images: int) -> FloatArray:
        base, new = pair(generator, images, drop)
        return new - base

    return Truth(f"two models, the new one {100 * drop:g} points worse", -drop, draw)


TRUTHS = (
    rare((0.005, -1.0)),
    rare((0.02, -1.0)),
    rare((0.05, -1.0)),
    rare((0.02, 1.0)),
    rare((0.01, -1.0), (0.05, -0.1)),
    rare((0.005, -1.0), (0.05, -0.1)),
    rare((0.02, -1.0), (0.2, -0.1)),
    rare((0.03, -1.0), (0.5, 1 / 16)),
    rare((0.02, -1.0), (0.02, 1.0)),
    rare((0.05, -1.0), (0.03, 1.0)),
    rare((0.01, -0.5), (0.3, -0.02)),
    noise(-0.02, 0.05),
    noise(-0.01, 0.01),
    skewed(-1.0),
    skewed(1.0),
    stand_in(0.0),
    stand_in(0.02),
)


NOTHING_CHANGES = Truth("no image changes", 0.0, mixture())

# What is allowed is not the true drop, so that there is a right verdict.
OFF_THE_MARGIN = (
    (NOTHING_CHANGES, 0.05),
    (NOTHING_CHANGES, 0.02),
    (stand_in(0.0), 0.02),
    (stand_in(0.0), 0.005),
    (stand_in(0.02), 0.005),
    (stand_in(0.05), 0.005),
    (stand_in(0.1), 0.005),
    (rare((0.2, -1.0)), 0.005),
    (rare((0.05, -1.0)), 0.005),
    (stand_in(0.05), 0.02),
    (stand_in(0.1), 0.02),
)


def errors(truth: Truth, images: int, runs: int, seed: int = 0) -> Rates:
    """The verdicts where exactly the true drop is allowed: passes and fails are errors."""
    return rates(truth, images, truth.mean, runs, seed)


def rates(truth: Truth, images: int, limit: float, runs: int, seed: int = 0) -> Rates:
    """The verdicts over ``runs`` independent sets of images."""
    draw = np.random.default_rng([seed, images])
    verdicts = [judge_mean(truth.draw(draw, images), limit, ALPHA, (-1.0, 1.0)) for _ in range(runs)]
    return _rates(verdicts)


@dataclass(frozen=True)
class Sequence:
    """The verdicts of runs that end at the first certain look, and how many images they took on average."""

    rates: Rates
    images: float

    @property
    def decided(self) -> float:
        return self.rates.passed + self.rates.failed


def sequence(truth: Truth, limit: float, runs: int, seed: int = 0, most: int = SIZES[-1]) -> Sequence:
    """The runs of at most ``most`` images, each looked at while it goes on."""
    draw = np.random.default_rng([seed, most, 1])
    looks = planned_looks(most, ALPHA)
    verdicts, taken = [], []
    for _ in range(runs):
        values = truth.draw(draw, most)
        verdict = Verdict.INCONCLUSIVE
        for look in looks:
            verdict = judge_mean(values[: look.images], limit, look.level, (-1.0, 1.0))
            if verdict is not Verdict.INCONCLUSIVE:
                break
        verdicts.append(verdict)
        taken.append(look.images)
    return Sequence(_rates(verdicts), float(np.mean(taken)))


def through_the_gate(
    images: int, drop: float, thresholds: Thresholds, runs: int, seed: int = 0, shifts: int = PAIRS
) -> Rates:
    """The verdicts on two models as a comparison gives them, with all of its other words."""
    draw = np.random.default_rng([seed, images])
    verdicts = []
    for _ in range(runs):
        base, new = pair(draw, images, drop, shifts)
        (condition,) = conditions(base, new, _SHARE, thresholds).conditions
        verdicts.append(condition.verdict)
    return _rates(verdicts)


def jitter(
    images: int, spread: float, ratio: float, rise: float, runs: int, seed: int = 0, looks: bool = False
) -> Rates:
    """The verdicts on boxes that jitter ``1 + rise`` times as much; images differ, and so do their ratios.

    With ``looks`` each run ends at the first certain one.
    """
    draw = np.random.default_rng([seed, images])
    verdicts = []
    taken = planned_looks(images, ALPHA) if looks else (Look(images, ALPHA),)
    for _ in range(runs):
        base = np.exp(draw.normal(0.0, spread, images))
        # Kept clear of zero, so that what is added to both sides does not move the truth.
        new = base * np.exp(draw.normal(np.log1p(rise), ratio, images))
        for look in taken:
            held = Thresholds(max_jitter_rise=rise, confidence=1 - look.level)
            seen = slice(look.images)
            (condition,) = conditions(1000 * base[seen], 1000 * new[seen], _JITTER, held).conditions
            if condition.verdict is not Verdict.INCONCLUSIVE:
                break
        verdicts.append(condition.verdict)
    return _rates(verdicts)


def _rates(verdicts: list[Verdict]) -> Rates:
    return Rates(*(verdicts.count(one) / len(verdicts) for one in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE)))


def error_rows(runs: int, sizes: Iterable[int] = SIZES) -> Iterator[str]:
    """The table of errors as Markdown, line by line: the worst truth of each kind."""
    yield "| images | false pass, worst truth | false fail, worst truth | cells above 7 % |"
    yield "|--:|--:|--:|--:|"
    for images in sizes:
        cells = [errors(truth, images, runs) for truth in TRUTHS]
        passed, failed = max(one.passed for one in cells), max(one.failed for one in cells)
        above = sum(rate > 0.07 for one in cells for rate in (one.passed, one.failed))
        yield f"| {images} | {100 * passed:.1f} % | {100 * failed:.1f} % | {above} of {2 * len(cells)} |"


def power_rows(runs: int, sizes: Iterable[int] = SIZES[1:]) -> Iterator[str]:
    """The table of what is decided with two points allowed, as Markdown."""
    truths = (rare(), stand_in(0.0), stand_in(0.05), stand_in(0.1), rare((0.1, -1.0)))
    yield (
        "| images | passes: no image changes | passes: two models alike | fails: 5 points worse | fails: 10 points"
        " worse | fails: 10 % of the images lose all |"
    )
    yield "|--:|--:|--:|--:|--:|--:|"
    for images in sizes:
        cells = [rates(truth, images, -0.02, runs) for truth in truths]
        shown = [one.passed for one in cells[:2]] + [one.failed for one in cells[2:]]
        yield f"| {images} | {' | '.join(f'{100 * share:.0f} %' for share in shown)} |"


def sequence_rows(runs: int) -> Iterator[str]:
    """The table of runs that end at the first certain look, as Markdown; ``runs`` sets of images per cell."""
    yield "| the new model | allowed | decided | images on average | decided with 256 images at once |"
    yield "|---|--:|--:|--:|--:|"
    for truth, allowed in OFF_THE_MARGIN:
        found = sequence(truth, -allowed, runs)
        once = rates(truth, SIZES[-1], -allowed, runs)
        decided = f"{100 * found.decided:.0f} % | {found.images:.0f} | {100 * (once.passed + once.failed):.0f} %"
        yield f"| {truth.name} | {100 * allowed:g} points | {decided} |"


def sequence_error_row(runs: int) -> str:
    """The worst errors of any truth over all looks, in a sentence."""
    cells = [sequence(truth, truth.mean, runs).rates for truth in TRUTHS]
    passed, failed = max(cell.passed for cell in cells), max(cell.failed for cell in cells)
    return (
        f"Over all looks, {100 * passed:.1f} % false passes and {100 * failed:.1f} % false fails with the worst truth."
    )


if __name__ == "__main__":
    for table in (error_rows(2000), power_rows(500), sequence_rows(500), [sequence_error_row(2000)]):
        for line in table:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
