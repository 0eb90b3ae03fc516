"""Which findings count: waivers, baseline and budgets over the models of a run, from files to the settled report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from auditor.audit.run import ModelFile, Outcome, audit, load_rules
from auditor.audit.settle import audited, settle
from auditor.facts.finding import Severity
from auditor.facts.report import AcceptedBy, ModelReport
from auditor.policy.baseline import Baseline, pruned, written
from auditor.policy.budgets import Budgets
from auditor.policy.settings import DEFAULT, Selector, Settings
from auditor.policy.waivers import Waiver
from tests.rules.builder import build

POOLS = """
input 1x4x32x32
a = MaxPool k2 s2
b = Relu
c = MaxPool k3 s2
GlobalAveragePool
"""
ONE_POOL = """
input 1x4x32x32
a = MaxPool k2 s2
b = Relu
GlobalAveragePool
"""
Run = Callable[..., Sequence[Outcome]]
WAIVED_A = Waiver(1, "the camera does not move", "AA101", node="a", owner="vision team")


def settings_of(**parts: Any) -> Settings:
    return replace(
        Settings(select=(Selector("AA1", DEFAULT), Selector("AA5", DEFAULT), Selector("AA9", DEFAULT))), **parts
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Audit graphs, written as ``m0.onnx``, ``m1.onnx`` ..., and settle."""

    def call(*graphs: str, baseline: Baseline | None = None, **parts: Any) -> Sequence[Outcome]:
        settings = settings_of(root=tmp_path, **parts)
        rules = load_rules(settings)
        files = []
        for number, graph in enumerate(graphs):
            path = tmp_path / f"m{number}.onnx"
            path.write_bytes(build(graph).SerializeToString())
            files.append(ModelFile(path, path.name))
        return settle([audit(file, rules, settings) for file in files], rules, settings, baseline)

    return call


def report(outcome: Outcome) -> ModelReport:
    assert outcome.report is not None
    return outcome.report


def counting(outcome: Outcome) -> list[tuple[str, str]]:
    return sorted((one.rule, one.node.name.raw if one.node else "") for one in report(outcome).findings)


def accepted(outcome: Outcome) -> list[tuple[str, str]]:
    return [(one.by.value, one.finding.node.name.raw) for one in report(outcome).accepted if one.finding.node]


def test_a_waived_finding_does_not_count_and_keeps_its_reason(run: Run) -> None:
    (outcome,) = run(POOLS, waivers=(WAIVED_A,))
    assert counting(outcome) == [("AA101", "c")]
    (one,) = report(outcome).accepted
    assert (one.by, one.reason, one.owner, one.expires) == (
        AcceptedBy.WAIVER, "the camera does not move", "vision team", "",
    )  # fmt: skip


def test_past_its_day_the_finding_counts_again_and_the_waiver_is_a_finding(run: Run) -> None:
    until = replace(WAIVED_A, expires=date(2027, 1, 31))
    (before,) = run(POOLS, waivers=(until,), today=date(2027, 1, 31))
    (after,) = run(POOLS, waivers=(until,), today=date(2027, 2, 1))
    assert counting(before) == [("AA101", "c")]
    assert counting(after) == [("AA101", "a"), ("AA101", "c"), ("AA901", "")]
    assert accepted(after) == []


def test_a_renewed_waiver_beside_the_expired_one_excuses_and_nothing_is_said(run: Run) -> None:
    old = replace(WAIVED_A, expires=date(2026, 1, 1))
    (outcome,) = run(POOLS, waivers=(old, replace(WAIVED_A, number=2)), today=date(2027, 1, 1))
    assert counting(outcome) == [("AA101", "c")]


def test_a_waiver_is_unused_only_where_it_matches_in_no_audited_model(run: Run) -> None:
    of_c = replace(WAIVED_A, node="c")
    with_both = run(ONE_POOL, POOLS, waivers=(of_c,))
    assert [code for outcome in with_both for code, _ in counting(outcome)] == ["AA101", "AA101"]
    (alone,) = run(ONE_POOL, waivers=(of_c,))
    assert counting(alone) == [("AA101", "a"), ("AA902", "")]


def test_a_waiver_for_models_that_were_not_audited_is_left_alone(run: Run) -> None:
    (outcome,) = run(ONE_POOL, waivers=(replace(WAIVED_A, node="c", model="other.onnx"),))
    assert counting(outcome) == [("AA101", "a")]


@pytest.mark.parametrize("word", ["AA102", "strided-conv"])
def test_a_waiver_for_rules_that_did_not_run_is_left_alone(run: Run, word: str) -> None:
    select = tuple(Selector(one, DEFAULT) for one in ("AA101", "AA9"))
    (outcome,) = run(ONE_POOL, waivers=(replace(WAIVED_A, rule=word),), select=select)
    assert counting(outcome) == [("AA101", "a")]


def test_a_waiver_counts_as_used_by_findings_too_light_to_be_shown(run: Run) -> None:
    (outcome,) = run(POOLS, waivers=(WAIVED_A,), min_severity=Severity.ERROR)
    assert ("AA902", "") not in counting(outcome)


def test_only_findings_that_the_baseline_does_not_know_count(run: Run) -> None:
    (first,) = run(ONE_POOL)
    settings = settings_of()
    baseline = written(Baseline(), [audited(first, load_rules(settings), settings)])
    (same,) = run(ONE_POOL, baseline=baseline)
    assert counting(same) == []
    assert accepted(same) == [("baseline", "a")]
    assert report(same).baselined
    (grown,) = run(POOLS, baseline=baseline)
    assert counting(grown) == [("AA101", "c")]


