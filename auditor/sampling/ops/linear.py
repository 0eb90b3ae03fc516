"""Matrix products: MatMul, Gemm, Einsum and their quantised and fused variants. They contract axes of their
operands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from auditor.sampling.lattice.contract import contract
from auditor.sampling.lattice.state import (
    ANONYMOUS,
    UNIT,
    Atom,
    Axis,
    AxisTrack,
    OpaqueError,
    State,
    anonymous,
    constant,
    finest,
)
from auditor.sampling.ops.resampling import matrix_of, resampled
from auditor.sampling.ops.window import picked_by_product
from auditor.sampling.result import HeadKind, SiteKind
from auditor.sampling.spectrum.energies import KEPT, Map, decimation
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish, has_grid
from auditor.sampling.walk.join import broadcast, compare, lost_together, merged_windows
from auditor.sampling.walk.sites import Strided, record_site

SECOND = {"QLinearMatMul": 3, "QGemm": 3}


def matmul(call: Call) -> State:
    """MatMul-13: ``(..., m, k) x (..., k, n)``, with NumPy's rules for vectors and batch axes."""
    left, right = call.state(0), call.state(SECOND.get(call.node.op, 1))
    if left.axes is None or right.axes is None:
        return lost_together([left, right])
    a, b = left.axes, right.axes
    if call.node.op in {"FusedMatMul", "TransposeMatMul", "FusedMatMulActivation"}:
        a = (*a[:-2], a[-1], a[-2]) if call.integer("transA", 0) and len(a) > 1 else a
        b = (*b[:-2], b[-1], b[-2]) if call.integer("transB", 0) and len(b) > 1 else b
    along = _resampled(call, left, right, a, b) or _picked(call, left, right)
    if along is not None:
        return along
    if len(a) > 1 and len(b) > 1:
        left, right = _as_taps(left, right, b[:-2] + b[-1:], b[-2]), _as_taps(right, left, a[:-1], a[-1])
    return product(call, left, right, a, b)


def _resampled(call: Call, left: State, right: State, a: tuple[Axis, ...], b: tuple[Axis, ...]) -> State | None:
    """The state behind a product with a constant matrix that resamples a grid axis; None of any other product.

    Operators whose operands are transposed, quantised or fused are none.
    """
    if call.node.op != "MatMul" or len(a) < 2 or len(b) < 2 or left.constant == right.constant:
        return None
    matrix, given, summed = (left, right, -2) if left.constant else (right, left, -1)
    axes, weights = given.axes or (), matrix.axes or ()
    axis = axes[summed].single
    if axis is None or len(weights) > len(axes) or any(extra.size != 1 for extra in weights[:-2]):
        return None
    inputs, outputs = (weights[-1], weights[-2]) if left.constant else (weights[-2], weights[-1])
    if inputs.size != axis.extent:
        return None
    operand = 0 if left.constant else 1
    found = matrix_of(call, operand, len(weights), turned=not left.constant)
    if found is None:
        return None
    return resampled(call, given, call.node.inputs[1 - operand], (len(axes) + summed, outputs.size, found))


def _picked(call: Call, left: State, right: State) -> State | None:
    """The state behind a product with a one-hot matrix of positions that the data choose; None of any other."""
    if call.node.op != "MatMul" or left.constant or right.constant:
        return None
    ranks = len(left.axes or ()), len(right.axes or ())
    if ranks[0] == 2 < ranks[1]:
        return picked_by_product(call, 0, ranks[1] - 2)
    return picked_by_product(call, 1, ranks[0] - 1) if ranks[1] == 2 < ranks[0] else None


def _as_taps(weights: State, given: State, kept: Sequence[Axis], summed: Axis) -> State:
    """Weights of a sum over neighbours on a grid that goes on are those of a convolution, also where they are computed:
    they say nothing of places.
    """
    neighbours = {atom.source for atom in summed.atoms} & {atom.source for axis in kept for atom in axis.atoms}
    if weights.constant or weights.sources() or given.constant or not neighbours - {ANONYMOUS}:
        return weights
    return State(weights.axes, {}, constant=True)


def packed_matmul(call: Call) -> State:
    """MatMulNBits and MatMulBnb4 of com.microsoft: a linear layer whose weights are packed; K and N are attributes."""
    left, inner, outer = call.state(0), call.integer("K", 0), call.integer("N", 0)
    if left.axes is None:
        return lost_together([left])
    if not left.axes or left.axes[-1].size != inner or outer < 1:
        raise OpaqueError("K or N of a packed matrix do not fit its input")
    right = constant([inner, outer])
    return product(call, left, right, left.axes, right.axes or ())


def gemm(call: Call) -> State:
    """Gemm-13: ``A' x B'``, then C is broadcast in (it moves nothing)."""
    left, right = call.state(0), call.state(SECOND.get(call.node.op, 1))
    if left.axes is None or right.axes is None:
        return lost_together([left, right])
    if len(left.axes) != 2 or len(right.axes) != 2:
        raise OpaqueError("Gemm needs two matrices")
    a = left.axes[::-1] if call.integer("transA", 0) else left.axes
    b = right.axes[::-1] if call.integer("transB", 0) else right.axes
    return product(call, left, right, a, b)


