"""What a maintainer relies on: the changelog, the hooks, the forms, the pipeline."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

import auditor

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KINDS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def hooks() -> dict[str, dict[str, Any]]:
    ((repository),) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    return {hook["id"]: hook for hook in repository["hooks"]}


def test_the_changelog_begins_with_what_is_unreleased_and_names_the_version_in_the_code() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(.+?)\]", text, flags=re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert auditor.__version__ in versions
    assert set(re.findall(r"^### (.+)$", text, flags=re.MULTILINE)) <= KINDS
    assert set(re.findall(r"^\[(.+?)\]: ", text, flags=re.MULTILINE)) == set(versions), "each version has its link"


def test_the_package_says_who_made_it_and_where_it_lives() -> None:
    assert PROJECT["authors"]
    assert {"repository", "documentation", "issues", "changelog"} <= set(PROJECT["urls"])


def test_the_hooks_of_this_repository_need_no_active_environment() -> None:
    for name, hook in hooks().items():
        assert hook["language"] == "python", name
        assert hook["additional_dependencies"], name


def test_the_hooks_run_the_locked_tools_and_install_what_the_program_needs() -> None:
    locked = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    for name, hook in hooks().items():
        for requirement in hook["additional_dependencies"]:
            assert "==" not in requirement or requirement in locked, (name, requirement)
    assert set(hooks()["readme"]["additional_dependencies"]) == set(PROJECT["dependencies"])


@pytest.mark.parametrize("program", ["scripts/address.py", "scripts/update_readme.py"])
def test_the_scripts_that_hooks_run_exist(program: str) -> None:
    assert (ROOT / program).is_file()
    assert any(hook["entry"] == f"python {program}" for hook in hooks().values())


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_the_issue_forms_follow_their_schema(path: Path) -> None:
    checker = shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip("check-jsonschema is not installed: it comes with the extra `dev`")
    schema = "vendor.github-issue-config" if path.stem == "config" else "vendor.github-issue-forms"
    if schema not in subprocess.run([checker, "--help"], capture_output=True, text=True, check=True).stdout:
        pytest.skip("this check-jsonschema is older than the schema of issue forms")
    done = subprocess.run([checker, "--builtin-schema", schema, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_form_asks_for_the_structure_of_the_model_only() -> None:
    for name in ("wrong-finding", "crash"):
        form = (ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml").read_text(encoding="utf-8")
        assert "aliasaudit anonymise model.onnx -o skeleton.onnx" in form
        assert "skeleton" in {field.get("id") for field in yaml.safe_load(form)["body"]}


WORKFLOWS = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))
}
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
SYSTEMS = ["ubuntu-latest", "macos-latest", "windows-latest"]


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_every_workflow_says_what_it_may_do(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] in ({}, {"contents": "read"})


def test_every_supported_python_runs_the_tests_and_the_wheel_on_every_system() -> None:
    for name, job in (("ci", "everything"), ("release", "install")):
        matrix = WORKFLOWS[name]["jobs"][job]["strategy"]["matrix"]
        assert (matrix["os"], matrix["python"]) == (SYSTEMS, PYTHONS)
    classifiers = [text.rpartition(" :: ")[2] for text in PROJECT["classifiers"] if " :: 3." in text]
    assert classifiers == PYTHONS


def test_nothing_is_published_before_the_wheel_ran_everywhere_and_no_token_is_kept() -> None:
    publish = WORKFLOWS["release"]["jobs"]["publish"]
    assert {"install", "bill"} <= set(publish["needs"])
    assert set(publish["permissions"]) == {"id-token"}
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")


def test_a_right_to_write_is_one_job_s_and_says_what_it_is_for() -> None:
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if re.search(r": write\b", line):
                assert re.fullmatch(r" {6}[a-z-]+: write # to .+", line) or "trusted publishing" in line, (
                    path.name,
                    line,
                )


def test_the_code_is_scanned_and_the_repository_scored() -> None:
    uses = {
        step.get("uses", "").partition("@")[0]
        for flow in WORKFLOWS.values()
        for job in flow["jobs"].values()
        for step in job.get("steps", ())
    }
    assert {"ossf/scorecard-action", "github/codeql-action/analyze"} <= uses


def test_every_script_that_a_workflow_runs_is_there() -> None:
    for workflow in WORKFLOWS.values():
        for job in workflow["jobs"].values():
            for step in job.get("steps", ()):
                for script in re.findall(r"scripts/\w+\.py", step.get("run", "")):
                    assert (ROOT / script).is_file(), script


def test_the_commands_of_the_workflows_have_no_fault_that_shellcheck_knows(tmp_path: Path) -> None:
    checker = shutil.which("shellcheck", path=str(Path(sys.executable).parent))
    if checker is None:
        pytest.skip("shellcheck is not installed: it comes with the extra `dev`")
    paths = []
    for name, workflow in WORKFLOWS.items():
        for job, body in workflow["jobs"].items():
            for number, step in enumerate(body.get("steps", ())):
                if "run" in step:
                    variables = "".join(f"export {variable}=value\n" for variable in step.get("env", {}))
                    paths.append(tmp_path / f"{name}-{job}-{number}.sh")
                    paths[-1].write_text(f"#!/usr/bin/env bash\nset -e\n{variables}{step['run']}\n", encoding="utf-8")
    # A list of options is one variable that is to be split.
    command = [checker, "--exclude=SC2086", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
