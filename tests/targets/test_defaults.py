"""Attributes that are left out, and operators over one or three axes: named where a target differs, and only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.rewrite.portable.nodes import Array, against, answer, lowered, noise, one_node

TWICE = {"s": np.array([1, 1, 2, 2], np.float32)}
HALF = {"s": np.array([1, 1, 0.5, 0.5], np.float32)}
PICTURE, SIGNAL, VOLUME = (1, 4, 15, 20), (1, 4, 21), (1, 2, 8, 9, 10)


def resize(scales: dict[str, Array], opset: int = 18, **attributes: Any) -> onnx.ModelProto:
    inputs = ["x", "s"] if opset == 10 else ["x", "", "s"]
    return one_node("Resize", (1, 3, 18, 24), opset, scales, inputs, **attributes)


def conv(shape: tuple[int, ...], kernel: tuple[int, ...], group: int = 1, outputs: int = 6, **more: Any) -> Any:
    weights = noise((outputs, shape[1] // group, *kernel), 1)
    return one_node("Conv", shape, 13, {"w": weights}, ["x", "w"], group=group, kernel_shape=list(kernel), **more)


def transposed(shape: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> onnx.ModelProto:
    weights = noise((shape[1], 6, *kernel), 1)
    return one_node("ConvTranspose", shape, 13, {"w": weights}, ["x", "w"], kernel_shape=list(kernel), **attributes)


def pool(shape: tuple[int, ...] = PICTURE, op: str = "MaxPool", opset: int = 13, **attributes: Any) -> onnx.ModelProto:
    return one_node(op, shape, opset, {}, **attributes)


def padded(**attributes: Any) -> onnx.ModelProto:
    return one_node("Pad", PICTURE, 13, {"p": np.array([0, 0, 1, 1] * 2)}, ["x", "p"], **attributes)


def every_second(start: int, *, filtered: bool = True) -> onnx.ModelProto:
    """Every second row behind a convolution and a Relu, or behind the Relu alone."""
    bounds = {"s": [start], "e": [99], "a": [2], "t": [2]}
    constants = {name: np.array(value) for name, value in bounds.items()}
    model = one_node("Slice", PICTURE, 13, constants, ["r", *bounds])
    front = [helper.make_node("Relu", ["c" if filtered else "x"], ["r"])]
    if filtered:
        model.graph.initializer.append(numpy_helper.from_array(noise((4, 4, 3, 3)), "w"))
        front.insert(0, helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]))
    for place, node in enumerate(front):
        model.graph.node.insert(place, node)
    return model


ASYMMETRIC: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
WHOLE = "ConvTranspose without padding, and a Slice"
TO_30: dict[str, Any] = {"strides": [2, 2], "output_shape": [30, 40]}


@pytest.mark.parametrize(
    ("target", "form", "named", "alike"),
    [
        ("mnn", "resize-mode-left-out-between", resize(TWICE), resize(TWICE, mode="nearest")),
        ("mnn", "resize-mode-left-out-between", resize(HALF, 10), resize(HALF, **ASYMMETRIC)),
        ("opencv", "resize-mode-left-out", resize(TWICE, **ASYMMETRIC), resize(TWICE, mode="nearest", **ASYMMETRIC)),
        (
            "opencv-classic",
            "resize-linear-coordinates-left-out",
            resize(TWICE, mode="linear"),
            resize(TWICE, mode="linear", coordinate_transformation_mode="half_pixel"),
        ),
        (
            "opencv-classic",
            "resize-nearest-off-lower",
            resize({"s": np.array([1, 1, 1 / 3, 1 / 3], np.float32)}, mode="nearest"),
            resize({"s": np.array([1, 1, 3, 3], np.float32)}, mode="nearest"),
        ),
        ("mnn", "pool-strides-left-out", pool(kernel_shape=[2, 2]), pool(kernel_shape=[2, 2], strides=[1, 1])),
        ("mnn", "conv-1d", conv(SIGNAL, (3,)), conv((1, 4, 21, 1), (3, 1))),
        ("mnn", "conv-3d-dilated", conv(VOLUME, (3, 3, 3), dilations=[2, 2, 2]), conv(VOLUME, (3, 3, 3))),
        ("mnn", "conv-3d-same", conv(VOLUME, (3, 3, 3), auto_pad="SAME_UPPER"), conv(VOLUME, (3, 3, 3), pads=[1] * 6)),
        ("mnn", "conv-transpose-3d", transposed(VOLUME, (3, 3, 3)), transposed(PICTURE, (3, 3))),
        (
            "mnn",
            "pool-3d",
            pool(VOLUME, kernel_shape=[2] * 3, strides=[2] * 3),
            pool(kernel_shape=[2] * 2, strides=[2] * 2),
        ),
        ("opencv", "conv-nine-in-a-row", conv(PICTURE, (1, 9)), conv(PICTURE, (1, 9), group=4, outputs=4)),
        ("opencv", "conv-nine-in-a-row", conv(PICTURE, (9, 1), group=4, outputs=8), conv(PICTURE, (3, 3))),
        ("opencv", "conv-nine-in-a-row", conv((1, 4, 30), (9,)), conv((1, 4, 30), (8,))),
        (
            "openvino",
            "conv-transpose-output-shape-odd",
            transposed(PICTURE, (3, 3), auto_pad="SAME_UPPER", **TO_30),
            transposed(PICTURE, (4, 4), auto_pad="SAME_UPPER", **TO_30),
        ),
        (
            "mnn",
            "conv-transpose-output-shape",
            transposed(PICTURE, (3, 3), **TO_30),
            transposed(PICTURE, (3, 3), auto_pad="SAME_UPPER", **TO_30),
        ),
        (
            "mnn",
            "pad-value-attribute",
            one_node("Pad", (1, 3, 9, 9), 7, {}, pads=[0, 0, 1, 1] * 2, mode="constant", value=2.0),
            one_node("Pad", (1, 3, 9, 9), 7, {}, pads=[0, 0, 1, 1] * 2, mode="constant"),
        ),
        (
            "openvino",
            "resize-axes-negative",
            one_node("Resize", PICTURE, 18, {"s": TWICE["s"][2:]}, ["x", "", "s"], mode="linear", axes=[-2, -1]),
            one_node("Resize", PICTURE, 18, {"s": TWICE["s"][2:]}, ["x", "", "s"], mode="linear", axes=[2, 3]),
        ),
        (
            "mnn",
            "same-windows-apart",
            conv((1, 4, 21, 21), (1, 1), strides=[3, 3], auto_pad="SAME_UPPER"),
            conv((1, 4, 21, 21), (3, 3), strides=[3, 3], auto_pad="SAME_UPPER"),
        ),
        (
            "opencv",
            "average-pool-ceil-drops",
            pool((1, 1, 20, 20), "AveragePool", kernel_shape=[1, 1], strides=[2, 2], ceil_mode=1),
            pool((1, 1, 20, 20), "AveragePool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        ),
        (
            "tract",
            "conv-transpose-same-unpadded",
            transposed(PICTURE, (2, 2), strides=[2, 2], auto_pad="SAME_UPPER"),
            transposed(PICTURE, (3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
        ),
        (
            "opencv",
            "conv-transpose-same-strided",
            transposed(PICTURE, (3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
            transposed(PICTURE, (3, 3), strides=[1, 1], auto_pad="SAME_UPPER"),
        ),
        (
            "opencv-classic",
            "resize-nearest-off-middle-written",
            resize(HALF, mode="nearest", coordinate_transformation_mode="half_pixel"),
            resize(HALF, mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="ceil"),
        ),
        (
            "tract",
            "resize-align-corners-fraction",
            resize(
                {"s": np.array([1, 1, 0.6, 1], np.float32)},
                mode="linear",
                coordinate_transformation_mode="align_corners",
            ),
            resize(TWICE, mode="linear", coordinate_transformation_mode="align_corners"),
        ),
        (
            "openvino",
            "resize-exclude-outside",
            resize(TWICE, mode="cubic", exclude_outside=1, coordinate_transformation_mode="half_pixel"),
            one_node(
                "Resize",
                (1, 3, 21, 21),
                18,
                {"z": np.array([1, 3, 6, 6])},
                ["x", "", "", "z"],
                mode="cubic",
                exclude_outside=1,
            ),
        ),
        (
            "mnn",
            "resize-cubic-both-ways",
            resize({"s": np.array([1, 1, 4, 0.25], np.float32)}, mode="cubic"),
            resize({"s": np.array([1, 1, 0.5, 0.5], np.float32)}, mode="cubic"),
        ),
        ("ncnn", "pad-mode-left-out", padded(), padded(mode="constant")),
        ("tract", "slice-step-filtered", every_second(1), every_second(0)),
        ("tract", "slice-step-filtered", every_second(1), every_second(1, filtered=False)),
        ("tract", "global-lp-pool", pool(op="GlobalLpPool"), pool(op="GlobalAveragePool")),
        ("opencv", "global-pool-3d", pool(VOLUME, "GlobalMaxPool"), pool(op="GlobalMaxPool")),
    ],
)
def test_a_target_is_told_of_the_form_that_it_computes_otherwise_and_of_no_other(
    target: str, form: str, named: onnx.ModelProto, alike: onnx.ModelProto, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(named.SerializeToString())
    assert (target, form) in against(path, [target])
    path.write_bytes(alike.SerializeToString())
    assert not against(path, [target])


@pytest.mark.parametrize(
    ("target", "model", "how"),
    [
        ("opencv", conv(PICTURE, (1, 9), pads=[0, 4, 0, 4], strides=[1, 2]), "a tenth tap of zero"),
        ("opencv", conv(PICTURE, (9, 1), dilations=[1, 1], group=2), "a tenth tap of zero"),
        ("opencv", conv(SIGNAL, (9,), dilations=[2]), "a tenth tap of zero"),
        ("mnn", resize(TWICE), "mode and coordinate_transformation_mode written out"),
        ("mnn", pool(kernel_shape=[2, 3]), "strides written out"),
        ("mnn", pool(kernel_shape=[2, 2], auto_pad="SAME_UPPER"), "strides written out"),
        ("openvino", transposed(PICTURE, (3, 3), auto_pad="SAME_UPPER", **TO_30), WHOLE),
        ("mnn", transposed(PICTURE, (4, 4), **TO_30), "explicit pads"),
        ("ncnn", transposed(PICTURE, (3, 3), strides=[2, 2], pads=[1, 0, 2, 0]), WHOLE),
    ],
)
def test_what_is_left_out_is_written_and_a_kernel_of_nine_gets_a_tenth_tap(
    target: str, model: onnx.ModelProto, how: str, tmp_path: Path
) -> None:
    shape = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim]
    picture = noise(shape)
    path, done = lowered(model, tmp_path, [target])
    assert [node.how for node in done.nodes] == [how]
    before, after = answer(model, picture), answer(path, picture)
    assert before is not None
    assert after is not None
    assert before.shape == after.shape
    assert np.abs(before - after).max() <= 1e-5
    assert not against(path, [target])
