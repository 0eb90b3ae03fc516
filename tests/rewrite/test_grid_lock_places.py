"""Outputs that say where something is, behind a grid lock: the library's own decoder finds everything in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.pipeline.decoding import Detections, decode, grid
from auditor.rewrite.lock.places import LAYOUTS
from auditor.rewrite.result import Options, Room
from auditor.sampling import analyse
from tests.onnxfile.build import SHARED
from tests.rewrite.networks import Array, fixed, ports, session
from tests.rewrite.test_grid_lock import LOCK, chosen, cut, network, scene

SIDE = 64
PERIOD = 8
ROOM = PERIOD + 6


def tables(layout: str, side: int) -> dict[str, Array]:
    """Plausible outputs of a layout for a square input, with a few sure objects."""
    random = np.random.default_rng(7)

    def rows(count: int, width: int, centre: float, size: float) -> Array:
        made = random.uniform(0.0, 0.05, (1, count, width))
        made[..., :2] = random.uniform(0.3, 0.7, (1, count, 2)) * centre
        made[..., 2:4] = size
        made[:, ::17, 4:] = 0.9
        return made

    count = grid.count((side, side))
    if layout == "yolox":
        return {"y": rows(count, 7, 1, -0.5)}
    if layout in ("yolox-decoded", "yolov5"):
        return {"y": rows(count if layout == "yolox-decoded" else 3 * count, 7, side, 9.0)}
    if layout == "yolov8":
        return {"y": rows(count, 6, side, 9.0).transpose(0, 2, 1)}
    if layout == "end-to-end":
        made = rows(30, 6, side / 2, 0)
        made[..., 2:4] = made[..., :2] + 9
        made[..., 5] = np.arange(30) % 3
        return {"y": made}
    if layout == "yunet":
        found = {}
        for stride in grid.STRIDES:
            cells = (side // stride) ** 2
            found[f"cls_{stride}"] = found[f"obj_{stride}"] = rows(cells, 5, 1, 0)[..., 4:]
            found[f"bbox_{stride}"] = rows(cells, 4, 1, 0.1)
            found[f"kps_{stride}"] = random.uniform(-1, 1, (1, cells, 10))
        return found
    if layout.startswith("ultraface"):
        count = grid.count((side, side), (8, 16, 32, 64), (3, 2, 2, 3))
        scores = np.zeros((1, count, 2))
        scores[:, ::13, 1] = 0.9
        boxes = random.uniform(0.3, 0.4, (1, count, 4))
        boxes[..., 2:] += 0.3
        return {"scores": scores, "boxes": boxes if layout == "ultraface" else random.uniform(-1, 1, boxes.shape)}
    assert layout == "blazeface"
    found = {}
    for name, number in (("a", 512), ("b", 384)):
        found[f"s{name}"] = np.full((1, number, 1), -50.0)
        found[f"s{name}"][:, ::40] = 5
        found[f"n{name}"] = random.uniform(4, 20, (1, number, 16))
    return found


def model_of(outputs: dict[str, Array], side: int, dtype: Any = np.float32) -> onnx.ModelProto:
    """A network that answers these tables whatever it sees, in as many words: they hang on the picture all the same."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    weights = [numpy_helper.from_array(np.zeros((1, 1, 1), dtype), "zero")]
    nodes = [
        helper.make_node("MaxPool", ["x"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("ReduceMean", ["pool"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axes"], ["mean3"]),
        helper.make_node("Mul", ["mean3", "zero"], ["nothing"]),
    ]
    weights.append(numpy_helper.from_array(np.array([1, 2], np.int64), "axes"))
    for name, table in outputs.items():
        weights.append(numpy_helper.from_array(table.astype(dtype), f"{name}_table"))
        nodes.append(helper.make_node("Add", [f"{name}_table", "nothing"], [name]))
    values = [helper.make_tensor_value_info(name, kind, table.shape) for name, table in outputs.items()]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, (1, 3, side, side))], values, weights
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def answers(path: onnx.ModelProto | Path, picture: Array) -> dict[str, Array]:
    running = session(path)
    names = [port.name for port in running.get_outputs()]
    return dict(zip(names, running.run(None, {running.get_inputs()[0].name: picture}), strict=True))


def objects(outputs: dict[str, Array], layout: str, side: int) -> Detections:
    found = decode(outputs, layout, input_size=(side, side), score=0.3, iou=1.0)
    assert isinstance(found, Detections)
    assert len(found.boxes)
    return found


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in ("auto", "none")])
def test_every_box_and_point_moves_by_the_offset_of_the_window(layout: str, tmp_path: Path) -> None:
    side = 128 if layout == "blazeface" else SIDE
    outputs = tables(layout, side)
    options = Options(period=PERIOD, places=layout, room=Room.PAD)
    target, done, _ = fixed(model_of(outputs, side), tmp_path, LOCK, options)
    assert done.path is not None
    picture = scene(side, side, 2)
    before = objects({name: table.astype(np.float32) for name, table in outputs.items()}, layout, side)
    after = objects(answers(target, picture[None].astype(np.float32)), layout, side)
    down, right = (best - ROOM / 2 for best in chosen(picture, PERIOD, ROOM, 32, border=ROOM // 2))
    assert abs(down) + abs(right) > 0.2
    moved = before.boxes + np.array([right, down, right, down])
    np.testing.assert_allclose(after.boxes, moved, atol=0.05)
    np.testing.assert_allclose(after.scores, before.scores, atol=1e-6)
    if before.keypoints is not None:
        assert after.keypoints is not None
        np.testing.assert_allclose(after.keypoints[..., :2], before.keypoints[..., :2] + (right, down), atol=0.05)


def test_a_larger_picture_takes_boxes_in_pixels_and_refuses_those_in_parts_of_the_input(tmp_path: Path) -> None:
    options = Options(period=PERIOD, places="yolox-decoded", room=Room.LARGER, margin=10)
    target, done, _ = fixed(model_of(tables("yolox-decoded", SIDE), SIDE), tmp_path, LOCK, options)
    assert done.path is not None
    view = scene(SIDE + 20, SIDE + 20, 3)
    best = chosen(view, PERIOD, 20, 32)
    table = tables("yolox-decoded", SIDE)["y"][0]
    found = answers(target, view[None].astype(np.float32))["y"][0]
    np.testing.assert_allclose(found[:, :2], table[:, :2] + best[::-1], atol=0.05)
    np.testing.assert_array_equal(found[:, 2:], table[:, 2:].astype(np.float32))
    for layout in ("yolox", "yunet", "ultraface"):
        (folder := tmp_path / layout).mkdir()
        wrong = Options(period=PERIOD, places=layout, room=Room.LARGER, margin=10)
        _, refused, _ = fixed(model_of(tables(layout, SIDE), SIDE), folder, LOCK, wrong)
        assert "--room pad" in refused.skipped[0].refusal.reason


def test_half_precision_outputs_keep_their_type(tmp_path: Path) -> None:
    model = model_of(tables("yolox-decoded", SIDE), SIDE, np.float16)
    target, done, _ = fixed(model, tmp_path, LOCK, Options(period=PERIOD, places="yolox-decoded", room=Room.PAD))
    assert done.path is not None
    assert ports(session(target)) == ports(session(model))
    onnx.checker.check_model(onnx.load(target), full_check=True)


def test_outputs_of_another_layout_than_was_named_are_refused(tmp_path: Path) -> None:
    model = model_of({"y": np.zeros((1, 11, 4))}, SIDE)
    for layout in ("yolox", "yolov8", "yunet", "ultraface", "blazeface", "end-to-end"):
        (folder := tmp_path / layout).mkdir()
        _, done, _ = fixed(model, folder, LOCK, Options(period=PERIOD, places=layout))
        assert f"do not have the layout {layout}" in done.skipped[0].refusal.reason


def test_numbers_of_a_flattened_map_are_refused_unless_they_are_shares_or_said_to_be_no_places(tmp_path: Path) -> None:
    def flattened(*last: str) -> onnx.ModelProto:
        model = network((48, 48))
        pooled = next(node for node in model.graph.node if node.op_type == "GlobalAveragePool")
        pooled.op_type = "AveragePool"
        pooled.attribute.append(helper.make_attribute("kernel_shape", [1, 1]))
        weights = np.random.default_rng(0).standard_normal((4 * 6 * 6, 5)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weights, "wide"))
        model.graph.node[-1].input[1] = "wide"
        for op in last:
            model.graph.node[-1].output[0] = "before"
            model.graph.node.append(helper.make_node(op, ["before"], ["y"], axis=1))
        return model

    for name, model, options, kept in (
        ("numbers", flattened(), Options(), False),
        ("shares", flattened("Softmax"), Options(), True),
        ("said", flattened(), Options(places="none"), True),
    ):
        (folder := tmp_path / name).mkdir()
        _, done, _ = fixed(model, folder, LOCK, options)
        assert (done.path is not None) is kept, name
        assert kept or "--places" in done.skipped[0].refusal.reason


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared models")
@pytest.mark.parametrize(
    ("file", "layout"),
    [
        ("yolox_nano_416.onnx", "yolox"),
        ("yunet_n_320.onnx", "yunet"),
        ("ultraface_rfb320.onnx", "ultraface"),
        ("ultraface_slim320_simpl.onnx", "ultraface-raw"),
        ("blazeface_front128_nhwc.onnx", "blazeface"),
    ],
)
def test_real_detectors_are_recognised_and_answer_for_their_window(file: str, layout: str, tmp_path: Path) -> None:
    source = onnx.load(SHARED / "detector" / file)
    target, done, before = fixed(source, tmp_path, LOCK)
    assert done.path is not None
    assert ports(session(target)) == ports(session(source))
    after = analyse(read_model(target))
    assert not after.untracked
    assert len(after.joins) == len(before.joins)
    assert [head.kind for head in after.heads] == [head.kind for head in before.heads]
    assert [site.cumulative for site in after.sites] == [site.cumulative for site in before.sites]
    shape = session(source).get_inputs()[0].shape
    last = shape[3] == 3
    sizes = (shape[1], shape[2]) if last else (shape[2], shape[3])
    picture = scene(*sizes, 5) * 255
    period = min(int(before.subsampling or 0), 32)
    room = period + 12
    best = chosen(picture, period, room, 32, border=room // 2)
    view = np.pad(picture, ((0, 0), (room // 2,) * 2, (room // 2,) * 2), mode="edge")
    window = cut(view, best, sizes, 32)
    order = (1, 2, 0) if last else (0, 1, 2)
    plain = answers(source, window.transpose(order)[None].astype(np.float32))
    found = answers(target, picture.transpose(order)[None].astype(np.float32))
    shift = np.array([best[1] - room / 2, best[0] - room / 2])
    mine, theirs = (decode(one, layout, input_size=sizes, score=0.0, iou=1.0) for one in (found, plain))
    assert isinstance(mine, Detections)
    assert isinstance(theirs, Detections)
    gaps = np.abs(mine.boxes[:, None] - (theirs.boxes + np.tile(shift, 2))).max(axis=2).min(axis=1)
    assert np.median(gaps) < 0.1
    assert np.median(np.abs(mine.boxes[:, None] - theirs.boxes).max(axis=2).min(axis=1)) > 4 * np.median(gaps)
