"""How CPU time and memory of a command grow with what it is given; ``python -m benchmarks.scale --growth`` prints it.

Each curve doubles one size and leaves the others. CPU time is that of all processes of the command, memory the largest
of any. The last column is what one more of the size took since the first row: it stays where growth is linear and
doubles from row to row where it is quadratic, whatever the start of the program takes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, helper, numpy_helper

from auditor.demo import demo_model
from benchmarks.measure import Usage, least

_ROOT = Path(__file__).resolve().parent.parent
_SIDE = 64
# In a process of its own, because the memory of whoever starts a command counts as that of the command.
_MEASURE = """
import sys
from benchmarks.measure import measure
usage = measure(sys.argv[1:], 600)
print(usage.cpu, usage.rss)
"""
_DOUBLINGS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """Commands over a size that doubles."""

    name: str
    points: Sequence[tuple[int, list[str]]]


def curves(folder: Path) -> Iterator[Curve]:
    """One for each size."""

    def doubled(first: int) -> list[int]:
        return [first << step for step in range(_DOUBLINGS)]

    def audit(model: Path) -> list[str]:
        return ["check", str(model), "--isolated", "-q", "--exit-zero"]

    yield Curve("nodes", [(count, audit(_model(folder, _chain(count)))) for count in doubled(2000)])
    yield Curve("sites", [(count, audit(_model(folder, _sites(count)))) for count in doubled(100)])
    model = demo_model()
    copies = [_copy(folder, model, number) for number in range(doubled(2)[-1])]
    yield Curve("models", [(count, _verify(folder, 2, copies[:count])) for count in doubled(2)])
    yield Curve("images", [(count, _verify(folder, count, [model])) for count in doubled(64)])
    yield Curve("shifts", [(count, [*_verify(folder, 64, [model]), "--shifts", str(count)]) for count in doubled(64)])


def print_curves(rounds: int) -> None:
    """Measure every curve and print it as a table."""
    print(f"{'over':8}{'size':>8}{'CPU s':>9}{'MB':>8}{'ms each':>9}")
    with tempfile.TemporaryDirectory() as name:
        for curve in curves(Path(name)):
            begun: tuple[int, float] | None = None
            for size, words in curve.points:
                usage = least([_measured(words) for _ in range(rounds)])
                begun = begun or (size, usage.cpu)
                more = size - begun[0]
                each = f"{1000 * (usage.cpu - begun[1]) / more:9.3f}" if more else ""
                print(f"{curve.name:8}{size:8}{usage.cpu:9.2f}{usage.rss:8.0f}{each}", flush=True)


def _measured(words: list[str]) -> Usage:
    command = [sys.executable, "-c", _MEASURE, sys.executable, "-m", "auditor", *words]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    cpu, rss = map(float, done.stdout.split())
    return Usage(cpu, rss)


def _verify(folder: Path, images: int, models: Sequence[Path]) -> list[str]:
    path = folder / f"noise-{images}.npy"
    if not path.exists():
        np.save(path, np.random.default_rng(0).integers(0, 256, (images, _SIDE, _SIDE, 1), dtype=np.uint8))
    words = ["verify", *map(str, models), "--images", str(path), "--all-images", "--preset", "unit", "--layers", "0"]
    return [*words, "--device", "cpu", "--threads", "1", "--isolated", "-q", "--exit-zero"]


def _copy(folder: Path, model: Path, number: int) -> Path:
    path = folder / f"copy-{number}.onnx"
    path.write_bytes(model.read_bytes())
    return path


def _chain(count: int) -> list[NodeProto]:
    """One site, and nodes behind it."""
    names = ["down", *(f"r{number}" for number in range(count))]
    nodes = [helper.make_node("Conv", ["x", "w"], ["down"], "down", strides=[2, 2], pads=[1, 1, 1, 1])]
    nodes += [helper.make_node("Relu", [before], [name], name) for before, name in pairwise(names)]
    return [*nodes, helper.make_node("GlobalAveragePool", [names[-1]], ["y"], "head")]


def _sites(count: int) -> list[NodeProto]:
    """Sites one behind the other, each undone by an upsampling."""
    nodes, last = [], "x"
    for number in range(count):
        down, up = f"down{number}", f"up{number}"
        nodes.append(helper.make_node("MaxPool", [last], [down], down, kernel_shape=[2, 2], strides=[2, 2]))
        nodes.append(helper.make_node("Resize", [down, "", "twice"], [up], up, mode="nearest"))
        last = up
    return [*nodes, helper.make_node("GlobalAveragePool", [last], ["y"], "head")]


def _model(folder: Path, nodes: list[NodeProto]) -> Path:
    path = folder / f"{nodes[0].op_type}-{len(nodes)}.onnx"
    weights = [
        numpy_helper.from_array(np.random.default_rng(0).standard_normal((3, 3, 3, 3)).astype(np.float32), "w"),
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "twice"),
    ]
    read = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "growth",
        [helper.make_tensor_value_info("x", 1, ["N", 3, _SIDE, _SIDE])],
        [helper.make_tensor_value_info("y", 1, ["N", 3, 1, 1])],
        [weight for weight in weights if weight.name in read],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
