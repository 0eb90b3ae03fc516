"""The place of a node in a model, and where its name comes from."""

from __future__ import annotations

from msgspec import Struct

from auditor.text import ModelText


class Origin(Struct, frozen=True):
    """Where the exporter says a node came from: the module path and the source line in the training code."""

    module: ModelText
    source: ModelText


class NodeRef(Struct, frozen=True):
    """A node, named so that a person finds it: ``name`` is qualified by its scopes (``If_3/then/MaxPool_1``).

    ``scope`` is the path of enclosing sub-graphs and function calls, empty in the main graph. ``order`` is the position
    in the walk over all scopes and sorts findings in graph order. ``output`` is the first output tensor's name.
    """

    name: ModelText
    op: ModelText
    scope: ModelText
    output: ModelText
    order: int
    origin: Origin | None = None
