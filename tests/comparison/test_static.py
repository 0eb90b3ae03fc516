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

from auditor.audit.run import ModelFile, load_rules
from auditor.audit.settle import settle
from auditor.comparison.pairing import Pair, pair_findings
from auditor.comparison.run import ModelPair, compare_all
from auditor.comparison.static import compare_outputs
from auditor.facts.comparison import Comparison, OutputChange
from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport
from auditor.onnxfile.noderef import NodeRef
from auditor.policy.settings import Settings
from auditor.policy.waivers import Waiver
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
    outcomes = list(compare_all([ModelPair(*files)], rules, chosen, reraise=True))
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


def decoder(pads: str, *, skip: bool = False, size: int = 64) -> str:
    """Strided convolutions with the padding on one side, and the way back up, with or without a skip connection."""
    lines = [f"input 1x3x{size}x{size}", "top = Conv k3 p1 c8"]
    lines += [f"down{index} = Conv k3 s2 p{pads} c8" for index in range(3)]
    for index in range(3):
        lines.append(f"up{index} = Resize scale=2 mode=nearest coordinate_transformation_mode=asymmetric")
    return "\n".join([*lines, *(["Add <- up2 top"] if skip else []), "mask = Conv k1 c2"])


def moves(report: ModelReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.rule == "AA504"]


@pytest.mark.parametrize("skip", [False, True])
def test_a_mask_that_lies_elsewhere_in_the_picture_is_an_error_that_names_the_shift(tmp_path: Path, skip: bool) -> None:
    upper, lower = decoder("0,0,1,1", skip=skip), decoder("1,1,0,0", skip=skip)
    (finding,) = moves(compare(tmp_path, upper, lower))
    assert finding.severity is Severity.ERROR
    assert finding.numbers["path_shift"] == 7
    assert finding.numbers["shift"] == (0 if skip else 7)
    assert "7 input pixels" in finding.message
    assert moves(compare(tmp_path, upper, upper)) == []
    assert moves(compare(tmp_path, lower, lower)) == []


def test_half_a_pixel_is_a_warning_and_the_limit_is_an_option(tmp_path: Path) -> None:
    base = "input 1x3x32x32\nConv k3 s2 p1 c4"
    even = "input 1x3x32x32\nConv k4 s2 p1 c4"
    (finding,) = moves(compare(tmp_path, base, even))
    assert (finding.severity, finding.numbers["shift"]) == (Severity.WARNING, 0.5)
    assert "receptive field" in finding.message
    (finding,) = moves(compare(tmp_path, base, even, rules={"AA504": {"error": 0.5}}))
    assert finding.severity is Severity.ERROR


def test_an_output_that_only_sees_more_is_a_note_and_one_of_another_size_around_the_same_middle_a_warning(
    tmp_path: Path,
) -> None:
    base = "input 1x3x32x32\nConv k3 p1 c4"
    (finding,) = moves(compare(tmp_path, base, "input 1x3x32x32\nConv k5 p2 c4"))
    assert (finding.severity, finding.numbers["shift"]) == (Severity.NOTE, 0)
    (finding,) = moves(compare(tmp_path, base, "input 1x3x32x32\nConv k4 s2 p1 c4"))
    assert (finding.severity, finding.numbers["shift"], finding.numbers["step_after"]) == (Severity.WARNING, 0, 2)
    assert moves(compare(tmp_path, "input 1x3x32x32\nGlobalAveragePool", "input 1x3x32x32\nGlobalAveragePool")) == []


def sized(pads: str, size: str) -> str:
    return f"input 1x3x{size}\nConv k3 s2 p{pads} c8\nConv k3 s2 p{pads} c4"


@pytest.mark.parametrize("larger", ["64x64", "64x96", "640x640"])
def test_another_size_of_the_same_picture_moves_no_output(larger: str, tmp_path: Path) -> None:
    for pads in ("1", "0,0,1,1", "1,1,0,0"):
        assert moves(compare(tmp_path, sized(pads, "32x32"), sized(pads, larger))) == []
        assert moves(compare(tmp_path, sized(pads, larger), sized(pads, "32x32"))) == []
    (finding,) = moves(compare(tmp_path, sized("0,0,1,1", "32x32"), sized("1,1,0,0", larger)))
    assert (finding.severity, finding.numbers["shift"]) == (Severity.ERROR, 3)


