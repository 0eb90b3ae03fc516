"""Convolutions: Conv, FusedConv, ConvInteger, QLinearConv, their NHWC and NCHWc variants, and DeformConv's nominal
grid.
"""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from auditor.sampling import spectra
from auditor.sampling.call import Call, OpaqueError
from auditor.sampling.contract import contract
from auditor.sampling.endings import finish, gone
from auditor.sampling.geometry import WindowAttributes, attributes
from auditor.sampling.join import join
from auditor.sampling.lattice import State, anonymous
from auditor.sampling.ops.ends import FRAMED, frames_alias
from auditor.sampling.ops.fourier import MOST_BINS, SHORTEST, analysis_window
from auditor.sampling.ops.sliding import Slid, Taps, lost_result, seen_by_grid, slide_axes, spatial_axes
from auditor.sampling.result import AliasBasis, AliasEnergy, DataDependentSampling, HeadKind, SiteKind
from auditor.sampling.sites import Averaged, Strided, decimation, record_site, skipped_share
from auditor.sampling.weights import kernel as read_kernel
from auditor.sampling.weights import scale_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.sampling.replicas import Averaging

PATCH = 4
NATURAL_TAPS = 256  # a 1/f^2 integral over larger kernels takes longer than the rest of the audit
WEIGHT_INPUT = {"QLinearConv": 3}
SUMMAND = 3  # the input that onnxruntime's fused convolutions add to their result
FUSED = frozenset({"FusedConv", "NhwcFusedConv"})
BLOCKED = "com.microsoft.nchwc"


def conv(call: Call) -> State:
    """Conv-22: ``y(o) = sum_j w(j) x(s o + d j - p)`` per spatial axis; the channel axis is contracted (per group)."""
    given = call.state(0)
    weight = WEIGHT_INPUT.get(call.node.op, 1)
    dims = call.shape(weight)
    shape = call.integers("kernel_shape")
    if dims is None and shape is None:
        raise OpaqueError("neither kernel_shape nor the weight's shape is known")
    if given.axes is not None and dims is not None and len(dims) != len(given.axes):
        raise OpaqueError("the weight's rank does not fit the input's")
    window = attributes(call, shape if shape is not None else (dims or ())[2:])
    if given.axes is None:
        return _behind_lost(call, given, window, weight)
    rank = len(given.axes)
    spatial = spatial_axes(call, rank)
    if len(spatial) != len(window.kernel):
        raise OpaqueError(f"a {len(window.kernel)}-D kernel meets a tensor of {rank} axes")
    channel = 1 if spatial and spatial[-1] == rank - 1 else rank - 1
    groups = call.integer("group", 1)
    out_channels = dims[0] if dims is not None else None
    slid = slide_axes(call, given, spatial, window)
    axes = list(slid.axes)
    depthwise = groups > 1 and groups == axes[channel].size == out_channels
    windows = slid.windows
    if not depthwise:
        if axes[channel].has_source:
            windows = contract(State(slid.axes, slid.windows), {channel}).windows
        if out_channels is None:
            raise OpaqueError("the weight's shape is not known")
        axes[channel] = anonymous(out_channels)
    ended = gone(given, axes) if slid.covered or given.axes[channel].has_source else set()
    if ended:
        windows = dict(windows)
        finish(call, windows, ended, HeadKind.POSITION_DEPENDENT)
    result = State(
        tuple(axes),
        windows,
        constant=given.constant,
        mixing=given.mixing,
        lost=given.lost,
    )
    if slid.sampled:
        kernel = Kernel(call, weight, window, *seen_by_grid(given, spatial, window))
        averaged = partial(_averaged, given, kernel)
        _record(call, given, result, kernel, groups, slid, _alias(given, kernel), averaged)
    if call.has(SUMMAND) and (call.node.op in FUSED or call.node.domain == BLOCKED):
        return join(call, [result, call.state(SUMMAND)], [call.node.outputs[0], call.node.inputs[SUMMAND]])
    if slid.sampled:
        return result
    if depthwise and max(window.kernel) > 1:
        return _with_response(given, result, Kernel(call, weight, window, *seen_by_grid(given, spatial, window)))
    return result


def deform_conv(call: Call) -> State:
    """DeformConv-22 on its nominal grid; where it really samples depends on the offsets input."""
    call.record.data_dependent.append(
        DataDependentSampling(
            call.record.ref(call.scope.path, call.node, call.order), "the offsets of a deformable convolution are data"
        )
    )
    return conv(call)


class Kernel(NamedTuple):
    """The kernel of a convolution: its attributes as the file gives them and as the grid sees them, and its weights.

    ``taps`` are those that the grid reads on each axis (None: all).
    """

    call: Call
    weight: int
    window: WindowAttributes
    seen: WindowAttributes
    taps: Taps

    def weights(self) -> NDArray[np.float64] | None:
        """What :func:`weights_of` gives, of the taps that the grid reads."""
        weights = weights_of(self.call, self.weight, 2 + len(self.window.kernel))
        if weights is None or weights.shape[2:] != self.window.kernel:
            return None
        for axis, taps in enumerate(self.taps):
            if taps is not None:
                weights = weights.take(taps, 2 + axis)
        return weights


