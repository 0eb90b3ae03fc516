"""README.md tells the truth: its commands run, its generated parts are current, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from markdown_it import MarkdownIt
from PIL import Image

from auditor.demo import demo_model
from scripts.update_readme import README, ROOT, replaced, updated

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TEXT = README.read_text(encoding="utf-8")
PAGES = [README, ROOT / ".github" / "CONTRIBUTING.md", ROOT / ".github" / "SECURITY.md"]
INLINE = sorted(set(re.findall(r"`(aliasaudit [^`]+)`", TEXT)))
SET_UP = [block.content.strip() for block in MarkdownIt().parse(TEXT) if block.type == "fence" and block.info == "bash"]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what the commands of the README name."""
    (tmp_path / "models").mkdir()
    (tmp_path / "pictures").mkdir()
    random = np.random.default_rng(0)
    for index in range(8):
        Image.fromarray(random.integers(0, 256, (64, 64), np.uint8)).save(tmp_path / "pictures" / f"{index}.png")
    for copy in (tmp_path / "model.onnx", tmp_path / "models" / "other.onnx"):
        shutil.copy(demo_model(), copy)
    run(["-m", "auditor", "check", "--output-format", "json", "-o", "saved.json", "model.onnx"], tmp_path)
    return tmp_path


def test_the_report_and_the_rule_table_in_the_readme_are_current() -> None:
    assert updated(TEXT) == TEXT, "run: python scripts/update_readme.py"


def test_a_generated_part_without_its_markers_is_an_error_not_a_silent_loss() -> None:
    with pytest.raises(ValueError, match="rules:begin"):
        replaced("no markers here", "rules", "table")


@pytest.mark.parametrize("command", INLINE)
def test_every_command_of_the_readme_runs(command: str, folder: Path) -> None:
    done = run(["-m", "auditor", *shlex.split(command)[1:]], folder)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()


def test_every_command_of_the_program_is_in_the_readme(folder: Path) -> None:
    listed = run(["-m", "auditor", "--help"], folder).stdout.partition("Commands:")[2]
    commands = re.findall(r"^  (\w+)  ", listed, flags=re.MULTILINE)
    assert {"check", "rule", "demo"} <= set(commands)
    missing = [command for command in commands if f"aliasaudit {command}" not in TEXT]
    assert not missing


def test_set_up_is_two_commands_that_install_into_a_new_environment_and_run(folder: Path) -> None:
    assert len(SET_UP) == 2
    for command in SET_UP:
        create, install, last = command.split(" && ")
        assert create == "python3 -m venv .venv"
        assert re.fullmatch(r"\.venv/bin/pip install -q (-e \.|-c constraints\.txt -e '\.\[dev\]')", install)
        main = shlex.split(last)
        if main[0] == ".venv/bin/aliasaudit":
            done = run(["-m", "auditor", *main[1:]], folder)
            assert "/maxpool/MaxPool" in done.stdout
        else:
            assert main[0] == ".venv/bin/python"
            done = run([*main[1:], "--collect-only", "--rootdir", str(ROOT), str(ROOT / "tests" / "demo")], ROOT)
        assert done.returncode in (0, 1), done.stdout + done.stderr


def test_the_python_example_runs(folder: Path) -> None:
    (example,) = re.findall(r"```python\n(.+?)```", TEXT, flags=re.DOTALL)
    done = run(["-c", example], folder)
    assert done.returncode == 0, done.stderr
    assert "AA102 error" in done.stdout


def test_the_settings_of_the_readme_are_accepted(folder: Path) -> None:
    (settings,) = re.findall(r"```toml\n(.+?)```", TEXT, flags=re.DOTALL)
    (folder / "pyproject.toml").write_text(settings, encoding="utf-8")
    done = run(["-m", "auditor", "config"], folder)
    assert done.returncode == 0, done.stderr
    assert tomllib.loads(settings)["tool"]["aliasaudit"]["fail-on"] in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_inside_the_repository_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_map_names_every_room_of_the_package_and_nothing_that_is_not_there() -> None:
    page = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:auditor|rules|tests|benchmarks|scripts)/[\w/.]*)`", page):
        assert (ROOT / path).exists() or "aa1xx" in path, path
    for room in (ROOT / "auditor").glob("[!_]*/__init__.py"):
        assert f"`auditor/{room.parent.name}/`" in page
