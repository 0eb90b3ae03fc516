"""The repository's address stands in one place, and everything that names it follows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from scripts.address import ROOT, declared, files, replaced, stale, written

PLACES = ("pyproject.toml", "action.yml", "docs", ".github", "README.md", "CHANGELOG.md")


def copied(folder: Path) -> Path:
    for name in PLACES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name)
        else:
            shutil.copy(source, folder / name)
    return folder


def test_every_file_names_the_address_that_pyproject_declares() -> None:
    assert not stale(ROOT), "run: python scripts/address.py"
    assert written(ROOT) == declared(ROOT)


def test_no_page_and_no_workflow_has_a_placeholder_or_another_owner_of_this_repository() -> None:
    owner, name = declared(ROOT).split("/")
    for path in files(ROOT):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bOWNER\b", text), path
        named = re.findall(rf"(?:github\.com/|uses: )([\w.-]+)/{re.escape(name)}(?![\w.-])", text)
        assert set(named) <= {owner}, path


def test_a_move_is_one_edit_and_one_run(tmp_path: Path) -> None:
    root = copied(tmp_path)
    old = declared(root)
    project = root / "pyproject.toml"
    moved = project.read_text(encoding="utf-8").replace(
        f'repository = "https://github.com/{old}"', 'repository = "https://github.com/somebody/else"'
    )
    project.write_text(moved, encoding="utf-8")
    changed = stale(root)
    names = {path.relative_to(root).as_posix() for path in changed}
    assert {"pyproject.toml", "CHANGELOG.md", "docs/index.md", "action.yml", ".github/CODEOWNERS"} <= names
    for path, text in changed.items():
        path.write_text(text, encoding="utf-8")
    assert written(root) == declared(root) == "somebody/else"
    assert not stale(root)
    for path in files(root):
        assert f"github.com/{old}" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uses: a/b@v1", "uses: c/d@v1"),
        ("https://github.com/a/b.", "https://github.com/c/d."),
        ("https://github.com/a/b/issues", "https://github.com/c/d/issues"),
        ("a/b-tools", "a/b-tools"),
        ("xa/b", "xa/b"),
        ("* @a/maintainers", "* @c/maintainers"),
    ],
)
def test_only_whole_addresses_are_exchanged(text: str, expected: str) -> None:
    assert replaced(text, "a/b", "c/d") == expected


def test_an_address_that_is_missing_is_refused_with_the_place(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"pyproject.toml: \[project.urls\] repository"):
        declared(tmp_path)
    with pytest.raises(ValueError, match="issues"):
        written(tmp_path)
