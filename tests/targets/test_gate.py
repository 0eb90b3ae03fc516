"""What a user sees of targets: findings, the gate, waivers, baseline, and what is not known."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import auditor
from auditor.facts.report import AcceptedBy
from auditor.policy.errors import SettingsError
from auditor.policy.settings import Settings
from auditor.policy.waivers import Waiver


def saved(
    folder: Path, name: str, nodes: list[onnx.NodeProto], opset: int = 18, size: int | str = 16, **constants: np.ndarray
) -> Path:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2, size, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    path = folder / name
    onnx.save_model(model, path)
    return path


def resize(folder: Path, name: str, antialias: int) -> Path:
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], name="down", mode="linear", antialias=antialias)
    return saved(folder, name, [node], s=np.array([1, 1, 0.5, 0.5], np.float32))


def on_targets(path: Path, *targets: str) -> list[auditor.Finding]:
    report = auditor.check(path, settings=Settings(targets=targets))
    return [finding for finding in report.findings if finding.rule.startswith("AA6")]


def test_without_a_target_no_table_and_no_form_is_loaded(tmp_path: Path) -> None:
    path = resize(tmp_path, "model.onnx", 1)
    loaded = "[name for name in sys.modules if name.startswith('auditor.targets')]"
    program = f"import sys, auditor; auditor.check(sys.argv[1]); print({loaded})"
    run = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_command_line_names_targets(tmp_path: Path) -> None:
    path = resize(tmp_path, "model.onnx", 1)
    command = [
        sys.executable,
        "-m",
        "auditor",
        "check",
        "--isolated",
        "--target",
        "tensorrt>=10,<12,openvino",
        str(path),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "AA603" in run.stdout
    assert "AA601" in run.stdout
    run = subprocess.run([*command[:-2], "openvnio", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert 'did you mean "openvino"' in run.stderr


def test_without_a_target_nothing_is_said(tmp_path: Path) -> None:
    assert on_targets(resize(tmp_path, "model.onnx", 1)) == []


def test_an_ignored_attribute_is_an_error_with_its_size_and_evidence(tmp_path: Path) -> None:
    (finding,) = on_targets(resize(tmp_path, "model.onnx", 1), "openvino")
    assert (finding.rule, finding.severity.value) == ("AA601", "error")
    assert "antialias=0" in finding.message
    assert "measured with 2026.4.1" in finding.message
    assert "openvinotoolkit/openvino#35893" in finding.message
    assert finding.numbers["error"] == pytest.approx(2.6)
    assert "constant matrix products" in finding.advice


def test_what_is_said_depends_on_the_version(tmp_path: Path) -> None:
    path = resize(tmp_path, "model.onnx", 1)
    assert [finding.rule for finding in on_targets(path, "tensorrt>=10")] == ["AA603"]
    assert [finding.rule for finding in on_targets(path, "tensorrt<10")] == ["AA601"]
    assert [finding.rule for finding in on_targets(path, "tensorrt")] == ["AA603"]


def test_versions_without_a_table_are_said_to_be_unknown(tmp_path: Path) -> None:
    (finding,) = on_targets(resize(tmp_path, "model.onnx", 1), "openvino<2020")
    assert finding.rule == "AA604"
    assert "Not known for openvino<2020" in finding.message


def test_targets_come_in_the_same_order_at_every_node(tmp_path: Path) -> None:
    names = [f"down{index}" for index in range(4)]
    ends = ["x", *(f"y{index}" for index in range(3)), "y"]
    nodes = [
        helper.make_node("Resize", [source, "", "s"], [result], name=name, mode="linear", antialias=1)
        for name, source, result in zip(names, ends, ends[1:], strict=False)
    ]
    path = saved(tmp_path, "model.onnx", nodes, s=np.array([1, 1, 0.5, 0.5], np.float32))
    findings = on_targets(path, "openvino", "ncnn", "coreml")
    told = [(finding.node.name.raw, finding.numbers["target"]) for finding in findings if finding.node is not None]
    order = [target for name, target in told if name == names[0]]
    assert sorted(order) == ["coreml", "ncnn", "openvino"]
    assert told == [(name, target) for name in names for target in order]


def test_a_form_without_an_entry_is_said_to_be_unknown(tmp_path: Path) -> None:
    attributes = {"mode": "nearest", "nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
    node = helper.make_node("Resize", ["x", "", "s"], ["y"], **attributes)
    path = saved(tmp_path, "model.onnx", [node], s=np.array([1, 2, 1, 1], np.float32))
    (finding,) = on_targets(path, "openvino")
    assert (finding.rule, finding.severity.value) == ("AA604", "note")


def test_an_open_size_is_judged_for_every_size(tmp_path: Path) -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER")
    assert [one.rule for one in on_targets(saved(tmp_path, "open.onnx", [node], size="H"), "mnn")] == ["AA602"]
    one = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[3, 3], strides=[1, 1], auto_pad="SAME_LOWER")
    assert on_targets(saved(tmp_path, "even.onnx", [one], size="H"), "mnn") == []


def test_a_sub_graph_and_a_function_are_judged_as_the_main_graph(tmp_path: Path) -> None:
    resized = helper.make_node("Resize", ["x", "", "s"], ["z"], mode="linear", antialias=1)
    half = helper.make_tensor("s", TensorProto.FLOAT, [4], [1, 1, 0.5, 0.5])
    body = helper.make_graph([resized], "body", [], [helper.make_tensor_value_info("z", 1, None)], [half])
    choice = helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)
    above = helper.make_node("Greater", ["m", "zero"], ["c"])
    mean = helper.make_node("ReduceMean", ["x"], ["m"], keepdims=0)
    path = saved(tmp_path, "if.onnx", [mean, above, choice], zero=np.array(0, np.float32))
    assert [one.rule for one in on_targets(path, "openvino")] == ["AA601", "AA601"]
    function = helper.make_function(
        "local",
        "Down",
        ["x"],
        ["z"],
        [helper.make_node("Constant", [], ["s"], value=half), resized],
        [helper.make_opsetid("", 18)],
    )
    call = helper.make_node("Down", ["x"], ["y"], domain="local")
    path = saved(tmp_path, "function.onnx", [call])
    model = onnx.load_model(path)
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("local", 1))
    onnx.save_model(model, path)
    assert [one.rule for one in on_targets(path, "openvino")] == ["AA601"]


def test_a_model_that_loses_a_target_is_a_new_finding(tmp_path: Path) -> None:
    base, new = resize(tmp_path, "base.onnx", 0), resize(tmp_path, "new.onnx", 1)
    settings = Settings(targets=("openvino", "tract"))
    report = auditor.compare(base, new, settings=settings)
    assert [finding.rule for finding in report.findings if finding.rule.startswith("AA6")] == ["AA601"]
    same = auditor.compare(new, new, settings=settings)
    assert not [finding for finding in same.findings if finding.rule.startswith("AA6")]
    assert [one.by for one in same.accepted if one.finding.rule == "AA601"] == [AcceptedBy.BASE]


def test_the_merge_gate_fails_when_a_model_loses_a_target_of_the_settings(tmp_path: Path) -> None:
    base, new = resize(tmp_path, "base.onnx", 0), resize(tmp_path, "new.onnx", 1)
    config = tmp_path / "aliasaudit.toml"
    config.write_text('targets = ["openvino", "web"]\n', encoding="utf-8")
    command = [sys.executable, "-m", "auditor", "compare", "--config", str(config)]
    lost = subprocess.run([*command, str(base), str(new)], capture_output=True, text=True, check=False)
    assert lost.returncode == 1, lost.stderr
    assert "target openvino (2026.4.1, run): 1 node ignored in part" in lost.stdout
    assert "target web (1.30.0, run): no silent difference, nothing refused" in lost.stdout
    kept = subprocess.run([*command, str(new), str(new)], capture_output=True, text=True, check=False)
    assert kept.returncode == 0, kept.stdout
    won = subprocess.run([*command, str(new), str(base)], capture_output=True, text=True, check=False)
    assert won.returncode == 0, won.stdout
    assert "fixed: error AA601" in " ".join(won.stdout.split())


def test_losing_one_target_and_gaining_another_is_a_new_finding(tmp_path: Path) -> None:
    scales = np.array([1, 1, 2, 2], np.float32)
    asymmetric = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], name="up", mode="linear", coordinate_transformation_mode="asymmetric"
    )
    symmetric = helper.make_node(
        "Resize", ["x", "", "s"], ["y"], name="up", mode="linear", coordinate_transformation_mode="half_pixel_symmetric"
    )
    base = saved(tmp_path, "base.onnx", [asymmetric], opset=19, s=scales)  # ncnn computes it otherwise
    new = saved(tmp_path, "new.onnx", [symmetric], opset=19, s=scales)  # mnn does
    report = auditor.compare(base, new, settings=Settings(targets=("ncnn", "mnn")))
    (finding,) = [one for one in report.findings if one.rule == "AA602"]
    assert finding.numbers["target"] == "mnn"


def test_a_waiver_accepts_a_finding_about_a_target(tmp_path: Path) -> None:
    path = resize(tmp_path, "model.onnx", 1)
    settings = Settings(targets=("openvino", "mnn"))
    (first, second) = on_targets(path, "openvino", "mnn")
    assert first.fingerprint.partition(":")[0] != second.fingerprint.partition(":")[0]
    waiver = Waiver(number=1, reason="runs on onnxruntime there", rule="AA601", fingerprint=first.fingerprint)
    report = auditor.check(path, settings=replace(settings, waivers=(waiver,)))
    assert [one.numbers["target"] for one in report.findings if one.rule == "AA601"] == [second.numbers["target"]]


def test_an_unknown_target_is_one_line_with_the_one_that_was_meant(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='there is no target "openvnio"'):
        auditor.check(resize(tmp_path, "model.onnx", 1), settings=Settings(targets=("openvnio",)))


def test_settings_and_their_rows_hold_targets() -> None:
    from auditor.policy.rows import rows
    from auditor.policy.settings import DEFAULT, SettingsLayer, resolve
    from auditor.policy.validate import check_values

    settings = resolve([SettingsLayer(DEFAULT, check_values({"targets": ["tensorrt>=10"]}, DEFAULT))])
    assert settings.targets == ("tensorrt>=10",)
    assert rows(settings)["targets"][0] == ["tensorrt>=10"]
