"""What the rules that read a comparison say, from comparisons written out by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from auditor.audit.packs import load_builtin
from auditor.facts.comparison import Comparison, MeasuredChange, OutputChange, TypicalRatio
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need
from auditor.sampling.result import Site, SiteKind
from auditor.text import ModelText
from auditor.verify.interval import Interval
from auditor.verify.verdict import Condition, Verdict
from tests.rules.test_rules import analysis, site

RULES = {rule.code: rule for rule in load_builtin().rules}


def check(code: str, comparison: Comparison | None) -> list[Finding]:
    rule = RULES[code]
    findings = list(rule.check(Context(analysis(), rule.options, comparison=comparison)))
    for finding in findings:
        assert (finding.rule, finding.name) == (rule.code, rule.name)
        assert finding.severity in rule.severities
        assert finding.message.endswith(".")
        assert finding.advice.endswith(".")
    return findings


def measured(verdict: Verdict, needed: int | None = None, inconclusive: str = "warn") -> Comparison:
    change = MeasuredChange(
        measure="consistency",
        output=ModelText("y"),
        unit="share",
        higher_is_better=True,
        base=0.912,
        new=0.889,
        difference=-0.023,
        interval=Interval(-0.031, -0.015, 0.9),
        images=256,
        conditions=(Condition("max-absolute-drop", 0.005, verdict, needed, needed and 2 * needed),),
    )
    return Comparison("base.onnx", measured=(change,), inconclusive=inconclusive)


def test_rules_of_a_comparison_need_one_and_are_silent_where_nothing_got_worse() -> None:
    assert RULES["AA501"].needs == RULES["AA506"].needs == {Need.COMPARISON, Need.MEASUREMENT}
    assert RULES["AA502"].needs == {Need.COMPARISON}
    for code in ("AA501", "AA502", "AA506"):
        assert check(code, None) == []
        assert check(code, Comparison("base.onnx")) == []
    assert check("AA501", measured(Verdict.PASS)) == check("AA506", measured(Verdict.PASS)) == []
    assert check("AA506", measured(Verdict.FAIL)) == []


def test_a_broken_threshold_is_an_error_with_both_values_the_interval_and_the_threshold() -> None:
    (finding,) = check("AA501", measured(Verdict.FAIL))
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "Consistency went from 91.2 % to 88.9 % on the same 256 images and shifts, which breaks max-absolute-drop"
        " 0.5 points (difference -3.10 points to -1.50 points, 90 % interval)."
    )
    assert (finding.numbers["base"], finding.numbers["new"], finding.numbers["verdict"]) == (0.912, 0.889, "fail")


@pytest.mark.parametrize(("meaning", "severity"), [("fail", Severity.ERROR), ("warn", Severity.NOTE)])
def test_an_open_question_weighs_what_the_settings_say_and_tells_how_many_images_would_answer_it(
    meaning: str, severity: Severity
) -> None:
    assert check("AA501", measured(Verdict.INCONCLUSIVE, 900, meaning)) == []  # it is no regression
    (finding,) = check("AA506", measured(Verdict.INCONCLUSIVE, 900, meaning))
    assert finding.severity is severity
    assert finding.advice == (
        "About 900 to 1800 images would decide it if the difference stays as it is (95 % confidence): --images,"
        " --images-limit."
    )
    (endless,) = check("AA506", measured(Verdict.INCONCLUSIVE, None, meaning))
    assert "to tell with a practical number of images" in endless.advice


def test_an_open_question_may_be_let_pass() -> None:
    assert check("AA506", measured(Verdict.INCONCLUSIVE, 900, "pass")) == []


def test_jitter_that_rose_is_told_by_the_ratio_of_the_typical_image() -> None:
    change = MeasuredChange(
        measure="centre-jitter",
        output=ModelText("boxes"),
        unit="px",
        higher_is_better=False,
        base=2.0,
        new=2.6,
        difference=0.6,
        interval=None,
        images=256,
        conditions=(Condition("max-jitter-rise", 0.1, Verdict.FAIL),),
        ratio=TypicalRatio(1.3, Interval(1.2, 1.4, 0.9), 9.0, 11.0),
    )
    (finding,) = check("AA501", Comparison("base.onnx", measured=(change,)))
    assert finding.message == (
        "Centre-jitter went from 2 to 2.6 on the same 256 images and shifts, which breaks max-jitter-rise 10 %"
        " (typical image x1.30, 1.20 to 1.40 at 90 %)."
    )
    assert (finding.numbers["typical_ratio"], finding.numbers["low"], finding.numbers["high"]) == (1.3, 1.2, 1.4)


def with_site(one: Site, before: int, after: int) -> Comparison:
    output = OutputChange(ModelText("y"), ModelText("y"), Fraction(before), Fraction(after))
    return Comparison("base.onnx", new_sites=(one,), outputs=(output,))


def test_a_new_site_is_an_error_where_the_total_rose_a_warning_else_and_a_note_behind_a_low_pass() -> None:
    aliased, blurred = site(SiteKind.CONV, 0.5), site(SiteKind.CONV, 0.1, antialiased=True, reason="blur")
    (error,) = check("AA502", with_site(aliased, 16, 32))
    assert error.severity is Severity.ERROR
    assert "the cumulative factor rose to 32" in error.message
    assert check("AA502", with_site(aliased, 16, 16))[0].severity is Severity.WARNING
    assert check("AA502", with_site(blurred, 16, 32))[0].severity is Severity.NOTE
