"""The table of all strategies says what was measured, keeps it, and times it without measuring it again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from onnx import save_model

from auditor.onnxfile import read_model
from auditor.rewrite.result import Options, Step, Strategy
from auditor.sampling import analyse
from benchmarks import strategies
from benchmarks.chains import Data, Row, Subject
from benchmarks.strategies import AUTO, FORMS, MARKS, OF_PATCHES, PATCHES, SUBJECTS, forms_of, main, table
from tests.rewrite.test_grid_lock import network

NAME = SUBJECTS[0].name
CELLS = {"consistency": (0.75, 0.052, 0.02), "MAC": (0.12, -0.14, 0.04)}
ROWS = (
    Row(NAME, "two shifts of the input", 60, {"MAC": (0.12, -0.1, 0.02)}, work=2.0),
    Row(NAME, "grid lock", 60, CELLS, work=1.034, time=1.2),
    Row(NAME, "four phases of the last site", 0, reason="an output is a grid; and more"),
)


def test_rows_stand_by_their_cost_and_what_does_not_apply_below_with_its_reason() -> None:
    lines = table(ROWS).splitlines()
    assert lines[0] == f"### {NAME}, all strategies (60 images)"
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:7]]
    assert cells[0] == ["original", "75.0 %", "0.1200", "x1", "x1"]
    assert cells[1] == ["grid lock", "+5.2 ± 2.0", "-14 ± 4 %", "x1.03", "x1.20"]
    assert cells[2][0] == "two shifts of the input"
    assert cells[2][2:] == ["-10 ± 2 %", "x2.00", ""]
    assert lines[-1] == f"Without numbers on {NAME}: four phases of the last site (an output is a grid)."


def test_a_page_gets_what_was_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "rows.json"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n", encoding="utf-8")
    kept.write_text(json.dumps([asdict(row) for row in ROWS]), encoding="utf-8")
    main(["--images", str(tmp_path), "--limit", "0", "--json", str(kept), "--into", str(page)])
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert capsys.readouterr().out in text


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A model, pictures, and what the program is told of them."""
    save_model(network(), tmp_path / "model.onnx")
    random = np.random.default_rng(0)
    np.save(tmp_path / "pictures.npy", random.integers(0, 256, (8, 120, 130, 3), dtype=np.uint8))
    subject = Subject("small", "model.onnx", {"preset": "unit", "radius": 4, "layers": 0}, SUBJECTS[0].columns)
    monkeypatch.setattr(strategies, "SUBJECTS", (subject,))
    chains = {name: FORMS[name] for name in ("two shifts of the input", "four phases of the last site")}
    monkeypatch.setattr(strategies, "FORMS", chains)
    pictures = str(tmp_path / "pictures.npy")
    return ["--models", str(tmp_path), "--images", pictures, "--limit", "8", "--json", str(tmp_path / "rows.json")]


def test_what_is_kept_is_not_measured_again_and_its_time_can_be(small: list[str], tmp_path: Path) -> None:
    main(small)
    kept = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert [row["form"] for row in kept] == ["two shifts of the input", "four phases of the last site"]
    assert kept[0]["cells"]
    assert kept[0]["time"] is None
    for row in kept:
        row["images"] = 99
    (tmp_path / "rows.json").write_text(json.dumps(kept), encoding="utf-8")
    main(small)
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf-8")) == kept
    main([*small, "--times"])
    timed = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert timed[0]["time"] > 0
    assert [{**row, "time": None} for row in timed] == [{**row, "time": None} for row in kept]


def test_auto_is_measured_on_other_pictures_than_it_chose_on(
    small: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def choose(bench: object, choosing: Data) -> tuple[Step, ...]:
        del bench
        asked.append(choosing.images)
        return (Step(Strategy.INPUT_AVERAGE, Options()),)

    monkeypatch.setattr(strategies, "FORMS", {})
    monkeypatch.setattr(strategies, "chosen", choose)
    np.save(tmp_path / "others.npy", np.zeros((8, 120, 130, 3), np.uint8))
    main([*small, "--choosing", str(tmp_path / "others.npy")])
    (row,) = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert row["form"] == f"{AUTO}: input-average"
    assert asked == [tmp_path / "others.npy"]
    main([*small, "--choosing", str(tmp_path / "others.npy")])
    assert len(asked) == 1


def test_patches_and_shifts_are_merged_at_the_same_nodes_and_every_subject_is_locked(tmp_path: Path) -> None:
    save_model(network(), tmp_path / "model.onnx")
    model = read_model(tmp_path / "model.onnx")
    analysis = analyse(model)
    merges = [chain(model, analysis)[0].options.merges for name, chain in OF_PATCHES.items() if "merged" in name]
    assert merges[:3] == merges[3:]
    assert len(set(merges)) == 3
    assert forms_of(next(one for one in SUBJECTS if one.name == PATCHES)) is OF_PATCHES
    assert all("grid lock" in forms_of(subject) for subject in SUBJECTS)
