"""A picture is resized as the named library would do it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.pipeline import kernels, resize
from auditor.pipeline.resampling import opencv

PINNED = Path(__file__).resolve().parents[3] / "shared" / "cases" / "resize"
LIBRARIES = ("cv2", "pillow", "torch", "tensorflow", "onnxruntime", "openvino", "dali")
# A closed or tabulating library is met within one step on this share of the values.
WITHIN_A_STEP = {
    "cv2-cubic": 1e-4,
    "cv2-cubic-noipp": 1e-3,
    "dali-linear": 0.03,
    "dali-linear-noaa": 0.03,
    "dali-cubic": 0.03,
}
# How DALI decides ties is not known.
UNKNOWN = {"dali-nearest"}
SLACK = {"dali-cubic": 2e-3}
# Kernels that look at a fixed number of neighbours, however much they shrink.
ALIASING = ("cv2-nearest", "cv2-linear", "cv2-cubic", "cv2-lanczos4", "torch-bilinear", "tf-bilinear", "ort-linear")
FILTERED = (
    "cv2-area",
    "pil-bilinear",
    "pil-lanczos",
    "torch-bilinear-aa",
    "tf-area",
    "tf-bilinear-aa",
    "ort-linear-aa",
)


def pinned(library: str) -> Iterator[tuple[str, npt.NDArray[np.generic], npt.NDArray[np.generic]]]:
    """Kernel, input and what the library returned for it."""
    inputs = np.load(PINNED / "inputs.npz")
    outputs = np.load(PINNED / f"{library}.npz")
    for key in outputs.files:
        if "|" in key:
            kernel, name, _ = key.split("|")
            yield kernel, inputs[name], outputs[key]


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_kernel_gives_what_its_library_gave(library: str) -> None:
    if not PINNED.is_dir():
        pytest.skip("the pinned outputs of the libraries are not beside the checkout")
    if library == "pillow":
        pillow = pytest.importorskip("PIL")
        if int(pillow.__version__.split(".")[0]) < 13:
            pytest.skip("the pinned outputs are of Pillow 13, which takes its passes in another order than before")
    wrong: dict[str, list[int]] = {}
    for kernel, image, expected in pinned(library):
        if kernel in UNKNOWN:
            continue
        result = resize(image, expected.shape[:2], kernel)
        assert result.dtype == expected.dtype, kernel
        distance = np.abs(result.astype(float) - expected.astype(float))
        if expected.dtype == np.uint8:
            count = wrong.setdefault(kernel, [0, 0])
            count[0] += int(np.count_nonzero(distance))
            count[1] += distance.size
            assert distance.max() <= (1 if kernel in WITHIN_A_STEP else 0), kernel
        else:
            assert distance.max() <= SLACK.get(kernel, 1e-5) * np.ptp(image), kernel
    for kernel, (different, total) in wrong.items():
        assert different <= WITHIN_A_STEP.get(kernel, 0) * total, kernel


OPENCV = {
    "nearest": opencv.nearest,
    "nearest-exact": opencv.nearest_exact,
    "linear": opencv.linear_kernel,
    "linear-exact": opencv.linear_exact,
    "area": opencv.area,
    "lanczos4": opencv.lanczos4,
    "cubic": opencv.cubic_kernel,
}


def compare_with_opencv(kernel: str, image: npt.NDArray[np.uint8], size: tuple[int, int]) -> tuple[int, int]:
    """How many values differ from the OpenCV that is installed, and by how much at most; not by way of OpenCV."""
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    if kernel == "nearest-exact" and int(cv2.__version__.split(".")[0]) < 5:
        pytest.skip("INTER_NEAREST_EXACT changed in OpenCV 5")
    expected = cv2.resize(image, size[::-1], interpolation=getattr(cv2, f"INTER_{kernel.upper().replace('-', '_')}"))
    distance = np.abs(OPENCV[kernel](image, size).astype(int) - expected)
    return int(np.count_nonzero(distance)), int(distance.max())


@pytest.mark.parametrize("kernel", sorted(set(OPENCV) - {"cubic"}))
def test_uint8_is_bit_exact_to_the_opencv_that_is_installed(kernel: str) -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        height, width, rows, columns = random.integers(1, 70, 4).tolist()
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        assert compare_with_opencv(kernel, image, (rows, columns)) == (0, 0), (image.shape, rows, columns)


@pytest.mark.slow
@pytest.mark.parametrize("kernel", sorted(OPENCV))
def test_it_is_over_many_sizes_and_in_large_pictures(kernel: str) -> None:
    random = np.random.default_rng(1)
    sizes = [random.integers(1, 70, 4).tolist() for _ in range(1500)]
    sizes += [random.integers(200, 1200, 4).tolist() for _ in range(20)] + [[3000, 4000, 640, 640]]
    differing = total = 0
    for height, width, rows, columns in sizes:
        image = random.integers(0, 256, (height, width, 3), np.uint8)
        count, most = compare_with_opencv(kernel, image, (rows, columns))
        assert most <= (1 if kernel == "cubic" else 0), (image.shape, rows, columns)
        differing, total = differing + count, total + rows * columns * 3
    assert differing <= WITHIN_A_STEP.get(f"cv2-{kernel}", 0) * total


@pytest.mark.parametrize("kernel", sorted(OPENCV))
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_large_picture_is_resized_to_the_same_bits_by_opencv_where_it_is_installed(
    kernel: str, channels: int
) -> None:
    image = np.random.default_rng(2).integers(0, 256, (1050, 1000, channels), np.uint8)
    result = resize(image, (320, 300), f"cv2-{kernel}")
    expected = OPENCV[kernel](image, (320, 300))
    assert result.shape == expected.shape
    distance = np.abs(result.astype(int) - expected)
    assert distance.max() <= (1 if kernel == "cubic" else 0)
    assert np.count_nonzero(distance) <= WITHIN_A_STEP.get(f"cv2-{kernel}", 0) * distance.size


@settings(max_examples=60, deadline=None)
@given(
    kernel=st.sampled_from(sorted(kernels())),
    sides=st.tuples(*[st.integers(1, 40)] * 4),
    level=st.integers(0, 255),
)
def test_a_picture_of_one_colour_keeps_it(kernel: str, sides: tuple[int, int, int, int], level: int) -> None:
    if kernel.startswith("pil"):
        pytest.importorskip("PIL")
    if kernel == "keras-bilinear-pad":
        return  # its border is black
    height, width, rows, columns = sides
    image = np.full((height, width, 3), level, np.uint8)
    result = resize(image, (rows, columns), kernel)
    assert result.shape == (rows, columns, 3)
    # Fixed-point weights need not add up to one exactly, and onnxruntime cuts fractions off.
    assert np.abs(result.astype(float) - level).max() <= 1


@pytest.mark.parametrize("kernel", ALIASING)
def test_a_kernel_that_is_not_widened_lets_stripes_alias(kernel: str) -> None:
    stripes = np.zeros((240, 240, 1), np.uint8)
    stripes[:, ::5] = 255
    assert np.ptp(resize(stripes, (60, 64), kernel)[20:40, 20:40].astype(float)) > 100


@pytest.mark.parametrize("kernel", FILTERED)
def test_a_filtered_kernel_averages_them_away(kernel: str) -> None:
    if kernel.startswith("pil"):
        pytest.importorskip("PIL")
    stripes = np.zeros((240, 240, 1), np.uint8)
    stripes[:, ::5] = 255
    assert np.ptp(resize(stripes, (60, 20), kernel)[20:40, 5:15].astype(float)) < 40


def test_a_grey_picture_needs_no_channel_axis() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert resize(image, (4, 4), "cv2-area").shape == (4, 4)
    assert np.array_equal(resize(image, (4, 4), "cv2-area"), resize(image[..., None], (4, 4), "cv2-area")[..., 0])


def test_a_misspelt_kernel_is_answered_with_the_right_one() -> None:
    with pytest.raises(ValueError, match='did you mean "cv2-area"'):
        resize(np.zeros((4, 4, 3), np.uint8), (2, 2), "cv2-aera")


@pytest.mark.parametrize(
    ("image", "size", "message"),
    [
        (np.zeros((4, 4, 3), np.uint8), (0, 2), "a size is"),
        (np.zeros((4, 4, 3), np.int32), (2, 2), "uint8 or floating"),
        (np.zeros((4,), np.uint8), (2, 2), "an image is"),
        (np.zeros((0, 4, 3), np.uint8), (2, 2), "none of them 0"),
    ],
)
def test_what_is_no_picture_or_no_size_is_one_clear_line(
    image: npt.NDArray[np.generic], size: tuple[int, int], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        resize(image, size, "cv2-area")


def test_a_crop_that_leaves_no_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no pixel of a picture of 1x1 is left of the aspect ratio of 5x7"):
        resize(np.zeros((1, 1, 3), np.uint8), (5, 7), "keras-bilinear-crop")
