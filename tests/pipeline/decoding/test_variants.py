"""Families are read in their variants: other numbers of classes and points, other sizes, levels, orders and names."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline.decoding import (
    Answer,
    Detections,
    LayoutError,
    Signature,
    candidates,
    decode,
)

Array = npt.NDArray[Any]

SIZES = [(64, 64), (96, 160), (160, 96), (72, 104)]
BOX = np.array([20.0, 12.0, 44.0, 52.0])
CENTRE = np.array([32.0, 32.0, 24.0, 40.0])


def cells(size: tuple[int, int], strides: tuple[int, ...]) -> list[tuple[float, float, int]]:
    """Column, row and stride of every cell, level by level."""
    return [
        (column, row, stride)
        for stride in strides
        for row in range(-(-size[0] // stride))
        for column in range(-(-size[1] // stride))
    ]


def background(size: tuple[int, int], strides: tuple[int, ...], columns: int, per_cell: int = 1) -> Array:
    """Rows of small boxes about the centres of their cells, of nothing."""
    places = np.repeat(np.array(cells(size, strides)), per_cell, axis=0)
    table = np.zeros((len(places), columns), np.float32)
    table[:, 0], table[:, 1] = (places[:, 0] + 0.5) * places[:, 2], (places[:, 1] + 0.5) * places[:, 2]
    table[:, 2:4] = places[:, 2:] * 1.3
    table[:, 4:] = 0.01
    return table


def chosen(outputs: dict[str, Array], size: tuple[int, int], **known: Any) -> list[str]:
    return [layout.name for layout in candidates(Signature(outputs, size, **known))]


def one(read: Answer, label: int = 0, score: float = 0.9) -> Detections:
    """The only object, which has to be the planted one."""
    assert isinstance(read, Detections)
    assert len(read) == 1
    assert np.allclose(read.boxes, [BOX], atol=0.01)
    assert read.labels.tolist() == [label]
    assert read.scores[0] == pytest.approx(score, abs=1e-4)
    return read


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 2, 3, 80])
@pytest.mark.parametrize("strides", [(8, 16, 32), (4, 8, 16, 32), (8, 16, 32, 64), (16, 32)])
@pytest.mark.parametrize("metadata", [{}, {"task": "detect", "names": "{0: 'a'}"}], ids=["bare", "told"])
def test_yolov8_in_any_size_with_any_classes_and_levels(
    size: tuple[int, int], classes: int, strides: tuple[int, ...], metadata: dict[str, str]
) -> None:
    table = background(size, strides, 4 + classes)
    table[3, :4], table[3, 3 + classes] = CENTRE, 0.9
    outputs = {"output0": table.T[None]}
    assert chosen(outputs, size, metadata=metadata) == ["yolov8"]
    one(decode(outputs, input_size=size, metadata=metadata), classes - 1)


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("points", [4, 6, 17])
def test_yolov8_pose_with_points_of_two_or_three_numbers(depth: int, points: int) -> None:
    size = (96, 160)
    table = background(size, (8, 16, 32), 5 + points * depth)
    table[3, :5] = (*CENTRE, 0.9)
    planted = np.random.default_rng(0).uniform(0, 90, (points, depth))
    if depth == 3:
        planted[:, 2] /= 90
    table[3, 5:] = planted.ravel()
    metadata = {"task": "pose", "kpt_shape": f"[{points}, {depth}]"}
    read = one(decode({"output0": table.T[None]}, input_size=size, metadata=metadata))
    assert read.keypoints is not None
    assert np.allclose(read.keypoints[0], planted[:, :2], atol=1e-3)
    assert (read.visibility is not None) == (depth == 3)
    selected = np.zeros((1, 300, 6 + points * depth), np.float32)
    selected[0, 0] = (*BOX, 0.9, 0, *planted.ravel())
    read = one(decode({"output0": selected}, input_size=size, metadata=metadata))
    assert read.keypoints is not None
    assert np.allclose(read.keypoints[0], planted[:, :2], atol=1e-3)


def test_yolov8_pose_and_turned_boxes_without_metadata_are_told_by_their_values() -> None:
    size = (96, 160)
    pose = background(size, (8, 16, 32), 5 + 17 * 3)
    pose[:, 5::3], pose[:, 6::3] = pose[:, :1] + 3, pose[:, 1:2] - 2
    assert chosen({"output0": pose.T[None]}, size) == ["yolov8-pose"]
    turned = background(size, (8, 16, 32), 4 + 2 + 1)
    turned[:, -1] = np.linspace(-0.7, 2.3, len(turned))
    turned[3] = (*CENTRE, 0.02, 0.9, 0.5)
    outputs = {"output0": turned.T[None]}
    assert chosen(outputs, size) == ["yolov8-obb"]
    read = decode(outputs, input_size=size)
    assert isinstance(read, Detections)
    assert read.angles is not None
    assert read.angles.tolist() == [0.5]


def test_ultralytics_end_to_end_rows_of_a_picture_with_nothing_in_it() -> None:
    empty = {"output0": np.zeros((1, 300, 6), np.float32)}
    read = decode(empty, input_size=(96, 160), metadata={"task": "detect"})
    assert isinstance(read, Detections)
    assert len(read) == 0
    with pytest.raises(LayoutError):
        decode(empty, input_size=(96, 160))


@pytest.mark.parametrize("told", [True, False], ids=["told", "bare"])
def test_end_to_end_segmentation_and_yolov5_segmentation(told: bool) -> None:
    size = (96, 160)
    prototypes = np.full((1, 32, 24, 40), -1.0, np.float32)
    prototypes[0, 5, :, :8] = 1  # the left 32 pixels
    coefficients = np.eye(32)[5] * 20
    selected = np.zeros((1, 300, 38), np.float32)
    selected[0, 0] = (*BOX, 0.9, 2, *coefficients)
    outputs = {"output0": selected, "output1": prototypes}
    metadata = {"task": "segment"} if told else {}
    assert chosen(outputs, size, metadata=metadata) == ["end-to-end-seg"]
    read = one(decode(outputs, input_size=size, metadata=metadata), 2)
    assert read.masks is not None
    # From the left edge of the box to the middle of it, where the prototype ends.
    assert abs(int(read.masks.sum()) - 12 * 40) <= 3 * 40
    rows = background(size, (8, 16, 32), 5 + 3 + 32, per_cell=3)
    rows[3] = (*CENTRE, 0.9, 0.01, 0.01, 1.0, *coefficients)
    outputs = {"output0": rows[None], "output1": prototypes}
    assert chosen(outputs, size) == ["yolov5-seg"]
    assert one(decode(outputs, input_size=size), 2).masks is not None


def test_libreyolo_writes_corners_under_the_same_task_and_shape() -> None:
    size = (96, 160)
    table = background(size, (8, 16, 32), 6)
    half = table[:, 2:4] / 2
    table[:, :4] = np.concatenate([table[:, :2] - half, table[:, :2] + half], axis=1)
    table[3, :4], table[3, 5] = BOX, 0.9
    metadata = {"model_family": "ppyoloe", "task": "detect", "names": '{"0": "a", "1": "b"}'}
    outputs = {"output": table.T[None]}
    assert chosen(outputs, size, metadata=metadata) == ["corner-columns"]
    one(decode(outputs, input_size=size, metadata=metadata), 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 2, 80])
@pytest.mark.parametrize("strides", [(8, 16, 32), (8, 16, 32, 64)])
def test_yolov5_rows_with_any_classes_and_p6(size: tuple[int, int], classes: int, strides: tuple[int, ...]) -> None:
    table = background(size, strides, 5 + classes, per_cell=3)
    table[3, :5], table[3, 4 + classes] = (*CENTRE, 1.0), 0.9
    outputs = {"output0": table[None]}
    assert chosen(outputs, size) == ["yolov5"]
    one(decode(outputs, input_size=size), classes - 1)


def test_yolov7_face_has_a_probability_at_each_point() -> None:
    size = (96, 160)
    table = background(size, (8, 16, 32), 21, per_cell=3)
    points = np.array([[24, 20, 0.5], [40, 20, 0.6], [32, 30, 0.7], [26, 44, 0.8], [38, 44, 0.9]])
    table[:, 6:] = 50
    table[:, 8::3] = 0.1
    table[3] = (*CENTRE, 1.0, 0.9, *points.ravel())
    outputs = {"output": table[None]}
    assert chosen(outputs, size) == ["yolov7-face"]
    read = one(decode(outputs, input_size=size))
    assert read.keypoints is not None
    assert np.allclose(read.keypoints[0], points[:, :2])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 3])
def test_yolox_raw_and_decoded_have_one_shape_and_are_told_by_their_values(size: tuple[int, int], classes: int) -> None:
    decoded = background(size, (8, 16, 32), 5 + classes)
    decoded[3, :5], decoded[3, 4 + classes] = (*CENTRE, 1.0), 0.9
    outputs = {"output": decoded[None]}
    assert chosen(outputs, size) == ["yolox-decoded"]
    one(decode(outputs, input_size=size), classes - 1)
    places = np.array(cells(size, (8, 16, 32)))
    raw = decoded.copy()
    raw[:, :2] = decoded[:, :2] / places[:, 2:] - places[:, :2]
    raw[:, 2:4] = np.log(decoded[:, 2:4] / places[:, 2:])
    raw[5, 2:4] = -0.3  # as in any picture: something smaller than a cell
    outputs = {"output": raw[None]}
    assert chosen(outputs, size) == ["yolox"]
    one(decode(outputs, input_size=size), classes - 1)


@pytest.mark.parametrize("suffix", ["", ":0"])
def test_tensorflow_outputs_in_any_order_with_masks_and_raw_boxes(suffix: str) -> None:
    outputs = {
        "raw_detection_boxes": np.zeros((1, 50, 4), np.float32),
        "num_detections": np.array([1.0], np.float32),
        "detection_scores": np.array([[0.9, 0.0]], np.float32),
        "detection_masks": np.zeros((1, 2, 33, 33), np.float32),
        "detection_classes": np.array([[3.0, 1.0]], np.float32),
        "detection_boxes": np.array([[[12 / 96, 20 / 160, 52 / 96, 44 / 160], [0, 0, 0, 0]]], np.float32),
    }
    named = {name + suffix: array for name, array in outputs.items()}
    assert chosen(named, (96, 160)) == ["tf-detection"]
    one(decode(named, input_size=(96, 160)), 3)


def test_mmdeploy_and_torchvision_with_masks_in_other_orders() -> None:
    size = (96, 160)
    dets = np.array([[[*BOX, 0.9], [0, 0, 0, 0, 0.8]]], np.float32)
    outputs = {"masks": np.zeros((1, 2, 96, 160), np.float32), "labels": np.array([[7, -1]]), "dets": dets}
    assert chosen(outputs, size) == ["mmdeploy"]
    one(decode(outputs, input_size=size), 7)
    masks = np.zeros((1, 1, 28, 28), np.float32)
    parts: dict[str, Array] = {
        "1": np.array([7]),
        "4": np.array([0.9], np.float32),
        "2": BOX[None].astype(np.float32),
        "9": masks,
    }
    for order in (("1", "4", "2", "9"), ("9", "2", "1", "4"), ("4", "1", "9", "2")):
        one(decode({name: parts[name] for name in order}, input_size=size), 7)
    nothing: dict[str, Array] = {
        "a": np.zeros((0, 4), np.float32),
        "b": np.zeros((0,), np.int64),
        "c": np.zeros((0,), np.float32),
    }
    read = decode(nothing, input_size=size)
    assert isinstance(read, Detections)
    assert len(read) == 0


@pytest.mark.parametrize("points", [True, False], ids=["points", "boxes"])
@pytest.mark.parametrize("batch", [True, False], ids=["batch", "flat"])
@pytest.mark.parametrize("by_stride", [True, False])
@pytest.mark.parametrize(("strides", "anchors"), [((8, 16, 32), 2), ((8, 16, 32, 64, 128), 1)])
def test_scrfd_with_six_to_fifteen_outputs_in_any_order(
    points: bool, batch: bool, by_stride: bool, strides: tuple[int, ...], anchors: int
) -> None:
    size = (128, 256)
    levels = []
    for stride in strides:
        number = (128 // stride) * (256 // stride) * anchors
        level = [np.full((number, width), 0.01, np.float32) for width in ((1, 4, 10) if points else (1, 4))]
        if stride == 16:
            at = (2 * 16 + 2) * anchors  # the cell at (32, 32)
            level[0][at], level[1][at] = 0.9, (12 / 16, 20 / 16, 12 / 16, 20 / 16)
        levels.append(level)
    ordered = [array for level in levels for array in level]
    if not by_stride:
        ordered = [level[kind] for kind in range(len(levels[0])) for level in levels]
    outputs = {str(400 + index): array[None] if batch else array for index, array in enumerate(ordered)}
    assert chosen(outputs, size) == ["scrfd"]
    read = one(decode(outputs, input_size=size))
    assert (read.keypoints is not None) == points


@pytest.mark.parametrize(
    ("layout", "size", "points", "levels"),
    [
        ("blazeface", 128, 6, ((16, 2), (8, 6))),
        ("blazeface", 256, 6, ((16, 2), (8, 6))),
        ("blazepalm", 192, 7, ((24, 2), (12, 6))),
        ("blazepalm", 256, 7, ((32, 2), (16, 2), (8, 6))),
        ("blazepose", 224, 4, ((28, 2), (14, 2), (7, 6))),
    ],
)
@pytest.mark.parametrize("split", [True, False])
def test_mediapipe_detectors_of_faces_palms_and_people(
    layout: str, size: int, points: int, levels: tuple[tuple[int, int], ...], split: bool
) -> None:
    scores, numbers = [], []
    for side, anchors in levels:
        scores.append(np.full((1, side * side * anchors, 1), -150.0, np.float32))
        numbers.append(np.zeros((1, side * side * anchors, 4 + 2 * points), np.float32))
    side, anchors = levels[-1]
    step = size / side
    at = (1 * side + 2) * anchors
    centre = np.array([2.5 * step, 1.5 * step])
    scores[-1][0, at] = np.log(9)
    numbers[-1][0, at, :4] = (*(CENTRE[:2] - centre), *CENTRE[2:])
    numbers[-1][0, at, 4:6] = (25, 15) - centre
    kinds = [*scores, *numbers] if split else [np.concatenate(numbers, axis=1), np.concatenate(scores, axis=1)]
    outputs = {f"Identity_{index}": array for index, array in enumerate(kinds)}
    assert chosen(outputs, (size, size)) == [layout]
    read = one(decode(outputs, input_size=(size, size)))
    assert read.keypoints is not None
    assert read.keypoints.shape == (1, points, 2)
    assert np.allclose(read.keypoints[0, 0], (25, 15), atol=1e-4)


def test_centerface_writes_rows_before_columns() -> None:
    size = (96, 160)
    heat, sizes = np.zeros((1, 1, 24, 40), np.float32), np.zeros((1, 2, 24, 40), np.float32)
    offsets, points = np.zeros((1, 2, 24, 40), np.float32), np.zeros((1, 10, 24, 40), np.float32)
    heat[0, 0, 7, 8] = 0.9
    sizes[0, :, 7, 8] = np.log(40 / 4), np.log(24 / 4)
    offsets[0, :, 7, 8] = 0.5, -0.5  # (7 + 0.5 + 0.5) 4 = 32 down, (8 - 0.5 + 0.5) 4 = 32 across
    points[0, :2, 7, 8] = 0.25, 0.5  # a quarter down, half across
    outputs = {"537": heat, "538": sizes, "539": offsets, "540": points}
    assert chosen(outputs, size) == ["centerface"]
    read = one(decode(outputs, input_size=size))
    assert read.keypoints is not None
    assert np.allclose(read.keypoints[0, 0], (32, 22), atol=1e-4)


def test_several_people_of_movenet() -> None:
    table = np.zeros((1, 6, 56), np.float32)
    table[0, 2, :3] = (0.25, 0.5, 0.7)
    table[0, 2, 51:] = (12 / 96, 20 / 160, 52 / 96, 44 / 160, 0.9)
    assert chosen({"output_0": table}, (96, 160)) == ["movenet-multipose"]
    read = one(decode({"output_0": table}, input_size=(96, 160)))
    assert read.keypoints is not None
    assert read.keypoints[0, 0].tolist() == [80, 24]


def test_what_has_two_readings_is_asked_about() -> None:
    heads = {str(side): np.zeros((1, 18, side, side), np.float32) for side in (8, 4, 2)}
    with pytest.raises(LayoutError, match=r"darknet .* or yolov5-heads .*say which"):
        decode(heads, input_size=(64, 64))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0)])
def test_retinaface_under_any_names_and_without_points(order: tuple[int, ...]) -> None:
    size = (64, 96)
    number = 2 * len(cells(size, (8, 16, 32)))
    deltas, shares, points = (np.zeros((1, number, width), np.float32) for width in (4, 2, 10))
    shares[0, :, 0] = 1
    # The second prior of the cell at (32, 16) of stride 32: of 512 pixels, at its centre.
    at = 2 * (len(cells(size, (8, 16))) + 0) + 1
    shares[0, at] = 0.1, 0.9
    deltas[0, at] = ((32 - 16) / 512 / 0.1, (32 - 16) / 512 / 0.1, np.log(24 / 512) / 0.2, np.log(40 / 512) / 0.2)
    parts = (deltas, shares, points)
    outputs = {str(586 + index): parts[index] for index in order}
    assert chosen(outputs, size) == ["retinaface"]
    read = one(decode(outputs, input_size=size))
    assert (read.keypoints is not None) == (2 in order)


@pytest.mark.parametrize("classes", [1, 4, 80])
@pytest.mark.parametrize("interleaved", [True, False])
def test_rtmdet_with_levels_in_any_order(classes: int, interleaved: bool) -> None:
    size = (96, 160)
    scores = [np.full((1, classes, 96 // s, 160 // s), -9.0, np.float32) for s in (8, 16, 32)]
    boxes = [np.full((1, 4, 96 // s, 160 // s), 3.0, np.float32) for s in (8, 16, 32)]
    scores[1][0, -1, 2, 2] = np.log(9)
    boxes[1][0, :, 2, 2] = 12, 20, 12, 20
    levels = [array for pair in zip(scores, boxes, strict=True) for array in pair] if interleaved else [*scores, *boxes]
    outputs = {str(index): array for index, array in enumerate(levels)}
    if interleaved and classes == 4:
        with pytest.raises(LayoutError, match="no known layout"):
            decode(outputs, input_size=size)
        return
    assert chosen(outputs, size) == ["rtmdet"]
    one(decode(outputs, input_size=size), classes - 1)
