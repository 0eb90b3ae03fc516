"""Short-time Fourier transforms: judged by their window, whether they are an operator or written as a convolution."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.sampling.result import SiteKind
from tests.sampling.impulse import Array, audit, build, node, quick

Draw = Any
WINDOWS: dict[str, Callable[[int], Array]] = {
    "hann": np.hanning,
    "hamming": np.hamming,
    "box": np.ones,
    "blackman": np.blackman,
}


def sinusoids(width: int, window: Array, order: str) -> Array:
    """The rows of a real transform of ``width`` samples, as exporters write them."""
    angles = 2 * np.pi * np.outer(np.arange(width // 2 + 1), np.arange(width)) / width
    cosines, sines = np.cos(angles) * window, -np.sin(angles) * window
    rows = {
        "halves": np.concatenate([cosines, sines]),
        "turns": np.stack([cosines, sines], 1).reshape(-1, width),
        "cosines": cosines,
        "sines": sines,
    }
    return rows[order].astype(np.float32)


@given(data=st.data())
@quick
def test_a_transform_written_as_a_convolution_is_judged_as_the_operator_is(data: Draw) -> None:
    width = data.draw(st.sampled_from([64, 128, 200, 256]))
    hop = data.draw(st.sampled_from([width // 2, width // 4, width // 8, 10]))
    window = WINDOWS[data.draw(st.sampled_from(sorted(WINDOWS)))](width)
    rows = sinusoids(width, window, data.draw(st.sampled_from(["halves", "turns", "cosines", "sines"])))
    flat = data.draw(st.booleans())
    weights = rows[:, None] if flat else rows[:, None, None]
    front = [node("Pad", ["x", "pads"], ["p"], mode="reflect")] if data.draw(st.booleans()) else []
    shape = [1, 1, 4 * width] if flat else [1, 1, 1, 4 * width]
    pads = np.array([*[0] * (len(shape) - 1), width // 2] * 2)
    made = node("Conv", ["p" if front else "x", "w"], ["y"], strides=[hop] if flat else [1, hop])
    (site,) = audit(build([*front, made], shape, {"w": weights, "pads": pads})).sites
    operator = node("STFT", ["x", "step", "window"], ["y"])
    constants: dict[str, Array] = {"step": np.array(hop), "window": window.astype(np.float32)}
    (expected,) = audit(build([operator], [1, 4 * width, 1], constants)).sites
    assert site.kind is expected.kind is SiteKind.FRAMES
    assert site.alias is not None
    assert expected.alias is not None
    assert site.alias.flat == pytest.approx(expected.alias.flat, abs=0.03)
    assert abs(expected.alias.flat - 0.2) < 0.03 or site.antialiased == expected.antialiased


def test_a_window_that_is_shorter_than_its_frame_is_still_a_transform() -> None:
    window = np.pad(np.hanning(200), 28)
    made = node("Conv", ["x", "w"], ["y"], strides=[64])
    weights = sinusoids(256, window, "halves")[:, None]
    assert audit(build([made], [1, 1, 2048], {"w": weights})).sites[0].kind is SiteKind.FRAMES


def noise(rows: int, width: int) -> Array:
    return np.random.default_rng(3).normal(size=[rows, width]).astype(np.float32)


def learned(rows: int, width: int) -> Array:
    """Windowed sinusoids of frequencies on a logarithmic scale, as hearing and filter banks have them."""
    frequencies = np.geomspace(0.02, 0.45, rows)
    tones = np.cos(2 * np.pi * np.outer(frequencies, np.arange(width))) * np.hanning(width)
    return tones.astype(np.float32)


@pytest.mark.parametrize("weights", [noise(66, 64), learned(64, 64), noise(1, 64), np.ones([64, 64], np.float32)])
def test_other_filter_banks_of_that_size_are_convolutions_as_before(weights: Array) -> None:
    made = node("Conv", ["x", "w"], ["y"], strides=[16])
    assert audit(build([made], [1, 1, 1024], {"w": weights[:, None]})).sites[0].kind is SiteKind.CONV
