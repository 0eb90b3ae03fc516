from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cosine as cosine_distance

from auditor.verify.measures.embedding import cosine, pair_cosine
from auditor.verify.shifts.plan import Pairs


def test_the_cosine_is_scipys() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=(6, 2, 5)), draw.normal(size=(6, 2, 5))
    expected = [1 - cosine_distance(a.ravel(), b.ravel()) for a, b in zip(left, right, strict=True)]
    np.testing.assert_allclose(cosine(left, right), expected)


def test_zhangs_example_max_pooling_loses_what_max_blur_pooling_keeps() -> None:
    signal = np.array([0, 0, 1, 1, 0, 0, 1, 1], dtype=float)

    def max_pool(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.maximum(x, np.roll(x, -1)))

    def blur(x: np.ndarray) -> np.ndarray:
        return np.asarray((np.roll(x, 1) + 2 * x + np.roll(x, -1)) / 4)

    dense = max_pool(signal)
    assert cosine(dense[None, ::2], dense[None, 1::2])[0] == pytest.approx(0.71, abs=0.005)
    smooth = blur(dense)
    assert cosine(smooth[None, ::2], smooth[None, 1::2])[0] == pytest.approx(0.95, abs=0.005)


def test_zero_vectors_are_equal_to_each_other_and_to_nothing_else() -> None:
    assert cosine(np.zeros((2, 3)), np.array([[0, 0, 0], [1, 0, 0]])).tolist() == [1.0, 0.0]


def test_pairs_pick_their_windows() -> None:
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    pairs = Pairs(np.array([0, 0]), np.array([1, 2]), np.zeros((2, 2)))
    cosines = pair_cosine(embeddings, pairs)
    np.testing.assert_allclose(cosines, [0, np.sqrt(0.5)], atol=1e-12)
