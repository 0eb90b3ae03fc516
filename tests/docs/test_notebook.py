"""The notebooks of the documentation run, and hold what their cells show today."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from scripts.notebook import NOTEBOOKS, read, run, source, text

# What is measured differs in its last digits between machines, and with it on which side of a limit it lies.
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_VERDICT = re.compile("^(?:undecided|better|no-difference-found)$", re.MULTILINE)
MOST_BYTES = 100_000


def shown(notebook: dict[str, Any]) -> list[tuple[str, ...]]:
    """What every cell shows, numbers left out: its text, or the kinds of its pictures."""
    found = []
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            words = "".join(output.get("text") or output["data"]["text/plain"])
            lines = (" ".join(_NUMBER.sub("#", line).split()) for line in words.splitlines())
            words = _VERDICT.sub("verdict", "\n".join(lines))
            found.append((cell["id"], words, *sorted(output.get("data", {}))))
    return found


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_shows_what_the_file_holds(path: Path) -> None:
    kept = read(path)
    assert shown(run(kept)) == shown(kept), "python -m scripts.notebook writes what the cells show today"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_small_and_shows_tables_and_pictures(path: Path) -> None:
    notebook = read(path)
    assert text(notebook) == path.read_text(encoding="utf-8")
    assert path.stat().st_size <= MOST_BYTES
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    assert len({cell["id"] for cell in cells}) == len(cells)
    assert cells[0]["cell_type"] == "markdown"
    assert source(cells[0]).startswith("# ")
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    assert any(len(output.get("text", [])) > 3 for output in outputs)
    pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert pictures
    for picture in pictures:
        assert min(Image.open(io.BytesIO(base64.b64decode("".join(picture)))).size) > 100


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_for_jupyter(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed: Jupyter's own reader")
    nbformat.validate(nbformat.read(path, 4))