@pytest.mark.parametrize("opened", ["HxW", "NxN", "32xW"])
def test_a_model_that_leaves_sizes_open_is_compared_at_those_that_the_other_fixes(opened: str, tmp_path: Path) -> None:
    fixed, free = sized("1", "32x48"), sized("1", opened)
    for base, new in ((fixed, free), (free, fixed)):
        report = compare(tmp_path, base, new)
        assert comparison(report).added == ()
        assert moves(report) == []
        assert [source.size for source in report.analysis.sources][-2:] == [32, 48]
    (finding,) = moves(compare(tmp_path, sized("0,0,1,1", opened), sized("1,1,0,0", "32x48")))
    assert finding.severity is Severity.ERROR


def test_sizes_that_the_user_gives_hold_for_both_models(tmp_path: Path) -> None:
    report = compare(tmp_path, sized("1", "HxW"), sized("1", "HxW"), input_shapes={"x": (1, 3, 40, 40)})
    assert {source.size for source in report.analysis.sources} == {3, 40}


def test_a_model_in_another_layout_is_compared_at_the_size_that_is_assumed(tmp_path: Path) -> None:
    last = "input 1xHxWx3\nTranspose perm=0,3,1,2\nConv k3 s2 p1 c8\nConv k3 s2 p1 c4"
    assert moves(compare(tmp_path, last, sized("1", "224x224"))) == []
    assert moves(compare(tmp_path, last, sized("1", "32x48"))) == []


def risen(report: ModelReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.rule == "AA505"]


def test_a_smaller_pool_at_a_site_that_both_have_is_a_finding_and_a_larger_one_is_not(tmp_path: Path) -> None:
    small = BASE.replace("MaxPool k3 s2 p1", "MaxPool k2 s2")
    (finding,) = risen(report := compare(tmp_path, BASE, small))
    assert finding.node is not None
    assert finding.node.name.raw == "pool"
    assert finding.severity is Severity.WARNING
    assert comparison(report).new_sites == ()
    assert risen(compare(tmp_path, small, BASE)) == []
    assert risen(compare(tmp_path, BASE, BASE)) == []
    unnamed = small.replace("pool = ", "")
    assert len(risen(compare(tmp_path, BASE, unnamed))) == 1
    assert risen(compare(tmp_path, BASE, small, rules={"AA505": {"warning": 0.2}})) == []


def test_a_rise_is_judged_by_the_expected_number_and_says_both(tmp_path: Path) -> None:
    small = BASE.replace("MaxPool k3 s2 p1", "MaxPool k2 s2")
    (finding,) = risen(compare(tmp_path, BASE, small))
    assert "is expected to fold" in finding.message
    assert "of a flat spectrum" in finding.message
    numbers = {key: float(value) for key, value in finding.numbers.items()}
    assert numbers["rise"] == pytest.approx(numbers["alias_energy"] - numbers["alias_energy_before"], abs=2e-4)
    expected = numbers["alias_energy_expected"] - numbers["alias_energy_expected_before"]
    assert numbers["rise_expected"] == pytest.approx(expected, abs=2e-4)
    assert 0 < numbers["rise_expected"] < numbers["rise"]
    bare = BASE.replace("MaxPool k3 s2 p1", "MaxPool k1 s2")
    assert [one.severity for one in risen(compare(tmp_path, BASE, bare))] == [Severity.ERROR]
    (lighter,) = risen(compare(tmp_path, BASE, bare, rules={"AA505": {"expected-error": 0.5}}))
    assert lighter.severity is Severity.WARNING


def test_a_rise_without_an_expected_number_is_judged_by_the_flat_one(tmp_path: Path) -> None:
    base = "input 1x3x64\nConv k3 p1 c4\nRelu\npool = MaxPool k5 s2 p2"
    (finding,) = risen(compare(tmp_path, base, base.replace("k5 s2 p2", "k1 s2")))
    assert finding.severity is Severity.ERROR
    assert "not known: its map has one grid axis" in finding.message
    assert "rise_expected" not in finding.numbers


