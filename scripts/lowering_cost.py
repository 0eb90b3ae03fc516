"""Measure what the forms of `fix --portable` cost, for the prices in auditor/rewrite/portable/prices.py.

    python scripts/lowering_cost.py

Times onnxruntime on one thread, minimum of several interleaved runs, and prints per operator the time of one unit (an
output, a tap or an element) in multiply-adds of a matrix product on maps of that size; then, per lowered node, the
measured ratio of times beside the predicted one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from auditor.onnxfile import read_model
from auditor.rewrite.portable.run import lower
from auditor.sampling.analysis import observe
from auditor.targets.forms import OPERATORS
from auditor.targets.table import read_targets, target_names

SHAPES = ((3, 480, 480), (64, 120, 120), (256, 28, 28))
_RUNS = 7
_ANY = 1e9

Array = NDArray[Any]


def model(
    op: str, shape: Sequence[int], constants: Mapping[str, Array], inputs: Sequence[str], **attributes: Any
) -> Any:
    """A model of one node."""
    node = helper.make_node(op, list(inputs), ["y"], "node", **attributes)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", 1, [1, *shape])],
        [helper.make_tensor_value_info("y", 1, [None] * 4)],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=8)


def runner(made: onnx.ModelProto | Path, picture: Array) -> Callable[[], object]:
    """Runs a model once on one thread."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    source = str(made) if isinstance(made, Path) else made.SerializeToString()
    session = ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": picture})


def times(runs: Sequence[Callable[[], object]]) -> list[float]:
    """The smallest time of each, in seconds, the runs one after the other in turn."""
    taken: list[list[float]] = [[] for _ in runs]
    for _ in range(_RUNS):
        for place, run in enumerate(runs):
            begun = time.perf_counter()
            run()
            taken[place].append(time.perf_counter() - begun)
    return [min(found) for found in taken]


def cases(shape: Sequence[int]) -> dict[str, tuple[onnx.ModelProto, float]]:
    """Models by name, each with the number of its units."""
    channels, height, width = shape
    half = height * width // 4
    sizes = {"z": np.array([1, channels, height // 2, width // 2], np.int64)}
    square = np.ones((channels, 1, 4, 4), np.float32)

    def resize(**attributes: Any) -> onnx.ModelProto:
        made: onnx.ModelProto = model("Resize", shape, sizes, ["x", "", "", "z"], **attributes)
        return made

    ratio = {"z": np.array([1, channels, height * 3 // 4, width * 3 // 4], np.int64)}

    def by_ratio(mode: str) -> onnx.ModelProto:
        made: onnx.ModelProto = model("Resize", shape, ratio, ["x", "", "", "z"], mode=mode, antialias=1)
        return made

    three = 9 * height * width // 16
    taps = 4 * 2 + 4  # linear to half the size, columns on all rows first
    window = {"kernel_shape": [3, 3], "strides": [2, 2]}
    return {
        "matrix product": (
            model("MatMul", shape, {"w": np.ones((width, width), np.float32)}, ["x", "w"]),
            height * width**2,
        ),
        "antialiased tap": (resize(mode="linear", antialias=1), taps * half),
        "linear to 3/4": (by_ratio("linear"), three),
        "cubic to 3/4": (by_ratio("cubic"), three),
        "linear output": (resize(mode="linear"), half),
        "cubic output": (resize(mode="cubic"), half),
        "nearest output": (resize(mode="nearest"), half),
        "depthwise tap": (
            model("Conv", shape, {"w": square}, ["x", "w"], group=channels, strides=[2, 2], pads=[1, 1, 1, 1]),
            16 * half,
        ),
        "MaxPool output": (model("MaxPool", shape, {}, ["x"], pads=[0, 0, 1, 1], **window), half),
        "AveragePool output": (
            model("AveragePool", shape, {}, ["x"], pads=[1, 1, 1, 1], count_include_pad=1, **window),
            half,
        ),
        "picked output": (model("MaxPool", shape, {}, ["x"], kernel_shape=[1, 1], strides=[2, 2]), half),
        "LpPool tap": (model("LpPool", shape, {}, ["x"], p=2, **window), 9 * half),
        "padded element": (
            model("Pad", shape, {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.int64)}, ["x", "p"], mode="edge"),
            height * width,
        ),
        "gathered element": (model("SpaceToDepth", shape, {}, ["x"], blocksize=2), height * width),
    }


def ratio(made: onnx.ModelProto, picture: Array, folder: Path) -> tuple[str, float, float] | None:
    """How a node is lowered, and the predicted and the measured ratio of times; None where it stays."""
    source, target = folder / "source.onnx", folder / "portable.onnx"
    source.write_bytes(made.SerializeToString())
    read = read_model(source)
    analysis, nodes = observe(read, operators=OPERATORS)
    done = lower(read, analysis, nodes, read_targets(target_names()), target, most=_ANY)
    if not done.nodes:
        return None
    before, after = times([runner(made, picture), runner(target, picture)])
    return done.nodes[0].how, done.nodes[0].ratio, after / before


def main() -> int:
    """Print both tables."""
    units: dict[str, list[float]] = {}
    lowered: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for shape in SHAPES:
            picture = np.random.default_rng(0).standard_normal((1, *shape)).astype(np.float32)
            made = cases(shape)
            taken = times([runner(one, picture) for one, _ in made.values()])
            per_unit = [found / (shape[0] * count) for found, (_, count) in zip(taken, made.values(), strict=True)]
            for name, found in zip(made, per_unit, strict=True):
                units.setdefault(name, []).append(found / per_unit[0])
            for name, (one, _) in made.items():
                found_ratio = ratio(one, picture, Path(folder))
                if found_ratio is not None:
                    how, predicted, measured = found_ratio
                    size = "x".join(map(str, shape))
                    lowered.append(f"{size:12} {name:18} predicted {predicted:5.2f} measured {measured:5.2f}  {how}")
    for name, values in units.items():
        print(f"{name:18} {median(values):8.0f}  ({', '.join(f'{value:.0f}' for value in values)})")
    print("\n".join(lowered))
    return 0


if __name__ == "__main__":
    sys.exit(main())
