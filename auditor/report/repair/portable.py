"""The reports of ``fix --portable``: what could be lowered, and what was, as text and as JSON. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.onnxfile.noderef import NodeRef
from auditor.repair.result import Repaired
from auditor.report.repair.outcome import change_json, change_line, document, posix, written_lines
from auditor.report.words.numbers import json_number
from auditor.rewrite.portable.result import LeftNode, Lowered, LoweredNode
from auditor.text import count_text, exact, plain

NOTICE = (
    "portable forms compute what the nodes did, to 1e-4 of the range in onnxruntime. What was tuned on a target with "
    "its other values changes there; compare a few pictures on the target before a release"
)
_FEW = 4


@dataclass(frozen=True, slots=True)
class LoweringOutcome:
    """What ``fix --portable`` did to the model called ``name`` without a rewrite in front."""

    name: str
    repaired: Repaired
    dry: bool

    @property
    def lowered(self) -> Lowered:
        assert self.repaired.lowered is not None
        return self.repaired.lowered

    @property
    def code(self) -> int:
        """0 where nodes were lowered, or none had to be; 1 where none could be."""
        return 0 if self.lowered.nodes or not self.lowered.left else 1


def portable_plan_text(name: str, lowered: Lowered) -> str:
    """What would be lowered, as lines, each beginning with words of the tool."""
    return "\n".join([f"model {plain(name)}", *portable_lines(lowered, "would lower")]) + "\n"


def portable_plan_json(name: str, lowered: Lowered) -> str:
    """What would be lowered, as a JSON document."""
    return document({"model": name, "portable": portable_json(lowered)})


def lowering_text(outcome: LoweringOutcome, diff: bool) -> str:
    """What was lowered, as lines, each beginning with words of the tool."""
    lowered = outcome.lowered
    lines = [f"model {plain(outcome.name)}", *portable_lines(lowered)]
    if diff:
        lines += [f"  {change_line(change)}" for change in lowered.changes]
    lines.append("")
    if not lowered.nodes:
        lines.append(f"nothing was written: {'no node could be lowered' if lowered.left else 'it is portable already'}")
    elif outcome.dry:
        lines.append("nothing was written: this was a dry run")
    lines += written_lines(outcome.repaired)
    if lowered.nodes:
        lines.append(f"note: {NOTICE}")
    return "\n".join(lines) + "\n"


def lowering_json(outcome: LoweringOutcome) -> str:
    """What was lowered, with every change, as a JSON document."""
    repaired = outcome.repaired
    return document(
        {
            "model": outcome.name,
            "portable": portable_json(outcome.lowered),
            "written": posix(repaired.path),
            "backup": posix(repaired.backup),
            "notice": NOTICE,
        }
    )


def portable_lines(lowered: Lowered, verb: str = "lowered") -> Iterator[str]:
    """The nodes that got a portable form, and those that were left."""
    yield f"  portable for {_names(lowered.targets)}"
    if not lowered.nodes and not lowered.left:
        yield "  nothing to lower: no node of it is said to be different there"
    for node in lowered.nodes:
        yield f"  {verb} {_place(node.node)}: {node.words} ({_names(node.targets)})"
        yield f"    as {node.how}, x{node.ratio:.2g} of its time (predicted)"
    for left in lowered.left:
        yield f"  left {_place(left.node)}: {left.words} ({_names(left.targets)})"
        yield f"    {left.reason}. By hand: {left.portable[:1].lower()}{left.portable[1:].rstrip('.')}"


def portable_remarks(lowered: Lowered | None) -> Iterator[str]:
    """What was lowered, in our own words, for the report of a comparison of the two models."""
    if lowered is None:
        return
    left = f", {len(lowered.left)} left as before" if lowered.left else ""
    yield f"{count_text(len(lowered.nodes), 'node')} lowered for {_names(lowered.targets)}{left}; {NOTICE}"


def portable_json(lowered: Lowered) -> dict[str, Any]:
    """What was lowered, as JSON values."""
    return {
        "targets": list(lowered.targets),
        "nodes": [_lowered_json(node) for node in lowered.nodes],
        "left": [_left_json(node) for node in lowered.left],
        "changes": [change_json(change) for change in lowered.changes],
    }


def _lowered_json(node: LoweredNode) -> dict[str, Any]:
    return {
        **_node_json(node.node),
        "form": node.words,
        "targets": list(node.targets),
        "lowered_to": node.how,
        "time_ratio": json_number(node.ratio),
    }


def _left_json(node: LeftNode) -> dict[str, Any]:
    return {
        **_node_json(node.node),
        "form": node.words,
        "targets": list(node.targets),
        "reason": node.reason,
        "portable": node.portable,
    }


def _node_json(node: NodeRef) -> dict[str, Any]:
    return {"node": exact(node.name), "op": exact(node.op)}


def _place(node: NodeRef) -> str:
    return f"{plain(node.name)} ({plain(node.op)})"


def _names(targets: tuple[str, ...]) -> str:
    """The targets, or the first few of many and their number."""
    if len(targets) <= _FEW + 1:
        return ", ".join(targets)
    return f"{', '.join(targets[:_FEW])} and {len(targets) - _FEW} more"
