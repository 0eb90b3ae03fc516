"""Phase averaging is recognised by what a graph computes: copies of one site on the batch axis, and their mean."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from auditor.sampling import Analysis
from auditor.sampling.result import Site, SiteKind
from tests.sampling.impulse import audit, quick
from tests.sampling.networks import Net

FAR = 2**31 - 1
Phases = Sequence[tuple[int, ...]]
DIAGONAL: Phases = [(0, 0), (1, 1)]
ALL: Phases = [(0, 0), (0, 1), (1, 0), (1, 1)]


class Copies:
    """A network that samples ``x`` in several phases, as the methods lay them out; ``batch`` is 1."""

    def __init__(self, channels: int = 2, size: int = 16, rank: int = 2) -> None:
        self.net = Net(1, channels, *[size] * rank)
        self.rank, self.channels = rank, channels
        self.weights = self.net.weights(channels, channels, *[3] * rank)

    def cut(self, x: str, phase: tuple[int, ...], channels: tuple[int, int] | None = None) -> str:
        """``x`` without its first samples."""
        starts, stops, axes = list(phase), [FAR] * self.rank, list(range(2, 2 + self.rank))
        if channels is not None:
            starts, stops, axes = [channels[0], *starts], [channels[1], *stops], [1, *axes]
        made: str = self.net.op("Slice", x, starts, stops, axes)
        return made

    def conv(self, x: str, phase: tuple[int, ...], stride: tuple[int, ...], weights: str, pad: int = 1) -> str:
        """The convolution at one phase: with less padding in front where that is enough, else on less of the map."""
        front = [max(pad - move, 0) for move in phase]
        beyond = tuple(max(move - pad, 0) for move in phase)
        back = [pad + move for move in phase]
        made: str = self.net.op(
            "Conv", self.cut(x, beyond) if any(beyond) else x, weights, strides=list(stride), pads=[*front, *back]
        )
        return made

    def mean(self, stacked: str, count: int) -> str:
        """The mean over the parts of the batch axis, behind a global pooling."""
        return self.parts(self.net.op("GlobalAveragePool", self.net.relu(stacked)), count)

    def parts(self, x: str, count: int) -> str:
        split = self.net.op("Split", x, outputs=count, axis=0)
        made: str = self.net.op("Mean", *split)
        return made

    def added(self, x: str, count: int, divides: bool = False) -> str:
        """The same as sums and a product, or a quotient."""
        total, *others = self.net.op("Split", x, outputs=count, axis=0)
        for other in others:
            total = self.net.op("Add", other, total)
        if divides:
            quotient: str = self.net.op("Div", total, self.net.constant(np.array([count], np.float32)))
            return quotient
        product: str = self.net.op("Mul", self.net.constant(np.array(1 / count, np.float32)), total)
        return product

    def audit(self, *outputs: str) -> Analysis:
        return audit(self.net.model(*outputs))


def convolutions(copies: Copies, phases: Phases, stride: tuple[int, ...], x: str = "x") -> str:
    """Convolutions of ``x`` at several phases, on the batch axis."""
    weights = copies.net.constant(copies.weights)
    made: str = copies.net.op("Concat", *(copies.conv(x, phase, stride, weights) for phase in phases), axis=0)
    return made


def only(found: Analysis) -> Site:
    (site,) = found.sites
    return site


@pytest.mark.parametrize(("phases", "passed"), [(DIAGONAL, True), (ALL, True)])
def test_phases_that_a_pooled_head_averages_are_one_site(phases: Phases, passed: bool) -> None:
    copies = Copies()
    found = copies.audit(copies.mean(convolutions(copies, phases, (2, 2)), len(phases)))
    site = only(found)
    assert site.averaged == (len(phases), 4)
    assert len(site.members) == len(phases) - 1
    assert site.offset == (Fraction(0), Fraction(0))
    assert site.alias is not None
    assert site.antialiased == passed == (site.alias.flat <= 0.2)
    assert site.reason.startswith(f"{len(phases)} of 4 phases are kept on the batch axis (phase averaging): ")
    assert not found.joins


@pytest.mark.parametrize("divides", [False, True])
@pytest.mark.parametrize("phases", [DIAGONAL, ALL])
def test_a_scaled_sum_of_phases_is_their_mean(phases: Phases, divides: bool) -> None:
    copies = Copies()
    pooled = copies.net.op("GlobalAveragePool", copies.net.relu(convolutions(copies, phases, (2, 2))))
    found = copies.audit(copies.added(pooled, len(phases), divides))
    meant = Copies()
    assert found.sites == replace_nodes(
        meant.audit(meant.mean(convolutions(meant, phases, (2, 2)), len(phases))), found
    )
    assert only(found).averaged == (len(phases), 4)


def replace_nodes(meant: Analysis, found: Analysis) -> tuple[Site, ...]:
    """The sites of one analysis with the nodes of another of the same sites."""
    return tuple(
        replace(site, node=other.node, members=other.members)
        for site, other in zip(meant.sites, found.sites, strict=True)
    )


def test_a_sum_with_a_part_twice_or_missing_is_no_mean() -> None:
    copies = Copies()
    pooled = copies.net.op("GlobalAveragePool", convolutions(copies, ALL, (2, 2)))
    parts = copies.net.op("Split", pooled, outputs=4, axis=0)
    half = copies.net.constant(np.array(0.5, np.float32))
    twice = copies.net.op("Mul", copies.net.op("Add", parts[0], parts[0]), half)
    assert {site.averaged for site in copies.audit(twice).sites} == {None}
    missing = copies.net.op("Mul", copies.net.op("Add", parts[0], parts[1]), half)
    assert {site.averaged for site in copies.audit(missing).sites} == {None}


@st.composite
def layouts(draw: Any) -> tuple[tuple[int, ...], list[tuple[int, ...]]]:
    stride = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3).filter(lambda s: prod(s) > 1)))
    every = list(product(*(range(step) for step in stride)))
    phases = draw(st.lists(st.sampled_from(every), min_size=2, max_size=6, unique=True))
    return stride, phases


@given(layouts())
@quick
def test_the_number_of_phases_is_right_for_every_stride_and_choice_of_phases(
    layout: tuple[tuple[int, ...], list[tuple[int, ...]]],
) -> None:
    stride, phases = layout
    copies = Copies(size=13, rank=len(stride))
    # Maps of one size: with a padding of one and these sizes every phase has as many windows as the first.
    found = copies.audit(copies.mean(convolutions(copies, phases, stride), len(phases)))
    site = only(found)
    assert site.averaged == (len(phases), prod(stride))
    assert site.factor == stride
    assert not found.joins
    if len(phases) == prod(stride):
        assert site.alias is not None
        assert site.alias.flat == 0.0
        assert site.antialiased


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pools_at_several_phases_are_one_site(kind: str) -> None:
    copies = Copies()
    made = [copies.net.pool(kind, copies.cut("x", phase), 2, 2, ceil_mode=1) for phase in [(0, 0), (1, 1)]]
    site = only(copies.audit(copies.mean(copies.net.op("Concat", *made, axis=0), 2)))
    assert site.averaged == (2, 4)


@pytest.mark.parametrize("phases", [DIAGONAL, ALL])
def test_slices_at_several_phases_are_one_site_and_no_focus(phases: Phases) -> None:
    copies = Copies()
    made = [copies.net.op("Slice", "x", list(phase), [FAR] * 2, [2, 3], [2, 2]) for phase in phases]
    found = copies.audit(copies.mean(copies.net.op("Concat", *made, axis=0), len(phases)))
    site = only(found)
    assert site.kind is SiteKind.SLICE
    assert site.averaged == (len(phases), 4)
    assert site.skipped == 1 - Fraction(len(phases), 4)
    assert site.alias is not None
    assert site.alias.flat == pytest.approx(1 / len(phases) - 1 / 4)


def test_sites_one_behind_the_other_are_told_apart_by_the_order_of_their_means() -> None:
    copies = Copies()
    inner = convolutions(copies, DIAGONAL, (2, 2))
    outer = convolutions(copies, ALL, (2, 2), copies.net.relu(inner))
    found = copies.audit(copies.parts(copies.mean(outer, 4), 2))
    assert [site.averaged for site in found.sites] == [(2, 4), (4, 4)]
    wrong = Copies()
    inner = convolutions(wrong, DIAGONAL, (2, 2))
    outer = convolutions(wrong, ALL, (2, 2), wrong.net.relu(inner))
    found = wrong.audit(wrong.parts(wrong.mean(outer, 2), 4))
    assert [site.averaged for site in found.sites] == [None] * 6


def test_branches_that_are_shifted_together_are_two_sites() -> None:
    copies = Copies()
    trunk = convolutions(copies, DIAGONAL, (2, 2))
    other = copies.net.constant(copies.net.weights(2, 2, 1, 1))
    ones = [copies.conv("x", phase, (2, 2), other, pad=0) for phase in DIAGONAL]
    shortcut = copies.net.op("Concat", *ones, axis=0)
    found = copies.audit(copies.mean(copies.net.op("Add", trunk, shortcut), 2))
    assert [site.averaged for site in found.sites] == [(2, 4), (2, 4)]
    # A 1x1 kernel is no low-pass at all: the two diagonal phases leave it a quarter, and half of its input unread.
    assert [site.antialiased for site in found.sites] == [True, False]
    assert found.sites[1].alias is not None
    assert found.sites[1].alias.flat == pytest.approx(0.25)
    assert found.sites[1].skipped == Fraction(1, 2)


def test_maps_that_are_averaged_position_for_position_are_only_filtered() -> None:
    copies = Copies()
    mean = copies.parts(convolutions(copies, ALL, (2, 2)), 4)
    found = copies.audit(copies.net.op("GlobalAveragePool", copies.net.relu(mean)))
    site = only(found)
    assert site.averaged == (4, 4)
    assert "averaged where position still matters" in site.reason
    assert site.alias is not None
    assert site.alias.flat > 0.1


def test_a_head_that_knows_positions_cancels_no_replica() -> None:
    copies = Copies()
    flat = copies.net.op("Flatten", convolutions(copies, ALL, (2, 2)))
    found = copies.audit(copies.parts(copies.net.linear(flat, 128, 4), 4))
    site = only(found)
    assert site.alias is not None
    assert site.alias.flat > 0.1


def look_alike(what: str) -> Analysis:
    """A network with two strided convolutions that are not one site in two phases."""
    copies = Copies(channels=4 if what == "other channels" else 2)
    weights = copies.net.constant(copies.weights[:, :2])
    read = ["x", "x"]
    if what == "another map":
        read = ["x", copies.net.relu("x")]
    elif what == "other channels":
        read = [copies.cut("x", (0, 0), half) for half in ((0, 2), (2, 4))]
    elif what == "further than a stride":
        read = ["x", copies.net.op("Pad", copies.cut("x", (2, 2)), [0, 0, 0, 0, 0, 0, 2, 2])]
    phases = [(0, 0), (0, 0) if what == "the same phase" else (1, 1)]
    pair = [copies.conv(x, phase, (2, 2), weights) for x, phase in zip(read, phases, strict=True)]
    if what == "other weights":
        pair[1] = copies.conv("x", (1, 1), (2, 2), copies.net.constant(copies.net.weights(2, 2, 3, 3)))
    elif what == "another dilation":
        pair[1] = copies.net.op("Conv", "x", weights, strides=[2, 2], pads=[1, 1, 3, 3], dilations=[2, 2])
    axis = 1 if what == "on the channels" else 0
    pooled = copies.net.op("GlobalAveragePool", copies.net.op("Concat", *pair, axis=axis))
    return copies.audit(pooled if axis else copies.parts(pooled, 2))


@pytest.mark.parametrize(
    "what",
    [
        "other weights",
        "on the channels",
        "the same phase",
        "another map",
        "other channels",
        "further than a stride",
        "another dilation",
    ],
)
def test_what_only_looks_like_phases_of_one_site_stays_two_sites(what: str) -> None:
    found = look_alike(what).sites
    assert len(found) >= 2
    assert {site.averaged for site in found} == {None}


def test_phases_that_nothing_averages_stay_sites_of_their_own() -> None:
    copies = Copies()
    pooled = copies.net.op("GlobalAveragePool", convolutions(copies, DIAGONAL, (2, 2)))
    assert [site.averaged for site in copies.audit(pooled).sites] == [None, None]
    copies = Copies()
    pooled = copies.net.op("GlobalAveragePool", convolutions(copies, DIAGONAL, (2, 2)))
    first, _ = copies.net.op("Split", pooled, outputs=2, axis=0)
    assert [site.averaged for site in copies.audit(copies.parts(pooled, 2), first).sites] == [None, None]
    copies = Copies()
    pooled = copies.net.op("GlobalAveragePool", convolutions(copies, DIAGONAL, (2, 2)))
    first, second = copies.net.op("Split", pooled, outputs=2, axis=0)
    weighted = copies.net.op("Mean", first, first, second)
    assert [site.averaged for site in copies.audit(weighted).sites] == [None, None]
