from __future__ import annotations

from fractions import Fraction
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from auditor.facts.finding import Finding, Severity
from auditor.facts.policy import Overrun
from auditor.facts.rule import Rule
from auditor.policy.budgets import budgets_schema, check_budgets, counted, overruns, read_budgets
from auditor.policy.errors import SettingsError
from auditor.sampling.result import WorstAlias

RULES = {
    code: Rule(code, name, "", (Severity.ERROR,), lambda _: ())
    for code, name in (("AA101", "strided-max-pool"), ("AA102", "strided-conv"), ("AA201", "cumulative"))
}
TABLE: dict[str, Any] = {
    "AA101": 2,
    "AA2*": 0,
    "max-subsampling": 32,
    "max-alias-energy": 0.25,
    "ratchet": True,
    "models/seg*.onnx": {"AA101": 5},
}


def findings(*codes: str) -> list[Finding]:
    return [Finding(code, RULES[code].name, Severity.ERROR, "m") for code in codes]


def test_budgets_are_read_with_tables_for_single_models() -> None:
    budgets = read_budgets(TABLE)
    assert budgets.ratchet
    assert budgets.of("net.onnx") == {"AA101": 2, "AA2*": 0, "max-subsampling": 32, "max-alias-energy": 0.25}
    assert budgets.of("models/seg1.onnx") == {"AA101": 5, "AA2*": 0, "max-subsampling": 32, "max-alias-energy": 0.25}
    jsonschema.validate(TABLE, budgets_schema())


@pytest.mark.parametrize(
    "change",
    [
        {"AA101": -1},
        {"AA101": 1.5},
        {"AA101": True},
        {"AA101": "2"},
        {"ratchet": 1},
        {"max-subsampling": "x"},
        {"max-alias-energy": 25},
        {"max-alias-energy": -0.1},
        {"max-alias-energy": float("nan")},
    ],
)
def test_a_budget_that_is_no_bound_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="needs"):
        read_budgets({**TABLE, **change})


def test_a_budget_of_an_unknown_rule_is_an_error_with_a_suggestion() -> None:
    check_budgets(read_budgets({"AA1*": 1, "strided-conv": 1, "*": 9}), [*RULES.values()], "x")
    for table in ({"AA110": 1}, {"m.onnx": {"AA110": 1}}):
        with pytest.raises(SettingsError, match='no rule is called "AA110"'):
            check_budgets(read_budgets(table), [*RULES.values()], "x")


def test_findings_are_counted_by_code_name_prefix_and_all() -> None:
    found = findings("AA101", "AA102", "AA102", "AA201")
    names = ["AA101", "strided-conv", "AA1*", "AA1", "*", "max-subsampling"]
    counts = counted(names, found, Fraction(64), RULES)
    assert counts == {"AA101": 1, "strided-conv": 2, "AA1*": 3, "AA1": 3, "*": 4, "max-subsampling": 64}
    assert "max-subsampling" not in counted(names, found, None, RULES)


def test_the_alias_energy_counts_as_findings_say_it_where_it_is_known() -> None:
    for alias in (WorstAlias(0.2999999, True), WorstAlias(0.3, False)):
        assert counted(["max-alias-energy"], [], None, RULES, alias) == {"max-alias-energy": 0.3}
    assert counted(["max-alias-energy"], [], None, RULES) == {}
    assert overruns({"max-alias-energy": 0.3}, {"max-alias-energy": 0.3}, {}) == ()
    assert len(overruns({"max-alias-energy": 0.29}, {"max-alias-energy": 0.3}, {})) == 1


def test_a_budget_is_over_only_above_its_limit_and_the_ratchet_only_lowers_it() -> None:
    limits = {"AA101": 2.0, "AA102": 2.0}
    assert overruns(limits, {"AA101": 2, "AA102": 3}, {}) == (Overrun("AA102", 2, 3),)
    assert overruns(limits, {"AA101": 2, "AA102": 2}, {"AA101": 1, "AA102": 7}) == (Overrun("AA101", 1, 2, True),)
    assert overruns(limits, {"AA101": 2, "AA102": 3}, {"AA102": 7}) == (Overrun("AA102", 2, 3),)
    assert overruns(limits, {"AA101": 3}, {"AA101": 2}) == (Overrun("AA101", 2, 3),)
    assert overruns({"max-subsampling": 32.0}, {}, {}) == ()
