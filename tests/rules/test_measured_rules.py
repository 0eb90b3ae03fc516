"""What the rules about measured numbers say, with the measurement written out by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from msgspec.structs import replace

from auditor.audit.packs import load_builtin
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, OptionValue
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import Analysis
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.layers.maps import EquivarianceMap
from auditor.verify.layers.result import LayerResult
from auditor.verify.measures import MEASURES
from auditor.verify.result import (
    DataFacts,
    DataKind,
    ImageResult,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Shifts,
    Task,
    Verification,
)
from auditor.verify.verdict import Condition, Looks, Required, Verdict

RULES = {rule.code: rule for rule in load_builtin().rules}
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
ANALYSIS = Analysis((), frozenset(), (), (), (), (), (), (), (), (), {}, 0, 0)
HOSTILE = ModelText("\x1b[31m::error::")


def measurement(*measures: Measure, predictions: tuple[tuple[int, int], ...] = ()) -> Verification:
    output = OutputResult(HOSTILE, Task.CLASSIFICATION, measures, (), (), predictions)
    return Verification(
        Provider("cpu", "CPUExecutionProvider", (), (), "1", 1),
        DataFacts(DataKind.FOLDER, (), (), 0, ""),
        Shifts(ProtocolKind.CROP, (256, 256), (224, 224), 32, 16, 16, False, 0),
        (output,),
        (),
        None,
        "",
        "",
        1,
        1,
        1,
        1.0,
    )


def measure(name: str, value: float, width: float | None = 0.02) -> Measure:
    interval = None if width is None else Interval(value - width, value + width)
    return Measure(name, value, interval, MEASURES[name].unit, MEASURES[name].higher_is_better, (value,) * 3)


def layer(added: float) -> LayerResult:
    node = NodeRef(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 3)
    grid = EquivarianceMap((0,), (0,), ((1.0,),), ((0.0,),))
    return LayerResult(HOSTILE, node, 0, (2, 2), 0.9, 0.4, added, grid, None, None, None, None)


def findings(
    code: str, found: Verification | None, crash: str = "", options: dict[str, OptionValue] | None = None
) -> list[Finding]:
    rule = RULES[code]
    return list(rule.check(Context(ANALYSIS, {**rule.options, **(options or {})}, found, crash)))


@pytest.mark.parametrize(
    "code", ["AA401", "AA402", "AA403", "AA404", "AA405", "AA407", "AA408", "AA409", "AA410", "AA411", "AA910"]
)
def test_rules_about_measured_numbers_need_a_measurement_and_say_nothing_without(code: str) -> None:
    assert RULES[code].needs == {Need.MEASUREMENT}
    assert findings(code, None) == []


@pytest.mark.parametrize(
    ("code", "name", "value", "severity"),
    [
        ("AA401", "consistency", 0.70, ERROR),
        ("AA401", "consistency", 0.74, WARNING),  # the interval reaches over the threshold of errors
        ("AA401", "consistency", 0.89, None),
        ("AA401", "massc", 0.5, ERROR),
        ("AA403", "worst-case", 0.6, ERROR),
        ("AA403", "worst-case", 0.3, WARNING),
        ("AA403", "worst-case", 0.26, None),
        ("AA404", "mac", 0.2, ERROR),
        ("AA404", "mac", 0.1, WARNING),
        ("AA404", "mac", 0.06, None),
        ("AA407", "flicker", 0.4, ERROR),
        ("AA407", "flicker", 0.31, WARNING),
        ("AA407", "flicker", 0.11, None),
        ("AA408", "nme", 0.08, ERROR),
        ("AA408", "nme", 0.05, WARNING),
        ("AA408", "nme", 0.03, None),
        ("AA409", "text-changes", 0.2, ERROR),
        ("AA409", "text-changes", 0.1, WARNING),
        ("AA409", "text-changes", 0.06, None),
        ("AA410", "relative-change", 0.5, ERROR),
        ("AA410", "relative-change", 0.2, WARNING),
        ("AA410", "relative-change", 0.11, None),
    ],
)
def test_the_whole_interval_must_lie_beyond_the_threshold(
    code: str, name: str, value: float, severity: Severity | None
) -> None:
    found = findings(code, measurement(measure(name, value)))
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])
    if found:
        assert found[0].numbers[name] == value
        assert found[0].rule == code


@pytest.mark.parametrize(
    ("code", "name", "value"), [("AA401", "consistency", 0.1), ("AA404", "mac", 0.9), ("AA407", "flicker", 0.9)]
)
def test_too_few_images_for_an_interval_are_never_more_than_a_note(code: str, name: str, value: float) -> None:
    (finding,) = findings(code, measurement(measure(name, value, None)))
    assert finding.severity is NOTE
    assert "too few images" in finding.message


def test_thresholds_are_options() -> None:
    found = measurement(measure("consistency", 0.95))
    assert findings("AA401", found) == []
    assert findings("AA401", found, options={"warning": 0.99})[0].severity is WARNING
    assert findings("AA402", replace(found, layers=(layer(0.05),)), options={"note": 0.01})[0].severity is NOTE


def test_layers_that_add_error_are_found_where_they_are() -> None:
    found = replace(measurement(), layers=(layer(0.05), layer(0.15), layer(0.3), layer(float("nan"))))
    assert [finding.severity for finding in findings("AA402", found)] == [NOTE, WARNING]
    assert all(finding.node is not None and finding.node.order == 3 for finding in findings("AA402", found))


@pytest.mark.parametrize(
    ("predictions", "fires"),
    [(((3, 19), (1, 1)), True), (((3, 16), (1, 4)), False), (((3, 10),), False), ((), False)],
)
def test_the_same_class_for_nearly_all_of_enough_images_means_wrong_preprocessing(
    predictions: tuple[tuple[int, int], ...], fires: bool
) -> None:
    found = findings("AA405", measurement(predictions=predictions))
    assert [finding.severity for finding in found] == [ERROR] * fires


def answers(pairs: list[tuple[int | None, int]], classes: int, kind: DataKind = DataKind.FOLDER) -> Verification:
    """A measurement of these (label, answer) pairs by a model of so many classes."""
    images = tuple(ImageResult(HOSTILE, label, answer, 0.5, 0.0, (), None, None) for label, answer in pairs)
    counts = tuple(Counter(answer for _, answer in pairs).most_common())
    found = measurement()
    output = replace(found.outputs[0], images=images, predictions=counts, classes=classes)
    return replace(found, outputs=(output,), data=replace(found.data, kind=kind))


def test_few_answers_to_twenty_four_different_pictures_are_found() -> None:
    pairs: list[tuple[int | None, int]] = [(None, (5, 5, 9, 700)[i % 4]) for i in range(24)]
    (finding,) = findings("AA405", answers(pairs, 1000))
    assert finding.severity is WARNING
    assert "24 images get 3 classes only, the model knows 1000" in finding.message
    assert findings("AA405", answers(pairs, 1000, DataKind.BUILTIN)) == []


def test_answers_that_are_right_no_more_often_than_by_chance_are_found() -> None:
    (finding,) = findings("AA405", answers([(i, (5, 9, 700, 3)[i % 4]) for i in range(10, 34)], 1000))
    assert finding.severity is ERROR
    assert "0 of 24 labelled images" in finding.message


@pytest.mark.parametrize("classes", [2, 5, 10, 1000])
@pytest.mark.parametrize("images", [16, 24, 64, 256])
@pytest.mark.parametrize("accuracy", [0.6, 0.9])
def test_a_right_preset_is_left_alone_with_and_without_labels(classes: int, images: int, accuracy: float) -> None:
    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(50):
        labels = rng.integers(0, classes, images)
        guesses = np.where(rng.random(images) < accuracy, labels, rng.integers(0, classes, images))
        told = answers(list(zip(labels.tolist(), guesses.tolist(), strict=True)), classes)
        untold = answers([(None, int(guess)) for guess in guesses], classes)
        fired += bool(findings("AA405", told)) + bool(findings("AA405", untold))
    assert fired <= 1


@pytest.mark.parametrize("classes", [10, 100, 1000])
def test_shuffled_labels_are_found(classes: int) -> None:
    rng = np.random.default_rng(1)
    fired = 0
    for _ in range(50):
        labels, guesses = rng.integers(0, classes, (2, 32)).tolist()
        fired += bool(findings("AA405", answers(list(zip(labels, guesses, strict=True)), classes)))
    assert fired >= 40


def test_a_crash_is_one_error() -> None:
    (finding,) = findings("AA910", None, "onnxruntime died with SIGFPE")
    assert finding.severity is ERROR
    assert "SIGFPE" in finding.message


def asked(verdict: Verdict, inconclusive: str = "warn") -> Verification:
    condition = Condition("min", 0.9, verdict, 200, 400)
    looks = Looks((16, 32), 1, 0.025, 0.05)
    required = Required("consistency", "share", True, 0.8, 16, condition, looks, 0.95, inconclusive)
    return replace(measurement(measure("consistency", 0.8)), required=required)


def test_a_minimum_that_surely_does_not_hold_is_an_error_that_names_the_look() -> None:
    (finding,) = findings("AA411", asked(Verdict.FAIL))
    assert finding.severity is ERROR
    assert finding.message == "Consistency is 80 %, surely less than the 90 % asked, after 16 of at most 32 images."
    assert (finding.numbers["look"], finding.numbers["level"]) == (1, 0.025)


def test_a_minimum_that_holds_is_no_finding_and_an_open_one_is_what_was_asked_for() -> None:
    assert findings("AA411", asked(Verdict.PASS)) == []
    for inconclusive, severities in (("warn", [NOTE]), ("fail", [ERROR]), ("pass", [])):
        found = findings("AA411", asked(Verdict.INCONCLUSIVE, inconclusive))
        assert [one.severity for one in found] == severities
        assert all("undecided" in one.message and "About 200 to 400 images" in one.advice for one in found)
