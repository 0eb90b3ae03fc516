from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from auditor.onnxfile import read_model
from auditor.pipeline.decoding import Reading
from auditor.pipeline.placement import Placement
from auditor.sampling import analyse
from auditor.text import ModelText
from auditor.verify.errors import DataError
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.measures.boxes import Boxes
from auditor.verify.measures.detection import Detection, WindowBoxes
from auditor.verify.measures.embedding import Embedding
from auditor.verify.measures.keypoints import Joints
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.poses import Poses
from auditor.verify.measures.tracks import box_tracks, number_tracks, point_tracks, track
from auditor.verify.result import DataKind, Task
from auditor.verify.runner import verify
from auditor.verify.setup import shifts_for
from auditor.verify.shifts.plan import ShiftPlan, ShiftSettings, Unit, Window, no_pairs, plan_frames
from tests.verify.models import saved
from tests.verify.time.clips import SETTINGS, segmenter

S = 8
STEPS = 2 * S + 1


def boxes(step: int, *scores: float) -> Boxes:
    """Boxes that stand still in the picture, seen after a diagonal step."""
    corners = np.array([[30.0, 30, 50, 60], [60.0, 20, 90, 50]])[: len(scores)] - step
    return Boxes(corners, np.array(scores), np.arange(len(scores)))


def test_the_score_of_a_box_that_depends_on_the_grid_alone_repeats_with_it() -> None:
    path = [boxes(step, 0.8 - 0.02 * (step % S), 0.6 + 0.001 * step**2) for step in range(STEPS)]
    first, second = box_tracks(path, 0.5, S)
    assert first.values == pytest.approx([0.8 - 0.02 * (step % S) for step in range(STEPS)])
    assert (first.period, first.unit) == (S, "probability")
    assert first.periodic == pytest.approx(1)
    assert second.periodic is not None
    assert second.periodic < 0.1
    assert first.name == "box 1, class 0: score"


def test_a_box_that_is_not_found_scores_nothing_and_weak_boxes_are_still_found() -> None:
    path = [boxes(0, 0.9), boxes(1, 0.3), Boxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))]
    (found,) = box_tracks(path, 0.5, None)
    assert found.values == (0.9, 0.3, 0.0)
    assert (found.period, found.periodic) == (None, None)


def test_only_boxes_that_reach_the_threshold_are_followed() -> None:
    assert box_tracks([boxes(0, 0.4), boxes(1, 0.9)], 0.5, S) == ()
    assert box_tracks([], 0.5, S) == ()


def test_the_joints_that_move_most_are_followed_and_unseen_ones_are_not() -> None:
    places = np.array([[20.0, 20.0], [40.0, 40.0], [60.0, 60.0], [70.0, 30.0], [80.0, 80.0]])
    points = np.asarray(places[None] - np.arange(STEPS)[:, None, None], np.float64)
    points[:, 1, 0] += np.arange(STEPS) % 4
    points[:, 3, 0] += 5.0 * (np.arange(STEPS) % 2)
    points[:, 4, 0] += 9.0 * (np.arange(STEPS) % 2)
    seen = np.ones((STEPS, 5), bool)
    seen[3, 4] = False
    tracks = point_tracks(points, seen, S)
    assert [found.name for found in tracks][:2] == ["joint 3: place to the right", "joint 1: place to the right"]
    assert len(tracks) == 3
    assert tracks[1].values == pytest.approx(np.arange(STEPS) % 4)
    assert tracks[1].periodic == pytest.approx(1)
    assert tracks[2].periodic is None  # it does not move


def test_each_number_has_a_series_and_a_short_path_has_no_strength() -> None:
    table = np.stack([np.arange(5.0), np.full(5, 2.0)], axis=1)
    first, second = number_tracks(table, ("yaw", "pitch"), S)
    assert (first.name, first.periodic, second.periodic) == ("yaw", None, None)
    assert [list(series.values) for series in (first, second)] == [[0, 1, 2, 3, 4], [2] * 5]
    assert track("x", "px", [0.0, 1.0] * S, 2).periodic == pytest.approx(1)


WALK = 13  # inputs of a path
SIZE = (96, 128)


def shrunk_to_half() -> Unit:
    """A path of one-pixel steps over a picture that the model sees at half of its size."""
    windows = tuple(Window(0, step, step) for step in range(WALK))
    plan = ShiftPlan(windows, no_pairs(), no_pairs(), no_pairs(), np.arange(WALK), no_pairs(), WALK)
    placements = tuple(Placement((192, 256), SIZE, SIZE, origin=(step, step)) for step in range(WALK))
    return Unit(ModelText("picture.png"), None, plan, b"1", placements, native=True)


