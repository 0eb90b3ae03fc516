"""Which kernels filter before they sample, against what their libraries document."""

from __future__ import annotations

from auditor.pipeline.resizing import kernels
from auditor.pipeline.response import low_pass


def test_kernels_that_widen_when_they_shrink_are_the_ones_with_a_low_pass() -> None:
    # The families of the libraries' documentation: fixed support, and support times the factor.
    fixed = ["cv2-nearest", "cv2-linear", "cv2-cubic", "cv2-lanczos4", "pil-nearest", "torch-bilinear", "tf-bicubic"]
    fixed += ["torch-bicubic", "tf-bilinear", "tf-lanczos3", "ort-linear", "ov-linear", "tv2-bilinear-noaa"]
    widened = ["cv2-area", "pil-box", "pil-bilinear", "pil-bicubic", "pil-lanczos", "torch-area", "tf-area"]
    widened += ["torch-bilinear-aa", "tf-bilinear-aa", "tv2-bilinear", "ort-linear-aa", "ov-bilinear-pillow"]
    assert [name for name in fixed if low_pass(name)] == []
    assert [name for name in widened if not low_pass(name)] == []


def test_every_kernel_has_a_response() -> None:
    assert {name: low_pass(name) for name in kernels()}.keys() == kernels().keys()
