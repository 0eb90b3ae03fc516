from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from auditor.pipeline import decode
from auditor.pipeline.decoding import Detections, Keypoints, Reading
from auditor.pipeline.placement import Placement
from auditor.text import ModelText
from auditor.verify.measures.keypoints import (
    BORDER,
    Joints,
    by_joint,
    jitter,
    joint_moves,
    normalised_error,
    quantised_share,
)
from auditor.verify.measures.layouts import Decoder
from auditor.verify.measures.poses import Poses, brought_figures, compare_figures, figures_of, in_the_picture
from auditor.verify.measures.task import Sides
from auditor.verify.shifts.plan import Pairs, Unit, plan_frames

WINDOW = (200, 240)
FACE = np.array([[60.0, 80.0], [100.0, 80.0], [80.0, 120.0], [70.0, 140.0], [90.0, 140.0]])


def figure(points: np.ndarray, pitch: tuple[float, float] = (0.0, 0.0)) -> Poses:
    return Poses(points[None], np.ones((1, len(points)), bool), None, pitch)


def pairs(*shifts: tuple[float, float]) -> Pairs:
    count = len(shifts)
    return Pairs(np.zeros(count, np.int64), np.arange(1, count + 1), np.array(shifts, float).reshape(-1, 2))


def test_points_that_move_with_the_picture_do_not_tremble() -> None:
    shifts = [(3, -5), (0, 1), (-8, 2)]
    inputs = [figure(FACE), *(figure(FACE - [dx, dy]) for dy, dx in shifts)]
    moves = joint_moves(inputs, pairs(*shifts), WINDOW)
    assert len(moves) == 15
    assert jitter(moves) == pytest.approx(0)
    assert normalised_error(moves) == pytest.approx(0)


def test_the_median_the_95th_percentile_and_the_worst_joint_are_those_of_the_distances() -> None:
    moved = FACE - [2, 1]
    moved[:, 0] += [1, 1, 1, 1, 9]
    moves = joint_moves([figure(FACE), figure(moved)], pairs((1, 2)), WINDOW)
    assert jitter(moves) == pytest.approx(1)
    assert jitter(moves, 0.95) == pytest.approx(np.percentile([1, 1, 1, 1, 9], 95))
    assert by_joint(moves, 6)[:5] == pytest.approx([1, 1, 1, 1, 9])
    assert np.isnan(by_joint(moves, 6)[5])


def test_an_error_is_relative_to_the_box_of_the_points() -> None:
    moves = joint_moves([figure(FACE), figure(np.add(FACE, [0, 3]))], pairs((0, 0)), WINDOW)
    assert normalised_error(moves) == pytest.approx(3 / np.sqrt(40 * 60))


def test_an_error_of_68_face_points_is_relative_to_the_outer_corners_of_the_eyes() -> None:
    face = np.random.default_rng(0).uniform(40, 160, (68, 2))
    face[36], face[45] = (60, 90), (110, 90)
    moves = joint_moves([figure(face), figure(np.add(face, [2, 0]))], pairs((0, 0)), WINDOW)
    assert normalised_error(moves) == pytest.approx(2 / 50)


def test_joints_outside_of_either_input_and_unseen_joints_do_not_count() -> None:
    edge = FACE.copy()
    edge[0] = (1, 80)  # near the border of the reference
    edge[1] = (20, 80)  # leaves the moved input, which lies 30 px to the right
    seen = np.array([[True, True, True, False, True]])
    left, right = Poses(edge[None], seen), Poses((edge - [30, 0])[None], np.ones((1, 5), bool))
    assert sorted(joint_moves([left, right], pairs((0, 30)), WINDOW).joint) == [2, 4]


def test_two_people_are_told_apart_by_their_boxes_whatever_their_order() -> None:
    boxes = np.array([[50.0, 70, 110, 150], [120, 60, 190, 150]])
    people = np.stack([FACE, np.add(FACE, [70, 0])])
    seen = np.ones((2, 5), bool)
    swapped = Poses(people[::-1] - [4, 0], seen, boxes[::-1] - [4, 0, 4, 0])
    moves = joint_moves([Poses(people, seen, boxes), swapped], pairs((0, 4)), WINDOW)
    assert len(moves) == 10
    assert jitter(moves, 1.0) == pytest.approx(0)


@pytest.mark.parametrize("pitch", [4.0, 2.0, 0.5])
def test_the_whole_jitter_of_an_exact_model_that_is_read_on_a_grid_is_quantisation(pitch: float) -> None:
    draw = np.random.default_rng(1)
    shifts = [(float(dy), float(dx)) for dy, dx in draw.integers(-6, 7, (400, 2)) + draw.choice([0.25, 0.75], (400, 2))]
    points = draw.uniform(60, 140, (400, 2))
    truth = np.concatenate([points[:1], points[1:]])
    inputs, rows = [], []
    for index, (dy, dx) in enumerate(shifts):
        inputs += [np.round(truth[index] / pitch) * pitch, np.round((truth[index] - [dx, dy]) / pitch) * pitch]
        rows.append((2 * index, 2 * index + 1))
    ends = np.array(rows)
    plan = Pairs(ends[:, 0], ends[:, 1], np.array(shifts))
    moves = joint_moves([figure(point[None], (pitch, pitch)) for point in inputs], plan, WINDOW)
    assert moves.quantised.sum() == pytest.approx(np.square(moves.distance).sum(), rel=0.15)
    assert quantised_share(moves) > 0.85


