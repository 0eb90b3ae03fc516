from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline.resampling.triangle import resize_part
from auditor.verify.images import preprocess
from auditor.verify.images.preprocess import (
    PRESETS,
    ChannelOrder,
    ImageLayout,
    Preprocessing,
    for_four,
    for_grey,
    on_black,
    preset,
    to_tensor,
)
from tests.work import peak_bytes

RAW = PRESETS["raw"]


def image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_imagenet_preprocessing_is_torchvisions() -> None:
    pixels = image(4, 4)
    tensor = to_tensor(pixels, preset("imagenet"))
    expected = (pixels / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(tensor, expected.transpose(2, 0, 1), atol=1e-6)
    assert tensor.dtype == np.float32


def test_caffe_preprocessing_is_bgr_minus_the_mean() -> None:
    pixels = image(3, 3)
    tensor = to_tensor(to_picture(pixels, (3, 3), preset("caffe-bgr")), preset("caffe-bgr"))
    np.testing.assert_allclose(tensor[0], pixels[..., 2] - 104.0)
    np.testing.assert_allclose(tensor[2], pixels[..., 0] - 123.0)


def to_picture(pixels: np.ndarray, size: tuple[int, int], preprocessing: Preprocessing) -> np.ndarray:
    """The levels, as floats: differences of bytes wrap around."""
    return preprocess.to_picture(pixels, size, preprocessing)[0].astype(np.float64)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(PRESETS)),
    layout=st.sampled_from([ImageLayout.NCHW, ImageLayout.NHWC]),
    dtype=st.sampled_from(["float32", "float16", "uint8"]),
    y=st.integers(0, 5),
    x=st.integers(0, 5),
)
def test_normalising_a_canvas_and_cutting_it_is_cutting_and_normalising(
    name: str, layout: ImageLayout, dtype: str, y: int, x: int
) -> None:
    given_ = PRESETS[name]
    chosen = Preprocessing(given_.scale, given_.mean, given_.std, given_.order, layout, dtype)
    canvas = image(13, 14).astype(np.float64)
    whole, rows, columns = to_tensor(canvas, chosen), slice(y, y + 8), slice(x, x + 9)
    cut = whole[:, rows, columns] if layout is ImageLayout.NCHW else whole[rows, columns]
    np.testing.assert_array_equal(cut, to_tensor(canvas[y : y + 8, x : x + 9], chosen))


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), target=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_every_image_fills_the_wanted_size_exactly(height: int, width: int, target: tuple[int, int]) -> None:
    picture = to_picture(image(height, width), target, RAW)
    assert picture.shape == (*target, 3)
    assert picture.min() >= 0
    assert picture.max() <= 255


def test_the_shorter_side_is_resized_and_the_centre_is_kept() -> None:
    pixels = np.zeros((20, 60, 3), dtype=np.uint8)
    pixels[:, 20:40] = 255
    assert to_picture(pixels, (20, 20), RAW).min() == 255
    halved = to_picture(pixels, (10, 10), RAW)
    # the triangle reaches one target pixel beyond, so only the outer columns see the surroundings
    assert halved[:, 1:-1].min() == 255
    np.testing.assert_array_equal(halved, halved[:, ::-1])


@pytest.mark.parametrize("shape", [(1, 2_000_000, 3), (2_000_000, 1, 3), (3, 500_000)])
def test_a_picture_is_cropped_before_it_is_enlarged(shape: tuple[int, ...]) -> None:
    pixels = np.broadcast_to(np.arange(max(shape)).reshape([n if n == max(shape) else 1 for n in shape]) % 256, shape)
    found: list[np.ndarray] = []
    work = partial(to_picture, pixels.astype(np.uint8), (224, 224), RAW)
    assert peak_bytes(lambda: found.append(work())) < 64 << 20
    middle = max(shape) // 2 % 256
    assert found[0].shape == (224, 224, 3)
    assert np.abs(found[0] - middle).max() <= 2


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 90), width=st.integers(1, 90), target=st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_cropping_first_changes_no_bit(height: int, width: int, target: tuple[int, int]) -> None:
    pixels = image(height, width)
    scale = max(target[0] / height, target[1] / width)
    covering = (max(target[0], round(height * scale)), max(target[1], round(width * scale)))
    whole = np.rint(resize_part(pixels.astype(np.float64), covering, (0, 0), covering))
    top, left = (covering[0] - target[0]) // 2, (covering[1] - target[1]) // 2
    expected = whole[top : top + target[0], left : left + target[1]]
    np.testing.assert_array_equal(to_picture(pixels, target, RAW), expected)


