"""Small models of operators that work on a map as a convolution makes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from onnx import NodeProto

from tests.sampling.impulse import Array, node
from tests.sampling.recipes import MICROSOFT, Reach, Recipe


def pointwise() -> dict[str, Recipe]:
    """Functions of one tensor: the operator, its opset where a newer one is needed, and attributes."""
    signal, axes = [1, 3, 6, 7], {2: 2, 3: 3}
    plain = """
    Identity Abs Acos Asin Asinh Atan Atanh Ceil Celu Cos Cosh Elu Erf Exp Floor HardSigmoid HardSwish LeakyRelu Log
    Mish Neg Reciprocal Relu Round Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Tan Tanh Clip
    """
    table = {op: Recipe([node(op, ["x"], ["y"])], signal, axes) for op in plain.split()}
    table["Acosh"] = Recipe([node("Acosh", ["x"], ["y"])], signal, axes, base=1.0)
    table["Gelu"] = Recipe([node("Gelu", ["x"], ["y"])], signal, axes, opset=20)
    table["Shrink"] = Recipe([node("Shrink", ["x"], ["y"], lambd=0.1)], signal, axes)
    table["ThresholdedRelu"] = Recipe([node("ThresholdedRelu", ["x"], ["y"], alpha=0.1)], signal, axes)
    table["Swish"] = Recipe([node("Swish", ["x"], ["y"])], signal, axes, opset=24)
    table["IsNaN"] = Recipe([node("IsNaN", ["x"], ["y"])], signal, axes, other=float("nan"))
    table["IsInf"] = Recipe([node("IsInf", ["x"], ["y"])], signal, axes, other=float("inf"))
    table["Cast"] = Recipe([node("Cast", ["x"], ["y"], to=6)], signal, axes)
    table["Not"] = Recipe([node("Not", ["x"], ["y"])], signal, axes, dtype=bool)
    table["BitwiseNot"] = Recipe([node("BitwiseNot", ["x"], ["y"])], signal, axes, dtype=np.int32)
    table["Bernoulli"] = Recipe([node("Bernoulli", ["x"], ["y"], seed=1.0)], signal, axes, base=-0.4, other=1.0)
    table["Dropout"] = Recipe([node("Dropout", ["x"], ["y"])], signal, axes)
    table["QuickGelu"] = Recipe([node("QuickGelu", ["x"], ["y"], MICROSOFT)], signal, axes)
    line: dict[str, Array] = {"bias": np.full(7, 0.5, np.float32)}
    table["FastGelu"] = Recipe([node("FastGelu", ["x", "bias"], ["y"], MICROSOFT)], signal, axes, constants=line)
    table["BiasGelu"] = Recipe([node("BiasGelu", ["x", "bias"], ["y"], MICROSOFT)], signal, axes, constants=line)
    for op in ("ParametricSoftplus", "ScaledTanh", "Affine"):
        table[op] = Recipe([node(op, ["x"], ["y"], alpha=0.5, beta=0.5)], signal, axes, opset=8)
    scales: dict[str, Any] = {"scale": 2.0, "bias": [0.1, 0.2, 0.3]}
    table["ImageScaler"] = Recipe([node("ImageScaler", ["x"], ["y"], **scales)], signal, axes, opset=8)
    norm: dict[str, Array] = {name: np.full(3, 0.5, np.float32) for name in ("g", "b", "m", "v")}
    table["BatchNormalization"] = Recipe(
        [node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"])], signal, axes, constants=norm
    )
    slope: dict[str, Array] = {"slope": np.full([3, 1, 1], 0.5, np.float32)}
    table["PRelu"] = Recipe([node("PRelu", ["x", "slope"], ["y"])], signal, axes, constants=slope)
    like: dict[str, Array] = {"like": np.zeros(1, np.float16)}
    table["CastLike"] = Recipe([node("CastLike", ["x", "like"], ["y"])], signal, axes, constants=like)
    table["BitCast"] = Recipe([node("BitCast", ["x"], ["y"], to=6)], signal, axes, opset=26)
    return table


def quantised() -> dict[str, Recipe]:
    signal, axes = [1, 3, 6, 7], {2: 2, 3: 3}
    unit: dict[str, Array] = {
        "s": np.array(0.02, np.float32),
        "z": np.array(0, np.uint8),
        "w": np.full(signal, 50, np.uint8),
        "c": np.zeros(signal, bool),
        "few": np.array(1 / 256, np.float32),
        "matrix": np.random.default_rng(1).integers(1, 9, [7, 4]).astype(np.uint8),
        "mz": np.array(0, np.uint8),
        "axes": np.array([1], np.int64),
    }

    def of(made: NodeProto, reach: Reach = Reach.PLACE, axes: Mapping[int, int] = axes, opset: int = 19) -> Recipe:
        used = {name: value for name, value in unit.items() if name in made.input}
        return Recipe([made], signal, axes, reach, used, dtype=np.uint8, opset=opset)

    def ms(op: str, *inputs: str, **attributes: Any) -> NodeProto:
        return node(op, inputs, ["y"], MICROSOFT, **attributes)

    pair = ("x", "s", "z", "w", "s", "z", "s", "z")
    return {
        "DequantizeLinear": of(node("DequantizeLinear", ["x", "s", "z"], ["y"])),
        "QLinearSigmoid": of(ms("QLinearSigmoid", "x", "s", "z", "few", "z")),
        "QLinearLeakyRelu": of(ms("QLinearLeakyRelu", "x", "s", "z", "s", "z", alpha=0.1)),
        "QLinearSoftmax": of(ms("QLinearSoftmax", "x", "s", "z", "few", "z", axis=1, opset=13)),
        "QLinearAdd": of(ms("QLinearAdd", *pair)),
        "QLinearMul": of(ms("QLinearMul", *pair)),
        "QLinearWhere": of(ms("QLinearWhere", "c", "w", "s", "z", "x", "s", "z", "s", "z")),
        "QLinearConcat": of(ms("QLinearConcat", "s", "z", "x", "s", "z", "w", "s", "z", axis=1)),
        "QLinearReduceMean": of(ms("QLinearReduceMean", "x", "s", "z", "s", "z", axes=[1], keepdims=1)),
        "QLinearGlobalAveragePool": of(ms("QLinearGlobalAveragePool", "x", "s", "z", "s", "z"), Reach.ENDED, {2: 2}),
        "MatMulInteger": of(node("MatMulInteger", ["x", "matrix"], ["y"]), axes={2: 2}),
        "QLinearMatMul": of(node("QLinearMatMul", ["x", "s", "z", "matrix", "s", "mz", "s", "z"], ["y"]), axes={2: 2}),
    }


def pairs() -> dict[str, Recipe]:
    signal, axes = [1, 3, 6, 7], {2: 2, 3: 3}
    half: dict[str, Array] = {"w": np.full([3, 1, 1], 0.3, np.float32)}
    table = {
        op: Recipe([node(op, ["x", "w"], ["y"])], signal, axes, constants=half)
        for op in [
            "Add",
            "Sub",
            "Mul",
            "Div",
            "Max",
            "Min",
            "Sum",
            "Mean",
            "Less",
            "Greater",
            "LessOrEqual",
            "GreaterOrEqual",
        ]
    }
    table["Pow"] = Recipe([node("Pow", ["x", "w"], ["y"])], signal, axes, constants=half)
    table["Mod"] = Recipe([node("Mod", ["x", "w"], ["y"], fmod=1)], signal, axes, constants=half)
    table["Equal"] = Recipe([node("Equal", ["x", "w"], ["y"])], signal, axes, constants=half, other=0.3)
    truth: dict[str, Array] = {"w": np.ones([3, 1, 1], bool)}
    table["And"] = Recipe([node("And", ["x", "w"], ["y"])], signal, axes, constants=truth, dtype=bool)
    table["Xor"] = Recipe([node("Xor", ["x", "w"], ["y"])], signal, axes, constants=truth, dtype=bool)
    wrong: dict[str, Array] = {"w": np.zeros([3, 1, 1], bool)}
    table["Or"] = Recipe([node("Or", ["x", "w"], ["y"])], signal, axes, constants=wrong, dtype=bool)
    bits: dict[str, Array] = {"w": np.full([3, 1, 1], 2, np.int32)}
    for op, mask in (("BitwiseAnd", 127), ("BitwiseOr", 0), ("BitwiseXor", 5)):
        masks: dict[str, Array] = {"w": np.full([3, 1, 1], mask, np.int32)}
        table[op] = Recipe([node(op, ["x", "w"], ["y"])], signal, axes, constants=masks, dtype=np.int32)
    shift: dict[str, Array] = {"w": bits["w"].astype(np.uint8)}
    table["BitShift"] = Recipe(
        [node("BitShift", ["x", "w"], ["y"], direction="RIGHT")], signal, axes, constants=shift, dtype=np.uint8
    )
    table["Where"] = Recipe(
        [node("Less", ["x", "w"], ["c"]), node("Where", ["c", "x", "w"], ["y"])], signal, axes, constants=half
    )
    return table


def along() -> dict[str, Recipe]:
    """Operators that see more than their own place."""
    signal, axes, grid = [1, 3, 6, 7], {2: 2, 3: 3}, Reach.ALL
    gains: dict[str, Array] = {
        "g": np.full(3, 1.5, np.float32),
        "b": np.full(3, 0.5, np.float32),
        "wide": np.linspace(0.5, 1.5, 7, dtype=np.float32),
        "axis": np.array(2),
        "channel": np.array(1),
        "whole": np.array([6]),
    }

    def of(made: NodeProto, reach: Reach = grid, axes: Mapping[int, int] = axes, opset: int = 19) -> Recipe:
        return Recipe([made], signal, axes, reach, {k: v for k, v in gains.items() if k in made.input}, opset)

    return {
        "Softmax": of(node("Softmax", ["x"], ["y"], axis=-1), axes={3: 3}),
        "LogSoftmax": of(node("LogSoftmax", ["x"], ["y"], axis=-1), axes={3: 3}),
        "Hardmax": of(node("Hardmax", ["x"], ["y"], axis=1), Reach.PLACE),
        "InstanceNormalization": of(node("InstanceNormalization", ["x", "g", "b"], ["y"])),
        "GroupNormalization": of(node("GroupNormalization", ["x", "g", "b"], ["y"], num_groups=3), opset=21),
        "LRN": of(node("LRN", ["x"], ["y"], size=3), Reach.PLACE),
        "LpNormalization": of(node("LpNormalization", ["x"], ["y"], axis=1), Reach.PLACE),
        "MeanVarianceNormalization": of(node("MeanVarianceNormalization", ["x"], ["y"])),
        "LayerNormalization": of(node("LayerNormalization", ["x", "wide"], ["y"], axis=-1), axes={3: 3}),
        "RMSNormalization": of(node("RMSNormalization", ["x", "wide"], ["y"], axis=-1), axes={3: 3}, opset=23),
        "SimplifiedLayerNormalization": of(
            node("SimplifiedLayerNormalization", ["x", "wide"], ["y"], axis=-1), axes={3: 3}
        ),
        "CumSum": of(node("CumSum", ["x", "channel"], ["y"]), Reach.PLACE),
        "CumProd": of(node("CumProd", ["x", "channel"], ["y"]), Reach.PLACE, opset=26),
        "Trilu": of(node("Trilu", ["x"], ["y"], upper=0)),
        "GlobalAveragePool": of(node("GlobalAveragePool", ["x"], ["y"]), Reach.ENDED),
        "GlobalMaxPool": of(node("GlobalMaxPool", ["x"], ["y"]), Reach.ENDED),
        "GlobalLpPool": of(node("GlobalLpPool", ["x"], ["y"]), Reach.ENDED),
        "ArgMax": of(node("ArgMax", ["x"], ["y"], axis=1), Reach.PLACE, {2: 2, 3: 3}),
        "ArgMin": of(node("ArgMin", ["x"], ["y"], axis=1), Reach.PLACE, {2: 2, 3: 3}),
        **{
            op: of(node(op, ["x"], ["y"], axes=[1], keepdims=1), Reach.PLACE, opset=11)
            for op in [
                "ReduceMean",
                "ReduceSum",
                "ReduceMax",
                "ReduceMin",
                "ReduceProd",
                "ReduceL1",
                "ReduceL2",
                "ReduceLogSum",
                "ReduceLogSumExp",
                "ReduceSumSquare",
            ]
        },
    }


def shapes() -> dict[str, Recipe]:
    """Operators that read no content, or put it into other places."""
    signal = [1, 3, 6, 7]
    table = {op: Recipe([node(op, ["x"], ["y"])], signal, {2: 0}, Reach.NOTHING) for op in ("Shape", "Size")}
    table["EyeLike"] = Recipe(
        [node("Squeeze", ["x", "axes"], ["s"]), node("EyeLike", ["s"], ["y"])],
        [1, 1, 6, 7],
        {2: 0},
        Reach.NOTHING,
        {"axes": np.array([0, 1])},
    )
    table["ConstantOfShape"] = Recipe(
        [node("Shape", ["x"], ["s"]), node("ConstantOfShape", ["s"], ["y"])], signal, {2: 2}, Reach.NOTHING
    )
    table["Expand"] = Recipe(
        [node("Expand", ["x", "size"], ["y"])], signal, {2: 2, 3: 3}, constants={"size": np.array([4, 3, 6, 7])}
    )
    table["Tile"] = Recipe(
        [node("Tile", ["x", "times"], ["y"])], signal, {2: 2, 3: 3}, constants={"times": np.array([1, 2, 1, 1])}
    )
    table["OneHot"] = Recipe(
        [node("OneHot", ["x", "depth", "values"], ["y"], axis=1)],
        signal,
        {2: 3, 3: 4},
        constants={"depth": np.array(200), "values": np.array([0, 1], np.int64)},
        dtype=np.int64,
    )
    table["Crop"] = Recipe([node("Crop", ["x"], ["y"], border=[1, 1, 1, 1])], signal, {2: 2, 3: 3}, opset=8)
    return table
