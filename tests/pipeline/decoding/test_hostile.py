"""Outputs unlike the textbook: other axes, more of them, half precision, numbers that are none, two readings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline.decoding import Answer, Detections, LayoutError, Signature, candidates, decode

Array = npt.NDArray[Any]

SIZE = (64, 96)
LEVELS = [(stride, SIZE[0] // stride, SIZE[1] // stride) for stride in (8, 16, 32)]
BOX = [20.0, 12.0, 44.0, 52.0]
CENTRE = [32.0, 32.0, 24.0, 40.0]


@pytest.fixture(autouse=True)
def _without_warnings() -> Iterator[None]:
    """A warning of NumPy would stand in the report of a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def rows(columns: int) -> Array:
    """One row a cell (N, columns): a small box about its centre, of no class."""
    places = [((x + 0.5) * s, (y + 0.5) * s, 1.3 * s, 1.3 * s) for s, high, wide in LEVELS for y in range(high)
              for x in range(wide)]  # fmt: skip
    table = np.full((len(places), columns), 0.01, np.float32)
    table[:, :4] = places
    return table


def planted(classes: int, label: int) -> Array:
    """YOLOv8's head (1, 4 + classes, N) with one object."""
    table = rows(4 + classes)
    table[7, :4], table[7, 4 + label] = CENTRE, 0.9
    head: Array = table.T[None]
    return head


def names(outputs: dict[str, Array], **known: Any) -> list[str]:
    return [layout.name for layout in candidates(Signature(outputs, SIZE, **known))]


def boxes_of(answer: Answer) -> tuple[list[list[float]], list[int]]:
    assert isinstance(answer, Detections)
    return answer.boxes.round(2).tolist(), answer.labels.tolist()


@pytest.mark.parametrize("classes", [1, 2, 80])
def test_a_transposed_yolov8_is_read_by_its_metadata_or_by_its_name(classes: int) -> None:
    outputs = {"output0": planted(classes, classes - 1).transpose(0, 2, 1)}
    told = {"task": "detect", "names": str(dict.fromkeys(range(classes), "a"))}
    assert names(outputs, metadata=told) == ["yolov8-rows"]
    assert boxes_of(decode(outputs, input_size=SIZE, metadata=told)) == ([BOX], [classes - 1])
    assert boxes_of(decode(outputs, "yolov8-rows", input_size=SIZE)) == ([BOX], [classes - 1])


def test_rows_whose_fifth_column_may_be_a_class_or_an_objectness_are_a_question() -> None:
    second_class = {"output0": planted(3, 1).transpose(0, 2, 1)}
    with pytest.raises(LayoutError, match=r"yolov8-rows .* or yolox-decoded .*say which with --layout"):
        decode(second_class, input_size=SIZE)


def test_a_row_that_is_sure_of_an_object_tells_a_class_from_an_objectness() -> None:
    first_class = {"output0": planted(3, 0).transpose(0, 2, 1)}
    assert names(first_class) == ["yolov8-rows"]
    table = rows(8)
    table[7] = (*CENTRE, 0.95, 0.02, 0.9, 0.01)
    assert names({"output": table[None]}) == ["yolox-decoded"]
    assert boxes_of(decode({"output": table[None]}, input_size=SIZE)) == ([BOX], [1])


def test_a_column_of_cells_is_no_yolov8_where_sizes_are_negative_or_a_class_is_everywhere() -> None:
    raw_grid = planted(4, 2)
    raw_grid[0, 2:4] = -1
    assert "yolov8" not in names({"output": raw_grid})
    objectness = planted(4, 2)
    objectness[0, 4] = 1
    assert "yolov8" not in names({"output": objectness})


HEADS = {f"head{stride}": np.ones((1, 3, high, wide, 8), np.float32) for stride, high, wide in LEVELS}


def anchors_rows() -> Array:
    """YOLOv5's rows (1, 3 N, 8) with one object."""
    table = np.repeat(rows(8), 3, axis=0)
    table[9] = (*CENTRE, 1.0, 0.02, 0.9, 0.01)
    return table[None]


