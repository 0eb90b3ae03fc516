"""The report as node data for Model Explorer, which colours the nodes of a graph.

Its ONNX adapter names a node by the node's name; nodes without a name of their own, and those inside of functions and
sub-graphs, cannot be addressed and are counted in the name of the data.
"""

from __future__ import annotations

import json
from typing import Any

from auditor.facts.finding import Severity
from auditor.facts.report import Report
from auditor.report import RenderOptions
from auditor.report.words.nodes import NodeFacts, addressable, node_facts
from auditor.text import count_text, inert_json, plain

_COLOURS = {Severity.ERROR: "#d03b3b", Severity.WARNING: "#eda100", Severity.NOTE: "#6da7ec"}
_TEXT = {Severity.ERROR: "#ffffff", Severity.WARNING: "#0b0b0b", Severity.NOTE: "#0b0b0b"}
_PROTECTED, _SITE = "#8ccf8c", "#d9d8d2"


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as the data of one graph. Of several models the path stands in front of each value."""
    results: dict[str, dict[str, Any]] = {}
    left_out = 0
    for model in report.models:
        prefix = f"{plain(model.path)}: " if len(report.models) > 1 else ""
        for facts in node_facts(model):
            if not addressable(model, facts.node):
                left_out += 1
                continue
            value = f"{prefix}{facts.line()}"
            known = results.get(facts.node.name.raw)
            joined = f"{known['value']}; {value}" if known is not None else value
            results[facts.node.name.raw] = {"value": joined, **_colours(facts)}
    name = f"aliasaudit {plain(report.version)}"
    if left_out:
        name += f" ({count_text(left_out, 'node')} without a name of its own left out)"
    return inert_json(json.dumps({"name": name, "results": results}, ensure_ascii=True, indent=1)) + "\n"


def _colours(facts: NodeFacts) -> dict[str, str]:
    severity = facts.severity
    if severity is not None:
        return {"bgColor": _COLOURS[severity], "textColor": _TEXT[severity]}
    return {"bgColor": _PROTECTED if facts.protected else _SITE, "textColor": "#0b0b0b"}
