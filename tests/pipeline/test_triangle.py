"""The kernel of ``verify`` is the anti-aliased triangle that Pillow rounds between its passes."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.pipeline import resize
from auditor.pipeline.resampling.triangle import resize_part


@pytest.mark.parametrize(("source", "target"), [((60, 90), (25, 31)), ((20, 30), (47, 61)), ((33, 33), (33, 33))])
def test_resizing_agrees_with_pillow_to_its_rounding(source: tuple[int, int], target: tuple[int, int]) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (*source, 3), np.uint8)
    ours = resize_part(pixels, target, (0, 0), target)
    theirs = np.asarray(image.fromarray(pixels).resize(target[::-1], image.Resampling.BILINEAR))
    assert np.abs(ours - theirs).max() <= 1.01
    assert (resize(pixels, target, "triangle") == np.rint(ours)).all()


def test_a_part_of_the_resized_picture_is_that_part_to_the_bit() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (70, 110, 3), np.uint8)
    whole = resize_part(pixels, (31, 47), (0, 0), (31, 47))
    assert (resize_part(pixels, (31, 47), (4, 9), (20, 30)) == whole[4:24, 9:39]).all()


def test_a_picture_that_keeps_its_size_keeps_its_pixels() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (9, 8, 3), np.uint8)
    assert (resize(pixels, (9, 8), "triangle") == pixels).all()
