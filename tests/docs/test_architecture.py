"""The architecture page shows the code as it is."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts.architecture import ENTRIES, levels, pictures, reduced, way
from tests.docs.pages import DOCS, ROOT

PAGE = (DOCS / "architecture.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("path", "text"), pictures().items(), ids=lambda value: getattr(value, "stem", ""))
def test_the_picture_of_a_command_is_the_one_that_its_imports_draw(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run: python scripts/architecture.py"
    ElementTree.fromstring(text)
    assert f"(pictures/{path.name})" in PAGE


def test_every_folder_and_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:auditor|rules|tests|scripts|docs)/[\w/.]*)`", PAGE))
    assert len(named) > len(ENTRIES)
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_a_way_follows_imports_in_functions_and_leaves_out_those_for_types(tmp_path: Path) -> None:
    files = {
        "auditor/__init__.py": "",
        "auditor/one/__init__.py": "",
        "auditor/one/start.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from auditor.types import x\n"
        "def run():\n    from auditor.two import work\n",
        "auditor/two/__init__.py": "",
        "auditor/two/work.py": "import auditor.three.inner\nimport auditor.text\n",
        "auditor/text.py": "",
        "auditor/three/__init__.py": "",
        "auditor/three/inner.py": "",
        "auditor/types/__init__.py": "x = 1\n",
        "auditor/unused/__init__.py": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = way(("auditor.one.start",), tmp_path)
    assert found == {"one": frozenset({"two"}), "two": frozenset({"three"}), "three": frozenset()}


def test_an_arrow_that_a_longer_way_stands_for_is_left_out_and_every_arrow_points_to_the_right() -> None:
    arrows = {"a": frozenset("bc"), "b": frozenset("c"), "c": frozenset()}
    assert reduced(arrows) == {"a": frozenset("b"), "b": frozenset("c"), "c": frozenset()}
    assert levels(arrows) == {"a": 0, "b": 1, "c": 2}
