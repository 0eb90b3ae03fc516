"""The node-level difference that an edited graph makes."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.result import Change, ChangeKind
from auditor.text import ModelText


def node_changes(parts: Iterable[EditNode], removed: Iterable[EditNode], note: str) -> tuple[Change, ...]:
    """What was done, node by node in graph order; nodes that were removed come last."""
    kept = [(ChangeKind.ADDED if part.index is None else ChangeKind.EDITED, part) for part in parts if part.details]
    return tuple(
        Change(kind, ModelText(part.name or f"{part.op}_{part.index}"), ModelText(part.op), "; ".join(details))
        for kind, part in (*kept, *((ChangeKind.REMOVED, part) for part in removed))
        for details in [part.details or [note]]
    )
