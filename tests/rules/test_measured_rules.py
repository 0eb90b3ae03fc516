"""What the rules about measured numbers say, with the measurement written out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.findings import Finding, NodeRef, Severity
from auditor.packs import load_builtin
from auditor.rule import Context, Need, OptionValue
from auditor.sampling.result import Analysis
from auditor.text import ModelText
from auditor.verify.measures import MEASURES
from auditor.verify.result import (
    DataFacts,
    DataKind,
    EquivarianceMap,
    Interval,
    LayerResult,
    Measure,
    OutputResult,
    ProtocolKind,
    Provider,
    Shifts,
    Task,
    Verification,
)

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


@pytest.mark.parametrize("code", ["AA401", "AA402", "AA403", "AA404", "AA405", "AA910"])
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


@pytest.mark.parametrize(("code", "name", "value"), [("AA401", "consistency", 0.1), ("AA404", "mac", 0.9)])
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


def test_a_crash_is_one_error() -> None:
    (finding,) = findings("AA910", None, "onnxruntime died with SIGFPE")
    assert finding.severity is ERROR
    assert "SIGFPE" in finding.message
