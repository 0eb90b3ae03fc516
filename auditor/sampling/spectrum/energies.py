"""The two alias energies of a site: the flat one per axis, a property of its filter, and the expected one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from auditor.sampling.lattice.state import State
from auditor.sampling.result import AliasBasis, AliasEnergy
from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.expected import HIDDEN, PICTURE, POOLED, power_law_share
from auditor.sampling.spectrum.separable import separable

SMALL = 40
"""Positions of a map below which strides of :data:`LONG` and more were measured to fold more than expected."""

LONG = 5

MOST_COLOURS = 4
"""Channels of a picture: red, green, blue and alpha."""

TOO_WIDE = "its kernel is too large"
KEPT = "its phases are kept as channels"
FRAMES_EXPECT = "the spectrum of a signal is not that of pictures"
UNKNOWN_SIZE = "the size of its map is not known"

if TYPE_CHECKING:
    from auditor.sampling.walk.call import Call

_AXES = {1: "one grid axis", 3: "three grid axes"}


def linear_only(given: State) -> State:
    """The state without a filter whose low-pass a non-linearity behind it has bent."""
    return given if given.response is None or given.response.linear else replace(given, response=None)


class Map(NamedTuple):
    """What a site reads. ``side`` is its shorter side, None where nothing is expected for the reason ``missing``."""

    side: int | None
    picture: bool = False
    missing: str = ""


def map_of(given: State, grid: Sequence[int], stride: Sequence[float | Fraction]) -> Map:
    """The map that ``given`` is, with grid axes at the indices ``grid``; ``stride`` is that of the site."""
    if given.axes is None:
        return Map(None, given.raw, UNKNOWN_SIZE)
    # More channels than a picture has are the features of another model.
    channels = prod(axis.size for index, axis in enumerate(given.axes) if index and index not in grid)
    sizes = [given.axes[index].size for index in grid if given.axes[index].has_source]
    return map_of_sides(sizes, given.raw and channels <= MOST_COLOURS, stride)


def map_of_sides(sizes: Sequence[int], picture: bool, stride: Sequence[float | Fraction]) -> Map:
    """The map of so many positions per grid axis."""
    sides = [size for size in sizes if size > 1]
    if len(sides) != 2:
        axes = _AXES.get(len(sides), f"{len(sides)} grid axes")
        return Map(None, picture, f"its map has {axes}, and the spectrum is known for two")
    if max(stride, default=1) >= LONG and min(sides) < SMALL:
        return Map(None, picture, f"a stride of {LONG} or more on a map below {SMALL} positions is not predictable")
    return Map(min(sides), picture)


def grid_of(call: Call, given: State, sampled: Collection[int]) -> tuple[int, ...]:
    """The indices of a tensor's grid axes, of an operator that does not say: ``sampled`` are source axes that are."""
    axes = given.axes or ()
    known = call.record.spatial | set(sampled)
    grid = tuple(index for index, axis in enumerate(axes) if any(atom.source in known for atom in axis.atoms))
    if len(grid) == len(axes) - 2 or not given.raw or len(axes) < 3:
        return grid
    # Of a bare input nothing has said yet which axes are its grid: all but the batch and the channels.
    channels = 1 if axes[-1].size > MOST_COLOURS else len(axes) - 1
    return tuple(index for index in range(1, len(axes)) if index != channels)


def decimation(factors: Sequence[Fraction], read: Map) -> AliasEnergy:
    """Alias energy without any filter: all power outside the new Nyquist box folds, ``1 - 1 / prod(s)``."""
    steps = [max(factor, Fraction(1)) for factor in factors]
    flat = float(1 - 1 / Fraction(prod(steps)))
    per_axis = tuple(float(1 - 1 / step) for step in steps)
    white = spectra.white(len(steps))
    return AliasEnergy(
        flat, flat, AliasBasis.DECIMATION, per_axis, *expected(white, [float(s) for s in steps], read), read.picture
    )


def filtered(field: spectra.Autocorrelation, stride: Sequence[float], read: Map) -> AliasEnergy | None:
    """The alias energy of sampling what a known filter left of noise."""
    flat, per_axis = spectra.folded_share(field, stride), spectra.folded_shares(field, stride)
    if flat is None or per_axis is None:
        return None
    return AliasEnergy(flat, flat, AliasBasis.RESPONSE, per_axis, *expected(field, stride, read), read.picture)


def sampled_alone(field: spectra.Autocorrelation, stride: Sequence[int], read: Map) -> AliasEnergy | None:
    """The same of a site that has only the axes it samples."""
    energy = filtered(field, stride, read)
    if energy is None:
        return None
    shares = zip(energy.per_axis, stride, strict=True)
    return structs.replace(energy, per_axis=tuple(share for share, step in shares if step > 1))


def interpolated(per_axis: Sequence[spectra.Autocorrelation], stride: Sequence[float], read: Map) -> AliasEnergy | None:
    """The alias energy of sampling behind filters that work along one axis each."""
    shares = [spectra.folded_share(field, [step]) for field, step in zip(per_axis, stride, strict=True)]
    known = tuple(share for share in shares if share is not None)
    if len(known) < len(shares):
        return None
    flat = 1 - prod(1 - share for share in known)
    whole = separable(per_axis)
    told = (None, read.missing or TOO_WIDE) if whole is None else expected(whole, stride, read)
    return AliasEnergy(flat, flat, AliasBasis.RESPONSE, known, *told, read.picture)


def max_pooled(
    window: spectra.Autocorrelation, box: spectra.Autocorrelation, stride: Sequence[float], read: Map
) -> AliasEnergy | None:
    """The alias energy of a max-pool: ``window`` is what it leaves of noise, ``box`` what its average leaves."""
    energy = filtered(window, stride, read)
    if energy is None or energy.expected is None:
        return energy
    average, _ = expected(box, stride, read)
    bare, _ = expected(spectra.white(len(stride)), stride, read)
    if average is None or bare is None:
        return structs.replace(energy, expected=None, missing=TOO_WIDE)
    return structs.replace(energy, expected=POOLED * average + (1 - POOLED) * bare)


def expected(field: spectra.Autocorrelation, stride: Sequence[float], read: Map) -> tuple[float | None, str]:
    """The expected alias energy, or None and why there is none."""
    if read.side is None or read.missing:
        return None, read.missing
    missing = 2 - field.lags.ndim
    if missing < 0 or len(stride) != field.lags.ndim:
        return None, "its filter has other axes than its map"
    # The spectrum is the same in all directions: an axis that is not sampled may stand anywhere.
    planar = spectra.Autocorrelation(field.lags.reshape(*field.lags.shape, *[1] * missing))
    slope = PICTURE if read.picture else HIDDEN
    share = power_law_share(planar, [*stride, *[1.0] * missing], read.side, slope)
    return (None, TOO_WIDE) if share is None else (share, "")
