from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.text import ModelText
from auditor.verify.errors import DataError, ModelRejectedError, WorkerCrashedError
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import DataKind, ProtocolKind, Rejected, Task, Verification
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.worker.device import Device, DeviceKind
from tests.systems import posix
from tests.verify.models import brightest_box, classifier, model, saved

SETTINGS = VerifySettings(
    preprocessing=preset("unit"),
    radius=4,
    shifts=ShiftSettings(pairs=4, neighbours=2, distances=(1, 2), path=2, exhaustive=0),
    device=Device(DeviceKind.CPU),
    self_test_images=2,
    layer_images=0,
)


def pictures(count: int, size: int = 24, label: int | None = None) -> list[Picture | Rejected]:
    rng = np.random.default_rng(0)
    return [
        Picture(ModelText(f"{i}.png"), rng.integers(0, 256, (size, size, 3), dtype=np.uint8), label)
        for i in range(count)
    ]


def source(items: list[Picture | Rejected]) -> ImageSource:
    return ImageSource(DataKind.ARRAYS, len(items), (), lambda: iter(items))


def run(
    path: Path, made: ModelProto, items: list[Picture | Rejected], settings: VerifySettings = SETTINGS
) -> Verification:
    return verify(read_model(saved(path / "m.onnx", made)), source(items), settings)


def value(found: Verification, name: str) -> float:
    measure = found.measure(name)
    assert measure is not None
    return measure.value


