"""The report: one plain value that every renderer reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from enum import Enum
from fractions import Fraction
from typing import Any, ClassVar, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from auditor.codec import Dimension
from auditor.document import Shown
from auditor.facts.comparison import Comparison
from auditor.facts.finding import Finding, Severity
from auditor.facts.search import SearchFacts
from auditor.facts.targets import TargetOutcome
from auditor.onnxfile.graph import ModelFormat
from auditor.sampling.result import Analysis, worst_alias
from auditor.text import ModelText, count_text, plain
from auditor.verify.layers.alias import AliasMeasurement
from auditor.verify.result import Verification

SCHEMA_VERSION = "2.0"


class InputReport(Struct, frozen=True):
    """One network input. ``dims`` is what the file says, ``sizes`` what the audit used where the file leaves it open.

    Both run over the tensor's axes; a dimension is a size, a symbol of the model, or None where nothing is said.
    ``sizes`` holds None for an axis that was neither given nor assumed. ``assumed`` lists the axes of chosen size, and
    ``told`` says that they were chosen by the metadata of the file.
    """

    name: ModelText
    dims: tuple[Dimension, ...] | None
    sizes: tuple[int | None, ...]
    assumed: tuple[int, ...]
    told: bool = False


class RuleInfo(Struct, frozen=True):
    """A rule that ran, whether it found anything or not. ``page`` is its Markdown page, empty where there is none."""

    code: str
    name: str
    summary: str
    severities: tuple[Severity, ...]
    page: str = ""

    unwritten: ClassVar[frozenset[str]] = frozenset({"page"})


class RunFacts(Struct, frozen=True):
    """What a report says about the run: ``settings`` are those that change what is found, as plain JSON."""

    settings: Mapping[str, Any]
    rules: tuple[RuleInfo, ...]


class AcceptedBy(Enum):
    """What says that a finding does not count."""

    WAIVER = "waiver"
    BASELINE = "baseline"
    BASE = "base"  # of a comparison: the model that is to be replaced has it too


class Accepted(Struct, frozen=True):
    """A finding that does not count, and why. ``reason``, ``owner`` and the ISO date ``expires`` may be empty."""

    finding: Finding
    by: AcceptedBy
    reason: str = ""
    owner: str = ""
    expires: str = ""


class ModelReport(Shown, Struct, frozen=True):
    """What the audit of one model file found.

    ``path`` is what the user called it: POSIX separators, relative to the working directory where it lies below it.
    ``file_bytes`` counts the model file alone, without external weights. ``opsets`` maps domain to version.
    ``findings`` stand worst first, then by rule, then in graph order. ``verification`` is what running the model on
    shifted images showed, None where it was not run. ``accepted`` are the findings that do not count; they are not
    among ``findings``. ``baselined``: a baseline was read, so ``findings`` are new, those it accepts known.
    ``comparison`` is what changed since a base; None where there is none. ``alias`` is what was measured of the alias
    energies of the sites, None where that was not asked for. ``run`` are the rules and the settings, where the report
    is that of a run on this model alone. ``targets`` are what came of each deployment target that was asked for. Of a
    ``search`` is what was tried to repair it, None where nothing was. Of a
    ``format`` other than ONNX there is nothing but the measurement. ``node_names`` are those that exactly one node of
    the main graph has, with its output; None where nobody looked.
    """

    path: str
    file_bytes: int
    ir_version: int
    opsets: Mapping[str, int]
    producer: ModelText
    inputs: tuple[InputReport, ...]
    analysis: Analysis
    findings: tuple[Finding, ...]
    verification: Verification | None = None
    accepted: tuple[Accepted, ...] = ()
    baselined: bool = False
    comparison: Comparison | None = None
    alias: AliasMeasurement | None = None
    run: RunFacts | None = None
    format: ModelFormat = ModelFormat.ONNX
    targets: tuple[TargetOutcome, ...] = ()
    search: SearchFacts | None = None
    node_names: Mapping[str, str] | None = None

    unwritten: ClassVar[frozenset[str]] = frozenset({"run", "node_names"})

    def __eq__(self, other: object) -> bool:
        """Whether two reports say the same of a model, whatever the run."""
        if not isinstance(other, ModelReport):
            return NotImplemented
        names = (name for name in self.__struct_fields__ if name not in self.unwritten)
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        total = self.analysis.subsampling
        facts = [findings_words(self.findings), count_text(len(self.analysis.sites), "site")]
        if total is not None:
            facts.append(f"cumulative factor {total}")
        facts += ["measured"] * (self.verification is not None) + ["compared"] * (self.comparison is not None)
        return f"<ModelReport {plain(self.path, 120)}: {', '.join(facts)}>"


class ProblemKind(Enum):
    """Why a part of the audit is missing. INTERNAL is our fault, RULE_PACK that of a user's rule; all others make the
    audit incomplete.
    """

    NO_INPUTS = "no-inputs"
    NOT_FOUND = "not-found"
    UNREADABLE = "unreadable"
    NOT_MEASURED = "not-measured"
    INTERNAL = "internal-error"
    RULE_PACK = "rule-pack-error"


class Problem(Struct, frozen=True):
    """A part of the audit that was not made. ``code`` narrows ``kind`` down, and equals its value where nothing does.

    ``message`` is one line of our own words. ``path`` is the model as the user called it, empty where it is about none.
    """

    kind: ProblemKind
    message: str
    path: str = ""
    code: str = ""

    def __post_init__(self) -> None:
        if not self.code:
            force_setattr(self, "code", self.kind.value)


class Summary(Struct, frozen=True):
    """The numbers of a report.

    ``antialiased_sites`` are those with a low-pass, and those that pick labels. ``rules`` counts the findings by code.
    ``subsampling`` is the largest cumulative factor of any model, null where one is not known. ``worst_alias_energy``
    is the largest expected alias energy of a site without anti-aliasing, and that of a flat spectrum where none has
    one; ``worst_alias_energy_kind`` says which.
    """

    models: int
    sites: int
    antialiased_sites: int
    findings: int
    errors: int
    warnings: int
    notes: int
    rules: Mapping[str, int]
    problems: int
    subsampling: Fraction | None
    worst_alias_energy: float | None
    worst_alias_energy_kind: Literal["expected", "flat"] | None


class Report(Shown, Struct, frozen=True):
    """One run of the tool. ``version`` is the tool's, ``settings`` those that change what is found, as plain JSON.

    Factors, offsets and receptive fields are in pixels (samples on a 1-D axis) of the network input. Lists per axis run
    over the spatial axes in the tensor's order. ``schema_version`` is that of the document, ``tool`` what wrote it, and
    ``summary`` the numbers of all models.
    ``rules`` are those that ran, sorted by code. ``remarks`` say what a reader should know that is neither a finding
    nor a problem, such as which models are new.
    """

    version: str
    models: tuple[ModelReport, ...]
    problems: tuple[Problem, ...] = ()
    settings: Mapping[str, Any] = {}
    rules: tuple[RuleInfo, ...] = ()
    remarks: tuple[str, ...] = ()

    computed: ClassVar[tuple[str, ...]] = ("schema_version", "tool", "summary")

    @property
    def schema_version(self) -> str:
        """The version of the document."""
        return SCHEMA_VERSION

    @property
    def tool(self) -> Literal["aliasaudit"]:
        """What wrote the document."""
        return "aliasaudit"

    @property
    def summary(self) -> Summary:
        """The numbers of the report."""
        sites = [site for model in self.models for site in model.analysis.sites]
        worst = worst_alias(sites)
        known = [total for model in self.models if (total := model.analysis.subsampling) is not None]
        by_severity = self.by_severity()
        return Summary(
            models=len(self.models),
            sites=len(sites),
            antialiased_sites=sum(not site.unprotected for site in sites),
            findings=sum(by_severity.values()),
            errors=by_severity[Severity.ERROR],
            warnings=by_severity[Severity.WARNING],
            notes=by_severity[Severity.NOTE],
            rules={code: count for (code, _), count in self.by_rule().items()},
            problems=len(self.problems),
            subsampling=max(known, default=None) if len(known) == len(self.models) else None,
            worst_alias_energy=None if worst is None else worst.value,
            worst_alias_energy_kind=None if worst is None else "expected" if worst.expected else "flat",
        )

    def __repr__(self) -> str:
        facts = [count_text(len(self.models), "model"), findings_words(self.findings())]
        facts += [count_text(len(self.problems), "problem")] * bool(self.problems)
        return f"<Report: {', '.join(facts)}>"

    def findings(self) -> list[Finding]:
        """Every finding of every model, in report order."""
        return [finding for model in self.models for finding in model.findings]

    def by_severity(self) -> dict[Severity, int]:
        """How many findings there are of each severity, worst first, zeros included."""
        counts = Counter(finding.severity for finding in self.findings())
        return {severity: counts[severity] for severity in sorted(Severity, key=lambda s: -s.rank)}

    def by_rule(self) -> dict[tuple[str, str], int]:
        """How many findings each rule has, keyed by code and name, most frequent first, only rules that fired."""
        counts = Counter((finding.rule, finding.name) for finding in self.findings())
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def findings_words(findings: Collection[Finding]) -> str:
    """How many findings there are, and how many of each severity, worst first: ``3 findings (1 error, 2 notes)``."""
    counts = Counter(finding.severity for finding in findings)
    parts = [count_text(counts[severity], severity.value) for severity in sorted(counts, key=lambda one: -one.rank)]
    return count_text(len(findings), "finding") + (f" ({', '.join(parts)})" if parts else "")


def worst_first(finding: Finding) -> tuple[int, str, int, str, str]:
    """The sort key of findings in a report: severity, rule, place in the graph, message, fingerprint."""
    order = finding.node.order if finding.node is not None else -1
    return (-finding.severity.rank, finding.rule, order, finding.message, finding.fingerprint)
