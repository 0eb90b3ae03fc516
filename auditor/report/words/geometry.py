"""Where the values of an output lie on the picture, how much of a graph was followed, and what a new model changes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from auditor.facts.comparison import Comparison, GridChange, OutputChange
from auditor.report.words.numbers import axes_text, factor_text
from auditor.report.words.place import node_name
from auditor.sampling.result import Analysis, Head, HeadKind, Lattice
from auditor.text import count_text, plain

_NAME = 60


def coverage(analysis: Analysis) -> str:
    """How much of the graph was followed; empty where all of it was."""
    if not analysis.untracked:
        return ""
    hidden = sum(region.hidden_nodes for region in analysis.untracked)
    first = max(analysis.untracked, key=lambda region: region.hidden_nodes)
    more = len(analysis.untracked) - 1
    places = node_name(first.node) + (f" and {count_text(more, 'more node')}" if more else "")
    done = f"{analysis.tracked_nodes} of {count_text(analysis.nodes, 'node')} analysed"
    return f"{done}; {hidden} untracked behind {places}."


def centres(analysis: Analysis) -> Iterator[str]:
    """A sentence for each place beside the centre of their cells at which values of an output lie.

    A value i of a grid of stride s stands for the cell of input pixels from s i to s i + s - 1, whose centre is
    s i + (s - 1) / 2: what half-pixel coordinates and most decoders take it for. Padding that is not the same on both
    sides, and coordinates of a Resize, move it.
    """
    groups: dict[tuple[tuple[Fraction, Fraction, bool], ...], list[str]] = {}
    for head in analysis.heads:
        if _beside(head):
            places = tuple((lattice.stride, lattice.offset, lattice.size_dependent) for lattice in head.lattice)
            groups.setdefault(places, []).append(plain(head.output, _NAME))
    for places, names in groups.items():
        who = f"Output {names[0]}" if len(names) == 1 else f"Outputs {names[0]} and {len(names) - 1} more"
        off = axes_text(abs(offset - _centre(stride)) for stride, offset, _ in places)
        where = dict.fromkeys(_place(stride, offset) for stride, offset, _ in places)
        size = " at this input size" if any(dependent for *_, dependent in places) else ""
        yield f"{who}: value i lies at input pixel {' x '.join(where)}{size}, {off} px beside the centre of its cell."


def _place(stride: Fraction, offset: Fraction) -> str:
    """``8i + 3.5``."""
    step = "i" if stride == 1 else f"{factor_text(stride)}i"
    if not offset:
        return step
    return f"{step} {'+' if offset > 0 else '-'} {factor_text(abs(offset))}"


def _beside(head: Head) -> bool:
    return (
        head.kind is HeadKind.DENSE
        and bool(head.lattice)
        and all(_plain(lattice) for lattice in head.lattice)
        and any(lattice.offset != _centre(lattice.stride) for lattice in head.lattice)
    )


def _plain(lattice: Lattice) -> bool:
    """Whether the stride is a whole number or the inverse of one."""
    return lattice.stride > 0 and (lattice.stride.denominator == 1 or lattice.stride.numerator == 1)


def _centre(stride: Fraction) -> Fraction:
    return (stride - 1) / 2


def geometry_lines(found: Comparison) -> Iterator[str]:
    """What became of the grid of each output: its step, its receptive field and its centre, base to new."""
    for output in found.outputs:
        if output.grid is not None and not output.grid.same:
            yield f"{_named(output)}: {', '.join(_changes(output.grid))}"


def _named(output: OutputChange) -> str:
    name = output.new if output.new is not None else output.base
    return "an output" if name is None else f"output {plain(name, _NAME)}"


def _changes(grid: GridChange) -> Iterator[str]:
    for what, pairs in (("stride", grid.steps), ("receptive field", grid.fields)):
        if any(before != after for before, after in pairs):
            yield f"{what} {axes_text(old for old, _ in pairs)} to {axes_text(new for _, new in pairs)} px"
    if grid.shift:
        yield f"centre moved by {factor_text(grid.shift)} px"
    elif grid.detour:
        yield f"the deepest path moved by {factor_text(grid.detour)} px"