def test_little_of_a_large_jitter_is_quantisation_and_nothing_of_a_shift_by_whole_cells() -> None:
    far = joint_moves([figure(FACE, (4, 4)), figure(np.add(FACE, [20, 0]), (4, 4))], pairs((1, 2)), WINDOW)
    assert quantised_share(far) < 0.02
    whole = joint_moves([figure(FACE, (4, 4)), figure(FACE - [8, 4] + [4, 0], (4, 4))], pairs((4, 8)), WINDOW)
    assert quantised_share(whole) == 0


def test_points_that_never_move_have_no_share() -> None:
    assert np.isnan(quantised_share(joint_moves([figure(FACE), figure(FACE)], pairs((0, 0)), WINDOW)))


@pytest.mark.parametrize(("refine", "pitch"), [("argmax", 4.0), ("quarter", 2.0), ("dark", 0.0)])
def test_the_grid_of_a_heat_map_follows_from_how_its_peak_is_read(refine: str, pitch: float) -> None:
    y, x = np.mgrid[:24, :32]
    peaks = [np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 8) for cx, cy in ((10.3, 8.2), (20.1, 12.4), (15.2, 14.9))]
    outputs = {"maps": np.stack(peaks)[None].astype(np.float32)}
    answer = decode(outputs, "heatmap", input_size=(96, 128), refine=refine)
    assert isinstance(answer, Keypoints)
    assert answer.pitch == (pitch, pitch)
    if pitch:
        phases = (answer.points / pitch) % 1
        assert np.all(np.isclose(phases, phases[0], atol=1e-9) | np.isclose(np.abs(phases - phases[0]), 1, atol=1e-9))


def test_simcc_has_two_places_a_pixel() -> None:
    across, down = np.zeros((1, 5, 128), np.float32), np.zeros((1, 5, 96), np.float32)
    across[:, :, 31] = down[:, :, 20] = 0.9
    answer = decode({"simcc_x": across, "simcc_y": down}, "simcc", input_size=(48, 64))
    assert isinstance(answer, Keypoints)
    assert answer.pitch == (0.5, 0.5)


def test_a_face_that_is_not_there_has_no_visible_point() -> None:
    assert figures_of(Keypoints(FACE, presence=0.9)).visible.all()
    assert not figures_of(Keypoints(FACE, presence=0.1)).visible.any()
    assert figures_of(Keypoints(FACE, np.array([0.9, 0.2, 0.9, 0.9, 0.9]))).visible.tolist() == [
        [True, False, True, True, True]
    ]


def test_boxes_without_points_are_no_figures() -> None:
    with pytest.raises(ValueError, match="no keypoints"):
        figures_of(Detections(np.zeros((1, 4)), np.ones(1), np.zeros(1, np.int64)))


def test_joints_of_an_input_of_another_size_are_compared_in_pixels_of_the_model() -> None:
    def unit(placement: Placement) -> Unit:
        return Unit(ModelText("face"), None, plan_frames((0,)), b"", (placement,), native=True)

    here = unit(Placement((100, 120), (200, 240), out=(200, 240), origin=(3, 5)))
    there = unit(Placement((100, 120), (100, 120), out=(120, 120), top=10, origin=(3, 5)))
    # The same face in the smaller input, below the padding of ten rows, one of its pixels too far right.
    seen = figure(FACE / 2 + [1, 10], pitch=(4.0, 4.0))
    (brought,) = brought_figures([seen], Sides(here, there))
    assert brought.points[0] == pytest.approx(FACE + np.array([2, 0]))
    assert brought.pitch == (8.0, 8.0)
    alike, moves = compare_figures(figure(FACE), brought)
    assert moves == pytest.approx(np.tile([-2.0, 0.0], (5, 1)))
    assert alike == 1  # two pixels are less than a twentieth of the figure's size
    assert compare_figures(figure(FACE), figure(FACE + np.array([30, 0])))[0] == 0


@pytest.mark.parametrize(("right", "counted"), [(5.0, False), (11.0, True)])
def test_the_border_of_a_native_window_is_two_pixels_of_the_model(right: float, counted: bool) -> None:
    # Four pixels of the picture are one of the model: eight are too near its edge.
    placement = Placement((100, 120), (25, 30), out=(25, 30))
    unit = Unit(ModelText("face"), None, plan_frames((0, 1)), b"", (placement, placement), native=True)
    face = np.array([[right, 50.0], [60.0, 50.0]])
    seen = tuple(figure(placement.to_input(points)) for points in (face, face - [1, 1]))
    moves = joint_moves(in_the_picture(seen, unit), pairs((1, 1)), placement.picture, border=BORDER / 0.25)
    assert (0 in moves.joint) is counted
    assert moves.distance == pytest.approx(0, abs=1e-9)
    plan = replace(unit.plan, pairs=pairs((1, 1)), distances=pairs(), neighbours=pairs(), path=np.zeros(0, np.int64))
    row = Joints(("y",), Decoder("landmarks", (25, 30), Reading()), (25, 30), False, None).row(
        replace(unit, plan=plan), seen, None
    )
    assert row.compared == 1 + counted
