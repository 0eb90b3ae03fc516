"""Draws small models of the forms that targets treat differently, with random attributes and sizes.

    python -m scripts.target_variants FOLDER [--seed 1] [--count 300]

Tables of targets that were fitted to some models say little about others. These are drawn anew for every seed, so a
fresh seed measures how often the tables are right: ``python -m scripts.targets FOLDER``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

Array = NDArray[Any]
Attributes = dict[str, Any]
_FAR = 2**31 - 1
_INTEGER = 7


@dataclass
class Drawing:
    """One model while it is drawn: nodes from the input ``x`` to the output ``y``, and constants."""

    pick: random.Random
    shape: list[int] = field(default_factory=list)
    opset: int = 13
    rank: int | None = None
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)

    def map(self, *, channels: int | None = None, low: int = 9, high: int = 26, signals: float = 0.12) -> int:
        """Draw the shape of the input: mostly a picture, sometimes a signal or a volume. Returns the number of axes."""
        kind = self.pick.random()
        count = 1 if kind < signals / 2 else 3 if kind < signals else 2
        if count == 3:
            low, high = 6, 11
        self.shape = [1, channels or self.pick.choice([1, 2, 3, 4, 6])]
        self.shape += [self.pick.randint(low, high) for _ in range(count)]
        return count

    def chance(self, share: float) -> bool:
        return self.pick.random() < share

    def node(self, op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> None:
        given = {name: value for name, value in attributes.items() if value is not None}
        self.nodes.append(
            helper.make_node(op, list(inputs), output.split(","), f"{op.lower()}{len(self.nodes)}", **given)
        )

    def behind_a_filter(self) -> None:
        """Put a convolution that changes nothing in front, by which converters know the batch axis, as in a network."""
        channels, axes = self.shape[1], len(self.shape) - 2
        self.constants["unit"] = np.ones((channels, 1, *(1,) * axes), np.float32)
        for part in self.nodes:
            part.input[:] = ["filtered" if name == "x" else name for name in part.input]
        filtered = helper.make_node(
            "Conv", ["x", "unit"], ["filtered"], "unit", group=channels, kernel_shape=[1] * axes, strides=[1] * axes
        )
        self.nodes.insert(0, filtered)

    def numbers(self, name: str, values: object) -> str:
        self.constants[name] = np.asarray(values, np.int64)
        return name

    def noise(self, name: str, shape: Sequence[int], scale: float = 1.0) -> str:
        state = np.random.default_rng(self.pick.randrange(2**31))
        self.constants[name] = (state.standard_normal(tuple(shape)) * scale).astype(np.float32)
        return name

    def model(self) -> onnx.ModelProto:
        rank = len(self.shape) if self.rank is None else self.rank
        graph = helper.make_graph(
            self.nodes,
            "g",
            [helper.make_tensor_value_info("x", 1, self.shape)],
            [helper.make_tensor_value_info("y", 1, [None] * rank)],
            [numpy_helper.from_array(values, name) for name, values in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def _resize(draw: Drawing) -> None:
    pick = draw.pick
    count = draw.map()
    draw.opset = pick.choice([11, 13, 18, 18, 19, 19])
    mode = pick.choice(["nearest", "linear", "linear", "cubic"])
    if mode == "cubic":
        draw.shape = [*draw.shape[:2], *(pick.randint(9, 26) for _ in range(2))]
        count = 2
    modes = ["half_pixel", "half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"]
    coordinate = pick.choice([*modes, "half_pixel_symmetric"] if draw.opset >= 19 else modes)
    attributes: Attributes = {"mode": mode, "coordinate_transformation_mode": coordinate}
    if mode == "nearest":
        attributes["nearest_mode"] = pick.choice(["floor", "floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
        if draw.chance(0.15):
            del attributes["mode"]
        if attributes["nearest_mode"] == "round_prefer_floor" and draw.chance(0.5):
            del attributes["nearest_mode"]
    elif draw.opset >= 18 and draw.chance(0.35):
        attributes["antialias"] = 1
    if mode == "cubic":
        attributes["cubic_coeff_a"] = pick.choice([None, -0.75, -0.5, -0.6])
    if mode == "cubic" or "antialias" in attributes:
        attributes["exclude_outside"] = pick.choice([None, 0, 1])
    if coordinate == "half_pixel" and draw.chance(0.3):
        del attributes["coordinate_transformation_mode"]
    factors = [2, 2, 3, 4, 1.5, 2.5, 0.5, 0.5, 0.25, 1 / 3, 0.75, 0.6, 0.4]
    factor = pick.choice(factors)
    each = [factor] * count if draw.chance(0.75) else [pick.choice([1, *factors]) for _ in range(count)]
    names_axes = draw.opset >= 18 and draw.chance(0.12)
    if names_axes:
        attributes["axes"] = list(range(2, 2 + count))
    leading = [] if names_axes else [1, 1]
    inputs = ["x", "", ""]
    if draw.opset == 11:
        draw.constants["roi"] = np.zeros(0, np.float32)
        inputs[1] = "roi"
    if draw.chance(0.5):
        draw.constants["scales"] = np.asarray([*leading, *each], np.float32)
        inputs[2] = "scales"
    else:
        if draw.opset == 11:
            draw.constants["none"] = np.zeros(0, np.float32)
            inputs[2] = "none"
        sizes = [
            max(round(size * by) + pick.choice([0, 0, 0, 1]), 1) for size, by in zip(draw.shape[2:], each, strict=True)
        ]
        inputs.append(draw.numbers("sizes", sizes if names_axes else [*draw.shape[:2], *sizes]))
        if names_axes and draw.chance(0.3):
            attributes["keep_aspect_ratio_policy"] = pick.choice(["not_larger", "not_smaller"])
    draw.node("Resize", inputs, **attributes)


def _upsample(draw: Drawing) -> None:
    draw.map(signals=0)
    mode = draw.pick.choice(["nearest", "linear", None])
    factors = [1.0, 1.0, *(draw.pick.choice([(2.0, 2.0), (3.0, 3.0), (1.0, 2.0), (4.0, 2.0)]))]
    draw.opset = draw.pick.choice([7, 9, 10])
    if draw.opset == 7:
        draw.node("Upsample", ["x"], mode=mode, scales=factors)
        return
    if draw.opset == 10 and draw.chance(0.4):
        factors[2:] = [0.5, 0.5]
    draw.constants["scales"] = np.asarray(factors, np.float32)
    draw.node("Resize" if draw.opset == 10 else "Upsample", ["x", "scales"], mode=mode)


def _window(draw: Drawing, count: int, *, dilations: float) -> Attributes:
    """Kernel, strides, dilations and padding of a pool or a convolution."""
    pick = draw.pick
    kernel = [pick.choice([1, 2, 2, 3, 3, 3, 4, 5, 7] if count < 3 else [1, 2, 3])] * count
    if draw.chance(0.15):
        kernel = [pick.choice([1, 2, 3, 5]) for _ in range(count)]
    stride = [pick.choice([1, 2, 2, 2, 3, 4] if count < 3 else [1, 2])] * count
    if draw.chance(0.1):
        stride = [pick.choice([1, 2, 3]) for _ in range(count)]
    dilation = [pick.choice([2, 2, 3])] * count if draw.chance(dilations) else [1] * count
    words: Attributes = {"kernel_shape": kernel, "strides": stride}
    if max(stride) == 1 and draw.chance(0.25):
        del words["strides"]
    if max(dilation) > 1:
        words["dilations"] = dilation
    padding = pick.choice(["none", "even", "even", "uneven", "upper", "lower"])
    if padding in ("upper", "lower"):
        words["auto_pad"] = f"SAME_{padding.upper()}"
    elif padding == "even":
        words["pads"] = [pick.randint(0, (size - 1) // 2 if draw.chance(0.8) else size - 1) for size in kernel] * 2
    elif padding == "uneven":
        words["pads"] = [pick.randint(0, size - 1) for size in kernel * 2]
    elif draw.chance(0.2):
        words["auto_pad"] = "VALID"
    return words


def _pool(draw: Drawing) -> None:
    pick = draw.pick
    count = draw.map()
    op = pick.choice(["MaxPool", "MaxPool", "AveragePool", "AveragePool", "AveragePool", "LpPool"])
    words = _window(draw, count, dilations=0.12)
    draw.opset = pick.choice([10, 11, 13, 18, 19])
    if "dilations" in words and op != "MaxPool":
        draw.opset = 19
    if draw.opset >= (18 if op == "LpPool" else 10) and "auto_pad" not in words and draw.chance(0.3):
        words["ceil_mode"] = 1
    if op == "AveragePool" and draw.chance(0.4):
        words["count_include_pad"] = 1
    if op == "LpPool" and draw.chance(0.4):
        words["p"] = pick.choice([1, 2, 3])
    if op == "MaxPool" and draw.chance(0.12):
        draw.node(op, ["x"], "m,i", **words, storage_order=pick.choice([None, 0, 1]))
        if draw.chance(0.5):
            draw.node("Cast", ["i"], to=1)
        else:
            draw.nodes[-1].output[0] = "y"
        return
    draw.node(op, ["x"], **words)


def _global(draw: Drawing) -> None:
    draw.map(signals=0.4)
    draw.node(draw.pick.choice(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]), ["x"])


def _weights(draw: Drawing, *, transposed: bool, kernel: Sequence[int]) -> tuple[list[str], int]:
    pick, inputs = draw.pick, draw.shape[1]
    kind = pick.random()
    if kind < 0.35 and inputs > 1:
        group, outputs = inputs, inputs * pick.choice([1, 1, 1, 2])
    elif kind < 0.5 and inputs % 2 == 0:
        group, outputs = 2, pick.choice([2, 4, 6])
    else:
        group, outputs = 1, pick.choice([1, 2, 3, 5, 8])
    shape = [inputs, outputs // group] if transposed else [outputs, inputs // group]
    names = ["x", draw.noise("w", [*shape, *kernel], float(np.prod([*kernel, shape[1]])) ** -0.5)]
    if draw.chance(0.6):
        names.append(draw.noise("b", [outputs]))
    return names, group


def _conv(draw: Drawing) -> None:
    count = draw.map()
    words = _window(draw, count, dilations=0.2)
    draw.opset = draw.pick.choice([9, 11, 13, 17])
    if draw.chance(0.08) and count == 2:
        words["kernel_shape"] = draw.pick.choice([[1, 9], [9, 1], [1, 11], [1, 7], [8, 1]])
        draw.shape[2:] = [draw.pick.randint(12, 24) for _ in range(2)]
    names, group = _weights(draw, transposed=False, kernel=words["kernel_shape"])
    if draw.chance(0.15):
        del words["kernel_shape"]
    draw.node("Conv", names, **words, group=None if group == 1 else group)


def _transposed(draw: Drawing) -> None:
    count = draw.map(low=4, high=11)
    pick = draw.pick
    words = _window(draw, count, dilations=0.12)
    names, group = _weights(draw, transposed=True, kernel=words["kernel_shape"])
    strides = words.get("strides", [1] * count)
    if draw.chance(0.25) and max(strides) > 1:
        words["output_padding"] = [pick.randint(0, step - 1) for step in strides]
    elif draw.chance(0.15):
        words["output_shape"] = [
            size * step + pick.choice([0, 0, 1]) for size, step in zip(draw.shape[2:], strides, strict=True)
        ]
        words.pop("pads", None)
    draw.node("ConvTranspose", names, **words, group=None if group == 1 else group)


def _pad(draw: Drawing) -> None:
    pick = draw.pick
    count = draw.map(low=6, high=14)
    mode = pick.choice([None, "constant", "reflect", "reflect", "edge", "edge", "wrap"])
    draw.opset = 19 if mode == "wrap" else pick.choice([9, 11, 13, 18])
    front = [pick.choice([0, 1, 1, 2, 3]) for _ in range(count)]
    back = list(front) if draw.chance(0.5) else [pick.choice([0, 1, 2, 4]) for _ in range(count)]
    if draw.chance(0.1) and mode in (None, "constant"):
        back[-1] = -1
    if draw.chance(0.1):
        front[-1] = draw.shape[-1] - 1
    pads = [0, 0, *front, 0, 0, *back]
    if draw.chance(0.1) and mode != "wrap":
        pads[1] = pick.choice([0, 1])
        pads[3 + count] = 1
    value = pick.choice([0.5, -2.0]) if mode in (None, "constant") and draw.chance(0.3) else None
    if draw.opset < 11:
        draw.node("Pad", ["x"], pads=pads, mode=mode, value=value)
        return
    names = ["x", "pads", ""]
    if value is not None:
        draw.constants["value"] = np.asarray(value, np.float32)
        names[2] = "value"
    if draw.opset >= 18 and draw.chance(0.3):
        draw.numbers("pads", front + back)
        names.append(draw.numbers("axes", range(2, 2 + count)))
    else:
        draw.numbers("pads", pads)
    while not names[-1]:
        names.pop()
    draw.node("Pad", names, mode=mode)


def _blocks(draw: Drawing) -> None:
    pick = draw.pick
    block = pick.choice([2, 2, 3, 4])
    draw.opset = pick.choice([11, 13])
    if draw.chance(0.4):
        draw.shape = [1, pick.choice([1, 2, 3]), block * pick.randint(2, 5), block * pick.randint(2, 5)]
        draw.node("SpaceToDepth", ["x"], blocksize=block)
    else:
        draw.shape = [1, block * block * pick.choice([1, 2, 3]), pick.randint(3, 8), pick.randint(3, 8)]
        draw.node("DepthToSpace", ["x"], blocksize=block, mode=pick.choice([None, "DCR", "CRD", "CRD"]))


def _slice(draw: Drawing) -> None:
    pick = draw.pick
    count = draw.map(channels=4)
    draw.opset = pick.choice([9, 11, 13, 13])
    axes = sorted(pick.sample(range(2, 2 + count), pick.randint(1, count)))
    if draw.chance(0.1):
        axes = [1]
    kind = "plain" if draw.opset < 10 else pick.choice(["plain", "step", "step", "step", "back"])
    starts, ends, steps = [], [], []
    for axis in axes:
        size = draw.shape[axis]
        first = pick.choice([0, 0, 1, 2, -size + 1])
        starts.append(size - 1 - pick.choice([0, 1]) if kind == "back" else first)
        ends.append(-_FAR if kind == "back" else pick.choice([size, _FAR, -1, size - 1]))
        steps.append(-pick.choice([1, 1, 2]) if kind == "back" else pick.choice([2, 2, 3]) if kind == "step" else 1)
    if draw.opset < 10:
        draw.node("Slice", ["x"], starts=starts, ends=ends, axes=axes)
        return
    named = [axis - len(draw.shape) for axis in axes] if draw.chance(0.2) else axes
    names = ["x", draw.numbers("starts", starts), draw.numbers("ends", ends), draw.numbers("axes", named)]
    if kind != "plain" or draw.chance(0.4):
        names.append(draw.numbers("steps", steps))
    draw.node("Slice", names)


def _gather(draw: Drawing) -> None:
    pick = draw.pick
    count = draw.map(channels=4)
    axis = pick.choice([*range(2, 2 + count), *range(2, 2 + count), 1])
    size = draw.shape[axis]
    kind = pick.choice(["every", "every", "any", "negative", "scalar"])
    if kind == "every":
        places: object = list(range(pick.choice([0, 1]), size, pick.choice([2, 3])))
    elif kind == "scalar":
        places = pick.randrange(size)
        draw.rank = len(draw.shape) - 1
    else:
        places = [pick.randrange(size) - (size if kind == "negative" else 0) for _ in range(pick.randint(2, 6))]
    draw.node("Gather", ["x", draw.numbers("places", places)], axis=axis - (len(draw.shape) if draw.chance(0.2) else 0))


def _chosen_place(draw: Drawing, most: int) -> str:
    """A list of one place from 0 to ``most`` that the data choose, in one of the spellings of exporters."""
    pick = draw.pick
    if draw.chance(0.5):
        for name, value in (("scale", pick.choice([5.0, 9.0])), ("low", 0.0), ("high", float(most))):
            draw.constants[name] = np.asarray(value, np.float32)
        draw.node("ReduceMean", ["x"], "mean", keepdims=0)
        draw.node("Mul", ["mean", "scale"], "scaled")
        draw.node("Abs", ["scaled"], "large")
        draw.node("Floor", ["large"], "whole")
        draw.node("Clip", ["whole", "low", "high"], "kept")
        draw.node("Cast", ["kept"], "number", to=_INTEGER)
    else:
        draw.node("Reshape", ["x", draw.numbers("flat", [-1])], "row")
        draw.node("Slice", ["row", draw.numbers("zero", [0]), draw.numbers("count", [most + 1])], "scores")
        draw.node("ArgMax", ["scores"], "number", axis=0, keepdims=0)
    draw.node("Reshape", ["number", draw.numbers("one", [1])], "place")
    return "place"


def _computed(draw: Drawing) -> None:
    draw.map(signals=0)
    pick = draw.pick
    axis = pick.choice([2, 3])
    most = pick.randint(1, 4)
    length = draw.shape[axis] - most
    place = _chosen_place(draw, most)
    if draw.chance(0.6):
        draw.node("Add", [place, draw.numbers("length", [length])], "end")
        names = ["x", place, "end", draw.numbers("axes", [axis])]
        if draw.chance(0.3):
            names.append(draw.numbers("steps", [2]))
        draw.node("Slice", names)
    else:
        draw.node("Add", [place, draw.numbers("run", range(length))], "places")
        draw.node("Gather", ["x", "places"], axis=axis)


def _grid(draw: Drawing) -> None:
    pick = draw.pick
    draw.opset = pick.choice([16, 20])
    count = draw.map(signals=0) if draw.opset < 20 or draw.chance(0.85) else 3
    if count == 3:
        draw.shape = [1, 2, 5, 6, 7]
    linear, cubic = ("bilinear", "bicubic") if draw.opset < 20 else ("linear", "cubic")
    mode = pick.choice([None, linear, linear, "nearest", *([cubic] if count == 2 else [])])
    sizes = [pick.randint(4, 12) for _ in range(count)]
    state = np.random.default_rng(pick.randrange(2**31))
    draw.constants["grid"] = state.uniform(-1.3, 1.3, (1, *sizes, count)).astype(np.float32)
    draw.node(
        "GridSample",
        ["x", "grid"],
        mode=mode,
        padding_mode=pick.choice([None, "zeros", "border", "reflection"]),
        align_corners=pick.choice([None, 0, 1]),
    )


def _sum(draw: Drawing) -> None:
    pick = draw.pick
    draw.map(signals=0)
    kind = pick.choice(["mean", "mean", "sum", "map", "matrix"])
    if kind in ("mean", "sum"):
        shape = draw.shape if draw.chance(0.8) else [1, draw.shape[1], 1, 1]
        others = [draw.noise(f"c{index}", shape) for index in range(pick.randint(1, 4))]
        draw.node(kind.capitalize(), ["x", *others])
    elif kind == "map":
        shape = pick.choice([draw.shape[2:], [1, 1, *draw.shape[2:]], [1, *draw.shape[1:]], [1, draw.shape[1], 1, 1]])
        draw.node("Mul", ["x", draw.noise("c", shape)])
    elif draw.chance(0.5):
        draw.node("MatMul", ["x", draw.noise("c", [draw.shape[3], pick.randint(3, 12)])])
    else:
        draw.node("MatMul", [draw.noise("c", [pick.randint(3, 12), draw.shape[2]]), "x"])


def _others(draw: Drawing) -> None:
    pick = draw.pick
    draw.map(signals=0)
    kind = pick.choice(["center", "roi", "unpool"])
    if kind == "center":
        draw.opset = 18
        sizes = [max(size + pick.choice([-3, -2, 1, 4]), 1) for size in draw.shape[2:]]
        draw.node("CenterCropPad", ["x", draw.numbers("sizes", sizes)], axes=[2, 3])
    elif kind == "roi":
        draw.opset = 16
        draw.constants["boxes"] = np.asarray([[1, 1, 7, 6], [0.5, 2, 6.25, 8]], np.float32)
        draw.node(
            "RoiAlign",
            ["x", "boxes", draw.numbers("batch", [0, 0])],
            output_height=pick.choice([2, 3]),
            output_width=pick.choice([2, 4]),
            spatial_scale=pick.choice([1.0, 0.5]),
            sampling_ratio=pick.choice([0, 2]),
            mode=pick.choice([None, "avg", "max"]),
            coordinate_transformation_mode=pick.choice([None, "half_pixel", "output_half_pixel"]),
        )
    else:
        draw.shape[2:] = [2 * pick.randint(3, 6), 2 * pick.randint(3, 6)]
        draw.node("MaxPool", ["x"], "m,i", kernel_shape=[2, 2], strides=[2, 2])
        draw.node("MaxUnpool", ["m", "i"], kernel_shape=[2, 2], strides=[2, 2])


FAMILIES: Mapping[str, tuple[int, Callable[[Drawing], None]]] = {
    "resize": (28, _resize),
    "upsample": (4, _upsample),
    "pool": (22, _pool),
    "global": (2, _global),
    "conv": (14, _conv),
    "transposed": (9, _transposed),
    "pad": (9, _pad),
    "blocks": (5, _blocks),
    "slice": (8, _slice),
    "gather": (4, _gather),
    "computed": (4, _computed),
    "grid": (5, _grid),
    "sum": (4, _sum),
    "others": (2, _others),
}
"""By the name that its models begin with: how often a family is drawn, and what draws one."""


_ALONE = frozenset({"pad", "slice", "gather", "computed", "sum"})
"""The families without an operator that says which axis is the batch."""


def _runs(model: bytes, shape: Sequence[int]) -> bool:
    """Whether onnxruntime computes anything, with which others can be compared."""
    import onnxruntime

    onnxruntime.set_default_logger_severity(4)
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"x": np.ones(tuple(shape), np.float32)})[0]).size > 0
    except Exception:  # noqa: BLE001 - whatever the reason
        return False


def draw_models(folder: Path, seed: int, count: int) -> list[Path]:
    """Write as many models as asked for that onnxruntime runs; the same seed writes the same ones."""
    pick = random.Random(seed)  # noqa: S311 - repeatable, not secret
    names = list(FAMILIES)
    shares = [share for share, _ in FAMILIES.values()]
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    while len(written) < count:
        family = pick.choices(names, shares)[0]
        draw = Drawing(random.Random(pick.randrange(2**31)))  # noqa: S311
        FAMILIES[family][1](draw)
        if family in _ALONE:
            draw.behind_a_filter()
        model = draw.model().SerializeToString()
        if _runs(model, draw.shape):
            written.append(folder / f"{family}-{seed}-{len(written):04d}.onnx")
            written[-1].write_bytes(model)
    return written


def main() -> None:
    """Write the models into a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    chosen = parser.parse_args()
    print(f"{len(draw_models(chosen.folder, chosen.seed, chosen.count))} models in {chosen.folder}")


if __name__ == "__main__":
    main()
