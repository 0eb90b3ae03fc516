from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage

from auditor.verify.layers.attribution import (
    MapAccumulator,
    ShiftGrid,
    added_losses,
    compare_layer,
    fold,
    layer_score,
    map_runs,
    shift_grid,
)
from auditor.verify.layers.maps import EquivarianceMap
from auditor.verify.shifts.alignment import Grid

SIZE = 24


def scenes(count: int) -> list[np.ndarray]:
    noise = np.random.default_rng(0).normal(size=(count, 3, SIZE, SIZE))
    return list(scipy.ndimage.gaussian_filter(noise, (0, 0, 1.2, 1.2), mode="wrap"))


def network(image: np.ndarray, stride: int, blur: bool) -> np.ndarray:
    """Circular 3 x 3 box, ReLU, perhaps a circular Bin-5 blur, subsampling."""
    features = np.maximum(0, scipy.ndimage.uniform_filter(image, (1, 3, 3), mode="wrap") - 0.02)
    if blur:
        for axis in (1, 2):
            features = scipy.ndimage.convolve1d(features, np.array([1, 4, 6, 4, 1]) / 16, axis, mode="wrap")
    return np.asarray(features[:, ::stride, ::stride])


def measure(stride: int, blur: bool, reach: int, images: int = 2) -> EquivarianceMap:
    grid = ShiftGrid(tuple(range(reach)), tuple(range(reach)))
    total = MapAccumulator(grid)
    lattice = Grid((stride, stride), (0.0, 0.0), (SIZE, SIZE), circular=True)
    for image in scenes(images):
        reference = network(image, stride, blur)
        for shift in grid.shifts:
            moved = network(np.roll(image, (-shift[0], -shift[1]), axis=(1, 2)), stride, blur)
            total.add(shift, *compare_layer(reference, moved, shift, lattice))
    return total.result()


def test_a_stride_one_layer_is_equivariant_at_every_shift() -> None:
    layer = measure(1, blur=False, reach=4)
    np.testing.assert_allclose(layer.cosine, 1.0)
    np.testing.assert_allclose(layer.error, 0.0, atol=1e-9)
    assert layer_score(layer, (1.0, 1.0)).error == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("stride", [2, 3, 4])
def test_a_strided_layer_is_exact_at_multiples_of_its_factor_and_periodic_in_it(stride: int) -> None:
    layer = measure(stride, blur=False, reach=2 * stride, images=1)
    error = np.array(layer.error)
    np.testing.assert_allclose(error[::stride, ::stride], 0.0, atol=1e-9)
    off = np.ones_like(error, dtype=bool)
    off[::stride, ::stride] = False
    assert error[off].min() > 1e-3
    folded, spread = fold(layer, (stride, stride))
    assert spread < 1e-9
    assert folded[0, 0] == pytest.approx(1)
    score = layer_score(layer, (float(stride), float(stride)))
    assert score.error == pytest.approx(error[off].mean())
    assert score.border_error == pytest.approx(0, abs=1e-9)


def test_blurring_before_subsampling_loses_less() -> None:
    plain, blurred = (layer_score(measure(4, blur, reach=4), (4.0, 4.0)) for blur in (False, True))
    assert blurred.error < plain.error
    assert blurred.cosine > plain.cosine


def test_comparing_every_half_stride_says_what_every_pixel_says() -> None:
    image = scenes(1)[0]
    reference, moved = (network(np.roll(image, -shift, axis=1), 4, False) for shift in (0, 1))
    lattice = Grid((4, 4), (0.0, 0.0), (SIZE, SIZE), circular=True)
    _, quick = compare_layer(reference, moved, (1, 0), lattice)
    from auditor.verify.measures.dense import relative_error
    from auditor.verify.shifts.alignment import aligned

    assert quick == pytest.approx(relative_error(*aligned(reference, moved, (1, 0), lattice)), rel=0.15)


def test_a_border_residue_is_told_apart_from_aliasing() -> None:
    error = np.full((4, 4), 0.5)
    error[::2, ::2] = 0.1
    error[0, 0] = 0.0
    layer = EquivarianceMap((0, 1, 2, 3), (0, 1, 2, 3), tuple(map(tuple, 1 - error)), tuple(map(tuple, error)))
    score = layer_score(layer, (2.0, 2.0))
    assert score.error == pytest.approx(0.5)
    assert score.cosine == pytest.approx(0.5)
    assert score.border_error == pytest.approx(0.1)
    unknown = layer_score(layer, (None, None))
    assert unknown.error == pytest.approx(error.ravel()[1:].mean())
    assert np.isnan(unknown.border_error)


def test_what_a_site_adds_is_its_loss_above_the_layers_before_it() -> None:
    assert added_losses([0.1, 0.4, 0.2, 0.3], [[], [0], [0], [1, 2]]) == pytest.approx((0.1, 0.3, 0.1, -0.1))


def test_one_grid_serves_all_layers_and_beats_a_loop() -> None:
    factors: list[tuple[float | None, float | None]] = [(2.0, 2.0), (4.0, 4.0), (8.0, 8.0), (None, None)]
    grid = shift_grid(factors, limit=32)
    assert grid == ShiftGrid(tuple(range(8)), tuple(range(8)))
    assert grid.within((2, 4)) == ShiftGrid((0, 1), (0, 1, 2, 3))
    together, apart = map_runs(grid, factors)
    assert together == 64
    assert apart == 2 * 64 * 4


def test_a_long_period_is_covered_sparsely() -> None:
    grid = shift_grid([(32.0, 1.0)], limit=8)
    assert grid.dy == (0, 1, 2, 3, 4, 5, 8, 9)
    assert grid.dx == (0,)
    assert shift_grid([], limit=4).shifts == ((0, 0),)
    with pytest.raises(ValueError, match="at least one"):
        shift_grid([], limit=0)


def test_a_shift_that_was_never_measured_is_no_number() -> None:
    total = MapAccumulator(ShiftGrid((0, 1), (0,)))
    total.add((0, 0), 1.0, 0.0)
    total.add((0, 0), 0.5, 0.2)
    layer = total.result()
    assert layer.cosine[0][0] == 0.75
    assert layer.error[0][0] == pytest.approx(0.1)
    assert np.isnan(layer.error[1][0])
    with pytest.raises(KeyError):
        total.add((5, 5), 1.0, 0.0)
