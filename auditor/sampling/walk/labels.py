"""Maps of labels and masks: between two labels lies none, so that nearest neighbours sample them rightly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.onnxfile.dtypes import DataType
from auditor.sampling.result import Site, SourceAxis

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Node
    from auditor.sampling.walk.scope import Scope

REASON = "it samples a mask or labels: what lies between two of them is none, and nearest is right"
MOST_NODES = 64  # looked at between a map and what made its labels

_COLOURS = (3, 4)
_DISCRETE = frozenset({DataType.BOOL, DataType.INT32, DataType.INT64})  # pictures come as bytes and as floats
_MAKERS = frozenset(
    [
        "ArgMax",
        "ArgMin",
        "OneHot",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "Less",
        "LessOrEqual",
        "And",
        "Or",
        "Xor",
        "Not",
        "IsNaN",
        "IsInf",
    ]
)
_MOVERS = frozenset(
    [
        "Identity",
        "Cast",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Slice",
        "Split",
        "Pad",
        "Tile",
        "Expand",
        "Clip",
        "DepthToSpace",
    ]
)
_RENUMBERING = frozenset({"Add", "Sub", "Mul", "Div"})
_RESIZING = frozenset({"Resize", "Upsample"})


def holds_labels(scope: Scope, name: str) -> bool:
    """Whether a tensor holds labels or a mask: made by comparing or choosing, and since then only moved or renumbered.

    An input of the network does where its type is boolean or that of whole numbers, unless it has colours.
    """
    return _Search().labels(scope, name)


def is_mask_input(site: Site, sources: Sequence[SourceAxis], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether a site reads an input of one channel beside another one with the picture."""
    names = {sources[source].input.raw for source in site.sources if source is not None}
    others = {source.input.raw for source in sources} - names
    if len(names) != 1 or _channels(shapes.get(names.pop(), ())) != 1:
        return False
    return any(_channels(shapes.get(name, ())) in _COLOURS for name in others)


def _channels(shape: tuple[int, ...]) -> int:
    """The channels of an input (N, C, H, W), (N, H, W, C) or (N, H, W); 0 for another rank."""
    return min(shape[1], shape[3]) if len(shape) == 4 else 1 if len(shape) == 3 else 0


class _Search:
    """One walk back from a tensor, over a bounded number of nodes."""

    def __init__(self) -> None:
        self._left = MOST_NODES

    def labels(self, scope: Scope, name: str) -> bool:
        made = scope.producer(name)
        if made is None:
            return _is_discrete_input(scope, name)
        self._left -= 1
        return self._left >= 0 and self._made_labels(*made)

    def _made_labels(self, scope: Scope, node: Node) -> bool:
        if node.domain not in ("", "ai.onnx") or not node.inputs:
            return False
        if node.op in _MAKERS or (node.op == "Cast" and node.attributes.get("to") in _DISCRETE):
            return True
        if node.op in _MOVERS or (node.op in _RESIZING and node.attributes.get("mode", "nearest") == "nearest"):
            return self.labels(scope, node.inputs[0])
        if node.op == "Gather" and len(node.inputs) > 1:
            data, indices = node.inputs[:2]
            return self.labels(scope, indices if _is_constant(scope, data) else data)  # a palette, or a part of a map
        if node.op in _RENUMBERING or node.op == "Concat":
            return self._all_labels(scope, node.inputs)
        return node.op == "Where" and self._all_labels(scope, node.inputs[1:])

    def _all_labels(self, scope: Scope, names: Sequence[str]) -> bool:
        """Whether every operand holds labels or is constant, and some are no constants."""
        moving = [name for name in names if not _is_constant(scope, name)]
        return bool(moving) and all(self.labels(scope, name) for name in moving)


def _is_constant(scope: Scope, name: str) -> bool:
    return scope.initializer(name) is not None or scope.state(name).constant


def _is_discrete_input(scope: Scope, name: str) -> bool:
    while name in scope.formal:
        scope, name = scope.formal[name]
    value = next((value for value in scope.model.graph.inputs if value.name == name), None)
    if value is None or value.dtype not in _DISCRETE or scope.initializer(name) is not None:
        return False
    dims = value.dims or ()
    return value.dtype == DataType.BOOL or not (len(dims) == 4 and (dims[1] in _COLOURS or dims[3] in _COLOURS))
