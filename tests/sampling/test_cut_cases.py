"""Small inputs that were cut from real networks, where the collection of them lies beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.onnxfile import read_model
from auditor.sampling import Analysis, analyse
from auditor.sampling.result import HeadKind

CASES = Path(__file__).parents[3] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the collection of small inputs is not beside the checkout")


def audited(name: str) -> Analysis:
    return analyse(read_model(CASES / f"{name}.onnx"))


@pytest.mark.parametrize("name", ["a_attention_detector", "a_plain_detector"])
def test_boxes_of_two_levels_are_places(name: str) -> None:
    (head,) = audited(name).heads
    assert head.kind is HeadKind.DENSE
    assert head.global_context is (name == "a_attention_detector")


def test_a_residual_chain_has_one_offset_of_a_pixel_per_block() -> None:
    found = audited("g_residual_chain")
    assert [join.delta for join in found.joins] == [1] * 16
    assert {join.node.name.raw for join in found.joins} == {f"add{index}" for index in range(8)}
    assert {join.coordinates for join in found.joins} == {"half_pixel"}


def test_a_sum_over_all_windows_has_no_offset() -> None:
    assert not audited("separable_attention").joins


def test_windows_of_four_cells_of_four_pixels_are_exact_for_sixteen() -> None:
    assert set(audited("window").heads[0].period.values()) == {16}


def test_the_best_of_two_levels_are_chosen_by_the_data() -> None:
    found = audited("topk_d")
    assert [place.node.op.raw for place in found.data_dependent] == ["TopK"]
    assert {head.kind for head in found.heads} == {HeadKind.DATA_DEPENDENT}


def test_a_bias_by_distance_is_no_position() -> None:
    assert not audited("relbias").encodings