@pytest.mark.parametrize("last", [False, True])
def test_yolov5_is_found_beside_the_raw_heads_that_old_exports_have(last: bool) -> None:
    outputs = {**HEADS, "output": anchors_rows()} if last else {"output": anchors_rows(), **HEADS}
    assert names(outputs) == ["yolov5"]
    for layout in ("auto", "yolov5"):
        assert boxes_of(decode(outputs, layout, input_size=SIZE)) == ([BOX], [1])


def test_outputs_of_two_parts_are_found_beside_a_third() -> None:
    corners = np.concatenate([rows(4)[:, :2], rows(4)[:, :2] + 4], axis=1)
    corners[7] = BOX
    scores = np.full((len(corners), 3), 0.01, np.float32)
    scores[7, 2] = 0.9
    outputs = {"boxes": corners[None], "features": np.zeros((1, 16, 8, 12), np.float32) - 1, "scores": scores[None]}
    assert boxes_of(decode(outputs, input_size=SIZE)) == ([BOX], [2])


def test_features_beside_a_yolov8_are_not_taken_for_prototypes_of_masks() -> None:
    outputs = {"output0": planted(3, 2), "features": np.zeros((1, 1, 8, 12), np.float32)}
    assert names(outputs) == ["yolov8"]
    assert boxes_of(decode(outputs, input_size=SIZE)) == ([BOX], [2])


def test_two_outputs_that_both_have_the_layout_are_a_question() -> None:
    twins = {"main": planted(3, 1), "auxiliary": planted(3, 1) * np.float32(0.99)}
    with pytest.raises(
        LayoutError,
        match=r"outputs main and auxiliary have the layout yolov8 each: give one of them \(--measured-output\)",
    ):
        decode(twins, input_size=SIZE)


