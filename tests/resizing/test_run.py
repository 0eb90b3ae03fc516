"""What a user is told about the resize in front of a model whose answers are known."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

import auditor
from auditor.resizing.result import ResizeComparison, ResizeVerdict
from auditor.verify import processes
from auditor.verify.errors import DataError, NothingMeasuredError, VerifyError
from auditor.verify.result import Task
from tests.resizing.stripes import bright_or_dark, photos, stripes
from tests.verify.models import model, saved

HOW: dict[str, Any] = {"preset": "unit", "device": "cpu"}


def compared(tmp_path: Path, pictures: np.ndarray, **options: Any) -> ResizeComparison:
    return auditor.resize(bright_or_dark(tmp_path), images=photos(tmp_path, pictures), **HOW | options)


def test_a_kernel_that_samples_every_second_pixel_is_said_to_alias(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(16), resize="cv2-nearest")
    row, area = found.row("cv2-nearest"), found.row("cv2-area")
    assert row is not None
    assert area is not None
    assert row.agreement is not None
    assert (found.reference, found.deployed) == ("cv2-area", "cv2-nearest")
    assert row.agreement.value == 0  # bright behind it, dark on average
    assert row.agreement.pictures == 16
    assert row.stability is not None
    assert row.stability.value == 0.5
    assert area.stability is not None
    assert area.stability.value == 1
    assert found.judgement.verdict is ResizeVerdict.ALIASES
    assert found.judgement.changes_answers
    assert found.judgement.less_stable
    assert found.code[0].code == "cv2.resize(img, (32, 32), interpolation=cv2.INTER_AREA)"


def test_opencvs_linear_kernel_is_not_blamed_at_the_factor_of_two_where_it_averages(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(16), resize="cv2-linear")
    row = found.row("cv2-linear")
    assert row is not None
    assert row.agreement is not None
    assert row.stability is not None
    assert (row.agreement.value, row.stability.value) == (1, 1)
    assert found.judgement.verdict is not ResizeVerdict.ALIASES


def test_the_same_kernel_is_blamed_at_a_factor_of_three(tmp_path: Path) -> None:
    pictures = np.zeros((16, 96, 96, 3), np.uint8)
    for index, picture in enumerate(pictures):
        picture[:, 1::3] = 190 + index  # the middle of every output pixel
    found = compared(tmp_path, pictures, resize="cv2-linear")
    assert found.judgement.verdict is ResizeVerdict.ALIASES


def test_no_verdict_is_given_on_few_pictures(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(7), resize="cv2-nearest")
    row = found.row("cv2-nearest")
    assert row is not None
    assert row.agreement is not None
    assert (row.agreement.value, row.agreement.interval) == (0, None)
    assert found.judgement.verdict is ResizeVerdict.UNDECIDED


def test_a_kernel_that_filters_is_never_said_to_alias(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(16), resize="pil-bilinear")
    assert found.judgement.verdict is ResizeVerdict.FILTERS
    found = compared(tmp_path, stripes(16), resize="cv2-area")
    assert found.judgement.verdict is ResizeVerdict.FILTERS


def test_a_whole_pipeline_names_the_deployed_kernel(tmp_path: Path) -> None:
    path = bright_or_dark(tmp_path)
    found = auditor.resize(path, images=photos(tmp_path, stripes(8)), preset="ultralytics", task="classification")
    assert (found.deployed, found.fit, found.preset) == ("cv2-linear", "letterbox", "ultralytics")


def test_without_a_named_kernel_nothing_is_judged(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(16))
    assert (found.deployed, found.judgement.verdict) == ("", ResizeVerdict.NOT_NAMED)


def test_the_pictures_that_change_stand_side_by_side_with_both_answers(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(12), resize="cv2-nearest", kernels="cv2-area,cv2-nearest")
    assert len(found.changed) == 8  # the worst of twelve
    first = found.changed[0]
    assert [seen.kernel for seen in first.inputs] == ["cv2-area", "cv2-nearest"]
    assert [seen.answer for seen in first.inputs] == ["class 0", "class 1"]
    assert first.inputs[0].score is not None
    assert 0.5 < first.inputs[0].score <= 1
    assert first.change >= found.changed[-1].change


def test_only_the_named_kernels_are_compared_and_a_reference_that_filters(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(8), kernels=("cv2-nearest", "tf-area"), resize="cv2-nearest")
    assert [row.kernel for row in found.rows] == ["tf-area", "cv2-nearest"]
    assert found.reference == "tf-area"
    found = compared(tmp_path, stripes(8), kernels="cv2-nearest", resize="cv2-nearest")
    assert [row.kernel for row in found.rows] == ["cv2-area", "cv2-nearest"]


def test_pictures_that_are_not_shrunk_are_left_out_and_said_to_be(tmp_path: Path) -> None:
    np.savez(tmp_path / "mixed.npz", images=stripes(8))
    small = tmp_path / "small.npy"
    np.save(small, np.zeros((3, 32, 32, 3), np.uint8))
    with pytest.raises(DataError, match="is not shrunk: 32 x 32 pixels become 32 x 32"):
        auditor.resize(bright_or_dark(tmp_path), images=str(small), **HOW)
    np.save(small, np.zeros((3, 16, 16, 3), np.uint8))
    with pytest.raises(DataError, match="is not shrunk: 16 x 16 pixels become 32 x 32"):
        auditor.resize(bright_or_dark(tmp_path), images=str(small), **HOW)


def test_a_folder_of_large_and_small_pictures_gives_numbers_on_the_large_ones(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, picture in enumerate(stripes(8)):
        image.fromarray(picture).save(folder / f"large{index}.png")
    image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(folder / "small.png")
    (folder / "broken.png").write_bytes(b"not a picture")
    found = auditor.resize(bright_or_dark(tmp_path), images=str(folder), resize="cv2-nearest", **HOW)
    assert len(found.pictures.used) == 8
    assert {one.name.raw for one in found.pictures.rejected} == {"small.png", "broken.png"}
    assert any("1 of 10 images left out: no larger than the input" in note for note in found.notes)


def test_a_model_that_always_says_the_same_gives_no_numbers(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["class_scores"]),
    ]
    weights = {"w": np.zeros((3, 5), np.float32), "b": np.arange(5, dtype=np.float32)}
    path = saved(tmp_path / "same.onnx", model(nodes, {"x": ["N", 3, 32, 32]}, {"class_scores": ["N", 5]}, weights))
    with pytest.raises(NothingMeasuredError, match="do not change at all"):
        auditor.resize(path, images=photos(tmp_path, stripes(8)), **HOW)


def test_a_model_that_draws_random_numbers_is_caught_by_the_self_test(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["logits"]),
        helper.make_node("RandomNormalLike", ["logits"], ["noise"], scale=100.0),
        helper.make_node("Add", ["logits", "noise"], ["class_scores"]),
    ]
    weights = {"w": np.ones((3, 50), np.float32)}
    path = saved(tmp_path / "dice.onnx", model(nodes, {"x": ["N", 3, 32, 32]}, {"class_scores": ["N", 50]}, weights))
    found = auditor.resize(path, images=photos(tmp_path, stripes(8)), **HOW)
    assert found.incomplete.startswith("the self-test failed, so the comparison is void")


def test_an_embedding_is_compared_by_its_cosine(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["embedding"]),
    ]
    weights = {
        "w": np.array([[1.0] + [0.0] * 31] * 3, np.float32),
        "b": np.array([0.0, 1.0] + [0.0] * 30, np.float32),
    }
    path = saved(tmp_path / "vector.onnx", model(nodes, {"x": ["N", 3, 32, 32]}, {"embedding": ["N", 32]}, weights))
    pictures = np.full((8, 64, 64, 3), 255, np.uint8)
    pictures[:, :, 1::2] = 0
    found = auditor.resize(path, images=photos(tmp_path, pictures), resize="cv2-nearest", task="embedding", **HOW)
    row = found.row("cv2-nearest")
    assert found.task is Task.EMBEDDING
    assert row is not None
    assert row.change is not None
    # Behind nearest the mean of the three channels sums to 3, behind area to 1.5; the second number is 1.
    cosine = (3 * 128 / 255 * 3 + 1) / np.hypot(3, 1) / np.hypot(3 * 128 / 255, 1)
    assert row.change.value == pytest.approx(1 - cosine, abs=1e-5)


def test_a_map_of_classes_is_compared_position_by_position(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["map"], kernel_shape=[1, 1])]
    weights = {
        "w": np.array([[0.0], [1.0], [-1.0], [-1.0]], np.float32).repeat(3, axis=1)[..., None, None],
        "b": np.array([1.5, 0.0, -9.0, -9.0], np.float32),
    }
    path = saved(tmp_path / "map.onnx", model(nodes, {"x": ["N", 3, 32, 32]}, {"map": ["N", 4, 32, 32]}, weights))
    pictures = np.zeros((8, 64, 64, 3), np.uint8)
    pictures[:, :16, ::2] = 200  # a quarter of the picture has stripes
    found = auditor.resize(path, images=photos(tmp_path, pictures), resize="cv2-nearest", task="dense", **HOW)
    row = found.row("cv2-nearest")
    assert row is not None
    assert row.agreement is not None
    assert row.agreement.value == 0.75


def brightness_box() -> ModelProto:
    """A detector with one box, a row of x1 y1 x2 y2 score class, whose score is the mean brightness."""
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean", "shape"], ["score"]),
        helper.make_node("Concat", ["box", "score", "label"], ["output0"], axis=2),
    ]
    weights = {
        "shape": np.array([1, 1, 1]),
        "box": np.array([[[4, 4, 20, 20]]], np.float32),
        "label": np.array([[[3]]], np.float32),
    }
    return model(nodes, {"x": [1, 3, 32, 32]}, {"output0": [1, 1, 6]}, weights)


def test_boxes_that_a_kernel_loses_are_counted(tmp_path: Path) -> None:
    path = saved(tmp_path / "boxes.onnx", brightness_box())
    pictures = np.full((8, 64, 64, 3), 100, np.uint8)
    pictures[:, :, 1::2] = 200  # 150 on average, above the least score of one half; every second column alone is below
    found = auditor.resize(
        path, images=photos(tmp_path, pictures), resize="cv2-nearest", layout="end-to-end", preset="unit", device="cpu"
    )
    row = found.row("cv2-nearest")
    assert (found.task, found.layout) == (Task.DETECTION, "end-to-end")
    assert row is not None
    assert row.boxes is not None
    assert row.agreement is not None
    assert (row.boxes.reference, row.boxes.lost, row.boxes.gained) == (8, 8, 0)
    assert row.agreement.value == 0


def test_a_layout_may_say_the_axes_of_the_input_too(tmp_path: Path) -> None:
    path = saved(tmp_path / "boxes.onnx", brightness_box())
    images = photos(tmp_path, np.full((8, 64, 64, 3), 200, np.uint8))
    found = auditor.resize(path, images=images, layout="NCHW,end-to-end", **HOW)
    assert found.layout == "end-to-end"
    with pytest.raises(ValueError, match="layout must be one layout of the outputs"):
        auditor.resize(path, images=images, layout="NCHW,NHWC", **HOW)


def test_pictures_without_any_box_give_no_numbers(tmp_path: Path) -> None:
    path = saved(tmp_path / "boxes.onnx", brightness_box())
    with pytest.raises(NothingMeasuredError, match="no answer on 8 images has a box"):
        auditor.resize(path, images=photos(tmp_path, np.zeros((8, 64, 64, 3), np.uint8)), layout="end-to-end", **HOW)


def test_landmarks_are_refused_with_the_options_that_help(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w"], ["points"]),
    ]
    weights = {"w": np.random.default_rng(0).random((3, 136)).astype(np.float32)}
    path = saved(tmp_path / "points.onnx", model(nodes, {"x": ["N", 3, 32, 32]}, {"points": ["N", 136]}, weights))
    with pytest.raises(DataError, match=r"give --task .* or, for boxes, --layout"):
        auditor.resize(path, images=photos(tmp_path, stripes(8)), **HOW)


def test_a_grey_model_that_reads_bytes_is_compared_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["float"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["class_scores"]),
    ]
    weights = {"w": np.array([[0.0, 1.0]], np.float32), "b": np.array([0.0, -128.0], np.float32)}
    graph = model(nodes, {"x": ["N", 1, 32, 32]}, {"class_scores": ["N", 2]}, weights)
    graph.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    path = saved(tmp_path / "grey.onnx", graph)
    found = auditor.resize(path, images=photos(tmp_path, stripes(8)), preset="raw", resize="cv2-nearest", device="cpu")
    row = found.row("cv2-nearest")
    assert row is not None
    assert row.agreement is not None
    assert row.agreement.value == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "cv2-linaer"}, r"resize: there is no resize kernel 'cv2-linaer' \(did you mean \"cv2-linear\"\?\)"),
        ({"kernels": "area"}, "kernels: there is no resize kernel 'area'"),
        ({"fit": "squash"}, "fit must be one of stretch"),
        ({"preset": "yolo"}, "preset"),
        ({"radius": 3}, "there is no option 'radius'"),
        ({"layout": "yolov99"}, "layout must be auto"),
    ],
)
def test_a_wrong_option_is_one_line(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        compared(tmp_path, stripes(8), **options)
    assert "\n" not in str(caught.value)


def test_a_folder_without_pictures_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(VerifyError, match="no image files"):
        auditor.resize(bright_or_dark(tmp_path), images=str(tmp_path / "empty"), **HOW)


def test_the_same_pictures_give_the_same_numbers(tmp_path: Path) -> None:
    first, second = (compared(tmp_path, stripes(8), resize="cv2-nearest").to_dict() for _ in range(2))
    for document in (first, second):
        document["comparison"].pop("seconds")
        for row in document["comparison"]["rows"]:
            row.pop("cost")
    assert first == second


def test_the_short_form_names_the_verdict(tmp_path: Path) -> None:
    found = compared(tmp_path, stripes(16), resize="cv2-nearest")
    assert repr(found).endswith("16 pictures, 6 kernels, cv2-nearest: aliases>")


def untimed(found: ResizeComparison) -> dict[str, Any]:
    """What a comparison says, without how long a resize took."""
    document: dict[str, Any] = json.loads(found.to_json())
    document["comparison"].pop("seconds")
    for row in document["comparison"]["rows"]:
        row.pop("cost")
    return document


def mixed(tmp_path: Path, count: int = 12) -> str:
    """Stripes, one of which is not finite and one of which is not shrunk."""
    pictures = stripes(count).astype(np.float32)
    pictures[3, 0, 0, 0] = np.nan
    np.save(tmp_path / "mixed.npy", pictures)
    return str(tmp_path / "mixed.npy")


@pytest.mark.parametrize("options", [{}, {"resize": "cv2-nearest"}])
def test_two_processes_compare_what_one_does(tmp_path: Path, options: dict[str, Any]) -> None:
    path, images = bright_or_dark(tmp_path), mixed(tmp_path)
    alone = auditor.resize(path, images=images, threads=1, **HOW, **options)
    assert [one.name.raw for one in alone.pictures.rejected] == ["mixed.npy[3]"]
    assert bool(alone.changed) == bool(options)
    both = auditor.resize(path, images=images, threads=1, jobs=2, **HOW, **options)
    assert untimed(both) == untimed(alone)
    assert [[seen.detail for seen in one.inputs] for one in both.changed] == [
        [seen.detail for seen in one.inputs] for one in alone.changed
    ]


def test_a_process_that_is_killed_costs_no_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, images = bright_or_dark(tmp_path), mixed(tmp_path)
    alone = auditor.resize(path, images=images, threads=1, **HOW)
    killed: list[int] = []
    asked = processes._Slot._asked

    def killing(self: processes._Slot, block: Sequence[int]) -> Any:
        if 5 in block and not killed:
            killed.append((self._process or self._started()).pid)
            os.kill(killed[0], signal.SIGKILL)
        return asked(self, block)

    monkeypatch.setattr(processes._Slot, "_asked", killing)
    assert untimed(auditor.resize(path, images=images, threads=1, jobs=2, **HOW)) == untimed(alone)
    assert killed


def test_pictures_that_come_one_after_the_other_are_not_shared(tmp_path: Path) -> None:
    (tmp_path / "noise.py").write_text("def images():\n    yield from ()\n")
    with pytest.raises(DataError, match="come one after the other, so processes cannot share them"):
        auditor.resize(bright_or_dark(tmp_path), images=f"{tmp_path / 'noise.py'}:images", jobs=2, **HOW)
