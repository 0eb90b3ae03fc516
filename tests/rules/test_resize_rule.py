"""AA406 resize-aliases, from both sides of each threshold."""

from __future__ import annotations

import pytest

from auditor.audit.packs import load_builtin
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need
from auditor.resizing.kernels import code_lines
from auditor.resizing.result import (
    Estimate,
    Judgement,
    KernelRow,
    PictureFacts,
    ResizeComparison,
    ResizeVerdict,
)
from auditor.sampling.result import Analysis
from auditor.verify.interval import Interval
from auditor.verify.result import DataKind, Provider, Task

(RULE,) = (rule for rule in load_builtin().rules if rule.code == "AA406")
ANALYSIS = Analysis((), frozenset(), (), (), (), (), (), (), (), (), {}, 0, 0)


def between(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, Interval(low, high), 64)


def findings(
    changed: Estimate | None,
    loss: Estimate | None = None,
    excess: Estimate | None = None,
    *,
    low_pass: bool = False,
    deployed: str = "cv2-linear",
) -> list[Finding]:
    agreement = None
    if changed is not None:
        span = changed.interval
        turned = None if span is None else Interval(1 - span.high, 1 - span.low)
        agreement = Estimate(1 - changed.value, turned, changed.pictures)
    row = KernelRow("cv2-linear", low_pass, 0.01, agreement, None, None, None, loss, None, excess)
    found = ResizeComparison(
        "m.onnx",
        Task.CLASSIFICATION,
        "",
        PictureFacts(DataKind.FOLDER, (), (), (500, 600), (2.0, 3.0), ""),
        (224, 224),
        "cover",
        "",
        "",
        "cv2-area",
        deployed,
        0.95,
        (row,),
        Judgement(ResizeVerdict.UNDECIDED, 0.05),
        code_lines((224, 224), {}, deployed),
        (),
        Provider("cpu", "CPUExecutionProvider", (), (), "1", 1),
        (),
        1.0,
    )
    return list(RULE.check(Context(ANALYSIS, RULE.options, resize=found)))


@pytest.mark.parametrize(
    ("changed", "severity"),
    [((0.02, 0.3), None), ((0.049, 0.3), None), ((0.06, 0.3), Severity.WARNING), ((0.21, 0.5), Severity.ERROR)],
)
def test_the_severity_is_what_the_lower_end_of_the_changed_answers_holds(
    changed: tuple[float, float], severity: Severity | None
) -> None:
    assert [finding.severity for finding in findings(between(*changed))] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("loss", "severity"),
    [((0.0, 0.3), None), ((0.02, 0.3), None), ((0.03, 0.3), Severity.WARNING), ((0.11, 0.5), Severity.ERROR)],
)
def test_answers_that_stay_less_often_after_one_pixel_are_enough(
    loss: tuple[float, float], severity: Severity | None
) -> None:
    found = findings(between(0.0, 0.04), between(*loss))
    assert [finding.severity for finding in found] == ([severity] if severity else [])


def test_changes_that_two_filters_have_between_them_are_no_aliasing() -> None:
    assert findings(between(0.2, 0.3), excess=between(-0.05, 0.1)) == []
    assert len(findings(between(0.2, 0.3), excess=between(0.01, 0.1))) == 1


def test_a_kernel_that_filters_is_never_found() -> None:
    assert findings(between(0.5, 0.9), between(0.3, 0.5), low_pass=True) == []


def test_few_pictures_prove_nothing() -> None:
    assert findings(Estimate(1.0, None, 5), Estimate(1.0, None, 5)) == []


def test_nothing_is_found_where_no_kernel_is_named_or_nothing_was_compared() -> None:
    assert findings(between(0.5, 0.9), deployed="") == []
    assert list(RULE.check(Context(ANALYSIS, RULE.options))) == []
    assert RULE.needs == {Need.RESIZE}


def test_the_advice_is_the_line_of_the_users_own_library() -> None:
    (finding,) = findings(between(0.3, 0.5))
    assert "cv2.resize(img, (224, 224), interpolation=cv2.INTER_AREA)" in finding.advice
    assert finding.message.startswith("cv2-linear shrinks pictures without a low-pass: 40 % of the answers differ")
    assert finding.numbers["changed"] == 0.4
