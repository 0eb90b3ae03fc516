"""The table of kernels compares one content, half a pixel apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from auditor.verify.images.preprocess import preset
from benchmarks.lock_kernels import KERNELS, measured, pair, table
from benchmarks.lock_loss import NETWORK, Floats

NAME = "MobileNetV2"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    y, x = np.mgrid[:900, :1000]
    levels = 127.5 + 60 * np.sin(x / 17) + 60 * np.sin(y / 23)
    Image.fromarray(np.repeat(levels.round().astype(np.uint8)[..., None], 3, axis=2)).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def test_the_second_picture_lies_half_a_pixel_further_on(photograph: Path) -> None:
    first, second = pair(photograph, preset("unit"))
    assert first.shape == second.shape
    between = (first[:, :-1, :-1] + first[:, 1:, 1:] + first[:, :-1, 1:] + first[:, 1:, :-1]) / 4
    inner = np.abs(second[:, 8:-9, 8:-9] - between[:, 8:-8, 8:-8])
    assert inner.max() < 0.01
    assert np.abs(second - first).max() > 0.03


def test_each_kernel_undoes_the_half_pixel_and_none_leaves_it(photograph: Path) -> None:
    def brightness(window: Floats) -> npt.NDArray[np.float64]:
        assert window.shape == (1, 3, NETWORK, NETWORK)
        share = float(window[0, 0, 120, 70])
        return np.array([share, 1 - share])

    found = measured(pair(photograph, preset("unit")), 0, brightness)
    assert set(found) == {"", *KERNELS}
    assert all(change < 0.05 * found[""][1] for name, (_, change) in found.items() if name)


def test_half_a_pixel_is_told_in_per_cent_of_the_original() -> None:
    rows = [{"": [0.5, 0.2], **{name: [0.4, 0.1] for name in KERNELS}}] * 2
    lines = table({NAME: {"0": rows[0], "2": rows[1]}}).splitlines()
    assert lines[0] == f"| kernels | {NAME} (2): probability | {NAME} (2): half a pixel |"
    assert lines[2].endswith("| -10.0 ± 0.0 | -50 ± 0 % |")
