"""Sets of queries: each is one object or nothing, and none is found twice."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.boxes import from_centre
from auditor.pipeline.decoding.families.common import best_class, sigmoid, softmax
from auditor.pipeline.decoding.layout import Evidence, Layout, Reading, Signature

# Queries of the families as they are published.
_DETR_QUERIES = 100


def _named(signature: Signature) -> bool:
    return {"logits", "pred_boxes"} <= set(signature.names)


def _nothing_wins(logits: Array) -> bool:
    """Whether the last class is the surest of most queries, as the class for nothing is; one class is an object."""
    return logits.shape[-1] > 1 and bool(np.mean(logits.argmax(axis=-1) == logits.shape[-1] - 1) > 0.5)


def _unsure(logits: Array) -> bool:
    """Whether no class is likely in most queries, as where each has a sigmoid: nothing else says that it is empty."""
    return bool(np.mean(logits.max(axis=-1) < 0) > 0.5)


def _fits_detr(signature: Signature) -> Evidence:
    if not _named(signature) or signature.named("logits").shape[-1] < 2:
        return Evidence.NONE
    logits = signature.named("logits")
    likely = _nothing_wins(logits) or (logits.shape[1] == _DETR_QUERIES and not _unsure(logits))
    return Evidence.NAMES if likely else Evidence.NONE


def _read_detr(signature: Signature, reading: Reading) -> Detections:
    return best_class(
        _boxes(signature, "pred_boxes"), softmax(signature.named("logits")[0])[:, :-1], reading, suppress=False
    )


def _fits_sigmoid(signature: Signature) -> Evidence:
    if not _named(signature):
        return Evidence.NONE
    logits = signature.named("logits")
    return Evidence.NAMES if _unsure(logits) or not _nothing_wins(logits) else Evidence.NONE


def _read_sigmoid(signature: Signature, reading: Reading) -> Detections:
    return best_class(_boxes(signature, "pred_boxes"), sigmoid(signature.named("logits")[0]), reading, suppress=False)


def _fits_rfdetr(signature: Signature) -> Evidence:
    if not {"dets", "labels"} <= set(signature.names):
        return Evidence.NONE
    boxes, logits = signature.named("dets"), signature.named("labels")
    fits = boxes.shape[-1] == 4 and logits.ndim == 3 and np.issubdtype(logits.dtype, np.floating)
    return Evidence.NAMES if fits else Evidence.NONE


def _read_rfdetr(signature: Signature, reading: Reading) -> Detections:
    return best_class(_boxes(signature, "dets"), sigmoid(signature.named("labels")[0])[:, :-1], reading, suppress=False)


def _boxes(signature: Signature, name: str) -> Array:
    """Centre and size as shares of the input, in corners and pixels."""
    result: Array = from_centre(signature.named(name)[0]) * np.tile(signature.size[::-1], 2)
    return result


LAYOUTS = (
    Layout("detr", "DETR, YOLOS", "transformers 5.24, post_process_object_detection", _fits_detr, _read_detr),
    Layout(
        "detr-sigmoid",
        "Conditional and Deformable DETR, RT-DETR, D-FINE of transformers",
        "transformers 5.24, post_process_object_detection",
        _fits_sigmoid,
        _read_sigmoid,
    ),
    Layout("rfdetr", "RF-DETR", "rfdetr 1.3, exporter", _fits_rfdetr, _read_rfdetr),
)
