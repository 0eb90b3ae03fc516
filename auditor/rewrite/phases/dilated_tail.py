"""What stands behind a site, and whether it works on every phase alone when the phases stand between each other.

Behind an operator whose stride s was taken away, sample ``s o + a`` of a map is sample o of phase a. A window with its
dilation and its padding times s reads samples of one phase only, and its zeros where that phase ends (filter
rarefaction: Long, Shelhamer and Darrell, CVPR 2015, section 3.2). A mean over the whole map is the mean over the
phases, which have equally many samples, and ends the grid. Whatever works on every position alone needs no change.
Everything else ends in a refusal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.onnxfile.values import inline_values
from auditor.rewrite.graph.parts import EditNode, called
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.graph.types import element_type, numpy_type
from auditor.rewrite.graph.windows import SlidingWindow, window_of
from auditor.rewrite.phases.operands import AtNodeError
from auditor.rewrite.phases.tail_operators import TailError
from auditor.sampling.traits import DOMAINS, Family, traits_of

Grid = Mapping[int, int]
"""How many phases stand between each other, by tensor axis; axes with one are left out."""

UNKNOWN = "is not known to work on each phase alone where they stand between each other"
STRIDED = "another strided operator stands behind it, which would skip phases: name it with --site as well"
POOLED = "a pooled branch behind it meets the map again (squeeze-and-excitation), and would see all phases at once"
POSITIONS = "a constant behind it differs from place to place, and the map would no longer fit it"
SIZES = "depends on the size of the map, which would be another"
_SHAPES = "has a tensor whose size is not known"
POOLS = "AveragePool has dilations from opset 19 on, LpPool from 18, MaxPool from 10: export with a newer opset"
BORDER = "a pool behind it would be padded by its whole window, which onnxruntime refuses"

_POOLS_SINCE = {"MaxPool": 10, "LpPool": 18, "AveragePool": 19}
_ACROSS_CHANNELS = frozenset({"LRN"})
_NORMS = frozenset({"Softmax", "LogSoftmax", "Hardmax"})
_SPATIAL = 2  # the first grid axis of a convolution or a pool


@dataclass(frozen=True, slots=True)
class DilatedTail:
    """``grids`` are the tensors on which phases stand between each other, and ``parts`` the nodes that read them.

    ``edits`` are the attributes to set (None: to remove), ``pads`` the Pad nodes with their new padding. ``entering``
    are tensors from elsewhere that have a grid and meet the phases. ``borders`` are the pools whose padding has to
    stand in front of them, with that padding per tensor axis. ``pools``: there is a dilated pool.
    """

    parts: tuple[EditNode, ...]
    grids: Mapping[str, Grid]
    edits: tuple[tuple[EditNode, Mapping[str, tuple[int, ...] | None]], ...]
    pads: tuple[tuple[EditNode, tuple[int, ...]], ...]
    entering: tuple[str, ...]
    borders: tuple[tuple[EditNode, tuple[tuple[int, ...], tuple[int, ...]]], ...]
    pools: bool


class _Trace:
    """Follows the phases through the nodes in order."""

    def __init__(self, editor: GraphEditor, starts: Mapping[str, Grid]) -> None:
        self.editor = editor
        self.grids = dict(starts)
        self._starts = tuple(starts)
        self._downstream: set[str] | None = None
        self.parts: list[EditNode] = []
        self.edits: list[tuple[EditNode, Mapping[str, tuple[int, ...] | None]]] = []
        self.pads: list[tuple[EditNode, tuple[int, ...]]] = []
        self.entering: list[str] = []
        self.borders: list[tuple[EditNode, tuple[tuple[int, ...], tuple[int, ...]]]] = []
        self.pools = False

    def visit(self, part: EditNode) -> None:
        """Follow the phases through a node. Raises TailError and WindowError."""
        try:
            self._visit(part)
        except AtNodeError as error:
            raise TailError(f"{called(part)} behind it {error}") from error

    def _visit(self, part: EditNode) -> None:
        inside = [name for name in part.inputs if name in self.grids]
        if not inside:
            return
        self.parts.append(part)
        traits = traits_of(part.domain, part.op)
        if part.own or part.domain not in DOMAINS:
            raise AtNodeError(UNKNOWN)
        if part.op in _HANDLERS:
            grid: Grid = _HANDLERS[part.op](self, part)
        elif traits.family is Family.PAIR or part.op == "PRelu":
            grid = self._elementwise(part, inside)
        elif (traits.pointwise and traits.by_picture) or part.op in _ACROSS_CHANNELS:
            grid = self._alone(part)
        elif traits.axis is not None:
            grid = self._apart(part, self._along(part, traits.axis))
        elif part.op.startswith("Reduce"):
            grid = self._reduced(part)
        else:
            raise AtNodeError(UNKNOWN)
        if grid:
            self.grids.update((name, grid) for name in part.outputs if name)

    def _reached(self) -> set[str]:
        """Everything that depends on the phases, on their grid or not."""
        if self._downstream is None:
            self._downstream = self.editor.downstream(self._starts)
        return self._downstream

    def _alone(self, part: EditNode) -> Grid:
        """The phases come in by the first input, and everything else is constant."""
        if part.inputs[0] not in self.grids or any(self.editor.is_dynamic(name) for name in part.inputs[1:] if name):
            raise AtNodeError(UNKNOWN)
        return self.grids[part.inputs[0]]

    def _apart(self, part: EditNode, axes: Iterable[int]) -> Grid:
        """An operator that works along axes on which no phases stand."""
        grid = self._alone(part)
        rank = len(self._shape(part.inputs[0]))
        if not grid.keys().isdisjoint(axis % rank for axis in axes):
            raise AtNodeError(UNKNOWN)
        return grid

    def _elementwise(self, part: EditNode, inside: Sequence[str]) -> Grid:
        rank = len(self._shape(inside[0]))
        grid = self.grids[inside[0]]
        if any(self.grids[name] != grid or len(self._shape(name)) != rank for name in inside):
            raise AtNodeError(UNKNOWN)
        for name in part.inputs:
            if not name or name in self.grids:
                continue
            if name in self._reached():
                raise TailError(POOLED)
            shape = self._shape(name)
            if len(shape) > rank:
                raise AtNodeError(UNKNOWN)
            if any(axis - rank >= -len(shape) and shape[axis - rank] != 1 for axis in grid):
                self._enters(name)
        return grid

    def concat(self, part: EditNode) -> Grid:
        first = next(name for name in part.inputs if name in self.grids)
        grid, rank = self.grids[first], len(self._shape(first))
        axis = part.attributes.get("axis", 1)
        if not isinstance(axis, int) or axis % rank in grid:
            raise AtNodeError(UNKNOWN)
        for name in part.inputs:
            if name in self.grids:
                if self.grids[name] != grid:
                    raise AtNodeError(UNKNOWN)
            elif name in self._reached():
                raise TailError(POOLED)
            else:
                self._enters(name)
        return grid

    def transpose(self, part: EditNode) -> Grid:
        grid = self._alone(part)
        order = part.attributes.get("perm")
        if not isinstance(order, tuple):
            raise AtNodeError(UNKNOWN)
        return {order.index(axis): count for axis, count in grid.items()}

    def matmul(self, part: EditNode) -> Grid:
        if len(self._shape(part.inputs[1])) != 2:
            raise AtNodeError(UNKNOWN)
        return self._apart(part, (-1,))

    def slice(self, part: EditNode) -> Grid:
        starts, axes = part.attributes.get("starts"), part.attributes.get("axes")
        if isinstance(starts, tuple):
            listed = axes if isinstance(axes, tuple) else range(len(starts))
        elif len(part.inputs) > 3 and part.inputs[3]:
            listed = self._values(part.inputs[3])
        else:
            raise AtNodeError(UNKNOWN)
        return self._apart(part, [int(axis) for axis in listed if isinstance(axis, (int, float))])

    def pad(self, part: EditNode) -> Grid:
        grid = self._alone(part)
        listed = part.attributes.get("pads")
        values = listed if isinstance(listed, tuple) else self._values(part.inputs[1])
        pads = [int(value) for value in values if isinstance(value, (int, float))]
        rank = len(self._shape(part.inputs[0]))
        if len(pads) != 2 * rank:
            raise AtNodeError(UNKNOWN)
        wider = tuple(count * grid.get(place % rank, 1) for place, count in enumerate(pads))
        if wider != tuple(pads):
            if part.attributes.get("mode", "constant") != "constant":
                raise TailError("a Pad behind it continues the map by its samples, which are those of other phases")
            self.pads.append((part, wider))
        return grid

    def window(self, part: EditNode) -> Grid:
        grid = self._alone(part)
        if any(part.outputs[1:]) or min(grid) < _SPATIAL:
            raise AtNodeError(UNKNOWN)
        window = window_of(self.editor, part)
        factors = tuple(grid.get(axis, 1) for axis in range(_SPATIAL, _SPATIAL + window.rank))
        if part.op == "AveragePool" and self._covers(part, window, grid):
            wider = tuple(size * count for size, count in zip(window.kernel, factors, strict=True))
            self.edits.append((part, {"kernel_shape": wider}))
            return {}
        if any(step > 1 and count > 1 for step, count in zip(window.stride, factors, strict=True)):
            raise TailError(STRIDED)
        if window.widened and part.op != "MaxPool":
            raise AtNodeError(UNKNOWN)
        self._dilate(part, window, factors)
        return grid

    def _dilate(self, part: EditNode, window: SlidingWindow, factors: tuple[int, ...]) -> None:
        reach = zip(window.kernel, window.dilation, factors, strict=True)
        dilation = tuple(step * count if size > 1 else step for size, step, count in reach)
        begin, end = (
            tuple(pad * count for pad, count in zip(pads, factors, strict=True)) for pads in (window.begin, window.end)
        )
        if part.op in _POOLS_SINCE:
            if any(max(pads) >= size for size, *pads in zip(window.kernel, begin, end, strict=True)):
                counting = part.op == "AveragePool" and not part.attributes.get("count_include_pad")
                if counting or numpy_type(element_type(self.editor, part.inputs[0])) is None:
                    raise TailError(BORDER)
                self.borders.append((part, ((0, 0, *begin), (0, 0, *end))))
                begin = end = (0,) * window.rank
            if dilation != window.dilation:
                if self.editor.opset < _POOLS_SINCE[part.op]:
                    raise TailError(POOLS)
                self.pools = True
        changed: dict[str, tuple[int, ...] | None] = {}
        if dilation != window.dilation:
            changed["dilations"] = dilation
        if any((*begin, *end)) or any((*window.begin, *window.end)):
            changed["pads"] = (*begin, *end)
        if part.attributes.get("auto_pad", "NOTSET") != "NOTSET":
            changed["auto_pad"] = None
        if part.attributes.get("ceil_mode"):
            changed["ceil_mode"] = None
        if changed:
            self.edits.append((part, changed))

    def _covers(self, part: EditNode, window: SlidingWindow, grid: Grid) -> bool:
        """Whether a pool has one window per phase, which is the whole map."""
        if not self.editor.has_fixed_size(part.inputs[0]):
            return False
        for axis in (axis - _SPATIAL for axis in grid):
            whole = window.kernel[axis] == window.sizes[axis] and window.dilation[axis] == 1
            if not whole or window.begin[axis] or window.end[axis]:
                return False
        return True

    def ends(self, part: EditNode) -> Grid:
        if min(self._alone(part)) < _SPATIAL:
            raise AtNodeError(UNKNOWN)
        return {}

    def sized(self, part: EditNode) -> Grid:  # noqa: ARG002 - as all handlers
        raise AtNodeError(SIZES)

    def _reduced(self, part: EditNode) -> Grid:
        grid = self._alone(part)
        rank = len(self._shape(part.inputs[0]))
        axes = part.attributes.get("axes")
        if not isinstance(axes, tuple):
            axes = self._values(part.inputs[1]) if len(part.inputs) > 1 and part.inputs[1] else ()
        gone = {int(axis) % rank for axis in axes if isinstance(axis, (int, float))}
        if gone and part.op == "ReduceMean" and gone.issuperset(grid):
            return {}
        if not gone or not gone.isdisjoint(grid):
            raise AtNodeError(UNKNOWN)
        if part.attributes.get("keepdims", 1):
            return grid
        return {axis - sum(other < axis for other in gone): count for axis, count in grid.items()}

    def _along(self, part: EditNode, default: int) -> Sequence[int]:
        """The axes that an operator with an ``axis`` works along."""
        rank = len(self._shape(part.inputs[0]))
        norm = part.op in _NORMS
        default = -1 if norm and self.editor.opset >= 13 else default
        axis = part.attributes.get("axis", default)
        if not isinstance(axis, int) or (part.op in ("ArgMax", "ArgMin") and not part.attributes.get("keepdims", 1)):
            raise AtNodeError(UNKNOWN)
        axis %= rank
        wide = (
            part.op.endswith("LayerNormalization") or part.op == "RMSNormalization" or (norm and self.editor.opset < 13)
        )
        return range(axis, rank) if wide else (axis,)

    def _enters(self, name: str) -> None:
        if not self.editor.is_dynamic(name):
            raise TailError(POSITIONS)
        self.entering.append(name)

    def _values(self, tensor: str) -> tuple[int | float, ...]:
        constant = self.editor.constant(tensor)
        values = None if constant is None else inline_values(constant)
        if values is None:
            raise AtNodeError(UNKNOWN)
        return tuple(values)

    def _shape(self, tensor: str) -> tuple[int, ...]:
        constant = self.editor.constant(tensor)
        shape = constant.dims if constant is not None else self.editor.shape(tensor)
        if shape is None:
            raise AtNodeError(_SHAPES)
        return shape


_HANDLERS: Mapping[str, Callable[[_Trace, EditNode], Grid]] = {
    "AveragePool": _Trace.window,
    "Concat": _Trace.concat,
    "Conv": _Trace.window,
    "Flatten": _Trace.sized,
    "FusedConv": _Trace.window,
    "GlobalAveragePool": _Trace.ends,
    "LpPool": _Trace.window,
    "MatMul": _Trace.matmul,
    "MaxPool": _Trace.window,
    "Pad": _Trace.pad,
    "Reshape": _Trace.sized,
    "Resize": _Trace.sized,
    "Shape": _Trace.sized,
    "Slice": _Trace.slice,
    "Squeeze": _Trace.sized,
    "Transpose": _Trace.transpose,
    "Upsample": _Trace.sized,
}


def dilated_tail(editor: GraphEditor, starts: Mapping[str, Grid]) -> DilatedTail:
    """Everything behind the tensors ``starts`` up to where the grid ends.

    Raises TailError where the phases cannot stand between each other, WindowError where a window is not known.
    """
    trace = _Trace(editor, starts)
    for part in editor.parts():
        trace.visit(part)
    if any(editor.is_captured(name) for name in trace.grids):
        raise TailError(f"a sub-graph that stands behind it {UNKNOWN}")
    if any(editor.is_output(name) for name in trace.grids):
        raise TailError("an output is still a grid, which would be another: use phases on the batch axis")
    return DilatedTail(
        tuple(trace.parts),
        trace.grids,
        tuple(trace.edits),
        tuple(trace.pads),
        tuple(trace.entering),
        tuple(trace.borders),
        trace.pools,
    )