def test_a_pool_and_the_blurred_pool_in_its_place_are_one_site(tmp_path: Path) -> None:
    blurred = BASE.replace("pool = MaxPool k3 s2 p1", "dense = MaxPool k3 p1\nsoft = Blur k3 s2 p1")
    for base, new in ((BASE, blurred), (blurred, BASE)):
        found = comparison(compare(tmp_path, base, new))
        assert (found.new_sites, found.removed_sites) == ((), ())
    assert len(risen(compare(tmp_path, blurred, BASE))) == 1


def test_of_places_that_look_alike_those_of_equal_names_are_the_same(tmp_path: Path) -> None:
    row = "{} = MaxPool k2 s2\n"
    base = "input 1x8x64x64\n" + "".join(row.format(name) for name in "abcd")
    new = "input 1x8x64x64\n" + "".join(row.format(name) for name in "bcd")
    found = comparison(compare(tmp_path, base, new))
    assert [site.node.name.raw for site in found.removed_sites] == ["a"]
    assert found.new_sites == ()


def _array(tensor: onnx.TensorProto) -> Any:
    return numpy_helper.to_array(tensor)  # noqa: TID251 - made here, no external data


def quantised(proto: onnx.ModelProto, form: str) -> onnx.ModelProto:
    """The same network with operators of 8-bit integers in place of its convolutions, as quantisers write them."""
    made = onnx.ModelProto()
    made.CopyFrom(proto)
    stored = {tensor.name: _array(tensor) for tensor in proto.graph.initializer}
    numbers = {"scale": np.float32(0.02), "zero": np.uint8(128)}
    nodes = []
    for node in proto.graph.node:
        if node.op_type != "Conv":
            nodes.append(node)
            continue
        x, w = node.input[:2]
        more = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        numbers[f"{w}/q"] = (np.clip(np.round(stored[w] / 0.02), -128, 127) + 128).astype(np.uint8)
        name = f"{node.name}_quant"
        q, y = f"{node.name}/q", f"{node.name}/y"
        if form == "integer":
            nodes += [
                onnx.helper.make_node("DynamicQuantizeLinear", [x], [q, f"{q}/s", f"{q}/z"]),
                onnx.helper.make_node("ConvInteger", [q, f"{w}/q", f"{q}/z", "zero"], [y], name=name, **more),
                onnx.helper.make_node("Cast", [y], list(node.output), to=onnx.TensorProto.FLOAT),
            ]
        elif form == "qdq":
            nodes += [
                onnx.helper.make_node("QuantizeLinear", [x, "scale", "zero"], [q]),
                onnx.helper.make_node("DequantizeLinear", [q, "scale", "zero"], [f"{q}/f"]),
                onnx.helper.make_node("DequantizeLinear", [f"{w}/q", "scale", "zero"], [f"{w}/f"]),
                onnx.helper.make_node("Conv", [f"{q}/f", f"{w}/f"], list(node.output), name=node.name, **more),
            ]
        else:
            scales = ["scale", "zero"]
            nodes += [
                onnx.helper.make_node("QuantizeLinear", [x, *scales], [q]),
                onnx.helper.make_node("QLinearConv", [q, *scales, f"{w}/q", *scales, *scales], [y], name=name, **more),
                onnx.helper.make_node("DequantizeLinear", [y, *scales], list(node.output)),
            ]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    made.graph.initializer.extend(numpy_helper.from_array(np.asarray(value), key) for key, value in numbers.items())
    return made


@pytest.mark.parametrize("form", ["integer", "qdq", "qoperator"])
@pytest.mark.parametrize("named", [True, False])
def test_a_quantised_network_has_the_sites_of_its_float_form(tmp_path: Path, form: str, named: bool) -> None:
    base = build(BASE)
    new = quantised(base, form)
    if not named:
        for index, node in enumerate(new.graph.node):
            node.name = f"n{index}"
    for one, other in ((base, new), (new, base)):
        found = comparison(compare(tmp_path, one, other))
        assert (found.new_sites, found.removed_sites) == ((), ())
        assert found.kept_sites == 3
        assert (found.added, found.fixed) == ((), ())


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
    (outcome,) = compare_all([ModelPair(*files)], load_rules(settings), settings)
    assert outcome.report is None
    assert [problem.path for problem in outcome.problems] == [which]
