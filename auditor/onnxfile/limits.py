"""What a model file may cost to read. Every bound is checked before the memory it guards is allocated."""

from __future__ import annotations

from dataclasses import dataclass

_MIB = 1 << 20
_GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one model file; the defaults are several times what the largest known vision models need.

    ``max_file_bytes`` bounds the file, whose weights are never read; ``max_skeleton_bytes`` what is kept of it: names,
    attributes and small tensors. ``max_nodes`` counts nodes in all sub-graphs and functions, and separately those that
    calls of functions expand to. ``max_values`` counts attributes, tensors, typed values and metadata entries, and
    ``max_fields`` all encoded fields that are looked at: they bound memory and time. ``max_depth`` is the nesting of
    sub-graphs and calls.
    """

    max_file_bytes: int = 64 * _GIB
    max_skeleton_bytes: int = 128 * _MIB
    max_nodes: int = 200_000
    max_values: int = 1_000_000
    max_fields: int = 3_000_000
    max_depth: int = 64


DEFAULT_LIMITS = Limits()
