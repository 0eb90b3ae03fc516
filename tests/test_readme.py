"""README.md tells the truth: its commands run, its generated parts are current, its links lead somewhere."""

from __future__ import annotations

import html
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

from auditor import fix
from auditor.cli.story import CHECK, COMPARE, FIX, VERIFY
from auditor.demo.files import FIXED, MODEL, SETTINGS, png, write_example
from scripts.update_readme import PARTS, README, ROOT, replaced, updated

TEXT = README.read_text(encoding="utf-8")
TASKS = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
PAGES = [README, ROOT / "rules" / "README.md", ROOT / ".github" / "CONTRIBUTING.md", ROOT / ".github" / "SECURITY.md"]
INLINE = sorted(set(re.findall(r"`(aliasaudit [^`]+)`", TEXT + TASKS)) - {"aliasaudit demo --write DIR"})
# Those that measure many rewrites take a minute each.
COMMANDS = [
    pytest.param(command, marks=[pytest.mark.slow] * bool(re.search(r"(--merge|--strategy) auto\b", command)))
    for command in INLINE
]
MOST_WORDS = 900
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


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``aliasaudit demo --write`` leaves, with the files of the user's own that the page of tasks names."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder)
    with (folder / SETTINGS).open("a", encoding="utf-8") as settings:
        settings.write("images-limit = 8\n")  # the commands are to run here, and not to decide anything
    fix(folder / MODEL, folder / FIXED, strategy="phase-average")
    (folder / "photos").mkdir()
    for index, photo in enumerate(np.random.default_rng(0).integers(0, 256, (8, 96, 96), np.uint8)):
        (folder / "photos" / f"{index}.png").write_bytes(png(photo))
    (folder / "models").mkdir()
    shutil.copy(folder / MODEL, folder / "models" / "other.onnx")
    run(["-m", "auditor", "check", "--output-format", "json", "-o", "saved.json", MODEL], folder)
    return folder


@pytest.fixture
def folder(example: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(example, tmp_path / "example"))


@pytest.mark.parametrize("page", PARTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_generated_tables_are_current(page: Path) -> None:
    assert updated(page) == page.read_text(encoding="utf-8"), "run: python scripts/update_readme.py"


def test_the_readme_is_a_front_page() -> None:
    words = [word for word in TEXT.split() if re.search("[A-Za-z]", word)]
    assert len(words) <= MOST_WORDS
    first = TEXT.split("\n\n")[1]
    assert first.startswith("**Does your vision model change its answer when the image moves by one pixel?**")
    assert re.match(r"!\[[^\]]{20,}\]\(docs/pictures/[\w-]+\.svg\)", TEXT.split("\n\n")[2])


def test_the_readme_puts_the_command_on_the_path_before_it_is_typed_alone() -> None:
    typed = TEXT.index("`aliasaudit demo --write example`")
    assert ". .venv/bin/activate" in TEXT[:typed]
    assert "`cd example`" in TEXT[typed:][:300]


def test_a_generated_part_without_its_markers_is_an_error_not_a_silent_loss() -> None:
    with pytest.raises(ValueError, match="rules:begin"):
        replaced("no markers here", "rules", "table")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_readme_runs(command: str, folder: Path) -> None:
    done = run(["-m", "auditor", *shlex.split(command)[1:]], folder)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()


def test_every_command_of_the_program_is_in_the_readme_or_the_page_of_tasks(folder: Path) -> None:
    listed = run(["-m", "auditor", "--help"], folder).stdout.partition("Commands:")[2]
    commands = re.findall(r"^  (\w+)  ", listed, flags=re.MULTILINE)
    assert {"check", "rule", "demo"} <= set(commands)
    missing = [command for command in commands if f"aliasaudit {command}" not in TEXT + TASKS]
    assert not missing


def test_set_up_is_two_commands_that_install_into_a_new_environment_and_run(folder: Path) -> None:
    assert len(SET_UP) == 2
    for command in SET_UP:
        create, install, last = command.split(" && ")
        assert create == "python3 -m venv .venv"
        assert re.fullmatch(
            r"\.venv/bin/pip install -q ('\.\[cpu,images\]'|-c constraints\.txt -e '\.\[dev\]')", install
        )
        main = shlex.split(last)
        if main[0] == ".venv/bin/aliasaudit":
            assert main[1:] == ["demo"]  # tests/cli/test_demo.py runs it
            done = run(["-m", "auditor", "demo", "--output-format", "json"], folder)
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


def test_the_drawn_terminal_shows_the_commands_of_the_demo() -> None:
    drawn = html.unescape((ROOT / "docs" / "pictures" / "demo.svg").read_text(encoding="utf-8")).replace("\xa0", " ")
    for command in (CHECK, VERIFY, FIX, COMPARE):
        assert f"$ {command}" in drawn
    assert "BETTER" in drawn


def test_the_pictures_of_the_readme_fetch_nothing() -> None:
    for picture in re.findall(r"\]\((docs/pictures/[\w-]+\.svg)\)", TEXT):
        drawn = (ROOT / picture).read_text(encoding="utf-8")
        assert not re.search(r"""(?:href|src)=["']https?:|url\(["']?https?:""", drawn)


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
