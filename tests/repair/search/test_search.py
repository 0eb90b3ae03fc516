"""The search for the best rewrite, with measurements that are made up, so that every choice can be followed by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from onnx import helper

from auditor.demo import demo_model
from auditor.facts.comparison import MeasuredChange
from auditor.onnxfile import read_model
from auditor.repair.search.candidates import Restriction, candidates, pairs
from auditor.repair.search.gain import Gain, Loss, Speed, Yardstick
from auditor.repair.search.search import Budget, CandidateVerdict, Search, Stage, Trial, rounds, search
from auditor.rewrite.result import Kernel, Options, Refit, RewriteError, Step, Strategy
from auditor.rewrite.strategy import Candidate
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES
from tests.verify.models import model as network
from tests.verify.models import saved


@dataclass(frozen=True)
class Truth:
    """What a candidate is worth: gain of consistency and loss of accuracy as shares, and its time."""

    gain: float
    loss: float = 0.0
    time: float = 1.5
    doubt: float = 0.005
    fault: str = ""


@dataclass
class Bench:
    """Measures without a model, and keeps account of what it was asked for."""

    truths: Mapping[str, Truth]
    asked: list[tuple[str, int, bool]] = field(default_factory=list)

    def __call__(self, candidate: Candidate, images: int, timed: bool) -> Gain:
        self.asked.append((candidate.name, images, timed))
        truth = self.truths[candidate.name]
        if truth.fault:
            raise RewriteError(truth.fault)
        lost = Interval(truth.loss - truth.doubt, truth.loss + truth.doubt)
        moved = change("consistency", truth.gain, truth.doubt)
        speed = Speed(truth.time, truth.time - 0.1, truth.time + 0.1, 12) if timed else None
        return Gain((moved,), (moved,), None, Loss(Yardstick.LABELS, truth.loss, lost), speed, ())


def change(measure: str, difference: float, doubt: float) -> MeasuredChange:
    span = Interval(difference - doubt, difference + doubt)
    return MeasuredChange(
        measure, ModelText("logits"), "share", measure != "mac", 0.9, 0.9 + difference, difference, span, 64
    )


def found(
    truths: Mapping[str, Truth],
    images: int = 200,
    costs: Mapping[str, float | None] | None = None,
    budget: Budget | None = None,
) -> tuple[Search, Bench]:
    bench = Bench(truths)
    offered = [Candidate(name, (Step(Strategy.BLUR),), (costs or {}).get(name, 1.5)) for name in truths]
    return search(offered, bench, budget or Budget(), images), bench


def verdicts(result: Search) -> dict[str, CandidateVerdict]:
    return {trial.candidate.name: trial.verdict for trial in result.trials}


def best(result: Search) -> Trial:
    assert result.best is not None
    return result.best


def test_the_candidate_that_gains_most_within_the_budget_is_chosen() -> None:
    result, _ = found({"little": Truth(0.01), "much": Truth(0.04), "too dear": Truth(0.09, time=2.5)})
    assert best(result).candidate.name == "much"
    assert verdicts(result) == {
        "little": CandidateVerdict.WITHIN,
        "much": CandidateVerdict.BEST,
        "too dear": CandidateVerdict.TOO_COSTLY,
    }


def test_what_is_far_too_costly_by_prediction_is_never_run() -> None:
    result, bench = found({"dear": Truth(0.5), "cheap": Truth(0.02)}, costs={"dear": 2.6})
    assert verdicts(result)["dear"] is CandidateVerdict.TOO_COSTLY
    assert {name for name, _, _ in bench.asked} == {"cheap"}


def test_what_is_a_little_too_costly_by_prediction_may_take_less_time() -> None:
    truths = {"less": Truth(0.05, time=1.95), "more": Truth(0.06, time=2.05), "cheap": Truth(0.02)}
    result, _ = found(truths, costs={"less": 2.3, "more": 2.3})
    assert best(result).candidate.name == "less"
    assert verdicts(result)["more"] is CandidateVerdict.TOO_COSTLY


def test_a_cost_that_nobody_can_predict_is_left_to_the_clock() -> None:
    result, _ = found({"unknown": Truth(0.02, time=1.9)}, costs={"unknown": None})
    assert best(result).candidate.name == "unknown"


def test_a_time_that_may_lie_within_the_budget_is_not_held_against_a_candidate() -> None:
    assert found({"twice": Truth(0.02, time=2.05)})[0].best is not None
    assert found({"more": Truth(0.02, time=2.15)})[0].best is None


@pytest.mark.parametrize("harm", [Truth(-0.04), Truth(0.0), Truth(0.004), Truth(0.2, loss=0.006)])
def test_nothing_helps_where_nothing_surely_gains_or_answers_are_lost(harm: Truth) -> None:
    assert found({"harm": harm})[0].best is None


def test_a_loss_of_exactly_the_allowed_drop_is_allowed() -> None:
    assert found({"edge": Truth(0.02, loss=0.005)})[0].best is not None


def test_few_images_come_first_and_only_the_better_half_sees_them_all() -> None:
    truths = {f"{number}": Truth(0.01 * (number + 1)) for number in range(8)}
    result, bench = found(truths, images=384)
    assert rounds(384) == (24, 96, 384)
    asked = {size: [name for name, images, _ in bench.asked if images == size] for size in rounds(384)}
    assert [len(asked[size]) for size in (24, 96, 384)] == [8, 4, 3]
    assert sorted(asked[384]) == ["5", "6", "7"]
    assert best(result).candidate.name == "7"
    assert all(timed == (images == 384) for _, images, timed in bench.asked)
    assert verdicts(result)["0"] is CandidateVerdict.BEHIND


def test_one_round_is_enough_where_there_are_few_images() -> None:
    assert rounds(8) == (8,)
    assert rounds(95) == (95,)
    assert rounds(96) == (24, 96)


def test_a_candidate_that_fails_is_listed_with_its_reason_and_costs_the_others_nothing() -> None:
    result, _ = found({"broken": Truth(0, fault="no such thing"), "sound": Truth(0.02)})
    assert best(result).candidate.name == "sound"
    assert [trial.reason for trial in result.trials] == ["no such thing", ""]


def test_the_frontier_holds_what_is_neither_dearer_nor_worse_than_another() -> None:
    truths = {
        "cheap": Truth(0.01, time=1.1),
        "dominated": Truth(0.01, time=1.4),
        "strong": Truth(0.05, time=1.8),
    }
    result, _ = found(truths, images=40)
    assert [trial.candidate.name for trial in result.trials if trial.frontier] == ["cheap", "strong"]


def test_the_same_measurements_give_the_same_choice() -> None:
    truths = {f"{number}": Truth(0.02) for number in range(6)}
    assert found(truths)[0] == found(truths)[0]
    assert best(found(truths)[0]).candidate.name == "0"


def test_every_measurement_is_announced_before_it_begins() -> None:
    stages: list[Stage] = []
    bench = Bench({f"{number}": Truth(0.01 * (number + 1)) for number in range(4)})
    offered = [Candidate(name, (Step(Strategy.BLUR),), 1.5) for name in bench.truths]
    search(offered, bench, Budget(), 96, stages.append)
    assert [(one.round, one.place, one.candidate.name) for one in stages] == [
        *((1, number + 1, f"{number}") for number in range(4)),
        *((2, number, f"{number}") for number in (1, 2, 3)),
    ]
    assert {(one.rounds, one.of) for one in stages} == {(2, 4), (2, 3)}


@pytest.mark.parametrize("measure", ["massc", "equivariance-error", "cosine", "flicker"])
def test_other_tasks_gain_in_their_own_measures_whether_high_or_low_is_good(measure: str) -> None:
    good = 0.03 if MEASURES[measure].higher_is_better else -0.03

    def measured(candidate: Candidate, images: int, timed: bool) -> Gain:
        share = {"worse": -1, "better": 2, "little": 1}[candidate.name]
        moved = replace(change(measure, share * good, 0.005), higher_is_better=MEASURES[measure].higher_is_better)
        lost = Loss(Yardstick.COSINE, -0.01, Interval(-0.02, 0.0))
        return Gain((moved,), (moved,), None, lost, Speed(1.5, 1.4, 1.6, 12) if timed else None, ())

    offered = [Candidate(name, (Step(Strategy.BLUR),), 1.5) for name in ("worse", "little", "better")]
    result = search(offered, measured, Budget(), 40)
    assert best(result).candidate.name == "better"
    assert verdicts(result)["worse"] is CandidateVerdict.NO_GAIN


def test_the_candidates_of_a_residual_network_are_places_and_not_the_branches_of_one() -> None:
    model = read_model(demo_model())
    analysis = analyse(model)
    offered = {one.name: one for one in candidates(model, analysis, most_cost=1.5)}
    assert set(offered) == {
        "phase-average at the last site",
        "phase-average one site earlier",
        "phase-average at the last two sites",
        "input-average",
        "input-average and phase-average at the last site",
        "window from the input, x1.28",
        "window from site 1 of 5, x1.17",
    }
    (earlier,) = offered["phase-average one site earlier"].steps
    assert earlier.sites[0].startswith("/layer1/")
    costs = [one.cost for one in offered.values()]
    assert costs == sorted(costs, key=lambda cost: cost or 0)
    assert offered["input-average"].cost == pytest.approx(2)


def test_a_search_for_windows_alone_keeps_to_the_sites_that_are_named() -> None:
    model = read_model(demo_model())
    analysis = analyse(model)
    every, one = (
        candidates(model, analysis, most_cost=2.0, only=Restriction(Strategy.WINDOW_AVERAGE, names))
        for names in ((), ("/maxpool/MaxPool",))
    )
    assert {step.options.merges != () for found in every for step in found.steps} == {True}
    assert {step.sites for found in one for step in found.steps} == {("/maxpool/MaxPool",)}
    assert len(one) < len(every)
    with pytest.raises(RewriteError, match='no sampling site is called "nowhere"'):
        candidates(model, analysis, only=Restriction(Strategy.WINDOW_AVERAGE, ("nowhere",)))


def test_the_best_windows_from_two_starts_are_tried_together_after_the_first_round() -> None:
    def window(name: str, site: str, merge: str) -> Candidate:
        step = Step(Strategy.WINDOW_AVERAGE, Options(merges=(merge,)), (site,))
        return Candidate(f"window from {name}", (step,), 1.2)

    offered = [window("a", "a", "x"), window("a further", "a", "y"), window("b", "b", "z"), Candidate("blur", (), 1.2)]
    truths = {
        "window from a": Truth(0.05),
        "window from a further": Truth(0.04),
        "window from b": Truth(0.03),
        "blur": Truth(0.06),
        "window from a and from b": Truth(0.09),
    }
    for images in (40, 200):
        bench = Bench(truths)
        result = search(offered, bench, Budget(), images, grown=pairs)
        assert best(result).candidate.name == "window from a and from b"
        assert best(result).candidate.cost == pytest.approx(1.4)
        (step,) = best(result).candidate.steps
        assert (step.sites, step.options.merges) == (("a", "b"), ("x", "z"))
        first = [name for name, size, _ in bench.asked if size == rounds(images)[0]]
        assert first == [*truths]


def test_no_pair_is_made_of_windows_from_one_start_nor_of_other_rewrites() -> None:
    step = Step(Strategy.WINDOW_AVERAGE, Options(merges=("x",)), ("a",))
    single = Candidate("window", (step,), 1.2)
    assert pairs([Candidate("phases", (Step(Strategy.PHASE_AVERAGE),), 1.2)]) == ()
    assert list(pairs([single, Candidate("other", (step,), 1.3)])) == []


def test_blur_is_only_a_candidate_where_it_can_be_calibrated() -> None:
    model = read_model(demo_model())
    offered = candidates(model, analyse(model), refit=Refit.ALL)
    blurs = [step for one in offered for step in one.steps if step.strategy is Strategy.BLUR]
    assert {(step.options.kernel, step.options.blend, bool(step.sites)) for step in blurs} == {
        *((Kernel.TRI3, blend, at_the_last) for blend in (0.5, 1.0) for at_the_last in (True, False)),
        *((Kernel.BIN5, blend, True) for blend in (0.5, 1.0)),
    }
    assert all(step.calibrated and step.options.refit is Refit.ALL for step in blurs)
    (both,) = (
        one for one in offered if [step.strategy for step in one.steps] == [Strategy.BLUR, Strategy.PHASE_AVERAGE]
    )
    assert both.name == "calibrated blur at every site and phase-average at the last site"
    assert len(offered) <= 16
    assert len({one.name for one in offered}) == len(offered)


def test_sites_further_in_front_are_candidates_only_where_they_are_predicted_to_be_cheap_enough() -> None:
    model = read_model(demo_model())
    analysis = analyse(model)
    few, many = (candidates(model, analysis, most_cost=cost) for cost in (1.5, 2.0))
    (further,) = {one.name for one in many} - {one.name for one in few}
    assert further == "phase-average two sites earlier"
    assert all((one.cost or 0) <= 2.0 for one in many if one.name == further)
    assert all((one.cost or 0) <= 1.5 for one in few if one.name.startswith("window"))


def test_an_output_that_is_still_a_grid_takes_a_blur_without_calibration_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights = {f"w{number}": random.normal(size=(4, 4, 3, 3)).astype(np.float32) for number in range(2)}
    wide: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["a"], "first", **wide),
        helper.make_node("Conv", ["a", "w1"], ["y"], "second", **wide),
    ]
    made = network(nodes, {"x": [1, 4, 32, 32]}, {"y": [1, 4, 8, 8]}, weights)
    model = read_model(saved(tmp_path / "dense.onnx", made))
    offered = candidates(model, analyse(model))
    blurs = [step for one in offered for step in one.steps if step.strategy is Strategy.BLUR]
    assert [(step.sites, step.options.blend) for step in blurs].count((("second",), 1.0)) == 1
    assert ((), 1.0) not in [(step.sites, step.options.blend) for step in blurs]
