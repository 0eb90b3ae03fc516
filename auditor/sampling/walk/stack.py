"""Phases of a map that stand beside each other on another axis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stack:
    """Copies of one site on the batch axis: the indices of their sites and their phases, in the order of the Concat."""

    output: str
    sites: tuple[int, ...]
    phases: tuple[tuple[int, ...], ...]
