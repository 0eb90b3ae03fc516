"""The report as an attachment for Netron: what is said of a node stands in its side panel.

Netron (9.3) takes ``netron:attachment`` files by Open or drop once a model is open, and finds a node by its exact name.
Two nodes with one name both get an entry, and one without a name none: what is said of those stands at their output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, TypeAlias

from auditor.facts.report import ModelReport, Report, findings_words
from auditor.report import RenderOptions
from auditor.report.words.nodes import LONGEST_NAME, NodeFacts, addressable, node_facts
from auditor.report.words.numbers import factor_text
from auditor.report.words.place import node_name, rule_title
from auditor.text import inert_json, plain

Entry: TypeAlias = dict[str, Any]


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one attachment. Of several models the path stands in front of each label."""
    metadata: list[Entry] = []
    metrics: list[Entry] = []
    for model in report.models:
        prefix = f"{plain(model.path)}: " if len(report.models) > 1 else ""
        metadata += _model(model, prefix)
        for facts in node_facts(model):
            metadata += _findings(model, facts, prefix)
            metrics += _numbers(model, facts, prefix)
    metadata += [
        _entry("model", "", f"problem {number}", f"{plain(problem.path)}: {plain(problem.message, None)}")
        for number, problem in enumerate(report.problems, 1)
    ]
    document = {
        "signature": "netron:attachment",
        "generator": f"aliasaudit {plain(report.version)}",
        "metadata": metadata,
        "metrics": metrics,
    }
    return inert_json(json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False)) + "\n"


def _model(model: ModelReport, prefix: str) -> Iterator[Entry]:
    total = model.analysis.subsampling
    words = findings_words(model.findings)
    if total is not None:
        words += f"; cumulative factor {factor_text(total)}"
    yield _entry("model", "", f"{prefix}aliasaudit", words)
    for number, finding in enumerate((one for one in model.findings if one.node is None), 1):
        yield _entry("model", "", f"{prefix}{rule_title(finding)} ({number})", plain(finding.message, None))
    inner = [facts for facts in node_facts(model) if facts.node.scope]
    for facts in inner:
        yield _entry("model", "", f"{prefix}inside {node_name(facts.node)}", facts.line())


def _findings(model: ModelReport, facts: NodeFacts, prefix: str) -> Iterator[Entry]:
    for number, finding in enumerate(facts.findings, 1):
        again = sum(other.rule == finding.rule for other in facts.findings) > 1
        label = f"{prefix}{plain(finding.rule)} {finding.severity.value}{f' ({number})' if again else ''}"
        words = (f"{plain(finding.name)}: {plain(finding.message, None)}", plain(finding.advice, None))
        yield from _placed(model, facts, label, " ".join(filter(None, words)))


def _numbers(model: ModelReport, facts: NodeFacts, prefix: str) -> Iterator[Entry]:
    for name, value in facts.numbers():
        yield from _placed(model, facts, f"{prefix}{name}", value)


def _placed(model: ModelReport, facts: NodeFacts, label: str, value: str) -> Iterator[Entry]:
    """An entry at a node of the main graph, or at its output where it has no name of its own."""
    if facts.node.scope:
        return
    if addressable(model, facts.node):
        yield _entry("node", facts.node.name.raw, label, value)
    elif 0 < len(facts.node.output.raw) <= LONGEST_NAME:
        yield _entry("value", facts.node.output.raw, label, value)


def _entry(kind: str, target: str, name: str, value: str) -> Entry:
    return {"kind": kind, "target": target, "name": name, "value": value}
