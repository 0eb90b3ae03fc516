"""Pictures of a layer: its power by frequency, and how far it moves with its input under every shift."""

from __future__ import annotations

from msgspec import Struct

from auditor.codec import FloatOrNan


class Spectrum(Struct, frozen=True):
    """Radially averaged power per band, ``frequencies`` in cycles per sample of the tensor, 0 to 0.5 and its corner."""

    frequencies: tuple[FloatOrNan, ...]
    power: tuple[FloatOrNan, ...]


class EquivarianceMap(Struct, frozen=True):
    """Mean cosine and relative error of U(F(shift x)) against shift of U(F(x)) over a grid of shifts.

    ``dy`` and ``dx`` are the shifts in input pixels; ``cosine`` and ``error`` are rows of dy by columns of dx.
    """

    dy: tuple[int, ...]
    dx: tuple[int, ...]
    cosine: tuple[tuple[FloatOrNan, ...], ...]
    error: tuple[tuple[FloatOrNan, ...], ...]
