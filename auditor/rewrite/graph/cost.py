"""Predicted cost: multiply-adds and the largest tensor, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.traits import Family, traits_of


@dataclass(frozen=True, slots=True)
class MacCount:
    """The ``known`` multiply-adds of some nodes, how many of them are ``heavy``, and of how many they are not known."""

    known: int = 0
    heavy: int = 0
    unknown: int = 0

    def __add__(self, other: MacCount) -> MacCount:
        return MacCount(self.known + other.known, self.heavy + other.heavy, self.unknown + other.unknown)

    @property
    def total(self) -> int | None:
        """The multiply-adds of all, None where more than a tenth of the heavy ones are unknown."""
        return None if 10 * self.unknown > self.heavy else self.known


def multiply_adds(editor: GraphEditor, part: EditNode) -> int | None:
    """The multiply-adds of a node at the sizes of the analysis: 0 for what is cheap, None where shapes are unknown."""
    traits = traits_of(part.domain, part.op)
    if traits.family in (Family.CONVOLUTION, Family.TRANSPOSED):
        place = traits.weights or 0
        weight = _dims(editor, part.inputs[place]) if len(part.inputs) > place else None
        samples = editor.shape(part.inputs[0] if traits.family is Family.TRANSPOSED else part.outputs[0])
        # Every sample of the result (of what is spread, where a convolution is transposed) costs one filter.
        return None if not weight or samples is None else prod(samples) * prod(weight[1:])
    if traits.family is Family.PRODUCT:
        left, result = _dims(editor, part.inputs[0]), editor.shape(part.outputs[0])
        if not left or result is None:
            return None
        turned = part.attributes.get("transA") and len(left) > 1
        return prod(result) * (left[-2] if turned else left[-1])
    if traits.family is Family.POOL:
        kernel, result = part.attributes.get("kernel_shape"), editor.shape(part.outputs[0])
        return None if result is None or not isinstance(kernel, tuple) else prod(result) * prod(map(int, _ints(kernel)))
    return 0


def total(editor: GraphEditor, parts: Iterable[EditNode]) -> int | None:
    """The multiply-adds of several nodes, None where more than a tenth of the heavy ones are unknown."""
    return tally(editor, parts).total


def tally(editor: GraphEditor, parts: Iterable[EditNode]) -> MacCount:
    """The multiply-adds of several nodes, to be added to those of others."""
    heavy = [cost for cost in (multiply_adds(editor, part) for part in parts) if cost != 0]
    known = [cost for cost in heavy if cost is not None]
    return MacCount(sum(known), len(heavy), len(heavy) - len(known))


def largest(editor: GraphEditor, parts: Iterable[EditNode]) -> int:
    """The number of elements of the largest tensor that a node makes."""
    return max((prod(editor.shape(name) or (0,)) for part in parts for name in part.outputs if name), default=0)


def _dims(editor: GraphEditor, tensor: str) -> tuple[int, ...] | None:
    constant = editor.constant(tensor)
    return constant.dims if constant is not None else editor.shape(tensor)


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
