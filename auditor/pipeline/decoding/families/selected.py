"""Several outputs with the selection inside: boxes, scores and classes of the objects that were kept."""

from __future__ import annotations

import numpy as np

from auditor.pipeline.decoding.answers import Array, Detections
from auditor.pipeline.decoding.families.common import of_labels
from auditor.pipeline.decoding.layout import Evidence, Layout, LayoutError, Reading, Signature

_TF = {"detection_boxes", "detection_classes", "detection_scores"}
_EFFICIENT_NMS = {"num_dets", "det_boxes", "det_scores", "det_classes"}
_WITH_SIZES = {"labels", "boxes", "scores"}


def _flat(array: Array, width: int) -> Array:
    """(M, width) or, for a width of 1, (M,), without the batch axis.

    Raises:
        LayoutError: rows have another width.
    """
    if width > 1 and array.shape[-1] != width:
        raise LayoutError(f"rows of {width} numbers were expected; there is {list(array.shape)}")
    return array.reshape(-1, width) if width > 1 else array.reshape(-1)


def _has(signature: Signature, names: set[str]) -> bool:
    return names <= set(signature.names)


def _fits_tf(signature: Signature) -> Evidence:
    return Evidence.NAMES if _has(signature, _TF) else Evidence.NONE


def _read_tf(signature: Signature, reading: Reading) -> Detections:
    boxes = _flat(signature.named("detection_boxes"), 4)[:, [1, 0, 3, 2]] * np.tile(signature.size[::-1], 2)
    scores = _flat(signature.named("detection_scores"), 1)
    return of_labels(boxes, scores, _flat(signature.named("detection_classes"), 1), reading, suppress=False)


def _fits_efficient_nms(signature: Signature) -> Evidence:
    return Evidence.NAMES if _has(signature, _EFFICIENT_NMS) else Evidence.NONE


def _read_efficient_nms(signature: Signature, reading: Reading) -> Detections:
    number = int(signature.named("num_dets").reshape(-1)[0])  # rows behind it are stale
    boxes = _flat(signature.named("det_boxes"), 4)[:number]
    scores = _flat(signature.named("det_scores"), 1)[:number]
    return of_labels(boxes, scores, _flat(signature.named("det_classes"), 1)[:number], reading, suppress=False)


def _dets(signature: Signature) -> bool:
    return "dets" in signature.names and signature.named("dets").ndim == 3 and signature.named("dets").shape[-1] == 5


def _fits_mmdeploy(signature: Signature) -> Evidence:
    return Evidence.NAMES if _dets(signature) and "labels" in signature.names else Evidence.NONE


def _read_mmdeploy(signature: Signature, reading: Reading) -> Detections:
    table = _flat(signature.named("dets"), 5)
    labels = _flat(signature.named("labels"), 1)
    real = labels >= 0  # rows that fill up have the label -1
    return of_labels(table[real, :4], table[real, 4], labels[real], reading, suppress=False)


def _fits_rtmo(signature: Signature) -> Evidence:
    return Evidence.NAMES if _dets(signature) and "keypoints" in signature.names else Evidence.NONE


def _read_rtmo(signature: Signature, reading: Reading) -> Detections:
    table, points = _flat(signature.named("dets"), 5), signature.named("keypoints")[0]
    return of_labels(
        table[:, :4],
        table[:, 4],
        np.zeros(len(table), np.int64),
        reading,
        suppress=False,
        keypoints=points[..., :2],
        visibility=points[..., 2],
    )


def _fits_with_sizes(signature: Signature) -> Evidence:
    if set(signature.names) != _WITH_SIZES or signature.named("boxes").ndim != 3:
        return Evidence.NONE
    return Evidence.NAMES if np.issubdtype(signature.named("labels").dtype, np.integer) else Evidence.NONE


def _read_with_sizes(signature: Signature, reading: Reading) -> Detections:
    boxes, scores = _flat(signature.named("boxes"), 4), _flat(signature.named("scores"), 1)
    return of_labels(boxes, scores, _flat(signature.named("labels"), 1), reading, suppress=False)


def _torchvision(signature: Signature) -> tuple[Array, Array, Array] | None:
    """Boxes (M, 4), labels and scores (M,), told apart by rank and dtype: their order and names differ by model."""
    tables = [array for array in signature.arrays if array.ndim == 2 and array.shape[1] == 4]
    vectors = [array for array in signature.arrays if array.ndim == 1]
    whole = [array for array in vectors if np.issubdtype(array.dtype, np.integer)]
    shares = [array for array in vectors if np.issubdtype(array.dtype, np.floating)]
    if not (len(tables) == len(whole) == len(shares) == 1 and len(vectors) == 2):
        return None
    return (tables[0], whole[0], shares[0]) if len(tables[0]) == len(whole[0]) == len(shares[0]) else None


def _fits_torchvision(signature: Signature) -> Evidence:
    return Evidence.NAMES if _torchvision(signature) is not None else Evidence.NONE


def _read_torchvision(signature: Signature, reading: Reading) -> Detections:
    parts = _torchvision(signature)
    if parts is None:
        raise LayoutError("boxes (M, 4), whole labels (M,) and scores (M,) were expected")
    boxes, labels, scores = parts
    return of_labels(boxes, scores, labels, reading, suppress=False)


