"""The change by shifts, split into what the sampling grid loses and what border and content do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs
from onnx import ModelProto, helper

from auditor.onnxfile import read_model
from auditor.repair.search.reached import reached_words
from auditor.report.words.splitting import split_lines
from auditor.sampling import analyse
from auditor.verify.result import ProtocolKind, Task, Verification
from auditor.verify.runner import verify
from auditor.verify.settings import VerifySettings
from auditor.verify.shifts.plan import ShiftSettings
from auditor.verify.shifts.protocols import SPLIT_PAIRS, Protocol
from auditor.verify.split import LossSplit
from tests.verify.models import classifier, model, saved
from tests.verify.test_reference import dense
from tests.verify.test_runner import CIRCULAR, SETTINGS, network, pictures, source

Nodes = tuple[tuple[str, dict[str, Any]], ...]
POOL: Nodes = (("MaxPool", {"kernel_shape": [2, 2], "strides": [4, 4]}),)
# Zeros outside, no stride: what a shift changes comes in at the border.
PADDED: Nodes = (("Conv", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}), ("Relu", {}))
ROLL = replace(SETTINGS, protocol=ProtocolKind.ROLL)


def measured(path: Path, made: ModelProto, settings: VerifySettings = SETTINGS, count: int = 24) -> Verification:
    read = read_model(saved(path / "m.onnx", made))
    return verify(read, source(pictures(count)), settings, analyse(read))


def split_of(found: Verification) -> LossSplit:
    (split,) = found.outputs[0].splits
    return split


def test_a_circular_network_loses_nothing_but_by_its_grid(tmp_path: Path) -> None:
    found = measured(tmp_path, network(*CIRCULAR, *POOL), ROLL)
    split = split_of(found)
    assert (split.measure, split.period, split.radius) == ("j", 4, 4)
    assert split.border < 1e-9
    assert split.grid == pytest.approx(1)
    ends = {one.measure: one for one in split.ceilings}
    assert ends["consistency"].aligned == 1
    assert ends["mac"].aligned < 1e-6 < ends["mac"].beside


def test_a_network_without_a_stride_loses_nothing_by_a_grid(tmp_path: Path) -> None:
    split = split_of(measured(tmp_path, network(*PADDED), replace(SETTINGS, period=4, radius=8), 60))
    assert split.interval is not None
    assert split.interval.low < 1 < split.interval.high
    assert split.grid < 0.2
    # Without room for longer shifts beside the multiples, border and content come out too large, never too small.
    short = split_of(measured(tmp_path, network(*PADDED), replace(SETTINGS, period=4), 60))
    assert short.grid == 0


def test_zeros_and_a_grid_share_the_loss(tmp_path: Path) -> None:
    """Neither part is all of it, and a blur in front of the stride takes from the grid's."""
    blur: Nodes = (("AveragePool", {"kernel_shape": [7, 7], "pads": [3, 3, 3, 3]}),)
    sharp = split_of(measured(tmp_path, network(*PADDED, *POOL), count=48))
    soft = split_of(measured(tmp_path, network(*PADDED, *blur, *POOL), count=48))
    assert sharp.period == soft.period == 4
    assert 0.3 < sharp.grid < 0.95
    assert soft.grid < sharp.grid - 0.2


