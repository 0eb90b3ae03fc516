"""The action with the real program: a reviewer sees what got worse, and hostile names act on nothing."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest
from markdown_it import MarkdownIt

import auditor
from auditor.demo import demo_model
from tests.action.harness import Runner
from tests.runner_commands import commands

# A runner acts on these where they begin a line, and on `##[` anywhere.
_HOSTILE = "x\n::set-output name=exit-code::0\n##[add-mask]a `|` $(touch pwned) </td><script>"


@pytest.fixture
def real(runner: Runner) -> Runner:
    runner.use_the_program()
    shutil.copy(demo_model(), runner.workspace / "net.onnx")
    return runner


def errors(report: auditor.ModelReport) -> int:
    return sum(finding.severity is auditor.Severity.ERROR for finding in report.findings)


def test_a_model_with_findings_is_annotated_summarised_and_stopped(real: Runner) -> None:
    job = real.run(models="*.onnx", upload_sarif="true")
    outputs = job.outputs["audit"]
    assert job.code == 1
    findings = auditor.check(demo_model()).findings
    assert outputs["findings"] == str(len(findings))
    assert job.log.count("::error ") == errors(auditor.check(demo_model())) > 0
    assert "AA102" in job.summary
    assert "net.onnx" in job.summary
    sarif = json.loads(Path(outputs["sarif-file"]).read_text(encoding="utf-8"))
    assert len(sarif["runs"][0]["results"]) == len(findings)
    assert len(json.loads(Path(outputs["report-json"]).read_text(encoding="utf-8"))["models"]) == 1


def test_the_settings_of_the_repository_count_and_the_inputs_beat_them(real: Runner) -> None:
    (real.workspace / "aliasaudit.toml").write_text('fail-on = "never"\n')
    assert real.run(models="net.onnx").code == 0
    assert real.run(models="net.onnx", fail_on="error").code == 1


def test_a_model_that_is_not_there_is_incomplete_not_clean(real: Runner) -> None:
    job = real.run(models="net.onnx\nmissing.onnx", fail_on="never")
    assert job.code == 3
    assert "missing.onnx" in job.summary


def test_a_mistyped_option_is_wrong_use(real: Runner) -> None:
    job = real.run(models="net.onnx", args="--no-such-option")
    assert job.code == 2
    assert "exit code 2" in job.summary


def test_a_pull_request_that_makes_a_model_worse_is_stopped_and_one_that_does_not_passes(real: Runner) -> None:
    if shutil.which("git") is None:
        pytest.skip("needs git")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "base"]):
        subprocess.run([*git, *command], cwd=real.workspace, check=True)
    same = real.run(models="net.onnx", base_ref="main")
    assert (same.code, same.outputs["audit"]["findings"]) == (0, "0")
    model = onnx.load(demo_model())
    for node in model.graph.node:
        if node.op_type == "MaxPool":
            for attribute in node.attribute:
                if attribute.name == "strides":
                    attribute.ints[:] = [3, 3]
    onnx.save(model, real.workspace / "net.onnx")
    worse = real.run(models="net.onnx", base_ref="main")
    assert worse.code == 1
    assert "AA101" in worse.summary
    compared = auditor.compare(demo_model(), real.workspace / "net.onnx")
    assert worse.log.count("::error ") == errors(compared) > 0


def test_hostile_names_in_a_model_act_on_nothing(real: Runner) -> None:
    model = onnx.load(demo_model())
    for index, node in enumerate(model.graph.node):
        node.name = f"{_HOSTILE}{index}"
    onnx.save(model, real.workspace / "net.onnx")
    job = real.run(models="net.onnx")
    assert job.code == 1
    # Only annotations of the program's own kinds reach the runner.
    assert {line.split("::")[1].split()[0] for line in commands(job.log)} <= {"error", "warning", "notice"}
    assert job.outputs["audit"]["exit-code"] == "1"
    tokens = MarkdownIt().enable("table").parse(job.summary)
    parts = [part for token in tokens for part in (token, *(token.children or ()))]
    assert any(part.type == "code_inline" and "<script>" in part.content for part in parts)
    assert not [part for part in parts if part.type.startswith("html") and "script" in part.content]
    assert not list(real.base.rglob("pwned"))


@pytest.mark.slow
def test_a_verification_reports_the_consistency(real: Runner) -> None:
    job = real.run(models="net.onnx", verify="cpu", args="--images-limit 8")
    assert job.code == 1
    assert 0 <= float(job.outputs["audit"]["consistency"]) <= 1
    assert "consistency" in job.summary
