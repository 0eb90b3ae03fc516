"""Small networks, and what `fix` writes of them: the files that `scripts/targets.py --fixed` runs in every runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

import auditor
from auditor.rewrite.result import RewriteError, Strategy

Array = NDArray[Any]
SIZE = 32
WIDE = 480
_ANY_COST = 100


def network(head: str) -> onnx.ModelProto:
    """Two strided convolutions and a strided pool with random weights; ``head`` is pooled or dense."""
    random = np.random.default_rng(7)
    weights: dict[str, Array] = {}

    def conv(name: str, source: str, inputs: int, outputs: int, stride: int) -> NodeProto:
        weights[f"{name}.w"] = (random.standard_normal((outputs, inputs, 3, 3)) / (3 * inputs**0.5)).astype(np.float32)
        weights[f"{name}.b"] = (random.standard_normal(outputs) / 4).astype(np.float32)
        inner = [source, f"{name}.w", f"{name}.b"]
        return helper.make_node("Conv", inner, [name], name, strides=[stride] * 2, pads=[1] * 4, kernel_shape=[3, 3])

    nodes = [
        conv("c1", "x", 3, 8, 2),
        helper.make_node("Relu", ["c1"], ["r1"], "relu1"),
        helper.make_node("MaxPool", ["r1"], ["p1"], "pool1", kernel_shape=[2, 2], strides=[2, 2]),
        conv("c2", "p1", 8, 16, 2),
        helper.make_node("Relu", ["c2"], ["r2"], "relu2"),
        conv("c3", "r2", 16, 16, 1),
    ]
    if head == "pooled":
        nodes += [
            helper.make_node("GlobalAveragePool", ["c3"], ["m"], "mean"),
            helper.make_node("Flatten", ["m"], ["y"], "flat"),
        ]
        shape = [1, 16]
    else:
        nodes.append(helper.make_node("Sigmoid", ["c3"], ["y"], "map"))
        shape = [1, 16, SIZE // 8, SIZE // 8]
    return _model(nodes, weights, shape)


def brought() -> onnx.ModelProto:
    """What a model itself brings: a filtered Resize, SAME padding, a counted average and a strided slice."""
    weights: dict[str, Array] = {
        "half": np.array([1, 1, 0.5, 0.5], np.float32),
        "w": (np.random.default_rng(1).standard_normal((4, 3, 3, 3)) / 5).astype(np.float32),
        **{
            name: np.array(pair, np.int64)
            for name, pair in (("s", [0, 1]), ("e", [99, 99]), ("a", [2, 3]), ("t", [1, 2]))
        },
    }
    nodes = [
        helper.make_node("Resize", ["x", "", "half"], ["small"], "small", mode="linear", antialias=1),
        helper.make_node(
            "Conv", ["small", "w"], ["c"], "same", auto_pad="SAME_LOWER", strides=[1, 1], kernel_shape=[3, 3]
        ),
        helper.make_node("MaxPool", ["c"], ["m"], "max", auto_pad="SAME_LOWER", strides=[2, 2], kernel_shape=[3, 3]),
        helper.make_node(
            "AveragePool", ["m"], ["v"], "mean", pads=[1] * 4, count_include_pad=1, kernel_shape=[3, 3], strides=[1, 1]
        ),
        helper.make_node(
            "Slice",
            ["v", "s", "e", "a", "t"],
            ["l"],
            "every",
        ),
        helper.make_node("Sigmoid", ["l"], ["y"], "map"),
    ]
    return _model(nodes, weights, [None] * 4)


def resized(mode: str) -> onnx.ModelProto:
    """A picture that is resized to 3/5 with a filter, as torch exports it."""
    weights: dict[str, Array] = {"z": np.array([1, 3, WIDE * 3 // 5, WIDE * 3 // 5], np.int64)}
    inner = ["x", "", "", "z"]
    node = helper.make_node("Resize", inner, ["y"], "small", mode=mode, antialias=1, exclude_outside=1)
    return _model([node], weights, [None] * 4, WIDE)


def chosen() -> onnx.ModelProto:
    """Rows and columns that the largest of five scores and the mean of the picture choose, and a filter behind."""
    random = np.random.default_rng(3)
    weights: dict[str, Array] = {
        "w": random.standard_normal((5, 3, 1, 1)).astype(np.float32),
        "v": (random.standard_normal((4, 3, 3, 3)) / 5).astype(np.float32),
        "four": np.array(4, np.float32),
        **{name: np.array(values, np.int64) for name, values in (("one", [1]), ("size", [24]), ("r", [2]), ("c", [3]))},
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["scores"], "scores", kernel_shape=[1, 1]),
        helper.make_node("GlobalMaxPool", ["scores"], ["peaks"], "peaks"),
        helper.make_node("Flatten", ["peaks"], ["five"], "flat"),
        helper.make_node("ArgMax", ["five"], ["row"], "largest", axis=1, keepdims=0),
        helper.make_node("Add", ["row", "size"], ["last_row"], "last_row"),
        helper.make_node("Slice", ["x", "row", "last_row", "r"], ["rows"], "rows"),
        helper.make_node("ReduceMax", ["five"], ["most"], "most", keepdims=1),
        helper.make_node("Sigmoid", ["most"], ["share"], "share"),
        helper.make_node("Mul", ["share", "four"], ["far"], "far"),
        helper.make_node("Floor", ["far"], ["whole"], "whole"),
        helper.make_node("Cast", ["whole"], ["number"], "number", to=7),
        helper.make_node("Reshape", ["number", "one"], ["column"], "column"),
        helper.make_node("Add", ["column", "size"], ["last_column"], "last_column"),
        helper.make_node("Slice", ["rows", "column", "last_column", "c"], ["window"], "columns"),
        helper.make_node("Conv", ["window", "v"], ["y"], "filter", kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4),
    ]
    return _model(nodes, weights, [None] * 4)


def _model(
    nodes: list[NodeProto], weights: Mapping[str, Array], shape: list[int] | list[None], size: int = SIZE
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, size, size])],
        [helper.make_tensor_value_info("y", 1, shape)],
        [numpy_helper.from_array(np.asarray(values), name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def written(folder: Path) -> Iterator[tuple[str, Path]]:
    """The files that `fix` writes, by what it was asked for; the model that is lowered comes in front, as it is."""
    for head in ("pooled", "dense"):
        source = folder / f"{head}.onnx"
        onnx.save_model(network(head), source)
        yield f"the network itself, {head} output", source
        for strategy in Strategy:
            target = folder / f"{head}-{strategy.value}.onnx"
            try:
                done = auditor.fix(source, target, strategy=strategy.value)
            except RewriteError:
                continue
            if done.path is not None:
                yield f"`--strategy {strategy.value}`, {head} output", target
    target = folder / "dilation.onnx"
    auditor.fix(folder / "pooled.onnx", target, strategy="phase-average", phases="all", lowering="dilation")
    yield "`--strategy phase-average --phases all --lowering dilation`", target
    for lock in ("sub-pixel", "whole-pixel"):
        target = folder / f"portable-lock-{lock}.onnx"
        auditor.fix(folder / "pooled.onnx", target, strategy="grid-lock", lock=lock, portable=True, max_cost=_ANY_COST)
        yield f"`--strategy grid-lock --lock {lock} --portable --max-cost 100`, pooled output", target
    source = folder / "brought.onnx"
    onnx.save_model(brought(), source)
    yield "antialiased Resize, SAME padding, counted average, strided slice", source
    target = folder / "portable.onnx"
    auditor.fix(source, target, portable=True)
    yield "the same with `--portable`", target
    source, target = folder / "chosen.onnx", folder / "portable-chosen.onnx"
    onnx.save_model(chosen(), source)
    yield "a window whose rows ArgMax and whose columns a Sigmoid choose", source
    auditor.fix(source, target, portable=True, max_cost=_ANY_COST)
    yield "the same with `--portable --max-cost 100`", target
    for mode in ("linear", "cubic"):
        source, target = folder / f"resized-{mode}.onnx", folder / f"portable-resized-{mode}.onnx"
        onnx.save_model(resized(mode), source)
        auditor.fix(source, target, portable=True)
        yield f"{mode} antialiased Resize of {WIDE} pixels to 3/5, with `--portable`", target
