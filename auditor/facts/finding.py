"""What a rule says about a place in a model."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct

from auditor.codec import Scalar
from auditor.onnxfile.noderef import NodeRef


class Severity(Enum):
    """How much a finding matters; the three levels of SARIF 2.1.0. ``rank`` grows with weight."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class Finding(Struct, frozen=True):
    """A rule's statement about one node, path or graph.

    ``message`` and ``advice`` are our own words and numbers and hold no text of the model; the node, and any
    ``related`` nodes, are shown beside them by the renderers. ``numbers`` are the values behind the severity.
    ``fingerprint`` identifies the finding over time; rules leave it empty and it is filled in once for all of them.
    """

    rule: str
    name: str
    severity: Severity
    message: str
    advice: str = ""
    node: NodeRef | None = None
    related: tuple[NodeRef, ...] = ()
    numbers: Mapping[str, Scalar] = {}
    fingerprint: str = ""
