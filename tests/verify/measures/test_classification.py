from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.measures import MEASURES
from auditor.verify.measures.classification import (
    OutputScale,
    agreement,
    jaggedness,
    measure_image,
    output_scale,
    prediction_counts,
    probabilities,
    score_change,
    worst_case,
)
from auditor.verify.measures.task import UnusableOutputError, stacked
from auditor.verify.shifts.plan import Range, ShiftPlan, ShiftSettings, plan_shifts

SETTINGS = ShiftSettings(radius=8, pairs=5, neighbours=3, distances=(2,), path=6, exhaustive=2)


def plan(image: int = 0, circular: bool = False) -> ShiftPlan:
    return plan_shifts(image, Range(8, 8, circular), SETTINGS)


def scores(windows: int, classes: int, seed: int, ties: bool = False) -> np.ndarray:
    draw = np.random.default_rng(seed)
    logits = draw.integers(0, 3, (windows, classes)).astype(float) if ties else draw.normal(0, 2, (windows, classes))
    return probabilities(logits, OutputScale.LOGITS)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 9), ties=st.booleans(), label=st.integers(0, 8))
def test_the_vectorised_measures_agree_with_loops_over_their_definitions(
    seed: int, classes: int, ties: bool, label: int
) -> None:
    chosen = plan(seed)
    p = scores(len(chosen.windows), classes, seed, ties)
    label %= classes
    values = measure_image(p, chosen, label, reference=p[::-1])

    def top(row: np.ndarray) -> int:
        return max(range(classes), key=lambda c: (row[c], -c))

    pairs = list(zip(chosen.pairs.reference, chosen.pairs.moved, strict=True))
    assert values["consistency"] == pytest.approx(np.mean([top(p[a]) == top(p[b]) for a, b in pairs]))
    assert values["mac"] == pytest.approx(np.mean([abs(p[a][top(p[a])] - p[b][top(p[a])]) for a, b in pairs]))
    assert values["stability"] == pytest.approx(np.mean([top(p[a]) == top(p[b]) == label for a, b in pairs]))
    near = list(zip(chosen.neighbours.reference, chosen.neighbours.moved, strict=True))
    assert values["top1-change"] == pytest.approx(np.mean([top(p[a]) != top(p[b]) for a, b in near]))
    square = chosen.exhaustive.moved
    assert values["worst-case"] == any(top(p[b]) != top(p[0]) for b in square)
    assert values["worst-change"] == pytest.approx(max(abs(p[b][top(p[0])] - p[0][top(p[0])]) for b in square))
    assert values["robust-accuracy"] == all(top(p[b]) == label for b in [0, *square])
    decisions = [label in sorted(range(classes), key=lambda c: (-p[i][c], c))[:5] for i in chosen.path]
    flips = [a != b for a, b in pairwise(decisions)]
    assert values["jaggedness"] == pytest.approx(np.mean(flips))
    assert values["accuracy"] == (top(p[0]) == label)
    assert values["shifted-accuracy"] == pytest.approx(np.mean([top(p[w]) == label for pair in pairs for w in pair]))
    assert values["fidelity"] == pytest.approx(np.mean([top(a) == top(b) for a, b in zip(p, p[::-1], strict=True)]))
    assert set(values) <= set(MEASURES)


def circular_network(image: np.ndarray, stride: int) -> np.ndarray:
    """Circular 3-tap convolution, ReLU, subsampling, global pooling, linear head: 4 classes of a 1-D signal."""
    draw = np.random.default_rng(7)
    kernels, head = draw.normal(size=(6, 3)), draw.normal(size=(4, 6))
    padded = np.stack([np.roll(image, shift, axis=-1) for shift in (-1, 0, 1)], axis=0)
    features = np.maximum(0, np.einsum("kt,t...->k...", kernels, padded))[..., ::stride]
    return np.asarray(head @ features.mean(axis=-1))


