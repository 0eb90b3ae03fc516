"""What the file of a model says of the pictures that it reads, in the metadata of two conventions.

* ``Image.BitmapPixelFormat`` and ``Image.NominalPixelRange`` of ONNX, docs/MetadataProps.md, which Windows ML reads:
  keys and values in any case; without a range it is 0 to 255, as there.
* ``task``, ``names``, ``stride`` and ``imgsz`` of ultralytics 8.0 to 8.4, engine/exporter.py. What finds places is
  exported for engine/predictor.py (the preset ``ultralytics``), a classifier for data/augment.py classify_transforms,
  which scales to 0..1 and cuts the middle out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from auditor.onnxfile.told import is_ultralytics, told_size

_PLACES = frozenset({"detect", "segment", "pose", "obb"})
_ORDERS = {"rgb8": "rgb", "rgba8": "rgb", "bgr8": "bgr", "bgra8": "bgr"}
_RANGES = {"nominalrange_0_255": "raw", "normalized_0_1": "unit", "normalized_1_1": "signed"}


@dataclass(frozen=True, slots=True)
class ToldPipeline:
    """The ``preset``, ``rgb`` or ``bgr`` where the file says the order of the colours, and the size (H, W) in pixels of
    an input that leaves it open.
    """

    preset: str
    order: str | None = None
    size: tuple[int, int] | None = None

    @property
    def words(self) -> str:
        """The preset and the order of the colours."""
        return self.preset if self.order is None else f"{self.preset}, {self.order}"


def told_pipeline(metadata: Mapping[str, str]) -> ToldPipeline | None:
    """What a file with these metadata says of its pictures; None where it says nothing, or nothing that is known.

    >>> told_pipeline({"task": "detect", "names": "{0: 'person'}", "stride": "32", "imgsz": "[320, 640]"})
    ToldPipeline(preset='ultralytics', order=None, size=(320, 640))
    >>> told_pipeline({"Image.BitmapPixelFormat": "Bgr8", "Image.NominalPixelRange": "Normalized_0_1"})
    ToldPipeline(preset='unit', order='bgr', size=None)
    >>> told_pipeline({"author": "somebody"}) is None
    True
    """
    if is_ultralytics(metadata):
        preset = "ultralytics" if metadata["task"] in _PLACES else "unit" if metadata["task"] == "classify" else None
        return None if preset is None else ToldPipeline(preset, size=told_size(metadata))
    words = {key.lower(): value.lower() for key, value in metadata.items() if key.lower().startswith("image.")}
    order = _ORDERS.get(words.get("image.bitmappixelformat", ""))
    preset = _RANGES.get(words.get("image.nominalpixelrange", "nominalrange_0_255"))
    return None if order is None or preset is None else ToldPipeline(preset, order)
