from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import ModelProto, helper
from PIL import Image

from auditor.pipeline.geometry import Geometry
from auditor.verify.arrays import AnyArray
from auditor.verify.example import Jpeg
from auditor.verify.images.preprocess import (
    ChannelOrder,
    ImageLayout,
    Preprocessing,
    preset,
    to_levels,
    to_tensor,
)
from auditor.verify.measures.class_changes import nearest_change, seen_answers
from auditor.verify.measures.object_scores import MOST_SEEN, FollowedBox, moving_box
from auditor.verify.result import ProtocolKind, Task
from auditor.verify.shifts.plan import PlanBuilder, ShiftPlan, Window, no_pairs
from auditor.verify.shown import MOST_BOXES
from tests.verify.models import brightest_box, model
from tests.verify.test_runner import SETTINGS, pictures, run

SHOWN = replace(SETTINGS, thumbnails=True)
CLASSES = replace(SHOWN, task=Task.CLASSIFICATION)


def plan(*steps: tuple[Window, Window], path: int = 0) -> ShiftPlan:
    builder = PlanBuilder(Window(0, 8, 8))
    pairs = builder.pairs((one, two, (float(two.y - one.y), float(two.x - one.x))) for one, two in steps)
    return builder.build(pairs, no_pairs(), no_pairs(), builder.path(()), no_pairs())


def scores(*winners: tuple[int, float]) -> AnyArray:
    """Probabilities of three classes: the winner has its score, the others share the rest."""
    rows = np.full((len(winners), 3), 0.0)
    for row, (winner, score) in zip(rows, winners, strict=True):
        row[:] = (1 - score) / 2
        row[winner] = score
    return rows


def test_the_nearest_of_the_changed_pairs_is_shown_and_of_two_as_near_the_larger_change() -> None:
    base, far, near, stronger = Window(0, 8, 8), Window(0, 8, 16), Window(0, 8, 9), Window(0, 9, 8)
    answers = scores((0, 0.6), (1, 0.9), (1, 0.5), (2, 0.8))
    found = nearest_change(answers, plan((base, far), (base, near), (base, stronger)))
    assert found is not None
    assert (found.step, found.after.shift, found.after.answer) == ((1.0, 0.0), (1.0, 0.0), 2)
    assert (found.before.answer, found.before.score) == (0, 0.6)
    assert found.before.other == pytest.approx(0.2)
    assert found.after.score == 0.8


def test_every_shift_has_its_answer_once_and_frames_and_other_canvases_have_none() -> None:
    base, near, frame, canvas = Window(0, 8, 8), Window(0, 8, 9), Window(1, 8, 8), Window(0, 8, 8, 1)
    made = plan((base, near), (base, frame), (base, canvas))
    found = seen_answers(scores((0, 0.6), (2, 0.5), (1, 0.9), (1, 0.8)), made)
    assert [(seen.shift, seen.answer, seen.score) for seen in found] == [((0, 0), 0, 0.6), ((0, 1), 2, 0.5)]


def test_pairs_with_one_class_are_no_example() -> None:
    base, near = Window(0, 8, 8), Window(0, 8, 9)
    assert nearest_change(scores((0, 0.6), (0, 0.9)), plan((base, near))) is None


def test_frames_and_other_canvases_are_no_example_of_a_shift() -> None:
    base = Window(0, 8, 8)
    for other in (Window(1, 8, 8), Window(0, 8, 8, 1)):
        assert nearest_change(scores((0, 0.6), (1, 0.9)), plan((base, other))) is None


