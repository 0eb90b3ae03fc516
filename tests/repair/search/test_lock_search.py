"""A grid lock in the search for the best rewrite: when it is tried, with what, and what it has to pass."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from auditor.facts.comparison import MeasuredChange
from auditor.onnxfile import read_model
from auditor.repair.result import Repaired
from auditor.repair.search.candidates import candidates, pairs
from auditor.repair.search.gain import Gain, Loss, Speed, Yardstick
from auditor.repair.search.search import Budget, CandidateVerdict, Search, search, with_tests
from auditor.repair.trials import NOISE, OBJECT, LockTest
from auditor.report.repair.outcome import feeding_lines
from auditor.report.repair.search import search_json, search_text
from auditor.rewrite.options import Rewriting
from auditor.rewrite.planning import rewrite
from auditor.rewrite.result import Camera, Options, Room, Step, Strategy
from auditor.rewrite.strategy import Candidate
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES
from tests.rewrite.test_grid_lock import network
from tests.verify.models import saved

LOCK = Candidate("grid-lock", (Step(Strategy.GRID_LOCK),), 1.1)


def averaging(name: str, cost: float) -> Candidate:
    return Candidate(name, (Step(Strategy.PHASE_AVERAGE, sites=(name,)),), cost)


def change(measure: str, base: float, new: float) -> MeasuredChange:
    facts, gap = MEASURES[measure], new - base
    span = Interval(gap - 0.001, gap + 0.001)
    return MeasuredChange(
        measure, ModelText("y"), facts.unit, facts.higher_is_better, base, new, gap, span, 64, protocol=""
    )


def gain(mac: float, j: float, time: float) -> Gain:
    """MAC and J as shares of the original's."""
    leading, variance = change("mac", 0.1, 0.1 * mac), change("j", 0.04, 0.04 * j)
    lost = Loss(Yardstick.LABELS, 0.0, Interval(-0.01, 0.01))
    return Gain((leading, variance), (leading,), None, lost, Speed(time, time - 0.01, time + 0.01, 12), ())


def searched(gains: dict[str, Gain], cost: float = 1.5) -> Search:
    offered = [Candidate(name, (Step(Strategy.GRID_LOCK),), cost) for name in gains]
    return search(offered, lambda candidate, *_: gains[candidate.name], Budget(), 40)


def named(found: Search) -> str | None:
    return None if found.best is None else found.best.candidate.name


def test_a_lock_is_a_candidate_where_the_camera_may_move(tmp_path: Path) -> None:
    model = read_model(saved(tmp_path / "model.onnx", network()))
    analysis = analyse(model)
    options = Options(camera=Camera.MOVING, period=8, margin=10)
    found = [one for one in candidates(model, analysis, lock=options) if one.name == "grid-lock"]
    assert [one.steps for one in found] == [(Step(Strategy.GRID_LOCK, options),)]
    assert "grid-lock" not in {one.name for one in candidates(model, analysis)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"strategy": "auto"}, Options()),
        ({"strategy": "auto", "camera": "moving", "room": "pad"}, Options(camera=Camera.MOVING, room=Room.PAD)),
        ({"strategy": "auto", "camera": "fixed"}, None),
        ({"strategy": "window-average", "merges": ("auto",)}, None),
    ],
)
def test_before_a_fixed_camera_and_among_windows_no_lock_is_tried(
    given: dict[str, object], expected: Options | None
) -> None:
    assert Rewriting(**given).lock_options() == expected


def test_a_lock_is_tried_with_the_best_averaging_which_is_done_first() -> None:
    (both,) = pairs([averaging("late", 1.2), LOCK, averaging("early", 1.3)])
    assert both.name == "grid-lock and late"
    assert [step.strategy for step in both.steps] == [Strategy.PHASE_AVERAGE, Strategy.GRID_LOCK]
    assert both.cost == pytest.approx(1.32)
    (other,) = pairs([averaging("late", 1.2), LOCK, averaging("early", 1.3)], lambda one: "late" not in one.name)
    assert other.name == "grid-lock and early"
    assert pairs([LOCK]) == pairs([averaging("late", 1.2)]) == pairs([both]) == ()


