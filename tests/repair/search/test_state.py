"""What a search has measured is kept: an interrupted one goes on without measuring anything twice."""

from __future__ import annotations

import contextlib
import json
import math
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.facts.comparison import MeasuredChange, TypicalRatio
from auditor.repair.search.gain import Agreement, Gain, Loss, Speed, Yardstick
from auditor.repair.search.search import Budget, Search, search
from auditor.repair.search.state import Identity, Memory, StateError
from auditor.rewrite.result import RewriteError, Step, Strategy
from auditor.rewrite.strategy import Candidate
from auditor.text import ModelText
from auditor.verify.errors import WorkerCrashedError
from auditor.verify.interval import Interval
from auditor.verify.measures import MEASURES
from tests.repair.search.test_search import Bench, Truth

IDENTITY = Identity("model", "pictures", "options", "1")
TRUTHS = {f"{number}": Truth(0.01 * (number + 1)) for number in range(6)}
OFFERED = [Candidate(name, (Step(Strategy.BLUR, sites=(name,)),), 1.5) for name in TRUTHS]


@dataclass
class Interrupted:
    """Measures like the bench behind it until it is interrupted."""

    bench: Bench
    after: int

    def __call__(self, candidate: Candidate, images: int, timed: bool) -> Gain:
        if len(self.bench.asked) == self.after:
            raise KeyboardInterrupt
        return self.bench(candidate, images, timed)


@dataclass
class File:
    """Holds the newest document, as a file does."""

    text: str | None = None
    written: int = field(default=0)

    def keep(self, text: str) -> None:
        self.text = text
        self.written += 1


def memory(measure: Bench | Interrupted, file: File, identity: Identity = IDENTITY, calibration: str = "") -> Memory:
    return Memory(measure, identity, calibration, file.keep, file.text)


def found(measure: Memory | Bench, budget: Budget | None = None) -> Search:
    return search(OFFERED, measure, budget or Budget(), 384)


@pytest.mark.parametrize("after", [0, 1, 5, 9])
def test_an_interrupted_search_goes_on_and_measures_nothing_twice(after: int) -> None:
    file, first, second, whole = File(), Bench(TRUTHS), Bench(TRUTHS), Bench(TRUTHS)
    with pytest.raises(KeyboardInterrupt):
        found(memory(Interrupted(first, after), file))
    resumed = found(memory(second, file))
    assert resumed == found(whole)
    assert len(first.asked) == after
    assert first.asked + second.asked == whole.asked
    third = Bench(TRUTHS)
    assert found(memory(third, file)) == resumed
    assert third.asked == []


def test_the_document_is_kept_after_every_measurement() -> None:
    file, bench = File(), Bench(TRUTHS)
    found(memory(bench, file))
    assert file.written == len(bench.asked) + 1


def test_another_budget_chooses_among_the_same_measurements() -> None:
    file = File()
    first = found(memory(Bench(TRUTHS), file))
    bench = Bench(TRUTHS)
    tight = found(memory(bench, file), Budget(cost=1.2))
    assert first.best is not None
    assert tight.best is None
    assert bench.asked == []


def test_a_refusal_is_remembered_and_a_crash_is_tried_again() -> None:
    file, bench = File(), Bench({"broken": Truth(0, fault="no such thing")})
    broken = Candidate("broken", (Step(Strategy.BLUR),), None)
    for _ in range(2):
        with pytest.raises(RewriteError, match="no such thing"):
            memory(bench, file)(broken, 8, True)
    assert len(bench.asked) == 1

    calls = []

    def crashing(candidate: Candidate, images: int, timed: bool) -> Gain:
        calls.append((candidate, images, timed))
        raise WorkerCrashedError("the process died")

    for _ in range(2):
        with pytest.raises(WorkerCrashedError):
            Memory(crashing, IDENTITY, "", file.keep, file.text)(OFFERED[0], 8, True)
    assert len(calls) == 2


def test_other_calibration_pictures_are_another_measurement_of_calibrated_candidates_only() -> None:
    fitted = Candidate("fitted", (Step(Strategy.BLUR, calibrated=True),), None)
    plain = Candidate("plain", (Step(Strategy.BLUR),), None)
    bench, file = Bench({"fitted": Truth(0.01), "plain": Truth(0.01)}), File()
    for calibration in ("these", "these", "those"):
        measure = memory(bench, file, calibration=calibration)
        for candidate in (fitted, plain):
            measure(candidate, 8, True)
    assert [name for name, _, _ in bench.asked] == ["fitted", "plain", "fitted"]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Identity("x", "pictures", "options", "1"), "another model"),
        (Identity("model", "x", "options", "1"), "another set of pictures"),
        (Identity("model", "pictures", "x", "1"), "another set of options"),
        (Identity("model", "pictures", "options", "x"), "another version"),
    ],
)
def test_the_document_of_another_search_is_refused(other: Identity, words: str) -> None:
    file = File()
    found(memory(Bench(TRUTHS), file))
    with pytest.raises(StateError, match=words):
        memory(Bench(TRUTHS), file, other)


