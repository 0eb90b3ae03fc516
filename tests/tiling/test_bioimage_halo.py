"""The U-Net that bioimage.io's specification describes as its example, against the halo that it publishes.

"UNet 2D Nuclei Broad" (bioimage-io/spec-bioimage-io, example_descriptions/models/unet2d_nuclei_broad: unet2d.py and
bioimageio.yaml) has three levels of two 3x3 convolutions, max-pools, bilinear enlargements and skips, and publishes a
halo of 32 pixels. It is built here as the file says, with few channels and random weights.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import auditor
from tests.tiling.networks import Builder, Runtime, picture

PUBLISHED = 32
SIZE = 256


def nuclei_broad(path: Path) -> Path:
    """The network with one channel per level."""
    build, skips = Builder(channels=1), []
    x = "x"

    def level(source: str, inputs: int) -> str:
        inner = build.conv(source, 3, channels=(inputs, 1))
        return build.add("Relu", [build.conv(inner, 3)])

    for _ in range(3):
        x = level(x, 1)
        skips.append(x)
        x = build.pool(x, "MaxPool", 2, 2, (0, 0))
    x = level(x, 1)
    for skip in reversed(skips):
        x = build.conv(build.resize(x, 2, "linear", "half_pixel"), 1)
        x = level(build.add("Concat", [skip, x], axis=1), 2)
    return build.save(path, build.conv(x, 1))


@pytest.fixture
def unet(tmp_path: Path) -> Path:
    return nuclei_broad(tmp_path / "unet.onnx")


def seam(unet: Path, halo: int, bright: float = 1.0) -> float:
    """The largest difference of a tile from the whole behind so many pixels of its left side.

    What lies left of the tile is noise, times ``bright``: of the last pixels of a field very little comes through.
    """
    network, whole = Runtime(unet), picture(64, SIZE, channels=1)
    start = SIZE // 2
    whole[..., :start] *= bright
    tile = network(whole[..., start:])
    return float(np.abs(tile - network(whole)[..., start:])[..., halo:].max())


def test_the_exact_halo_leaves_no_seam_and_a_pixel_less_does(unet: Path) -> None:
    axis = auditor.tiles(unet).axes[1]
    (halo,) = set(axis.halo)
    assert axis.grid == 8
    assert seam(unet, int(halo), 1e6) < 5e-8 < seam(unet, int(halo) - 1, 1e6)


def test_the_published_halo_is_shorter_than_the_field_and_leaves_a_small_seam(unet: Path) -> None:
    assert max(auditor.tiles(unet).axes[1].halo) > PUBLISHED
    assert 5e-8 < seam(unet, PUBLISHED, 1e6) < seam(unet, PUBLISHED // 2, 1e6) / 10
