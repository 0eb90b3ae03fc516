"""What lowering a model does: the nodes that got a portable form, and those that were left, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from auditor.onnxfile.noderef import NodeRef
from auditor.rewrite.result import Change


@dataclass(frozen=True, slots=True)
class LoweredNode:
    """A node that has a portable form now. ``words`` say what it did, ``targets`` where that is a problem.

    ``how`` says what took its place, ``ratio`` what that is predicted to cost, as a factor of the node's time.
    """

    node: NodeRef
    words: str
    targets: tuple[str, ...]
    how: str
    ratio: float


@dataclass(frozen=True, slots=True)
class LeftNode:
    """A node that a target computes differently, and that stays; ``portable`` names a form to write by hand."""

    node: NodeRef
    words: str
    targets: tuple[str, ...]
    reason: str
    portable: str


@dataclass(frozen=True, slots=True)
class Lowered:
    """What was done for these ``targets``. ``path`` is None where nothing was written."""

    path: Path | None
    targets: tuple[str, ...]
    nodes: tuple[LoweredNode, ...]
    left: tuple[LeftNode, ...]
    changes: tuple[Change, ...]
    backup: Path | None = None
