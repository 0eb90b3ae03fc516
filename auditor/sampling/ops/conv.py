"""Convolutions: Conv, FusedConv, ConvInteger, QLinearConv, their NHWC and NCHWc variants, and DeformConv's nominal
grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from auditor.sampling.lattice.contract import contract
from auditor.sampling.lattice.geometry import WindowAttributes
from auditor.sampling.lattice.state import OpaqueError, State, anonymous
from auditor.sampling.ops.ends import FRAMED, frames_alias
from auditor.sampling.ops.fourier import MOST_BINS, SHORTEST, analysis_window
from auditor.sampling.ops.sliding import Slid, Taps, attributes, lost_result, seen_by_grid, slide_axes, spatial_axes
from auditor.sampling.result import AliasBasis, AliasEnergy, DataDependentSampling, HeadKind, SiteKind
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import TOO_WIDE, UNKNOWN_SIZE, Map, decimation, expected, linear_only, map_of
from auditor.sampling.spectrum.expected import GREY
from auditor.sampling.spectrum.replicas import Averaged
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish, gone
from auditor.sampling.walk.join import join
from auditor.sampling.walk.sites import Strided, record_site, skipped_share
from auditor.sampling.walk.weights import kernel as read_kernel
from auditor.sampling.walk.weights import scale_rows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from auditor.sampling.spectrum.replicas import Averaging

PATCH = 4
_LARGEST_FILTER = 1024  # taps beyond which a filter is not carried along
_ALIKE = 0.9995  # squared cosine from which two kernels are one filter: quantised ones differ a little
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
        windows = own = dict(windows)
        finish(call, own, ended, HeadKind.POSITION_DEPENDENT)
    result = State(
        tuple(axes),
        windows,
        constant=given.constant,
        mixing=given.mixing,
        lost=given.lost,
    )
    if slid.sampled:
        kernel = ConvKernel(call, weight, window, *seen_by_grid(given, spatial, window))
        plain = linear_only(given)
        averaged = partial(_averaged, plain, kernel)
        read = map_of(given, spatial, kernel.seen.stride)
        alias = _alias(given, kernel, read)
        alone = alias if plain is given else _alias(plain, kernel, read)
        _record(call, given, result, kernel, groups, slid, alias, averaged, alone)
    if call.has(SUMMAND) and (call.node.op in FUSED or call.node.domain == BLOCKED):
        return join(call, [result, call.state(SUMMAND)], [call.node.outputs[0], call.node.inputs[SUMMAND]])
    if slid.sampled:
        return result
    kernel = ConvKernel(call, weight, window, *seen_by_grid(given, spatial, window))
    return replace(result, response=_response(given, kernel))


def deform_conv(call: Call) -> State:
    """DeformConv-22 on its nominal grid; where it really samples depends on the offsets input."""
    call.record.data_dependent.append(
        DataDependentSampling(
            call.record.ref(call.scope.path, call.node, call.order), "the offsets of a deformable convolution are data"
        )
    )
    return conv(call)


class ConvKernel(NamedTuple):
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
    kernel: ConvKernel,
    groups: int,
    slid: Slid,
    alias: AliasEnergy | None,
    averaged: Averaged | None = None,
    own: AliasEnergy | None = None,
) -> None:
    window, seen = kernel.window, kernel.seen
    chosen = [place for place, step in enumerate(seen.stride) if step > 1]
    patchy = all(window.kernel[i] == window.stride[i] >= PATCH and window.dilation[i] == 1 for i in chosen)
    frames = _frames(kernel)
    if frames is not None:
        alias, averaged, own = frames.alias, None, frames.alias
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
        own=own,
    )
    record_site(call, strided, given, result.windows)


class Frames(NamedTuple):
    """A convolution that is a short-time Fourier transform, with what folds behind its window."""

    alias: AliasEnergy | None


def _frames(kernel: ConvKernel) -> Frames | None:
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
        kernel = ConvKernel(call, weight, window, *seen_by_grid(given, spatial, window))
        alias = _alias(given, kernel, Map(None, missing=UNKNOWN_SIZE))
        _record(call, given, result, kernel, call.integer("group", 1), slid, alias)
    return result


def _alias(given: State, kernel: ConvKernel, read: Map) -> AliasEnergy | None:
    seen = kernel.seen
    if all(size == 1 for size in seen.kernel) and given.response is None and not given.raw:
        return decimation([Fraction(step) for step in seen.stride], read)
    weights = kernel.weights()
    if weights is None:
        return None
    response = given.response if given.response is not None and given.response.lags.ndim == len(seen.kernel) else None
    share = spectra.alias_energy(weights, seen.stride, seen.dilation, response)
    if share is None:
        return None
    field = _field(weights, seen.dilation, response)
    per_axis = None if field is None else spectra.folded_shares(field, seen.stride)
    if field is None or per_axis is None:
        return AliasEnergy(share.total, share.worst, AliasBasis.WEIGHTS, (share.total,), None, TOO_WIDE)
    if read.picture and weights.shape[1] > 1:
        field = _of_colours(weights, seen.dilation, response, field)
    stride = [float(step) for step in seen.stride]
    told = expected(field, stride, read)
    return AliasEnergy(share.total, share.worst, AliasBasis.WEIGHTS, per_axis, *told, read.picture)


def _field(
    weights: NDArray[np.float64], dilation: Sequence[int], response: spectra.Autocorrelation | None
) -> spectra.Autocorrelation | None:
    """What all filters of a convolution leave of noise, behind the filter in front of them."""
    own = spectra.of_weights(weights, dilation)
    return own if response is None or own is None else spectra.then(response, own)


def _of_colours(
    weights: NDArray[np.float64],
    dilation: Sequence[int],
    response: spectra.Autocorrelation | None,
    field: spectra.Autocorrelation,
) -> spectra.Autocorrelation:
    """The field behind a picture, most of which is the same in all channels: a filter may cancel that."""
    grey = _field(weights.sum(axis=1, keepdims=True), dilation, response)
    return field if grey is None else spectra.Autocorrelation((1 - GREY) * field.lags + GREY * grey.lags)


def _averaged(given: State, kernel: ConvKernel, averaging: Averaging) -> AliasEnergy | None:
    seen = kernel.seen
    if all(size == 1 for size in seen.kernel) and given.response is None:
        return averaging.folded(None, AliasBasis.DECIMATION)
    weights = kernel.weights()
    if weights is None:
        return None
    behind = averaging.filtered(given.response)
    share = spectra.alias_energy(weights, seen.stride, seen.dilation, behind, averaging.replicas())
    field = _field(weights, seen.dilation, given.response)
    left = None if field is None else averaging.folded(field, AliasBasis.WEIGHTS)
    if share is None or left is None:
        return None
    return structs.replace(left, flat=share.total, worst_channel=share.worst)


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


def _response(given: State, kernel: ConvKernel) -> spectra.Autocorrelation | None:
    """What a convolution at stride 1 leaves of the noise in front of it.

    A filter is known by having one shape in all channels, as blurs have; kernels that were learned are already in the
    spectrum that activations have. Behind a known filter every kernel counts.
    """
    import numpy as np

    known, seen = given.response, kernel.seen
    if max(seen.kernel, default=1) == 1:
        return known
    known = linear_only(given).response
    if prod(seen.kernel) > _LARGEST_FILTER or (known is not None and known.lags.ndim != len(seen.kernel)):
        return None
    weights = kernel.weights()
    if weights is None:
        return None
    if known is None:
        shapes = weights.reshape(-1, prod(seen.kernel))
        power = (shapes**2).sum(axis=1)
        largest = shapes[int(power.argmax())]
        alike = (shapes @ largest) ** 2
        if not power.max() > 0 or not np.all(alike >= _ALIKE * power * power.max()):
            return None
    return _field(weights, seen.dilation, known)
