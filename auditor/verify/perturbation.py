"""What may happen to a picture beside a shift by whole pixels, as ``--protocol`` names it: ``noise:2``, ``half-pixel``.

Each compares the answer to a window with that to the same window of the perturbed picture. What is drawn depends on the
seed and the image's place alone, so every model and every strength is shown the same noise and the same object.

==================  ====================================================================================================
noise:S             Gaussian noise of standard deviation S, in levels of 255, in every pixel and channel
jpeg:Q              coded and decoded as JPEG of quality Q by Pillow
light:P%            every level brighter by P per cent, at most 255
rotate:D            turned about the centre by D degrees, by cubic convolution
half-pixel          sampled half a pixel further down and to the right, before it is resized
half-pixel-resized  the same behind the resize, so that what the resize aliases is the same in both
object:D            an opaque disc before the still picture, moved by D pixels (1 where nothing is said)
==================  ====================================================================================================

Pixels are those that shifts count: of the resized picture, or with ``--shift-at native`` of the picture as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class PerturbationKind(Enum):
    """What happens to a picture."""

    NOISE = "noise"
    JPEG = "jpeg"
    LIGHT = "light"
    ROTATE = "rotate"
    HALF_PIXEL = "half-pixel"
    HALF_PIXEL_RESIZED = "half-pixel-resized"
    OBJECT = "object"


@dataclass(frozen=True, slots=True)
class _Amount:
    """What the number behind a kind is: where nobody gives one, within which bounds, and what it must be in words."""

    usual: float
    least: float
    largest: float
    must: str
    whole: bool = False


_AMOUNTS: Mapping[PerturbationKind, _Amount] = MappingProxyType(
    {
        PerturbationKind.NOISE: _Amount(2.0, 0.0, 255.0, "a standard deviation of 0 to 255 levels, such as noise:2"),
        PerturbationKind.JPEG: _Amount(75.0, 1.0, 100.0, "a quality from 1 to 100, such as jpeg:75", whole=True),
        PerturbationKind.LIGHT: _Amount(2.0, -100.0, 1000.0, "a percentage from -100 to 1000, such as light:2%"),
        PerturbationKind.ROTATE: _Amount(1.0, -180.0, 180.0, "an angle from -180 to 180 degrees, such as rotate:1"),
        PerturbationKind.OBJECT: _Amount(1.0, 0.0, 16.0, "a number of pixels up to 16, such as object:1", whole=True),
    }
)


@dataclass(frozen=True, slots=True)
class Perturbation:
    """One of them with its strength; without an ``amount`` of its own, that of half a pixel is 0.5."""

    kind: PerturbationKind
    amount: float

    @property
    def name(self) -> str:
        """As ``--protocol`` and reports spell it."""
        amount = _AMOUNTS.get(self.kind)
        if amount is None or (self.kind is PerturbationKind.OBJECT and self.amount == amount.usual):
            return self.kind.value
        return f"{self.kind.value}:{self.amount:g}{'%' if self.kind is PerturbationKind.LIGHT else ''}"

    @property
    def meaning(self) -> str:
        """One line for reports."""
        words = {
            PerturbationKind.NOISE: f"the picture with noise of {self.amount:g} levels of 255",
            PerturbationKind.JPEG: f"the picture coded as JPEG of quality {self.amount:g}",
            PerturbationKind.LIGHT: f"the picture with {self.amount:+g} % of light",
            PerturbationKind.ROTATE: f"the picture turned by {self.amount:g} degrees",
            PerturbationKind.HALF_PIXEL: "the picture sampled half a pixel apart on both axes",
            PerturbationKind.HALF_PIXEL_RESIZED: "the resized picture sampled half a pixel apart on both axes",
            PerturbationKind.OBJECT: f"an object that moves by {self.amount:g} px before the still picture",
        }
        return words[self.kind]

    @property
    def moves_half(self) -> bool:
        """Whether everything moves by half a pixel, and nothing else happens."""
        return self.kind in (PerturbationKind.HALF_PIXEL, PerturbationKind.HALF_PIXEL_RESIZED)

    @property
    def canvases(self) -> int:
        """How many pictures it makes of one: a moving object is in both that are compared."""
        return 2 if self.kind is PerturbationKind.OBJECT else 1


def perturbation(word: str) -> Perturbation | None:
    """The perturbation that a word names; None for a word of another kind.

    Raises:
        ValueError: its amount is not valid; the message says what it must be.
    """
    name, colon, number = word.partition(":")
    kind = next((kind for kind in PerturbationKind if kind.value == name), None)
    if kind is None:
        return None
    known = _AMOUNTS.get(kind)
    if known is None:
        if colon:
            raise ValueError(f"{name} has no amount; it is {word!r}")
        return Perturbation(kind, 0.5)
    if not colon:
        return Perturbation(kind, known.usual)
    try:
        amount = float(number.removesuffix("%") if kind is PerturbationKind.LIGHT else number)
    except ValueError:
        amount = float("nan")
    if not known.least <= amount <= known.largest or (known.whole and amount % 1):
        raise ValueError(f"{name} must have {known.must}; it is {word!r}")
    return Perturbation(kind, amount)
