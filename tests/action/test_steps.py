"""What the action does for a job: which models it audits, how it ends, and what it leaves behind."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.action.harness import FOLDER, ROOT, Runner

UPLOAD = "github/codeql-action/upload-sarif"
CACHE = "actions/cache"


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_the_job_ends_with_the_exit_code_of_the_audit(runner: Runner, code: int) -> None:
    runner.code = code
    job = runner.run(models="model.onnx")
    assert job.code == code
    assert job.outputs["audit"]["exit-code"] == str(code)


def test_findings_fail_the_job_after_the_reports_are_out_not_before(runner: Runner) -> None:
    runner.code = 1
    job = runner.run(models="model.onnx", upload_sarif="true", category="leg-2")
    assert job.code == 1
    assert job.summary == "# Clean\n"
    assert job.used[UPLOAD] == {"sarif_file": job.outputs["audit"]["sarif-file"], "category": "leg-2"}
    assert Path(job.used[UPLOAD]["sarif_file"]).read_text() == "{}"


def test_nothing_is_uploaded_unless_asked_for(runner: Runner) -> None:
    assert UPLOAD not in runner.run(models="model.onnx").used


def test_nothing_is_uploaded_where_there_is_no_report(runner: Runner) -> None:
    runner.code, runner.reports = 2, {}
    job = runner.run(models="model.onnx", upload_sarif="true")
    assert job.code == 2
    assert UPLOAD not in job.used
    assert "sarif-file" not in job.outputs["audit"]
    assert "report-json" not in job.outputs["audit"]
    assert "exit code 2" in job.summary


def test_every_line_of_models_is_one_argument_and_globs_are_expanded(runner: Runner) -> None:
    (runner.workspace / "a b").mkdir()
    for name in ("a b/one.onnx", "a b/two.onnx", "three.onnx"):
        (runner.workspace / name).touch()
    job = runner.run(models="three.onnx\r\n\n   a b/*.onnx  \nmissing/*.onnx\n")
    assert job.models == ["three.onnx", "a b/one.onnx", "a b/two.onnx", "missing/*.onnx"]


def test_a_job_without_models_is_wrong_use(runner: Runner) -> None:
    job = runner.run(models=" \n ")
    assert job.code == 2
    assert job.call is None
    assert "::error title=aliasaudit::the input models names nothing" in job.log


def test_inputs_become_options_in_front_of_the_models(runner: Runner) -> None:
    job = runner.run(
        models="model.onnx",
        args="--select AA1\n  --statistics",
        config="my settings.toml",
        baseline="known.json",
        fail_on="warning",
    )
    options = job.arguments[: job.arguments.index("--")]
    assert options[0] == "check"
    given = ["--config=my settings.toml", "--baseline=known.json", "--fail-on=warning"]
    assert options[-6:] == [*given, "--select", "AA1", "--statistics"]
    assert options[options.index("--output-format") + 1] == "github"


def test_inputs_that_are_not_given_become_no_options(runner: Runner) -> None:
    job = runner.run(models="model.onnx")
    assert not [word for word in job.arguments if word.startswith(("--config", "--baseline", "--fail-on", "--verify"))]
    assert "" not in job.arguments


def test_paths_are_relative_to_the_working_directory(runner: Runner) -> None:
    folder = runner.workspace / "sub project"
    folder.mkdir()
    (folder / "model.onnx").touch()
    job = runner.run(models="*.onnx", working_directory="sub project", sarif_file="out.sarif")
    assert job.call is not None
    assert Path(job.call["folder"]).samefile(folder)
    assert job.models == ["model.onnx"]
    assert job.outputs["audit"]["sarif-file"] == str(folder / "out.sarif")


def test_a_working_directory_that_does_not_exist_is_wrong_use(runner: Runner) -> None:
    assert runner.run(models="model.onnx", working_directory="nowhere").code == 2


def test_counts_and_the_lowest_consistency_are_outputs(runner: Runner) -> None:
    measured = [{"outputs": [{"measures": [{"name": "consistency", "value": value}]}]} for value in (0.93, 0.815)]
    models: list[object] = [{"verification": one, "accepted": [{}]} for one in (*measured, None)]
    runner.reports["json"] = json.dumps({"summary": {"findings": 7}, "models": models})
    outputs = runner.run(models="model.onnx").outputs["audit"]
    assert outputs["findings"] == "7"
    assert outputs["accepted"] == "3"
    assert outputs["consistency"] == "0.8150"
    assert Path(outputs["report-json"]).is_file()


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["same-model"], "same-model"),
        (["better", "same-model"], "better"),
        (["no-difference-found", "better"], "no-difference-found"),
        (["undecided", "no-difference-found"], "undecided"),
        (["undecided", "minimum-not-held"], "minimum-not-held"),
        (["better", "worse"], "worse"),
        (["", None], None),
        (["pass\nexit-code=0"], None),
    ],
)
def test_the_worst_verdict_of_the_measured_comparisons_is_an_output_of_a_fixed_word(
    runner: Runner, verdicts: list[str | None], word: str | None
) -> None:
    models: list[object] = [
        {"accepted": [], "comparison": None if verdict is None else {"verdict": verdict}} for verdict in verdicts
    ]
    runner.reports["json"] = json.dumps({"summary": {"findings": 0}, "models": models})
    assert runner.run(models="model.onnx").outputs["audit"].get("verdict") == word


def test_text_of_a_report_never_becomes_an_output(runner: Runner) -> None:
    runner.reports["json"] = json.dumps({"summary": {"findings": "1\nexit-code=0"}, "models": []})
    job = runner.run(models="model.onnx")
    assert job.code != 0
    assert "findings" not in job.outputs["audit"]


def test_the_summary_can_be_left_out(runner: Runner) -> None:
    assert not runner.run(models="model.onnx", summary="false").summary


def test_a_summary_that_the_runner_would_drop_is_replaced_by_a_line(runner: Runner) -> None:
    runner.reports["markdown"] = "x" * (1 << 20) + "\n"
    assert "too long" in runner.run(models="model.onnx").summary


def test_the_code_of_the_actions_own_commit_is_installed(runner: Runner) -> None:
    job = runner.run(models="model.onnx")
    ((cache, *arguments),) = job.installs
    assert arguments[-2:] == ["--", str(ROOT)]
    assert job.used[CACHE]["path"] == cache
    assert (ROOT / "pyproject.toml").samefile(FOLDER / "../../../pyproject.toml")


def test_a_release_can_be_installed_instead(runner: Runner) -> None:
    ((_, *arguments),) = runner.run(models="model.onnx", version="1.2.3rc1").installs
    assert arguments[-2:] == ["--", "aliasaudit==1.2.3rc1"]


@pytest.mark.parametrize(
    "version", ["1.0; touch pwned", "--index-url=http://evil", "1.0 @ http://evil", "1\n2", "main"]
)
def test_a_version_that_is_no_release_installs_nothing(runner: Runner, version: str) -> None:
    job = runner.run(models="model.onnx", version=version)
    assert job.code == 2
    assert not job.installs
    assert version not in job.log


@pytest.mark.parametrize(("device", "extra"), [("cpu", "cpu"), ("cuda", "gpu")])
def test_a_verification_installs_the_runtime_of_its_device(runner: Runner, device: str, extra: str) -> None:
    job = runner.run(models="model.onnx", verify=device)
    assert job.installs[0][-1] == f"{ROOT}[{extra},images]"
    assert job.arguments[0] == "check"
    assert {"--verify", f"--device={device}"} <= set(job.arguments)


def test_a_device_that_does_not_exist_is_wrong_use(runner: Runner) -> None:
    assert runner.run(models="model.onnx", verify="tpu").code == 2


def test_models_are_compared_with_a_revision_file_by_file(runner: Runner) -> None:
    (runner.workspace / "models" / "deep er").mkdir(parents=True)
    for name in ("models/b.onnx", "models/deep er/a.onnx", "models/notes.txt", "one.onnx"):
        (runner.workspace / name).touch()
    job = runner.run(models="one.onnx\nmodels", base_ref="origin/main", verify="cpu")
    assert job.arguments[0] == "compare"
    compared = [word for word in job.arguments if word.startswith(("--base-ref", "--model", "--verify"))]
    assert compared == [
        "--base-ref=origin/main",
        "--model=one.onnx",
        "--model=models",
        "--verify",
    ]
    assert job.models == []


_GIT = """#!/usr/bin/env bash
printf '%s\\n' "$*" "$GIT_CONFIG_KEY_0" "$GIT_CONFIG_VALUE_0" >>"{record}"
[[ $2 == version ]]
"""


def test_the_base_is_fetched_from_git_lfs_with_the_token_of_the_job_which_is_no_argument(runner: Runner) -> None:
    (runner.stand_ins / "git").write_text(_GIT.format(record=runner.base / "git"), encoding="utf-8")
    (runner.stand_ins / "git").chmod(0o755)
    job = runner.run(models="models", base_ref="origin/main")
    assert job.code == 0  # a fetch that fails is left to the comparison to judge
    calls = (runner.base / "git").read_text(encoding="utf-8").splitlines()
    secret = base64.b64encode(b"x-access-token:the-token").decode()
    assert calls[0] == "lfs version"
    assert calls[3:] == [
        "lfs fetch origin origin/main",
        "http.https://github.example/.extraheader",
        f"AUTHORIZATION: basic {secret}",
    ]
    (runner.base / "git").unlink()
    runner.run(models="models")
    runner.run(models="models", base_ref="--upload-pack=x")
    assert not (runner.base / "git").exists()


def test_one_model_is_compared_with_another_file(runner: Runner) -> None:
    job = runner.run(models="new.onnx", base_model="old one.onnx")
    assert job.arguments[0] == "compare"
    assert job.models == ["old one.onnx", "new.onnx"]


@pytest.mark.parametrize(
    "inputs", [{"base_ref": "main", "base_model": "old.onnx"}, {"base_model": "old.onnx", "models": "a.onnx\nb.onnx"}]
)
def test_a_comparison_that_makes_no_sense_is_wrong_use(runner: Runner, inputs: dict[str, str]) -> None:
    job = runner.run(**{"models": "new.onnx", **inputs})
    assert job.code == 2
    assert job.call is None


def test_a_second_use_in_a_job_installs_nothing_again_and_keeps_the_first_reports(runner: Runner) -> None:
    first, second = runner.run(models="one.onnx"), runner.run(models="two.onnx")
    assert len(second.installs) == 1
    assert Path(first.outputs["audit"]["report-json"]).is_file()
    assert first.outputs["audit"]["report-json"] != second.outputs["audit"]["report-json"]


def test_packages_are_kept_between_runs_by_system_python_and_dependencies(runner: Runner) -> None:
    key = runner.run(models="model.onnx").used[CACHE]["key"]
    assert key.startswith("aliasaudit-the runner's os-the runner's arch-python")
    assert runner.run(models="model.onnx", version="1.2.3").used[CACHE]["key"] != key
    assert CACHE not in runner.run(models="model.onnx", cache="false").used


def test_a_python_that_is_too_old_or_missing_is_named(runner: Runner) -> None:
    for name in ("python", "python3"):
        (runner.stand_ins / name).write_text("#!/bin/sh\nexit 1\n")
    job = runner.run(models="model.onnx")
    assert job.code == 2
    assert "Python 3.10 or newer is needed" in job.log


@pytest.mark.parametrize(
    "name", ["models", "args", "config", "baseline", "base_ref", "fail_on", "sarif_file", "category"]
)
def test_what_looks_like_shell_in_an_input_stays_text(runner: Runner, name: str) -> None:
    text = "$(touch pwned) `touch pwned` ;touch pwned; ' \" $HOME ${x} --rules=x"
    job = runner.run(**{"models": "model.onnx", "upload_sarif": "true", name: text})
    assert not list(runner.base.rglob("pwned"))
    options = job.arguments[: job.arguments.index("--")]
    if name == "models":
        assert job.models == [text]
    elif name == "args":
        assert options[-len(text.split()) :] == text.split()
    elif name == "category":
        assert job.used[UPLOAD]["category"] == text
    else:
        assert [word for word in options if word.endswith(f"={text}")]


@pytest.mark.parametrize("text", ["$(touch pwned)", "`touch pwned`", "--rules=evil", "-"])
def test_a_model_is_never_taken_for_an_option(runner: Runner, text: str) -> None:
    assert runner.run(models=text).models == [text]
    assert not list(runner.base.rglob("pwned"))


def test_a_path_with_a_line_break_cannot_forge_an_output(runner: Runner) -> None:
    job = runner.run(models="model.onnx", sarif_file="x.sarif\nexit-code=0")
    assert job.code == 2
    assert "sarif-file" not in job.outputs["audit"]


@pytest.mark.parametrize("name", ["json", "pip", "venv", "pathlib", "sitecustomize"])
def test_modules_of_the_audited_checkout_are_not_imported(runner: Runner, name: str) -> None:
    (runner.workspace / f"{name}.py").write_text("open('pwned', 'w')\nraise SystemExit(7)\n")
    assert runner.run(models="model.onnx").code == 0
    assert not list(runner.base.rglob("pwned"))
