"""What every node reads of its operands, collected while the sampling analysis walks over a model.

The lattices that the analysis has computed say where a node reads; only operators that make a grid finer are looked at
again, since what they read differs from one output to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from auditor.onnxfile.noderef import NodeRef
from auditor.onnxfile.scopes import bodies, callee, qualified
from auditor.sampling.lattice.geometry import SAME as SAME_PADDING
from auditor.sampling.lattice.interpolation import coordinates
from auditor.sampling.lattice.state import ANONYMOUS, State
from auditor.sampling.ops.resize import resizing_of
from auditor.sampling.ops.sliding import attributes
from auditor.sampling.traits import Family, traits_of
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.scope import Scope
from auditor.tiling.maps import SAME, Banded, Blocked, Moved, ReadMap, Snapped, Stretched, Transposed, Unfolded

Key: TypeAlias = "tuple[str, str]"
"""A tensor: the path of its scope, and its name there."""
LinkMap: TypeAlias = "ReadMap | Blocked | None"
"""None: all of the operand, which has no grid on that axis any more."""

_BY_INDEX = frozenset({Family.PASSING, Family.ACTIVATION, Family.PAIR})
_PRODUCTS = frozenset({"Einsum", "Attention", "QAttention", "MultiHeadAttention", "GroupQueryAttention"})
_LAST_AXES = frozenset({Family.LAYER_NORMALISATION})
_STATISTICS = frozenset(
    {"InstanceNormalization", "GroupNorm", "GroupNormalization", "SkipGroupNorm", "DynamicQuantizeLinear"}
)
_MOVING_PARTS = frozenset({"Slice", "Split", "Gather"})
_SIDE_BY_SIDE = frozenset({"Concat", "QLinearConcat", "Where", "QLinearWhere", "PRelu"})
_SAME_BYTES = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"})
_DYNAMIC = frozenset({"DynamicQuantizeMatMul", "DynamicQuantizeLSTM"})


@dataclass(frozen=True, slots=True)
class Read:
    """One operand of a node, and per source axis of the picture the part of it that is read."""

    tensor: Key
    maps: Mapping[int, LinkMap]


@dataclass(frozen=True, slots=True)
class Link:
    """One output of one node. ``elements`` is its size; ``alias``: it is an operand under another name or shape.

    ``by_size``: it is strided, and its padding follows the size (auto_pad).
    """

    node: NodeRef
    output: Key
    reads: tuple[Read, ...]
    elements: int = 0
    alias: bool = False
    by_size: bool = False


class Links:
    """Collects the links of a model while it is traced; give it to :func:`auditor.sampling.analysis.followed`."""

    def __init__(self) -> None:
        self.links: list[Link] = []

    def __call__(self, call: Call, outputs: Sequence[State]) -> None:
        """Take in a node behind which the trace knows these states."""
        node = call.node
        if all(state.constant for state in outputs):
            return
        ref = call.record.ref(call.scope.path, node, call.order)
        inner = _inner_outputs(call)
        operands = [(name, call.scope.state(name)) for name in dict.fromkeys(node.inputs) if name]
        moving = [(name, state) for name, state in operands if not state.constant and state.windows]
        alias = inner is not None or node.op in _SAME_BYTES
        strides = node.attributes.get("strides")
        strided = isinstance(strides, tuple) and any(step != 1 for step in strides)
        by_size = strided and node.attributes.get("auto_pad") in SAME_PADDING
        for index, name in enumerate(node.outputs):
            if not name or index >= len(outputs):
                continue
            after = outputs[index]
            if inner is None:
                reads = tuple(
                    Read(place(call.scope, operand), dict(_maps(call, state, after, len(moving))))
                    for operand, state in _operands(call, name, moving)
                )
            else:
                reads = tuple(
                    Read((path, names[index]), dict.fromkeys(after.windows, SAME))
                    for path, names in inner
                    if index < len(names)
                )
            size = 1
            for extent in after.shape or (0,):
                size *= extent
            self.links.append(Link(ref, (call.scope.path, name), reads, size, alias, by_size))


def _operands(call: Call, output: str, moving: list[tuple[str, State]]) -> list[tuple[str, State]]:
    """The operands that an output is computed from; those of a pattern that it ends are those of the whole pattern."""
    pattern = call.record.resampled.get((call.scope.path, output))
    if pattern is None or pattern.last in call.node.inputs:
        return moving
    return [(pattern.last, call.scope.state(pattern.last))]


def place(scope: Scope, name: str) -> Key:
    """The scope that a name belongs to, and its name there."""
    here: Scope | None = scope
    while here is not None:
        if name in here.formal:
            caller, actual = here.formal[name]
            return place(caller, actual)
        if name in here.producers or here.parent is None:
            return here.path, name
        here = here.parent
    return scope.path, name


def _inner_outputs(call: Call) -> list[tuple[str, Sequence[str]]] | None:
    """The tensors inside of a function or of the branches of an If that the outputs are; None for other nodes."""
    node, scope = call.node, call.scope
    if node.op == "If" and not node.domain:
        live = call.record.live.get((scope.path, node.index))
        branches = [(path, graph) for path, graph in bodies(scope.path, node)]
        return [
            (path, [value.name for value in graph.outputs])
            for path, graph in branches
            if live is None or path.rsplit("/", 1)[-1] == live
        ]
    function = callee(scope.model, node)
    return None if function is None else [(qualified(scope.path, node), list(function.outputs))]


def _maps(call: Call, before: State, after: State, operands: int) -> Iterator[tuple[int, LinkMap]]:
    for source in before.windows:
        if source < 0:
            continue
        has, keeps = source in before.sources(), source in after.sources()
        if before.axes is None:
            yield source, None
        elif after.axes is None:
            yield source, Blocked(_lost(call, after)) if has else None
        elif not has:
            yield source, None
        elif not keeps:
            yield source, _beside(call, source, before, after)
        else:
            yield source, _grid_map(call, source, before, after, operands)


def _lost(call: Call, after: State) -> str:
    regions = call.record.untracked
    if after.lost is not None and after.lost < len(regions):
        return f"not analysed: {regions[after.lost].reason}"
    return "positions are chosen by the data"


def _beside(call: Call, source: int, before: State, after: State) -> ReadMap | Blocked:
    """The map of an operand whose axis goes on under the name of another picture's, where two inputs meet."""
    family = traits_of(call.node.domain, call.node.op).family
    index = _index(before, source)
    if index is not None and after.axes is not None and (family in _BY_INDEX or call.node.op in _SIDE_BY_SIDE):
        back = len(after.axes) - _rank(before) + index
        met = after.axes[back].single if back >= 0 else None
        if met is not None and met.source != source:
            return Moved(ratio=_stride(before, source) / abs(met.stride))
    return Blocked(_ended(call))


