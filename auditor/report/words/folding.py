"""What a terminal shows of a long report: the worst sites and findings, and how many more there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport
from auditor.report.words.place import node_key
from auditor.sampling.result import Site
from auditor.text import ModelText, count_text

_MOST = 10
_FEWEST_FOLDED = 3  # a fold of one or two rows takes the place that it saves
_HOW = "(--all shows all)"


def site_severities(model: ModelReport) -> Mapping[int, Severity]:
    """The worst finding that counts at each site, by the number of the site from 0."""
    worst: dict[tuple[ModelText, ModelText, ModelText], Severity] = {}
    for finding in model.findings:  # worst first
        if finding.node is not None:
            worst.setdefault(node_key(finding.node), finding.severity)
    keys = enumerate(node_key(site.node) for site in model.analysis.sites)
    return {index: worst[key] for index, key in keys if key in worst}


def kept_sites(sites: Sequence[Site], severities: Mapping[int, Severity]) -> list[int]:
    """The sites that a folded table keeps, in the order of the graph: by severity, then by what folds."""
    if len(sites) < _MOST + _FEWEST_FOLDED:
        return [*range(len(sites))]
    ranks = [(severities[index].rank if index in severities else -1, _energy(site)) for index, site in enumerate(sites)]
    order = sorted(range(len(sites)), key=lambda index: (ranks[index], -index), reverse=True)
    return sorted(order[:_MOST])


def more_sites(sites: Sequence[Site], kept: Sequence[int]) -> str:
    """How many sites are folded and of what kind; empty where none is."""
    left = [site for index, site in enumerate(sites) if index not in set(kept)]
    if not left:
        return ""
    verdicts = Counter(site.verdict.value for site in left)
    words = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    return f"{count_text(len(left), 'more site')}: {words} {_HOW}"


def kept_findings(findings: Sequence[Finding]) -> Sequence[Finding]:
    """The findings that a folded report keeps, worst first."""
    return findings[:_MOST] if len(findings) >= _MOST + _FEWEST_FOLDED else findings


def more_findings(findings: Sequence[Finding]) -> str:
    """How many findings are folded, by severity; empty where none is."""
    counts = Counter(finding.severity for finding in findings[len(kept_findings(findings)) :])
    words = ", ".join(count_text(count, f"more {severity.value}") for severity, count in counts.items())
    return f"{words} {_HOW}" if words else ""


def _energy(site: Site) -> float:
    if site.alias is None or not site.unprotected:
        return 0.0
    return site.alias.flat if site.alias.expected is None else site.alias.expected
