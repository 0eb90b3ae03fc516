"""The deployed pipeline around a model: how a picture is resized and placed before it is run, how answers are read
behind.

from auditor import pipeline

small = pipeline.resize(picture, (224, 224), "cv2-area")
boxed, placement = pipeline.fit(picture, (640, 640), "letterbox", kernel="cv2-linear")
array, placement = pipeline.prepare(picture, "ultralytics", (640, 640))
placement.boxes_to_picture(boxes)
"""

from __future__ import annotations

from auditor.pipeline.decoding import decode, layouts
from auditor.pipeline.fitting import fit, place
from auditor.pipeline.native import shifted
from auditor.pipeline.placement import Placement
from auditor.pipeline.preparing import prepare
from auditor.pipeline.preset import Preset, presets
from auditor.pipeline.resizing import kernels, resize

__all__ = [
    "Placement",
    "Preset",
    "decode",
    "fit",
    "kernels",
    "layouts",
    "place",
    "prepare",
    "presets",
    "resize",
    "shifted",
]