@pytest.mark.parametrize("kind", [ProtocolKind.CROP, ProtocolKind.ROLL, ProtocolKind.EMBED_BLACK])
@pytest.mark.parametrize(("period", "margin"), [(2, 4), (4, 4), (8, 16), (16, 32)])
def test_both_shifts_go_one_way_from_one_start_about_equally_far(kind: ProtocolKind, period: int, margin: int) -> None:
    protocol = Protocol(kind, (64, 80), margin, period=period, embedded=0.4)
    settings = ShiftSettings(margin, distances=(1,))
    lengths: list[tuple[int, int]] = []
    for image in range(60):
        plan = protocol.plan(image, settings)
        on, off = protocol.beside(plan)
        assert len(on.pairs) == len(off.pairs) == SPLIT_PAIRS
        assert on.windows[0] == off.windows[0] == plan.windows[0]
        for one, other in zip(on.pairs.shift, off.pairs.shift, strict=True):
            assert not (one % period).any()
            assert (other % period).any()
            assert (one != 0).tolist() == (other != 0).tolist()
            assert (one != 0).sum() == 1
            assert (one * other >= 0).all()
            lengths.append((int(np.abs(one).sum()), int(np.abs(other).sum())))
        starts = [[ends.windows[index][1:3] for index in ends.pairs.reference] for ends in (on, off)]
        assert starts[0] == starts[1]
        for ends in (on, off):
            for reference, moved, shift in zip(ends.pairs.reference, ends.pairs.moved, ends.pairs.shift, strict=True):
                first, second = ends.windows[reference], ends.windows[moved]
                assert protocol.positions.holds(second.y, second.x)
                there = protocol.positions.normal(first.y + int(shift[0]), first.x + int(shift[1]))
                assert there == (second.y, second.x)
    far, near = np.array(lengths).T
    assert set(far.tolist()) == set(range(period, max(margin - period // 2, period) + 1, period))
    assert (np.abs(far - near) <= period // 2).all()
    assert len(set((near - far).tolist())) >= period // 2
    # Longer ones as well as shorter ones where there is room for them.
    room = period + period // 2 <= margin
    assert ((near > far).any() and (near < far).any()) == room
    assert near.max() <= margin


def test_it_changes_no_other_number_and_is_no_other_shift(tmp_path: Path) -> None:
    read = read_model(saved(tmp_path / "m.onnx", classifier()))
    alone = verify(read, source(pictures(9)), SETTINGS)
    split = verify(read, source(pictures(9)), SETTINGS, analyse(read))
    assert not alone.outputs[0].splits
    assert split.outputs[0].splits
    assert split.shifts == structs.replace(alone.shifts, distinct=split.shifts.distinct)
    assert [one.value for one in split.outputs[0].measures] == pytest.approx(
        [one.value for one in alone.outputs[0].measures], rel=1e-6
    )


def test_a_factor_beyond_the_shifts_is_said_and_one_of_one_is_not(tmp_path: Path) -> None:
    far = measured(tmp_path, network(*CIRCULAR, ("MaxPool", {"kernel_shape": [8, 8], "strides": [8, 8]})), count=9)
    assert not far.outputs[0].splits
    assert any("every 8 px, and shifts go to 4 px" in note for note in far.notes)
    none = measured(tmp_path, network(*CIRCULAR), count=9)
    assert not none.outputs[0].splits
    assert not any("split" in note for note in none.notes)


def test_maps_are_split_by_the_square_of_their_error(tmp_path: Path) -> None:
    settings = replace(SETTINGS, task=Task.DENSE, period=2)
    assert not measured(tmp_path, dense(5), settings, 9).outputs[0].splits  # nothing changes
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1])]
    weights = {"w": np.random.default_rng(1).normal(size=(5, 3, 3, 3)).astype(np.float32)}
    padded = model(nodes, {"x": [1, 3, 16, 16]}, {"y": [1, 5, 16, 16]}, weights)
    split = split_of(measured(tmp_path, padded, settings, 9))
    assert split.border == pytest.approx(1, abs=0.35)
    assert split.measure == "equivariance-error"
    assert {one.measure for one in split.ceilings} == {"massc", "equivariance-error", "cosine"}


def test_few_pictures_leave_it_open(tmp_path: Path) -> None:
    found = measured(tmp_path, classifier(), count=5)
    split = split_of(found)
    assert split.interval is None
    assert not split.decided
    assert "so few pictures" in " ".join(split_lines(found.outputs[0]))
    many = measured(tmp_path, network(*CIRCULAR, *POOL), ROLL)
    (first, second) = split_lines(many.outputs[0])
    assert first.startswith("of the change (J) at shifts of 4 px about 100 % [100, 100] is the sampling grid's") or (
        "no part is told" in first
    )
    assert second.startswith("the ceiling of any repair is what holds at multiples of 4 px: consistency 100.0 % (")


def test_a_rewrite_is_told_by_what_it_took_of_the_part_that_can_be_reached(tmp_path: Path) -> None:
    settings = replace(ROLL, period=4)
    base = measured(tmp_path, network(*CIRCULAR, *POOL), settings)
    still = measured(tmp_path, network(*CIRCULAR), settings)
    (nothing,) = reached_words(base, base)
    (much,) = reached_words(base, still)
    assert "of the change (J) by 4 px is the sampling grid's" in nothing
    assert nothing.endswith("the rewrite took 0 % [0, 0]")
    assert much.endswith("the rewrite took 100 % [100, 100]")
