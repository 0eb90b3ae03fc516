from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.stats

from auditor.verify.images import synthetic
from auditor.verify.images.drawn import Drawn
from auditor.verify.images.source import ImageSource, Picture
from auditor.verify.images.synthetic import builtin_images, dead_leaves, pink_noise, synthetic_image
from auditor.verify.layers.spectrum import alias_share, radial_power
from auditor.verify.result import DataKind, Rejected


def slope(image: np.ndarray) -> float:
    """Exponent of the power spectrum over the middle of the band."""
    spectrum = radial_power(image.astype(float).transpose(2, 0, 1)[None])
    frequency, power = np.array(spectrum.frequencies), np.array(spectrum.power)
    middle = (frequency > 0.02) & (frequency < 0.35)
    return float(np.polyfit(np.log(frequency[middle]), np.log(power[middle]), 1)[0])


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_the_power_spectrum_falls_like_that_of_natural_images(index: int) -> None:
    # natural images: power ~ f^-2, exponents between about -1.5 and -3
    assert -3.2 < slope(synthetic_image(index)) < -1.5


def test_little_of_their_power_folds_when_halved_as_for_photographs() -> None:
    image = synthetic_image(0).astype(float).transpose(2, 0, 1)[None]
    assert 0.0005 < alias_share(image, (2, 2)).varying < 0.1


def test_an_image_depends_on_seed_and_place_only() -> None:
    np.testing.assert_array_equal(synthetic_image(4, seed=2), synthetic_image(4, seed=2))
    for other in (synthetic_image(4, seed=3), synthetic_image(6, seed=2)):
        assert (synthetic_image(4, seed=2) != other).mean() > 0.5


def test_images_are_colour_and_use_the_whole_scale() -> None:
    for index in range(2):
        image = synthetic_image(index, size=(64, 80))
        assert image.shape == (64, 80, 3)
        assert image.dtype == np.uint8
        assert np.ptp(image) > 120
        assert 60 < image.mean() < 200
        assert np.abs(np.diff(image.astype(int), axis=2)).mean() > 2, "not grey"


def test_leaves_have_flat_insides_and_sharp_edges_where_noise_has_neither() -> None:
    leaves = dead_leaves(np.random.default_rng(0), (96, 96)).mean(axis=2)
    noise = pink_noise(np.random.default_rng(0), (96, 96)).mean(axis=2)
    steep = [scipy.stats.kurtosis(np.diff(image, axis=1).ravel()) for image in (leaves, noise)]
    assert steep[0] > 3 > abs(steep[1]) * 3


def test_without_data_there_are_pictures_and_synthetic_images_and_it_is_said() -> None:
    pytest.importorskip("PIL")
    source = builtin_images(7)
    found = [one for one in source if isinstance(one, Picture)]
    assert source.kind is DataKind.BUILTIN
    assert source.count == len(found) == 7
    assert "no images were given" in source.notes[0]
    assert [one.name.raw.split()[0] for one in found] == ["built-in"] * 4 + ["synthetic"] * 3
    assert all(min(one.pixels.shape[:2]) >= 300 for one in found)
    assert all(min(one.pixels.shape[:2]) >= 720 for one in found[4:])
    assert len({one.name for one in found}) == 7
    with pytest.raises(ValueError, match="at least 1"):
        builtin_images(0)


def test_without_pillow_the_pictures_are_listed_as_unusable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    items = list(builtin_images(5))
    assert sum(isinstance(one, Rejected) and "Pillow" in one.reason for one in items) == 4
    assert isinstance(items[-1], Picture)


def test_the_carried_pictures_are_small_and_each_has_its_licence() -> None:
    folder = Path(synthetic.__file__).parent / "pictures"
    files = sorted(folder.glob("*.jpg"))
    licence = (folder / "LICENCE.md").read_text(encoding="utf-8")
    assert 2 <= len(files) <= 4
    assert sum(file.stat().st_size for file in files) <= 300_000
    for file in files:
        assert file.stat().st_size <= 90_000
        row = next(line for line in licence.splitlines() if file.name in line)
        assert "CC0" in row or "public domain" in row


def pixels(source: ImageSource) -> list[np.ndarray]:
    return [one.pixels for one in source if isinstance(one, Picture)]


def test_images_of_a_run_are_drawn_once_and_are_the_same_ones() -> None:
    places: list[int] = []

    def draw(index: int) -> np.ndarray:
        places.append(index)
        return synthetic_image(index)

    drawn = Drawn(draw)
    first, fewer, more = (pixels(builtin_images(count, drawn=drawn)) for count in (6, 5, 7))
    assert places == [0, 1, 2]
    for kept in (first, fewer, more):
        for one, other in zip(kept, pixels(builtin_images(7)), strict=False):
            np.testing.assert_array_equal(one, other)


def test_without_room_for_a_temporary_file_images_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("auditor.verify.images.drawn.unnamed_file", refused)
    drawn = Drawn(synthetic_image)
    for _ in range(2):
        np.testing.assert_array_equal(drawn.image(1), synthetic_image(1))
