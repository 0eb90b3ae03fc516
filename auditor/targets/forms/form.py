"""What a form is: a way of writing an operator that runtimes may treat alike, recognised on one node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from auditor.sampling.observed import ObservedNode


@dataclass(frozen=True, slots=True)
class Form:
    """One form. ``words`` say what the node does, ``portable`` how to write it so that it is the same everywhere.

    ``holds`` is asked of nodes of ``operators`` only. ``refines``: a target whose table is silent about this form
    treats it as the other forms that hold; without it silence means that nothing is known.
    """

    name: str
    operators: frozenset[str]
    words: str
    portable: str
    holds: Callable[[ObservedNode], bool]
    refines: bool = False


def integer(node: ObservedNode, name: str, default: int) -> int:
    """An integer attribute, the default where it is absent or of another type."""
    value = node.attributes.get(name, default)
    return value if isinstance(value, int) else default


def text(node: ObservedNode, name: str, default: str) -> str:
    """A text attribute, the default where it is absent or of another type."""
    value = node.attributes.get(name, default)
    return value if isinstance(value, str) else default


def integers(node: ObservedNode, name: str) -> tuple[int, ...] | None:
    """A list of integers; None where it is absent or of another type."""
    value = node.attributes.get(name)
    if not isinstance(value, tuple):
        return None
    numbers = tuple(entry for entry in value if isinstance(entry, int))
    return numbers if len(numbers) == len(value) else None
