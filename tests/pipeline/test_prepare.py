"""A preset prepares a picture as the project of that name does."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline import prepare, presets

Array = npt.NDArray[Any]

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])
NEEDS_PILLOW = {name for name, preset in presets().items() if preset.kernel.startswith("pil")}


def photograph(height: int, width: int) -> npt.NDArray[np.uint8]:
    """Smooth in both directions with some noise, and another colour in each corner."""
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(0, 30, (height, width, 3))
    waves = np.stack([y * 150 / height, x * 150 / width, 100 + 60 * np.sin(x / 9)], axis=-1)
    return (waves + noise).astype(np.uint8)


def pillow(image: Array, size: tuple[int, int], how: str) -> Array:
    library = pytest.importorskip("PIL.Image")
    picture = library.fromarray(image)
    return np.asarray(picture.resize(size[::-1], getattr(library.Resampling, how)), np.float64)


def opencv(image: Array, size: tuple[int, int], how: str = "INTER_LINEAR") -> Array:
    library = pytest.importorskip("cv2", reason="OpenCV is not installed")
    return np.asarray(library.resize(image, size[::-1], interpolation=getattr(library, how)), np.float64)


def planes(image: Array) -> Array:
    return np.moveaxis(image, 2, 0)[None]


def ultralytics(image: Array) -> Array:
    boxed = np.full((96, 96, 3), 114.0)
    boxed[16:80] = opencv(image, (64, 96))
    return planes(boxed / 255)


def yolox(image: Array) -> Array:
    boxed = np.full((96, 96, 3), 114.0)
    boxed[:64] = opencv(image, (64, 96))
    return planes(boxed[..., ::-1])


def rtmdet(image: Array) -> Array:
    boxed = np.full((96, 96, 3), 114.0)
    boxed[:64] = opencv(image, (64, 96))
    return planes((boxed[..., ::-1] - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395])


def insightface(image: Array) -> Array:
    boxed = np.zeros((96, 96, 3))
    boxed[:64] = opencv(image, (64, 96))
    return planes((boxed - 127.5) / 128)


def ppyoloe(image: Array) -> Array:
    # OpenCV's cubic is closed on x86 and may be one step apart.
    return planes((opencv(image, (96, 96), "INTER_CUBIC") / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def ppocr(image: Array) -> Array:
    return planes((opencv(image, (96, 96))[..., ::-1] / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def ppocr_line(image: Array) -> Array:
    line = np.zeros((96, 96, 3))
    width = min(math.ceil(96 * image.shape[1] / image.shape[0]), 96)
    line[:, :width] = (opencv(image, (96, width))[..., ::-1] / 255 - 0.5) / 0.5
    return planes(line)


def mediapipe_of_a_square(image: Array) -> Array:
    library = pytest.importorskip("cv2", reason="OpenCV is not installed")
    square = image[:, :120]
    matrix = np.diag([96 / square.shape[1], 96 / square.shape[0], 1.0])
    warped = library.warpPerspective(square, matrix, (96, 96), borderMode=library.BORDER_REPLICATE)
    return np.asarray(warped / 255.0)[None]


def torchvision(image: Array) -> Array:
    # 96 / 0.875 is 109.7; the longer side is 1.5 times as long, cut off.
    resized = pillow(image, (109, 163), "BILINEAR")
    top, left = round((109 - 96) / 2), round((163 - 96) / 2)
    return planes((resized[top : top + 96, left : left + 96] / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def clip(image: Array) -> Array:
    resized = pillow(image, (96, 144), "BICUBIC")[:, 24:120]
    mean, std = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
    return planes((resized / 255 - mean) / std)


def timm(image: Array) -> Array:
    resized = pillow(image, (109, 163), "BICUBIC")
    top, left = round((109 - 96) / 2), round((163 - 96) / 2)
    return planes((resized[top : top + 96, left : left + 96] / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def vit(image: Array) -> Array:
    return planes(pillow(image, (96, 96), "BILINEAR") / 127.5 - 1)


def rtdetr(image: Array) -> Array:
    return planes(pillow(image, (96, 96), "BILINEAR") / 255)


def efficientdet(image: Array) -> Array:
    boxed = np.tile(np.rint(255 * IMAGENET_MEAN), (96, 96, 1))
    boxed[:64] = pillow(image, (64, 96), "BILINEAR")
    return planes((boxed / 255 - IMAGENET_MEAN) / IMAGENET_STD)


def keras(image: Array) -> Array:
    return pillow(image, (96, 96), "NEAREST")[None] / 127.5 - 1


def keras_caffe(image: Array) -> Array:
    return pillow(image, (96, 96), "NEAREST")[None, ..., ::-1] - [103.939, 116.779, 123.68]


EXPECTED: dict[str, Callable[[Array], Array]] = {
    "ultralytics": ultralytics,
    "yolox": yolox,
    "rtmdet": rtmdet,
    "insightface": insightface,
    "ppyoloe": ppyoloe,
    "ppocr": ppocr,
    "ppocr-rec": ppocr_line,
    "mediapipe": mediapipe_of_a_square,
    "torchvision": torchvision,
    "timm": timm,
    "clip": clip,
    "transformers-vit": vit,
    "rtdetr": rtdetr,
    "efficientdet": efficientdet,
    "keras": keras,
    "keras-caffe": keras_caffe,
}
# One step of a byte, where the library is closed or computes its weights in another way.
A_STEP = {"ppyoloe": 1 / 255 / 0.224, "mediapipe": 1 / 255}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_preset_gives_what_the_libraries_of_its_project_give(name: str) -> None:
    image = photograph(120, 180)
    expected = EXPECTED[name](image)
    array, _ = prepare(image[:, :120] if name == "mediapipe" else image, name, (96, 96))
    assert array.dtype == np.float32
    assert array.shape == expected.shape
    distance = np.abs(array - expected)
    assert np.mean(distance > 1e-5) <= (0.001 if name in A_STEP else 0)
    assert distance.max() <= A_STEP.get(name, 0) + 1e-5


def test_the_picture_is_normalised_before_an_antialiased_resize_where_the_project_does_so() -> None:
    image = photograph(120, 180)
    array, _ = prepare(image, "rf-detr", (96, 96))
    library = pytest.importorskip("PIL.Image")
    channels = [
        np.asarray(library.fromarray(image[..., c].astype(np.float32)).resize((96, 96), library.Resampling.BILINEAR))
        for c in range(3)
    ]
    expected = (np.stack(channels) / 255 - IMAGENET_MEAN[:, None, None]) / IMAGENET_STD[:, None, None]
    assert np.abs(array[0] - expected).max() < 1e-5
    assert not np.allclose(array[0] * IMAGENET_STD[:, None, None] * 255 % 1, 0, atol=0.01)


def test_yolox_is_fed_blue_first_and_not_scaled() -> None:
    blue = np.zeros((64, 64, 3), np.uint8)
    blue[..., 2] = 200
    array, _ = prepare(blue, "yolox", (64, 64))
    assert array[0, :, 5, 5].tolist() == [200.0, 0.0, 0.0]


@settings(max_examples=80, deadline=None)
@given(
    name=st.sampled_from(sorted(presets())),
    sides=st.tuples(st.integers(30, 90), st.integers(30, 90)),
    target=st.tuples(st.integers(20, 80), st.integers(20, 80)),
    color=st.tuples(*[st.integers(0, 255)] * 3),
)
def test_a_picture_of_one_colour_is_that_colour_scaled_and_its_border_is_the_fill(
    name: str, sides: tuple[int, int], target: tuple[int, int], color: tuple[int, int, int]
) -> None:
    if name in NEEDS_PILLOW:
        pytest.importorskip("PIL")
    preset = presets()[name]
    if preset.same_aspect:
        sides = target
    array, placement = prepare(np.full((*sides, 3), color, np.uint8), name, target)
    picture = array[0].transpose(1, 2, 0) if preset.channels_first else array[0]
    assert picture.shape == (*placement.out, 3)

    def scaled(pixel: tuple[float, ...]) -> Array:
        ordered = np.array(pixel[::-1] if preset.bgr else pixel) / preset.scaling.divisor
        return (ordered - preset.scaling.mean) / preset.scaling.std

    step = 1.01 / preset.scaling.divisor / np.array(preset.scaling.std)
    top, left = max(placement.top, 0), max(placement.left, 0)
    seen = picture[top : top + placement.resized[0], left : left + placement.resized[1]]
    assert (np.abs(seen - scaled(color)) <= step + 1e-5).all()
    border = np.ones(picture.shape[:2], bool)
    border[top : top + placement.resized[0], left : left + placement.resized[1]] = False
    fill = np.zeros(3) if preset.fill is None else scaled(preset.fill)
    assert np.allclose(picture[border], fill, atol=1e-5)


@pytest.mark.parametrize("name", sorted(presets()))
def test_every_preset_says_where_it_comes_from(name: str) -> None:
    preset = presets()[name]
    assert preset.name == name
    assert len(preset.source) > 20


def test_a_preset_is_a_value_that_can_be_varied() -> None:
    preset = presets()["ultralytics"]
    with pytest.raises(FrozenInstanceError):
        preset.fill = None  # type: ignore[misc]
    with pytest.raises(TypeError):
        presets()["ultralytics"] = preset  # type: ignore[index]
    image = photograph(120, 180)
    filtered, _ = prepare(image, replace(preset, kernel="cv2-area"), (64, 64))
    assert not np.array_equal(filtered, prepare(image, preset, (64, 64))[0])


def test_the_picture_itself_is_left_as_it_is() -> None:
    image = photograph(64, 64)
    before = image.copy()
    for name, preset in presets().items():
        if not preset.kernel.startswith("pil"):
            prepare(image, name, (64, 64))
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "preset", "message"),
    [
        (np.zeros((8, 8, 3), np.uint8), "ultralytic", 'unknown preset .*did you mean "ultralytics"'),
        (np.zeros((8, 8, 3), np.float32), "yolox", "uint8 of"),
        (np.zeros((8, 8), np.uint8), "yolox", "uint8 of"),
        (np.zeros((8, 8, 4), np.uint8), "yolox", "uint8 of"),
        (np.zeros((8, 16, 3), np.uint8), "mediapipe", "region of the input's aspect ratio"),
        (np.zeros((1, 900, 3), np.uint8), "insightface", "narrow"),
    ],
)
def test_what_a_preset_cannot_prepare_is_one_clear_line(image: Array, preset: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        prepare(image, preset, (64, 64))
    assert "\n" not in str(refusal.value)
