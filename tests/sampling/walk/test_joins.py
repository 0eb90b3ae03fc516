"""Where branches meet: the stated offset is what impulses measure, and belongs to the join that brings it in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sampling import Analysis
from auditor.sampling.result import MisalignedJoin
from tests.sampling.impulse import Impulses, audit, quick
from tests.sampling.networks import Net

SIZE = 48
RESIZES: dict[str, dict[str, Any]] = {
    "align_corners": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    "half_pixel": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "asymmetric": {"mode": "linear", "coordinate_transformation_mode": "asymmetric"},
    "nearest": {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
}


def even(net: Net, x: str, before: int, after: int, kernel: int, stride: int = 1) -> str:
    """A convolution whose weights are all equal, so that its centre of mass is the centre of its window."""
    weights = np.full((after, before, kernel, kernel), 1 / (before * kernel * kernel), np.float32)
    return net.conv(x, before, after, kernel, stride, weights=weights)


def block(net: Net, x: str, size: int, kernel: int, resize: str) -> tuple[str, str]:
    """A residual block that works on half the grid: the sum and its branch."""
    low = net.pool("AveragePool", x, kernel, 2, (kernel - 1) // 2)
    low = even(net, low, 2, 2, 3)
    up = net.op("Resize", low, "", "", np.array([1, 2, size, size]), **RESIZES[resize])
    return net.op("Add", x, up), up


def rows(found: Analysis) -> list[MisalignedJoin]:
    """The joins along the height."""
    return [join for join in found.joins if found.sources[join.source].axis == 2]


def centres(model: Any, output: str) -> np.ndarray[Any, Any]:
    """The input row of the centre of mass of every output row."""
    matrix = Impulses(model, (1, 2, SIZE, SIZE), output=output).matrix(2, 2)
    places: np.ndarray[Any, Any] = matrix @ np.arange(SIZE) / matrix.sum(axis=1)
    return places


@quick
@given(
    kernel=st.sampled_from([2, 3, 4]),
    stem=st.sampled_from([1, 2]),
    resize=st.sampled_from(sorted(RESIZES)),
    blocks=st.integers(1, 5),
)
def test_every_block_of_a_residual_chain_has_the_offset_that_impulses_measure_at_the_first(
    kernel: int, stem: int, resize: str, blocks: int
) -> None:
    net = Net(1, 2, SIZE, SIZE)
    start = x = even(net, "x", 2, 2, 3, stem)
    size = SIZE // stem
    branches = []
    for _ in range(blocks):
        x, branch = block(net, x, size, kernel, resize)
        branches.append(branch)
    model = net.model(net.op("Concat", start, x, axis=1), start, branches[0])
    joins = rows(audit(model))
    inside = slice(size // 3, size // 3 + 4)  # two whole phases of the upsampling, away from the borders
    apart = centres(model, branches[0])[inside] - centres(model, start)[inside]
    if not joins:
        assert abs(apart.mean()) < 1e-3
        return
    assert len(joins) == blocks, "the skip over the whole chain meets what comes straight from where it began"
    for join in joins:
        index = np.arange(size)[inside]
        (s0, o0), (s1, o1) = [(float(s), float(o)) for s, o in zip(join.strides, join.offsets, strict=True)]
        assert (s1 - s0) * index.mean() + (o1 - o0) == pytest.approx(apart.mean(), abs=2e-3)
        assert join.delta == joins[0].delta
        assert float(join.delta) >= abs(apart.mean()) - 2e-3


@pytest.mark.parametrize(
    ("kernel", "resize", "coordinates"),
    [(2, "align_corners", "half_pixel"), (2, "asymmetric", "half_pixel"), (3, "half_pixel", "asymmetric")],
)
def test_a_resize_that_keeps_the_branches_apart_is_named_with_the_coordinates_that_would_not(
    kernel: int, resize: str, coordinates: str
) -> None:
    net = Net(1, 2, SIZE, SIZE)
    total, _ = block(net, "x", SIZE, kernel, resize)
    (join,) = rows(audit(net.model(total)))
    assert join.resize is not None
    assert (join.resize.op.raw, join.coordinates) == ("Resize", coordinates)
    net = Net(1, 2, SIZE, SIZE)
    total, _ = block(net, "x", SIZE, kernel, coordinates)
    assert not rows(audit(net.model(total)))


def test_an_offset_of_kernels_alone_blames_no_resize() -> None:
    net = Net(1, 2, SIZE, SIZE)
    x = net.op("Resize", "x", "", np.array([1, 1, 2, 2], np.float32), **RESIZES["nearest"])
    (join,) = rows(audit(net.model(net.op("Add", net.conv(x, 2, 2, 3, 2), net.pool("AveragePool", x, 2, 2)))))
    assert join.resize is None
    assert not join.coordinates


def split(net: Net, x: str, size: int, block: int) -> str:
    """A map as ``(positions within a block, blocks)``, as MobileViT unfolds it."""
    count = size // block
    cut = net.op("Transpose", net.op("Reshape", x, [1, 2, count, block, count, block]), perm=[0, 1, 3, 5, 2, 4])
    made: str = net.op("Reshape", cut, [1, 2, block * block, count * count])
    return made


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("sums", ["ReduceSum", "ReduceMean", "ReduceMax", "MatMul"])
def test_a_sum_over_a_part_of_a_split_axis_meets_every_sample_of_it_without_an_offset(axis: int, sums: str) -> None:
    net = Net(1, 2, 16, 16)
    tokens = split(net, net.conv("x", 2, 2, 3), 16, 2)
    if sums == "MatMul":
        scores = net.op("Softmax", net.op("ReduceSum", tokens, [1]), axis=axis)
        weighed = net.op("Mul", tokens, scores)
        context = net.op("ReduceSum", weighed, [axis])
    else:
        context = net.op(sums, tokens, [axis])
    found = audit(net.model(net.op("Mul", tokens, context)))
    assert not found.untracked
    assert not found.joins


@pytest.mark.parametrize("op", ["Sub", "Add", "Mul", "Max"])
def test_neighbours_of_one_tensor_that_meet_are_a_filter_and_lie_where_their_middle_is(op: str) -> None:
    net = Net(1, 2, SIZE, SIZE)
    x = even(net, "x", 2, 2, 3)
    ahead = net.op("Slice", x, np.array([2]), np.array([SIZE]), np.array([2]))
    behind = net.op("Slice", x, np.array([0]), np.array([SIZE - 2]), np.array([2]))
    slope = net.op(op, ahead, behind)
    inner = net.op("Slice", x, np.array([1]), np.array([-1]), np.array([2]))
    other = even(net, inner, 2, 2, 3)
    found = audit(net.model(net.op("Concat", slope, other, axis=1)))
    assert not found.joins, "the middle of a difference is where a convolution of three rows has its own"


def test_a_moved_tensor_that_meets_what_was_made_of_it_still_lies_apart() -> None:
    net = Net(1, 2, SIZE, SIZE)
    x = even(net, "x", 2, 2, 3)
    ahead = net.op("Slice", x, np.array([2]), np.array([SIZE]), np.array([2]))
    behind = net.op("Slice", even(net, x, 2, 2, 3), np.array([0]), np.array([SIZE - 2]), np.array([2]))
    found = audit(net.model(net.op("Sub", ahead, behind)))
    assert [join.delta for join in rows(found)] == [2]