def test_a_stride_one_circular_network_is_fully_consistent_and_a_strided_one_has_period_two() -> None:
    signal = np.random.default_rng(3).normal(size=16)
    one = np.stack([circular_network(np.roll(signal, shift), 1) for shift in range(16)])
    two = np.stack([circular_network(np.roll(signal, shift), 2) for shift in range(16)])
    chosen = plan_shifts(0, Range(1, 16, circular=True), ShiftSettings(pairs=40, path=15, exhaustive=8))
    indices = [window.x for window in chosen.windows]
    values = measure_image(probabilities(one[indices], OutputScale.LOGITS), chosen)
    assert values["consistency"] == 1.0
    assert values["mac"] == pytest.approx(0, abs=1e-12)
    assert values["worst-case"] == 0.0
    p = probabilities(two[indices], OutputScale.LOGITS)
    change = score_change(p, chosen.exhaustive)
    even = chosen.exhaustive.shift[:, 1] % 2 == 0
    assert change[even].max() < 1e-12, "exact for multiples of the subsampling factor"
    assert change[~even].min() > 1e-6, "and for no other shift"


@pytest.mark.parametrize(
    ("kind", "scale"),
    [("logits", OutputScale.LOGITS), ("softmax", OutputScale.PROBABILITIES), ("sigmoid", OutputScale.INDEPENDENT)],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_logits_probabilities_and_sigmoids_are_told_apart(kind: str, scale: OutputScale, dtype: type) -> None:
    logits = np.random.default_rng(0).normal(0, 3, (12, 1000))
    outputs = {
        "logits": logits,
        "softmax": scipy.special.softmax(logits, axis=1),
        "sigmoid": scipy.special.expit(logits),
    }
    given_ = outputs[kind].astype(dtype)
    assert output_scale(given_) is scale
    p = probabilities(given_, scale)
    expected = scipy.special.softmax(given_.astype(float), axis=1) if kind == "logits" else given_
    np.testing.assert_allclose(p, expected, atol=1e-6)


def test_a_single_output_is_a_choice_between_two_classes() -> None:
    p = probabilities(np.array([[0.0], [800.0], [-800.0]]), OutputScale.LOGITS)
    np.testing.assert_allclose(p, [[0.5, 0.5], [0.0, 1.0], [1.0, 0.0]], atol=1e-300)
    np.testing.assert_allclose(probabilities(np.array([[0.2]]), OutputScale.INDEPENDENT), [[0.8, 0.2]])


def test_outputs_that_are_not_finite_are_never_measured() -> None:
    outputs = np.zeros((3, 4))
    outputs[1, 2] = np.nan
    with pytest.raises(UnusableOutputError, match="NaN"):
        stacked(list(outputs))
    with pytest.raises(ValueError, match="finite"):
        probabilities(outputs, OutputScale.LOGITS)


def test_the_zero_shift_agrees_exactly() -> None:
    chosen = plan(1)
    p = np.repeat(scores(1, 5, 0), len(chosen.windows), axis=0)
    assert agreement(p, chosen.pairs).all()
    assert measure_image(p, chosen)["mac"] == 0.0


def test_jaggedness_counts_flips_of_the_top_five_decision() -> None:
    ranks = np.tile(np.arange(8)[::-1] / 10, (5, 1))
    for step in (1, 3):
        ranks[step, [4, 5]] = ranks[step, [5, 4]]  # class 4 leaves the best five
    path = np.arange(5)
    assert jaggedness(ranks, path, target=4) == 1.0
    assert jaggedness(ranks, path, target=0) == 0.0
    assert jaggedness(ranks, path, target=4, k=6) == 0.0
    assert np.isnan(jaggedness(ranks, path[:1]))


def test_the_worst_case_names_the_shift_with_the_lowest_score() -> None:
    chosen = plan(0)
    p = np.tile([0.7, 0.3], (len(chosen.windows), 1))
    worst_at = int(chosen.exhaustive.moved[5])
    p[worst_at] = [0.1, 0.9]
    worst = worst_case(p, chosen.exhaustive, label=0)
    assert worst is not None
    assert worst.shift == tuple(chosen.exhaustive.shift[5])
    assert (worst.flipped, worst.robust) == (True, False)
    assert worst.score == pytest.approx(0.1)
    assert worst_case(p, plan_shifts(0, Range(8, 8), ShiftSettings(radius=8, distances=())).exhaustive) is None


@given(st.lists(st.integers(0, 4), max_size=40))
def test_predictions_are_counted_by_class_the_most_frequent_first(classes: list[int]) -> None:
    counts = prediction_counts(classes)
    assert dict(counts) == {label: classes.count(label) for label in classes}
    assert [count for _, count in counts] == sorted((count for _, count in counts), reverse=True)
