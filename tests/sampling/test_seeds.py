"""The seeds of the field, as Zhang (ICML 2019) and Azulay and Weiss (JMLR 2019) state them, predicted and measured."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from math import prod
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto

from tests.sampling.impulse import Array, audit, build, node, session
from tests.sampling.networks import Net

SIGNAL = [0, 0, 1, 1, 0, 0, 1, 1]


def circular(before: int, after: int) -> tuple[Any, dict[str, Array]]:
    return node("Pad", ["x", "pads"], ["padded"], mode="wrap"), {"pads": np.array([0, 0, before, 0, 0, after])}


def max_pool() -> ModelProto:
    return build([node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2])], [1, 1, 8])


def max_blur_pool() -> ModelProto:
    """Zhang's section 3: the maximum at every position, then the blur, then every second sample; all circular."""
    pad, constants = circular(1, 2)
    nodes = [
        pad,
        node("MaxPool", ["padded"], ["dense"], kernel_shape=[2], strides=[1]),
        node("Conv", ["dense", "blur"], ["y"], strides=[2]),
    ]
    return build(nodes, [1, 1, 8], {**constants, "blur": np.array([[[0.25, 0.5, 0.25]]], np.float32)})


def shifted(model: onnxruntime.InferenceSession, shift: int) -> Array:
    x = np.roll(np.array(SIGNAL, np.float32), shift).reshape(1, 1, 8)
    return np.asarray(model.run(None, {"x": x})[0]).reshape(-1)


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_max_pooling_the_square_wave_depends_on_the_phase_and_agrees_again_after_one_stride() -> None:
    model = session(max_pool())
    assert shifted(model, 0).tolist() == [0, 1, 0, 1]
    assert shifted(model, 1).tolist() == [1, 1, 1, 1]
    for shift in range(8):
        same = np.array_equal(shifted(model, shift + 2), np.roll(shifted(model, shift), 1))
        assert same
    found = audit(max_pool())
    (site,) = found.sites
    assert site.cumulative == (Fraction(2),)
    assert not site.antialiased
    assert found.heads[0].period == {site.sources[0]: 2}


def test_blurring_behind_the_maximum_brings_the_two_phases_from_071_to_095() -> None:
    plain, blurred = session(max_pool()), session(max_blur_pool())
    assert cosine(shifted(plain, 0), shifted(plain, 1)) == pytest.approx(0.7071, abs=1e-4)
    assert cosine(shifted(blurred, 0), shifted(blurred, 1)) == pytest.approx(0.9487, abs=1e-4)
    (site,) = audit(max_blur_pool()).sites
    assert site.antialiased


def network(strides: Sequence[int], seed: int, *, dense: bool = False) -> ModelProto:
    """A random convolutional network with circular padding; a stride of 0 stands for a max-pool by 2."""
    size = 4 * prod(step or 2 for step in strides)
    net = Net(1, 2, size, size, seed=seed)
    x, channels = "x", 2
    for step in strides:
        padded = net.op("Pad", x, [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap")
        x = net.relu(net.conv(padded, channels, 6, 3, step or 1, pad=0))
        channels = 6
        if step == 0:
            x = net.pool("MaxPool", x, 2, 2)
    return net.model(x if dense else net.op("GlobalAveragePool", x))


@pytest.mark.parametrize("strides", [[2], [3], [2, 2], [0, 2], [2, 1, 3], [1]])
@pytest.mark.parametrize("seed", [0, 1])
def test_exactly_all_but_one_of_the_shifts_within_the_predicted_period_change_a_pooled_answer(
    strides: list[int], seed: int
) -> None:
    model = network(strides, seed)
    (head,) = audit(model).heads
    (period,) = set(head.period.values())
    assert period == head.subsampling == prod(step or 2 for step in strides)
    assert period is not None
    step, run = int(period), session(model)
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    x = np.random.default_rng(seed).normal(size=(1, 2, size, size)).astype(np.float32)
    first = run.run(None, {"x": x})[0]

    def differs(down: int, across: int) -> bool:
        return not np.allclose(run.run(None, {"x": np.roll(x, (down, across), (2, 3))})[0], first, rtol=1e-4, atol=1e-6)

    assert sum(differs(*shift) for shift in product(range(step), repeat=2)) == step**2 - 1
    assert not differs(step, 0)
    assert not differs(step, 2 * step)


@pytest.mark.parametrize("strides", [[2], [2, 2], [0, 3]])
def test_a_dense_answer_moves_along_exactly_with_shifts_by_the_period_only(strides: list[int]) -> None:
    model = network(strides, 3, dense=True)
    (head,) = audit(model).heads
    lattice = head.lattice[0]
    step, run = int(lattice.stride), session(model)
    size = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
    x = np.random.default_rng(3).normal(size=(1, 2, size, size)).astype(np.float32)
    first = run.run(None, {"x": x})[0]
    for shift in range(1, 2 * step + 1):
        moved = run.run(None, {"x": np.roll(x, shift, 2)})[0]
        exact = shift % step == 0 and np.allclose(moved, np.roll(first, shift // step, 2), rtol=1e-4, atol=1e-5)
        assert exact is (shift % step == 0)
        if shift % step:
            nearest = [np.abs(moved - np.roll(first, turn, 2)).max() for turn in range(first.shape[2])]
            assert min(nearest) > 1e-3


def test_blurring_every_site_of_a_network_brings_its_answers_closer_together() -> None:
    """Not trained for: only that shifts within the period change the features less."""
    changes = []
    for blurred in (False, True):
        net = Net(1, 2, 32, 32)
        x, channels = "x", 2
        for _ in range(2):
            padded = net.op("Pad", x, [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap")
            x = net.relu(net.conv(padded, channels, 6, 3, 1 if blurred else 2, pad=0))
            channels = 6
            if blurred:
                line = np.array([1, 2, 1], np.float32) / 4
                kernel = np.broadcast_to(np.outer(line, line), (6, 1, 3, 3)).copy()
                padded = net.op("Pad", x, [0, 0, 1, 1, 0, 0, 1, 1], mode="wrap")
                x = net.conv(padded, 6, 6, stride=2, pad=0, group=6, weights=kernel)
        model = net.model(net.op("GlobalAveragePool", x))
        assert [site.antialiased for site in audit(model).sites] == [blurred] * 2
        run = session(model)
        x0 = np.random.default_rng(5).normal(size=(1, 2, 32, 32)).astype(np.float32)
        answers = np.stack(
            [run.run(None, {"x": np.roll(x0, shift, (2, 3))})[0].reshape(-1) for shift in product(range(4), repeat=2)]
        )
        changes.append(float((answers.std(axis=0) / np.abs(answers).mean(axis=0)).mean()))
    assert changes[1] < 0.9 * changes[0]