def test_shifts_of_the_picture_are_undone_in_its_own_pixels() -> None:
    still = np.array([[60.0, 80.0, 92.0, 112.0]])
    seen = tuple(Boxes((still - step) / 2, np.array([0.9]), np.array([0])) for step in range(WALK))
    detector = Detection(("y",), Decoder("yolov8", SIZE, Reading()), SIZE, False, 0.5, None)
    (score,) = detector.row(shrunk_to_half(), WindowBoxes(seen, 0.9), None).tracks
    assert score.values == (0.9,) * WALK
    joints = Joints(("y",), Decoder("heatmap", SIZE, Reading()), SIZE, False, None)
    figures = tuple(Poses((still.reshape(1, 2, 2) - step) / 2, np.ones((1, 2), bool)) for step in range(WALK))
    for place in joints.row(shrunk_to_half(), figures, None).tracks:
        assert place.values == pytest.approx([0] * WALK)


def test_one_figure_is_followed_where_two_change_places_in_the_list() -> None:
    people = np.array([[[20.0, 20.0], [30.0, 40.0]], [[80.0, 30.0], [95.0, 60.0]]])
    figures = []
    for step in range(WALK):
        order = [1, 0] if step % 2 else [0, 1]
        points = (people[order] - step) / 2
        figures.append(Poses(points, np.ones((2, 2), bool), points.reshape(2, 4)))
    joints = Joints(("y",), Decoder("heatmap", SIZE, Reading()), SIZE, False, None)
    tracks = joints.row(shrunk_to_half(), tuple(figures), None).tracks
    assert [place.values for place in tracks] == [pytest.approx([0] * WALK)] * 2
    alone = (people[1:] - 5) / 2
    figures[5] = Poses(alone, np.ones((1, 2), bool), alone.reshape(1, 4))
    assert joints.row(shrunk_to_half(), tuple(figures), None).tracks == ()


def test_nothing_is_followed_over_the_frames_of_a_sequence_which_are_no_shifts() -> None:
    frames = Unit(ModelText("sequence"), None, plan_frames(range(WALK)))
    seen = tuple(Boxes(np.array([[30.0, 40.0, 46.0, 56.0]]), np.array([0.9]), np.array([0])) for _ in range(WALK))
    detector = Detection(("y",), Decoder("yolov8", SIZE, Reading()), SIZE, False, 0.5, 8)
    assert detector.row(frames, WindowBoxes(seen, 0.9), None).tracks == ()
    figures = tuple(Poses(np.full((1, 2, 2), 40.0), np.ones((1, 2), bool)) for _ in range(WALK))
    joints = Joints(("y",), Decoder("heatmap", SIZE, Reading()), SIZE, False, 8)
    assert joints.row(frames, figures, None).tracks == ()


def test_the_positions_of_a_mask_that_is_sampled_come_back_with_the_grid(tmp_path: Path) -> None:
    read = read_model(saved(tmp_path / "m.onnx", segmenter(S)))
    noise = np.random.default_rng(0).integers(0, 256, (3, 20, 20, 1), np.uint8)
    pictures = [Picture(ModelText(str(i)), np.kron(one, np.ones((7, 7, 3), np.uint8))) for i, one in enumerate(noise)]
    settings = replace(SETTINGS, shifts=replace(SETTINGS.shifts, path=2 * S + 4), task=Task.DENSE)
    source = ImageSource(DataKind.ARRAYS, 3, (), lambda: iter(pictures))
    found = verify(read, source, settings, analyse(read)).outputs[0]
    for image in found.images:
        (along,) = image.tracks
        assert (along.name, along.unit, along.period, len(along.values)) == (
            "positions as in the first input",
            "share",
            S,
            2 * S + 5,
        )
        assert [step for step, share in enumerate(along.values) if share == 1] == [0, S, 2 * S]
        assert along.periodic is not None
        assert along.periodic > 0.7
    assert found.most_moved in found.images


def test_an_embedding_is_held_against_that_of_the_first_input() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 2.0], [3.0, 0.0]])
    plan = replace(plan_frames((0, 1, 2, 3)), path=np.array([3, 1, 2]))
    plan = replace(plan, windows=tuple(Window(0, i, i) for i in range(4)))
    (along,) = Embedding(("y",), 2).row(Unit(ModelText("p"), None, plan, b""), vectors, None).tracks
    assert (along.name, along.unit, along.period) == ("cosine to the first input", "ratio", 2)
    assert along.values == pytest.approx([1, np.sqrt(0.5), 0])
    assert along.marks == (2,)


def test_a_path_whose_outputs_do_not_fit_in_memory_is_refused_with_the_length_that_does() -> None:
    with pytest.raises(DataError, match="give --path 1024 or less"):
        shifts_for(Task.DENSE, ShiftSettings(path=1025), 1 << 20)
    assert shifts_for(Task.DENSE, ShiftSettings(path=1024), 1 << 20).path == 1024
