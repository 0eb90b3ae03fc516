from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.verify.shifts.subpixel import fourier_shift, zoom


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.float64)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(3, 17), width=st.integers(3, 16), dy=st.integers(-9, 9), dx=st.integers(-9, 9))
def test_a_fourier_shift_by_whole_pixels_is_a_roll(size: int, width: int, dy: int, dx: int) -> None:
    pixels = picture(size, width)
    np.testing.assert_allclose(fourier_shift(pixels, dy, dx), np.roll(pixels, (-dy, -dx), axis=(0, 1)), atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(dy=st.floats(-3, 3), dx=st.floats(-3, 3))
def test_a_fourier_shift_samples_a_band_limited_wave_exactly(dy: float, dx: float) -> None:
    y, x = np.mgrid[:16, :15]

    def wave(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.cos(2 * np.pi * (3 * y / 16 + 2 * x / 15) + 0.4))[..., None]

    np.testing.assert_allclose(fourier_shift(wave(y, x), dy, dx), wave(y + dy, x + dx), atol=1e-9)


def test_two_half_pixel_shifts_make_one_pixel_for_odd_sizes() -> None:
    pixels = picture(15, 13)
    twice = fourier_shift(fourier_shift(pixels, 0.5, 0.5), 0.5, 0.5)
    np.testing.assert_allclose(twice, fourier_shift(pixels, 1, 1), atol=1e-9)


def test_a_zoom_keeps_the_centre_and_spreads_the_rest() -> None:
    y, x = np.mgrid[:21, :21].astype(np.float64)
    zoomed = zoom(np.stack([y, x], axis=-1), 1.25)
    inner = slice(4, -4)
    np.testing.assert_allclose(zoomed[inner, inner, 0], (10 + (y - 10) / 1.25)[inner, inner], atol=1e-9)
    np.testing.assert_allclose(zoomed[inner, inner, 1], (10 + (x - 10) / 1.25)[inner, inner], atol=1e-9)


def test_a_zoom_reproduces_quadratics_away_from_the_edge() -> None:
    y, x = np.mgrid[:21, :21].astype(np.float64)

    def surface(y: np.ndarray, x: np.ndarray) -> np.ndarray:
        return np.asarray(0.3 * y**2 - y * 0.7 + 0.1 * x**2 + x)[..., None]

    zoomed = zoom(surface(y, x), 1.25)
    exact = surface(10 + (y - 10) / 1.25, 10 + (x - 10) / 1.25)
    np.testing.assert_allclose(zoomed[4:-4, 4:-4], exact[4:-4, 4:-4], atol=1e-9)


def test_no_resampling_at_all_changes_nothing() -> None:
    pixels = picture(9, 8)
    for same in (zoom(pixels, 1.0), fourier_shift(pixels, 0, 0)):
        np.testing.assert_allclose(same, pixels, atol=1e-9)