def network(*nodes: tuple[str, dict[str, Any]], classes: int = 6, opset: int = 19) -> ModelProto:
    """A chain of one-input nodes, global average pooling and random class weights."""
    rng = np.random.default_rng(3)
    made, previous = [], "x"
    weights = {"w": rng.normal(size=(8, 3, 3, 3)).astype(np.float32), "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1])}
    weights["head"] = rng.normal(size=(8, classes)).astype(np.float32)
    second = {"Conv": ["w"], "Pad": ["pads"]}
    for i, (op, attributes) in enumerate(nodes):
        made.append(helper.make_node(op, [previous, *second.get(op, [])], [f"t{i}"], **attributes))
        previous = f"t{i}"
    made += [
        helper.make_node("GlobalAveragePool", [previous], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head"], ["y"]),
    ]
    return model(made, {"x": ["N", 3, 16, 16]}, {"y": ["N", classes]}, weights, opset=opset)


CIRCULAR: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Pad", {"mode": "wrap"}),
    ("Conv", {"kernel_shape": [3, 3]}),
    ("Relu", {}),
)


def test_a_network_without_strides_and_borders_never_changes_its_answer(tmp_path: Path) -> None:
    found = run(tmp_path, network(*CIRCULAR), pictures(4), replace(SETTINGS, protocol=ProtocolKind.ROLL))
    assert value(found, "consistency") == 1
    assert value(found, "top1-change") == 0
    assert value(found, "jaggedness") == 0
    assert value(found, "mac") < 1e-5


def test_a_max_pool_with_stride_makes_the_same_network_depend_on_position(tmp_path: Path) -> None:
    pool: tuple[str, dict[str, Any]] = ("MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]})
    found = run(tmp_path, network(*CIRCULAR, pool), pictures(4), replace(SETTINGS, protocol=ProtocolKind.ROLL))
    assert value(found, "mac") > 1e-4


@pytest.mark.parametrize("batch", ["N", 1, 4])
def test_the_batch_of_the_file_does_not_change_what_is_measured(tmp_path: Path, batch: int | str) -> None:
    found = run(tmp_path, classifier(batch), pictures(3))
    single = run(tmp_path, classifier(1), pictures(3))
    for one, other in zip(found.outputs[0].measures, single.outputs[0].measures, strict=True):
        np.testing.assert_allclose(one.per_image, other.per_image, rtol=1e-4, atol=1e-6)
    assert found.shared_batch == 4


def test_a_batch_that_is_fixed_inside_the_graph_falls_back_to_single_runs(tmp_path: Path) -> None:
    made = classifier(1)
    flatten = next(node for node in made.graph.node if node.op_type == "Flatten")
    flatten.CopyFrom(helper.make_node("Reshape", ["mean", "shape"], ["flat"]))
    made.graph.initializer.append(helper.make_tensor("shape", 7, [2], [1, 8]))
    found = run(tmp_path, made, pictures(2))
    assert found.shared_batch == 1
    assert found.self_test is not None
    assert found.self_test.passed


def test_the_report_names_images_preprocessing_shifts_provider_and_guesses(tmp_path: Path) -> None:
    items = [*pictures(2), Rejected(ModelText("bad.png"), "cannot be decoded (OSError)"), *pictures(1)]
    found = run(tmp_path, classifier(), items)
    assert [name.raw for name in found.data.used] == ["0.png", "1.png", "0.png"]
    assert [(one.name.raw, one.reason) for one in found.data.rejected] == [("bad.png", "cannot be decoded (OSError)")]
    assert found.shifts.window == (16, 16)
    assert found.shifts.source == (20, 20)
    assert found.provider.used == "CPUExecutionProvider"
    assert "scale 0.00392157" in found.preprocessing
    assert any("--task" in note for note in found.notes)
    assert found.incomplete == ""
    assert found.outputs[0].task is Task.CLASSIFICATION


def test_the_unshifted_input_given_twice_agrees_and_is_tested_on_as_many_images_as_asked(tmp_path: Path) -> None:
    found = run(tmp_path, classifier(), pictures(3))
    assert found.self_test is not None
    assert found.self_test.passed
    assert found.self_test.agreement == 1
    assert run(tmp_path, classifier(), pictures(2), replace(SETTINGS, self_test_images=0)).self_test is None


def by_chance() -> ModelProto:
    """A classifier that adds new random numbers to its answer in every call."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"], end=1),
        helper.make_node("Concat", ["s", "six"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node("RandomNormalLike", ["zeros"], ["noise"], dtype=1),
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Add", ["noise", "column"], ["y"]),
    ]
    weights = {"six": np.array([6]), "one": np.array([1])}
    return model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 6]}, weights)


def test_a_model_that_answers_by_chance_fails_the_self_test(tmp_path: Path) -> None:
    found = run(tmp_path, by_chance(), pictures(12), replace(SETTINGS, self_test_images=12))
    assert found.self_test is not None
    assert not found.self_test.passed
    assert "the measurement is void" in found.incomplete


def test_labels_give_accuracy_and_a_label_outside_the_classes_is_listed(tmp_path: Path) -> None:
    found = run(tmp_path, classifier(), [*pictures(3, label=2), *pictures(1, label=6)])
    accuracy = found.measure("accuracy")
    assert accuracy is not None
    assert accuracy.value == np.mean([image.reference == 2 for image in found.outputs[0].images])
    assert found.data.labelled == 3
    assert "none of the model's 6 classes" in found.data.rejected[0].reason


def test_outputs_that_are_not_numbers_are_listed_and_never_counted_as_agreement(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("Sub", ["mean", "bound"], ["rest"]),
        helper.make_node("Sqrt", ["rest"], ["y"]),
    ]
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 3]}, {"bound": np.array([0.5], np.float32)})
    dark = Picture(ModelText("dark"), np.zeros((24, 24, 3), np.uint8))
    bright = Picture(ModelText("bright"), np.full((24, 24, 3), 255, np.uint8))
    told = replace(SETTINGS, task=Task.CLASSIFICATION)
    found = run(tmp_path, made, [dark, bright], told)
    assert [name.raw for name in found.data.used] == ["bright"]
    assert "NaN" in found.data.rejected[0].reason
    with pytest.raises(DataError, match=r"none of the 1 images could be measured: .*NaN"):
        run(tmp_path, made, [dark], told)
    with pytest.raises(DataError, match=r"none of the first 1 images could be measured: .*NaN"):
        run(tmp_path, made, [dark])


def test_no_images_and_only_unusable_images_are_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no images"):
        run(tmp_path, classifier(), [])
    bad = [Rejected(ModelText(str(i)), "cannot be decoded (OSError)") for i in range(5)]
    with pytest.raises(DataError, match=r"none of the 5 images can be used: cannot be decoded"):
        run(tmp_path, classifier(), [*bad])


def test_one_image_is_measured_without_an_interval(tmp_path: Path) -> None:
    found = run(tmp_path, classifier(), pictures(1))
    assert found.measure("consistency") is not None
    assert all(measure.interval is None for measure in found.outputs[0].measures)


def test_an_interrupt_keeps_what_was_measured_and_says_so(tmp_path: Path) -> None:
    class Impatient:
        done = 0

        def begin(self, what: str, total: int | None) -> None:
            assert (what, total) == ("images", 6)

        def advance(self) -> None:
            self.done += 1
            if self.done == 2:
                raise KeyboardInterrupt

    path = saved(tmp_path / "m.onnx", classifier())
    found = verify(read_model(path), source(pictures(6)), SETTINGS, observer=Impatient())
    assert found.incomplete == "interrupted after 2 of 6 images"
    assert len(found.data.used) == 2


@posix
def test_a_worker_that_dies_in_the_middle_is_one_error(tmp_path: Path) -> None:
    def deadly() -> Iterator[Picture | Rejected]:
        import os
        import signal
        import subprocess

        yield from pictures(2)
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(os.getpid())], capture_output=True, check=True)
        for pid in children.stdout.split():
            with_name = Path(f"/proc/{int(pid)}/cmdline")
            if with_name.exists() and b"auditor.verify.worker" in with_name.read_bytes():
                os.kill(int(pid), signal.SIGKILL)
        yield from pictures(3)

    path = saved(tmp_path / "m.onnx", classifier())
    with pytest.raises(WorkerCrashedError, match="killed"):
        verify(read_model(path), ImageSource(DataKind.ARRAYS, 5, (), deadly), SETTINGS)


def test_a_further_input_needs_a_value_and_takes_a_constant_or_what_comes_with_the_image(tmp_path: Path) -> None:
    made = classifier()
    made.graph.input.append(helper.make_tensor_value_info("gain", 1, ["N", 6]))
    made.graph.output[0].name = "scaled"
    made.graph.node.append(helper.make_node("Mul", ["y", "gain"], ["scaled"]))
    with pytest.raises(DataError, match="--feed"):
        run(tmp_path, made, pictures(2))
    ones = run(tmp_path, made, pictures(2), replace(SETTINGS, feeds={"gain": 1.0}))
    plain = run(tmp_path, classifier(), pictures(2))
    assert value(ones, "mac") == pytest.approx(value(plain, "mac"))
    given = [
        replace(one, extra={"gain": np.full(6, 1.0, np.float32)}) for one in pictures(2) if isinstance(one, Picture)
    ]
    assert value(run(tmp_path, made, [*given]), "mac") == pytest.approx(value(plain, "mac"))


def test_a_model_that_onnxruntime_refuses_is_one_error(tmp_path: Path) -> None:
    made = classifier()
    made.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelRejectedError, match="refuses"):
        run(tmp_path, made, pictures(1))


def test_the_same_images_and_seed_give_the_same_numbers(tmp_path: Path) -> None:
    first, second = (run(tmp_path, classifier(), pictures(9)) for _ in range(2))
    assert first.outputs == second.outputs
    assert first.data == second.data
    other = run(tmp_path, classifier(), pictures(9), replace(SETTINGS, shifts=replace(SETTINGS.shifts, seed=1)))
    assert other.outputs != first.outputs


def test_equal_windows_run_once(tmp_path: Path) -> None:
    dense = replace(SETTINGS, radius=2, shifts=ShiftSettings(pairs=40, neighbours=0, per_distance=0))
    found = run(tmp_path, classifier(), pictures(2), replace(dense, self_test_images=0))
    assert found.runs <= 2 * 5
    assert found.naive_runs == 2 * 81


def test_an_embedding_is_compared_by_its_cosine(tmp_path: Path) -> None:
    made = network(*CIRCULAR, classes=128)
    found = run(tmp_path, made, pictures(3), replace(SETTINGS, protocol=ProtocolKind.ROLL))
    assert found.outputs[0].task is Task.EMBEDDING
    assert value(found, "cosine") == pytest.approx(1)


def test_a_dense_output_without_strides_and_borders_moves_with_its_input(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[1, 1])]
    weights = {"w": rng.normal(size=(5, 3, 1, 1)).astype(np.float32)}
    made = model(nodes, {"x": [1, 3, 16, 16]}, {"y": [1, 5, 16, 16]}, weights)
    found = run(tmp_path, made, pictures(3))
    assert found.outputs[0].task is Task.DENSE
    assert value(found, "massc") == 1
    assert value(found, "equivariance-error") == 0


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.EMBEDDING])
def test_an_answer_that_no_picture_changes_is_no_pass(tmp_path: Path, task: Task) -> None:
    made = network(("Conv", {}), ("Mul", {}))
    made.graph.node[1].input.append("nothing")
    made.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    with pytest.raises(DataError, match=r"nothing to measure on 3 images: .* same for every image and every shift"):
        run(tmp_path, made, pictures(3), replace(SETTINGS, task=task))


@pytest.mark.parametrize("tail", ["zero", "argmax"])
def test_a_map_that_is_blank_everywhere_is_no_pass(tmp_path: Path, tail: str) -> None:
    nodes = [helper.make_node("Mul", ["x", "weights"], ["y" if tail == "zero" else "scores"])]
    if tail == "argmax":
        nodes.append(helper.make_node("ArgMax", ["scores"], ["y"], axis=1))
    weights = {"weights": np.zeros((1, 3, 1, 1), np.float32)}
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": None}, weights)
    if tail == "argmax":
        made.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    with pytest.raises(DataError, match="one and the same value at every position of every image"):
        run(tmp_path, made, pictures(2), replace(SETTINGS, task=Task.DENSE))


@pytest.mark.parametrize("rows", [0, 5])
def test_a_detector_without_a_box_is_no_pass_and_the_highest_score_is_told(tmp_path: Path, rows: int) -> None:
    boxes = np.tile(np.array([4, 4, 9, 9, 0.25, 1], np.float32), (1, rows, 1))
    nodes = [
        helper.make_node("ReduceMin", ["x"], ["least"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["least", "zero"], ["none_"]),
        helper.make_node("Squeeze", ["none_", "axis"], ["none"]),
        helper.make_node("Add", ["none", "boxes"], ["y"]),
    ]
    weights = {"zero": np.zeros(1, np.float32), "axis": np.array([3]), "boxes": boxes}
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", rows, 6]}, weights)
    seen = "highest score seen is 0.25" if rows else "no box of any score"
    with pytest.raises(DataError, match=f"no image has a box of score 0.5 or more .*{seen}"):
        run(tmp_path, made, pictures(2), replace(SETTINGS, decoding="end-to-end"))


def test_measures_rest_on_the_images_that_had_something_to_measure(tmp_path: Path) -> None:
    nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)]
    items = pictures(2)
    items.append(Picture(ModelText("grey.png"), np.full((24, 24, 3), 128, np.uint8)))
    made = model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 1, 16, 16]})
    error = run(tmp_path, made, items, replace(SETTINGS, task=Task.DENSE)).measure("equivariance-error")
    assert error is not None
    assert (error.images, len(error.per_image), error.value) == (2, 3, 0)


def test_a_model_of_four_channels_reads_arrays_and_pictures_of_four_and_says_why_not_others(tmp_path: Path) -> None:
    four = [
        Picture(item.name, np.concatenate([item.pixels, item.pixels[..., :1]], axis=2), transparent=transparent)
        for item in pictures(2)
        if isinstance(item, Picture)
        for transparent in (False, True)
    ]
    made = classifier(channels=4)
    told = replace(SETTINGS, task=Task.CLASSIFICATION)
    found = run(tmp_path, made, [*four, *pictures(1)], told)
    assert len(found.data.used) == 4
    assert found.data.rejected[0].reason == "the image has 3 channels and the model reads 4"
    assert "RGBA" in found.preprocessing
    three = run(tmp_path, classifier(), [*four], told)
    assert len(three.data.used) == 2  # opacity has a meaning, four bands have not
    assert "4 channels and the model reads 3" in three.data.rejected[0].reason


def test_frames_of_a_folder_are_one_unit(tmp_path: Path) -> None:
    still = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    frames: list[Picture | Rejected] = [
        Picture(ModelText(f"{group}/{i}.png"), still, None, ModelText(group)) for group in ("a", "b") for i in range(4)
    ]
    found = run(tmp_path, classifier(), frames, replace(SETTINGS, protocol=ProtocolKind.FRAMES))
    assert [name.raw for name in found.data.used] == ["a", "b"]
    assert value(found, "consistency") == 1


def test_boxes_that_move_with_the_input_are_steady(tmp_path: Path) -> None:
    still = np.zeros((20, 20, 3), np.uint8)
    still[10, 10] = 255
    items: list[Picture | Rejected] = [Picture(ModelText(str(i)), still) for i in range(3)]
    found = run(tmp_path, brightest_box(), items, replace(SETTINGS, task=Task.DETECTION))
    assert found.outputs[0].task is Task.DETECTION
    assert value(found, "centre-jitter") == 0
    assert value(found, "flicker") == 0
    assert value(found, "score-deviation") == 0


@pytest.mark.parametrize(("size", "said"), [(12, True), (24, False), (48, False)])
def test_images_that_had_to_be_enlarged_are_counted_with_the_factor(tmp_path: Path, size: int, said: bool) -> None:
    found = verify(read_model(saved(tmp_path / "m.onnx", classifier())), source(pictures(3, size)), SETTINGS)
    notes = [note for note in found.notes if "enlarged" in note]
    assert bool(notes) == said
    for note in notes:
        assert note.startswith("3 of 3 images were enlarged, up to ")


def test_a_path_may_be_longer_than_the_radius_and_a_box_is_followed_along_it(tmp_path: Path) -> None:
    still = np.zeros((22, 22, 3), np.uint8)
    still[11, 11] = 255
    items: list[Picture | Rejected] = [Picture(ModelText(str(i)), still) for i in range(2)]
    settings = replace(SETTINGS, task=Task.DETECTION, shifts=replace(SETTINGS.shifts, path=6))
    found = run(tmp_path, brightest_box(), items, settings)
    (track,) = found.outputs[0].images[0].tracks
    assert track.name == "box 1, class 0: score"
    assert len(track.values) == 7
    assert len(set(track.values)) == 1  # the model moves with the picture
    assert track.periodic is None