@pytest.mark.parametrize(("strict", "severity"), [(False, Severity.NOTE), (True, Severity.ERROR)])
def test_entries_whose_finding_is_gone_are_reported_until_they_are_pruned(
    run: Run, strict: bool, severity: Severity
) -> None:
    settings = settings_of()
    rules = load_rules(settings)
    baseline = written(Baseline(), [audited(run(POOLS)[0], rules, settings)])
    (repaired,) = run(ONE_POOL, baseline=baseline, strict=strict)
    assert counting(repaired) == [("AA903", "")]
    assert report(repaired).findings[0].severity is severity
    shorter = pruned(baseline, [audited(run(ONE_POOL)[0], rules, settings)])
    assert len(shorter.entries) == len(baseline.entries) - 1
    assert counting(run(ONE_POOL, baseline=shorter, strict=True)[0]) == []
    again = pruned(shorter, [audited(run(POOLS)[0], rules, settings)])
    assert [one.node for one in again.entries] == ["a"]  # brought up to date, and nothing new is accepted


def test_entries_of_other_models_and_of_rules_that_did_not_run_are_neither_stale_nor_lost(run: Run) -> None:
    settings = settings_of()
    rules = load_rules(settings)
    two = run(POOLS, ONE_POOL)
    baseline = written(Baseline(), [audited(one, rules, settings) for one in two])
    assert {one.model for one in baseline.entries} == {"m0.onnx", "m1.onnx"}
    narrow = settings_of(select=(Selector("AA102", DEFAULT), Selector("AA9", DEFAULT)))
    (outcome,) = run(POOLS, baseline=baseline, select=narrow.select)
    assert counting(outcome) == []
    other = audited(outcome, load_rules(narrow), narrow)
    assert written(baseline, [other]) == baseline == pruned(baseline, [other])


def test_waived_findings_are_not_written_into_a_baseline(run: Run) -> None:
    settings = settings_of()
    (outcome,) = run(POOLS, waivers=(WAIVED_A,))
    baseline = written(Baseline(), [audited(outcome, load_rules(settings), settings)])
    assert [one.node for one in baseline.entries] == ["c"]


def test_a_budget_counts_known_findings_and_leaves_waived_ones_out(run: Run) -> None:
    budgets = Budgets({"AA101": 1.0, "max-subsampling": 2.0}, {})
    settings = settings_of()
    baseline = written(Baseline(), [audited(run(POOLS)[0], load_rules(settings), settings)])
    (over,) = run(POOLS, baseline=baseline, budgets=budgets)
    assert [one.numbers["budget"] for one in report(over).findings] == ["AA101", "max-subsampling"]
    (waived,) = run(POOLS, waivers=(WAIVED_A,), budgets=Budgets({"AA101": 1.0}, {}))
    assert counting(waived) == [("AA101", "c")]


def test_a_budget_holds_the_alias_energy_of_the_worst_site_from_both_sides(run: Run) -> None:
    (free,) = run(POOLS)
    energies = [site.alias.expected or 0 for site in report(free).analysis.sites if site.alias is not None]
    worst = round(max(energies), 4)
    (within,) = run(POOLS, budgets=Budgets({"max-alias-energy": worst}, {}))
    assert ("AA503", "") not in counting(within)
    (over,) = run(POOLS, budgets=Budgets({"max-alias-energy": worst - 0.001}, {}))
    (finding,) = [one for one in report(over).findings if one.rule == "AA503"]
    assert finding.numbers == {"budget": "max-alias-energy", "limit": round(worst - 0.001, 4), "found": worst}


def test_the_ratchet_holds_what_was_reached_and_only_writing_anew_releases_it(run: Run) -> None:
    settings = settings_of(budgets=Budgets({"AA101": 2.0}, {}, ratchet=True))
    rules = load_rules(settings)

    def look(graph: str, baseline: Baseline | None = None) -> Outcome:
        (outcome,) = run(graph, baseline=baseline, budgets=settings.budgets)
        assert isinstance(outcome, Outcome)
        return outcome

    first = written(Baseline(), [audited(look(POOLS), rules, settings)])
    assert dict(first.counts) == {("m0.onnx", "AA101"): 2}
    lowered = pruned(first, [audited(look(ONE_POOL), rules, settings)])
    assert dict(lowered.counts) == {("m0.onnx", "AA101"): 1}
    assert ("AA503", "") not in counting(look(ONE_POOL, lowered))
    assert ("AA503", "") in counting(look(POOLS, lowered))  # two are within the settings, not within the ratchet
    assert pruned(lowered, [audited(look(POOLS), rules, settings)]).counts == lowered.counts
    assert written(lowered, [audited(look(POOLS), rules, settings)]).counts == first.counts


def test_what_a_model_says_about_itself_excuses_nothing(tmp_path: Path) -> None:
    proto = build(POOLS)
    for key in ("aliasaudit", "ignore", "noqa", "aliasaudit.ignore"):
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, "AA101 ignore all"
        for node in proto.graph.node:
            inner = node.metadata_props.add()
            inner.key, inner.value = key, "AA101"
            node.doc_string = "aliasaudit: ignore[AA101]"
    path = tmp_path / "m.onnx"
    path.write_bytes(proto.SerializeToString())
    settings = settings_of(root=tmp_path)
    rules = load_rules(settings)
    (outcome,) = settle([audit(ModelFile(path, "m.onnx"), rules, settings)], rules, settings)
    assert counting(outcome) == [("AA101", "a"), ("AA101", "c")]
