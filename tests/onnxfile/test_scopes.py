"""Every node of every scope is found, named, and given the attributes of its call; hostile expansions stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx import AttributeProto, NodeProto, helper

from auditor.onnxfile import FileProblem, Limits, ModelFileError, bind, callee, label, qualified, read_model, walk
from auditor.onnxfile.graph import Graph, Model
from tests.onnxfile.build import function, graph, model, referring, save

POOL = helper.make_node("MaxPool", ["x"], ["y"], strides=[2, 2])
RELU = helper.make_node("Relu", ["x"], ["y"])


def call(name: str, label: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(name, ["x"], ["y"], name=label, domain="local", **attributes)


def names(read: Model, limits: Limits | None = None) -> list[str]:
    return [qualified(scope, node) for scope, node in walk(read, limits or Limits())]


def test_a_node_without_a_name_is_called_by_operator_and_position(tmp_path: Path) -> None:
    nodes = read_model(
        save(tmp_path, model([RELU, POOL, helper.make_node("Relu", ["x"], ["y"], name="named")]))
    ).graph.nodes
    assert [label(node) for node in nodes] == ["Relu_0", "MaxPool_1", "named"]


def test_nodes_in_branches_and_bodies_are_named_by_what_encloses_them(tmp_path: Path) -> None:
    loop = helper.make_node("Loop", ["n", "c"], ["y"], name="again", body=graph([RELU, POOL]))
    branch = helper.make_node("If", ["c"], ["y"], then_branch=graph([RELU, loop]), else_branch=graph([POOL]))
    assert names(read_model(save(tmp_path, model([RELU, branch, RELU])))) == [
        "Relu_0",
        "If_1",
        "If_1/else/MaxPool_0",
        "If_1/then/Relu_0",
        "If_1/then/again",
        "If_1/then/again/body/Relu_0",
        "If_1/then/again/body/MaxPool_1",
        "Relu_2",
    ]


def test_graphs_in_a_list_are_numbered(tmp_path: Path) -> None:
    node = helper.make_node("Switch", ["x"], ["y"], domain="custom", cases=[graph([RELU]), graph([POOL])])
    assert names(read_model(save(tmp_path, model([node]))))[1:] == [
        "Switch_0/cases_0/Relu_0",
        "Switch_0/cases_1/MaxPool_0",
    ]


def test_each_call_of_a_function_expands_its_body_under_the_calls_name(tmp_path: Path) -> None:
    outer = function("Outer", [RELU, call("Inner")])
    inner = function("Inner", [POOL])
    read = read_model(save(tmp_path, model([call("Outer", "a"), call("Outer")], functions=[outer, inner])))
    assert names(read) == [
        "a",
        "a/Relu_0",
        "a/Inner_1",
        "a/Inner_1/MaxPool_0",
        "Outer_1",
        "Outer_1/Relu_0",
        "Outer_1/Inner_1",
        "Outer_1/Inner_1/MaxPool_0",
    ]


def test_a_function_of_another_domain_or_overload_is_not_called(tmp_path: Path) -> None:
    other = helper.make_node("Block", ["x"], ["y"], domain="elsewhere")
    overloaded = helper.make_node("Block", ["x"], ["y"], domain="local", overload="v2")
    read = read_model(save(tmp_path, model([other, overloaded], functions=[function("Block", [POOL])])))
    assert [callee(read, node) for node in read.graph.nodes] == [None, None]


def test_attribute_references_take_the_calls_value_then_the_default_then_nothing(tmp_path: Path) -> None:
    body = [
        referring("MaxPool", "strides", "s", AttributeProto.INTS),
        referring("MaxPool", "pads", "p", AttributeProto.INTS),
    ]
    block = function("Block", body, ["p"], {"s": [1, 1]})
    calls = [call("Block"), call("Block", s=[2, 2]), call("Block", s=[3, 3], p=[1, 1, 1, 1])]
    read = read_model(save(tmp_path, model(calls, functions=[block])))
    bound = [
        [node.attributes for node in bind(read.functions["local", "Block", ""], node)] for node in read.graph.nodes
    ]
    assert bound == [
        [{"strides": (1, 1)}, {}],
        [{"strides": (2, 2)}, {}],
        [{"strides": (3, 3)}, {"pads": (1, 1, 1, 1)}],
    ]


def test_references_pass_through_nested_calls_and_sub_graphs(tmp_path: Path) -> None:
    pool = referring("MaxPool", "strides", "s", AttributeProto.INTS)
    inner = function("Inner", [helper.make_node("If", ["c"], ["y"], then_branch=graph([pool]))], ["s"])
    nested = referring("Inner", "s", "outer_s", AttributeProto.INTS)
    nested.domain = "local"
    outer = function("Outer", [nested], ["outer_s"])
    read = read_model(save(tmp_path, model([call("Outer", outer_s=[4, 2])], functions=[outer, inner])))
    found = {qualified(scope, node): node.attributes for scope, node in walk(read)}
    assert found["Outer_0/Inner_0/If_0/then/MaxPool_0"] == {"strides": (4, 2)}


def test_a_graph_handed_to_a_function_becomes_the_branch_that_refers_to_it(tmp_path: Path) -> None:
    body = function("Choose", [referring("If", "then_branch", "g", AttributeProto.GRAPH)], ["g"])
    read = read_model(save(tmp_path, model([call("Choose", g=graph([POOL]))], functions=[body])))
    (bound,) = bind(read.functions["local", "Choose", ""], read.graph.nodes[0])
    branch = bound.attributes["then_branch"]
    assert isinstance(branch, Graph)
    assert branch.nodes[0].op == "MaxPool"


def test_long_names_in_deep_scopes_keep_their_ends(tmp_path: Path) -> None:
    inner = graph([helper.make_node("Relu", ["x"], ["y"], name="inner" + "n" * 5000 + "end")])
    outer = helper.make_node("If", ["c"], ["y"], name="outer" + "n" * 5000, then_branch=inner)
    first, second = names(read_model(save(tmp_path, model([outer]))))
    assert (first[:6], second[:6], second[-4:]) == ("outern", "outern", "nend")
    assert max(len(first), len(second)) < 1010


@pytest.mark.parametrize("chain", [1, 2, 5])
def test_functions_that_call_themselves_are_refused(chain: int, tmp_path: Path) -> None:
    functions = [function(f"F{i}", [call(f"F{(i + 1) % chain}")]) for i in range(chain)]
    read = read_model(save(tmp_path, model([call("F0")], functions=functions)))
    with pytest.raises(ModelFileError) as caught:
        names(read)
    assert caught.value.kind is FileProblem.RECURSIVE_FUNCTION


def test_functions_that_double_at_every_level_stop_at_the_node_limit(tmp_path: Path) -> None:
    functions = [function(f"F{i}", [call(f"F{i + 1}"), call(f"F{i + 1}")]) for i in range(40)]
    read = read_model(save(tmp_path, model([call("F0")], functions=functions)))
    with pytest.raises(ModelFileError) as caught:
        names(read, Limits(max_nodes=3000))
    assert caught.value.kind is FileProblem.TOO_MANY_NODES


def test_a_long_chain_of_functions_stops_at_the_depth_limit(tmp_path: Path) -> None:
    functions = [function(f"F{i}", [call(f"F{i + 1}")]) for i in range(3000)]
    read = read_model(save(tmp_path, model([call("F0")], functions=functions)))
    with pytest.raises(ModelFileError) as caught:
        names(read)
    assert caught.value.kind is FileProblem.TOO_DEEP
