"""The axes of the picture: which axes of which inputs are cut together, and at which sizes a model is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.onnxfile.graph import Model
from auditor.sampling.result import Analysis

AXIS_NAMES: Mapping[int, tuple[str, ...]] = {
    1: ("length",),
    2: ("height", "width"),
    3: ("depth", "height", "width"),
}


@dataclass(frozen=True, slots=True)
class PictureAxis:
    """One axis of the picture. ``sources`` are the source axes of all inputs that are cut along it.

    ``size`` is that of the first input at hand, ``open`` says that the file leaves it open.
    """

    name: str
    sources: frozenset[int]
    size: int
    open: bool


def picture_axes(analysis: Analysis, main: Sequence[int]) -> tuple[PictureAxis, ...]:
    """The axes that ``main``, the source axes of a map in its order, stand for, with those of further inputs.

    Another input is cut with the first where it has as many spatial axes of the same sizes.
    """
    sources = analysis.sources
    first = sources[main[0]].input
    inputs: dict[str, list[int]] = {}
    for index in sorted(analysis.spatial):
        inputs.setdefault(sources[index].input.raw, []).append(index)
    own = inputs[first.raw]
    groups = {index: {index} for index in main}
    for others in inputs.values():
        if others is own or [sources[one].size for one in others] != [sources[one].size for one in own]:
            continue
        for index, other in zip(own, others, strict=True):
            if index in groups:
                groups[index].add(other)
    names = AXIS_NAMES.get(len(main)) or tuple(f"axis {index}" for index in range(len(main)))
    return tuple(
        PictureAxis(name, frozenset(groups[index]), sources[index].size, sources[index].assumed)
        for name, index in zip(names, main, strict=True)
    )


def shapes_at(
    model: Model, analysis: Analysis, axes: Sequence[PictureAxis], sizes: Sequence[int]
) -> dict[str, tuple[int, ...]]:
    """The shapes of all inputs when the picture has these sizes; axes that the file fixes stay."""
    shapes = {}
    for value in model.graph.inputs:
        known = analysis.shapes.get(value.name)
        if value.name in model.graph.initializers or known is None:
            continue
        shape = list(known)
        for axis, size in zip(axes, sizes, strict=True):
            for index in axis.sources:
                source = analysis.sources[index]
                if source.input.raw == value.name and source.assumed:
                    shape[source.axis] = size
        shapes[value.name] = tuple(shape)
    return shapes
