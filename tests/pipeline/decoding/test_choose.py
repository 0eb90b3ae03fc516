"""A layout is taken by itself only where no other reading is possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline.decoding import Detections, LayoutError, Signature, candidates, decode, layouts

Array = npt.NDArray[Any]

SIZE = (64, 64)
CELLS = 84  # 8 x 8, 4 x 4 and 2 x 2


def one_box(rows: int, columns: int) -> Array:
    table = np.zeros((1, rows, columns), np.float32)
    table[0, :, :4] = (20, 30, 10, 8)
    return table


@pytest.mark.parametrize(
    "shape",
    [(1, 1000), (1, 1, 64, 64), (1, 21, 64, 64), (1, 512), (1, 3, 128, 128), (1, 197, 768), (1, 1), (1, 3)],
)
def test_what_is_no_detector_fits_no_layout(shape: tuple[int, ...]) -> None:
    outputs = {"output": np.random.default_rng(0).uniform(size=shape).astype(np.float32)}
    assert candidates(Signature(outputs, SIZE)) == ()
    with pytest.raises(LayoutError, match=r"no known layout fits the outputs output \[.*name one with --layout"):
        decode(outputs, input_size=SIZE)


@pytest.mark.parametrize(("seen", "names"), [(17, ["heatmap"]), (12, ["heatmap"]), (3, []), (0, [])])
def test_maps_of_points_may_lack_some_points_and_maps_below_zero_are_none(seen: int, names: list[str]) -> None:
    maps = np.full((1, 17, 16, 16), -4.0, np.float32)
    maps[0, :seen] = 0
    maps[0, range(seen), [3] * seen, [5] * seen] = 1
    found = candidates(Signature({"maps": maps}, SIZE))
    assert [layout.name for layout in found] == names


def test_metadata_that_names_another_task_rules_a_layout_out() -> None:
    head = one_box(CELLS, 7).transpose(0, 2, 1)
    head[0, 4:] = 0.1
    assert [layout.name for layout in candidates(Signature({"output0": head}, SIZE))] == ["yolov8"]
    segments = Signature({"output0": head}, SIZE, {"task": "segment"})
    assert "yolov8" not in [layout.name for layout in candidates(segments)]


def test_rows_of_a_grid_are_no_selected_objects() -> None:
    grid = one_box(CELLS, 6)
    grid[0, :, 4:] = 1
    assert [layout.name for layout in candidates(Signature({"output": grid}, SIZE))] == ["yolov6"]


def test_a_misspelt_layout_is_answered_with_the_right_one() -> None:
    with pytest.raises(LayoutError, match='did you mean "yolov8"'):
        decode({"output0": one_box(CELLS, 7)}, "yolo8", input_size=SIZE)


UNFIT: list[dict[str, Array]] = [
    {"output": np.zeros((2, 4), np.float32)},
    {"a": np.zeros((2, 3, 4, 5), np.float32), "b": np.zeros((7,), np.int64)},
]


@pytest.mark.parametrize("name", sorted(layouts()))
@pytest.mark.parametrize("outputs", UNFIT, ids=["one", "two"])
def test_outputs_that_do_not_have_the_named_layout_are_one_clear_line(name: str, outputs: dict[str, Array]) -> None:
    given: dict[str, Any] = {need: "abc" if need == "alphabet" else ((),) for need in layouts()[name].needs}
    with pytest.raises(LayoutError, match=r"^[^\n]+$"):
        decode(outputs, name, input_size=SIZE, **given)


def test_a_detector_that_finds_nothing_gives_no_box() -> None:
    answer = decode({"output0": np.zeros((1, 7, CELLS), np.float32)}, "yolov8", input_size=SIZE)
    assert isinstance(answer, Detections)
    assert len(answer) == 0
    assert answer.boxes.shape == (0, 4)


def test_boxes_that_are_no_numbers_are_left_out() -> None:
    head = one_box(CELLS, 7).transpose(0, 2, 1)
    head[0, 4] = 0.9
    head[0, :4] = np.nan
    answer = decode({"output0": head}, "yolov8", input_size=SIZE)
    assert isinstance(answer, Detections)
    assert len(answer) == 0


def test_boxes_that_are_shares_of_the_input_come_back_in_pixels() -> None:
    rows = np.zeros((1, 7, 84), np.float32)
    rows[0, :4, 5], rows[0, 6, 5] = (0.25, 0.5, 0.125, 0.25), 0.9
    found = decode({"y": rows}, "yolov8", input_size=(64, 64))
    assert isinstance(found, Detections)
    assert found.boxes.tolist() == [[12.0, 24.0, 20.0, 40.0]]


def test_boxes_beside_one_score_each_need_no_family() -> None:
    boxes = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.5, 0.6, 0.9]]], np.float32)
    outputs = {"boxes": boxes, "scores": np.array([[0.9, 0.4]], np.float32)}
    found = decode(outputs, input_size=(100, 200), score=0.5)
    assert isinstance(found, Detections)
    assert np.allclose(found.boxes, [[20, 20, 60, 40]])
    with pytest.raises(LayoutError, match="no known layout"):
        decode({**outputs, "scores": outputs["scores"] * 9}, input_size=(100, 200))
