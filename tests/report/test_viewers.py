"""Reports for viewers that show at a node what is said of it: Netron and Model Explorer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import auditor
from auditor.facts.finding import Severity
from auditor.facts.formats import Format
from auditor.facts.report import ModelReport, Report
from auditor.onnxfile import read_model
from auditor.report import render
from auditor.rewrite.graph.naming import name_nodes


def pools(path: Path, names: tuple[str, str, str]) -> Path:
    """Three max-pools one behind the other, of these names."""
    nodes = [
        helper.make_node("MaxPool", [before], [after], name, kernel_shape=[2, 2], strides=[2, 2])
        for name, before, after in zip(names, ("x", "a", "b"), ("a", "b", "y"), strict=True)
    ]
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    shapes[0] = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 64, 64])
    graph = helper.make_graph(nodes, "g", shapes[:1], shapes[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def written(model: ModelReport, viewer: Format) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(render(Report("1.0", (model,)), viewer))
    return document


def test_netron_finds_each_node_by_its_name_with_rule_and_numbers(tmp_path: Path) -> None:
    document = written(auditor.check(pools(tmp_path / "net.onnx", ("p", "q", "r"))), Format.NETRON)
    assert document["signature"] == "netron:attachment"
    of_q = {entry["name"]: entry["value"] for entry in document["metrics"] if entry["target"] == "q"}
    assert (of_q["factor"], of_q["factor so far"]) == ("2", "4")
    assert of_q["alias expected"].endswith("%")
    (finding,) = [entry for entry in document["metadata"] if entry["target"] == "q"]
    assert (finding["kind"], finding["name"].split()[0]) == ("node", "AA101")
    assert finding["value"].startswith("strided-max-pool: ")
    entries = [*document["metadata"], *document["metrics"]]
    assert all(set(entry) == {"kind", "target", "name", "value"} for entry in entries)
    keys = [(entry["kind"], entry["target"], entry["name"]) for entry in entries]
    assert len(keys) == len(set(keys))  # a repeated one would hide the one before


@pytest.mark.parametrize("names", [("p", "", "r"), ("p", "p", "r"), ("p", "", "MaxPool_1")])
def test_a_node_that_no_name_finds_is_shown_at_its_output_and_at_no_other_node(
    tmp_path: Path, names: tuple[str, str, str]
) -> None:
    document = written(auditor.check(pools(tmp_path / "net.onnx", names)), Format.NETRON)
    factors = {
        (entry["kind"], entry["target"]): entry["value"]
        for entry in document["metrics"]
        if entry["name"] == "factor so far"
    }
    assert factors["value", "b"] == "4"
    assert factors["node", names[2]] == "8"
    assert ("node", "") not in factors


def test_model_explorer_gets_a_line_and_a_colour_for_each_node(tmp_path: Path) -> None:
    document = written(auditor.check(pools(tmp_path / "net.onnx", ("p", "q", "r"))), Format.EXPLORER)
    assert set(document["results"]) == {"p", "q", "r"}
    assert "AA101" in document["results"]["q"]["value"]
    assert "factor so far 4" in document["results"]["q"]["value"]
    assert all(entry["bgColor"].startswith("#") for entry in document["results"].values())


def test_model_explorer_leaves_out_what_it_cannot_find_and_says_how_many(tmp_path: Path) -> None:
    document = written(auditor.check(pools(tmp_path / "net.onnx", ("p", "", "r"))), Format.EXPLORER)
    assert set(document["results"]) == {"p", "r"}
    assert "1 node without a name of its own left out" in document["name"]


def test_a_worse_finding_has_another_colour(tmp_path: Path) -> None:
    report = auditor.check(pools(tmp_path / "net.onnx", ("p", "q", "r")))
    nodes = {finding.node.name.raw: finding.severity for finding in report.findings if finding.node is not None}
    results = written(report, Format.EXPLORER)["results"]
    colours: dict[Severity, set[str]] = {severity: set() for severity in Severity}
    for name, severity in nodes.items():
        colours[severity].add(results[name]["bgColor"])
    assert not colours[Severity.ERROR] & colours[Severity.WARNING]


def test_what_was_measured_stands_beside_what_is_expected() -> None:
    from auditor.demo import demo_model

    report = auditor.check(demo_model(), measure_alias={"images_limit": 2, "preset": "unit", "device": "cpu"})
    names = {entry["name"] for entry in written(report, Format.NETRON)["metrics"]}
    assert {"alias expected", "alias measured"} <= names


def test_several_models_are_told_apart_by_their_path(tmp_path: Path) -> None:
    models = tuple(auditor.check(pools(tmp_path / f"{name}.onnx", ("p", "q", "r"))) for name in "ab")
    document = json.loads(render(Report("1.0", models), Format.NETRON))
    names = [entry["name"] for entry in document["metrics"] if entry["target"] == "q"]
    assert sum("a.onnx: factor so far" in name for name in names) == 1
    assert len(names) == len(set(names))


@pytest.mark.parametrize("names", [("p", "", "r"), ("p", "p", "r"), ("", "", ""), ("MaxPool_1", "", "p")])
def test_the_named_copy_has_unique_names_and_computes_the_same(tmp_path: Path, names: tuple[str, str, str]) -> None:
    path, copy = pools(tmp_path / "net.onnx", names), tmp_path / "named.onnx"
    count = name_nodes(read_model(path), copy)
    before, after = onnx.load(path), onnx.load(copy)
    made = [node.name for node in after.graph.node]
    assert all(made)
    assert len(set(made)) == len(made)
    kept = [name for index, name in enumerate(names) if name and name not in names[:index]]
    assert set(kept) <= set(made)
    assert count == 3 - len(kept)
    for node in (*before.graph.node, *after.graph.node):
        node.name = ""
    assert before.graph == after.graph