def test_resizing_matches_the_usual_pillow_pipeline_to_one_level() -> None:
    pil = pytest.importorskip("PIL.Image")
    pixels = image(75, 100, seed=3)
    theirs = np.asarray(pil.fromarray(pixels).resize((43, 32), pil.Resampling.BILINEAR))[:, 5:37]
    assert np.abs(to_picture(pixels, (32, 32), RAW) - theirs).max() <= 1


def test_grey_and_colour_are_turned_into_what_the_model_reads() -> None:
    grey = np.full((5, 5), 7, dtype=np.uint8)
    np.testing.assert_array_equal(to_picture(grey, (5, 5), RAW), 7)
    one = Preprocessing(channels=1, layout=ImageLayout.NHW)
    pixels = image(5, 5)
    pil = pytest.importorskip("PIL.Image")
    theirs = np.asarray(pil.fromarray(pixels).convert("L"))
    assert np.abs(to_tensor(to_picture(pixels, (5, 5), one), one) - theirs).max() <= 1


def test_a_grey_model_gets_the_luma_of_the_preset() -> None:
    grey = for_grey(preset("imagenet"))
    assert grey.channels == 1
    assert grey.mean == pytest.approx((0.299 * 0.485 + 0.587 * 0.456 + 0.114 * 0.406,))
    assert for_grey(preset("caffe-bgr")).mean == pytest.approx((0.299 * 123 + 0.587 * 117 + 0.114 * 104,))
    assert for_grey(grey) is grey


def test_integer_inputs_are_rounded_and_clipped_never_wrapped() -> None:
    wanted = Preprocessing(dtype="uint8", layout=ImageLayout.NHWC, channels=1)
    np.testing.assert_array_equal(to_tensor(np.array([[[-3.0], [12.6], [300.0]]]), wanted).ravel(), [0, 13, 255])


def test_two_preprocessings_are_described_alike_only_if_they_are_equal() -> None:
    lines = {preset(name).describe() for name in PRESETS}
    assert len(lines) == len(PRESETS)
    assert "BGR" in preset("caffe-bgr").describe()
    assert "grey" in for_grey(RAW).describe()


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        ({"channels": 5}, "channels"),
        ({"mean": (1.0, 2.0)}, "mean"),
        ({"std": (0.0,)}, "positive"),
        ({"dtype": "complex64"}, "type"),
        ({"layout": ImageLayout.NHW}, "NHW"),
    ],
)
def test_preprocessing_that_cannot_be_meant_is_refused(wrong: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        Preprocessing(**wrong)  # type: ignore[arg-type]


def test_an_array_that_is_no_image_is_refused() -> None:
    for shape in ((5,), (5, 5, 2), (0, 5, 3)):
        with pytest.raises(ValueError, match="image"):
            to_picture(np.zeros(shape), (4, 4), RAW)
    with pytest.raises(ValueError, match="imagenet"):
        preset("image-net")
    assert ChannelOrder("bgr") is ChannelOrder.BGR


def test_four_channels_keep_the_fourth_in_its_place_and_scaled() -> None:
    pixels = np.stack([np.full((4, 4), level, np.uint8) for level in (10, 20, 30, 255)], axis=-1)
    for name, first in (("unit", 10 / 255), ("imagenet", (10 / 255 - 0.485) / 0.229)):
        ready = for_four(preset(name))
        tensor = to_tensor(to_picture(pixels, (4, 4), ready), ready)
        assert tensor.shape == (4, 4, 4)
        assert tensor[0, 0, 0] == pytest.approx(first, rel=1e-5)
        assert tensor[3, 0, 0] == pytest.approx(1)
    swapped = for_four(preset("caffe-bgr"))
    assert to_picture(pixels, (4, 4), swapped)[0, 0].tolist() == [30, 20, 10, 255]


def test_four_channels_and_three_are_not_mixed_in_silence() -> None:
    with pytest.raises(ValueError, match="4 channels and the model reads 3"):
        to_picture(np.zeros((4, 4, 4), np.uint8), (4, 4), preset("unit"))
    with pytest.raises(ValueError, match="3 channels and the model reads 4"):
        to_picture(np.zeros((4, 4, 3), np.uint8), (4, 4), for_four(preset("unit")))


def test_a_transparent_picture_lies_on_black_for_a_model_of_three_channels() -> None:
    pixels = np.array([[[200, 100, 50, 255], [200, 100, 50, 51], [9, 9, 9, 0]]], np.uint8)
    assert on_black(pixels).tolist() == [[[200, 100, 50], [40, 20, 10], [0, 0, 0]]]
