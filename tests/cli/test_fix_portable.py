"""``fix --portable`` as a user types it: what is lowered, what is said, what is written, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import auditor
from auditor.policy.settings import Settings


def network(path: Path) -> Path:
    """A strided pool, an antialiased Resize and a pool of SAME padding."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["a"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["a", "", "s"], ["b"], "small", mode="linear", antialias=1),
        helper.make_node("MaxPool", ["b"], ["c"], "same", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_LOWER"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"], "mean"),
        helper.make_node("Flatten", ["d"], ["y"], "flat"),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", 1, [1, 3, 64, 64])],
        [helper.make_tensor_value_info("y", 1, [1, 3])],
        [numpy_helper.from_array(np.array([1, 1, 0.5, 0.5], np.float32), "s")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), path)
    return path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def findings(path: Path, *targets: str) -> list[str]:
    report = auditor.check(path, settings=Settings(targets=targets))
    return [finding.rule for finding in report.findings if finding.rule.startswith("AA6")]


def test_the_findings_are_gone_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    model, target = network(tmp_path / "model.onnx"), tmp_path / "portable.onnx"
    assert findings(model, "openvino", "mnn") == ["AA601", "AA601", "AA602"]
    done = run("fix", str(model), "--portable", "-o", str(target), "--isolated")
    assert done.returncode == 0, done.stderr
    assert "lowered small (Resize)" in done.stdout
    assert "as Pad of mode edge and separable strided depthwise convolutions" in done.stdout
    assert "of its time (predicted)" in done.stdout
    assert f"wrote {target.as_posix()}" in done.stdout
    assert findings(target, "openvino", "mnn") == []
    again = run("fix", str(target), "--portable", "-o", str(tmp_path / "again.onnx"), "--isolated")
    assert again.returncode == 0
    assert "portable already" in again.stdout
    assert "nothing to lower" in again.stdout
    assert not (tmp_path / "again.onnx").exists()


def test_a_target_limits_what_is_lowered_and_a_plan_writes_nothing(tmp_path: Path) -> None:
    model = network(tmp_path / "model.onnx")
    plan = run("fix", str(model), "--portable", "--plan", "--target", "openvino", "--isolated")
    assert plan.returncode == 0
    assert "would lower small (Resize)" in plan.stdout
    assert plan.stdout.count("would lower") == 1
    assert [path.name for path in tmp_path.glob("*.onnx")] == ["model.onnx"]


def test_the_document_of_a_lowering_names_nodes_targets_and_cost(tmp_path: Path) -> None:
    model = network(tmp_path / "model.onnx")
    done = run("fix", str(model), "--portable", "--dry-run", "--output-format", "json", "--isolated")
    document = json.loads(done.stdout)
    assert document["schema"] == "aliasaudit-fix/1"
    assert document["written"] is None
    nodes = {entry["node"]: entry for entry in document["portable"]["nodes"]}
    assert "openvino" in nodes["small"]["targets"]
    assert 0 < nodes["small"]["time_ratio"] <= 1.5
    kinds = {change["kind"] for change in document["portable"]["changes"]}
    assert kinds == {"added", "removed"}


def test_a_strategy_and_portable_forms_go_together(tmp_path: Path) -> None:
    model, target = network(tmp_path / "model.onnx"), tmp_path / "fixed.onnx"
    words = ("--strategy", "phase-average", "--portable", "--target", "openvino,mnn")
    done = run("fix", str(model), *words, "-o", str(target), "--isolated")
    assert done.returncode == 0, done.stderr
    assert "strategy phase-average" in done.stdout
    assert "lowered small" in done.stdout
    assert findings(target, "openvino", "mnn") == []


def test_check_with_fix_reports_on_the_portable_model(tmp_path: Path) -> None:
    model, target = network(tmp_path / "model.onnx"), tmp_path / "fixed.onnx"
    words = ("--fix", "--fix-output", str(target), "--portable", "--target", "openvino", "--isolated")
    done = run("check", str(model), *words, "--output-format", "json")
    assert target.exists(), done.stderr
    report = json.loads(done.stdout)["models"][0]
    assert not [one for one in report["findings"] if one["rule"].startswith("AA6")]
    assert any("1 node lowered for openvino" in remark for remark in report["comparison"]["remarks"])


def test_the_python_interface_lowers_for_the_targets_of_the_settings(tmp_path: Path) -> None:
    model, target = network(tmp_path / "model.onnx"), tmp_path / "portable.onnx"
    done = auditor.fix(model, target, portable=True, settings=Settings(targets=("openvino",)))
    assert done.lowered is not None
    assert [node.node.name.raw for node in done.lowered.nodes] == ["small"]
    assert repr(done).endswith("1 node lowered>")
    assert json.loads(done.to_json())["portable"]["targets"] == ["openvino"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--portable",), "say where to write"),
        (("--portable", "--verify", "-o", "out.onnx"), "keeps what the network computes"),
        (("--target", "openvino", "--plan"), "give --portable with it"),
        (("--portable", "--plan", "--target", "openvnio"), 'did you mean "openvino"'),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    done = run("fix", str(network(tmp_path / "model.onnx")), *words, "--isolated")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
