"""What a report says of each node, for viewers that show it there: findings, factor, what folds, measured loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport
from auditor.onnxfile.noderef import NodeRef
from auditor.report.words.numbers import axes_text, percent_text
from auditor.report.words.place import node_key, rule_title
from auditor.sampling.result import Site, SiteVerdict

LONGEST_NAME = 1000  # characters; what is longer stands in no report


@dataclass(slots=True)
class NodeFacts:
    """One node. ``loss`` is the equivariance error that a run added there, ``alias`` what folds as measured."""

    node: NodeRef
    findings: list[Finding] = field(default_factory=list)
    site: Site | None = None
    alias: float | None = None
    loss: float | None = None

    @property
    def severity(self) -> Severity | None:
        """That of its worst finding."""
        return max((finding.severity for finding in self.findings), key=lambda one: one.rank, default=None)

    @property
    def protected(self) -> bool:
        """Whether it samples behind a filter."""
        return self.site is not None and self.site.verdict is SiteVerdict.ANTI_ALIASED

    def numbers(self) -> list[tuple[str, str]]:
        """The numbers of a site as text, by names that fit into a side panel."""
        found = []
        if self.site is not None:
            found.append(("factor", axes_text(self.site.factor)))
            found.append(("factor so far", axes_text(self.site.cumulative)))
            found.append(("verdict", self.site.verdict.value))
            alias = self.site.alias
            if alias is not None:
                share = alias.flat if alias.expected is None else alias.expected
                basis = "flat" if alias.expected is None else "expected"
                found.append((f"alias {basis}", percent_text(share)))
        if self.alias is not None:
            found.append(("alias measured", percent_text(self.alias)))
        if self.loss is not None:
            found.append(("loss measured", f"{self.loss:.3f}"))
        return found

    def line(self) -> str:
        """All of it on one line."""
        rules = [f"{rule_title(finding)} {finding.severity.value}" for finding in self.findings]
        return ", ".join([*rules, *(f"{name} {value}" for name, value in self.numbers())])


def node_facts(model: ModelReport) -> list[NodeFacts]:
    """The nodes of a model that anything is said of, in graph order."""
    found: dict[object, NodeFacts] = {}

    def at(node: NodeRef) -> NodeFacts:
        return found.setdefault(node_key(node), NodeFacts(node))

    for index, site in enumerate(model.analysis.sites):
        facts = at(site.node)
        facts.site = site
        if model.alias is not None and index in model.alias.sites:
            facts.alias = model.alias.sites[index].share
    layers = model.verification.layers if model.verification is not None else ()
    for layer in layers:
        if layer.node is not None and not math.isnan(layer.added):
            at(layer.node).loss = layer.added
        if layer.node is not None and layer.alias_measured is not None and at(layer.node).alias is None:
            at(layer.node).alias = layer.alias_measured
    for finding in model.findings:
        if finding.node is not None:
            at(finding.node).findings.append(finding)
    return sorted(found.values(), key=lambda facts: facts.node.order)


def addressable(model: ModelReport, node: NodeRef) -> bool:
    """Whether a viewer finds a node of the main graph by its name: it has one, and no other has it."""
    known, name = model.node_names, node.name.raw
    alone = known is None or known.get(name) == node.output.raw
    return not node.scope and 0 < len(name) <= LONGEST_NAME and alone


def unnamed(models: Sequence[ModelReport]) -> int:
    """How many nodes of the main graph that something is said of have no name of their own."""
    return sum(
        not facts.node.scope and not addressable(model, facts.node) for model in models for facts in node_facts(model)
    )
