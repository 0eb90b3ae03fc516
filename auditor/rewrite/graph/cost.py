"""Predicted cost: multiply-adds and the largest tensor, from shapes alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.sampling.work import node_multiply_adds


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
    return node_multiply_adds(
        part.domain, part.op, part.attributes, part.inputs, part.outputs, lambda name: _dims(editor, name)
    )


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


@dataclass(frozen=True, slots=True)
class Cost:
    """Multiply-adds that a rewrite adds (None: not known), and the elements of the largest tensor that it makes.

    ``note`` says how it is done, where there are several ways.
    """

    added: int | None
    elements: int
    note: str = ""
