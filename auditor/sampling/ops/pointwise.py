"""Operators that leave the grid where it is: element-wise ones, normalisations, quantisation, activations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.sampling.lattice.contract import contract
from auditor.sampling.lattice.state import UNKNOWN, AxisTrack, OpaqueError, State, constant, lcm
from auditor.sampling.result import PositionEncoding
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.join import join, lost_together
from auditor.sampling.walk.relative import is_relative
from auditor.sampling.walk.rotary import withdraw_rotation

SOFTMAX = frozenset({"Softmax", "LogSoftmax"})
SOFTMAX_LAST = 13  # since when the axis is the last one unless it is said
LARGEST_ENCODING = 1 << 20  # bytes of a constant that are looked at to see whether it varies along a grid


def passing(call: Call) -> State:
    """Identity, Cast, (De)QuantizeLinear, BatchNormalization: a scaling and an offset per channel at most."""
    given = call.state(0)
    return replace(given, decimations=()) if given.decimations and call.node.op != "Identity" else given


def activation(call: Call) -> State:
    """A function of each sample alone: what was band-limited before need not be afterwards.

    What is left of a low-pass is known of functions that bend like a ReLU, at most; one that saturates acts as a hard
    limiter on a strong signal, and leaves less.
    """
    given = call.state(0)
    if given.response is None:
        return given
    if call.node.op not in BENDING or not given.response.linear:
        return replace(given, response=None)
    return replace(given, response=spectra.rectified(given.response))


def normalised(call: Call) -> State:
    """Instance, group and layer normalisation, softmax: each sample sees statistics of others, the grid stays."""
    given = call.state(0)
    if call.node.op in SOFTMAX and not given.mixing and given.axes:
        axis = call.integer("axis", -1 if call.scope.opset >= SOFTMAX_LAST else 1)
        if -len(given.axes) <= axis < len(given.axes) and given.axes[axis].has_source:
            return replace(given, response=None, mixing=True)
    return given if given.response is None else replace(given, response=None)


def arithmetic(call: Call) -> State:
    """Add, Sub, Mul, Div and every other element-wise operator of several tensors, with broadcasting."""
    states, names = _operands(call)
    moving = [state for state in states if not state.constant]
    varies = False
    if len(states) == 2 and len(moving) == 1 and moving[0].axes is not None:
        varies = _note_encoding(call, states, names)
    elif len(moving) == 2 and call.node.op in ("Add", "Sub"):
        withdraw_rotation(call, names)
    return join(call, states, names, linear=_keeps_spectrum(call, states, varies=varies))


def _keeps_spectrum(call: Call, states: Sequence[State], *, varies: bool) -> bool:
    """Whether one operand that moves is only offset, or scaled by the same factor all over its grid.

    A product with a constant that ``varies`` along the grid convolves the spectrum with the constant's own, and what
    was band-limited is no longer.
    """
    if call.node.op in SUMS:
        return True
    return call.node.op in PRODUCTS and not varies and not (call.node.op == "Div" and states[0].constant)


# However strong the signal, these bend no harder than a ReLU does.
BENDING = frozenset(
    ("Celu", "Elu", "FastGelu", "Gelu", "HardSwish", "LeakyRelu", "Mish", "QuickGelu", "Relu", "Softplus")
)
SUMS = frozenset({"Add", "Sub", "Sum", "BiasAdd", "QLinearAdd"})
PRODUCTS = frozenset({"Mul", "Div", "QLinearMul"})
QUANTISED_PAIRS = frozenset({"QLinearAdd", "QLinearMul"})


def _operands(call: Call) -> tuple[list[State], list[str]]:
    inputs = call.node.inputs
    if call.node.op in QUANTISED_PAIRS:
        inputs = (inputs[0], inputs[3]) if len(inputs) > 3 else inputs[:1]
    if call.scope.opset < 7 and len(inputs) == 2 and call.node.attributes.get("broadcast"):
        return _legacy_broadcast(call), list(inputs)
    names = [name for name in inputs if name]
    return [call.scope.state(name) for name in names], names


def _legacy_broadcast(call: Call) -> list[State]:
    """Broadcasting before opset 7: the second operand's axes start at ``axis`` of the first."""
    left, right = call.state(0), call.state(1)
    axis = call.node.attributes.get("axis")
    if left.axes is None or right.axes is None or not isinstance(axis, int):
        return [left, right]
    behind = len(left.axes) - len(right.axes) - (axis % max(len(left.axes), 1))
    unit = constant([1]).axes or ()
    return [left, replace(right, axes=(*right.axes, *unit * max(behind, 0)))]


