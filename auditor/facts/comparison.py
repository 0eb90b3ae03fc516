"""What the merge gate knows beside the audit of one model: what the policy says, and what changed since a base.

Plain values between the rooms that work them out (:mod:`auditor.policy`, :mod:`auditor.comparison`) and those that read
them: rules and reports.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from fractions import Fraction
from typing import ClassVar

from msgspec import Struct

from auditor.codec import FloatOrNan
from auditor.document import Shown
from auditor.facts.finding import Finding
from auditor.sampling.result import Site
from auditor.text import ModelText, count_text, plain
from auditor.verify.interval import Interval
from auditor.verify.result import Verification
from auditor.verify.verdict import Condition, Looks, Verdict

_MINIMUM = "min"  # the threshold that asks nothing of the base
_VISIBLE = 0.005  # of an alias energy: half a per cent, since reports show whole ones
_WORST_FIRST = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)


class Kept(Struct, frozen=True):
    """A finding at a place that the base has too. ``how`` says what the place was recognised by."""

    before: Finding
    after: Finding
    how: str

    @property
    def worse(self) -> bool:
        """Whether its severity rose."""
        return self.after.severity.rank > self.before.severity.rank


class GridChange(Struct, frozen=True):
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


class KeptSite(Struct, frozen=True):
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

    @property
    def changed(self) -> bool:
        """Whether operator, kernel, factor, verdict or alias energy differ by what a reader would see."""
        forms = [
            (one.kind, one.kernel, one.stride, one.dilation, one.factor, one.cumulative, one.verdict)
            for one in (self.before, self.after)
        ]
        return forms[0] != forms[1] or max(abs(self.rise), abs(self.expected_rise or 0.0)) >= _VISIBLE

    @property
    def moved(self) -> float:
        """By how much more folds: of the expected alias energy, of the flat one where that is not known.

        0 where a reader would not see it.
        """
        rise = self.rise if self.expected_rise is None else self.expected_rise
        return rise if abs(rise) >= _VISIBLE else 0.0


class OutputChange(Struct, frozen=True):
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


def worst_verdict(conditions: Iterable[Condition]) -> Verdict | None:
    """The worst verdict of any condition; None without conditions."""
    return min((condition.verdict for condition in conditions), key=_WORST_FIRST.index, default=None)


class TypicalRatio(Struct, frozen=True):
    """The typical image's ``new / base`` of a measure without a largest value, with its interval (None: few images).

    ``base_largest`` and ``new_largest`` are the largest values of any image.
    """

    value: FloatOrNan
    interval: Interval | None
    base_largest: FloatOrNan
    new_largest: FloatOrNan


class MeasuredChange(Struct, frozen=True):
    """One measure on the same images and shifts in both models, paired image by image.

    ``difference`` is new less base, with its interval (None: too few images, or a measure without a largest value,
    which has a ``ratio`` in its place). ``conditions`` are empty for measures that are shown but not held to a
    threshold. ``images`` counts the pairs. ``unseen`` is the share of all images that could change without showing
    here; None where some image changed. ``protocol`` is the perturbation that the measure is about, empty for shifts.
    """

    measure: str
    output: ModelText
    unit: str
    higher_is_better: bool
    base: FloatOrNan
    new: FloatOrNan
    difference: FloatOrNan
    interval: Interval | None
    images: int
    conditions: tuple[Condition, ...] = ()
    ratio: TypicalRatio | None = None
    unseen: float | None = None
    protocol: str = ""

    @property
    def surely_better(self) -> bool:
        """Whether the whole interval of the change lies on the better side."""
        if self.ratio is not None:
            return self.ratio.interval is not None and self.ratio.interval.high < 1
        span = self.interval
        return span is not None and (span.low > 0 if self.higher_is_better else span.high < 0)


class ComparisonVerdict(Enum):
    """What a comparison comes to, the worst first."""

    WORSE = "worse"
    MINIMUM_NOT_HELD = "minimum-not-held"
    UNDECIDED = "undecided"  # more images would decide it
    NO_DIFFERENCE_FOUND = "no-difference-found"
    BETTER = "better"
    SAME_MODEL = "same-model"  # equal graph and weights


class Comparison(Shown, Struct, frozen=True):
    """A model against the one it is to replace. ``base`` is what the user called that one.

    Findings and sites are matched by fingerprint, then by name, then by what they do in the order of the graph.
    ``fixed`` and ``removed`` are of the base, ``changed_sites`` those of both that differ by what a reader would see,
    ``risen_sites`` those of them at which more folds than before. ``measured`` is empty where the models were not run.
    ``inconclusive`` (fail, warn or pass) says what a verdict means that more images would decide; ``confidence`` is
    that of a verdict.
    ``looks`` say when the measurement ended, null where all images were measured at once. ``not_measured``: a
    measurement was asked for and could not be made; the problems of the report say why.
    ``same_model``: graph and weights are equal, so that nothing is left to chance. ``verdict`` is what the measured
    comparison comes to, null where nothing was asked of it; ``graph_verdict`` what the two graphs do, which no run
    stands behind, and ``headline`` the measured verdict, that of the graphs where there is none.
    """

    computed: ClassVar[tuple[str, ...]] = ("verdict", "headline", "risen_sites")

    base: str
    added: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    kept: tuple[Kept, ...] = ()
    new_sites: tuple[Site, ...] = ()
    removed_sites: tuple[Site, ...] = ()
    kept_sites: int = 0
    changed_sites: tuple[KeptSite, ...] = ()
    outputs: tuple[OutputChange, ...] = ()
    before: Fraction | None = None
    after: Fraction | None = None
    measured: tuple[MeasuredChange, ...] = ()
    inconclusive: str = "warn"
    confidence: float = 0.95
    remarks: tuple[str, ...] = ()
    base_verification: Verification | None = None
    same_model: bool = False
    graph_verdict: ComparisonVerdict = ComparisonVerdict.NO_DIFFERENCE_FOUND
    looks: Looks | None = None
    not_measured: bool = False

    @property
    def risen_sites(self) -> tuple[KeptSite, ...]:
        """The sites of both at which more folds than before."""
        return tuple(site for site in self.changed_sites if max(site.rise, site.expected_rise or 0.0) > 0)

    @property
    def interval_confidence(self) -> float:
        """The confidence of the intervals of the changes, which allow for all looks."""
        level = 1 - self.confidence if self.looks is None else self.looks.level
        return 1 - 2 * level

    @property
    def by_graphs(self) -> str:
        """That and why the graphs alone were compared, as a clause; empty where the models were measured."""
        if self.verdict is not None or self.same_model:
            return ""
        if self.not_measured:
            return "by the graphs alone: the measurement that was asked for could not be made"
        return "by the graphs alone" + (", --verify runs both models" if self.base_verification is None else "")

    @property
    def notes(self) -> tuple[str, ...]:
        """When the measurement ended, and the remarks."""
        ended = [] if self.looks is None or self.same_model else [self.looks.words]
        return (*ended, *self.remarks)

    @property
    def asked(self) -> list[tuple[MeasuredChange, Condition]]:
        """Every threshold with the measure that is held to it."""
        return [(change, condition) for change in self.measured for condition in change.conditions]

    @property
    def against_minimum(self) -> Verdict | None:
        """The verdict of the thresholds that ask nothing of the base; None without one."""
        return worst_verdict(condition for _, condition in self.asked if condition.name == _MINIMUM)

    @property
    def against_base(self) -> ComparisonVerdict | None:
        """What the thresholds on the change since the base come to; None without one."""
        drops = [(change, condition) for change, condition in self.asked if condition.name != _MINIMUM]
        worst = worst_verdict(condition for _, condition in drops)
        if self.asked and self.same_model:
            return ComparisonVerdict.SAME_MODEL
        if worst is None:
            return None
        if worst is Verdict.FAIL:
            return ComparisonVerdict.WORSE
        if worst is Verdict.INCONCLUSIVE:
            return ComparisonVerdict.UNDECIDED
        better = all(change.surely_better for change, _ in drops)
        return ComparisonVerdict.BETTER if better else ComparisonVerdict.NO_DIFFERENCE_FOUND

    @property
    def verdict(self) -> ComparisonVerdict | None:
        """The worst of what the thresholds come to; a minimum that is held is no news."""
        minimum = {
            Verdict.FAIL: ComparisonVerdict.MINIMUM_NOT_HELD,
            Verdict.INCONCLUSIVE: ComparisonVerdict.UNDECIDED,
        }
        found = {self.against_base, minimum.get(self.against_minimum) if self.against_minimum else None}
        return next((verdict for verdict in ComparisonVerdict if verdict in found), None)

    @property
    def headline(self) -> ComparisonVerdict:
        """The one verdict: that of the measurement, that of the graphs where nothing was measured."""
        return self.verdict or self.graph_verdict

    def __repr__(self) -> str:
        worse = sum(kept.worse for kept in self.kept)
        facts = [f"{len(self.added)} added", f"{worse} worse", f"{len(self.fixed)} fixed"]
        if self.before is not None and self.after is not None and self.before != self.after:
            facts.append(f"cumulative factor {self.before} before, {self.after} after")
        facts += [count_text(len(self.measured), "measure")] * bool(self.measured)
        return f"<Comparison with {plain(self.base, 120)}: {', '.join(facts)}>"
