"""What is measured on shifted inputs, one file per task: arrays in, numbers out.

:data:`MEASURES` is the table of names that results, reports and settings use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class MeasureFacts:
    """What a measure is: ``unit`` is "share", "probability", "px" or "ratio"; ``meaning`` is one line for reports."""

    unit: str
    higher_is_better: bool
    meaning: str


MEASURES: Mapping[str, MeasureFacts] = MappingProxyType(
    {
        "consistency": MeasureFacts("share", True, "random pairs of shifts with the same top-1 class"),
        "top1-change": MeasureFacts("share", False, "shifts of one pixel that change the top-1 class"),
        "mac": MeasureFacts("probability", False, "mean change of the reference class's probability, random shifts"),
        "mac-1px": MeasureFacts("probability", False, "the same for shifts of one pixel"),
        "jaggedness": MeasureFacts("share", False, "one-pixel steps of a path at which the top-5 decision flips"),
        "worst-case": MeasureFacts("share", False, "images whose class some shift of the radius changes"),
        "worst-change": MeasureFacts("probability", False, "largest change of the score over all shifts of the radius"),
        "accuracy": MeasureFacts("share", True, "unshifted inputs with the labelled class"),
        "shifted-accuracy": MeasureFacts("share", True, "inputs of the random pairs with the labelled class"),
        "robust-accuracy": MeasureFacts("share", True, "images with the labelled class at every shift of the radius"),
        "stability": MeasureFacts("share", True, "random pairs that agree and are right"),
        "fidelity": MeasureFacts("share", True, "inputs, positions or boxes as in the reference model"),
        "fidelity-cosine": MeasureFacts("ratio", True, "cosine between the outputs of this and the reference model"),
        "massc": MeasureFacts("share", True, "positions of the overlap with the same class (mASSC)"),
        "equivariance-error": MeasureFacts("ratio", False, "difference on the overlap relative to the output"),
        "cosine": MeasureFacts("ratio", True, "cosine between the outputs of two shifts"),
        "centre-jitter": MeasureFacts("px", False, "distance of matched boxes' centres after the shift is undone"),
        "size-deviation": MeasureFacts("ratio", False, "relative change of matched boxes' width and height"),
        "score-deviation": MeasureFacts("probability", False, "change of matched boxes' score"),
        "flicker": MeasureFacts("share", False, "boxes that appear or disappear"),
    }
)
