"""What a layout of outputs is: how it is recognised, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import get_type_hints

import numpy as np

from auditor.pipeline.decoding.answers import Answer, Array


class Evidence(IntEnum):
    """How sure a signature is; the surest decides, and two that are equally sure are a question to the user."""

    NONE = 0
    SHAPE = 1  # the shapes fit, as those of other families may
    VALUES = 2  # the shapes fit, and the values rule the other readings out
    NAMES = 3  # output names or operators that this family alone has
    METADATA = 4  # the file says so


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """All that a recogniser and a reader see of a model that has run.

    ``outputs`` are the arrays by name, in the order of the graph; ``size`` is the input's (height, width) of this run;
    ``metadata`` the file's own; ``operators`` the operator types of its graph. float16 outputs become float32, so that
    no decoder computes in steps of half a pixel.
    """

    outputs: Mapping[str, Array]
    size: tuple[int, int]
    metadata: Mapping[str, str] = field(default_factory=dict)
    operators: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        wide = {
            name: array.astype(np.float32) if array.dtype == np.float16 else array
            for name, array in self.outputs.items()
        }
        object.__setattr__(self, "outputs", wide)

    @property
    def arrays(self) -> Sequence[Array]:
        return tuple(self.outputs.values())

    @property
    def names(self) -> Sequence[str]:
        """Output names without the ``:0`` of TensorFlow."""
        return tuple(name.removesuffix(":0") for name in self.outputs)

    def named(self, name: str) -> Array:
        """The output of that name.

        Raises:
            LayoutError: there is none.
        """
        for known, array in zip(self.names, self.arrays, strict=True):
            if known == name:
                return array
        raise LayoutError(f"there is no output {name!r}; there is {', '.join(self.names)}")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: ``score`` is the least score of an object, ``iou`` the overlap above which two are one object.

    What no file tells: ``anchors`` in pixels, level by level, each (width, height), with the ``strides`` of the levels;
    ``scale_x_y`` of YOLOv4; ``alphabet`` of a text reader without its blank, ``blank`` as ``first`` or ``last``;
    ``refine`` of heat maps as ``argmax``, ``quarter`` (a quarter of a sample towards the higher neighbour) or ``dark``.
    """

    score: float = 0.25
    iou: float = 0.45
    anchors: Sequence[Sequence[tuple[float, float]]] | None = None
    strides: Sequence[int] | None = None
    scale_x_y: Sequence[float] | float | None = None
    alphabet: str | None = None
    blank: str | None = None
    refine: str = "quarter"


@dataclass(frozen=True, slots=True)
class Layout:
    """One family's layout: its name for ``--layout``, what it is, where its formula is stated, its signature and
    reader.
    """

    name: str
    family: str
    source: str
    fits: Callable[[Signature], Evidence]
    read: Callable[[Signature, Reading], Answer]
    needs: tuple[str, ...] = ()  # fields of Reading that the file does not tell
    people: bool = False  # its objects are people, whose points are the answer and not their boxes

    @property
    def answer(self) -> type[Answer]:
        """What its reader gives."""
        kind: type[Answer] = get_type_hints(self.read)["return"]
        return kind


class LayoutError(ValueError):
    """Outputs that the layout does not fit, or that fit no layout, or more than one."""
