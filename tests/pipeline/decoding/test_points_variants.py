"""Keypoints and quantities of other families, and what only looks like them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from auditor.pipeline.decoding import Evidence, Keypoints, Numbers, Signature, candidates, decode, layouts

Array = npt.NDArray[Any]


def chosen(outputs: dict[str, Array], size: tuple[int, int]) -> list[str]:
    return [layout.name for layout in candidates(Signature(outputs, size))]


def test_posenet_offsets_move_the_surest_cell() -> None:
    heat, offsets = np.full((1, 4, 6, 17), -5.0, np.float32), np.zeros((1, 4, 6, 34), np.float32)
    heat[0, 2, 3] = 2
    offsets[0, 2, 3, :17], offsets[0, 2, 3, 17:] = 1.5, -2.5
    outputs = {"heatmaps": heat, "short_offsets": offsets, "segments": np.zeros((1, 4, 6, 1), np.float32)}
    assert chosen(outputs, (49, 81)) == ["posenet"]
    read = decode(outputs, input_size=(49, 81))
    assert isinstance(read, Keypoints)
    # Steps of 48 / 3 = 16 pixels down and 80 / 5 = 16 across.
    assert np.allclose(read.points, [[45.5, 33.5]] * 17)


def test_landmarks_of_a_hand_and_of_a_body() -> None:
    hand = np.random.default_rng(0).uniform(0, 224, (1, 63)).astype(np.float32)
    outputs: dict[str, Array] = {
        "world": hand / 1000,
        "hand": hand,
        "flag": np.array([[0.9]], np.float32),
        "side": np.array([[0.1]], np.float32),
    }
    assert chosen(outputs, (224, 224)) == ["hand"]
    read = decode(outputs, input_size=(224, 224))
    assert isinstance(read, Keypoints)
    assert np.allclose(read.points, hand.reshape(21, 3)[:, :2])
    assert read.presence == pytest.approx(0.9)
    body = np.random.default_rng(0).uniform(0, 256, (1, 195)).astype(np.float32)
    outputs = {"a": body, "b": np.array([[3.0]], np.float32), "c": np.zeros((1, 117), np.float32)}
    read = decode(outputs, input_size=(256, 256))
    assert isinstance(read, Keypoints)
    assert np.allclose(read.points, body.reshape(39, 5)[:33, :2])
    assert read.presence == pytest.approx(1 / (1 + np.exp(-3)))


def test_angles_of_heads_and_gazes_and_ages() -> None:
    def read(outputs: dict[str, Array], layout: str = "auto") -> Numbers:
        numbers = decode(outputs, layout, input_size=(224, 224))
        assert isinstance(numbers, Numbers)
        return numbers

    def peak(bins: int, at: int) -> Array:
        return np.where(np.arange(bins) == at, 50.0, 0.0)[None]

    heads = {"pitch": peak(66, 33), "yaw": peak(66, 40), "roll": peak(66, 30)}
    angles = read(heads)
    assert angles.names == ("pitch", "yaw", "roll")
    assert np.allclose(angles.values, [0, 21, -9], atol=1e-6)
    assert angles.circular
    gaze = read({"a": peak(90, 45), "b": peak(90, 50)})
    assert np.allclose(gaze.values, [0, 20], atol=1e-6)
    turn = np.radians(30)
    matrix = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    pose = read({"pose": matrix[None]})
    assert np.allclose(pose.values, [30, 0, 0])
    assert np.allclose(read({"x": np.array([[1.0, -2.0, 3.0]])}, "head-pose").values, [1, -2, 3])
    assert np.allclose(read({"x": peak(101, 34)}, "age-bins").values, [34])
    assert np.allclose(read({"x": np.array([[2.0, -1.0, 0.34]])}, "gender-age").values, [34])
    both = read({"speed": np.array([[0.5]]), "turn": np.array([0.25])}, "numbers")
    assert both.names == ("speed", "turn")


@pytest.mark.parametrize(
    ("classes", "width"),
    [(1404, (1, 1404)), (1434, (1, 1434)), (212, (1, 212)), (63, (1, 63)), (3, (1, 3)), (101, (1, 101))],
)
def test_the_probabilities_of_a_classifier_are_no_points(classes: int, width: tuple[int, int]) -> None:
    for scale in (1, 8):
        logits = np.random.default_rng(0).normal(0, scale, classes)
        probabilities = (np.exp(logits) / np.exp(logits).sum()).reshape(width)
        for values in (probabilities, logits.reshape(width)):
            found = [
                layout.name
                for layout in layouts().values()
                if layout.fits(Signature({"output": values.astype(np.float32)}, (224, 224))) > Evidence.SHAPE
            ]
            assert found == [], (scale, found)