numbers = st.floats(-2, 2)
spans = st.none() | st.builds(Interval, numbers, numbers, st.just(0.95))
changes = st.builds(
    lambda measure, output, base, new, span, images, ratio, unseen: MeasuredChange(
        measure,
        ModelText(output),
        MEASURES[measure].unit,
        MEASURES[measure].higher_is_better,
        base,
        new,
        new - base,
        span,
        images,
        ratio=ratio,
        unseen=unseen,
    ),
    st.sampled_from(sorted(MEASURES)),
    st.text(),
    numbers,
    numbers,
    spans,
    st.integers(0, 1000),
    st.none() | st.builds(TypicalRatio, numbers, spans, numbers, numbers),
    st.none() | st.floats(0, 1),
)
gains = st.builds(
    lambda several, count, agreement, loss, speed: Gain(
        tuple(several), tuple(several[:count]), agreement, loss, speed, ("3 images could be used",)
    ),
    st.lists(changes, max_size=4, unique_by=lambda one: one.measure),
    st.integers(0, 4),
    st.none() | st.builds(Agreement, st.sampled_from(Yardstick), numbers, spans),
    st.none() | st.builds(Loss, st.sampled_from(Yardstick), numbers, spans),
    st.none() | st.builds(Speed, numbers, numbers, numbers, st.integers(1, 20)),
)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(gains)
def test_every_gain_comes_back_as_it_was(gain: Gain) -> None:
    file = File()
    Memory(lambda *_: gain, IDENTITY, "", file.keep)(OFFERED[0], 8, True)
    assert memory(Bench({}), file)(OFFERED[0], 8, True) == gain


def test_what_is_not_defined_stays_so() -> None:
    change = MeasuredChange("flicker", ModelText("boxes"), "share", False, math.nan, math.nan, math.nan, None, 0)
    file = File()
    Memory(lambda *_: Gain((change,), (change,), None, None, None, ()), IDENTITY, "", file.keep)(OFFERED[0], 8, True)
    back = memory(Bench({}), file)(OFFERED[0], 8, True)
    assert math.isnan(back.changes[0].difference)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", "\0", "1" * 5000, "[" * 100_000, '{"schema": "aliasaudit/1"}']
)
def test_what_is_no_such_document_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(StateError) as caught:
        memory(Bench({}), File(text))
    assert "\n" not in str(caught.value)


def document() -> str:
    file = File()
    found(memory(Bench(TRUTHS), file))
    assert file.text is not None
    return file.text


WHOLE = document()
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just([]), st.just({}), st.just(10**400)
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_document_is_refused_or_read_but_never_a_crash(data: st.DataObject) -> None:
    broken = json.loads(WHOLE)
    place: Any = broken
    key: Any = "trials"
    for _ in range(data.draw(st.integers(0, 6))):
        below = place[key]
        if isinstance(below, dict) and below:
            place, key = below, data.draw(st.sampled_from(sorted(below)))
        elif isinstance(below, list) and below:
            place, key = below, data.draw(st.integers(0, len(below) - 1))
    place[key] = data.draw(JUNK)
    with contextlib.suppress(StateError):
        assert len(memory(Bench(TRUTHS), File(json.dumps(broken)))) <= len(json.loads(WHOLE)["trials"])


OLD = """{
 "schema": "aliasaudit-search/1", "model": "model", "pictures": "pictures", "options": "options", "version": "1",
 "trials": [
  {"candidate": "%s", "images": 8, "timed": true, "gain": {
   "changes": [{"measure": "consistency", "output": "y", "base": 0.5, "new": 0.625, "difference": 0.125,
                "interval": [0.1, 0.15, 0.95], "images": 8},
               {"measure": "mac", "output": "y", "base": null, "new": 0.1, "difference": null,
                "interval": null, "images": 8}],
   "leading": ["consistency"], "agreement": ["agreement", 0.9, null], "loss": ["accuracy", 0.01, [0, 0.02, 0.95]],
   "speed": [1.5, 1.4, 1.6, 12], "remarks": ["8 images"]}},
  {"candidate": "other", "images": 8, "timed": false, "failed": "no site"}
 ]
}"""


def recorded() -> str:
    """A document as every version has written it."""
    file = File()
    memory(Bench(TRUTHS), file)(OFFERED[0], 8, True)
    assert file.text is not None
    candidate: str = json.loads(file.text)["trials"][0]["candidate"]
    return OLD % candidate


def test_a_document_of_an_older_version_is_read_and_written_as_it_was() -> None:
    file = File(recorded())
    gain = memory(Bench({}), file)(OFFERED[0], 8, True)
    assert gain.leading == gain.changes[:1]
    assert (gain.changes[0].difference, gain.changes[0].interval) == (0.125, Interval(0.1, 0.15, 0.95))
    assert math.isnan(gain.changes[1].base)
    assert gain.loss == Loss(Yardstick.LABELS, 0.01, Interval(0, 0.02, 0.95))
    assert gain.speed == Speed(1.5, 1.4, 1.6, 12)
    assert file.text is not None
    assert json.loads(file.text) == json.loads(recorded())


@pytest.mark.parametrize(
    ("sound", "broken", "place"),
    [
        ('"images": 8, "timed"', '"images": "8", "timed"', r"\$\.trials\[0\]\.images"),
        ('"new": 0.625', '"new": "much"', r"\$\.trials\[0\]\.gain\.changes\[0\]\.new"),
        ('"measure": "mac"', '"measure": "taste"', r"\$\.trials\[0\]\.gain\.changes\[1\]"),
        ('["accuracy"', '["beauty"', r"\$\.trials\[0\]\.gain\.loss\[0\]"),
        ('"failed": "no site"', '"remark": "no site"', r"\$\.trials\[1\]"),
    ],
)
def test_what_is_damaged_is_named_with_its_place(sound: str, broken: str, place: str) -> None:
    text = recorded()
    assert sound in text
    with pytest.raises(StateError, match=f"is damaged: {place}"):
        memory(Bench({}), File(text.replace(sound, broken)))
