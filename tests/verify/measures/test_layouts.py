"""Which layout is taken for a model's outputs, over several pictures, and when the user is asked."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.pipeline.decoding import Detections, LayoutError, Reading, Text
from auditor.verify.errors import DataError
from auditor.verify.measures.layouts import LayoutChoice, choose_layout
from auditor.verify.result import Task
from auditor.verify.worker.arena import Array

SIZE = (224, 224)
CELLS = 28 * 28 + 14 * 14 + 7 * 7


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def chosen(*samples: dict[str, Array], **told: object) -> LayoutChoice:
    choice = choose_layout(samples, SIZE, **told)  # type: ignore[arg-type]
    assert choice is not None
    return choice


def yolov8(seed: int = 0, classes: int = 3) -> dict[str, Array]:
    random = draw(seed)
    centres, sizes = random.random((2, CELLS)) * 224, random.random((2, CELLS)) * 60
    return {"output0": np.concatenate([centres, sizes, random.random((classes, CELLS)) * 0.9]).astype(np.float32)}


def selected(seed: int = 0, rows: int = 20) -> dict[str, Array]:
    random = draw(seed)
    corner = random.random((rows, 2)) * 100
    columns = [corner, corner + 10 + random.random((rows, 2)) * 50, random.random((rows, 1))]
    return {"y": np.concatenate([*columns, random.integers(0, 9, (rows, 1))], axis=1).astype(np.float32)}


def test_the_only_layout_that_fits_is_taken_and_the_report_says_by_what() -> None:
    choice = chosen(yolov8(), yolov8(1))
    assert (choice.decoder.layout, choice.task, choice.guessed) == ("yolov8", Task.DETECTION, True)
    assert choice.remarks[0].startswith("layout yolov8 (YOLOv8")
    assert "told by the shapes and values of its outputs (--layout)" in choice.remarks[0]
    by_file = chosen(yolov8(), metadata={"task": "detect"})
    assert "told by the file's metadata" in by_file.remarks[0]


def test_a_layout_that_fits_one_picture_of_two_is_ruled_out_and_the_report_says_so() -> None:
    corners = yolov8()
    corners["output0"][2:4] += corners["output0"][:2]
    odd = yolov8(1)
    odd["output0"][4:] += 2  # scores beyond 1
    with pytest.raises(DataError, match=r"no known layout fits .*yolov8 \(fits 1 of 2 pictures\).*--layout"):
        chosen(yolov8(), odd, name="auto")


def test_a_picture_without_any_object_says_nothing_where_others_have_some() -> None:
    empty = {"y": np.zeros((20, 6), np.float32)}
    assert chosen(empty, selected(), selected(1)).decoder.layout == "end-to-end"


def test_where_two_layouts_fit_both_are_named_and_the_user_is_asked() -> None:
    heads = {
        name: draw().normal(size=(21, side, side)).astype(np.float32)
        for name, side in zip("abc", (28, 14, 7), strict=True)
    }
    with pytest.raises(DataError, match=r"darknet .* or yolov5-heads .*say which with --layout"):
        chosen(heads)
    with pytest.raises(DataError, match="layout darknet needs anchors"):
        chosen(heads, name="darknet")


def beside(boxes: dict[str, Array]) -> dict[str, Array]:
    """The same boxes beside features that no layout has."""
    return {"features": draw().normal(size=(64, 7, 7)).astype(np.float32), **boxes}


def test_boxes_are_found_beside_outputs_of_another_kind_and_the_report_says_what_is_left_out() -> None:
    for told in ({}, {"name": "auto"}, {"name": "yolov8"}, {"task": Task.DETECTION}):
        choice = chosen(beside(yolov8()), beside(yolov8(1)), **told)
        assert (choice.decoder.layout, choice.decoder.outputs) == ("yolov8", ("output0",))
        assert "left out of the layout: features (--measured-output)" in choice.remarks
    alone, among = chosen(yolov8()).decoder.read(yolov8()), choice.decoder.read(beside(yolov8()))
    assert isinstance(alone, Detections)
    assert isinstance(among, Detections)
    assert np.array_equal(alone.boxes, among.boxes)


def test_two_outputs_of_boxes_are_a_question() -> None:
    twins = {**yolov8(), "auxiliary": yolov8(1)["output0"]}
    with pytest.raises(DataError, match="output0 and auxiliary fit a layout each: say which with --measured-output"):
        chosen(twins)


def test_a_classifier_and_a_map_have_no_layout_and_that_is_no_error_unless_one_is_asked_for() -> None:
    scores = {"logits": draw().normal(size=1000).astype(np.float32)}
    assert choose_layout([scores], SIZE) is None
    assert choose_layout([{"y": draw().normal(size=(21, 56, 56)).astype(np.float32)}], SIZE) is None
    assert choose_layout([yolov8()], SIZE, task=Task.DENSE) is None
    with pytest.raises(DataError, match="no known layout fits"):
        choose_layout([scores], SIZE, name="auto")
    with pytest.raises(DataError, match="no known layout of detection fits"):
        choose_layout([scores], SIZE, task=Task.DETECTION)


def test_a_layout_by_name_is_taken_whatever_fits_better_and_an_unknown_name_gets_a_suggestion() -> None:
    choice = chosen({"landmarks": draw().random(196).astype(np.float32)}, name="landmarks-shares")
    assert (choice.task, choice.guessed) == (Task.KEYPOINTS, False)
    assert "as --layout says" in choice.remarks[0]
    with pytest.raises(DataError, match=r"no layout 'yolo8'.*did you mean.*yolov8"):
        chosen(yolov8(), name="yolo8")
    with pytest.raises(DataError, match="do not have the layout simcc"):
        chosen(yolov8(), name="simcc")


def test_a_task_that_the_layout_does_not_answer_is_refused() -> None:
    with pytest.raises(DataError, match="layout yolov8 answers detection and not text"):
        chosen(yolov8(), name="yolov8", task=Task.TEXT)
    for plain in (Task.TEXT, Task.REGRESSION):
        with pytest.raises(DataError, match=rf"layout yolov8 \(detection\) and not one of {plain.value}: leave --task"):
            chosen(yolov8(), task=plain)
    with pytest.raises(DataError, match="has no keypoints"):
        chosen(yolov8(), name="yolov8", task=Task.KEYPOINTS)


def test_numbers_are_read_as_they_are_where_the_user_says_regression() -> None:
    choice = chosen({"angles": np.array([10.0, -3.0, 1.0], np.float32)}, task=Task.REGRESSION)
    assert (choice.decoder.layout, choice.guessed) == ("numbers", False)


def test_a_text_reader_without_an_alphabet_is_read_by_classes_with_the_blank_that_wins_most_steps() -> None:
    steps = np.full((12, 10), -4.0, np.float32)
    steps[:, 9] = 4
    for step, letter in ((2, 3), (5, 3), (8, 1)):
        steps[step, letter] = 9
    choice = chosen({"y": steps}, task=Task.TEXT)
    answer = choice.decoder.read({"y": steps})
    assert isinstance(answer, Text)
    assert len(answer.text) == 3
    assert answer.text[0] == answer.text[1] != answer.text[2]
    assert any("the last class" in remark for remark in choice.remarks)
    assert any("no alphabet" in remark for remark in choice.remarks)


def test_rows_without_a_batch_axis_are_told_by_the_rank_that_the_file_declares() -> None:
    row = selected(rows=1)["y"]
    assert chosen({"y": selected()["y"]}, ranks={"y": 2}).decoder.layout == "end-to-end"
    decoder = chosen({"y": selected()["y"]}, ranks={"y": 2}).decoder
    answer = decoder.read({"y": row[0]})  # one row only: its axis was taken for that of the batch
    assert isinstance(answer, Detections)
    assert len(answer) == int(row[0, 4] > 0.25)


def test_outputs_that_are_not_of_the_layout_are_refused() -> None:
    decoder = chosen(yolov8()).decoder
    with pytest.raises(LayoutError, match="do not have the layout yolov8"):
        decoder.read({"output0": np.zeros((7, 10), np.float32)})


def test_the_highest_score_is_told_below_the_threshold_too() -> None:
    rows = yolov8()
    rows["output0"][4:] *= 0.1
    decoder = chosen(rows, reading=Reading(score=0.5)).decoder
    assert len(decoder.read(rows)) == 0  # type: ignore[arg-type]
    assert decoder.highest_score(rows) == pytest.approx(float(rows["output0"][4:].max()))
