"""Phase selection: exact for circular shifts where padding is circular, and refused elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from auditor.rewrite.result import Strategy
from auditor.rewrite.strategies.phase_select import ZEROS
from tests.rewrite.networks import Network, fixed, image, ports, run, session


def circular() -> onnx.ModelProto:
    """A network that pads its maps by wrapping them around."""
    made = Network(np.random.default_rng(0), 3, (16, 16), opset=19, ir=9)
    for stride in (1, 2):
        made.add("Pad", made.integers(0, 0, 1, 1, 0, 0, 1, 1), mode="wrap")
        made.add("Conv", made.weight(4, made.channels, 3, 3), strides=[stride] * 2)
        made.channels = 4
        made.add("Relu")
    made.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    made.pooled_head()
    return made.model()


@pytest.mark.parametrize("seed", range(3))
def test_no_circular_shift_changes_what_the_network_says(seed: int, tmp_path: Path) -> None:
    model = circular()
    picture = image(model, seed)
    target, done, _ = fixed(model, tmp_path, Strategy.PHASE_SELECT)
    assert len(done.sites) == 2
    onnx.checker.check_model(onnx.load(target), full_check=True)
    assert ports(session(target)) == ports(session(model))
    shifts = [(a, b) for a in range(5) for b in range(5)]
    before = [run(model, np.roll(picture, shift, (2, 3))) for shift in shifts]
    after = [run(target, np.roll(picture, shift, (2, 3))) for shift in shifts]
    assert max(np.abs(one - before[0]).max() for one in before) > 1e-3
    assert max(np.abs(one - after[0]).max() for one in after) < 1e-5


def test_a_network_that_pads_with_zeros_is_refused_and_told_why(tmp_path: Path) -> None:
    made = Network(np.random.default_rng(0), 2, (8, 8), opset=19, ir=9)
    made.add("Conv", made.weight(2, 2, 3, 3), strides=[2, 2], pads=[1] * 4)
    made.pooled_head()
    _, done, _ = fixed(made.model(), tmp_path, Strategy.PHASE_SELECT)
    assert [skip.refusal.reason for skip in done.skipped] == [ZEROS]
