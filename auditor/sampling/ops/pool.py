"""Pools: MaxPool, AveragePool, LpPool, their quantised, NHWC and NCHWc variants, and the global ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING

from auditor.sampling.lattice.geometry import WindowAttributes
from auditor.sampling.lattice.state import Atom, OpaqueError, State, anonymous
from auditor.sampling.ops.sliding import attributes, lost_result, seen_by_grid, slide_axes, spatial_axes
from auditor.sampling.result import AliasBasis, AliasEnergy, HeadKind, SiteKind
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.energies import UNKNOWN_SIZE, Map, decimation, filtered, linear_only, map_of, max_pooled
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.endings import finish, gone
from auditor.sampling.walk.sites import Strided, record_site, skipped_share

if TYPE_CHECKING:
    from auditor.sampling.spectrum.replicas import Averaging

KINDS = {"MaxPool": SiteKind.MAX_POOL, "AveragePool": SiteKind.AVERAGE_POOL, "LpPool": SiteKind.LP_POOL}
LARGEST_RESPONSE = 1024  # kernel elements beyond which a pool's response is not carried along


def pool(call: Call) -> Sequence[State]:
    """MaxPool-22, AveragePool-22, LpPool-22: a window per channel; MaxPool's Indices output shares the lattice."""
    given = call.state(0)
    kernel = call.integers("kernel_shape")
    if kernel is None:
        raise OpaqueError("kernel_shape is missing")
    window = attributes(call, kernel, pool=True)
    if given.axes is None:
        result = lost_result(given)
        if max(window.stride, default=1) > 1:
            _record(call, given, result, (None,) * len(kernel), window, window, Map(None, missing=UNKNOWN_SIZE))
        return [result] * max(len(call.node.outputs), 1)
    spatial = spatial_axes(call, len(given.axes))
    if len(spatial) != len(kernel):
        raise OpaqueError(f"a {len(kernel)}-D kernel meets a tensor of {len(given.axes)} axes")
    slid = slide_axes(call, given, spatial, window)
    if not slid.changed:
        return [given] * max(len(call.node.outputs), 1)
    if given.response is not None and given.response.lags.ndim != len(kernel):
        given = replace(given, response=None)
    response = None
    seen, _ = seen_by_grid(given, spatial, window)
    if not slid.sampled:
        response = _response(linear_only(given), seen, _kind(call))
    result = State(
        slid.axes,
        slid.windows,
        constant=given.constant,
        mixing=given.mixing,
        lost=given.lost,
        response=response,
    )
    if slid.covered:
        windows = dict(slid.windows)
        ended = gone(given, slid.axes)
        finish(call, windows, ended & slid.whole, HeadKind.POOLED)
        finish(call, windows, ended - slid.whole, HeadKind.POSITION_DEPENDENT)
        result = replace(result, windows=windows)
    if slid.sampled:
        _record(call, given, result, slid.atoms, window, seen, map_of(given, spatial, seen.stride))
    return [result] * max(len(call.node.outputs), 1)


def global_pool(call: Call) -> State:
    """GlobalAveragePool, GlobalMaxPool, GlobalLpPool: one value per channel, a shift-invariant end of the grid."""
    given = call.state(0)
    if given.axes is None:
        return lost_result(given)
    spatial = set(spatial_axes(call, len(given.axes)))
    for index in spatial:
        for atom in given.axes[index].atoms:
            if atom.source in given.windows:
                call.record.spatial.add(atom.source)
    axes = tuple(anonymous(1) if index in spatial else axis for index, axis in enumerate(given.axes))
    windows = dict(given.windows)
    finish(call, windows, gone(given, axes), HeadKind.POOLED)
    return State(axes, windows, constant=given.constant, lost=given.lost, mixing=True)


def _kind(call: Call) -> SiteKind:
    return next((kind for name, kind in KINDS.items() if call.node.op.endswith(name)), SiteKind.AVERAGE_POOL)


def _response(given: State, window: WindowAttributes, kind: SiteKind) -> spectra.Autocorrelation | None:
    """What a pool at stride 1 leaves of white noise, or of what a filter in front left of it."""
    if prod(window.kernel) > LARGEST_RESPONSE:
        return None
    if prod(window.kernel) == 1 and kind is not SiteKind.LP_POOL:
        return spectra.white(len(window.kernel)) if given.response is None else given.response
    if kind is SiteKind.LP_POOL:
        return None
    if kind is not SiteKind.MAX_POOL:
        return _box(given, window)
    if given.response is None:
        return spectra.of_max_pool(window.kernel, window.dilation)
    return spectra.of_max_pool_behind(given.response, window.kernel, window.dilation)


def _box(given: State, window: WindowAttributes) -> spectra.Autocorrelation | None:
    """The same of the average over the window."""
    own = spectra.of_average_pool(window.kernel, window.dilation)
    return own if given.response is None or own is None else spectra.then(given.response, own)


def _alias(given: State, window: WindowAttributes, kind: SiteKind, read: Map) -> AliasEnergy | None:
    """A pool is its dense response followed by plain decimation: average pools exactly, max pools for white input."""
    if prod(window.kernel) == 1 and given.response is None and kind is not SiteKind.LP_POOL:
        return decimation([Fraction(step) for step in window.stride], read)
    response = _response(given, window, kind)
    if response is None:
        return None
    stride = [float(step) for step in window.stride]
    box = _box(given, window) if kind is SiteKind.MAX_POOL and given.response is None else None
    return filtered(response, stride, read) if box is None else max_pooled(response, box, stride, read)


def _averaged(given: State, window: WindowAttributes, kind: SiteKind, averaging: Averaging) -> AliasEnergy | None:
    response = _response(given, window, kind)
    return None if response is None else averaging.folded(response, AliasBasis.RESPONSE)


def _record(
    call: Call,
    given: State,
    result: State,
    atoms: tuple[Atom | None, ...],
    window: WindowAttributes,
    seen: WindowAttributes,
    read: Map,
) -> None:
    kind, plain = _kind(call), linear_only(given)
    own = _alias(plain, seen, kind, read)
    # How a maximum acts on what is not Gaussian is not known.
    known = plain is given or (kind is SiteKind.MAX_POOL and prod(seen.kernel) > 1)
    strided = Strided(
        kind=kind,
        factor=tuple(Fraction(step) for step in seen.stride),
        atoms=atoms,
        alias=own if known else _alias(given, seen, kind, read),
        kernel=window.kernel,
        stride=window.stride,
        dilation=window.dilation,
        groups=1,
        skipped=skipped_share(seen.kernel, seen.stride, seen.dilation),
        filtered="a low-pass filter stands in front" if given.response is not None else "",
        averaged=partial(_averaged, plain, seen, kind),
        own=own,
    )
    record_site(call, strided, given, result.windows)
