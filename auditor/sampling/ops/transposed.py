"""Operators that make a grid finer: ConvTranspose, DepthToSpace, Col2Im."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

from auditor.sampling.lattice.atoms import reshape
from auditor.sampling.lattice.contract import contract
from auditor.sampling.lattice.state import Atom, Axis, OpaqueError, State, anonymous, finest
from auditor.sampling.ops.sliding import attributes, lost_result, spatial_axes
from auditor.sampling.result import Upsampling
from auditor.sampling.walk.call import Call


def taps_per_phase(kernel: int, stride: int, dilation: int) -> tuple[int, ...]:
    """How many kernel taps reach each of the ``stride`` output phases: the taps j with equal ``d j mod s``.

    Unequal counts make a checkerboard (Odena et al., "Deconvolution and Checkerboard Artifacts", Distill 2016).
    """
    counts = [0] * stride
    for tap in range(kernel):
        counts[dilation * tap % stride] += 1
    return tuple(counts)


def conv_transpose(call: Call) -> State:
    """ConvTranspose-22: stride 1/s, ``c = (p_begin - d (k-1) / 2) / s``; an odd pixel of a given output_shape goes in
    front.
    """
    given = call.state(0)
    dims = call.shape(1)
    shape = call.integers("kernel_shape") or (None if dims is None else dims[2:])
    if shape is None:
        raise OpaqueError("neither kernel_shape nor the weight's shape is known")
    window = attributes(call, shape)
    if call.node.op == "ConvTransposeWithDynamicPads" and call.has(2):
        pads = call.numbers(2)
        if pads is None or len(pads) != 2 * len(shape):
            raise OpaqueError("the pads of a transposed convolution are computed from data")
        window = window._replace(begin=pads[: len(shape)], end=pads[len(shape) :])
    if given.axes is None:
        return lost_result(given)
    spatial = spatial_axes(call, len(given.axes))
    if len(spatial) != len(shape):
        raise OpaqueError(f"a {len(shape)}-D kernel meets a tensor of {len(given.axes)} axes")
    channel = 1 if spatial and spatial[-1] == len(given.axes) - 1 else len(given.axes) - 1
    extra = call.integers("output_padding") or (0,) * len(shape)
    asked = call.integers("output_shape")
    if len(extra) != len(shape) or (asked is not None and len(asked) not in (len(shape), len(given.axes))):
        raise OpaqueError("output_padding or output_shape does not fit the kernel")
    windows = dict(contract(given, {channel}).windows)
    axes = list(given.axes)
    axes[channel] = anonymous((dims[1] if dims else 1) * call.integer("group", 1))
    for position, index in enumerate(spatial):
        axis, stride = axes[index], window.stride[position]
        reach = window.dilation[position] * (window.kernel[position] - 1)
        full = stride * (axis.size - 1) + extra[position] + reach + 1
        begin = window.begin[position]
        size = full - begin - window.end[position]
        if asked is not None or window.auto_pad.startswith("SAME"):
            wanted = asked[position - len(shape)] if asked is not None else axis.size * stride
            total = max(full - wanted, 0)
            size = wanted if asked is not None else full - total
            begin = total // 2 if window.auto_pad == "SAME_UPPER" else total - total // 2
        if size < 1:
            raise OpaqueError("a transposed convolution leaves no output")
        atom = axis.single
        if atom is None:
            if axis.has_source and (stride > 1 or reach):
                raise OpaqueError("a transposed convolution slides over an axis that holds several grid axes")
            axes[index] = anonymous(size)
            continue
        call.record.spatial.add(atom.source)
        old = windows[atom.source]
        step = atom.stride / stride
        axes[index] = Axis((Atom(atom.source, step, size),)) if size > 1 else anonymous(1)
        windows[atom.source] = old._replace(
            offset=old.offset + atom.stride * (begin - Fraction(reach, 2)) / stride,
            field=old.field + abs(atom.stride) * max(-(-(reach + 1) // stride) - 1, 0),
            grid=finest(axes, atom.source) or old.grid,
        )
    if max(window.stride) > 1:
        _record(
            call,
            [Fraction(step) for step in window.stride],
            [
                taps_per_phase(kernel, stride, dilation) if max(kernel, stride) <= 4096 else ()
                for kernel, stride, dilation in zip(window.kernel, window.stride, window.dilation, strict=True)
            ],
        )
    return State(
        tuple(axes),
        windows,
        constant=given.constant,
        mixing=given.mixing,
        lost=given.lost,
    )


def col2im(call: Call) -> State:
    """Col2Im-18: ``(N, C * prod(k), blocks)`` to ``(N, C, *image)``, overlapping blocks are summed.

    The blocks of im2col, as they stand on their axis, return to the places that they were cut from.
    """
    given, image, block = call.state(0), call.numbers(1), call.numbers(2)
    if given.axes is None:
        return lost_result(given)
    if not image or not block or len(image) != len(block) or len(given.axes) != 3:
        raise OpaqueError("the image or the blocks of Col2Im are not known")
    window = attributes(call, block)
    axes = [given.axes[0], anonymous(given.axes[1].size // prod(block))]
    windows = dict(contract(given, {1}).windows)
    counts = [
        (size + before + behind - spread * (width - 1) - 1) // step + 1
        for size, before, behind, spread, width, step in zip(
            image, window.begin, window.end, window.dilation, block, window.stride, strict=True
        )
    ]
    places = reshape(given.axes[2:], counts)
    if places is None:
        raise OpaqueError("Col2Im cuts a grid axis into uneven parts")
    for position, axis in enumerate(places):
        atom = axis.single
        if atom is None:
            axes.append(anonymous(image[position]))
            continue
        stride = window.stride[position]
        reach = window.dilation[position] * (block[position] - 1)
        step, old = atom.stride / stride, windows[atom.source]
        axes.append(Axis((Atom(atom.source, step, image[position]),)))
        windows[atom.source] = old._replace(
            offset=old.offset + step * (window.begin[position] - Fraction(reach, 2)),
            field=old.field + abs(atom.stride) * max(-(-(reach + 1) // stride) - 1, 0),
            grid=abs(step),
        )
        call.record.spatial.add(atom.source)
    if max(window.stride) > 1:
        _record(call, [Fraction(step) for step in window.stride], [])
    return replace(given, axes=tuple(axes), windows=windows, response=None, raw=False, decimations=())


def depth_to_space(call: Call) -> State:
    """DepthToSpace-13 (DCR and CRD): stride 1/b; the phases come from different channels, ``c = -(b-1) / (2b)``.

    Where the channel axis still holds the phases that a SpaceToDepth put there, they return to their places.
    """
    given = call.state(0)
    block = call.integer("blocksize", 0)
    if given.axes is None:
        return lost_result(given)
    if len(given.axes) != 4 or block < 1 or given.axes[1].size % (block * block):
        raise OpaqueError("blocksize does not fit the tensor")
    axes = [given.axes[0], anonymous(given.axes[1].size // (block * block)), *given.axes[2:]]
    windows = dict(given.windows if given.axes[1].has_source is False else contract(given, {1}).windows)
    for index in (2, 3):
        atom = axes[index].single
        size = axes[index].size * block
        if atom is None:
            axes[index] = anonymous(size)
            continue
        call.record.spatial.add(atom.source)
        step = atom.stride / block
        axes[index] = Axis((Atom(atom.source, step, size),))
        old = windows[atom.source]
        windows[atom.source] = old._replace(
            offset=old.offset - step * (block - 1) / 2, grid=finest(axes, atom.source) or old.grid
        )
    if block > 1:
        _record(call, [Fraction(block)] * 2, [])
    return State(
        tuple(axes),
        windows,
        constant=given.constant,
        mixing=given.mixing,
        lost=given.lost,
    )


def _record(call: Call, factor: Sequence[Fraction], taps: Sequence[tuple[int, ...]]) -> None:
    ref = call.record.ref(call.scope.path, call.node, call.order)
    call.record.upsamplings.append(Upsampling(ref, tuple(factor), tuple(taps)))
