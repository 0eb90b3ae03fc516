"""Phases of a strided convolution that a Reshape puts side by side: a Resize by a ratio of whole numbers, written out.

A depthwise convolution with stride p makes q outputs of each channel; Reshape, Transpose, Reshape interleave them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditor.onnxfile.graph import Node
from auditor.sampling.lattice.geometry import SAME
from auditor.sampling.lattice.state import State
from auditor.sampling.ops.conv import weights_of
from auditor.sampling.ops.resampling import resampled
from auditor.sampling.ops.sliding import attributes
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.scope import Scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.sampling.lattice.banded import Resampling, SparseMatrix

_RANKS = (3, 4)
_TURNS = 12
_MOST_WEIGHTS = 1 << 22


@dataclass(frozen=True, slots=True)
class _Phases:
    """A convolution of ``count`` phases in its scope, the axis that it resizes, its input and its output."""

    call: Call
    axis: int
    count: int
    read: str
    made: str


def interleaved(call: Call, sizes: tuple[int, ...]) -> State | None:
    """The state behind a Reshape to ``sizes`` that interleaves phases; None of any other."""
    phases = _phases(call, sizes)
    if phases is None:
        return None
    given = phases.call.state(0)
    if given.shape is None or given.axis(phases.axis).single is None:
        return None
    found = _resampling(phases, given.shape)
    if found is None:
        return None
    site = call.record.made.get((phases.call.scope.path, phases.made))
    members = () if site is None else (site,)
    return resampled(call, given, phases.read, (phases.axis, sizes[phases.axis], found), members)


def _phases(call: Call, sizes: tuple[int, ...]) -> _Phases | None:
    """The convolution behind Reshape, Transpose, Reshape, where they put its channels beside the samples of an axis."""
    rank = len(sizes)
    if rank not in _RANKS:
        return None
    turn = _maker(call.scope, call.node, "Transpose")
    apart = None if turn is None else _maker(*turn, "Reshape")
    conv = None if apart is None else _maker(*apart, "Conv")
    if turn is None or apart is None or conv is None or len(conv[1].inputs) != 2:
        return None
    split = apart[0].state(apart[1].outputs[0]).shape
    made = conv[0].state(conv[1].outputs[0]).shape
    perm = turn[1].attributes.get("perm")
    if split is None or made is None or not isinstance(perm, tuple) or len(split) != rank + 1 or len(made) != rank:
        return None
    plain = [place for place in range(rank + 1) if place != 2]
    axis = next((a for a in range(2, rank) if list(perm) == [*plain[: a + 1], 2, *plain[a + 1 :]]), None)
    if axis is None or made[1] != split[1] * split[2] or split[3:] != made[2:]:
        return None
    wanted = tuple(size * split[2] if place == axis else size for place, size in enumerate(made))
    if sizes != (made[0], split[1], *wanted[2:]):
        return None
    inner = Call(call.record, conv[0], conv[1], -1)
    return _Phases(inner, axis, split[2], conv[1].inputs[0], conv[1].outputs[0])


def _maker(scope: Scope, node: Node, op: str) -> tuple[Scope, Node] | None:
    """The node that makes the first input of a node, where it is of this operator."""
    made = scope.producer(node.inputs[0]) if node.inputs else None
    return made if made is not None and made[1].op == op and not made[1].domain else None


def _resampling(phases: _Phases, shape: tuple[int, ...]) -> Resampling | None:
    """What convolution and interleaving compute along the axis, borders left out."""
    conv, place = phases.call, phases.axis - 2
    rank = len(shape)
    kernel = _kernel(conv, rank, shape[1], phases.count, place)
    if kernel is None or kernel.size * _TURNS > _MOST_WEIGHTS:
        return None
    window = attributes(conv, tuple(kernel.shape[1] if index == place else 1 for index in range(rank - 2)))
    others = [index for index in range(rank - 2) if index != place]
    aside = any(window.stride[i] > 1 or window.kernel[i] > 1 or window.begin[i] or window.end[i] for i in others)
    if aside or window.auto_pad in SAME or max(window.dilation) > 1:
        return None
    from auditor.sampling.lattice.banded import resampling_of

    found = resampling_of(_endless(kernel, window.stride[place]))
    if found is None:
        return None
    begin = window.begin[place]
    outputs = tuple(([at - begin for at in places], weights) for places, weights in found.outputs)
    return replace(found, start=found.start - begin, outputs=outputs)


def _endless(kernel: NDArray[np.float64], stride: int) -> SparseMatrix:
    """The matrix of a run of an axis without borders, whose output 0 reads from input 0 on."""
    import numpy as np

    from auditor.sampling.lattice.banded import SparseMatrix

    count, taps = kernel.shape
    output, tap = np.indices((count * _TURNS, taps))
    weights = kernel[output % count, tap]
    kept = weights != 0
    inputs = output // count * stride + tap
    return SparseMatrix(count * _TURNS, stride * (_TURNS - 1) + taps, output[kept], inputs[kept], weights[kept])


def _kernel(conv: Call, rank: int, channels: int, count: int, place: int) -> NDArray[np.float64] | None:
    """The kernel of every phase (count, taps), which is that of all channels; None where it differs or is no line."""
    import numpy as np

    if conv.integer("group", 1) != channels:
        return None
    weights = weights_of(conv, 1, rank)
    if weights is None or weights.shape[:2] != (channels * count, 1):
        return None
    taps = weights.shape[2 + place]
    if weights.size != channels * count * taps:
        return None
    lines = weights.reshape(channels, count, taps)
    return lines[0] if np.allclose(lines, lines[:1], rtol=0, atol=1e-6 * float(np.abs(lines).max())) else None
