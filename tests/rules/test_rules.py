"""What each rule says about an analysis, with the analysis written out by hand."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from msgspec.structs import replace

from auditor.audit.packs import load_builtin
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, OptionValue
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import (
    AliasBasis,
    AliasEnergy,
    Analysis,
    DataDependentSampling,
    Head,
    HeadKind,
    MisalignedJoin,
    PositionEncoding,
    Site,
    SiteKind,
    SizeDependentPadding,
    SourceAxis,
    Untracked,
    Upsampling,
)
from auditor.text import ModelText

RULES = {rule.code: rule for rule in load_builtin().rules}
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
IN_0_1_0 = frozenset(
    [
        "AA101",
        "AA102",
        "AA103",
        "AA104",
        "AA105",
        "AA106",
        "AA107",
        "AA108",
        "AA109",
        "AA201",
        "AA202",
        "AA203",
        "AA204",
        "AA205",
        "AA301",
        "AA401",
        "AA402",
        "AA403",
        "AA404",
        "AA405",
        "AA501",
        "AA502",
        "AA503",
        "AA901",
        "AA902",
        "AA903",
        "AA910",
    ]
)
HOSTILE = "\x1b[31m::error::"


def test_every_rule_says_since_which_version_it_is_there() -> None:
    assert {code for code, rule in RULES.items() if rule.since == "0.1.0"} == IN_0_1_0


def ref(order: int = 0) -> NodeRef:
    text = ModelText(f"{HOSTILE}{order}")
    return NodeRef(text, text, text, text, order)


def axis(name: str = "x", number: int = 2) -> SourceAxis:
    return SourceAxis(ModelText(name), number, 224, False)


def analysis(**parts: Any) -> Analysis:
    empty = Analysis((axis(), axis(number=3)), frozenset({0, 1}), (), (), (), (), (), (), (), (), {}, 1, 1)
    return replace(empty, **parts)


def site(kind: SiteKind, flat: float | None = None, stride: int = 2, kernel: int = 2, **parts: Any) -> Site:
    factor = (Fraction(stride),) * 2
    along = 1 - (1 - (flat or 0.0)) ** 0.5
    alias = None if flat is None else AliasEnergy(flat, flat, AliasBasis.RESPONSE, (along, along), flat)
    plain = Site(
        node=ref(),
        kind=kind,
        input=ModelText(HOSTILE),
        output=ModelText(HOSTILE),
        sources=(0, 1),
        factor=factor,
        cumulative=factor,
        offset=(Fraction(0),) * 2,
        receptive_field=(Fraction(kernel),) * 2,
        kernel=(kernel,) * 2,
        stride=(stride,) * 2,
        dilation=(1, 1),
        groups=1,
        alias=alias,
        antialiased=False,
        reason="",
        skipped=Fraction(0),
        reads_input=False,
    )
    return replace(plain, **parts)


def head(kind: HeadKind, factor: int | None, period: Mapping[int, Fraction | None] | None = None) -> Head:
    known = {0: Fraction(factor), 1: Fraction(factor)} if factor else {}
    whole = None if factor is None else Fraction(factor)
    return Head(ModelText(HOSTILE), kind, whole, known if period is None else period, (), ref(9))


def check(code: str, options: Mapping[str, OptionValue] | None = None, **parts: Any) -> list[Finding]:
    rule = RULES[code]
    findings = list(rule.check(Context(analysis(**parts), {**rule.options, **(options or {})})))
    for finding in findings:
        assert (finding.rule, finding.name) == (rule.code, rule.name)
        assert finding.severity in rule.severities
        assert finding.fingerprint == ""
        assert HOSTILE not in finding.message + finding.advice
        assert finding.message.endswith(".")
        assert finding.advice.endswith(".")
    assert [f.node.order for f in findings if f.node] == sorted(f.node.order for f in findings if f.node)
    return findings


def only(code: str, **parts: Any) -> Finding:
    (finding,) = check(code, **parts)
    return finding


ALIAS_RULES = [
    ("AA101", SiteKind.MAX_POOL),
    ("AA102", SiteKind.CONV),
    ("AA103", SiteKind.AVERAGE_POOL),
    ("AA103", SiteKind.LP_POOL),
    ("AA104", SiteKind.SLICE),
    ("AA104", SiteKind.GATHER),
    ("AA104", SiteKind.RESIZE_NEAREST),
    ("AA105", SiteKind.RESIZE),
]


@pytest.mark.parametrize(("code", "kind"), ALIAS_RULES)
@pytest.mark.parametrize(
    ("expected", "severity"), [(0.75, ERROR), (0.25, ERROR), (0.24, WARNING), (0.1, WARNING), (0.09, NOTE)]
)
def test_the_expected_alias_energy_decides_the_severity(
    code: str, kind: SiteKind, expected: float, severity: Severity
) -> None:
    finding = only(code, sites=(site(kind, expected),))
    assert finding.severity is severity
    assert finding.numbers.get("alias_energy_expected") == expected


@pytest.mark.parametrize(("code", "kind"), ALIAS_RULES)
def test_a_site_of_which_nothing_is_known_is_a_warning(code: str, kind: SiteKind) -> None:
    assert only(code, sites=(site(kind),)).severity is WARNING


@pytest.mark.parametrize(("code", "kind"), ALIAS_RULES)
def test_the_limits_of_alias_energy_are_options(code: str, kind: SiteKind) -> None:
    (finding,) = check(code, {"error": 0.9, "warning": 0.8}, sites=(site(kind, 0.75),))
    assert finding.severity is NOTE


@pytest.mark.parametrize(
    ("code", "kind"), [*ALIAS_RULES, ("AA106", SiteKind.CONV), ("AA107", SiteKind.PHASE_TO_CHANNEL)]
)
def test_a_site_behind_a_low_pass_is_passed(code: str, kind: SiteKind) -> None:
    passed = site(kind, 0.03, antialiased=True, reason="blur", skipped=Fraction(3, 4))
    assert check(code, sites=(passed,)) == []


@pytest.mark.parametrize("kind", SiteKind)
def test_every_kind_of_site_has_exactly_one_rule(kind: SiteKind) -> None:
    codes = [code for code in RULES if code.startswith("AA10") and check(code, sites=(site(kind, 0.6),))]
    assert len(codes) == 1


def test_the_frames_of_a_spectrogram_are_a_note_about_their_hop_and_no_place_for_a_blur() -> None:
    (finding,) = check("AA102", sites=(site(SiteKind.FRAMES, 0.6),))
    assert finding.severity is Severity.NOTE
    assert "choose a smaller hop" in finding.advice
    assert "no blur" in finding.advice


def test_a_convolution_without_readable_weights_says_so() -> None:
    assert "weights could not be read" in only("AA102", sites=(site(SiteKind.CONV),)).message


def test_a_shortcut_is_blurred_in_front_and_a_larger_kernel_after_its_activation() -> None:
    assert "run it at stride 1 (`avg_down`" in only("AA102", sites=(site(SiteKind.CONV, 0.75, kernel=1),)).advice
    assert "after the activation" in only("AA102", sites=(site(SiteKind.CONV, 0.6, kernel=3),)).advice


def test_a_finding_states_what_is_expected_to_fold_and_how_sure_that_is() -> None:
    alias = AliasEnergy(0.62, 0.9, AliasBasis.WEIGHTS, (0.38, 0.38), 0.034)
    finding = only("AA102", sites=(site(SiteKind.CONV, kernel=7, alias=alias, reads_input=True),))
    assert "Convolution 7x7 with stride 2: about 3.4 % of what it samples is expected to fold" in finding.message
    assert "(half to twice that on photographs; 62 % of a flat spectrum)" in finding.message
    assert finding.numbers["alias_energy"] == 0.62
    assert finding.numbers["alias_energy_expected"] == 0.034


@pytest.mark.parametrize(
    ("expected", "reads_input", "severity"),
    [
        (0.02, False, NOTE),
        (0.09, False, NOTE),
        (0.11, False, WARNING),
        (0.24, False, WARNING),
        (0.26, False, ERROR),
        (0.02, True, NOTE),
        (0.04, True, WARNING),
        (0.11, True, ERROR),
    ],
)
def test_the_picture_has_limits_of_its_own(expected: float, reads_input: bool, severity: Severity) -> None:
    alias = AliasEnergy(0.4, 0.4, AliasBasis.WEIGHTS, (0.2, 0.2), expected, picture=reads_input)
    finding = only("AA102", sites=(site(SiteKind.CONV, alias=alias),))
    assert finding.severity is severity


@pytest.mark.parametrize(("code", "kind"), ALIAS_RULES)
def test_a_bare_decimation_of_the_picture_is_never_less_than_a_warning(code: str, kind: SiteKind) -> None:
    alias = AliasEnergy(0.75, 0.75, AliasBasis.DECIMATION, (0.5, 0.5), 0.022, picture=True)
    assert only(code, sites=(site(kind, alias=alias),)).severity is WARNING


def test_where_nothing_can_be_expected_the_finding_says_why_and_is_a_warning() -> None:
    alias = AliasEnergy(0.245, 0.245, AliasBasis.RESPONSE, (0.245,), None, "its map has one grid axis")
    finding = only("AA101", sites=(site(SiteKind.MAX_POOL, alias=alias),))
    assert finding.severity is WARNING
    assert "24 % of a flat spectrum folds" in finding.message
    assert "how much of real activations is not known: its map has one grid axis" in finding.message
    assert "alias_energy_expected" not in finding.numbers


def test_strides_that_differ_between_the_axes_are_both_stated() -> None:
    uneven = replace(site(SiteKind.MAX_POOL, 0.3), stride=(2, 1), factor=(Fraction(2), Fraction(1)))
    assert "stride 2x1" in only("AA101", sites=(uneven,)).message


@pytest.mark.parametrize(("factor", "advice"), [(2, "Tri-3"), (3, "Bin-7"), (4, "made for a factor of 4")])
def test_the_advised_blur_knows_the_stride(factor: int, advice: str) -> None:
    assert advice in only("AA102", sites=(site(SiteKind.CONV, 0.6, stride=factor),)).advice


def test_a_one_by_one_stride_two_convolution_never_reads_three_quarters() -> None:
    finding = only("AA106", sites=(site(SiteKind.CONV, 0.75, kernel=1, skipped=Fraction(3, 4)),))
    assert finding.severity is WARNING
    assert finding.message == "Kernel 1x1 with stride 2 never reads 75 % of its input positions."
    assert finding.numbers["skipped"] == 0.75


def test_a_small_skipped_share_is_a_note_and_none_is_silent() -> None:
    assert only("AA106", sites=(site(SiteKind.MAX_POOL, 0.4, skipped=Fraction(1, 3)),)).severity is NOTE
    assert check("AA106", sites=(site(SiteKind.MAX_POOL, 0.4),)) == []


def test_slices_skip_by_definition_and_are_not_reported_twice() -> None:
    assert check("AA106", sites=(site(SiteKind.SLICE, 0.75, skipped=Fraction(3, 4)),)) == []


def test_phase_to_channel_names_the_shift_that_keeps_the_channels() -> None:
    cumulative = (Fraction(8), Fraction(8))
    assert "8 input samples" in only("AA107", sites=(site(SiteKind.PHASE_TO_CHANNEL, cumulative=cumulative),)).message
    unknown = site(SiteKind.PHASE_TO_CHANNEL, cumulative=(None, None))
    assert "2 samples of its own input" in only("AA107", sites=(unknown,)).message


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (0.0449, "4.5 %"),
        (0.4437, "44 %"),
        (0.991, "99 %"),
        (0.9962, "99.6 %"),
        (0.99999, "99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_never_reads_as_nothing_or_everything_unless_it_is(share: float, words: str) -> None:
    assert f": about {words} of what it samples" in only("AA101", sites=(site(SiteKind.MAX_POOL, share),)).message


def test_patches_are_a_warning_whatever_folds() -> None:
    finding = only("AA108", sites=(site(SiteKind.PATCH_EMBEDDING, 0.97, stride=16, kernel=16),))
    assert finding.severity is WARNING
    assert "patches of 16" in finding.message
    assert "97 %" in finding.message


@pytest.mark.parametrize(
    ("taps", "severity"),
    [
        (((1, 2), (1, 2)), WARNING),  # kernel 3, stride 2
        (((3, 2), (3, 2)), WARNING),  # kernel 5, stride 2: 9 against 4
        (((4, 3), (4, 3)), NOTE),  # kernel 7, stride 2: 16 against 9
        (((4, 0), (4, 0)), WARNING),  # kernel 4, stride 2, dilation 2
        (((2, 2), (2, 2)), None),
        (((1,), (1,)), None),
        ((), None),
    ],
)
def test_uneven_taps_are_weighed_over_all_axes(taps: tuple[tuple[int, ...], ...], severity: Severity | None) -> None:
    up = Upsampling(ref(), (Fraction(2), Fraction(2)), taps)
    assert [finding.severity for finding in check("AA109", upsamplings=(up,))] == ([severity] if severity else [])


def test_a_factor_over_the_threshold_leaves_one_shift_in_s_squared_exact() -> None:
    reaching = site(SiteKind.CONV, 0.3, cumulative=(Fraction(32), Fraction(32)), node=ref(5))
    finding = only("AA201", heads=(head(HeadKind.POOLED, 32),), sites=(reaching,))
    assert "exact equivariance only for multiples of 32 px, 1 in 1024 (32^2) shifts" in finding.message
    assert finding.node == ref(5)
    assert finding.numbers["subsampling"] == 32


def test_the_threshold_itself_is_not_over_it_and_can_be_set() -> None:
    assert check("AA201", heads=(head(HeadKind.POOLED, 16),)) == []
    assert len(check("AA201", {"threshold": 8}, heads=(head(HeadKind.POOLED, 16),))) == 1


@pytest.mark.parametrize(
    ("factors", "subjects"),
    [
        ((8, 32, 64), ["Output 2 of 3 has", "Output 3 of 3 has"]),
        ((8, 32, 32), ["Outputs 2, 3 of 3 have"]),
        ((32, 32), ["All 2 outputs have"]),
        ((*[32] * 8, 8), ["Outputs 1, 2, 3, 4, 5, 6 and 2 more of 9 have"]),
    ],
)
def test_outputs_over_the_threshold_that_are_alike_are_reported_together(
    factors: tuple[int, ...], subjects: list[str]
) -> None:
    messages = [f.message for f in check("AA201", heads=tuple(head(HeadKind.DENSE, factor) for factor in factors))]
    assert [message.split(" a cumulative")[0] for message in messages] == subjects


@pytest.mark.parametrize(
    ("axes", "period", "words"),
    [
        ((axis(),), {0: Fraction(64)}, "multiples of 64 samples, 1 in 64 shifts"),
        ((axis(), axis(number=3)), {0: Fraction(32), 1: Fraction(64)}, "multiples of 32x64 px, 1 in 2048 shifts"),
        ((axis(), axis(number=3), axis(number=4)), dict.fromkeys(range(3), Fraction(32)), "1 in 32768 (32^3) shifts"),
        ((axis(), axis("y")), {0: Fraction(32), 1: Fraction(64)}, "multiples of 64 samples, 1 in 64 shifts"),
        ((axis(), axis(number=3)), {0: Fraction(64, 3), 1: Fraction(64, 3)}, "1 in 4096 (64^2) shifts"),
        ((axis(), axis(number=3)), {0: Fraction(32), 1: None}, "no shift is exact on every axis"),
    ],
    ids=["signal", "uneven axes", "volume", "two inputs", "rational period", "no period"],
)
def test_exact_shifts_are_counted_over_the_axes_of_an_input(
    axes: tuple[SourceAxis, ...], period: dict[int, Fraction | None], words: str
) -> None:
    finding = only("AA201", sources=axes, heads=(head(HeadKind.DENSE, 32, period),))
    assert words in finding.message


def test_a_factor_is_reported_even_where_no_output_knows_one() -> None:
    deep = site(SiteKind.CONV, 0.3, cumulative=(Fraction(64), Fraction(64)), node=ref(3))
    finding = only("AA201", heads=(head(HeadKind.UNTRACKED, None, {}),), sites=(deep,))
    assert "64" in finding.message
    assert finding.node == ref(3)


def test_factors_of_a_crafted_model_are_cut_rather_than_failing() -> None:
    huge = Fraction(2**62) ** 300
    deep = site(SiteKind.MAX_POOL, 0.5, factor=(huge, huge), cumulative=(huge, huge))
    assert only("AA101", sites=(deep,)).numbers["cumulative"] == 10**15
    period: dict[int, Fraction | None] = {0: huge, 1: huge}
    wide = replace(head(HeadKind.DENSE, 32, period), subsampling=huge)
    assert only("AA201", heads=(wide,), sites=(deep,)).numbers["subsampling"] == 10**15


def join(delta: Fraction, order: int = 0, strides: tuple[int, ...] = (4, 4)) -> MisalignedJoin:
    exact = tuple(Fraction(stride) for stride in strides)
    return MisalignedJoin(ref(order), 0, exact, (Fraction(0), delta), delta, (ModelText(HOSTILE),) * 2)


def test_a_join_is_reported_once_with_its_largest_offset() -> None:
    joins = (join(Fraction(1, 2)), join(Fraction(2)), join(Fraction(1, 2), order=4))
    first, second = check("AA202", joins=joins)
    assert (first.severity, first.numbers["delta"]) == (WARNING, 2)
    assert (second.severity, second.numbers["delta"]) == (NOTE, 0.5)


def test_branches_with_different_factors_are_said_to_have_them() -> None:
    assert "factors (2, 4)" in only("AA202", joins=(join(Fraction(1), strides=(4, 2)),)).message


def test_flatten_heads_and_position_encodings_are_notes_and_other_heads_are_not() -> None:
    heads = tuple(head(kind, 8) for kind in HeadKind)
    findings = check("AA203", heads=heads, encodings=(PositionEncoding(ref(2), (0, 1)),))
    assert [finding.severity for finding in findings] == [NOTE, NOTE]
    assert [finding.node for finding in findings] == [ref(2), ref(9)]


def test_one_dense_layer_that_feeds_two_outputs_is_reported_once() -> None:
    heads = (head(HeadKind.POSITION_DEPENDENT, 8), head(HeadKind.POSITION_DEPENDENT, 8))
    assert len(check("AA203", heads=heads)) == 1


def test_data_dependent_sampling_is_a_note_with_its_reason() -> None:
    place = DataDependentSampling(ref(), "the grid is an input.")
    finding = only("AA204", data_dependent=(place,))
    assert finding.severity is NOTE
    assert "the grid is an input." in finding.message
    assert ".." not in finding.message


@pytest.mark.parametrize(
    ("nodes", "strided", "severity", "words"),
    [
        (40, 3, WARNING, "40 nodes depend on it and were not audited, 3 of them strided."),
        (40, 0, NOTE, "none of them strided"),
        (1, 0, NOTE, "1 node depends on it and was not audited"),
        (0, 0, NOTE, "No node depends on it."),
    ],
)
def test_what_the_audit_did_not_see_is_counted(nodes: int, strided: int, severity: Severity, words: str) -> None:
    place = Untracked(ref(), ModelText(HOSTILE), "unknown operator", nodes, strided)
    finding = only("AA205", untracked=(place,))
    assert finding.severity is severity
    assert words in finding.message


def test_padding_that_follows_the_size_states_how_far_the_grid_moves() -> None:
    def padding(axis: int, *offsets: int) -> SizeDependentPadding:
        return SizeDependentPadding(ref(), axis, 0, tuple(Fraction(offset) for offset in offsets), "auto_pad")

    finding = only("AA301", paddings=(padding(2, 0, 1), padding(3, 0, 1)))
    assert finding.severity is WARNING
    assert "by up to 1 of its input samples" in finding.message


def test_an_audit_of_nothing_finds_nothing() -> None:
    assert [finding for code in RULES for finding in check(code)] == []
