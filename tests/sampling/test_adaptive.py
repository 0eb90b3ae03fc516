"""Adaptive pools and nearest neighbours whose sizes do not divide, as exporters write them with constant indices."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditor.sampling.result import SiteKind
from tests.sampling.impulse import Array, audit, build, hold, node, quick

Draw = Any


def windows(size: int, count: int) -> Array:
    """The positions that each output of an adaptive pool averages, where all of them take equally many."""
    starts = [place * size // count for place in range(count)]
    ends = [-(-(place + 1) * size // count) for place in range(count)]
    lengths = {end - start for start, end in zip(starts, ends, strict=True)}
    assume(len(lengths) == 1)
    return np.array(starts)[:, None] + np.arange(lengths.pop())


def step_of(places: Array, size: int) -> Fraction:
    """The step of a line of positions: a whole number where all are equally far apart, else the size over the count."""
    apart = set(np.diff(places).tolist())
    return Fraction(apart.pop()) if len(apart) == 1 else Fraction(size, len(places))


def pooled(high: Array, wide: Array, shape: list[int], *, reduce: str = "ReduceMean", separate: bool = False) -> Any:
    """An adaptive pool: windows gathered from the front of the picture, and a mean over them."""
    constants: dict[str, Array] = {}
    if separate:
        nodes = [
            node("Gather", ["x", "high"], ["a"], axis=2),
            node("Gather", ["a", "wide"], ["b"], axis=4),
            node(reduce, ["b"], ["y"], axes=[3, 5], keepdims=0),
        ]
        constants = {"high": high, "wide": wide}
    else:
        rows, columns = np.broadcast_arrays(high[:, :, None, None], wide[None, None])
        constants = {"places": np.stack([rows, columns], -1).astype(np.int64)}
        nodes = [
            node("Transpose", ["x"], ["t"], perm=[2, 3, 0, 1]),
            node("GatherND", ["t", "places"], ["g"]),
            node("Transpose", ["g"], ["b"], perm=[4, 5, 0, 1, 2, 3]),
            node(reduce, ["b"], ["y"], axes=[3, 5], keepdims=0),
        ]
    return build(nodes, shape, constants, opset=17)


@given(data=st.data())
@quick
def test_an_adaptive_pool_that_does_not_divide_steps_by_the_size_over_the_count(data: Draw) -> None:
    sizes = [data.draw(st.integers(9, 20)) for _ in range(2)]
    counts = [data.draw(st.integers(3, size - 1)) for size in sizes]
    high, wide = (windows(size, count) for size, count in zip(sizes, counts, strict=True))
    shape = [1, 2, *sizes]
    model = pooled(high, wide, shape, separate=data.draw(st.booleans()))
    starts = (high[:, 0], wide[:, 0])
    steps = [step_of(start, size) for start, size in zip(starts, sizes, strict=True)]
    assume(min(steps) > 1)
    period = {2 + axis: step.denominator for axis, step in enumerate(steps)}
    found = hold(model, shape, {2: 2, 3: 3}, period=period, margin=0, tight=False)
    (site,) = found.sites
    assert (site.kind, site.factor) == (SiteKind.AVERAGE_POOL, tuple(steps))
    assert site.kernel == (high.shape[1], wide.shape[1])
    assert site.alias is not None
    for lattice, step, size, count in zip(found.tensors["y"][2:], steps, sizes, counts, strict=True):
        assert lattice is not None
        assert lattice.stride == step
        if step == Fraction(size, count):
            assert lattice.offset == (step - 1) / 2


@given(size=st.integers(8, 24), count=st.integers(4, 40), form=st.sampled_from(["Gather", "GatherND"]))
@quick
def test_nearest_neighbours_taken_by_constant_indices_are_a_resize(size: int, count: int, form: str) -> None:
    assume(count != size)
    places = ((2 * np.arange(count) + 1) * size) // (2 * count)
    step = step_of(places, size)
    assume(step > 0)
    if form == "Gather":
        nodes, constants = [node("Gather", ["x", "places"], ["y"], axis=2)], {"places": places}
    else:
        nodes = [
            node("Transpose", ["x"], ["t"], perm=[2, 0, 1]),
            node("GatherND", ["t", "places"], ["g"]),
            node("Transpose", ["g"], ["y"], perm=[1, 2, 0]),
        ]
        constants = {"places": places[:, None]}
    model = build(nodes, [1, 5, size], constants)
    found = hold(model, [1, 5, size], {2: 2}, period={2: step.denominator}, margin=0, tight=None)
    assert [site.factor for site in found.sites] == ([(step,)] if step > 1 else [])


def test_a_stride_behind_an_enlarged_grid_is_a_site_of_its_own() -> None:
    nodes = [
        node("Gather", ["x", "places"], ["g"], axis=2),
        node("MaxPool", ["g"], ["y"], kernel_shape=[2], strides=[2]),
    ]
    found = audit(build(nodes, [1, 5, 16], {"places": np.arange(32) // 2}))
    assert [site.factor for site in found.sites] == [(Fraction(2),)]
    assert found.subsampling == 1


@pytest.mark.parametrize("places", [[0, 1, 3, 4, 5, 7, 8, 9], [0, 0, 0, 1, 4, 7, 9, 9], [9, 7, 2, 0, 1, 3, 4, 8]])
def test_other_constant_indices_leave_no_lattice(places: list[int]) -> None:
    found = audit(build([node("Gather", ["x", "places"], ["y"], axis=2)], [1, 5, 20], {"places": np.array(places)}))
    assert [region.node.op.raw for region in found.untracked] == ["Gather"]
