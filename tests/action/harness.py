"""A stand-in for the GitHub Actions runner: it runs the steps of a composite action with stand-in programs.

Steps with ``run`` are executed by Bash as the runner does it; steps with ``uses`` are only recorded. Programs are a
Python that installs nothing and an ``aliasaudit`` that writes down how it was called.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
FOLDER = ROOT / ".github" / "actions" / "check"

# Creates environments that hold stand-ins, writes down what pip is asked for, and is Python for everything else.
_PYTHON = """#!/usr/bin/env bash
case "$1 $2 $3" in
    "-I -m venv")
        mkdir -p "$4/bin"
        cp "{stand_ins}/python" "{stand_ins}/aliasaudit" "$4/bin"
        ;;
    "-I -m pip")
        printf '%s\\0' "$PIP_CACHE_DIR" "${{@:4}}" >>"{record}/pip"
        printf '\\n' >>"{record}/pip"
        ;;
    *) exec "{python}" -S "$@" ;;
esac
"""

# Writes the reports that it is asked for, with the text of the case, and ends as the case says.
_ALIASAUDIT = """#!/usr/bin/env -S {python} -I -S
import json, os, pathlib, sys
record = pathlib.Path("{record}")
case = json.loads((record / "case").read_text())
record.joinpath("call").write_text(json.dumps({{"arguments": sys.argv[1:], "folder": os.getcwd()}}))
for option, value in zip(sys.argv, sys.argv[1:]):
    if option == "--report":
        name, _, path = value.partition("=")
        if name in case["reports"]:
            pathlib.Path(path).write_text(case["reports"][name])
sys.stdout.write(case["log"])
sys.exit(case["code"])
"""


def load(path: Path) -> dict[str, Any]:
    """A YAML file of the repository, with every scalar as the text that stands there (`on` is no truth value)."""
    document = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    assert isinstance(document, dict)
    return document


@dataclass
class Job:
    """What became of a job: the outputs and logs of its steps, and the actions that it used, with their inputs."""

    code: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    used: dict[str, dict[str, str]] = field(default_factory=dict)
    installs: list[list[str]] = field(default_factory=list)
    call: dict[str, Any] | None = None

    @property
    def arguments(self) -> list[str]:
        """How ``aliasaudit`` was called."""
        assert self.call is not None, self.log
        return list(self.call["arguments"])

    @property
    def models(self) -> list[str]:
        """What stands behind the ``--`` of the call."""
        return self.arguments[self.arguments.index("--") + 1 :]


@dataclass
class Runner:
    """Runs the action in ``workspace``. ``code``, ``reports`` and ``printed`` are what ``aliasaudit`` does."""

    base: Path
    code: int = 0
    reports: dict[str, str] = field(default_factory=dict)
    printed: str = ""

    def use_the_program(self) -> None:
        """Put the real program in the place of the stand-in."""
        start = f'#!/usr/bin/env bash\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m auditor "$@"\n'
        (self.stand_ins / "aliasaudit").write_text(start, encoding="utf-8")

    def __post_init__(self) -> None:
        for folder in (self.stand_ins, self.workspace, self.temporary):
            folder.mkdir(parents=True)
        names = {"python": sys.executable, "stand_ins": self.stand_ins, "record": self.base}
        for name, text in (("python", _PYTHON), ("python3", _PYTHON), ("aliasaudit", _ALIASAUDIT)):
            program = self.stand_ins / name
            program.write_text(text.format(**names), encoding="utf-8")
            program.chmod(0o755)

    @property
    def stand_ins(self) -> Path:
        return self.base / "stand ins"

    @property
    def workspace(self) -> Path:
        return self.base / "work space"

    @property
    def temporary(self) -> Path:
        return self.base / "temp"

    def run(self, **inputs: str) -> Job:
        """Run all steps as the runner does: after one that fails, only those that run always."""
        action = load(FOLDER / "action.yml")
        values = {name: facts.get("default", "") for name, facts in action["inputs"].items()}
        values |= {name.replace("_", "-"): value for name, value in inputs.items()}
        assert set(values) == set(action["inputs"])
        case = {"code": self.code, "reports": self.reports, "log": self.printed}
        (self.base / "case").write_text(json.dumps(case), encoding="utf-8")
        job = Job()
        for step in action["runs"]["steps"]:
            if not self._wanted(step.get("if", ""), values, job):
                continue
            if "uses" in step:
                job.used[step["uses"].partition("@")[0]] = {
                    name: self._resolved(text, values, job) for name, text in step["with"].items()
                }
            else:
                self._run(step, values, job)
        if (self.base / "pip").exists():
            job.installs = [line.rstrip("\0").split("\0") for line in (self.base / "pip").read_text().splitlines()]
        if (self.base / "call").exists():
            job.call = json.loads((self.base / "call").read_text())
        return job

    def _run(self, step: dict[str, Any], inputs: dict[str, str], job: Job) -> None:
        assert step["shell"] == "bash"
        files = {name: self.base / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        script = self.base / "script.sh"
        script.write_text(step["run"], encoding="utf-8")
        environment = {
            "PATH": f"{self.stand_ins}{os.pathsep}{os.environ['PATH']}",
            "GITHUB_ACTION_PATH": str(FOLDER),
            "RUNNER_TEMP": str(self.temporary),
            **{name: str(file) for name, file in files.items()},
            **{name: self._resolved(text, inputs, job) for name, text in step.get("env", {}).items()},
        }
        done = subprocess.run(
            [bash(), "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=self.workspace,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        job.code = job.code or done.returncode
        job.log += done.stdout + done.stderr
        job.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
        if "id" in step:
            lines = files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
            job.outputs[step["id"]] = dict(line.split("=", 1) for line in lines)

    def _resolved(self, text: object, inputs: dict[str, str], job: Job) -> str:
        return re.sub(r"\$\{\{ (.+?) \}\}", lambda found: self._value(found.group(1), inputs, job), str(text))

    def _value(self, expression: str, inputs: dict[str, str], job: Job) -> str:
        parts = expression.split(".")
        if parts[0] == "inputs":
            return inputs[parts[1]]
        if parts[0] == "steps":
            return job.outputs.get(parts[1], {}).get(parts[3], "")
        if parts[0] == "github":
            return {"server_url": "https://github.example", "token": "the-token"}[parts[1]]
        assert parts[0] == "runner"
        return f"the runner's {parts[1]}"

    def _wanted(self, condition: str, inputs: dict[str, str], job: Job) -> bool:
        """Evaluate ``always() && a == 'b' && c != ''``, all that the action needs of the expression language."""
        terms = condition.split(" && ") if condition else []
        if job.code and "always()" not in terms:
            return False
        for term in terms:
            if term != "always()":
                left, operator, right = term.split(" ")
                equal = self._value(left, inputs, job) == right.strip("'")
                if equal != (operator == "=="):
                    return False
        return True


def bash() -> str:
    """The Bash that runs steps; the tests of this folder are skipped without one."""
    program = shutil.which("bash")
    assert program is not None
    return program