def _note_encoding(call: Call, states: Sequence[State], names: Sequence[str]) -> bool:
    """Records a constant that varies along a grid axis and is added or multiplied in: a position encoding.

    Whether one varies. A bias of attention that depends on distances alone says nothing of positions.
    """
    which = 0 if states[0].constant else 1
    fixed, moving = states[which], states[1 - which]
    if fixed.axes is None or moving.axes is None:
        return False
    touched: list[tuple[int, int]] = []
    for back in range(1, min(len(fixed.axes), len(moving.axes)) + 1):
        axis = moving.axes[-back]
        if axis.has_source and fixed.axes[-back].size > 1:
            own = [atom.source for atom in axis.atoms if atom.source >= 0]
            touched += [(back, source) for source in own if source in moving.windows]
    if not touched or not _varies(call, names[which], {back for back, _ in touched}):
        return False
    if call.node.op in SUMS and is_relative(call, names[which], fixed, moving, {back for back, _ in touched}):
        return True
    sources = tuple(sorted({source for _, source in touched}))
    call.record.encodings.append(PositionEncoding(call.record.ref(call.scope.path, call.node, call.order), sources))
    return True


def _varies(call: Call, name: str, backs: set[int]) -> bool:
    """Whether the stored constant has different values along any of the axes (counted from the last); True if
    unreadable.
    """
    from auditor.onnxfile import read_tensor

    value = call.scope.value(name)
    if value is None:
        tensor = call.scope.initializer(name)
        value = None if tensor is None else read_tensor(call.scope.model, tensor, LARGEST_ENCODING)
    if value is None or value.dtype.kind not in "fiub" or value.size == 0:
        return True
    # Not by a difference: what masks out queries is infinite, and infinity minus infinity is no number.
    return any(bool((value != value.take([0], axis=-back)).any()) for back in backs if back <= value.ndim)


def prelu(call: Call) -> State:
    """PRelu-16: the slope is broadcast to the data, before opset 7 along the channels."""
    given = call.state(0)
    return given if given.response is None else replace(given, response=None)


def where(call: Call) -> State:
    """Where-16 and QLinearWhere: a choice between two tensors, element by element."""
    inputs = call.node.inputs
    if call.node.op == "QLinearWhere":
        inputs = (*inputs[:2], *inputs[4:5])  # scales and zero points stand between
    names = [name for name in inputs if name]
    return join(call, [call.scope.state(name) for name in names], names)


def dropout(call: Call) -> Sequence[State]:
    """Dropout-13: the data and its mask."""
    return [call.state(0)] * max(len(call.node.outputs), 1)


def batch_normalization(call: Call) -> Sequence[State]:
    """BatchNormalization-15: a scaling and an offset per channel; the optional outputs are statistics per channel."""
    given = call.state(0)
    channels = given.axes[1].size if given.axes is not None and len(given.axes) > 1 else 1
    return [given, *[constant([channels])] * (len(call.node.outputs) - 1)]


def dynamic_quantize(call: Call) -> Sequence[State]:
    """DynamicQuantizeLinear-11: quantised data, and scale and zero point of the whole tensor."""
    return [call.state(0), constant([]), constant([])]


