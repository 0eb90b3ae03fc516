"""What the merge gate knows beside the audit of one model: what the policy says, and what changed since a base.

Plain values between the rooms that work them out (:mod:`auditor.policy`, :mod:`auditor.comparison`) and those that read
them: rules and reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.findings import Finding
from auditor.sampling.result import Site
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.verify.result import Interval, Verification
    from auditor.verify.statistics import Verdict


@dataclass(frozen=True, slots=True)
class WaiverFact:
    """A waiver that a rule speaks about. ``number`` counts from 1 in the settings file; ``findings`` it would excuse.

    ``expires`` is an ISO date, empty where there is none; so is ``owner``.
    """

    number: int
    rule: str
    owner: str
    expires: str
    findings: int = 0


@dataclass(frozen=True, slots=True)
class Overrun:
    """A budget that a model exceeds. ``name`` is the key in the settings; ``ratcheted``: the baseline lowered it."""

    name: str
    limit: float
    found: float
    ratcheted: bool = False


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """What waivers, baseline and budgets say about one model once every finding is known.

    ``unused`` waivers matched nothing in any model of the run; they stand with the first model that they speak of.
    ``stale`` counts the baseline's entries that match no finding any more, by rule code. ``strict``: what has become
    pointless fails the run.
    """

    expired: tuple[WaiverFact, ...] = ()
    unused: tuple[WaiverFact, ...] = ()
    stale: Mapping[str, int] = field(default_factory=dict)
    over: tuple[Overrun, ...] = ()
    strict: bool = False


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
class OutputChange:
    """The subsampling to one graph output in both models. A name is None where that model has no such output.

    ``before`` and ``after`` are the largest cumulative factors, None where not known.
    """

    base: ModelText | None
    new: ModelText | None
    before: Fraction | None
    after: Fraction | None

    @property
    def rose(self) -> bool:
        """Whether the factor is known to have grown; an output that is new has nothing to grow from."""
        return self.before is not None and self.after is not None and self.after > self.before


@dataclass(frozen=True, slots=True)
class Condition:
    """One threshold on a measured value. ``limit`` is as the settings say it; ``name`` is their key.

    ``images_needed`` is about how many images would decide an inconclusive verdict, None where none would.
    """

    name: str
    limit: float
    verdict: Verdict
    images_needed: int | None = None


@dataclass(frozen=True, slots=True)
class MeasuredChange:
    """One measure on the same images and shifts in both models, paired image by image.

    ``difference`` is new less base, with its interval (None: too few images). ``conditions`` are empty for measures
    that are shown but not held to a threshold. ``images`` counts the pairs.
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against the one it is to replace. ``base`` is what the user called that one.

    Findings and sites are matched by fingerprint, then by name, then by what they do in the order of the graph.
    ``fixed`` and ``removed`` are of the base. ``measured`` is empty where the models were not run. ``inconclusive``
    (fail, warn or pass) says what a verdict means that more images would decide; ``confidence`` is that of a verdict.
    """

    base: str
    added: tuple[Finding, ...] = ()
    fixed: tuple[Finding, ...] = ()
    kept: tuple[Kept, ...] = ()
    new_sites: tuple[Site, ...] = ()
    removed_sites: tuple[Site, ...] = ()
    kept_sites: int = 0
    outputs: tuple[OutputChange, ...] = ()
    before: Fraction | None = None
    after: Fraction | None = None
    measured: tuple[MeasuredChange, ...] = ()
    inconclusive: str = "warn"
    confidence: float = 0.95
    remarks: tuple[str, ...] = ()
    base_verification: Verification | None = None
