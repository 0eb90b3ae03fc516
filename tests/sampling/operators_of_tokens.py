"""Small models of operators that work on tokens, sequences and matrices, or whose places are data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import NodeProto

from tests.sampling.impulse import Array, node
from tests.sampling.recipes import MICROSOFT, Reach, Recipe


def _tokens(*made: NodeProto, width: int, constants: Mapping[str, Array], time_first: bool = False) -> Recipe:
    """``made`` behind a signal whose channels a convolution moved to the last axis, as ``t``."""
    front = [
        node("Conv", ["x", "eye"], ["c"]),
        node("Transpose", ["c"], ["t"], perm=[2, 0, 1] if time_first else [0, 2, 1]),
    ]
    stored = {"eye": np.eye(width, dtype=np.float32)[..., None], **constants}
    used = {name: stored[name] for name in stored if any(name in each.input for each in [*front, *made])}
    return Recipe([*front, *made], [1, width, 9], {2: 0 if time_first else 1}, constants=used)


def products() -> dict[str, Recipe]:
    random = np.random.default_rng(2)
    weights: dict[str, Array] = {
        "w": random.normal(size=[8, 4]).astype(np.float32),
        "wt": random.normal(size=[4, 8]).astype(np.float32),
        "bias": np.full(8, 0.5, np.float32),
        "b": np.full(4, 0.5, np.float32),
        "first": np.array([0]),
        "n": np.linspace(0.5, 1.5, 8, dtype=np.float32),
        "skip": np.full([1, 9, 8], 0.5, np.float32),
    }

    def of(*made: NodeProto, **more: Any) -> Recipe:
        return _tokens(*made, width=8, constants=weights, **more)

    def ms(op: str, *inputs: str, **attributes: Any) -> NodeProto:
        return node(op, inputs, ["y"], MICROSOFT, **attributes)

    def rows(recipe: Recipe) -> Recipe:
        return replace(recipe, axes={2: 0})

    flat = node("Squeeze", ["t", "first"], ["s"])
    return {
        "FusedMatMul": of(ms("FusedMatMul", "t", "wt", transB=1)),
        "TransposeMatMul": of(ms("TransposeMatMul", "t", "wt", transB=1)),
        "FusedMatMulActivation": of(ms("FusedMatMulActivation", "t", "w", activation="Relu")),
        "GemmFastGelu": of(ms("GemmFastGelu", "t", "w", "b")),
        "BiasSplitGelu": of(ms("BiasSplitGelu", "t", "bias")),
        "BiasAdd": of(ms("BiasAdd", "t", "bias", "skip")),
        "BiasSoftmax": of(ms("BiasSoftmax", "t", "skip", axis=2, is_inner_broadcast=0)),
        "SkipLayerNormalization": of(ms("SkipLayerNormalization", "t", "skip", "n")),
        "SkipSimplifiedLayerNormalization": of(ms("SkipSimplifiedLayerNormalization", "t", "skip", "n")),
        "Gemm": rows(of(flat, node("Gemm", ["s", "w", "b"], ["y"]))),
        "FusedGemm": rows(of(flat, ms("FusedGemm", "s", "w", "b", activation="Sigmoid"))),
    }


def sequences() -> dict[str, Recipe]:
    random = np.random.default_rng(4)
    table = {}
    for op, count in {"LSTM": 4, "GRU": 3, "RNN": 1}.items():
        weights: dict[str, Array] = {
            "w": random.normal(size=[1, 5 * count, 3]).astype(np.float32),
            "r": random.normal(size=[1, 5 * count, 5]).astype(np.float32),
        }
        made = node(op, ["t", "w", "r"], ["y"], hidden_size=5)
        table[op] = replace(_tokens(made, width=3, constants=weights, time_first=True), reach=Reach.ALL)
    quantised: dict[str, Array] = {
        "w": random.integers(-90, 90, [1, 3, 20]).astype(np.int8),
        "r": random.integers(-90, 90, [1, 5, 20]).astype(np.int8),
        "s": np.array([0.02], np.float32),
        "z": np.array([0], np.int8),
    }
    inputs = ["t", "w", "r", "", "", "", "", "", "s", "z", "s", "z"]
    made = node("DynamicQuantizeLSTM", inputs, ["y"], MICROSOFT, hidden_size=5)
    whole: dict[str, Array] = {"whole": np.array([9])}
    turned = node("ReverseSequence", ["t", "whole"], ["y"])
    return {
        **table,
        "DynamicQuantizeLSTM": replace(_tokens(made, width=3, constants=quantised, time_first=True), reach=Reach.ALL),
        "ReverseSequence": _tokens(turned, width=3, constants=whole, time_first=True),
    }


def chosen() -> dict[str, Recipe]:
    """Operators whose places are data."""
    signal, data = [1, 3, 6, 7], Reach.DATA

    def of(*made: NodeProto, constants: Mapping[str, Array] | None = None, **more: Any) -> Recipe:
        return Recipe([*made], more.pop("shape", signal), {}, data, constants or {}, **more)

    count: dict[str, Array] = {"k": np.array([2])}
    boxes: dict[str, Array] = {
        "roi": np.array([[0, 0, 4, 4]], np.float32),
        "which": np.array([0]),
        "rois": np.array([[0, 0, 0, 4, 4]], np.float32),
    }
    places: dict[str, Array] = {
        "places": np.zeros([1, 2, 2, 2], np.float32),
        "keep": np.array([1, 0, 1, 1, 0, 1], bool),
    }
    return {
        "TopK": of(node("TopK", ["x", "k"], ["y", "i"], axis=-1), constants=count),
        "NonZero": of(node("NonZero", ["x"], ["y"])),
        "Unique": of(node("Unique", ["x"], ["y"])),
        "RoiAlign": of(
            node("RoiAlign", ["x", "roi", "which"], ["y"], output_height=2, output_width=2),
            constants={"roi": boxes["roi"], "which": boxes["which"]},
        ),
        "MaxRoiPool": of(
            node("MaxRoiPool", ["x", "rois"], ["y"], pooled_shape=[2, 2]), constants={"rois": boxes["rois"]}
        ),
        "GridSample": of(node("GridSample", ["x", "places"], ["y"]), constants=places),
        "Compress": of(node("Compress", ["x", "keep"], ["y"], axis=2), constants=places),
    }


def others() -> dict[str, Recipe]:
    """Attention, transforms, matrices, overlays: each with the shapes that it needs."""
    random = np.random.default_rng(6)
    halves: dict[str, Array] = {
        "cos": np.cos(np.arange(36, dtype=np.float32)).reshape(9, 4),
        "sin": np.sin(np.arange(36, dtype=np.float32)).reshape(9, 4),
        "places": np.arange(9).reshape(1, 9),
    }
    rotary = node("RotaryEmbedding", ["t", "cos", "sin", "places"], ["y"], num_heads=1)
    own = node("Attention", ["t", "t", "t"], ["y"], q_num_heads=2, kv_num_heads=2)
    heads = node("MultiHeadAttention", ["t", "t", "t"], ["y"], MICROSOFT, num_heads=2)
    single = [node("Squeeze", ["t", "first"], ["s"])]
    first: dict[str, Array] = {"first": np.array([2])}
    line: dict[str, Any] = {"width": 1, "constants": first}
    scaler = node("Scaler", ["s"], ["y"], "ai.onnx.ml", offset=[0.1], scale=[2.0])
    normalizer = node("Normalizer", ["s"], ["y"], "ai.onnx.ml", norm="L2")
    overlay: dict[str, Array] = {
        "rows": np.array([[0, 1]]),
        "row": np.full([1, 6, 7], 9, np.float32),
        "where": np.array([[[[0], [2]]]]),
        "what": np.full([1, 1, 2, 1], 9, np.float32),
        "channels": np.ones([1, 1, 6, 7], np.int64),
    }
    signal, both = [1, 3, 6, 7], {2: 2, 3: 3}
    square: dict[str, Array] = {
        "w": random.integers(1, 9, [8, 4]).astype(np.uint8),
        "s": np.array(0.02, np.float32),
        "wide": np.array(8.0, np.float32),
        "z": np.array(0, np.uint8),
        "first": np.array([0]),
    }
    quantised = [
        node("MaxPool", ["x"], ["c"], kernel_shape=[1]),
        node("Transpose", ["c"], ["t"], perm=[0, 2, 1]),
        node("Squeeze", ["t", "first"], ["r"]),
        node("QGemm", ["r", "s", "z", "w", "s", "z", "", "s", "z"], ["y"], MICROSOFT),
    ]
    return {
        "RotaryEmbedding": replace(_tokens(rotary, width=8, constants=halves), opset=23),
        "Attention": replace(_tokens(own, width=8, constants={}), opset=23, reach=Reach.ALL),
        "MultiHeadAttention": replace(_tokens(heads, width=8, constants={}), reach=Reach.ALL),
        "Scaler": _tokens(*single, scaler, **line),
        "Normalizer": replace(_tokens(*single, normalizer, **line), reach=Reach.ALL),
        "DynamicQuantizeLinear": Recipe(
            [node("DynamicQuantizeLinear", ["x"], ["y", "scale", "zero"])], signal, both, Reach.ALL
        ),
        "Inverse": Recipe([node("Inverse", ["x"], ["y"], MICROSOFT)], [1, 3, 6, 6], {2: 3, 3: 2}, Reach.ALL),
        "DFT": Recipe([node("DFT", ["x"], ["y"], axis=1)], [1, 12, 1], {1: 1}, Reach.ENDED),
        "GatherElements": Recipe(
            [node("GatherElements", ["x", "channels"], ["y"], axis=1)], signal, both, constants=overlay
        ),
        "ScatterND": Recipe([node("ScatterND", ["x", "rows", "row"], ["y"])], signal, both, Reach.ALL, overlay),
        "ScatterElements": Recipe(
            [node("ScatterElements", ["x", "where", "what"], ["y"], axis=2)], signal, both, Reach.ALL, overlay
        ),
        "Scatter": Recipe(
            [node("Scatter", ["x", "where", "what"], ["y"], axis=2)], signal, both, Reach.ALL, overlay, opset=10
        ),
        "QGemm": Recipe(quantised, [1, 8, 9], {2: 0}, constants=square, dtype=np.uint8),
        "MaxUnpool": Recipe(
            [
                node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]),
                node("MaxUnpool", ["p", "i"], ["y"], kernel_shape=[2, 2], strides=[2, 2]),
            ],
            signal,
            {},
            Reach.DATA,
        ),
        "CropAndResize": Recipe(
            [node("CropAndResize", ["x", "roi", "which", "size"], ["y"], MICROSOFT)],
            signal,
            {},
            Reach.DATA,
            {
                "roi": np.array([[0, 0, 1, 1]], np.float32),
                "which": np.array([0], np.int32),
                "size": np.array([2, 2], np.int32),
            },
        ),
        "NonMaxSuppression": Recipe(
            [
                node("Conv", ["x", "eye"], ["c"]),
                node("Transpose", ["c"], ["t"], perm=[0, 2, 1]),
                node("NonMaxSuppression", ["t", "scores"], ["y"]),
            ],
            [1, 4, 9],
            {},
            Reach.DATA,
            {"eye": np.eye(4, dtype=np.float32)[..., None], "scores": np.ones([1, 1, 9], np.float32)},
        ),
    }
