"""A finding keeps its fingerprint while the place that it talks about is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import NodeProto, TensorProto, helper, numpy_helper

from auditor.audit.fingerprints import fill
from auditor.facts.finding import Finding, Severity
from auditor.onnxfile import qualified, read_model, walk
from auditor.onnxfile.noderef import NodeRef
from auditor.text import ModelText
from tests.work import calls

NET = """
Conv k7 s2      x -> a
Relu            a -> b
MaxPool k2 s2   b -> c
Conv k3 s1      c -> d
Relu            d -> e
Conv k1 s2      e -> f
Conv k3 s2      e -> g
Add             f,g -> h
Relu            h -> i
MaxPool k3 s2   i -> j
Conv k1 s1      j -> k
Sigmoid         k -> y
"""
SITES = ("MaxPool", "Conv")


def nodes_of(text: str) -> list[NodeProto]:
    nodes = []
    for index, line in enumerate(text.split("\n")):
        words = line.split()
        if not words:
            continue
        arrow = words.index("->")
        attributes: dict[str, Any] = {
            {"k": "kernel_shape", "s": "strides"}[w[0]]: [int(w[1:])] * 2 for w in words[1 : arrow - 1]
        }
        inputs, outputs = words[arrow - 1].split(","), words[arrow + 1].split(",")
        if words[0] == "Conv":
            inputs.append(f"w{index}")
        nodes.append(helper.make_node(words[0], inputs, outputs, f"node{index}", **attributes))
    return nodes


def model_of(nodes: list[NodeProto], seed: int = 0, output: str = "y") -> onnx.ModelProto:
    """A model of nodes whose second inputs called w... are weights. It is read, never run."""
    random = np.random.default_rng(seed)
    weights = sorted({name for node in nodes for name in node.input if name.startswith("w")})
    tensors = [numpy_helper.from_array(random.standard_normal((1, 1, 3, 3)).astype(np.float32), w) for w in weights]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [value("x", TensorProto.FLOAT, [1, 1, 64, 64])],
        [value(output, TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def fingerprints(
    folder: Path, proto: onnx.ModelProto, ops: tuple[str, ...] = SITES, rule: str = "AA101", path: str = "m.onnx"
) -> list[str]:
    """The fingerprints of a finding on every node of these operators, in graph order."""
    file = folder / "model.onnx"
    file.write_bytes(proto.SerializeToString())
    model = read_model(file)
    findings = [
        Finding(
            rule, "n", Severity.NOTE, "m", node=reference(scope, node.op, qualified(scope, node), node.outputs, order)
        )
        for order, (scope, node) in enumerate(walk(model))
        if node.op in ops
    ]
    return [finding.fingerprint for finding in fill(model, path, findings)]


def reference(scope: str, op: str, name: str, outputs: tuple[str, ...], order: int) -> NodeRef:
    return NodeRef(ModelText(name), ModelText(op), ModelText(scope), ModelText(outputs[0]), order)


def renamed(nodes: list[NodeProto], names: Callable[[str], str]) -> list[NodeProto]:
    for node in nodes:
        node.input[:] = [name if name == "x" else names(name) for name in node.input]
        node.output[:] = [name if name == "y" else names(name) for name in node.output]
    return nodes


def test_fingerprints_are_short_hashes_with_an_ordinal_and_differ_between_places(tmp_path: Path) -> None:
    found = fingerprints(tmp_path, model_of(nodes_of(NET)))
    assert len({*found}) == len(found) == 7
    for fingerprint in found:
        head, ordinal = fingerprint.split(":")
        assert len(bytes.fromhex(head)) == 8
        assert ordinal == "0"


def test_new_names_for_nodes_and_tensors_change_nothing(tmp_path: Path) -> None:
    other = renamed(nodes_of(NET), lambda name: f"w{name}9" if name.startswith("w") else f"onnx::{name}")
    for node in other:
        node.name = f"/backbone/{node.name}"
    assert fingerprints(tmp_path, model_of(other)) == fingerprints(tmp_path, model_of(nodes_of(NET)))


def test_stripped_names_change_nothing(tmp_path: Path) -> None:
    stripped = nodes_of(NET)
    for node in stripped:
        node.ClearField("name")
    assert fingerprints(tmp_path, model_of(stripped)) == fingerprints(tmp_path, model_of(nodes_of(NET)))


def test_retraining_changes_nothing(tmp_path: Path) -> None:
    assert fingerprints(tmp_path, model_of(nodes_of(NET), seed=1)) == fingerprints(tmp_path, model_of(nodes_of(NET)))


@pytest.mark.parametrize("op", ["Identity", "Cast", "Dropout"])
@pytest.mark.parametrize("tensor", ["x", "a", "c", "e", "h", "j"])
def test_an_operator_that_does_nothing_changes_nothing_wherever_it_is_put(tmp_path: Path, op: str, tensor: str) -> None:
    nodes = nodes_of(NET)
    for node in nodes:
        node.input[:] = ["extra" if name == tensor else name for name in node.input]
    attributes: dict[str, Any] = {"to": TensorProto.FLOAT} if op == "Cast" else {}
    extra = helper.make_node(op, [tensor], ["extra"], "node0", **attributes)
    at = next(index for index, node in enumerate(nodes) if "extra" in node.input)
    nodes.insert(at, extra)
    assert fingerprints(tmp_path, model_of(nodes)) == fingerprints(tmp_path, model_of(nodes_of(NET)))


def test_independent_nodes_may_change_places_in_the_file(tmp_path: Path) -> None:
    nodes = nodes_of(NET)
    nodes[5], nodes[6] = nodes[6], nodes[5]
    before = fingerprints(tmp_path, model_of(nodes_of(NET)))
    assert sorted(fingerprints(tmp_path, model_of(nodes))) == sorted(before)


def test_weights_may_be_initializers_or_constants_or_computed_from_constants(tmp_path: Path) -> None:
    nodes = nodes_of(NET)
    constant = helper.make_node("Constant", [], ["c0"], value=numpy_helper.from_array(np.ones(9, np.float32)))
    shape = helper.make_node("Constant", [], ["c1"], value_ints=[1, 1, 3, 3])
    folded = helper.make_node("Reshape", ["c0", "c1"], ["c2"])
    for node in nodes:
        node.input[:] = ["c2" if name.startswith("w") else name for name in node.input]
    unfolded = model_of([constant, shape, folded, *nodes])
    assert fingerprints(tmp_path, unfolded) == fingerprints(tmp_path, model_of(nodes_of(NET)))


def test_weights_that_old_files_also_list_as_inputs_are_weights(tmp_path: Path) -> None:
    proto = model_of(nodes_of(NET))
    for tensor in proto.graph.initializer:
        proto.graph.input.append(helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, list(tensor.dims)))
    assert fingerprints(tmp_path, proto) == fingerprints(tmp_path, model_of(nodes_of(NET)))


def test_an_operator_inserted_far_upstream_changes_only_what_is_near_it(tmp_path: Path) -> None:
    nodes = nodes_of(NET)
    nodes[0].input[0] = "padded"
    nodes.insert(0, helper.make_node("Pad", ["x", "w0"], ["padded"]))
    before, after = fingerprints(tmp_path, model_of(nodes_of(NET))), fingerprints(tmp_path, model_of(nodes))
    kept = [old == new for old, new in zip(before, after, strict=True)]
    assert kept == [False, False, True, True, True, True, True]  # within three generations: Conv k7 and MaxPool k2


@pytest.mark.parametrize("change", [{"kernel_shape": [5, 5]}, {"strides": [1, 1]}, {"ceil_mode": 1}])
def test_another_attribute_is_another_place(tmp_path: Path, change: Mapping[str, int | list[int]]) -> None:
    nodes = nodes_of(NET)
    kept = [a for a in nodes[2].attribute if a.name not in change]
    del nodes[2].attribute[:]
    nodes[2].attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in change.items())])
    before, after = fingerprints(tmp_path, model_of(nodes_of(NET))), fingerprints(tmp_path, model_of(nodes))
    assert after[1] != before[1]


def test_the_rule_and_the_model_path_are_part_of_the_identity(tmp_path: Path) -> None:
    proto = model_of(nodes_of(NET))
    plain = fingerprints(tmp_path, proto)
    assert not {*plain} & {*fingerprints(tmp_path, proto, rule="AA102")}
    assert not {*plain} & {*fingerprints(tmp_path, proto, path="other.onnx")}


def test_places_that_look_alike_are_counted_in_graph_order(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(30)]
    found = fingerprints(tmp_path, model_of(nodes, output="t30"), ops=("Relu",))
    inner = found[3:-3]
    assert [name.split(":")[0] for name in inner] == [inner[0].split(":")[0]] * 24
    assert [int(name.split(":")[1]) for name in inner] == list(range(24))


def test_findings_come_back_in_the_order_given_and_count_in_graph_order(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    nodes = [helper.make_node("Relu", [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(30)]
    file.write_bytes(model_of(nodes, output="t30").SerializeToString())
    model = read_model(file)
    refs = [reference("", "Relu", "", (f"t{order + 1}",), order) for order in (12, 11, 10)]
    found = fill(model, "m", [Finding("R", "n", Severity.NOTE, "m", node=ref) for ref in refs])
    assert [finding.node for finding in found] == refs
    assert [finding.fingerprint[-2:] for finding in found] == [":2", ":1", ":0"]


def test_a_finding_on_the_whole_graph_has_a_fingerprint_too(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(model_of(nodes_of(NET)).SerializeToString())
    twice = [Finding("AA201", "n", Severity.NOTE, "m")] * 2
    first, second = (finding.fingerprint for finding in fill(read_model(file), "m", twice))
    assert first[:-1] == second[:-1]
    assert (first[-1], second[-1]) == ("0", "1")


def test_nodes_in_sub_graphs_and_functions_are_told_apart_by_what_surrounds_them(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info
    pool = helper.make_node("MaxPool", ["outer"], ["p"], kernel_shape=[2, 2], strides=[2, 2])
    then = helper.make_graph([pool], "then", [], [value("p", TensorProto.FLOAT, None)])
    relu = helper.make_node("Relu", ["outer"], ["r"])
    last = helper.make_node("MaxPool", ["r"], ["q"], kernel_shape=[2, 2], strides=[2, 2])
    other = helper.make_graph([relu, last], "else", [], [value("q", TensorProto.FLOAT, None)])
    nodes = [
        helper.make_node("Relu", ["x"], ["outer"]),
        helper.make_node("If", ["w0"], ["i"], then_branch=then, else_branch=other),
        helper.make_node("Block", ["i"], ["j"], domain="local"),
        helper.make_node("Block", ["j"], ["y"], domain="local"),
    ]
    proto = model_of(nodes)
    body = [helper.make_node("MaxPool", ["in"], ["out"], kernel_shape=[2, 2], strides=[2, 2])]
    opsets = [helper.make_opsetid("", 18)]
    proto.functions.append(helper.make_function("local", "Block", ["in"], ["out"], body, opsets))
    found = fingerprints(tmp_path, proto, ops=("MaxPool",))
    assert len(found) == len({*found}) == 4
    assert found[2][:-1] == found[3][:-1]  # two calls of one function
    assert found[0][:-1] != found[1][:-1]  # one behind a Relu more than the other


def test_a_reference_whose_order_is_unknown_is_found_by_its_output(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(model_of(nodes_of(NET)).SerializeToString())
    right = reference("", "MaxPool", "", ("c",), 2)
    wrong = reference("", "MaxPool", "", ("c",), 9)
    prints = [fill(read_model(file), "m", [Finding("R", "n", Severity.NOTE, "m", node=r)]) for r in (right, wrong)]
    assert prints[0][0].fingerprint == prints[1][0].fingerprint


def chain(op: str, count: int) -> list[NodeProto]:
    return [helper.make_node(op, [f"t{i}" if i else "x"], [f"t{i + 1}"]) for i in range(count)]


SHAPES: Mapping[str, Callable[[int], list[NodeProto]]] = {
    "a chain": lambda count: chain("Relu", count),
    "a chain of Identity nodes": lambda count: [
        *chain("Identity", count),
        helper.make_node("Relu", [f"t{count}"], ["end"]),
    ],
    "diamonds": lambda count: [
        helper.make_node("Add", [f"t{i}" if i else "x"] * 2, [f"t{i + 1}"]) for i in range(count // 50)
    ],
    "readers of one tensor": lambda count: [
        helper.make_node("Relu", ["t1" if i else "x"], [f"t{i + 1}"]) for i in range(count)
    ],
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_twice_the_nodes_cost_no_more_than_twice_the_work(
    shape: Callable[[int], list[NodeProto]], tmp_path: Path
) -> None:
    def work(count: int) -> int:
        nodes = shape(count)
        model = model_of(nodes, output=nodes[-1].output[0])
        return calls(lambda: fingerprints(tmp_path, model, ops=("Relu", "Add")))

    work(50)
    assert work(1000) < 2.2 * work(500)


def test_a_chain_of_twenty_thousand_nodes_is_named_without_recursion(tmp_path: Path) -> None:
    nodes = chain("Relu", 20_000)
    assert fingerprints(tmp_path, model_of(nodes, output=nodes[-1].output[0]), ops=("Relu",))


@settings(max_examples=30, deadline=None)
@given(order=st.permutations(range(5)), seed=st.integers(0, 9))
def test_parallel_branches_in_any_order_give_the_same_fingerprints(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], seed: int
) -> None:
    branches = [
        helper.make_node("MaxPool", ["x"], [f"b{i}"], kernel_shape=[2 + i // 2, 2], strides=[2, 2]) for i in range(5)
    ]
    join = helper.make_node("Sum", [f"b{i}" for i in range(5)], ["y"])
    folder = tmp_path_factory.mktemp("branches")
    straight = fingerprints(folder, model_of([*branches, join]))
    shuffled = fingerprints(folder, model_of([*(branches[i] for i in order), join], seed=seed))
    assert sorted(shuffled) == sorted(straight)
