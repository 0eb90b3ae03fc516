"""What the repository promises about itself: its map, its dependencies, its size, its start-up, its pipeline."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*(ROOT / "auditor").rglob("*.py"), *(ROOT / "rules").rglob("*.py")])
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# Distributions whose import name is another.
IMPORT_NAMES = {"pillow": "PIL", "onnxruntime-gpu": "onnxruntime"}
# Programs that load a part of this package as their plugin are there whenever that part is imported.
HOSTS = {"olive", "polygraphy", "pytest"}
MAX_LINES = 400


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(project, dict)
    return project


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports absolutely, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module


def modules_loaded_by(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "auditor", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}


def program(name: str) -> str:
    path = shutil.which(name, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip(f"{name} is not installed: it comes with the extra `dev`")
    return path


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_and_version_start_without_numpy_and_without_onnx(arguments: list[str]) -> None:
    loaded = modules_loaded_by(*arguments)
    assert "auditor.cli" in loaded
    assert not loaded & {"numpy", "onnx", "google.protobuf", "onnxruntime", "onnx_graphsurgeon"}


@pytest.mark.parametrize(
    "arguments",
    [["demo", "--output-format", "json"], ["check", "auditor/demo/digits.onnx"]],
    ids=lambda words: words[0],
)
def test_an_audit_never_imports_onnx_nor_anything_that_runs_models(arguments: list[str]) -> None:
    loaded = modules_loaded_by(*arguments)
    assert "auditor.sampling" in loaded
    assert not loaded & {"onnx", "onnxruntime", "onnx_graphsurgeon", "scipy", "auditor.verify.worker"}


def test_every_package_that_the_program_imports_is_a_declared_dependency(project: dict[str, Any]) -> None:
    wanted = list(project["dependencies"])
    for extra in ("cpu", "gpu", "images", "plots", "video", "finetune", "openvino", "tflite", "ray"):
        wanted += project["optional-dependencies"][extra]
    names = [re.split(r"[<>=; ]", requirement)[0] for requirement in wanted]
    declared = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}
    used = {module.split(".")[0] for path in SOURCES for module in imports(path)}
    # tomllib is in the standard library from 3.11 on.
    foreign = used - set(sys.stdlib_module_names) - {"auditor", "tomllib"} - HOSTS
    assert foreign <= declared


def test_the_extras_are_those_that_the_documentation_names(project: dict[str, Any]) -> None:
    assert set(project["optional-dependencies"]) == {
        "bench",
        "cpu",
        "dev",
        "docs",
        "finetune",
        "gpu",
        "images",
        "openvino",
        "plots",
        "ray",
        "tflite",
        "video",
    }


def test_no_source_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)) for path in SOURCES if len(path.read_text("utf-8").splitlines()) > MAX_LINES}
    assert not long


def test_the_repository_carries_no_large_file() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert paths
    assert not [path.name for path in paths if path.is_file() and path.stat().st_size > 1 << 20]


def test_every_lint_that_is_off_has_a_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    ruff = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.flake8-tidy-imports]")]
    ignored = ruff[ruff.index("ignore = [") :]
    bare = [line for line in ignored.splitlines() if re.match(r' +"[A-Z]+\d+",', line) and " # " not in line]
    assert not bare


def test_the_check_script_runs_exactly_the_test_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^(python3 -m venv .*pytest.*)$", readme, flags=re.MULTILINE)
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert f"{command} || failed=1" in lines


def test_every_action_of_the_pipeline_is_pinned_to_a_commit_with_its_version_beside() -> None:
    assert WORKFLOWS
    for path in WORKFLOWS:
        for use in re.findall(r"uses: (.+)", path.read_text(encoding="utf-8")):
            # `$/` and `./` are this repository at the same commit.
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|[$.]/[\w./-]+", use)


def test_the_pipeline_follows_its_schema() -> None:
    checker = program("check-jsonschema")
    workflows = [checker, "--builtin-schema", "vendor.github-workflows", *map(str, WORKFLOWS)]
    updates = [checker, "--builtin-schema", "vendor.dependabot", str(ROOT / ".github" / "dependabot.yml")]
    for command in (workflows, updates):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_pipeline_has_no_known_security_fault() -> None:
    command = [program("zizmor"), "--offline", "--no-progress", str(ROOT / ".github")]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def pins(name: str, environment: dict[str, str]) -> dict[str, Version]:
    """What a lock pins on one platform and Python."""
    requirements = [
        Requirement(line) for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line[0] != "#"
    ]
    wanted = [one for one in requirements if one.marker is None or one.marker.evaluate(environment)]
    found: dict[str, Version] = {
        canonicalize_name(one.name): Version(str(one.specifier).removeprefix("==")) for one in wanted
    }
    assert len(found) == len(wanted), "two pins of one package hold at once"
    return found


def hashed(name: str) -> dict[str, bool]:
    """The pins of a lock with hashes, as they stand in one without, and whether pip takes only files that it lists."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {line.partition(" --hash")[0].strip(): "--hash=sha256:" in line for line in lines}


def test_the_lock_with_hashes_pins_the_same_and_knows_every_file() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    plain = {line for line in lines if not line.startswith("#")}
    for name in ("hashes.txt", ".github/tools.txt"):
        assert all(hashed(name).values()), name
    assert plain <= hashed("hashes.txt").keys()


def test_the_workflows_install_only_what_has_a_hash_and_the_package_itself() -> None:
    allowed = {
        "--require-hashes --requirement hashes.txt",
        "--require-hashes --requirement .github/tools.txt",
        "--require-hashes --requirement tools.txt",  # the same, where there is no checkout
        "--no-deps --no-build-isolation --editable .",
        '$OPTIONS --editable ".[dev]"',  # with the newest and the lowest versions
        '--editable ".[dev,docs]"',  # the site, which is not published from there
    }
    for workflow in WORKFLOWS:
        installs = re.findall(r"pip install --quiet (.*)", workflow.read_text(encoding="utf-8"))
        assert set(installs) <= allowed, workflow.name


def asked(environment: dict[str, str]) -> dict[str, Requirement]:
    """What the package and its extra for the tests ask for on one platform and Python."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    found = [Requirement(text) for text in texts]
    return {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate(environment)}


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_lock_pins_every_requirement_of_the_tests_to_a_version_that_is_allowed(python: str, platform: str) -> None:
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": platform}
    pinned = pins("constraints.txt", environment)
    for name, requirement in asked(environment).items():
        assert pinned[name] in requirement.specifier, name


def test_the_lowest_versions_are_those_that_the_project_allows() -> None:
    environment = {"python_version": "3.10", "python_full_version": "3.10.0"}
    pinned = pins("lowest.txt", environment)
    for name, requirement in asked(environment).items():
        floors = [Version(one.version) for one in requirement.specifier if one.operator == ">="]
        assert floors, f"{name} has no lower bound"
        # A floor that was never released as such begins with the first release above it.
        assert pinned[name].release[: len(floors[0].release)] == floors[0].release, name


def test_every_promise_of_the_security_policy_names_tests_that_exist() -> None:
    policy = (ROOT / ".github" / "SECURITY.md").read_text(encoding="utf-8")
    promises = [line for line in policy.splitlines() if line.startswith("| ") and "promise" not in line]
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", policy)
    lines = [line for line in policy.splitlines() if line.startswith("* `tests/")]
    assert len(lines) == len(promises)
    for path, name in named:
        assert f"\ndef {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{name}"
