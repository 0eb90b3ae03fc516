"""A picture resized as another library would, to the bit where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

import numpy as np
import numpy.typing as npt

from auditor.choices import suggestion

Image = npt.NDArray[np.generic]
_LIBRARIES = ("opencv", "pillow", "torch", "tensorflow", "onnxruntime", "openvino", "dali", "triangle")


def kernels() -> Mapping[str, Callable[[Image, tuple[int, int]], Image]]:
    """Every kernel by its name, ``LIBRARY-KERNEL``, in the order of the libraries.

    ``cv2-*`` OpenCV, ``pil-*`` Pillow, ``torch-*`` torch (``tv2-*`` torchvision), ``tf-*`` TensorFlow (``keras-*``
    Keras), ``ort-*`` onnxruntime's Resize, ``ov-*`` OpenVINO's preprocessing, ``dali-*`` DALI. ``-aa`` is
    ``antialias=True``. ``triangle`` is what ``verify`` resizes with unless told otherwise.

    >>> "cv2-area" in kernels()
    True
    """
    table: dict[str, Callable[[Image, tuple[int, int]], Image]] = {}
    for library in _LIBRARIES:
        table.update(import_module(f"auditor.pipeline.resampling.{library}").KERNELS)
    for name, same in _SAME.items():
        table[name] = table[same]
    return table


# Names under which another library computes the same.
_SAME = {
    "tv2-nearest": "torch-nearest",
    "tv2-nearest-exact": "torch-nearest-exact",
    "tv2-bilinear": "torch-bilinear-aa",
    "tv2-bilinear-noaa": "torch-bilinear",
    "tv2-bicubic": "torch-bicubic-aa",
    "tv2-bicubic-noaa": "torch-bicubic",
    "keras-nearest": "tf-nearest",
    "keras-bilinear": "tf-bilinear",
    "keras-bicubic": "tf-bicubic",
    "keras-bilinear-aa": "tf-bilinear-aa",
    "keras-bicubic-aa": "tf-bicubic-aa",
    "cv4-nearest": "cv2-nearest",
    "cv4-linear": "cv2-linear",
    "cv4-linear-exact": "cv2-linear-exact",
    "cv4-area": "cv2-area",
    "cv4-cubic": "cv2-cubic",
    "cv4-cubic-noipp": "cv2-cubic-noipp",
    "cv4-lanczos4": "cv2-lanczos4",
}


def resize(image: Image, size: tuple[int, int], kernel: str) -> Image:
    """``image`` at another size, as the library and the kernel of that name compute it.

    ``image`` is (H, W, C) or (H, W), uint8 0..255 or floating in any range; ``size`` is (height, width) in pixels;
    ``kernel`` a name of :func:`kernels`. uint8 gives uint8 (TensorFlow's interpolating kernels and torch's ``area`` and
    ``-corners`` give float32, as they do there), floating gives float32. uint8 equals the library bit for bit, or is
    within one step where that library is closed or tabulates (``cv2-cubic``, ``ort-*-aa``, ``dali-*``); float32 is
    within 1e-5 of the range. Which versions: the module of each library in :mod:`auditor.pipeline.resampling`.

    Raises:
        ValueError: the kernel is not known, the size is below one pixel, or the image is neither uint8 nor floating.
        ImportError: a ``pil-*`` kernel without Pillow.

    >>> import numpy as np
    >>> picture = np.zeros((4, 4, 3), np.uint8)
    >>> picture[:, 1::2] = 255
    >>> resize(picture, (2, 2), "cv2-nearest")[0, 0].tolist()  # every second column: the stripes are gone
    [0, 0, 0]
    >>> resize(picture, (2, 2), "cv2-area")[0, 0].tolist()
    [128, 128, 128]
    """
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3) or 0 in pixels.shape:
        raise ValueError(
            f"an image is (height, width, channels) or (height, width), none of them 0; got {pixels.shape}"
        )
    if pixels.dtype != np.uint8 and not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(f"an image is uint8 or floating; got {pixels.dtype}")
    height, width = (int(side) for side in size)
    if height < 1 or width < 1:
        raise ValueError(f"a size is (height, width) of at least 1; got {tuple(size)}")
    table = kernels()
    if kernel not in table:
        raise ValueError(
            f"unknown resize kernel {kernel!r}{suggestion(kernel, table)}: one of {', '.join(sorted(table))}"
        )
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32, copy=False)
    flat = pixels.ndim == 2
    result = table[kernel](pixels[..., None] if flat else pixels, (height, width))
    return result[..., 0] if flat else result
