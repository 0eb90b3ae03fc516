"""Each measure is declared once, and every other room reads what it is from there."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
from msgspec.structs import replace

from auditor.verify.measures import MEASURES, TASKS, facts_of, gated, leading
from auditor.verify.measures.facts import Gate, MeasureFacts
from auditor.verify.measures.reference import AGREEMENT
from auditor.verify.measures.variance import VARIANCES
from auditor.verify.result import Measure, Task

ROOT = Path(__file__).resolve().parents[3]
# Words that are the name of a measure and something else, and scales that are made for one kind of answer.
OTHERWISE = {
    "auditor/repair/locked.py": "the accuracy that a lock may cost",
    "auditor/repair/trials.py": "the name of that test",
    "auditor/repair/search/gain.py": "names of yardsticks",
    "auditor/repair/search/gains.py": "which two measures are one yardstick",
    "auditor/repair/search/plots.py": "label of an axis",
    "auditor/verify/plots.py": "label of an axis",
    "auditor/plugins/pytest.py": "the measure that is asked for if nobody says",
    "auditor/plugins/polygraphy.py": "Polygraphy's own metrics of class scores",
    "auditor/report/repair/search.py": "words for yardsticks",
    "auditor/report/words/measured.py": "head of a column about layers",
    "auditor/report/json/": "members of layers",
    "auditor/report/resize/": "a column of the comparison of kernels",
    "auditor/report/words/story.py": "the numbers that the demo tells",
    "auditor/report/words/measured_headline.py": "sentences about answers, scores and boxes",
    "auditor/report/words/changes.py": "what is shown beside the judged measure",
    "auditor/verify/runtimes.py": "the sentence about two runtimes",
    "auditor/report/words/resizing.py": "a column of the comparison of kernels",
    "auditor/resizing/": "a column of the comparison of kernels",
    "auditor/verify/time/": "measures over frames, with a table of their own",
}


def spelled() -> Iterator[tuple[str, str]]:
    """Files outside of the measures with a string that is the name of one, and that name."""
    for path in sorted((ROOT / "auditor").rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(("auditor/verify/measures/", *OTHERWISE)):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in MEASURES:
                yield name, str(node.value)


def test_no_other_room_decides_by_the_name_of_a_measure() -> None:
    assert list(spelled()) == []


def test_every_measure_is_declared_once_under_its_own_name() -> None:
    declared = [facts.name for facts in chain(AGREEMENT, VARIANCES, *(task.MEASURES for task in TASKS.values()))]
    assert sorted(declared) == sorted(MEASURES)
    assert all(name == facts.name and facts.meaning for name, facts in MEASURES.items())


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.value)
def test_every_task_has_a_measure_that_a_threshold_is_held_against(task: Task) -> None:
    assert gated(task, Gate.CHANGE)
    assert set(gated(task, Gate.CHANGE)) & set(leading(task))
    assert all(MEASURES[name].bounds is not None for name in gated(task, Gate.CHANGE))
    assert all(MEASURES[name].bounds is None for name in gated(task, Gate.RATIO))


def test_the_gates_are_those_that_the_docs_promise() -> None:
    promised = {
        Task.CLASSIFICATION: ("consistency",),
        Task.DENSE: ("massc", "equivariance-error"),
        Task.EMBEDDING: ("cosine",),
        Task.DETECTION: ("flicker",),
    }
    assert {task: gated(task, Gate.CHANGE) for task in promised} == promised
    assert gated(Task.DETECTION, Gate.RATIO) == ("centre-jitter",)


def test_a_measure_of_another_version_is_judged_by_its_unit() -> None:
    measure = Measure("later", 0.5, None, "share", True, (0.5,))
    assert facts_of(measure).bounds == (0, 1)
    assert facts_of(replace(measure, unit="px")).bounds is None
    assert facts_of(replace(measure, unit="ratio")).largest_change == 2
    assert facts_of(replace(measure, name="consistency")) is MEASURES["consistency"]


@pytest.mark.parametrize("facts", MEASURES.values(), ids=lambda facts: facts.name)
def test_bounds_of_an_interval_are_bounds(facts: MeasureFacts) -> None:
    assert facts.interval_bounds in (None, facts.bounds)
