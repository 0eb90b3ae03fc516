"""Clips and models of known truth: a blob that moves by known fractions of a pixel, over models that sample it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto, helper

from auditor.onnxfile import read_model
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.arrays import AnyArray
from auditor.verify.images.preprocess import preset
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.result import DataKind, Task, Verification
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.time.result import TimeResult
from auditor.verify.worker.device import Device, DeviceKind
from tests.verify.models import model, saved

SIZE = 96
STRIDE = 8
SETTINGS = VerifySettings(
    preprocessing=preset("unit"),
    radius=4,
    shifts=ShiftSettings(pairs=2, neighbours=1, distances=(1,), path=0, exhaustive=0),
    device=Device(DeviceKind.CPU),
    self_test_images=1,
    layer_images=0,
)


def blob(y: float, x: float, noise: float = 0.0, seed: int = 0, width: float = 4.0, level: float = 150.0) -> AnyArray:
    """A Gaussian blob at (y, x) on a dark ground, as a camera would sample it, under noise."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    picture = 40 + level * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * width**2))
    picture = picture + np.random.default_rng(seed).normal(scale=noise, size=picture.shape) if noise else picture
    levels: AnyArray = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)[..., None].repeat(3, axis=2)
    return levels


def drifting(count: int, noise: float = 0.0, step: tuple[float, float] = (0.31, 0.83)) -> list[AnyArray]:
    """A blob that moves by ``step`` pixels from frame to frame, and turns before it leaves."""
    way = np.abs((np.arange(count) + 12) % 48 - 24)
    return [blob(36 + step[0] * at, 36 + step[1] * at, noise, seed) for seed, at in enumerate(way)]


def resting(count: int, noise: float) -> list[AnyArray]:
    return [blob(45.3, 50.7, noise, seed) for seed in range(count)]


def source(frames: Sequence[AnyArray]) -> ImageSource:
    pictures = [Picture(ModelText(f"{index}.png"), pixels) for index, pixels in enumerate(frames)]
    return ImageSource.listed(DataKind.FRAMES, len(pictures), (), lambda index: pictures[index])


def sampled(stride: int) -> list[object]:
    """The picture on a grid of this stride."""
    return [helper.make_node("MaxPool", ["x"], ["s"], kernel_shape=[1, 1], strides=[stride, stride])]


def classifier(stride: int = STRIDE, gain: float = 4.0) -> ModelProto:
    """The power of the samples of a grid against a constant: the same again after ``stride`` pixels, not between."""
    nodes = [
        *sampled(stride),
        helper.make_node("Sub", ["s", "ground"], ["d"]),
        helper.make_node("Relu", ["d"], ["r"]),
        helper.make_node("Mul", ["r", "r"], ["p"]),
        helper.make_node("ReduceSum", ["p", "axes"], ["sum"], keepdims=0),
        helper.make_node("Sub", ["sum", "least"], ["over"]),
        helper.make_node("Mul", ["over", "gain"], ["logit"]),
        helper.make_node("Unsqueeze", ["logit", "one"], ["a"]),
        helper.make_node("Neg", ["a"], ["b"]),
        helper.make_node("Concat", ["a", "b"], ["y"], axis=1),
    ]
    power = 3 * (150 / 255) ** 2 * np.pi * 4.0**2 / stride**2  # the mean over all places of the blob
    weights = {
        "ground": np.array(48 / 255, np.float32),
        "axes": np.array([1, 2, 3]),
        "one": np.array([1]),
        "least": np.array(power * 0.75, np.float32),
        "gain": np.array(gain, np.float32),
    }
    return model(nodes, {"x": [1, 3, SIZE, SIZE]}, {"y": [1, 2]}, weights)  # type: ignore[arg-type]


def detector(stride: int = STRIDE) -> ModelProto:
    """A box about the brightest sample of a grid, whose score is that sample."""
    nodes = [
        *sampled(stride),
        helper.make_node("ReduceMax", ["s"], ["rows"], axes=[1, 3], keepdims=0),
        helper.make_node("ReduceMax", ["s"], ["columns"], axes=[1, 2], keepdims=0),
        helper.make_node("ArgMax", ["rows"], ["y_"], axis=1),
        helper.make_node("ArgMax", ["columns"], ["x_"], axis=1),
        helper.make_node("Cast", ["y_"], ["yc"], to=1),
        helper.make_node("Cast", ["x_"], ["xc"], to=1),
        helper.make_node("Concat", ["xc", "yc", "xc", "yc"], ["cell"], axis=1),
        helper.make_node("Mul", ["cell", "stride"], ["point"]),
        helper.make_node("Add", ["point", "about"], ["corners"]),
        helper.make_node("Unsqueeze", ["corners", "one"], ["boxes_"]),
        helper.make_node("Concat", ["boxes_", "boxes_"], ["boxes"], axis=1),
        helper.make_node("ReduceMax", ["s"], ["peak"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["peak", "one"], ["peak_"]),
        helper.make_node("Concat", ["peak_", "zero"], ["scores"], axis=1),
    ]
    weights = {
        "about": np.array([-14, -14, 14, 14], np.float32),
        "stride": np.array(stride, np.float32),
        "one": np.array([1]),
        "zero": np.zeros((1, 1), np.float32),
    }
    return model(nodes, {"x": [1, 3, SIZE, SIZE]}, {"boxes": [1, 2, 4], "scores": [1, 2]}, weights)  # type: ignore[arg-type]


def segmenter(stride: int = STRIDE) -> ModelProto:
    """Whether each sample of a grid is brighter than the edge of the blob, as a probability per cell."""
    nodes = [
        *sampled(stride),
        helper.make_node("ReduceMean", ["s"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["grey", "edge"], ["d"]),
        helper.make_node("Mul", ["d", "gain"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["y"]),
    ]
    weights = {"edge": np.array(80 / 255, np.float32), "gain": np.array(40, np.float32)}
    cells = SIZE // stride
    return model(nodes, {"x": [1, 3, SIZE, SIZE]}, {"y": [1, 1, cells, cells]}, weights)  # type: ignore[arg-type]


def landmarks(stride: int = 4) -> ModelProto:
    """A heat map whose largest sample is the joint: the brightest sample of a grid, twice."""
    nodes = [
        *sampled(stride),
        helper.make_node("ReduceMean", ["s"], ["grey"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["grey", "half"], ["half_"]),
        helper.make_node("Concat", ["grey", "half_"], ["heatmaps"], axis=1),
    ]
    cells = SIZE // stride
    weights = {"half": np.array(0.9, np.float32)}
    return model(
        nodes,  # type: ignore[arg-type]
        {"x": [1, 3, SIZE, SIZE]},
        {"heatmaps": [1, 2, cells, cells]},
        weights,
    )


def run(
    folder: Path, made: ModelProto, clip: ImageSource, task: Task | None = None, settings: VerifySettings = SETTINGS
) -> Verification:
    from dataclasses import replace

    read = read_model(saved(folder / "m.onnx", made))
    return verify(read, clip, replace(settings, task=task), analyse(read))


def over_time(folder: Path, made: ModelProto, frames: Sequence[AnyArray], task: Task | None = None) -> TimeResult:
    found = run(folder, made, source(frames), task).time
    assert found is not None
    return found