def _record(
    call: Call,
    given: State,
    result: State,
    kernel: Kernel,
    groups: int,
    slid: Slid,
    alias: AliasEnergy | None,
    averaged: Averaged | None = None,
) -> None:
    window, seen = kernel.window, kernel.seen
    chosen = [place for place, step in enumerate(seen.stride) if step > 1]
    patchy = all(window.kernel[i] == window.stride[i] >= PATCH and window.dilation[i] == 1 for i in chosen)
    frames = _frames(kernel)
    if frames is not None:
        alias, averaged = frames.alias, None
    strided = Strided(
        kind=SiteKind.FRAMES if frames is not None else SiteKind.PATCH_EMBEDDING if patchy else SiteKind.CONV,
        factor=tuple(Fraction(step) for step in seen.stride),
        atoms=slid.atoms,
        alias=alias,
        kernel=window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        groups=groups,
        skipped=skipped_share(seen.kernel, seen.stride, seen.dilation),
        filtered=FRAMED
        if frames is not None
        else "a low-pass filter stands in front"
        if given.response is not None
        else "",
        averaged=averaged,
    )
    record_site(call, strided, given, result.windows)


class Frames(NamedTuple):
    """A convolution that is a short-time Fourier transform, with what folds behind its window."""

    alias: AliasEnergy | None


def _frames(kernel: Kernel) -> Frames | None:
    """Whether the kernel is a short-time Fourier transform of one channel along one axis."""
    seen = kernel.seen
    long = [place for place, size in enumerate(seen.kernel) if size > 1]
    if len(long) != 1 or seen.kernel[long[0]] < SHORTEST or seen.dilation[long[0]] != 1:
        return None
    dims = kernel.call.shape(kernel.weight)
    weights = kernel.weights() if dims is not None and dims[1] == 1 and dims[0] <= MOST_BINS else None
    window = None if weights is None else analysis_window(weights.reshape(weights.shape[0], -1))
    return None if window is None else Frames(frames_alias(window, seen.stride[long[0]]))


def _behind_lost(call: Call, given: State, window: WindowAttributes, weight: int) -> State:
    result = lost_result(given)
    if max(window.stride, default=1) > 1:
        spatial = tuple(range(2, 2 + len(window.stride)))
        slid = Slid((), {}, spatial, (None,) * len(spatial), covered=False, changed=True)
        kernel = Kernel(call, weight, window, *seen_by_grid(given, spatial, window))
        _record(call, given, result, kernel, call.integer("group", 1), slid, _alias(given, kernel))
    return result


def _alias(given: State, kernel: Kernel) -> AliasEnergy | None:
    seen = kernel.seen
    if all(size == 1 for size in seen.kernel) and given.response is None and not given.raw:
        return decimation([Fraction(step) for step in seen.stride])
    weights = kernel.weights()
    if weights is None:
        return None
    response = given.response if given.response is not None and given.response.lags.ndim == len(seen.kernel) else None
    share = spectra.alias_energy(weights, seen.stride, seen.dilation, response)
    if share is None:
        return None
    natural = None
    if given.raw and response is None and prod(seen.kernel) <= NATURAL_TAPS:
        natural = spectra.natural(weights, seen.stride, seen.dilation)
    return AliasEnergy(share.total, None if natural is None else natural.total, share.worst, AliasBasis.WEIGHTS)


def _averaged(given: State, kernel: Kernel, averaging: Averaging) -> AliasEnergy | None:
    seen = kernel.seen
    if all(size == 1 for size in seen.kernel) and given.response is None:
        flat = averaging.folded(None)
        return None if flat is None else AliasEnergy(flat, None, flat, AliasBasis.DECIMATION)
    weights = kernel.weights()
    if weights is None:
        return None
    field = averaging.filtered(given.response)
    share = spectra.alias_energy(weights, seen.stride, seen.dilation, field, averaging.replicas())
    return None if share is None else AliasEnergy(share.total, None, share.worst, AliasBasis.WEIGHTS)


def weights_of(call: Call, weight: int, rank: int) -> NDArray[np.float64] | None:
    """The kernel of a convolution as float64 ``(O, I / groups, *K)``, dequantised; None where it is not readable.

    Blocked convolutions store it in an order that depends on the processor they were made for.
    """
    inputs = call.node.inputs
    if call.node.domain == BLOCKED or weight >= len(inputs) or not inputs[weight]:
        return None
    weights = read_kernel(call.scope, inputs[weight], rank)
    if weights is None:
        return None
    if call.node.op == "QLinearConv":
        return scale_rows(call.scope, weights, inputs[4:6], 0)
    if call.node.op == "ConvInteger" and call.has(3):
        return scale_rows(call.scope, weights, ("", inputs[3]), 0)
    return weights


def _with_response(given: State, result: State, kernel: Kernel) -> State:
    """A stride-1 depthwise blur (one non-negative kernel for all channels) filters what comes after it."""
    import numpy as np

    if prod(kernel.seen.kernel) > 1024:
        return result
    weights = kernel.weights()
    if weights is None or weights.shape[1] != 1 or weights.min() < 0:
        return result
    scale = weights[:, 0].reshape(weights.shape[0], -1).sum(axis=1)
    if not np.all(scale > 0):
        return result
    shapes = weights[:, 0] / scale.reshape(-1, *[1] * len(kernel.seen.kernel))
    if not np.allclose(shapes, shapes[:1], rtol=1e-2, atol=1e-4):
        return result
    response = spectra.of_kernel(shapes[0], kernel.seen.dilation)
    if given.response is not None and response is not None:
        response = spectra.then(given.response, response)
    return State(
        result.axes,
        result.windows,
        constant=result.constant,
        mixing=result.mixing,
        lost=result.lost,
        response=response,
    )
