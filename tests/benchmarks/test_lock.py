"""The table of the grid lock says what was measured, in the units of its columns."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks.chains import Row
from benchmarks.lock import MARKS, SUBJECTS, main, table

NAME = SUBJECTS[0].name
ROW = Row(
    NAME,
    "sub-pixel",
    80,
    {"consistency": (0.75, 0.052, 0.02), "MAC": (0.12, -0.14, 0.04)},
    added=(0.021, 0.07),
    time=1.163,
    work=1.034,
)


def test_shares_change_in_points_and_the_others_in_per_cent_with_one_standard_error() -> None:
    lines = table([ROW]).splitlines()
    assert lines[0] == f"**{NAME}** (80 photographs)"
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells == ["original", "75.0 %", "0.1200", "", "x1", "x1"]
    cells = [cell.strip() for cell in lines[5].strip("|").split("|")]
    assert cells == ["sub-pixel", "+5.2 ± 2.0", "-14 ± 4 %", "+2 % (at most +7 %)", "x1.03", "x1.16"]


def test_a_page_gets_what_was_kept_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "rows.json"
    page.write_text(f"before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n", encoding="utf-8")
    kept.write_text(json.dumps([asdict(ROW)]), encoding="utf-8")
    main(["--images", str(tmp_path), "--limit", "0", "--json", str(kept), "--into", str(page)])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert capsys.readouterr().out in text
