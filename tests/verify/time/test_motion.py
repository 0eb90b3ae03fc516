"""The motion between two frames is told to a fraction of a pixel, and noise at rest is told from a motion."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from auditor.verify.arrays import AnyArray, FloatArray
from auditor.verify.time.motion import motion
from auditor.verify.time.moved import moved
from auditor.verify.time.static import is_static, static_blocks


def texture(dy: float, dx: float, size: int = 96) -> FloatArray:
    """A sum of waves, known between the pixels too, whose content has moved down by dy and right by dx."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:size, :size] - np.array([dy, dx]).reshape(2, 1, 1)
    picture = np.full((size, size), 128.0)
    for _ in range(40):
        fy, fx = rng.normal(scale=0.09, size=2)
        picture += 6 * np.cos(2 * np.pi * (fy * rows + fx * columns + rng.uniform()))
    return picture


@pytest.mark.parametrize("move", [(0, 0), (0.25, -0.5), (3, 5), (-7.3, 2.6), (0.08, 0.03), (12.5, -14.75)])
def test_a_known_motion_is_found_to_a_fiftieth_of_a_pixel(move: tuple[float, float]) -> None:
    seen = motion(texture(0, 0), texture(*move))
    assert seen is not None
    assert (seen.down, seen.right) == pytest.approx(move, abs=0.02)


@pytest.mark.parametrize("level", [2.0, 8.0])
def test_under_noise_the_error_stays_within_what_it_says(level: float) -> None:
    rng, gaps, errors = np.random.default_rng(1), [], []
    for _ in range(20):
        frames = [texture(0, 0), texture(1.4, -0.6)]
        seen = motion(*(frame + rng.normal(scale=level, size=frame.shape) for frame in frames))
        assert seen is not None
        gaps.append(np.hypot(seen.down - 1.4, seen.right + 0.6))
        errors.append(seen.error)
    assert np.sqrt(np.mean(np.square(gaps))) < 3 * np.mean(errors)
    assert np.mean(errors) < 0.1


def test_noise_on_a_picture_at_rest_is_no_motion() -> None:
    rng = np.random.default_rng(2)
    still = [motion(*(texture(0, 0) + rng.normal(scale=6, size=(2, 96, 96)))) for _ in range(20)]
    assert sum(seen is not None and seen.length == 0 for seen in still) >= 18


def test_noise_stronger_than_what_the_picture_shows_is_no_motion_either() -> None:
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:96, :96]
    faint = 40 + 30 * np.exp(-((rows - 45) ** 2 + (columns - 50) ** 2) / 32)
    frames = [faint + rng.normal(scale=25, size=faint.shape) for _ in range(21)]
    moves = [motion(one, two) for one, two in pairwise(frames)]
    assert sum(seen is None or seen.length == 0 for seen in moves) >= 18


def test_a_picture_without_texture_tells_no_motion_and_says_so() -> None:
    seen = motion(np.full((40, 40), 9.0), np.full((40, 40), 9.0))
    assert seen is not None
    assert (seen.length, seen.error) == (0.0, float("inf"))
    assert motion(np.zeros((6, 40)), np.zeros((6, 40))) is None


def test_stripes_tell_the_motion_across_them_alone() -> None:
    columns = np.arange(80)
    stripes = [np.tile(128 + 60 * np.sin((columns - at) / 5), (80, 1)) for at in (0.0, 0.7)]
    seen = motion(*stripes)
    assert seen is not None
    assert (seen.down, seen.right) == pytest.approx((0, 0.7), abs=0.03)


def colour(picture: AnyArray) -> AnyArray:
    levels: AnyArray = np.rint(np.clip(picture, 0, 255)).astype(np.uint8)[..., None].repeat(3, axis=2)
    return levels


@pytest.mark.parametrize("move", [(0.5, 0.0), (-0.3, 0.75), (2.0, -3.0), (1.25, 6.5)])
def test_a_moved_frame_is_the_scene_sampled_elsewhere(move: tuple[float, float]) -> None:
    inner = (slice(16, -16), slice(16, -16))
    gap = moved(texture(0, 0), move)[inner] - texture(*move)[inner]
    assert np.abs(gap).max() < 0.35
    levels = moved(colour(texture(0, 0)), move)
    assert levels.dtype == np.uint8
    assert np.abs(levels[inner].astype(int) - colour(texture(*move))[inner]).max() <= 2


def test_whole_pixels_are_copied_and_the_edge_is_repeated() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert moved(picture, (1, 0)).tolist() == [[0, 1, 2, 3], [0, 1, 2, 3], [4, 5, 6, 7]]
    assert moved(picture, (0, -2)).tolist() == [[2, 3, 3, 3], [6, 7, 7, 7], [10, 11, 11, 11]]


def scene(move: float, noise: float, seed: int) -> FloatArray:
    """A textured background at rest, and a patch of 48 pixels in it whose content moves to the right."""
    picture = texture(0, 0, 128).copy()
    picture[40:88, 40:88] = texture(0, move, 128)[40:88, 40:88]
    noisy: FloatArray = picture + np.random.default_rng(seed).normal(scale=noise, size=picture.shape)
    return noisy


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_what_rests_is_static_and_what_moves_is_not(noise: float) -> None:
    static = static_blocks(scene(0, noise, 1), scene(2, noise, 2))
    assert is_static(static, np.array([0, 0, 128, 32]))
    assert is_static(static, np.array([96, 0, 128, 128]))
    assert not is_static(static, np.array([44, 44, 84, 84]))
    assert not is_static(static, None)


@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0])
def test_frames_that_differ_by_noise_alone_are_static(noise: float) -> None:
    assert static_blocks(scene(0, noise, 1), scene(0, noise, 2)).mean() > 0.95


@pytest.mark.parametrize("move", [1.0, 8.0])
def test_nothing_is_static_under_a_camera_that_moves(move: float) -> None:
    rng = np.random.default_rng(3)
    frames = [texture(0, at, 128) + rng.normal(scale=2, size=(128, 128)) for at in (0, move)]
    assert static_blocks(*frames).mean() < 0.1
