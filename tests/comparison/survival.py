"""What survives of the identity of findings when a model is exported again, renamed, reordered, folded or retrained.

Networks are built here and changed here, so for every sampling site it is known which one it was before. Run as a
program, it prints the table of ``docs/fingerprints.md``:

    python -m tests.comparison.survival
"""

from __future__ import annotations

import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from auditor.comparison.pairing import MarkedSite, marked, pair_sites
from auditor.facts.finding import Finding, Severity
from auditor.onnxfile import read_model
from auditor.onnxfile.limits import DEFAULT_LIMITS
from auditor.policy.baseline import entry, match
from auditor.sampling import analyse

Change = Callable[[onnx.ModelProto], onnx.ModelProto]


class _Net:
    """A network under construction, named as torch exports name nodes."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.weights: list[TensorProto] = []
        self._draw = np.random.default_rng(0)

    def conv(self, name: str, x: str, channels: tuple[int, int], kernel: int, stride: int, groups: int = 1) -> str:
        shape = (channels[1], channels[0] // groups, kernel, kernel)
        weight = self._weight(f"{name}.weight", shape)
        pads = [kernel // 2] * 4
        node = helper.make_node(
            "Conv", [x, weight], [f"/{name}/Conv_output_0"], f"/{name}/Conv",
            kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=groups, dilations=[1, 1],
        )  # fmt: skip
        self.nodes.append(node)
        return self._norm(name, node.output[0], channels[1])

    def op(self, op: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        node = helper.make_node(op, inputs, [f"/{name}/{op}_output_0"], f"/{name}/{op}", **attributes)
        self.nodes.append(node)
        return str(node.output[0])

    def model(self, last: str) -> onnx.ModelProto:
        value = helper.make_tensor_value_info
        pooled = self.op("GlobalAveragePool", "head", [last])
        self.nodes[-1].output[0] = "output"
        assert pooled
        graph = helper.make_graph(
            self.nodes, "net",
            [value("input", TensorProto.FLOAT, [1, 3, 128, 128])],
            [value("output", TensorProto.FLOAT, None)],
            self.weights,
        )  # fmt: skip
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def _norm(self, name: str, x: str, channels: int) -> str:
        parts = [self._weight(f"{name}.bn.{part}", (channels,)) for part in ("scale", "bias", "mean", "var")]
        return self.op("BatchNormalization", f"{name}/bn", [x, *parts], epsilon=1e-5)

    def _weight(self, name: str, shape: tuple[int, ...]) -> str:
        values = self._draw.standard_normal(shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(np.abs(values) if name.endswith("var") else values, name))
        return name


def residual() -> onnx.ModelProto:
    """Stem, max-pool, and three stages of two blocks with strided shortcuts: eight sampling sites."""
    net = _Net()
    x = net.op("Relu", "relu", [net.conv("conv1", "input", (3, 8), 7, 2)])
    x = net.op("MaxPool", "maxpool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    width = 8
    for stage in (1, 2, 3):
        for block in (0, 1):
            stride, out = (2, 2 * width) if block == 0 else (1, width)
            name = f"layer{stage}/layer{stage}.{block}"
            y = net.op("Relu", f"{name}/relu", [net.conv(f"{name}/conv1", x, (width, out), 3, stride)])
            y = net.conv(f"{name}/conv2", y, (out, out), 3, 1)
            short = net.conv(f"{name}/downsample", x, (width, out), 1, stride) if block == 0 else x
            x = net.op("Relu", f"{name}/relu_1", [net.op("Add", name, [y, short])])
            width = out
    return net.model(x)


def plain() -> onnx.ModelProto:
    """Five pairs of convolutions, each with a max-pool behind it, which all look alike."""
    net = _Net()
    x, width = "input", 3
    for stage in range(5):
        for layer in range(2):
            name = f"features/{2 * stage + layer}"
            x = net.op("Relu", f"{name}/relu", [net.conv(name, x, (width, 8), 3, 1)])
            width = 8
        x = net.op("MaxPool", f"features/pool{stage}", [x], kernel_shape=[2, 2], strides=[2, 2])
    return net.model(x)


def mobile() -> onnx.ModelProto:
    """A strided stem and four strided depthwise convolutions between pointwise ones."""
    net = _Net()
    x = net.op("Clip", "stem/act", [net.conv("stem", "input", (3, 8), 3, 2)])
    for stage in range(8):
        name = f"blocks.{stage}"
        x = net.op("Clip", f"{name}/act1", [net.conv(f"{name}/pw", x, (8, 8), 1, 1)])
        x = net.op("Clip", f"{name}/act2", [net.conv(f"{name}/dw", x, (8, 8), 3, 2 - stage % 2, groups=8)])
        x = net.conv(f"{name}/pwl", x, (8, 8), 1, 1)
    return net.model(x)


NETWORKS = (residual, plain, mobile)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    other = onnx.ModelProto()
    other.CopyFrom(model)
    return other


def _rewired(model: onnx.ModelProto, names: Callable[[str], str]) -> onnx.ModelProto:
    """New names for all tensors but the graph's inputs and outputs."""
    other = _copy(model)
    outside = {value.name for value in (*other.graph.input, *other.graph.output)}
    for node in other.graph.node:
        node.input[:] = [one if one in outside or not one else names(one) for one in node.input]
        node.output[:] = [one if one in outside else names(one) for one in node.output]
    for tensor in other.graph.initializer:
        tensor.name = names(tensor.name)
    return other


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The module was moved: every node and tensor has another name."""
    other = _rewired(model, lambda name: f"onnx::{zlib.crc32(name.encode())}_{name[::-1]}")
    for index, node in enumerate(other.graph.node):
        node.name = f"/backbone/{node.op_type}_{index}"
    return other


def stripped(model: onnx.ModelProto) -> onnx.ModelProto:
    """A tool removed the names of nodes."""
    other = _copy(model)
    for node in other.graph.node:
        node.ClearField("name")
    return other


def reordered(model: onnx.ModelProto) -> onnx.ModelProto:
    """Another topological order, drawn at random."""
    other, draw = _copy(model), np.random.default_rng(3)
    waiting = list(other.graph.node)
    known = {one.name for one in (*other.graph.input, *other.graph.initializer)} | {""}
    order: list[NodeProto] = []
    while waiting:
        ready = [node for node in waiting if set(node.input) <= known]
        node = ready[int(draw.integers(len(ready)))]
        waiting.remove(node)
        known |= set(node.output)
        order.append(node)
    copies = [NodeProto.FromString(node.SerializeToString()) for node in order]
    del other.graph.node[:]
    other.graph.node.extend(copies)
    return other


def retrained(model: onnx.ModelProto) -> onnx.ModelProto:
    """Other weights."""
    other, draw = _copy(model), np.random.default_rng(7)
    for tensor in other.graph.initializer:
        values = draw.standard_normal(tuple(tensor.dims)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return other


def _after(model: onnx.ModelProto, op: str, chosen: Callable[[str], bool], **attributes: Any) -> onnx.ModelProto:
    """Put a node behind the chosen tensors."""
    other = _copy(model)
    targets = [name for name in ("input", *(node.output[0] for node in other.graph.node)) if chosen(name)]
    for number, target in enumerate(targets):
        fresh = f"{op}_{number}_output"
        for node in other.graph.node:
            node.input[:] = [fresh if name == target else name for name in node.input]
        at = next(index for index, node in enumerate(other.graph.node) if fresh in node.input)
        other.graph.node.insert(at, helper.make_node(op, [target], [fresh], f"{op}_{number}", **attributes))
    return other


def with_identities(model: onnx.ModelProto) -> onnx.ModelProto:
    """An exporter that leaves an Identity behind every activation."""
    return _after(model, "Identity", lambda name: "elu" in name or "act" in name)


def with_preprocessing(model: onnx.ModelProto) -> onnx.ModelProto:
    """Preprocessing moved into the graph: a Mul and an Add at the input."""
    return _after(_after(model, "Neg", lambda name: name == "input"), "Abs", lambda name: name == "input")


def with_operator_at_every_site(model: onnx.ModelProto) -> onnx.ModelProto:
    """A real operator put behind every activation, so next to every site."""
    return _after(model, "Neg", lambda name: "elu" in name or "act" in name)


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    """BatchNormalization folded into the convolutions, as inference optimisers and exporters do."""
    other = _copy(model)
    norms = {node.input[0]: node for node in other.graph.node if node.op_type == "BatchNormalization"}
    for node in other.graph.node:
        norm = norms.get(node.output[0])
        if node.op_type == "Conv" and norm is not None:
            node.output[0] = norm.output[0]
            node.input.append(norm.input[2])
    kept = [node for node in other.graph.node if node.op_type != "BatchNormalization"]
    copies = [NodeProto.FromString(node.SerializeToString()) for node in kept]
    del other.graph.node[:]
    other.graph.node.extend(copies)
    return other


def with_constants(model: onnx.ModelProto) -> onnx.ModelProto:
    """Weights as Constant nodes behind a Reshape: an export without constant folding."""
    other = _copy(model)
    nodes = []
    for tensor in other.graph.initializer:
        raw, shape = f"{tensor.name}_raw", f"{tensor.name}_shape"
        nodes.append(helper.make_node("Constant", [], [raw], value=tensor))
        nodes.append(helper.make_node("Constant", [], [shape], value_ints=list(tensor.dims)))
        nodes.append(helper.make_node("Reshape", [raw, shape], [tensor.name]))
    nodes += [NodeProto.FromString(node.SerializeToString()) for node in other.graph.node]
    del other.graph.node[:]
    del other.graph.initializer[:]
    other.graph.node.extend(nodes)
    return other


def another_activation(model: onnx.ModelProto) -> onnx.ModelProto:
    """HardSwish for every activation: a real change next to every site."""
    other = _copy(model)
    for node in other.graph.node:
        if node.op_type in ("Relu", "Clip"):
            node.op_type = "HardSwish"
    return other


def resized(model: onnx.ModelProto) -> onnx.ModelProto:
    """Exported for a batch and an input size that are open."""
    other = _copy(model)
    dims = other.graph.input[0].type.tensor_type.shape.dim
    for dim, symbol in ((dims[0], "batch"), (dims[2], "height"), (dims[3], "width")):
        dim.dim_param = symbol
    return other


def both(*changes: Change) -> Change:
    """Changes one after the other."""

    def change(model: onnx.ModelProto) -> onnx.ModelProto:
        for one in changes:
            model = one(model)
        return model

    return change


CHANGES: dict[str, Change] = {
    "retrained weights": retrained,
    "all nodes and tensors renamed": renamed,
    "names of nodes stripped": stripped,
    "another topological order": reordered,
    "open batch and input size": resized,
    "weights as Constant nodes behind a Reshape (no constant folding)": with_constants,
    "Identity behind every activation": with_identities,
    "two operators put in at the input": with_preprocessing,
    "BatchNormalization folded into the convolutions": folded,
    "an operator put in next to every site": with_operator_at_every_site,
    "another activation everywhere": another_activation,
    "renamed, retrained and reordered": both(renamed, retrained, reordered),
    "renamed, and BatchNormalization folded": both(renamed, folded),
    "renamed, and another activation everywhere": both(renamed, another_activation),
}


@dataclass(frozen=True)
class Survival:
    """Of so many sites, how many are recognised: by the fingerprint alone, the name alone, a baseline, a comparison.

    A baseline counts what it accepts, whichever entry does: places that look alike stand for each other.
    ``wrong`` counts sites that a comparison takes for another one.
    """

    sites: int
    fingerprint: int
    name: int
    baseline: int
    compare: int
    wrong: int

    def __add__(self, other: Survival) -> Survival:
        pairs = zip(self.row(), other.row(), strict=True)
        return Survival(*(one + more for one, more in pairs))

    def row(self) -> tuple[int, ...]:
        """The numbers in the order of the columns."""
        return (self.sites, self.fingerprint, self.name, self.baseline, self.compare, self.wrong)


def measure(change: Change, networks: Iterable[Callable[[], onnx.ModelProto]] = NETWORKS) -> Survival:
    """What survives a change, over all sites of the networks."""
    total = Survival(0, 0, 0, 0, 0, 0)
    for network in networks:
        before = network()
        for index, node in enumerate(before.graph.node):
            node.doc_string = str(index)  # says which node it was; no part of any identity
        total += _measure(before, change(before))
    return total


def _measure(before: onnx.ModelProto, after: onnx.ModelProto) -> Survival:
    base, new = _sites(before), _sites(after)
    was, now = _origins(before, base), _origins(after, new)
    assert sorted(was) == sorted(now), "a change keeps every site"
    same = [(one, new[now.index(origin)]) for one, origin in zip(base, was, strict=True)]
    pairs = pair_sites(base, new)
    right = sum(was[pair.base] == now[pair.new] for pair in pairs)
    known = match([entry("m", _finding(one)) for one in base], [_finding(one) for one in new])
    return Survival(
        sites=len(base),
        fingerprint=sum(one.fingerprint == other.fingerprint for one, other in same),
        name=sum(bool(one.site.node.name) and one.site.node.name == other.site.node.name for one, other in same),
        baseline=len(known.known),
        compare=right,
        wrong=len(pairs) - right,
    )


def _sites(model: onnx.ModelProto) -> tuple[MarkedSite, ...]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "m.onnx")
        path.write_bytes(model.SerializeToString())
        read = read_model(path)
        return marked(read, analyse(read).sites, DEFAULT_LIMITS)


def _origins(model: onnx.ModelProto, sites: Iterable[MarkedSite]) -> list[str]:
    by_output = {node.output[0]: node.doc_string for node in model.graph.node}
    return [by_output[one.site.node.output.raw] for one in sites]


def _finding(one: MarkedSite) -> Finding:
    return Finding("AA1", "site", Severity.NOTE, "", node=one.site.node, fingerprint=one.fingerprint)


def table() -> str:
    """The table as Markdown: shares of all sites of all networks."""
    lines = ["| change | fingerprint | name | baseline | compare |", "|---|--:|--:|--:|--:|"]
    for words, change in CHANGES.items():
        found = measure(change)
        shares = (found.fingerprint, found.name, found.baseline, found.compare)
        lines.append(f"| {words} | {' | '.join(f'{100 * one / found.sites:.0f} %' for one in shares)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
