"""The benchmark of windows: its windows exist in the models it names, and its tables have a place in the docs."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.onnxfile import read_model
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Options, Step, Strategy
from auditor.sampling import analyse
from benchmarks.ablation_subjects import SUBJECTS
from benchmarks.ablation_table import Row, by_model, placed
from benchmarks.windows import INPUT, MARKS, WINDOWS, window

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "ablation.md"
MODELS = ROOT.parent / "shared" / "models"
FILES = {subject.name: MODELS / subject.file for subject in SUBJECTS}


def test_a_window_from_the_input_is_an_input_average_with_a_merge() -> None:
    assert window("w", (INPUT, "a")).arguments == ("--strategy", "input-average", "--merge", "a")
    pairs = window("w", ("a", "b"), ("c", "d")).arguments
    assert pairs == ("--strategy", "window-average", "--site", "a", "--merge", "b", "--site", "c", "--merge", "d")


@pytest.mark.parametrize("name", sorted(WINDOWS.keys() & FILES.keys()))
def test_every_window_of_a_model_can_be_made(name: str) -> None:
    if not FILES[name].exists():
        pytest.skip("the shared models are not here")
    model = read_model(FILES[name])
    analysis = analyse(model)
    for strategy in WINDOWS[name]:
        words = dict(zip(strategy.arguments[::2], strategy.arguments[1::2], strict=True))
        given = list(zip(strategy.arguments[::2], strategy.arguments[1::2], strict=True))
        sites, merges = (tuple(word for flag, word in given if flag == wanted) for wanted in ("--site", "--merge"))
        done = rewrite(model, analysis, Step(Strategy(words["--strategy"]), Options(merges=merges), sites))
        assert done.changes, strategy.name
        assert not done.skipped


def test_the_page_has_a_place_for_the_tables_beside_those_of_the_ablation() -> None:
    page = PAGE.read_text(encoding="utf-8")
    new = placed(page, by_model([Row("classifiers", "Net", "window", 8, reason="no site")]), MARKS)
    assert "### Net" in new
    assert "Without numbers: window (no site)." in new
    assert new.partition(MARKS[0])[0] == page.partition(MARKS[0])[0]
    assert "<!-- begin: ablation -->" in new
