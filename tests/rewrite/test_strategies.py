"""What strategies declare is whole: every reader of the table may rely on it."""

from __future__ import annotations

import sys
from dataclasses import fields
from types import ModuleType

import pytest

from auditor.rewrite.result import Kernel, Options, Padding, Phases, Strategy, Where
from auditor.rewrite.strategies import NAMES
from auditor.rewrite.table import declared, ranked


def test_there_is_one_strategy_per_file_and_each_can_be_named() -> None:
    assert {strategy.value for strategy in Strategy} == set(NAMES)
    assert {"blur", "phase-average", "input-average", "phase-select", "crop-select", "grid-lock"} <= set(NAMES)
    assert Strategy("phase-average") is Strategy.PHASE_AVERAGE


@pytest.mark.parametrize("strategy", Strategy)
def test_a_strategy_reads_options_that_exist_and_says_that_it_has_to_be_measured(strategy: Strategy) -> None:
    declaration = declared(strategy)
    assert set(declaration.reads) <= {field.name for field in fields(Options)}
    for notice in (declaration.notice, declaration.calibrated_notice):
        assert "changes the function" in notice or notice == ""
        assert "`aliasaudit verify`" in notice or notice == ""
    assert declaration.notice


def test_no_two_strategies_have_the_same_place_in_a_plan() -> None:
    ranks = [declared(strategy).rank for strategy in ranked()]
    assert len(set(ranks)) == len(ranks) == len(NAMES)


def test_a_report_tells_the_options_that_the_strategy_reads_and_no_others() -> None:
    options = Options(Kernel.BIN5, Where.PRE, Padding.ZERO, 0.5, Phases.ALL, margin=3)
    told = {strategy.value: options.words(declared(strategy).reads) for strategy in Strategy}
    assert told["blur"] == ", kernel bin5, pre, padding zero, lambda 0.5"
    assert told["phase-average"] == told["input-average"] == ", phases all"
    assert told["crop-select"] == ", margin 3"
    assert told["phase-select"] == ""
    assert Options().words(("margin", "blend")) == ", margin auto"


def test_a_file_that_declares_nothing_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "auditor.rewrite.strategies.crop_select"
    monkeypatch.setitem(sys.modules, name, ModuleType(name))
    declared.cache_clear()
    with pytest.raises(TypeError, match=r"crop_select must declare STRATEGY"):
        declared(Strategy.CROP_SELECT)
    monkeypatch.undo()
    assert declared(Strategy.CROP_SELECT).rank