def _zoo(signature: Signature) -> tuple[Array, Array, Array] | None:
    """Boxes (N, 4), scores (classes, N) and the indices (M, 3) of batch, class and box that were kept."""
    if len(signature.arrays) != 3:
        return None
    boxes, scores, kept = signature.arrays
    if boxes.ndim != 3 or boxes.shape[-1] != 4 or scores.ndim != 3 or scores.shape[-1] != boxes.shape[1]:
        return None
    whole = kept.shape[-1:] == (3,) and np.issubdtype(kept.dtype, np.integer)
    return (boxes[0], scores[0], kept.reshape(-1, 3)) if whole else None


def _fits_zoo(signature: Signature) -> Evidence:
    return Evidence.NAMES if _zoo(signature) is not None else Evidence.NONE


def _read_zoo(signature: Signature, reading: Reading) -> Detections:
    parts = _zoo(signature)
    if parts is None:
        raise LayoutError("boxes (1, N, 4), scores (1, classes, N) and whole indices (1, M, 3) were expected")
    boxes, scores, kept = parts
    kept = kept[np.all(kept >= 0, axis=1)]
    _, label, box = kept.T
    return of_labels(boxes[box][:, [1, 0, 3, 2]], scores[label, box], label, reading, suppress=False)


def _fits_nas_batch(signature: Signature) -> Evidence:
    names = {"num_predictions", "pred_boxes", "pred_scores", "pred_classes"}
    return Evidence.NAMES if _has(signature, names) else Evidence.NONE


def _read_nas_batch(signature: Signature, reading: Reading) -> Detections:
    number = int(signature.named("num_predictions").reshape(-1)[0])
    boxes = _flat(signature.named("pred_boxes"), 4)[:number]
    scores = _flat(signature.named("pred_scores"), 1)[:number]
    return of_labels(boxes, scores, _flat(signature.named("pred_classes"), 1)[:number], reading, suppress=False)


def _fits_ssd_zoo(signature: Signature) -> Evidence:
    return Evidence.NAMES if set(signature.names) == {"bboxes", "labels", "scores"} else Evidence.NONE


def _read_ssd_zoo(signature: Signature, reading: Reading) -> Detections:
    """Corners as shares of the input."""
    boxes = _flat(signature.named("bboxes"), 4) * np.tile(signature.size[::-1], 2)
    scores, labels = _flat(signature.named("scores"), 1), _flat(signature.named("labels"), 1)
    return of_labels(boxes, scores, labels, reading, suppress=False)


def _lists(signature: Signature) -> tuple[Array, Array, Array] | None:
    """Boxes (N, 4), one score and perhaps one whole class each, where there is nothing else."""
    arrays = [array[0] if array.ndim > 1 and array.shape[0] == 1 else array for array in signature.arrays]
    tables = [array for array in arrays if array.ndim == 2 and array.shape[1] == 4]
    vectors = [array.reshape(-1) for array in arrays if array.ndim == 1 or array.shape[1:] == (1,)]
    if len(tables) != 1 or len(arrays) != 1 + len(vectors) or any(len(vector) != len(tables[0]) for vector in vectors):
        return None
    shares = [vector for vector in vectors if np.issubdtype(vector.dtype, np.floating)]
    whole = [vector for vector in vectors if np.issubdtype(vector.dtype, np.integer)]
    if len(shares) != 1 or len(whole) > 1 or shares[0].min(initial=0) < 0 or shares[0].max(initial=0) > 1:
        return None
    return tables[0], shares[0], whole[0] if whole else np.zeros(len(shares[0]), np.int64)


def _fits_lists(signature: Signature) -> Evidence:
    parts = _lists(signature)
    if parts is None or not len(parts[0]):
        return Evidence.NONE
    return Evidence.SHAPE if np.all(parts[0][:, 2:] >= parts[0][:, :2]) else Evidence.NONE


def _read_lists(signature: Signature, reading: Reading) -> Detections:
    """Corners in pixels, or as shares of the input where none is beyond 2."""
    parts = _lists(signature)
    if parts is None:
        raise LayoutError("boxes (N, 4), scores (N,) in 0..1 and perhaps whole labels (N,) were expected")
    boxes, scores, labels = parts
    scale = np.tile(signature.size[::-1], 2) if np.abs(boxes).max(initial=0) <= 2 else 1
    return of_labels(boxes * scale, scores, labels, reading, suppress=False)


LAYOUTS = (
    Layout("lists", "boxes, scores and perhaps labels", "the outputs themselves", _fits_lists, _read_lists),
    Layout(
        "tf-detection", "TensorFlow Object Detection API", "its documentation of exported models", _fits_tf, _read_tf
    ),
    Layout("efficient-nms", "EfficientNMS of TensorRT", "the plugin's page", _fits_efficient_nms, _read_efficient_nms),
    Layout("mmdeploy", "mmdetection through mmdeploy", "mmdeploy 1.3", _fits_mmdeploy, _read_mmdeploy),
    Layout("rtmo", "RTMO", "mmdeploy 1.3", _fits_rtmo, _read_rtmo, people=True),
    Layout("rtdetr", "RT-DETR, D-FINE, DEIM with sizes", "RT-DETR's exporter", _fits_with_sizes, _read_with_sizes),
    Layout(
        "torchvision",
        "torchvision's detectors",
        "torchvision 0.29, exported graphs",
        _fits_torchvision,
        _read_torchvision,
    ),
    Layout("ssd-zoo", "SSD with ResNet-34 of the ONNX zoo", "the zoo's model page", _fits_ssd_zoo, _read_ssd_zoo),
    Layout("yolov3-zoo", "YOLOv3 of the ONNX zoo", "the zoo's model page", _fits_zoo, _read_zoo),
    Layout(
        "yolonas-batch", "YOLO-NAS, batched", "super-gradients 3.7, documentation", _fits_nas_batch, _read_nas_batch
    ),
)
