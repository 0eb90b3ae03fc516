"""Receptive field, stride and padding of well-known networks, against the table that was published with them.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019; the numbers are
those of its library for pictures of 224 pixels (google-research/receptive_field, README and RECEPTIVE_FIELD_TABLE).
The networks are built here as TF-Slim builds them, with one channel.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import auditor
from tests.tiling.networks import Builder

SAME = "SAME_UPPER"


def alexnet(build: Builder) -> str:
    x = build.conv("x", 11, 4, "VALID")
    x = build.conv(build.pool(x, "MaxPool", 3, 2, "VALID"), 5, 1, SAME)
    x = build.pool(x, "MaxPool", 3, 2, "VALID")
    for _ in range(3):
        x = build.conv(x, 3, 1, SAME)
    return build.pool(x, "MaxPool", 3, 2, "VALID")


def vgg16(build: Builder) -> str:
    x = "x"
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            x = build.conv(x, 3, 1, SAME)
        x = build.pool(x, "MaxPool", 2, 2, "VALID")
    return x


def mobilenet(build: Builder) -> str:
    x = "x"
    for stride in (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1):
        x = build.conv(build.conv(x, 3, stride, SAME), 1, 1, SAME)
    return x


def resnet(units: tuple[int, int, int, int]) -> Callable[[Builder], str]:
    """Slim's v1: strides in the last unit of a block, explicit padding in front of strided convolutions."""

    def build_with(build: Builder) -> str:
        x = build.pool(build.conv("x", 7, 2, (3, 3)), "MaxPool", 3, 2, SAME)
        for count, last in zip(units, (2, 2, 2, 1), strict=True):
            for unit in range(count):
                stride = last if unit == count - 1 else 1
                short = build.pool(x, "MaxPool", 1, stride, "VALID") if stride > 1 else x
                deep = build.conv(build.conv(x, 1), 3, stride, (1, 1))
                x = build.add("Add", [build.conv(deep, 1), short])
        return x

    return build_with


def inception(end: str) -> Callable[[Builder], str]:
    """Inception v2 up to an end point."""

    def mixed(build: Builder, x: str) -> str:
        branches = [
            build.conv(x, 1, 1, SAME),
            build.conv(build.conv(x, 1, 1, SAME), 3, 1, SAME),
            build.conv(build.conv(build.conv(x, 1, 1, SAME), 3, 1, SAME), 3, 1, SAME),
            build.conv(build.pool(x, "AveragePool", 3, 1, SAME), 1, 1, SAME),
        ]
        joined = build.add("Concat", branches, axis=1)
        return build.conv(joined, 1, channels=(4, 1))

    def reduction(build: Builder, x: str) -> str:
        branches = [
            build.conv(build.conv(x, 1, 1, SAME), 3, 2, SAME),
            build.conv(build.conv(build.conv(x, 1, 1, SAME), 3, 1, SAME), 3, 2, SAME),
            build.pool(x, "MaxPool", 3, 2, SAME),
        ]
        joined = build.add("Concat", branches, axis=1)
        return build.conv(joined, 1, channels=(3, 1))

    def build_with(build: Builder) -> str:
        x = build.pool(build.conv("x", 7, 2, SAME), "MaxPool", 3, 2, SAME)
        x = build.pool(build.conv(build.conv(x, 1, 1, SAME), 3, 1, SAME), "MaxPool", 3, 2, SAME)
        for name in ("3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b", "5c"):
            x = reduction(build, x) if name in ("4a", "5a") else mixed(build, x)
            if name == end:
                return x
        raise AssertionError(end)

    return build_with


@pytest.mark.parametrize(
    ("network", "field", "stride", "padding"),
    [
        pytest.param(alexnet, 195, 32, 64, id="alexnet_v2"),
        pytest.param(vgg16, 212, 32, 90, id="vgg_16"),
        pytest.param(mobilenet, 315, 32, 126, id="mobilenet_v1"),
        pytest.param(resnet((3, 4, 6, 3)), 483, 32, 239, id="resnet_v1_50"),
        pytest.param(resnet((3, 4, 23, 3)), 1027, 32, 511, id="resnet_v1_101"),
        pytest.param(resnet((3, 8, 36, 3)), 1507, 32, 751, id="resnet_v1_152"),
        pytest.param(resnet((3, 24, 36, 3)), 1763, 32, 879, id="resnet_v1_200"),
        pytest.param(inception("3b"), 59, 8, 22, id="inception_v2 Mixed_3b"),
        pytest.param(inception("3c"), 91, 8, 38, id="inception_v2 Mixed_3c"),
        pytest.param(inception("4a"), 123, 16, 46, id="inception_v2 Mixed_4a"),
        pytest.param(inception("4e"), 379, 16, 174, id="inception_v2 Mixed_4e"),
        pytest.param(inception("5a"), 443, 32, 190, id="inception_v2 Mixed_5a"),
        pytest.param(inception("5c"), 699, 32, 318, id="inception_v2 Mixed_5c"),
    ],
)
def test_the_receptive_field_is_the_published_one(
    tmp_path: Path, network: Callable[[Builder], str], field: int, stride: int, padding: int
) -> None:
    build = Builder()
    path = build.save(tmp_path / "net.onnx", network(build), (224, 224))
    (target,) = auditor.tiles(path).maps
    assert [float(size) for size in target.receptive_field] == [field, field]
    assert [float(step) for step in target.stride] == [stride, stride]
    assert [float(before) for before, _ in target.reach] == [-padding, -padding]
