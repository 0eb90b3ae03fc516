"""Predicted cost: multiply-adds and the largest tensor, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from auditor.rewrite.graph.parts import Part
from auditor.rewrite.graph.surgery import Surgeon
from auditor.sampling.traits import Family, traits_of


@dataclass(frozen=True, slots=True)
class Tally:
    """The ``known`` multiply-adds of some nodes, how many of them are ``heavy``, and of how many they are not known."""

    known: int = 0
    heavy: int = 0
    unknown: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.known + other.known, self.heavy + other.heavy, self.unknown + other.unknown)

    @property
    def total(self) -> int | None:
        """The multiply-adds of all, None where more than a tenth of the heavy ones are unknown."""
        return None if 10 * self.unknown > self.heavy else self.known


def multiply_adds(surgeon: Surgeon, part: Part) -> int | None:
    """The multiply-adds of a node at the sizes of the analysis: 0 for what is cheap, None where shapes are unknown."""
    traits = traits_of(part.domain, part.op)
    if traits.family in (Family.CONVOLUTION, Family.TRANSPOSED):
        place = traits.weights or 0
        weight = _dims(surgeon, part.inputs[place]) if len(part.inputs) > place else None
        samples = surgeon.shape(part.inputs[0] if traits.family is Family.TRANSPOSED else part.outputs[0])
        # Every sample of the result (of what is spread, where a convolution is transposed) costs one filter.
        return None if not weight or samples is None else prod(samples) * prod(weight[1:])
    if traits.family is Family.PRODUCT:
        left, result = _dims(surgeon, part.inputs[0]), surgeon.shape(part.outputs[0])
        if not left or result is None:
            return None
        turned = part.attributes.get("transA") and len(left) > 1
        return prod(result) * (left[-2] if turned else left[-1])
    if traits.family is Family.POOL:
        kernel, result = part.attributes.get("kernel_shape"), surgeon.shape(part.outputs[0])
        return None if result is None or not isinstance(kernel, tuple) else prod(result) * prod(map(int, _ints(kernel)))
    return 0


def total(surgeon: Surgeon, parts: Iterable[Part]) -> int | None:
    """The multiply-adds of several nodes, None where more than a tenth of the heavy ones are unknown."""
    return tally(surgeon, parts).total


def tally(surgeon: Surgeon, parts: Iterable[Part]) -> Tally:
    """The multiply-adds of several nodes, to be added to those of others."""
    heavy = [cost for cost in (multiply_adds(surgeon, part) for part in parts) if cost != 0]
    known = [cost for cost in heavy if cost is not None]
    return Tally(sum(known), len(heavy), len(heavy) - len(known))


def largest(surgeon: Surgeon, parts: Iterable[Part]) -> int:
    """The number of elements of the largest tensor that a node makes."""
    return max((prod(surgeon.shape(name) or (0,)) for part in parts for name in part.outputs if name), default=0)


def _dims(surgeon: Surgeon, tensor: str) -> tuple[int, ...] | None:
    constant = surgeon.constant(tensor)
    return constant.dims if constant is not None else surgeon.shape(tensor)


def _ints(values: tuple[object, ...]) -> list[int]:
    return [value for value in values if isinstance(value, int)]


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds that a rewrite adds (None: not known), and the elements of the largest tensor that it makes.

    ``note`` says how it is done, where there are several ways.
    """

    added: int | None
    elements: int
    note: str = ""
