"""The table of what a lock costs cuts pictures as its rows say, and tells paired changes in points."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from auditor.rewrite.lock.tables import kernels
from benchmarks.lock_loss import BASE, MARKS, NETWORK, ROWS, cut, ideal, main, short, table

NAME = "MobileNetV2"


def wave(frequency: float, size: int = NETWORK + 64) -> np.ndarray:
    return np.asarray(np.sin(frequency * np.arange(size)))


@pytest.mark.parametrize("made", [kernels, short, ideal])
def test_a_window_between_pixels_is_the_wave_between_them(made: object) -> None:
    assert callable(made)
    picture = np.outer(wave(0.3), wave(0.5))[None].astype(np.float32)
    found = cut(picture, np.array([30.25, 20.5]), made)
    rows, columns = 30.25 + np.arange(NETWORK), 20.5 + np.arange(NETWORK)
    expected = np.outer(np.sin(0.3 * rows), np.sin(0.5 * columns))
    assert np.abs(found[0] - expected).max() < 0.04


def test_eight_taps_lose_of_high_frequencies_what_the_lock_keeps() -> None:
    picture = np.outer(np.ones(NETWORK + 64), wave(0.7 * np.pi))[None].astype(np.float32)
    place = np.array([30.0, 30.0])
    kept = [float(cut(picture, place, made).std() / picture.std()) for made in (short, kernels, ideal)]
    assert kept[0] < 0.95
    assert kept[1] > 0.98
    assert kept[2] == pytest.approx(1, abs=0.02)


def test_changes_are_those_of_the_same_photographs_in_points() -> None:
    one = {row: [1.0, 0.5] for row in (BASE, *ROWS)}
    other = {row: [1.0, 0.7] if row == BASE else [0.5, 0.6] for row in (BASE, *ROWS)}
    lines = table({NAME: {"1": one, "3": other}}).splitlines()
    assert lines[0] == f"| | {NAME} (2): accuracy | {NAME} (2): probability |"
    assert lines[2] == f"| {BASE} | 100.0 % | 60.0 % |"
    assert lines[3].endswith("| -25.0 ± 25.0 | -5.0 ± 5.0 |")


def test_what_was_kept_goes_between_the_marks_of_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, kept = tmp_path / "page.md", tmp_path / "kept.json"
    page.write_text(f"before\n{MARKS[0]}\n{MARKS[1]}\nafter\n", encoding="utf-8")
    values = {row: [1.0, 0.5] for row in (BASE, *ROWS)}
    kept.write_text(json.dumps({NAME: {"1": values, "3": values}}), encoding="utf-8")
    main(["--json", str(kept), "--into", str(page)])
    assert capsys.readouterr().out in page.read_text(encoding="utf-8")
