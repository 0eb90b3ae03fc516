"""The outputs of a model read as boxes, keypoints, text or numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from auditor.pipeline.decoding.answers import Answer, Array, Detections, Keypoints, Numbers, Regions, Text
from auditor.pipeline.decoding.choice import candidates, choose, layouts, read_part
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

__all__ = [
    "Answer",
    "Detections",
    "Evidence",
    "Keypoints",
    "Layout",
    "LayoutError",
    "Numbers",
    "Reading",
    "Regions",
    "Signature",
    "Text",
    "candidates",
    "decode",
    "layouts",
]


def decode(
    outputs: Mapping[str, Array],
    layout: str = "auto",
    *,
    input_size: tuple[int, int],
    metadata: Mapping[str, str] | None = None,
    operators: frozenset[str] = frozenset(),
    **reading: Any,
) -> Answer:
    """The answer in the outputs of one run on one picture, in pixels of the model's input.

    ``outputs`` are the arrays by name in the order of the graph, with their batch axis of 1; ``input_size`` is (height,
    width); ``layout`` is a name of :func:`layouts`, or ``auto``, which takes a layout only when exactly one fits.
    ``metadata`` and ``operators`` (operator types) of the file make ``auto`` surer. ``reading`` are the fields of
    :class:`Reading`: ``score``, ``iou``, and what no file tells, such as ``anchors`` or ``alphabet``.

    Raises:
        LayoutError: there is no such layout, the outputs do not fit it, none fits, or several do.

    >>> import numpy as np
    >>> rows = np.zeros((1, 7, 84), np.float32)  # 64 x 64 pixels: 84 cells, three classes
    >>> rows[0, :4, 5], rows[0, 6, 5] = (20, 30, 10, 8), 0.9
    >>> found = decode({"output0": rows}, "yolov8", input_size=(64, 64))
    >>> found.boxes.tolist(), found.labels.tolist()
    ([[15.0, 26.0, 25.0, 34.0]], [2])
    """
    signature = Signature(_numbers(outputs), input_size, metadata or {}, operators)
    chosen = choose(signature, layout)
    wanted = Reading(**reading)
    missing = [need for need in chosen.needs if getattr(wanted, need) is None]
    if missing:
        raise LayoutError(f"layout {chosen.name} needs {' and '.join(missing)}, which no file tells")
    if (number := _pictures(signature, chosen)) > 1:
        raise LayoutError(f"the outputs are of {number} pictures: give those of one, with their batch axis of 1")
    part = read_part(chosen, signature)
    try:
        with np.errstate(all="ignore"):  # what is not finite is left out by the readers
            return chosen.read(part, wanted)
    except (ArithmeticError, IndexError, ValueError) as error:
        if isinstance(error, LayoutError):
            raise
        shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in outputs.items())
        raise LayoutError(f"the outputs {shapes} do not have the layout {chosen.name} ({error})") from error


def _pictures(signature: Signature, layout: Layout) -> int:
    """How many pictures the outputs are of, where their first axes tell; 1 where they do not.

    Text may have its steps first, and the rows of selected objects have no batch axis.
    """
    firsts = {array.shape[0] for array in signature.arrays if array.ndim}
    ranks = [array.ndim for array in signature.arrays]
    batched = len(firsts) == 1 and max(ranks, default=0) >= 3 and layout.answer is not Text and 1 not in ranks
    return int(firsts.pop()) if batched else 1


def _numbers(outputs: Mapping[str, Array]) -> Mapping[str, Array]:
    """The outputs with truth values as 0 and 1."""
    arrays = {name: np.asarray(array) for name, array in outputs.items()}
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise LayoutError(f"the output {name} has {array.dtype} values, which no layout reads")
    if not arrays:
        raise LayoutError("there is no output to decode")
    return {name: array.astype(np.uint8) if array.dtype == np.bool_ else array for name, array in arrays.items()}