def _ended(call: Call) -> str:
    family = traits_of(call.node.domain, call.node.op).family
    if family in (Family.GLOBAL_POOL, Family.REDUCTION):
        return "reduces the whole picture to one number per channel"
    if family is Family.PRODUCT:
        return "has a weight for each position of the whole picture"
    if call.node.op in _PRODUCTS:
        return "attention over the whole picture"
    if family in (Family.CONVOLUTION, Family.POOL):
        return "one window covers the whole picture"
    return "the grid of the picture ends here"


def _grid_map(call: Call, source: int, before: State, after: State, operands: int) -> ReadMap | Blocked:
    """The map of an operand and a result that both have samples of a source axis."""
    node = call.node
    family = traits_of(node.domain, node.op).family
    blocked = _mixes(call, source, before, after, operands)
    if blocked:
        return Blocked(blocked)
    if node.op in ("Resize", "Upsample"):
        return _resized(call, source, before, after)
    by_matrix = call.record.resampled.get((call.scope.path, node.outputs[0]))
    if by_matrix is not None:
        own, matrix = by_matrix.axes[-1]
        if own != source:
            return SAME
        if not matrix.repeats:
            return Blocked("a matrix of weights that depend on the size of the picture")
        return Banded(_stride(before, source), _stride(after, source), matrix)
    if family is Family.TRANSPOSED:
        return _transposed(call, source, before, after)
    if node.op == "DepthToSpace":
        return _unfolded(call, source, before, after)
    if node.op in ("Concat", "QLinearConcat"):
        return _joined(call, source, before, after, operands)
    if family in _BY_INDEX or node.op in ("Where", "QLinearWhere", "PRelu"):
        inside, outside = _stride(before, source), _stride(after, source)
        return SAME if inside == outside else Moved(ratio=inside / outside)
    old, new = before.windows[source], after.windows[source]
    if old is new:
        return SAME
    if node.op == "Reshape" and _stride(after, source) < _stride(before, source):
        inside, outside = _stride(before, source), _stride(after, source)
        return Unfolded(inside, outside, int(inside / outside))  # DepthToSpace, written as a Reshape
    if node.op in _MOVING_PARTS and _samples(before, source) == _samples(after, source):
        return SAME  # pictures of the batch, each with a centre of its own
    centre, width = new.offset - old.offset, new.field - old.field
    return Moved(centre - width / 2, centre + width / 2)