def layer_normalization(call: Call) -> Sequence[State]:
    """LayerNormalization-17, SkipLayerNormalization and their kin: normalised data, then statistics nobody samples."""
    given = normalised(call)
    if call.node.op.startswith("Skip") and call.has(1):
        given = join(call, [given, call.state(1)], list(call.node.inputs[:2]))
    statistics = UNKNOWN
    if given.axes is not None:
        rank = len(given.axes)
        first = call.integer("axis", -1) % max(rank, 1)
        statistics = constant([axis.size if index < first else 1 for index, axis in enumerate(given.axes)])
    return [given, *[statistics] * (len(call.node.outputs) - 1)]


def skip_group_norm(call: Call) -> Sequence[State]:
    """SkipGroupNorm of com.microsoft: the input, a skip connection and a bias are added, then normalised by groups."""
    total = call.state(0)
    if call.has(3):
        total = join(call, [total, _beside_channels(call.state(3), total)], [call.node.inputs[0], call.node.inputs[3]])
    if total.response is not None:
        total = replace(total, response=None)
    return [total] * max(len(call.node.outputs), 1)


def _beside_channels(skip: State, given: State) -> State:
    """A skip of ``(N, C)`` as it is broadcast to a tensor with its channels last."""
    if skip.axes is None or given.axes is None or len(skip.axes) != 2:
        return skip
    unit = constant([1]).axes or ()
    return replace(skip, axes=(skip.axes[0], *unit * (len(given.axes) - 2), skip.axes[1]))


def bias_split_gelu(call: Call) -> State:
    """BiasSplitGelu of com.microsoft: one half of the features times the GELU of the other."""
    given = call.state(0)
    if given.axes is None:
        return lost_together([given])
    features = given.axes[-1] if given.axes else None
    if features is None or features.has_source or features.size % 2:
        raise OpaqueError("BiasSplitGelu needs an even number of features on its last axis")
    half = constant([features.size // 2]).axes or ()
    return replace(given, axes=(*given.axes[:-1], *half), response=None, decimations=())


def attention(call: Call) -> Sequence[State]:
    """Attention-23, MultiHeadAttention and Attention of com.microsoft: tokens keep their places and see all others."""
    states = [state for state in (call.state(0), call.state(1), call.state(2)) if state.axes is not None]
    if not states:
        return [lost_together(call.states())] * max(len(call.node.outputs), 1)
    query = states[0]
    windows = _within_windows(query, states[1] if len(states) > 1 else query)
    result = replace(query, windows=windows, mixing=True, raw=False, response=None)
    width = _value_width(call, query)
    if width is not None and query.axes is not None:
        result = replace(result, axes=(*query.axes[:-1], *(constant([width]).axes or ())))
    return [result, *[replace(lost_together(states), mixing=True)] * (len(call.node.outputs) - 1)]


def _within_windows(query: State, keys: State) -> Mapping[int, AxisTrack]:
    """The windows of the queries, whose period is that of the windows on the batch axis within which keys are read."""
    if keys.axes is None or query.axes is None or len(keys.axes) not in (3, 4):
        return query.windows
    read = contract(keys, {len(keys.axes) - 2}, query.axes).windows
    return {
        source: window._replace(period=lcm(window.period, read[source].period)) if source in read else window
        for source, window in query.windows.items()
    }


def _value_width(call: Call, query: State) -> int | None:
    """The size of the last axis of an attention's result: that of the values, per head and head by head."""
    third = call.shape(2)
    if call.node.op not in {"Attention", "QAttention"}:
        return None
    if call.node.domain:
        weight = call.shape(1) or ()
        return weight[1] // 3 if len(weight) == 2 else None
    if not third or query.axes is None or len(query.axes) != len(third):
        return None
    if len(third) == 4:
        return third[-1]
    heads = call.integer("kv_num_heads", 1)
    return third[-1] // max(heads, 1) * call.integer("q_num_heads", heads)