def product(call: Call, left: State, right: State, a: tuple[Axis, ...], b: tuple[Axis, ...]) -> State:
    """The matrix product of two tracked tensors, given with their axes already transposed as the operator says."""
    if not a or not b:
        raise OpaqueError("a matrix product of scalars")
    a_matrix = (UNIT, *a) if len(a) == 1 else a
    b_matrix = (*b, UNIT) if len(b) == 1 else b
    if a_matrix[-1].size != b_matrix[-2].size:
        raise OpaqueError("the inner sizes of a matrix product differ")
    batch = broadcast([a_matrix[:-2], b_matrix[:-2]])
    rows = [a_matrix[-2]] if len(a) > 1 else []
    lone = [axis for axis, own in zip(reversed(batch), reversed(b_matrix[:-2]), strict=False) if own.size == 1]
    lone += batch[: len(batch) - len(b_matrix) + 2]
    columns = [paired(b_matrix[-1], [*lone, *rows])] if len(b) > 1 else []
    axes = (*batch, *rows, *columns)
    inner = (_at(left, a, -1), _at(right, b, -2 if len(b) > 1 else -1))
    shared = [set(range(len(a_matrix) - 2)), set(range(len(b_matrix) - 2))]
    own = [set(range(len(a))), set(range(len(b))) if not columns or columns[0] is b_matrix[-1] else shared[1]]
    return contracted(call, [left, right], [{inner[0]}, {inner[1]}], axes, own, shared)


def paired(axis: Axis, others: Sequence[Axis]) -> Axis:
    """A feature axis where its positions would stand beside ``others`` of the same source (keys beside queries)."""
    taken = {atom.source for other in others for atom in other.atoms if atom.source != ANONYMOUS}
    return anonymous(axis.size) if any(atom.source in taken for atom in axis.atoms) else axis


def _at(state: State, axes: tuple[Axis, ...], place: int) -> int:
    """The index in the state's own order of the axis at ``place`` of a permuted view (only the last two can be
    swapped).
    """
    assert state.axes is not None
    own = state.axes
    index = len(own) + place
    swapped = len(own) > 1 and own[-1] is axes[-2] and own[-2] is axes[-1] and own[-1] is not own[-2]
    return (2 * len(own) - 3 - index) if swapped and index >= len(own) - 2 else index


def contracted(
    call: Call,
    operands: Sequence[State],
    removed: Sequence[set[int]],
    axes: tuple[Axis, ...],
    own: Sequence[set[int]],
    shared: Sequence[set[int]],
) -> State:
    """The result of summing products over some axes of each operand, with its site or the end of its grid.

    Of each operand, ``own`` are the axes whose positions the result takes over, ``shared`` those that meet an axis of
    another operand position by position.
    """
    after: list[State] = []
    decimated: dict[int, Fraction] = {}
    ended: set[int] = set()
    for state, gone in zip(operands, removed, strict=True):
        result = contract(state, gone, axes)
        for source, factor in result.decimated.items():
            decimated[source] = max(factor, decimated.get(source, factor))
        ended |= result.ended
        after.append(State(_only(state, own[len(after)] - gone), result.windows))
    _compare(call, operands, shared)
    windows = merged_windows([state for state in after if state.windows])
    moving = [state for state in operands if not state.constant]
    raw = any(state.raw for state in moving)
    _end(call, operands, axes, windows, ended)
    state = State(
        axes,
        windows,
        constant=not moving,
        mixing=len(moving) > 1 or any(state.mixing for state in operands),
        lost=next((state.lost for state in operands if state.lost is not None), None),
    )
    if decimated:
        _record(call, operands[0] if raw else moving[0], windows, axes, decimated, raw)
    return state


def _compare(call: Call, operands: Sequence[State], shared: Sequence[set[int]]) -> None:
    """Compares the operands on the axes where they meet; atoms on other axes of an operand lie around their middle."""
    if sum(bool(state.windows) for state in operands) < 2:
        return
    names = _names(call, len(operands))
    for source in sorted({source for state in operands for source in state.windows}):
        strides, middles, branches = [], [], []
        for state, places, name in zip(operands, shared, names, strict=True):
            stride = finest(_only(state, places), source)
            if stride is None:
                continue
            beside = _only(state, set(range(len(state.axes or ()))) - places)
            spans = [atom.stride * (atom.extent - 1) for axis in beside for atom in axis.atoms if atom.source == source]
            strides.append(stride)
            middles.append(state.windows[source].offset + sum(spans, Fraction(0)) / 2)
            branches.append(name)
        compare(call, source, strides, middles, branches)


def _names(call: Call, count: int) -> Sequence[str]:
    """The names of the tensors that are multiplied (quantised operators have scales and zero points between them)."""
    inputs = call.node.inputs
    second = SECOND.get(call.node.op, 1)
    return inputs if call.node.op == "Einsum" else (inputs[0], inputs[second])[:count]


def _only(state: State, places: set[int]) -> tuple[Axis, ...]:
    return tuple(axis for index, axis in enumerate(state.axes or ()) if index in places)


