"""What a comparison without a run says, from two model files to sites, outputs and findings."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from auditor.acceptance import settle
from auditor.audit import ModelFile, load_rules
from auditor.comparison.pairing import Pair, pair_findings
from auditor.comparison.run import Change, compare_all
from auditor.comparison.static import compare_outputs
from auditor.findings import Finding, NodeRef, Severity
from auditor.gate import Comparison, OutputChange
from auditor.policy.settings import Settings
from auditor.policy.waivers import Waiver
from auditor.report.model import ModelReport
from auditor.sampling.result import Head, HeadKind
from auditor.text import ModelText
from tests.rules.builder import build

BASE = """
input 1x3x64x64
stem = Conv k7 s2 p3 c8
Relu
pool = MaxPool k3 s2 p1
down = Conv k3 s2 p1 c16
Relu
GlobalAveragePool
"""
WITH_ANOTHER_POOL = BASE.replace("GlobalAveragePool", "late = MaxPool k2 s2\nGlobalAveragePool")


def compare(folder: Path, base: onnx.ModelProto | str, new: onnx.ModelProto | str, **settings: Any) -> ModelReport:
    files = []
    for name, graph in (("base.onnx", base), ("new.onnx", new)):
        proto = build(graph) if isinstance(graph, str) else graph
        (folder / name).write_bytes(proto.SerializeToString())
        files.append(ModelFile(folder / name, name))
    chosen = replace(Settings(root=folder), **settings)
    rules = load_rules(chosen)
    outcomes = list(compare_all([Change(*files)], rules, chosen, reraise=True))
    (outcome,) = settle(outcomes, rules, chosen)
    assert outcome.report is not None
    assert not outcome.problems
    return outcome.report


def comparison(report: ModelReport) -> Comparison:
    assert report.comparison is not None
    return report.comparison


def rules_of(report: ModelReport) -> list[str]:
    return [finding.rule for finding in report.findings]


def retrained(text: str, seed: int = 1) -> onnx.ModelProto:
    proto = build(text)
    draw = np.random.default_rng(seed)
    for tensor in proto.graph.initializer:  # all of them are float32 weights
        fresh = draw.standard_normal(tuple(tensor.dims)).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(fresh, tensor.name))
    return proto


def test_a_model_against_itself_has_changed_in_nothing(tmp_path: Path) -> None:
    report = compare(tmp_path, BASE, BASE)
    found = comparison(report)
    assert report.findings == ()
    assert (found.added, found.fixed, found.new_sites, found.removed_sites) == ((), (), (), ())
    assert len(found.kept) == len(report.accepted) > 2
    assert found.kept_sites == 3
    assert {kept.how for kept in found.kept} == {"fingerprint"}


def test_one_more_pool_is_a_new_site_new_findings_and_a_larger_factor(tmp_path: Path) -> None:
    report = compare(tmp_path, BASE, WITH_ANOTHER_POOL)
    found = comparison(report)
    assert [site.node.name.raw for site in found.new_sites] == ["late"]
    assert found.removed_sites == ()
    assert [(one.rule, one.node.name.raw) for one in found.added if one.node] == [("AA101", "late")]
    assert found.fixed == ()
    (output,) = found.outputs
    assert (output.before, output.after) == (found.before, found.after) == (Fraction(8), Fraction(16))
    assert output.rose
    assert set(rules_of(report)) == {"AA101", "AA502"}
    assert report.findings[0].severity is Severity.ERROR


def test_taking_the_pool_out_again_fixes_what_it_brought(tmp_path: Path) -> None:
    report = compare(tmp_path, WITH_ANOTHER_POOL, BASE)
    found = comparison(report)
    assert report.findings == ()
    assert [one.rule for one in found.fixed] == ["AA101"]
    assert [site.node.name.raw for site in found.removed_sites] == ["late"]


def test_retrained_weights_keep_every_finding_and_a_heavier_one_counts_again(tmp_path: Path) -> None:
    low_pass = BASE.replace("down = Conv k3 s2 p1 c16", "down = Conv k3 s2 p1 c8 gdw w=box")
    sharp = BASE.replace("down = Conv k3 s2 p1 c16", "down = Conv k3 s2 p1 c8 gdw")
    report = compare(tmp_path, low_pass, retrained(sharp))
    found = comparison(report)
    assert found.new_sites == ()
    worse = [kept for kept in found.kept if kept.worse]
    assert {one.after.node.name.raw for one in worse if one.after.node} <= {"down"}
    for kept in worse:
        assert kept.after in report.findings
    same = {kept.after.fingerprint for kept in found.kept if not kept.worse}
    assert same == {one.finding.fingerprint for one in report.accepted}


def test_new_names_and_another_activation_next_to_a_site_do_not_make_it_new(tmp_path: Path) -> None:
    other = BASE.replace("stem =", "/backbone/stem =").replace("pool =", "/backbone/pool =").replace("down =", "d =")
    other = other.replace("Relu", "Sigmoid")
    report = compare(tmp_path, BASE, other)
    found = comparison(report)
    assert (found.new_sites, found.removed_sites, found.added, found.fixed) == ((), (), (), ())
    assert "role" in {kept.how for kept in found.kept}
    assert report.findings == ()


def test_a_pool_in_place_of_a_strided_convolution_is_another_site(tmp_path: Path) -> None:
    other = BASE.replace("down = Conv k3 s2 p1 c16", "down = MaxPool k3 s2 p1")
    found = comparison(compare(tmp_path, BASE, other))
    assert [site.node.name.raw for site in found.new_sites] == ["down"]
    assert [site.node.name.raw for site in found.removed_sites] == ["down"]


def test_a_new_site_behind_a_low_pass_is_only_a_note(tmp_path: Path) -> None:
    blurred = BASE.replace("GlobalAveragePool", "blur = Blur k5 s2 p2\nGlobalAveragePool")
    report = compare(tmp_path, BASE, blurred)
    notes = [one for one in report.findings if one.rule == "AA502"]
    assert [one.severity for one in notes] == [Severity.NOTE]


def test_a_waiver_can_accept_a_new_site_with_a_reason(tmp_path: Path) -> None:
    waivers = (Waiver(1, "the camera runs at twice the size now", "ALL", node="late"),)
    report = compare(tmp_path, BASE, WITH_ANOTHER_POOL, waivers=waivers)
    assert report.findings == ()
    assert "the camera runs at twice the size now" in {one.reason for one in report.accepted}


def head(name: str, factor: int | None) -> Head:
    whole = None if factor is None else Fraction(factor)
    return Head(ModelText(name), HeadKind.POOLED, whole, {}, (), None)


def names_of(change: OutputChange) -> tuple[str, str]:
    return (change.base.raw if change.base else "", change.new.raw if change.new else "")


def test_outputs_are_the_same_by_name_and_else_by_position_where_as_many_are_left() -> None:
    changes = compare_outputs([head("a", 8), head("b", 16)], [head("b", 32), head("x", 8)])
    assert [(*names_of(one), one.before, one.after) for one in changes] == [
        ("b", "b", Fraction(16), Fraction(32)),
        ("a", "x", Fraction(8), Fraction(8)),
    ]
    more = compare_outputs([head("a", 8)], [head("a", None), head("aux", 8)])
    assert [(*names_of(one), one.rose) for one in more] == [("a", "a", False), ("", "aux", False)]
    gone = compare_outputs([head("a", 8), head("b", 8)], [head("a", 8)])
    assert names_of(gone[1]) == ("b", "")


FINDINGS = st.lists(
    st.builds(
        lambda rule, name, fingerprint: Finding(
            rule,
            "n",
            Severity.NOTE,
            "m",
            node=NodeRef(ModelText(name), ModelText("op"), ModelText(""), ModelText(name), 0),
            fingerprint=fingerprint,
        ),
        st.sampled_from(["AA101", "AA102"]),
        st.sampled_from(["", "a", "b"]),
        st.sampled_from(["", "f:0", "f:1", "g:0"]),
    ),
    max_size=8,
)


@given(FINDINGS, FINDINGS)
def test_every_place_is_taken_once_and_what_could_still_be_paired_is(base: list[Finding], new: list[Finding]) -> None:
    pairs = pair_findings(base, new, ())
    assert len({pair.base for pair in pairs}) == len({pair.new for pair in pairs}) == len(pairs)
    assert [pair.new for pair in pairs] == sorted(pair.new for pair in pairs)
    left = [one for index, one in enumerate(base) if index not in {pair.base for pair in pairs}]
    for index in set(range(len(new))) - {pair.new for pair in pairs}:
        one = new[index]
        assert not [other for other in left if one.fingerprint and other.fingerprint == one.fingerprint]


def test_a_finding_at_a_site_that_both_have_is_kept_whatever_else_changed_about_it() -> None:
    def one(rule: str, name: str) -> Finding:
        node = NodeRef(ModelText(name), ModelText("Conv"), ModelText(""), ModelText(name), 3)
        return Finding(rule, "n", Severity.NOTE, "m", node=node, fingerprint=name)

    before, after = [one("AA102", "old"), one("AA106", "old")], [one("AA102", "new"), one("AA201", "new")]
    assert before[0].node is not None
    assert after[0].node is not None
    assert pair_findings(before, after, [(before[0].node, after[0].node)]) == (Pair(0, 0, "role"),)
    assert pair_findings(before, after, []) == ()


@pytest.mark.parametrize("which", ["base.onnx", "new.onnx"])
def test_a_model_that_cannot_be_read_is_a_problem_that_names_the_right_file(tmp_path: Path, which: str) -> None:
    for name in ("base.onnx", "new.onnx"):
        (tmp_path / name).write_bytes(b"" if name == which else build(BASE).SerializeToString())
    settings = Settings(root=tmp_path)
    files = [ModelFile(tmp_path / name, name) for name in ("base.onnx", "new.onnx")]
    (outcome,) = compare_all([Change(*files)], load_rules(settings), settings)
    assert outcome.report is None
    assert [problem.path for problem in outcome.problems] == [which]
