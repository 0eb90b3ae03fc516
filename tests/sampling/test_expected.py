"""The expected alias energy, against integration, plain sums over frequencies, and known values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import integrate

from auditor.sampling.spectrum import alias as spectra
from auditor.sampling.spectrum.alias import Autocorrelation
from auditor.sampling.spectrum.expected import HIDDEN, PICTURE, power_law_share


def correlation(field: Autocorrelation | None) -> Autocorrelation:
    assert field is not None
    return field


def share(
    kernel: np.ndarray[Any, Any], stride: Sequence[float], dilation: Sequence[int], side: int, slope: float
) -> float | None:
    return power_law_share(correlation(spectra.of_kernel(kernel, dilation)), stride, side, slope)


def binomial(taps: int) -> np.ndarray[Any, Any]:
    line = np.array([math.comb(taps - 1, tap) for tap in range(taps)], np.float64)
    return np.outer(line, line)


# Of maps with sides of 112, 56, 28, 14 and 8 positions, at stride 2.
HIDDEN_MAPS = {
    "none": (np.ones((1, 1)), (0.299, 0.324, 0.363, 0.432, 0.537)),
    "Rect-2": (np.ones((2, 2)), (0.072, 0.082, 0.099, 0.136, 0.214)),
    "Tri-3": (binomial(3), (0.024, 0.028, 0.035, 0.053, 0.099)),
    "average 3x3": (np.ones((3, 3)), (0.014, 0.017, 0.022, 0.035, 0.073)),
    "Bin-5": (binomial(5), (0.004, 0.004, 0.006, 0.010, 0.025)),
}
PICTURES = {"none": 0.022, "Rect-2": 0.0043, "Tri-3": 0.0013, "average 3x3": 0.0006, "Bin-5": 0.0002}


@pytest.mark.parametrize("name", HIDDEN_MAPS)
def test_a_hidden_map_folds_more_the_smaller_it_is(name: str) -> None:
    kernel, values = HIDDEN_MAPS[name]
    found = [share(kernel, (2, 2), (1, 1), side, HIDDEN) for side in (112, 56, 28, 14, 8)]
    assert found == pytest.approx(values, abs=6e-4)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_folds_little(name: str) -> None:
    assert share(HIDDEN_MAPS[name][0], (2, 2), (1, 1), 224, PICTURE) == pytest.approx(PICTURES[name], abs=1e-4)


@pytest.mark.parametrize(
    ("kernel", "picture", "hidden"),
    [([[1, 2, 1], [0, 0, 0], [-1, -2, -1]], 0.14, 0.30), ([[0, 1, 0], [1, -4, 1], [0, 1, 0]], 0.81, 0.90)],
    ids=["Sobel", "Laplacian"],
)
def test_edge_filters_fold_most_of_what_they_leave(kernel: list[list[int]], picture: float, hidden: float) -> None:
    taps = np.array(kernel, np.float64)
    assert share(taps, (2, 2), (1, 1), 224, PICTURE) == pytest.approx(picture, abs=0.006)
    assert share(taps, (2, 2), (1, 1), 56, HIDDEN) == pytest.approx(hidden, abs=0.06)


@pytest.mark.parametrize("slope", [HIDDEN, PICTURE])
@pytest.mark.parametrize(("stride", "gap"), [((2, 2), (1, 1)), ((3, 1), (2, 1)), ((1.5, 2), (1, 3))])
def test_a_plain_sum_over_frequencies_gives_the_same(
    slope: float, stride: tuple[float, float], gap: tuple[int, int]
) -> None:
    kernel = np.random.default_rng(3).standard_normal((3, 3)) + 1
    points = 3200
    omega = (np.arange(points) + 0.5) * 2 * math.pi / points - math.pi
    waves = [np.exp(1j * step * np.outer(omega, np.arange(3))) for step in gap]
    radius = np.hypot(omega[:, None], omega)
    power = np.abs(waves[0] @ kernel @ waves[1].T) ** 2 * (radius > 2 * math.pi / 30) / radius**slope
    box = (np.abs(omega)[:, None] < math.pi / stride[0]) & (np.abs(omega) < math.pi / stride[1])
    assert share(kernel, stride, gap, 30, slope) == pytest.approx(1 - power[box].sum() / power.sum(), abs=1e-3)


def test_an_axis_that_is_not_sampled_folds_nothing_and_may_be_either() -> None:
    kernel = binomial(3)
    assert share(kernel, (1, 1), (1, 1), 56, HIDDEN) == pytest.approx(0, abs=1e-12)
    assert share(kernel, (2, 1), (1, 1), 56, HIDDEN) == pytest.approx(share(kernel, (1, 2), (1, 1), 56, HIDDEN))


def test_fields_too_wide_to_integrate_and_maps_without_a_size_have_no_value() -> None:
    assert share(np.ones((64, 64)), (2, 2), (1, 1), 224, HIDDEN) is None
    assert share(np.ones((2, 2)), (2, 2), (1, 1), 0, HIDDEN) is None
    assert share(np.ones((2, 2)), (2,), (1, 1), 56, HIDDEN) is None


@pytest.mark.parametrize(("stride", "gap"), [((2, 2), (1, 1)), ((4, 2), (1, 2)), ((3, 1), (1, 1))])
def test_alias_energy_under_a_power_law_is_the_integral_over_the_spectrum(
    stride: tuple[int, int], gap: tuple[int, int]
) -> None:
    lowest = 2 * math.pi / 50
    kernel = np.random.default_rng(9).standard_normal((3, 2))
    kernel -= kernel.mean()  # a high-pass: what it leaves of a natural image is small
    rows, columns = (g * np.arange(n) for g, n in zip(gap, kernel.shape, strict=True))

    def power(radius: float, angle: float) -> float:
        wave = np.exp(1j * radius * (math.cos(angle) * rows[:, None] + math.sin(angle) * columns))
        return float(abs((kernel * wave).sum()) ** 2) / radius

    def edge(angle: float, limits: tuple[float, float]) -> float:
        return min(limits[0] / max(abs(math.cos(angle)), 1e-9), limits[1] / max(math.sin(angle), 1e-9))

    def inside(limits: tuple[float, float]) -> float:
        corner = math.atan2(limits[1], limits[0])
        sectors = [(0, corner), (corner, math.pi - corner), (math.pi - corner, math.pi)]
        parts = (integrate.dblquad(power, a, b, lowest, lambda t: edge(t, limits), epsrel=1e-7) for a, b in sectors)
        return float(sum(value for value, _ in parts))

    expected = 1 - inside((math.pi / stride[0], math.pi / stride[1])) / inside((math.pi, math.pi))
    assert share(kernel, stride, gap, 50, 2.0) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("taps", "gap"), [(7, 1), (64, 1), (5, 30)])
def test_alias_energy_under_a_power_law_of_long_kernels_is_exact_on_one_axis(taps: int, gap: int) -> None:
    lowest = 2 * math.pi / 224
    kernel = np.random.default_rng(taps).standard_normal(taps)
    omega = np.geomspace(lowest, math.pi, 400_001)
    power = np.abs(np.exp(1j * gap * np.outer(omega, np.arange(taps))) @ kernel) ** 2 / omega**2
    part = omega <= math.pi / 3
    expected = 1 - integrate.trapezoid(power[part], omega[part]) / integrate.trapezoid(power, omega)
    assert share(kernel, [3], [gap], 224, 2.0) == pytest.approx(expected, abs=2e-5)


def test_alias_energy_under_a_power_law_of_three_axes_matches_a_plain_sum_over_frequencies() -> None:
    lowest = 2 * math.pi / 8
    kernel = np.random.default_rng(2).standard_normal((2, 3, 3))
    omega = (np.arange(144) + 0.5) * math.pi / 72 - math.pi
    grid = np.stack(np.meshgrid(omega[72:], omega, omega, indexing="ij"))
    waves = [
        np.exp(1j * np.outer(part, np.arange(taps)))
        for part, taps in zip((omega[72:], omega, omega), kernel.shape, strict=True)
    ]
    square = (grid**2).sum(axis=0)
    power = np.abs(np.einsum("xi,yj,zk,ijk->xyz", *waves, kernel, optimize=True)) ** 2 / square * (square > lowest**2)
    box = (grid[0] < math.pi / 2) & (np.abs(grid[1]) < math.pi / 2) & (np.abs(grid[2]) < math.pi / 2)
    expected = 1 - power[box].sum() / power.sum()
    assert share(kernel, (2, 2, 2), (1, 1, 1), 8, 2.0) == pytest.approx(expected, abs=2e-3)
