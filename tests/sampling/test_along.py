"""Operators that look along an axis of the grid itself: they turn it round, or let each position see others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sampling.result import HeadKind
from tests.sampling.impulse import Array, audit, build, float_info, hold, node, quick, session, spot
from tests.sampling.recipes import Reach, Recipe, reached
from tests.sampling.test_axes import case

Draw = Any


def sequence(lengths: list[int], *behind: Any, size: int = 16) -> Any:
    """A sequence of one channel whose first entries are turned round, and what comes behind as ``y``."""
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Transpose", ["c"], ["t"], perm=[2, 0, 1]),
        node("ReverseSequence", ["t", "lengths"], ["r"]),
        node("Transpose", ["r"], ["s"], perm=[1, 2, 0]),
        *behind,
    ]
    constants: dict[str, Array] = {
        "w": np.ones([1, 1, 1], np.float32),
        "v": np.ones([1, 1, 3], np.float32),
        "lengths": np.array(lengths),
    }
    return build(nodes, [1, 1, size], constants, opset=17)


@given(stride=st.integers(1, 3), size=st.integers(14, 20))
@quick
def test_a_sequence_that_is_turned_round_is_sampled_from_its_end(stride: int, size: int) -> None:
    model = sequence([size], node("Conv", ["s", "v"], ["y"], strides=[stride]), size=size)
    found = hold(model, [1, 1, size], {2: 2})
    assert spot(found.tensors["y"][2])[:2] == (-stride, size - 2)


@pytest.mark.parametrize("lengths", [[0], [1]])
def test_a_sequence_of_which_nothing_is_turned_round_stays_as_it_is(lengths: list[int]) -> None:
    hold(sequence(lengths, node("Identity", ["s"], ["y"])), [1, 1, 16], {2: 2})


def test_a_sequence_of_which_a_part_is_turned_round_has_no_lattice() -> None:
    found = audit(sequence([9], node("Identity", ["s"], ["y"])))
    assert [region.reason for region in found.untracked] == ["a part of a grid axis is turned round"]


def test_how_much_of_a_sequence_is_turned_round_may_be_data() -> None:
    nodes = [
        node("Conv", ["x", "w"], ["c"]),
        node("Transpose", ["c"], ["t"], perm=[2, 0, 1]),
        node("Cast", ["count"], ["whole"], to=7),
        node("ReverseSequence", ["t", "whole"], ["y"]),
    ]
    inputs = [float_info("count", [1])]
    found = audit(build(nodes, [1, 1, 16], {"w": np.ones([1, 1, 1], np.float32)}, inputs=inputs))
    assert [place.node.op.raw for place in found.data_dependent] == ["ReverseSequence"]


@pytest.mark.parametrize("attributes", [{}, {"reverse": 1}, {"exclusive": 1}])
@pytest.mark.parametrize(("op", "opset"), [("CumSum", 14), ("CumProd", 26)])
def test_a_running_sum_over_the_grid_lets_a_position_see_many_others(
    op: str, opset: int, attributes: dict[str, Any]
) -> None:
    made = [node("Conv", ["x", "w"], ["c"]), node(op, ["c", "axis"], ["y"], **attributes)]
    constants: dict[str, Array] = {"axis": np.array(2), "w": np.ones([1, 1, 1], np.float32)}
    recipe = Recipe(made, [1, 1, 12], {2: 2}, Reach.ALL, constants, opset)
    lattice = audit(recipe.model()).tensors["y"][2]
    assert lattice is not None
    assert [int(lattice.stride), int(lattice.offset)] == [1, 0]
    try:
        matrix = reached(recipe, 2, 2, 1)
    except Exception:  # noqa: BLE001 - onnxruntime has no common error type
        pytest.skip(f"this onnxruntime does not run {op}")
    spans = [np.flatnonzero(row) for row in matrix if row.any()]
    assert max(int(span[-1] - span[0]) for span in spans) >= 10
    for place, row in enumerate(matrix):
        assert all(abs(entry - place) <= (lattice.receptive_field - 1) / 2 for entry in np.flatnonzero(row))


def test_the_inverse_of_matrices_on_the_grid_turns_rows_into_columns() -> None:
    model = build([node("Inverse", ["x"], ["y"], "com.microsoft")], [1, 1, 6, 6])
    x = np.random.default_rng(0).normal(size=[1, 1, 6, 6]).astype(np.float32)
    run = session(model)
    shifted = run.run(["y"], {"x": np.roll(x, 2, axis=2)})[0]
    assert np.allclose(shifted, np.roll(run.run(["y"], {"x": x})[0], 2, axis=3), atol=1e-3)
    found = audit(model)
    sources = [None if lattice is None else found.sources[lattice.source].axis for lattice in found.tensors["y"][2:]]
    assert sources == [3, 2]


def test_the_largest_entry_of_a_grid_is_a_place_that_the_data_choose() -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], strides=[2, 2]), node("Hardmax", ["c"], ["y"], axis=-1)]
    found = audit(build(nodes, [1, 1, 16, 16], {"w": np.ones([1, 1, 2, 2], np.float32)}))
    assert [place.node.op.raw for place in found.data_dependent] == ["Hardmax"]
    assert [head.kind for head in found.heads] == [HeadKind.DENSE]


def test_a_triangle_of_a_map_treats_positions_differently() -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Trilu", ["c"], ["y"])]
    found = audit(build(nodes, [1, 1, 16, 16], {"w": np.ones([1, 1, 2, 2], np.float32)}))
    assert [place.node.op.raw for place in found.encodings] == ["Trilu"]


def test_the_shared_case_of_a_reversed_sequence_is_sampled_from_its_end() -> None:
    found = case("reverse")
    assert spot(found.tensors["y"][2]) == (-2, 15, 8)
