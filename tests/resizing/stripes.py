"""A model and pictures whose answers behind every kernel are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import helper

from tests.verify.models import model, saved

SIZE = 32


def bright_or_dark(folder: Path, size: int = SIZE) -> Path:
    """A classifier that says whether the input is brighter than the middle grey: class 1 if it is."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["class_scores"]),
    ]
    weights: dict[str, np.ndarray] = {
        "w": np.array([[0.0, 10.0]] * 3, np.float32) / 3,
        "b": np.array([0.0, -5.0], np.float32),
    }
    return saved(folder / "bright.onnx", model(nodes, {"x": ["N", 3, size, size]}, {"class_scores": ["N", 2]}, weights))


def stripes(count: int, factor: int = 2, size: int = SIZE) -> np.ndarray:
    """Pictures (N, H, W, 3) whose every second column is bright: dark on average, bright for who sees those alone."""
    pictures = np.zeros((count, factor * size, factor * size, 3), np.uint8)
    for index, picture in enumerate(pictures):
        picture[:, ::2] = 190 + index  # above the middle; half of it is below
    return pictures


def photos(folder: Path, pictures: np.ndarray) -> str:
    """An array file of pictures."""
    np.save(folder / "photos.npy", pictures)
    return str(folder / "photos.npy")
