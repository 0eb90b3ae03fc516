"""What the rules that judge the policy say, from facts written out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.audit.packs import load_builtin
from auditor.facts.finding import Finding, Severity
from auditor.facts.policy import Overrun, PolicyFacts, WaiverFact
from auditor.facts.rule import Context, Need
from tests.rules.test_rules import analysis

RULES = {rule.code: rule for rule in load_builtin().rules}
POLICY = ("AA503", "AA901", "AA902", "AA903")
WAIVER = WaiverFact(2, "AA101", "vision team", "2027-01-31", 3)


def check(code: str, **facts: Any) -> list[Finding]:
    rule = RULES[code]
    findings = list(rule.check(Context(analysis(), rule.options, policy=PolicyFacts(**facts))))
    for finding in findings:
        assert (finding.rule, finding.name, finding.node) == (rule.code, rule.name, None)
        assert finding.severity in rule.severities
        assert finding.message.endswith(".")
        assert finding.advice.endswith(".")
    return findings


@pytest.mark.parametrize("code", POLICY)
def test_a_policy_rule_runs_only_where_there_is_a_policy_and_is_silent_where_all_is_well(code: str) -> None:
    assert RULES[code].needs == {Need.POLICY}
    assert check(code) == []
    assert list(RULES[code].check(Context(analysis(), {}))) == []


def test_a_budget_that_is_exceeded_is_an_error_with_both_numbers() -> None:
    (finding,) = check("AA503", over=(Overrun("max-subsampling", 32.0, 64.0),))
    assert finding.severity is Severity.ERROR
    assert finding.message == "max-subsampling is 64 here, and the budget is 32."
    assert finding.numbers == {"budget": "max-subsampling", "limit": 32, "found": 64}
    (ratcheted,) = check("AA503", over=(Overrun("AA101", 1.0, 2.0, ratcheted=True),))
    assert "the ratchet of the baseline is 1" in ratcheted.message


def test_an_expired_waiver_is_an_error_that_says_whose_and_how_much_counts_again() -> None:
    (finding,) = check("AA901", expired=(WAIVER,))
    assert finding.severity is Severity.ERROR
    assert finding.message == (
        "Waiver number 2 (AA101), owned by vision team, expired after 2027-01-31, so 3 findings count again."
    )
    (one,) = check("AA901", expired=(WaiverFact(1, "AA101", "", "2027-01-31", 1),))
    assert one.message == "Waiver number 1 (AA101) expired after 2027-01-31, so 1 finding counts again."


@pytest.mark.parametrize(("strict", "severity"), [(False, Severity.WARNING), (True, Severity.ERROR)])
def test_an_unused_waiver_is_a_warning_and_an_error_where_the_run_is_strict(strict: bool, severity: Severity) -> None:
    (finding,) = check("AA902", unused=(WAIVER,), strict=strict)
    assert finding.severity is severity
    assert finding.message == "Waiver number 2 (AA101), owned by vision team, matches no finding."


@pytest.mark.parametrize(("strict", "severity"), [(False, Severity.NOTE), (True, Severity.ERROR)])
def test_stale_entries_are_counted_by_rule_in_one_finding(strict: bool, severity: Severity) -> None:
    (finding,) = check("AA903", stale={"AA102": 1, "AA101": 2}, strict=strict)
    assert finding.severity is severity
    assert finding.message == "3 entries of the baseline match no finding any more (2 of AA101, AA102)."
    assert check("AA903", stale={"AA101": 1})[0].message.startswith("1 entry of the baseline matches no finding")
