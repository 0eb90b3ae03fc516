"""Every portable form computes what its node did in onnxruntime, over random attributes and sizes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tests.rewrite.portable.nodes import Array, against, answer, distance, lowered, noise, one_node

SAME = 1e-4  # of the range
COORDINATES = (
    "half_pixel",
    "pytorch_half_pixel",
    "asymmetric",
    "align_corners",
    "half_pixel_symmetric",
)
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
RANDOM = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),  # a failing node is small as it is
    suppress_health_check=[HealthCheck.filter_too_much],
)


def holds(model: onnx.ModelProto, picture: Array) -> None:
    """See that the lowered model holds; a model that onnxruntime refuses, or that is portable, is no example."""
    assume(is_lowered(model, picture))


def is_lowered(model: onnx.ModelProto, picture: Array) -> bool:
    """The lowered model answers the same, nothing more is said against it, and a second run changes nothing."""
    before = answer(model, picture)
    if before is None or not before.size:
        return False
    with tempfile.TemporaryDirectory() as folder:
        path, done = lowered(model, Path(folder))
        if not done.nodes:
            return False
        after = answer(path, picture)
        assert after is not None, "onnxruntime refuses what was written"
        assert distance(before, after) <= SAME
        onnx.checker.check_model(str(path), full_check=True)
        assert not against(path)
        assert not lowered(onnx.load_model(path), Path(folder))[1].nodes
    return True


@RANDOM
@given(
    mode=st.sampled_from(["linear", "cubic"]),
    coordinate=st.sampled_from(COORDINATES),
    antialias=st.sampled_from([0, 1, 1]),
    exclude=st.sampled_from([0, 1]),
    cubic=st.sampled_from([-0.75, -0.5]),
    sizes=st.tuples(*[st.integers(3, 20)] * 2),
    results=st.tuples(*[st.integers(1, 20)] * 2),
    channels=st.integers(1, 3),
)
def test_a_resize_to_sizes(
    mode: str,
    coordinate: str,
    antialias: int,
    exclude: int,
    cubic: float,
    sizes: tuple[int, int],
    results: tuple[int, int],
    channels: int,
) -> None:
    shape = (1, channels, *sizes)
    model = one_node(
        "Resize",
        shape,
        19,
        {"sizes": np.array([1, channels, *results], np.int64)},
        ["x", "", "", "sizes"],
        mode=mode,
        coordinate_transformation_mode=coordinate,
        antialias=antialias,
        exclude_outside=exclude,
        cubic_coeff_a=cubic,
    )
    holds(model, noise(shape))


@RANDOM
@given(
    mode=st.sampled_from(["linear", "cubic"]),
    coordinate=st.sampled_from(COORDINATES),
    antialias=st.sampled_from([0, 1, 1]),
    exclude=st.sampled_from([0, 1]),
    sizes=st.tuples(*[st.integers(5, 24)] * 2),
    scales=st.tuples(*[st.sampled_from([0.25, 1 / 3, 0.45, 0.5, 0.6, 1.0, 1.5, 2.0])] * 2),
)
def test_a_resize_by_scales(
    mode: str, coordinate: str, antialias: int, exclude: int, sizes: tuple[int, int], scales: tuple[float, float]
) -> None:
    shape = (1, 2, *sizes)
    model = one_node(
        "Resize",
        shape,
        19,
        {"scales": np.array([1, 1, *scales], np.float32)},
        ["x", "", "scales"],
        mode=mode,
        coordinate_transformation_mode=coordinate,
        antialias=antialias,
        exclude_outside=exclude,
    )
    holds(model, noise(shape))


@RANDOM
@given(
    coordinate=st.sampled_from(COORDINATES[:4]),
    rounding=st.sampled_from(ROUNDING),
    sizes=st.tuples(*[st.integers(4, 20)] * 2),
    scales=st.tuples(*[st.sampled_from([0.25, 0.5, 0.6, 1.0, 1.5, 2.0, 3.0])] * 2),
)
def test_a_nearest_resize_takes_the_same_samples(
    coordinate: str, rounding: str, sizes: tuple[int, int], scales: tuple[float, float]
) -> None:
    shape = (1, 2, *sizes)
    model = one_node(
        "Resize",
        shape,
        13,
        {"roi": np.zeros(0, np.float32), "scales": np.array([1, 1, *scales], np.float32)},
        ["x", "roi", "scales"],
        mode="nearest",
        coordinate_transformation_mode=coordinate,
        nearest_mode=rounding,
    )
    holds(model, noise(shape))


@RANDOM
@given(data=st.data(), mode=st.sampled_from(["linear", "cubic"]), antialias=st.sampled_from([0, 1]))
def test_a_filter_of_an_open_size_is_right_at_every_size(data: st.DataObject, mode: str, antialias: int) -> None:
    scales = [1 / data.draw(st.integers(2, 4)) for _ in range(2)]
    coordinate = data.draw(st.sampled_from(["half_pixel", "asymmetric"]))
    model = one_node(
        "Resize",
        ("N", 2, "H", "W"),
        18,
        {"scales": np.array([1, 1, *scales], np.float32)},
        ["x", "", "scales"],
        mode=mode,
        coordinate_transformation_mode=coordinate,
        antialias=antialias,
    )
    size = [data.draw(st.integers(4, 21)) for _ in range(2)]
    holds(model, noise((2, 2, *size)))


def windows(draw: Any, rank: int, largest: int, dilated: bool) -> dict[str, Any]:
    """Random attributes of a sliding window."""
    kernel = [draw(st.integers(1, largest)) for _ in range(rank)]
    found: dict[str, Any] = {"kernel_shape": kernel, "strides": [draw(st.integers(1, 3)) for _ in range(rank)]}
    mode = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "NOTSET":
        found["pads"] = [draw(st.integers(0, size - 1)) for size in (*kernel, *kernel)]
    else:
        found["auto_pad"] = mode
    if dilated and mode in ("NOTSET", "VALID"):
        found["dilations"] = [draw(st.integers(1, 3)) for _ in range(rank)]
    return found


@RANDOM
@given(st.data())
def test_a_max_pool(data: st.DataObject) -> None:
    shape = (1, 2, *[data.draw(st.integers(7, 14)) for _ in range(2)])
    attributes = windows(data.draw, 2, 4, dilated=True)
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = data.draw(st.integers(0, 1))
    holds(one_node("MaxPool", shape, 17, {}, **attributes), noise(shape))


@RANDOM
@given(st.data())
def test_an_average_pool(data: st.DataObject) -> None:
    shape = (1, 2, *[data.draw(st.integers(7, 14)) for _ in range(2)])
    attributes = windows(data.draw, 2, 4, dilated=True)
    attributes["count_include_pad"] = data.draw(st.integers(0, 1))
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = data.draw(st.integers(0, 1))
    holds(one_node("AveragePool", shape, 19, {}, **attributes), noise(shape))


@RANDOM
@given(st.data())
def test_an_lp_pool(data: st.DataObject) -> None:
    shape = (1, 2, *[data.draw(st.integers(7, 14)) for _ in range(2)])
    attributes = windows(data.draw, 2, 4, dilated=False)
    if "auto_pad" not in attributes:
        attributes["ceil_mode"] = data.draw(st.integers(0, 1))
    holds(one_node("LpPool", shape, 18, {}, p=2, **attributes), noise(shape))


@RANDOM
@given(st.data(), st.sampled_from(["Conv", "ConvTranspose"]))
def test_a_convolution(data: st.DataObject, op: str) -> None:
    shape = (1, 2, *[data.draw(st.integers(5, 12)) for _ in range(2)])
    kernel = [data.draw(st.integers(1, 4)) for _ in range(2)]
    attributes: dict[str, Any] = {
        "strides": [data.draw(st.integers(1, 3)) for _ in range(2)],
        "auto_pad": data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER"])),
    }
    if op == "ConvTranspose" and data.draw(st.booleans()):
        del attributes["auto_pad"]
        full = [s * (n - 1) + k for s, n, k in zip(attributes["strides"], shape[2:], kernel, strict=True)]
        attributes["output_shape"] = [size - data.draw(st.integers(0, 2)) for size in full]
    weights = noise((3, 2, *kernel) if op == "Conv" else (2, 3, *kernel), 1)
    holds(one_node(op, shape, 13, {"w": weights}, ["x", "w"], **attributes), noise(shape))


@RANDOM
@given(st.data())
def test_a_circular_border(data: st.DataObject) -> None:
    shape = (1, 2, *[data.draw(st.integers(3, 9)) for _ in range(2)])
    sides = [data.draw(st.integers(0, shape[2 + place % 2])) for place in range(4)]
    pads = np.array([0, 0, *sides[:2], 0, 0, *sides[2:]], np.int64)
    holds(one_node("Pad", shape, 19, {"pads": pads}, ["x", "pads"], mode="wrap"), noise(shape))


@RANDOM
@given(st.data())
def test_a_slice_with_steps(data: st.DataObject) -> None:
    shape = (1, 2, *[data.draw(st.integers(4, 12)) for _ in range(2)])
    bounds: Sequence[list[int]] = (
        [data.draw(st.integers(-3, 3)) for _ in range(2)],
        [data.draw(st.sampled_from([2**31 - 1, -1, 4, 7])) for _ in range(2)],
        [2, -1],
        [data.draw(st.integers(1, 3)) for _ in range(2)],
    )
    names = ("starts", "ends", "axes", "steps")
    constants = {name: np.array(values, np.int64) for name, values in zip(names, bounds, strict=True)}
    holds(one_node("Slice", shape, 13, constants, ["x", *names]), noise(shape))


@pytest.mark.parametrize("block", [2, 3])
@pytest.mark.parametrize(("op", "mode"), [("SpaceToDepth", {}), ("DepthToSpace", {"mode": "DCR"})])
def test_blocks_of_samples_become_channels_and_back(op: str, mode: dict[str, Any], block: int) -> None:
    shape = (1, 2 * block**2, 2 * block, 3 * block)
    assert is_lowered(one_node(op, shape, 13, {}, blocksize=block, **mode), noise(shape))


@pytest.mark.parametrize("count", [2, 4])
def test_a_mean_of_several_inputs(count: int, tmp_path: Path) -> None:
    shape = (1, 2, 4, 5)
    constants = {f"c{place}": noise(shape, place) for place in range(1, count)}
    model = one_node("Mean", shape, 13, constants, ["x", *constants])
    path, done = lowered(model, tmp_path, ["mnn" if count == 2 else "opencv"])
    assert [node.how for node in done.nodes] == ["Add, and Mul by a constant"]
    before, after = answer(model, noise(shape)), answer(path, noise(shape))
    assert before is not None
    assert after is not None
    assert distance(before, after) <= SAME