def test_half_precision_loses_nothing_on_the_way_to_boxes() -> None:
    grid = np.zeros((len(rows(4)), 8), np.float16)
    grid[:, 2:4] = -0.1
    grid[:, 4:] = 0.01
    grid[7] = (0.3, 0.7, 1.37, 1.9, 0.95, 0.02, 0.9, 0.01)
    wide = decode({"output": grid[None].astype(np.float64)}, "yolox", input_size=SIZE)
    half = decode({"output": grid[None]}, "yolox", input_size=SIZE)
    assert isinstance(wide, Detections)
    assert isinstance(half, Detections)
    assert len(half) == 1
    assert np.allclose(half.boxes, wide.boxes, atol=1e-4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize(
    ("layout", "outputs"),
    [
        ("yolov8", {"output0": planted(3, 1)}),
        ("yolov8-obb", {"output0": planted(4, 1)}),
        ("yolov5", {"output": anchors_rows()}),
        ("detr", {"logits": np.zeros((1, 9, 4), np.float32), "pred_boxes": np.full((1, 9, 4), 0.5, np.float32)}),
        ("end-to-end", {"output0": np.tile(np.array([*BOX, 0.9, 1], np.float32), (1, 3, 1))}),
        ("paddle-rows", {"rows": np.tile(np.array([1, 0.9, *BOX], np.float32), (3, 1)), "number": np.array([3])}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_numbers_that_are_none_give_no_box_and_no_warning(layout: str, outputs: dict[str, Array], value: float) -> None:
    broken = {name: array.copy() for name, array in outputs.items()}
    for array in broken.values():
        if array.dtype.kind == "f":
            array[..., 1] = value
    try:
        answer = decode(broken, layout, input_size=SIZE)
    except LayoutError as error:
        assert "\n" not in str(error)  # noqa: PT017 - a refusal in one line is as right as no box
        return
    assert isinstance(answer, Detections)
    assert np.isfinite(answer.boxes).all()
    assert np.isfinite(answer.scores).all()


@pytest.mark.parametrize(
    "outputs",
    [
        {"output0": planted(3, 1)},
        {"logits": np.zeros((1, 100, 5), np.float32), "pred_boxes": np.zeros((1, 100, 4), np.float32)},
    ],
    ids=["yolov8", "detr"],
)
def test_outputs_of_two_pictures_are_not_read_as_those_of_one(outputs: dict[str, Array]) -> None:
    layout = "detr" if "logits" in outputs else "yolov8"
    batch = {name: np.concatenate([array, array]) for name, array in outputs.items()}
    with pytest.raises(LayoutError, match="of 2 pictures: give those of one"):
        decode(batch, layout, input_size=SIZE)


def test_boxes_with_their_axes_the_other_way_round_are_refused() -> None:
    outputs = {
        "detection_boxes": np.zeros((1, 4, 100), np.float32),
        "detection_classes": np.ones((1, 100), np.float32),
        "detection_scores": np.ones((1, 100), np.float32),
    }
    with pytest.raises(LayoutError, match="rows of 4 numbers were expected"):
        decode(outputs, input_size=SIZE)


def queries(logits: Array) -> dict[str, Array]:
    boxes = np.tile(np.array([0.5, 0.5, 0.2, 0.4], np.float32), (1, logits.shape[1], 1))
    return {"logits": logits, "pred_boxes": boxes}


def test_a_sigmoid_detr_of_one_class_is_not_taken_for_nothing_but_the_class_of_nothing() -> None:
    logits = np.full((1, 300, 1), -4.6, np.float32)
    logits[0, 3] = 3
    assert names(queries(logits)) == ["detr-sigmoid"]
    answer = decode(queries(logits), input_size=SIZE)
    assert len(answer) == 1  # type: ignore[arg-type]


def test_queries_whose_last_class_wins_without_being_likely_are_a_question() -> None:
    logits = np.full((1, 300, 2), -4.6, np.float32)
    logits[..., 1] += 0.1
    assert names(queries(logits)) == ["detr", "detr-sigmoid"]


def test_a_hundred_queries_that_all_find_something_are_a_question() -> None:
    logits = np.zeros((1, 100, 3), np.float32)
    logits[..., 0] = 4
    assert names(queries(logits)) == ["detr", "detr-sigmoid"]


def test_raw_heads_of_four_levels_are_heads() -> None:
    heads = {f"p{s}": np.zeros((1, 24, 128 // s, 128 // s), np.float32) for s in (8, 16, 32, 64)}
    fitting = [layout.name for layout in candidates(Signature(heads, (128, 128)))]
    assert fitting == ["darknet", "yolov5-heads"]


END_TO_END = np.zeros((1, 300, 6), np.float32)
END_TO_END[0, :2] = [[*BOX, 0.9, 1], [*BOX, 0.6, 2]]


@pytest.mark.parametrize(
    ("layout", "output", "words"),
    [
        ("yolov5", planted(3, 1), "expected 3 rows for each cell of an input of 64x96; there are 7"),
        ("yolov5", END_TO_END, "expected 3 rows for each cell"),
        ("yolov6", anchors_rows(), "expected one row for each cell"),
        ("yolov8-rows", planted(3, 1), "expected one row for each cell"),
        ("ppyoloe-rows", END_TO_END, "expected one row for each cell"),
        ("rtdetr-rows", END_TO_END, "shares of the input; there are pixels"),
        ("end-to-end", END_TO_END[..., [0, 1, 2, 3, 5, 4]], "whole numbers were expected in the column of the class"),
        ("yolov8", planted(3, 1) * 2, "scores in 0..1 were expected; there is 1.8"),
        ("corner-columns", planted(3, 1), "most boxes end before they begin"),
        ("yolox", np.concatenate([rows(4), np.ones((len(rows(4)), 4), np.float32)], axis=1)[None], "logarithms"),
    ],
)
def test_a_layout_by_name_that_the_numbers_contradict_is_refused(layout: str, output: Array, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        decode({"output": output}, layout, input_size=SIZE)
