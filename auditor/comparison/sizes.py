"""Two models at one input size: where one of them leaves sizes open that the other fixes, both are seen at those."""

from __future__ import annotations

from auditor.onnxfile.graph import Model, ValueInfo
from auditor.sampling.analysis import Shapes
from auditor.sampling.result import Analysis


def shared_shapes(model: Model, analysis: Analysis, other: Model) -> Shapes:
    """The shapes for the inputs of ``model`` that it leaves open where ``other`` fixes the sizes of the same input.

    ``analysis`` is the one of ``model``: what both leave open keeps the sizes that were assumed there.
    """
    theirs = {value.name: value for value in real_inputs(other)}
    mine = real_inputs(model)
    if len(mine) == len(theirs) == 1:
        theirs = {mine[0].name: next(iter(theirs.values()))}
    assumed = {(source.input.raw, source.axis): source.size for source in analysis.sources if source.assumed}
    shapes = {}
    for value in mine:
        if value.name in theirs and (shape := _filled(value, theirs[value.name], assumed)) is not None:
            shapes[value.name] = shape
    return shapes


def real_inputs(model: Model) -> list[ValueInfo]:
    """The inputs that have to be fed: all but those that are only named weights."""
    return [value for value in model.graph.inputs if value.name not in model.graph.initializers]


def _filled(value: ValueInfo, other: ValueInfo, assumed: dict[tuple[str, int], int]) -> tuple[int, ...] | None:
    """The sizes of ``value`` with those of ``other`` where it has none; None where they say nothing or contradict."""
    if value.dims is None or other.dims is None or len(value.dims) != len(other.dims):
        return None
    sizes, learned = [], False
    for axis, (own, its) in enumerate(zip(value.dims, other.dims, strict=True)):
        fixed = isinstance(its, int) and its > 0
        if isinstance(own, int) and own > 0:
            if axis and fixed and own != its:
                return None
            sizes.append(own)
        elif isinstance(its, int) and fixed:
            learned = learned or (value.name, axis) in assumed
            sizes.append(its)
        else:
            sizes.append(assumed.get((value.name, axis), 1))
    return tuple(sizes) if learned else None