def test_the_box_whose_score_moves_most_is_shown_with_both_ends_of_its_score() -> None:
    windows = [Window(0, 0, x) for x in range(60)]
    corners = np.tile(np.array([[10.0, 10, 30, 30]]), (60, 1))
    still = FollowedBox(1, tuple(range(60)), np.full(60, 0.9), corners)
    moving = FollowedBox(2, tuple(range(60)), np.where(np.arange(60) == 41, 0.0, 0.8), corners)
    moving.corners[41] = np.nan
    found = moving_box([still, moving], windows, (100, 120), 0.5)
    assert found is not None
    assert (found.answer, found.extent, found.seen[0].shift) == (2, (100.0, 120.0), (0.0, 0.0))
    assert len(found.seen) <= MOST_SEEN
    assert (found.lowest.score, found.lowest.corners, found.lowest.shift) == (0.0, None, (0.0, 41.0))
    assert found.highest.score == 0.8
    assert moving_box([], windows, (100, 120), 0.5) is None


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["imagenet", "caffe-bgr", "unit", "raw"]),
    st.sampled_from([ImageLayout.NCHW, ImageLayout.NHWC]),
    st.integers(0, 2**32 - 1),
)
def test_an_input_turned_back_is_the_picture_that_it_was_made_of(name: str, layout: ImageLayout, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    preprocessing = replace(preset(name), layout=layout)
    swapped = picture[..., ::-1] if preprocessing.order is ChannelOrder.BGR else picture
    assert (to_levels(to_tensor(swapped, preprocessing), preprocessing) == picture).all()


def test_a_grey_input_without_a_channel_axis_is_turned_back_too() -> None:
    picture = np.arange(35, dtype=np.uint8).reshape(5, 7, 1)
    preprocessing = Preprocessing(scale=1 / 255, channels=1, layout=ImageLayout.NHW, geometry=Geometry())
    assert (to_levels(to_tensor(picture, preprocessing), preprocessing) == picture).all()


def flighty() -> ModelProto:
    """Which channel has the largest mean over every eighth pixel: on noise another one at nearly every shift."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["some"], kernel_shape=[1, 1], strides=[8, 8]),
        helper.make_node("GlobalAveragePool", ["some"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["y"]),
    ]
    return model(nodes, {"x": ["N", 3, 16, 16]}, {"y": ["N", 3]})


def opened(thumbnail: Jpeg) -> AnyArray:
    return np.asarray(Image.open(io.BytesIO(thumbnail.data)).convert("RGB"), dtype=np.float64)


def test_thumbnails_show_the_two_windows_of_a_change(tmp_path: Path) -> None:
    items = pictures(6, size=64)
    found = run(tmp_path, flighty(), items, CLASSES)
    (output,) = found.outputs
    changed = [image for image in output.images if image.class_change is not None]
    assert len(found.shown) == len(changed) == 6
    assert {output.images[one.index].name.raw for one in found.shown} == {image.name.raw for image in changed}
    for one in found.shown:
        assert one.before.size == (16, 16)
        assert one.after is not None
        assert np.abs(opened(one.before) - opened(one.after)).mean() > 1


def test_a_detector_is_shown_on_few_pictures_with_one_thumbnail_each(tmp_path: Path) -> None:
    found = run(tmp_path, brightest_box(), pictures(6, size=64), replace(SHOWN, box_score=0.1))
    assert len(found.shown) <= MOST_BOXES
    assert all(one.after is None for one in found.shown)
    for one in found.shown:
        assert found.outputs[0].images[one.index].moving_box is not None


def test_nobody_who_asks_for_no_page_pays_for_thumbnails(tmp_path: Path) -> None:
    assert run(tmp_path, flighty(), pictures(3, size=64), replace(CLASSES, thumbnails=False)).shown == ()


@pytest.mark.parametrize("kind", [ProtocolKind.ROLL, ProtocolKind.EMBED_BLACK, ProtocolKind.SUBPIXEL])
def test_every_protocol_can_be_shown_or_shows_nothing(tmp_path: Path, kind: ProtocolKind) -> None:
    found = run(tmp_path, flighty(), pictures(4, size=64), replace(CLASSES, protocol=kind))
    for one in found.shown:
        assert found.outputs[0].images[one.index].class_change is not None