def _mixes(call: Call, source: int, before: State, after: State, operands: int) -> str:
    """Why a result sees more than a window of its operand; empty where it does not."""
    node = call.node
    family = traits_of(node.domain, node.op).family
    along = frozenset(index for index, axis in enumerate(before.axes or ()) if _holds(axis.atoms, source))
    if node.op in ("Loop", "Scan"):
        return "runs a Loop or Scan over the picture, which is not followed"
    if node.op in _STATISTICS or node.op in _DYNAMIC:
        return "uses statistics of the whole picture"
    if node.op == "MeanVarianceNormalization":
        axes = call.integers("axes") or (0, 2, 3)
        return "uses statistics of the whole picture" if along & {axis % _rank(before) for axis in axes} else ""
    if family in _LAST_AXES or node.op in ("LayerNormalization", "RMSNormalization"):
        first = call.integer("axis", -1) % max(_rank(before), 1)
        return "normalises over the whole picture" if any(index >= first for index in along) else ""
    if node.op in ("LpNormalization", "Softmax", "LogSoftmax", "Hardmax", "BiasSoftmax", "QLinearSoftmax"):
        axis = call.integer("axis", -1 if call.scope.opset >= 13 else 1) % max(_rank(before), 1)
        several = node.op not in ("LpNormalization",) and call.scope.opset < 13
        hit = any(index >= axis for index in along) if several else axis in along
        return f"{node.op} over the whole picture" if hit else ""
    if operands > 1 and (family is Family.PRODUCT or node.op in _PRODUCTS):
        return "attention over the whole picture"
    if after.mixing and not before.mixing and family not in _BY_INDEX and node.op not in ("Concat", "Where"):
        return "every position depends on all others"
    if node.op == "Pad" and call.text("mode", "constant") == "wrap":
        return "Pad mode=wrap reads the other end of the picture"
    if node.op == "DeformConv":
        return "offsets of a deformable convolution are data"
    if node.op in ("Col2Im", "ReverseSequence", "RotaryEmbedding"):
        return f"{node.op} is not followed"
    if any(atom.stride < 0 for axis in after.axes or () for atom in axis.atoms if atom.source == source):
        return "turns the picture round"
    return ""


def _resized(call: Call, source: int, before: State, after: State) -> ReadMap | Blocked:
    index = _index(before, source)
    how = resizing_of(call, [axis.size for axis in before.axes or ()])
    if index is None or how is None:
        return Blocked("the size that it makes is computed from data")
    size = before.axis(index).size
    if how.sizes[index] == size and how.scales[index] == 1:
        return SAME
    if how.coordinate in ("align_corners", "tf_crop_and_resize"):
        return Blocked(f"Resize with {how.coordinate} depends on the size of the picture")
    sampled = coordinates(how.coordinate, size, how.sizes[index], how.scales[index], how.rois[index])
    if sampled is None:
        return Blocked("Resize has an unknown coordinate_transformation_mode")
    inside, outside = _stride(before, source), _stride(after, source)
    return Stretched(inside, outside, sampled, how.mode, how.nearest, how.antialias)


def _transposed(call: Call, source: int, before: State, after: State) -> ReadMap | Blocked:
    index = _index(before, source)
    shape = call.integers("kernel_shape") or (call.shape(1) or ())[2:]
    if index is None or not shape:
        return Blocked("a transposed convolution whose kernel is not known")
    window = attributes(call, shape)
    first = min(i for i in range(_rank(before)) if i not in (0,) and i >= _rank(before) - len(shape) - 1)
    channels_last = call.integer("channels_last", 0) == 1 or call.node.op.startswith("Nhwc")
    position = index - (first if channels_last else _rank(before) - len(shape))
    reach = window.dilation[position] * (window.kernel[position] - 1)
    steps = window.stride[position]
    inside, outside = _stride(before, source), _stride(after, source)
    moved = after.windows[source].offset - before.windows[source].offset
    begin = moved * steps / inside + Fraction(reach, 2)
    return Transposed(inside, outside, steps, begin, reach)


def _unfolded(call: Call, source: int, before: State, after: State) -> ReadMap | Blocked:
    index, block = _index(before, source), call.integer("blocksize", 1)
    if index is None:
        return Blocked("DepthToSpace of an axis that holds several grid axes")
    inner = [atom for axis in (before.axis(1),) for atom in axis.atoms if atom.source == source]
    behind = sum((abs(atom.stride) * (atom.extent - 1) for atom in inner), Fraction(0))
    return Unfolded(_stride(before, source), _stride(after, source), block, behind)


def _joined(call: Call, source: int, before: State, after: State, operands: int) -> ReadMap | Blocked:
    where = call.integer("axis", 1) % max(_rank(before), 1)
    on_channels = not _holds(before.axis(where).atoms, source)
    if not on_channels:
        if operands > 1:
            return Blocked("parts of the picture are put side by side")
        centre = after.windows[source].offset - before.windows[source].offset
        return Moved(centre, centre)
    if after.axes is not None and _holds(after.axis(where).atoms, source):
        return Snapped(_stride(before, source))  # all phases of a grid: Focus
    inside, outside = _stride(before, source), _stride(after, source)
    return SAME if inside == outside else Moved(ratio=inside / outside)


def _rank(state: State) -> int:
    return len(state.axes or ())


def _holds(atoms: Sequence[object], source: int) -> bool:
    return any(getattr(atom, "source", ANONYMOUS) == source for atom in atoms)


def _index(state: State, source: int) -> int | None:
    """The tensor axis that is a plain run of a source axis."""
    for index, axis in enumerate(state.axes or ()):
        atom = axis.single
        if atom is not None and atom.source == source:
            return index
    return None


def _samples(state: State, source: int) -> list[object]:
    return [atom for axis in state.axes or () for atom in axis.atoms if atom.source == source]


def _stride(state: State, source: int) -> Fraction:
    """The stride of the coarsest run of a source axis: phases that channels hold are finer."""
    index = _index(state, source)
    if index is not None:
        atom = state.axis(index).single
        assert atom is not None
        return abs(atom.stride)
    return max(abs(atom.stride) for axis in state.axes or () for atom in axis.atoms if atom.source == source)
