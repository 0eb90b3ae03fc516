"""What the merge gate knows beside the audit of one model: what the policy says, and what changed since a base.

Plain values between the rooms that work them out (:mod:`auditor.policy`, :mod:`auditor.comparison`) and those that read
them: rules and reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.document import Shown
from auditor.facts.finding import Finding
from auditor.sampling.result import Site
from auditor.text import ModelText, count_text, plain

if TYPE_CHECKING:
    from auditor.verify.result import Interval, Verification
    from auditor.verify.statistics import Verdict


@dataclass(frozen=True, slots=True)
class Kept:
    """A finding at a place that the base has too. ``how`` says what the place was recognised by."""

    before: Finding
    after: Finding
    how: str

    @property
    def worse(self) -> bool:
        """Whether its severity rose."""
        return self.after.severity.rank > self.before.severity.rank


@dataclass(frozen=True, slots=True)
class GridChange:
    """What became of the grid of one output, per axis of it, in input pixels (samples on a 1-D axis).

    ``shifts`` are how far its centres moved, ``detours`` how far those of its deepest path did (the bottom of a U-Net,
    beside its skip connections). ``steps`` and ``fields`` are the distance of neighbours and the receptive field,
    before and after.
    """

    shifts: tuple[Fraction, ...]
    detours: tuple[Fraction, ...]
    steps: tuple[tuple[Fraction, Fraction], ...]
    fields: tuple[tuple[Fraction, Fraction], ...]

    @property
    def shift(self) -> Fraction:
        """The largest move of the centres along an axis."""
        return max((abs(one) for one in self.shifts), default=Fraction(0))

    @property
    def detour(self) -> Fraction:
        """The largest move of the deepest path along an axis."""
        return max((abs(one) for one in self.detours), default=Fraction(0))

    @property
    def same(self) -> bool:
        """Whether nothing is known to have changed."""
        pairs = (*self.steps, *self.fields)
        return not self.shift and not self.detour and all(before == after for before, after in pairs)


@dataclass(frozen=True, slots=True)
class KeptSite:
    """A sampling site that both models have."""

    before: Site
    after: Site

    @property
    def rise(self) -> float:
        """By how much the alias energy of a flat spectrum rose; 0 where one of them is not known."""
        if self.before.alias is None or self.after.alias is None:
            return 0.0
        return self.after.alias.flat - self.before.alias.flat

    @property
    def expected_rise(self) -> float | None:
        """By how much the expected alias energy rose; None where one of them is not known."""
        before = None if self.before.alias is None else self.before.alias.expected
        after = None if self.after.alias is None else self.after.alias.expected
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class OutputChange:
    """The subsampling to one graph output in both models. A name is None where that model has no such output.

    ``before`` and ``after`` are the largest cumulative factors, None where not known. ``grid`` is what became of the
    grid of the output itself, None where both do not have one.
    """

    base: ModelText | None
    new: ModelText | None
    before: Fraction | None
    after: Fraction | None
    grid: GridChange | None = None

    @property
    def rose(self) -> bool:
        """Whether the factor is known to have grown; an output that is new has nothing to grow from."""
        return self.before is not None and self.after is not None and self.after > self.before


@dataclass(frozen=True, slots=True)
class Condition:
    """One threshold on a measured value. ``limit`` is as the settings say it; ``name`` is their key.

    About ``images_needed`` to ``images_enough`` images would decide an inconclusive verdict, if the values stay as they
    are; both are None where no practical number would, and equal where the number is exact. Without ``images_enough``,
    fewer than ``images_needed`` decide nothing, and how many would is not known. ``largest_change`` is what the verdict
    takes for the most that one image can change, None where it needs no such thing. ``otherwise`` is the verdict if
    that were ``twice_seen``, twice the largest change among the images; None where it is the same.
    """

    name: str
    limit: float
    verdict: Verdict
    images_needed: int | None = None
    images_enough: int | None = None
    largest_change: float | None = None
    otherwise: Verdict | None = None
    twice_seen: float | None = None


def needed_words(low: int | None, high: int | None) -> str:
    """How many images would decide an undecided verdict, as a clause."""
    if low is None:
        return "too small a difference from what is allowed to tell with a practical number of images"
    if high is None:
        return f"fewer than {low} images decide nothing"
    if low == high:
        return f"{low} images would decide it if the values stay as they are"
    return f"about {low} to {high} images would decide it if the difference stays as it is"


@dataclass(frozen=True, slots=True)
class TypicalRatio:
    """The typical image's ``new / base`` of a measure without a largest value, with its interval (None: few images).

    ``base_largest`` and ``new_largest`` are the largest values of any image.
    """

    value: float
    interval: Interval | None
    base_largest: float
    new_largest: float


@dataclass(frozen=True, slots=True)
class MeasuredChange:
    """One measure on the same images and shifts in both models, paired image by image.

    ``difference`` is new less base, with its interval (None: too few images, or a measure without a largest value,
    which has a ``ratio`` in its place). ``conditions`` are empty for measures that are shown but not held to a
    threshold. ``images`` counts the pairs. ``unseen`` is the share of all images that could change without showing
    here; None where some image changed.
    """

    measure: str
    output: ModelText
    unit: str
    higher_is_better: bool
    base: float
    new: float
    difference: float
    interval: Interval | None
    images: int
    conditions: tuple[Condition, ...] = ()
    ratio: TypicalRatio | None = None
    unseen: float | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Comparison(Shown):
    """A model against the one it is to replace. ``base`` is what the user called that one.

    Findings and sites are matched by fingerprint, then by name, then by what they do in the order of the graph.
    ``fixed`` and ``removed`` are of the base, ``risen_sites`` those of both at which more folds than before.
    ``measured`` is empty where the models were not run. ``inconclusive`` (fail, warn or pass) says what a verdict means
    that more images would decide; ``confidence`` is that of a verdict.
    ``same_model``: both were run, and graph and weights are equal, so that nothing is left to chance.
    """

    base: str
    added: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    kept: tuple[Kept, ...] = ()
    new_sites: tuple[Site, ...] = ()
    removed_sites: tuple[Site, ...] = ()
    kept_sites: int = 0
    risen_sites: tuple[KeptSite, ...] = ()
    outputs: tuple[OutputChange, ...] = ()
    before: Fraction | None = None
    after: Fraction | None = None
    measured: tuple[MeasuredChange, ...] = ()
    inconclusive: str = "warn"
    confidence: float = 0.95
    remarks: tuple[str, ...] = ()
    base_verification: Verification | None = None
    same_model: bool = False

    def __repr__(self) -> str:
        worse = sum(kept.worse for kept in self.kept)
        facts = [f"{len(self.added)} added", f"{worse} worse", f"{len(self.fixed)} fixed"]
        if self.before is not None and self.after is not None and self.before != self.after:
            facts.append(f"cumulative factor {self.before} before, {self.after} after")
        facts += [count_text(len(self.measured), "measure")] * bool(self.measured)
        return f"<Comparison with {plain(self.base, 120)}: {', '.join(facts)}>"