def _end(
    call: Call, operands: Sequence[State], axes: Sequence[Axis], windows: dict[int, AxisTrack], ended: set[int]
) -> None:
    """Weights per position end a grid for good; the data itself as weights (attention) reads it from everywhere.

    A product of maps that is summed over all positions, such as a Gram matrix, is a pooling. Several results of
    attention are learned queries, which may each say where something is.
    """
    if any(state.constant for state in operands):
        kind = HeadKind.POSITION_DEPENDENT
    elif not any(state.mixing for state in operands):
        kind = HeadKind.POOLED
    else:
        single = max((axis.size for axis in axes[-2:-1]), default=1) == 1
        kind = HeadKind.CLASS_TOKEN if single else HeadKind.ATTENTION
    finish(call, windows, {source for source in ended if not has_grid(axes, source)}, kind)


def _record(
    call: Call,
    given: State,
    windows: dict[int, AxisTrack],
    axes: tuple[Axis, ...],
    decimated: dict[int, Fraction],
    raw: bool,
) -> None:
    atoms: dict[int, Atom] = {}
    for axis in axes:
        for atom in axis.atoms:
            if atom.source in decimated and abs(atom.stride) == finest(axes, atom.source):
                atoms.setdefault(atom.source, atom)
    factor = tuple(decimated[source] for source in atoms)
    call.record.spatial.update(atoms)
    patchy = raw and all(step >= 4 for step in factor)
    strided = Strided(
        kind=SiteKind.PATCH_EMBEDDING if patchy else SiteKind.PHASE_TO_CHANNEL,
        factor=factor,
        atoms=tuple(atoms.values()),
        alias=decimation(factor, Map(None, given.raw, KEPT)),
        filtered="all phases are mixed by a linear layer: a convolution with kernel = stride",
    )
    record_site(call, strided, given, windows)


def _resampled_along(call: Call, operands: Sequence[State], terms: Sequence[str], output: str) -> State | None:
    """The state behind an Einsum that multiplies one axis by a matrix that resamples it; None of any other."""
    if len(operands) != 2 or len(terms) != 2 or operands[0].constant == operands[1].constant:
        return None
    place = 0 if operands[0].constant else 1
    given, term, matrix = operands[1 - place], terms[1 - place], terms[place]
    axes, weights = given.axes or (), operands[place].axes or ()
    if len(matrix) != 2 or len(weights) != 2 or len(term) != len(axes) or len(set(term)) != len(term):
        return None
    for turned in (False, True):
        made, summed = matrix[turned], matrix[not turned]
        if summed not in term or made in term or sorted(output) != sorted(term.replace(summed, made)):
            continue
        index = term.index(summed)
        atom = axes[index].single
        if atom is None or atom.extent != weights[not turned].size:
            return None
        found = matrix_of(call, place, 2, turned=turned)
        if found is None:
            return None
        state = resampled(call, given, call.node.inputs[1 - place], (index, weights[turned].size, found))
        order = [term.replace(summed, made).index(label) for label in output]
        return replace(state, axes=tuple((state.axes or ())[at] for at in order))
    return None


def einsum(call: Call) -> State:
    """Einsum-12: labels that are missing on the right are contracted."""
    equation = call.text("equation", "").replace(" ", "")
    operands = call.states()
    if any(state.axes is None for state in operands) or not operands:
        return lost_together(operands)
    inputs, arrow, output = equation.partition("->")
    terms = inputs.split(",")
    along = _resampled_along(call, operands, terms, output) if arrow else None
    if along is not None:
        return along
    if len(terms) != len(operands) or "." in equation or any(len(set(term)) != len(term) for term in terms):
        raise OpaqueError("an Einsum equation with an ellipsis or repeated labels")
    if any(len(term) != len(state.axes or ()) for term, state in zip(terms, operands, strict=True)):
        raise OpaqueError("an Einsum equation that does not fit its operands")
    if not arrow:
        output = "".join(sorted(label for label in set("".join(terms)) if "".join(terms).count(label) == 1))
    chosen: dict[str, Axis] = {}
    for term, state in zip(terms, operands, strict=True):
        for label, axis in zip(term, state.axes or (), strict=True):
            old = chosen.get(label)
            if old is None or old.size == 1 or (axis.has_source and not old.has_source and axis.size == old.size):
                chosen[label] = axis
    if any(label not in chosen for label in output):
        raise OpaqueError("an Einsum output label that no operand has")
    home = {label: next(term for term in terms if label in term) for label in output}
    axes = tuple(
        paired(chosen[label], [chosen[other] for other in output if other in terms[0] and other not in home[label]])
        for label in output
    )
    removed = [{place for place, label in enumerate(term) if label not in output} for term in terms]
    counts = Counter("".join(terms))
    own = [
        {
            place
            for place, label in enumerate(term)
            if label in output and (index == 0 or axes[output.index(label)] is chosen[label])
        }
        for index, term in enumerate(terms)
    ]
    shared = [{place for place in own[index] if counts[term[place]] > 1} for index, term in enumerate(terms)]
    return contracted(call, operands, removed, axes, own, shared)
