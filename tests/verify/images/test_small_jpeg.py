"""Small pictures for a page."""

from __future__ import annotations

import io

import numpy as np
import pytest

from auditor.verify.images.small_jpeg import LONGEST, small_jpeg

Image = pytest.importorskip("PIL.Image")


def test_a_thumbnail_is_small_whatever_the_input() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (900, 1200, 4), dtype=np.uint8)
    made = small_jpeg(noise)
    assert made.size == (240, LONGEST)
    assert len(made.data) <= 24_000
    assert small_jpeg(noise[..., :1]).size == (240, LONGEST)


def test_a_picture_that_is_small_enough_keeps_its_pixels() -> None:
    levels = np.repeat(np.linspace(0, 255, LONGEST).astype(np.uint8)[None, :, None], 48, axis=0)
    made = small_jpeg(levels)
    assert made.size == (48, LONGEST)
    shown = np.asarray(Image.open(io.BytesIO(made.data)), np.int64)
    assert np.abs(shown - levels[..., 0]).max() <= 4
