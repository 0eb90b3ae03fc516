"""The rules' tables of cases and the examples on their pages, end to end: a model file, its analysis, the findings."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper, load_model, save_model

import auditor
from auditor.audit.packs import HEADINGS, load_builtin
from auditor.facts.finding import Finding
from auditor.facts.rule import Context, OptionValue, Rule
from auditor.onnxfile import read_model
from auditor.sampling import analyse
from tests.rules.builder import build

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PACK = load_builtin()
RULES = pytest.mark.parametrize("rule", PACK.rules, ids=[rule.code for rule in PACK.rules])
# Rules that need more than a model (a measurement, a base, the policy) have tests of their own instead of a table.
OF_A_MODEL = [rule for rule in PACK.rules if not rule.needs]
RULES_OF_A_MODEL = pytest.mark.parametrize("rule", OF_A_MODEL, ids=[rule.code for rule in OF_A_MODEL])


def table(rule: Rule) -> list[dict[str, Any]]:
    text = (Path(__file__).parent / f"{rule.code.lower()}.toml").read_text(encoding="utf-8")
    cases: list[dict[str, Any]] = tomllib.loads(text)["case"]
    return cases


def findings(rule: Rule, graph: str, folder: Path, options: Mapping[str, OptionValue] | None = None) -> list[Finding]:
    path = folder / "model.onnx"
    path.write_bytes(build(graph).SerializeToString())
    return findings_in(rule, path, options)


def findings_in(rule: Rule, path: Path, options: Mapping[str, OptionValue] | None = None) -> list[Finding]:
    analysis = analyse(read_model(path))
    return list(rule.check(Context(analysis, {**rule.options, **(options or {})})))


CASES = [pytest.param(rule, case, id=f"{rule.code}: {case['name']}") for rule in OF_A_MODEL for case in table(rule)]


@pytest.mark.parametrize(("rule", "case"), CASES)
def test_the_rule_finds_what_its_table_says(rule: Rule, case: dict[str, Any], tmp_path: Path) -> None:
    found = findings(rule, case["graph"], tmp_path, case.get("options"))
    stated = [(finding.node.name.raw if finding.node else "", finding.severity.value) for finding in found]
    assert stated == [(expected["node"], expected["severity"]) for expected in case["expect"]]
    for finding, expected in zip(found, case["expect"], strict=True):
        numbers = {key: value for key, value in expected.items() if key not in ("node", "severity")}
        assert {key: finding.numbers[key] for key in numbers} == pytest.approx(numbers, abs=0.01)


FIXES = [
    pytest.param(rule, case, id=f"{rule.code}: {case['name']}")
    for rule in OF_A_MODEL
    for case in table(rule)
    if "fix" in case
]


@pytest.mark.parametrize(("rule", "case"), FIXES)
def test_a_fix_makes_of_a_model_what_the_table_says(rule: Rule, case: dict[str, Any], tmp_path: Path) -> None:
    path, output = tmp_path / "model.onnx", tmp_path / "fixed.onnx"
    path.write_bytes(build(case["graph"]).SerializeToString())
    wanted = case["fix"]
    repaired = auditor.fix(path, output, strategy=wanted["strategy"])
    assert (repaired.path is None) is (not wanted["after"])
    if repaired.path is not None:
        assert " ".join(node.op_type for node in load_model(output).graph.node) == wanted["after"]
    rest = findings_in(rule, repaired.path or path, case.get("options"))
    stated = [(finding.node.name.raw if finding.node else "", finding.severity.value) for finding in rest]
    assert stated == [(expected["node"], expected["severity"]) for expected in wanted["expect"]]


@pytest.mark.parametrize("code", ["AA101", "AA102", "AA103", "AA104", "AA105"])
def test_a_rule_about_a_node_that_can_be_rewritten_shows_a_fix_that_silences_it(code: str) -> None:
    (rule,) = (rule for rule in OF_A_MODEL if rule.code == code)
    assert any("fix" in case and case["expect"] and not case["fix"]["expect"] for case in table(rule))


@RULES_OF_A_MODEL
def test_a_table_holds_nothing_that_no_test_reads(rule: Rule) -> None:
    for case in table(rule):
        assert {*case} <= {"name", "graph", "options", "expect", "fix"}
        assert {*case.get("fix", {"strategy": "", "after": "", "expect": []})} == {"strategy", "after", "expect"}


@RULES_OF_A_MODEL
def test_a_table_shows_every_severity_a_silent_case_and_each_option(rule: Rule) -> None:
    cases = table(rule)
    shown = {expected["severity"] for case in cases for expected in case["expect"]}
    assert shown == {severity.value for severity in rule.severities}
    assert any(not case["expect"] for case in cases)
    assert {option for case in cases for option in case.get("options", {})} <= {*rule.options}
    assert not rule.options or any(case.get("options") for case in cases)
    assert len({case["name"] for case in cases}) == len(cases)


def examples(rule: Rule) -> list[str]:
    return re.findall(r"^```graph\n(.*?)^```", PACK.page(rule.code), re.MULTILINE | re.DOTALL)


@RULES_OF_A_MODEL
def test_the_first_example_on_a_page_fires_and_the_second_does_not(rule: Rule, tmp_path: Path) -> None:
    fires, silent = examples(rule)
    assert findings(rule, fires, tmp_path)
    assert findings(rule, silent, tmp_path) == []


@RULES
def test_a_page_is_titled_by_its_rule_and_states_every_option_with_its_default(rule: Rule) -> None:
    page = PACK.page(rule.code)
    assert page.startswith(f"# {rule.code} {rule.name}\n")
    sections = dict(zip(HEADINGS, re.split(r"^## .*$", page, flags=re.MULTILINE)[1:], strict=True))
    assert all(len(text.strip()) > 4 for text in sections.values())
    stated = dict(re.findall(r"^\| `([\w-]+)` \| (\S+) \|", sections["Options"], re.MULTILINE))
    assert stated == {name: str(value) for name, value in rule.options.items()}
    assert ("None." in sections["Options"]) is (not rule.options)


@RULES
def test_lines_of_a_page_fit_a_terminal(rule: Rule) -> None:
    assert [line for line in PACK.page(rule.code).splitlines() if len(line) > 120] == []


def nearest_of(channels: int, tmp_path: Path) -> list[str]:
    """The rules that fire on a network of a picture and a second input of so many channels, resized to one half."""
    nodes = [
        helper.make_node("Resize", ["second", "", "half"], ["small"], mode="nearest"),
        helper.make_node("AveragePool", ["picture"], ["pooled"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["pooled", "small"], ["y"]),
    ]
    shapes = {"picture": [1, 3, 64, 64], "second": [1, channels, 64, 64]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    half = helper.make_tensor("half", TensorProto.FLOAT, [4], [1, 1, 0.5, 0.5])
    graph = helper.make_graph(nodes, "masked", inputs, [output], [half])
    path = tmp_path / "masked.onnx"
    save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    rule = next(rule for rule in PACK.rules if rule.code == "AA104")
    return [finding.rule for finding in rule.check(Context(analyse(read_model(path)), rule.options))]


def test_a_nearest_resize_of_a_mask_beside_the_picture_is_right(tmp_path: Path) -> None:
    assert nearest_of(1, tmp_path) == []
    assert nearest_of(3, tmp_path) == ["AA104"]
