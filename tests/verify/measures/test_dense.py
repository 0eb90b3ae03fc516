from __future__ import annotations

import numpy as np
import pytest

from auditor.verify.measures.dense import compare_pairs, likeliest, relative_error
from auditor.verify.shifts.alignment import Grid
from auditor.verify.shifts.plan import Pairs, Range, ShiftPlan, ShiftSettings, plan_shifts

PIXELS = Grid((1.0, 1.0), (0.0, 0.0), (12, 12))
SCENE = np.random.default_rng(0).normal(size=(4, 20, 20))


def plan(exhaustive: int = 2) -> ShiftPlan:
    return plan_shifts(0, Range(8, 8), ShiftSettings(radius=8, distances=(), exhaustive=exhaustive))


def windows(chosen: ShiftPlan) -> np.ndarray:
    return np.stack([SCENE[:, one.y : one.y + 12, one.x : one.x + 12] for one in chosen.windows])


def class_agreement(outputs: np.ndarray, pairs: Pairs, grid: Grid) -> np.ndarray:
    return compare_pairs(None, outputs, pairs, grid)["massc"]


def test_a_pointwise_output_is_perfectly_equivariant() -> None:
    chosen = plan()
    outputs = np.tanh(windows(chosen))
    for pairs in (chosen.pairs, chosen.exhaustive):
        np.testing.assert_array_equal(class_agreement(outputs, pairs, PIXELS), 1.0)
        likeness = compare_pairs(outputs, None, pairs, PIXELS)
        np.testing.assert_array_equal(likeness["equivariance-error"], 0.0)
        np.testing.assert_allclose(likeness["cosine"], 1.0)


def test_massc_is_the_share_of_equal_pixels_of_the_overlap() -> None:
    chosen = plan()
    labels = np.random.default_rng(1).integers(0, 3, (len(chosen.windows), 12, 12))
    got = class_agreement(labels[:, None], chosen.exhaustive, PIXELS)
    for index, (dy, dx) in enumerate(chosen.exhaustive.shift.astype(int)):
        a, b = labels[chosen.exhaustive.reference[index]], labels[chosen.exhaustive.moved[index]]
        equal = [
            a[y, x] == b[y - dy, x - dx] for y in range(12) for x in range(12) if 0 <= y - dy < 12 and 0 <= x - dx < 12
        ]
        assert got[index] == pytest.approx(np.mean(equal))


def test_class_maps_and_scores_of_the_same_classes_agree_alike() -> None:
    chosen = plan()
    outputs = windows(chosen) + np.random.default_rng(2).normal(0, 0.5, (len(chosen.windows), 4, 12, 12))
    maps = outputs.argmax(axis=1)[:, None]
    of_scores, of_maps = (class_agreement(values, chosen.pairs, PIXELS) for values in (outputs, maps))
    np.testing.assert_allclose(of_scores, of_maps)


def test_a_subsampled_output_is_equivariant_at_multiples_of_its_stride_only() -> None:
    chosen = plan(exhaustive=4)
    outputs = windows(chosen)[:, :, ::2, ::2]
    grid = Grid((2.0, 2.0), (0.0, 0.0), (12, 12))
    error = compare_pairs(outputs, None, chosen.exhaustive, grid)["equivariance-error"]
    exact = (chosen.exhaustive.shift % 2 == 0).all(axis=1)
    assert error[exact].max() < 1e-12
    assert error[~exact].min() > 0.1


def test_the_relative_error_is_symmetric_and_scaled() -> None:
    draw = np.random.default_rng(0)
    left, right = draw.normal(size=4000), draw.normal(size=4000)
    assert relative_error(left, right) == relative_error(right, left)
    assert relative_error(left, right) == pytest.approx(np.sqrt(2), abs=0.05)
    assert relative_error(left, -left) == pytest.approx(2)
    assert relative_error(left * 0, right * 0) == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_the_likeliest_class_is_the_first_of_equal_ones(classes: int) -> None:
    scores = np.random.default_rng(0).integers(0, 3, (5, classes, 8, 9)).astype(np.float32)
    assert (scores[:, 0] == scores[:, 1]).any()
    assert (likeliest(scores, 1) == scores.argmax(axis=1)).all()
    assert (likeliest(scores[0], 0) == scores[0].argmax(axis=0)).all()
