"""How the reports call a node: the one place that decides what stands for a name."""

from __future__ import annotations

import re

from auditor._version import REPOSITORY
from auditor.facts.finding import Finding
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.text import ModelText, plain

_LONGEST_OP = 60


def node_name(node: NodeRef) -> str:
    """The node's name as plain text; a node without one is found by what it computes."""
    return plain(node.name) if node.name else f"-> {plain(node.output)}"


def node_op(node: NodeRef) -> str:
    """The operator as plain text."""
    return plain(node.op, _LONGEST_OP)


def origin_text(origin: Origin | None) -> str:
    """Module and source line in the training code as plain text; empty where the exporter left neither."""
    return ", ".join(plain(text) for text in (origin.module, origin.source) if text) if origin is not None else ""


def node_key(node: NodeRef) -> tuple[ModelText, ModelText, ModelText]:
    """What tells a node from all others: scope and first output; names need not be unique."""
    return node.scope, node.output, node.name


def rule_title(finding: Finding) -> str:
    """``AA101 strided-max-pool``."""
    return f"{plain(finding.rule)} {plain(finding.name)}"


def rule_page(finding: Finding) -> str | None:
    """The address of the page of a built-in rule; None for a rule of another pack."""
    if not re.fullmatch(r"AA\d{3}", finding.rule) or not re.fullmatch(r"[a-z0-9-]+", finding.name):
        return None
    return f"{REPOSITORY}/blob/main/rules/{finding.rule.lower()}_{finding.name.replace('-', '_')}.md"
