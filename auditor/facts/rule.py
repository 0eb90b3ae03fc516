"""What a rule is: the interface between the engine and a rule pack."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from auditor.facts.comparison import Comparison
from auditor.facts.finding import Finding, Severity
from auditor.facts.policy import PolicyFacts
from auditor.sampling.result import Analysis
from auditor.verify.result import Verification

if TYPE_CHECKING:
    from auditor.resizing.result import ResizeComparison
    from auditor.targets.review import TargetReview

OptionValue: TypeAlias = int | float | str | bool


class Need(Enum):
    """What a rule reads beside the analysis; it runs only where that is there.

    Rules that need POLICY run last, on what the waivers and the baseline made of the findings of all others; what they
    find cannot be waived itself.
    """

    MEASUREMENT = "measurement"
    TARGETS = "targets"
    COMPARISON = "comparison"
    RESIZE = "resize"
    POLICY = "policy"


class Context(Struct, frozen=True):
    """What a rule reads: the analysis of one model, and the rule's own options (defaults under the settings).

    ``verification`` is what running the model showed, None where it was not run to the end. ``crash`` says how running
    it ended where it killed the runtime or exceeded its limits, and is empty otherwise. ``comparison`` is what changed
    since a base, without the findings, which are compared once the rules have run; None where there is no base.
    ``policy`` is None but for rules that need it. ``resize`` is the comparison of resize kernels in front of the model,
    None where none was made. ``targets`` is what the targets of the run make of the model, None where none was asked
    for.
    """

    analysis: Analysis
    options: Mapping[str, OptionValue]
    verification: Verification | None = None
    crash: str = ""
    comparison: Comparison | None = None
    policy: PolicyFacts | None = None
    resize: ResizeComparison | None = None
    targets: TargetReview | None = None


class Rule(Struct, frozen=True):
    """One rule. ``check`` is pure and yields findings in graph order, with ``rule`` and ``name`` set to these values.

    ``severities`` are the levels the rule can give, for the index. ``options`` are the names and defaults of its
    settings (``[tool.aliasaudit.rule.AA201] threshold = 16``). ``status`` is "stable", "preview" or "deprecated".
    ``needs`` is what must be there for the rule to run.
    """

    code: str
    name: str
    summary: str
    severities: tuple[Severity, ...]
    check: Callable[[Context], Iterable[Finding]]
    options: Mapping[str, OptionValue] = {}
    status: str = "stable"
    since: str = "0.1.0"
    needs: frozenset[Need] = frozenset()