def test_of_two_gains_that_are_alike_the_cheaper_one_is_taken() -> None:
    assert named(searched({"dear": gain(0.8, 0.6, 1.9), "cheap": gain(0.8, 0.62, 1.2)})) == "cheap"
    assert named(searched({"dear": gain(0.8, 0.2, 1.9), "cheap": gain(0.8, 0.62, 1.2)})) == "dear"


def test_timid_scores_do_not_buy_the_choice() -> None:
    assert named(searched({"timid": gain(0.5, 1.0, 1.2), "steady": gain(0.8, 0.8, 1.2)})) == "steady"


def judge(*failing: str) -> tuple[LockTest, ...]:
    return tuple(
        LockTest(one.name, "beside the original", 0.0, 0.5 if one.name in failing else 0.0, 0.1, 40)
        for one in (NOISE, OBJECT)
    )


def test_a_best_lock_that_fails_its_tests_gives_way_to_the_next_best() -> None:
    found = searched({"third": gain(0.9, 0.9, 1.2), "first": gain(0.5, 0.3, 1.2), "second": gain(0.7, 0.6, 1.2)})
    asked: list[str] = []

    def tests(candidate: Candidate) -> tuple[LockTest, ...]:
        asked.append(candidate.name)
        return judge(NOISE.name) if candidate.name == "first" else judge()

    after = with_tests(found, tests)
    assert asked == ["first", "second"]
    assert named(after) == "second"
    trials = {trial.candidate.name: trial for trial in after.trials}
    assert trials["first"].verdict is CandidateVerdict.REFUSED
    assert NOISE.name in trials["first"].reason
    assert not trials["first"].frontier
    assert trials["third"].verdict is CandidateVerdict.WITHIN
    text = search_text("model.onnx", after)
    assert f"test {NOISE.name}" in text
    assert "refused" in text


def test_nothing_is_kept_where_every_candidate_fails_its_tests() -> None:
    after = with_tests(searched({"a": gain(0.5, 0.3, 1.2), "b": gain(0.7, 0.6, 1.2)}), lambda _: judge(OBJECT.name))
    assert named(after) is None
    assert {trial.verdict for trial in after.trials} == {CandidateVerdict.REFUSED}


def test_a_test_that_could_not_be_measured_is_not_passed() -> None:
    unknown = LockTest(NOISE.name, "added", math.nan, math.nan, 0.1, 2)
    assert named(with_tests(searched({"a": gain(0.5, 0.3, 1.2)}), lambda _: (unknown,))) is None


def test_what_passes_is_taken_with_its_tests() -> None:
    found = searched({"a": gain(0.5, 0.3, 1.2)})
    best = with_tests(found, lambda _: judge()).best
    assert best is not None
    assert best.tests == judge()
    assert with_tests(found, lambda _: ()) == found


def test_a_search_that_took_a_lock_says_what_pictures_the_new_model_takes(tmp_path: Path) -> None:
    model = read_model(saved(tmp_path / "model.onnx", network()))
    done = rewrite(model, analyse(model), Step(Strategy.GRID_LOCK, Options(period=8, margin=10)), tmp_path / "new.onnx")
    repaired = Repaired(done.path, (done,))
    (line,) = feeding_lines(repaired)
    assert line.startswith("input: feed ")
    found = searched({"a": gain(0.5, 0.3, 1.2)})
    assert json.loads(search_json("model.onnx", found, repaired, {}))["feeding"] == line.removeprefix("input: ")
    assert json.loads(search_json("model.onnx", found, Repaired(None, ()), {}))["feeding"] is None
    assert feeding_lines(Repaired(None, ())) == []
