"""The arithmetic by which real pipelines place a picture: one function per convention, sizes only.

Each takes the picture's (height, width), then the input's (height, width) or the settings that stand for it, and gives
a :class:`~auditor.pipeline.placement.Placement`. ``round`` is Python's, half to even, as in the libraries. Checked
against what the libraries did on 770 sizes; the versions stand at each function.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from auditor.pipeline.placement import Placement

Size = tuple[int, int]


def stretch(picture: Size, size: Size) -> Placement:
    """Both sides to the input's, whatever that does to the aspect ratio."""
    return Placement(picture, size, size)


def ultralytics(
    picture: Size,
    size: Size,
    *,
    auto: bool = False,
    stride: int = 32,
    center: bool = True,
    scaleup: bool = True,
    scale_fill: bool = False,
) -> Placement:
    """``LetterBox`` of ultralytics 8.4: the whole picture, centred; ``auto`` pads to a multiple of ``stride`` only."""
    ratio = min(size[0] / picture[0], size[1] / picture[1])
    if not scaleup:
        ratio = min(ratio, 1.0)
    resized = max(round(picture[0] * ratio), 1), max(round(picture[1] * ratio), 1)
    rest = [float(size[0] - resized[0]), float(size[1] - resized[1])]
    if auto:
        rest = [rest[0] % stride, rest[1] % stride]
    elif scale_fill:
        resized, rest = size, [0.0, 0.0]
    if center:
        rest = [rest[0] / 2, rest[1] / 2]
    before = [round(side - 0.1) if center else 0 for side in rest]
    behind = [round(side + 0.1) for side in rest]
    out = resized[0] + before[0] + behind[0], resized[1] + before[1] + behind[1]
    return Placement(picture, resized, out, before[0], before[1])


def yolox(picture: Size, size: Size) -> Placement:
    """``preproc`` of YOLOX 0.3: the whole picture in the upper left corner, sizes cut off."""
    ratio = min(size[0] / picture[0], size[1] / picture[1])
    return Placement(picture, (_cut(picture[0] * ratio), _cut(picture[1] * ratio)), size)


def insightface(picture: Size, size: Size) -> Placement:
    """``SCRFD.detect`` of insightface: the whole picture in the upper left corner, its ratio rounded once more."""
    ratio = picture[0] / picture[1]
    if ratio > size[0] / size[1]:
        return Placement(picture, (size[0], _cut(size[0] / ratio)), size)
    return Placement(picture, (_cut(size[1] * ratio), size[1]), size)


def text_line(picture: Size, size: Size) -> Placement:
    """``resize_norm_img`` of PaddleOCR: to the input's height, squeezed where the line is longer than its width."""
    width = min(math.ceil(size[0] * (picture[1] / picture[0])), size[1])
    return Placement(picture, (size[0], width), size)


def mmdet(picture: Size, scale: Size, *, pad: Size | None = None, divisor: int = 32) -> Placement:
    """``imrescale`` of mmcv 2.2 within ``scale`` (long and short side in any order), padded at the right and bottom."""
    ratio = min(max(scale) / max(picture), min(scale) / min(picture))
    resized = int(picture[0] * ratio + 0.5), int(picture[1] * ratio + 0.5)
    return Placement(picture, resized, pad or _multiple(resized, divisor))


def detr(picture: Size, shortest: int, *, longest: int | None = None) -> Placement:
    """DETR's image processor of transformers 5.24: the shorter side, unless the longer one grows beyond ``longest``."""
    short, long = min(picture), max(picture)
    exact: float | None = None
    if longest is not None and long / short * shortest > longest:
        exact = longest * short / long
        shortest = round(exact)
    if short == shortest:
        return Placement(picture, picture, picture)
    other = int((exact or shortest) * long / short)
    resized = (shortest, other) if picture[0] <= picture[1] else (other, shortest)
    return Placement(picture, resized, resized)


def torchvision(picture: Size, shorter: int, *, crop: Size | None = None, longest: int | None = None) -> Placement:
    """``Resize(shorter)`` and ``CenterCrop`` of torchvision 0.28."""
    resized = _shorter_side(picture, shorter, longest)
    if crop is None:
        return Placement(picture, resized, resized)
    # Where the picture is smaller than the crop it is padded first, the odd pixel behind.
    top, left = (
        (have_pad if want > have else -round((have - want) / 2.0))
        for have, want, have_pad in zip(resized, crop, _pads(resized, crop), strict=True)
    )
    return Placement(picture, resized, crop, top, left)


def torchvision_detection(picture: Size, shorter: int, *, longest: int, divisor: int = 32) -> Placement:
    """``GeneralizedRCNNTransform`` of torchvision 0.28."""
    ratio = min(shorter / min(picture), longest / max(picture))
    resized = math.floor(picture[0] * ratio), math.floor(picture[1] * ratio)
    return Placement(picture, resized, _multiple(resized, divisor))


def transformers(picture: Size, shortest: int, *, crop: Size | None = None) -> Placement:
    """ViT's and CLIP's image processors of transformers 5.24: shorter side, then a centre crop that rounds down."""
    resized = _shorter_side(picture, shortest, None)
    if crop is None:
        return Placement(picture, resized, resized)
    top, left = (
        -((have - want) // 2) if have >= want else math.ceil((want - have) / 2)
        for have, want in zip(resized, crop, strict=True)
    )
    return Placement(picture, resized, crop, top, left)


def timm(picture: Size, size: Size, *, crop_pct: float = 0.875, mode: str = "center") -> Placement:
    """Timm 1.0's evaluation transform: to ``size / crop_pct``, by the shorter side or squashed, then a centre crop."""
    side = math.floor(min(size) / crop_pct)
    if mode == "center":
        return torchvision(picture, side, crop=size)
    if mode == "squash":
        resized = math.floor(size[0] / crop_pct), math.floor(size[1] / crop_pct)
        return Placement(
            picture, resized, size, -round((resized[0] - size[0]) / 2.0), -round((resized[1] - size[1]) / 2.0)
        )
    raise ValueError(f"timm's crop mode is center or squash; got {mode!r}")


def keras_center_crop(picture: Size, size: Size) -> Placement:
    """Keras 3.15 ``CenterCrop`` of a picture that is at least as large as the crop: nothing is resized."""
    if picture[0] < size[0] or picture[1] < size[1]:
        raise ValueError(f"a picture of {picture[0]}x{picture[1]} is smaller than the crop {size[0]}x{size[1]}")
    return Placement(picture, picture, size, -int((picture[0] - size[0]) / 2), -int((picture[1] - size[1]) / 2))


def tf_central_crop(picture: Size, fraction: float) -> Placement:
    """``tf.image.central_crop`` of TensorFlow 2.21."""
    top, left = (int((side - side * fraction) / 2) for side in picture)
    return Placement(picture, picture, (picture[0] - 2 * top, picture[1] - 2 * left), -top, -left)


def tf_crop_or_pad(picture: Size, size: Size) -> Placement:
    """``tf.image.resize_with_crop_or_pad`` of TensorFlow 2.21: nothing is resized."""
    top, left = (
        (want - have) // 2 if want >= have else -((have - want) // 2) for have, want in zip(picture, size, strict=True)
    )
    return Placement(picture, picture, size, top, left)


def tf_resize_with_pad(picture: Size, size: Size) -> Placement:
    """``tf.image.resize_with_pad`` of TensorFlow 2.21, whose ratio is a float32."""
    ratio = max(np.float32(picture[1]) / np.float32(size[1]), np.float32(picture[0]) / np.float32(size[0]))
    exact = np.float32(picture[0]) / ratio, np.float32(picture[1]) / ratio
    resized = math.floor(exact[0]), math.floor(exact[1])
    if 0 in resized:
        raise ValueError(f"a picture of {picture[0]}x{picture[1]} is too narrow: one side would be 0 pixels")
    top, left = (max(math.floor((np.float32(want) - side) / 2), 0) for want, side in zip(size, exact, strict=True))
    return Placement(picture, resized, size, top, left)


def pillow_pad(picture: Size, size: Size) -> Placement:
    """``ImageOps.pad`` of Pillow 13: the whole picture, centred."""
    height, width = picture
    if width / height > size[1] / size[0]:
        resized = round(height / width * size[1]), size[1]
    elif width / height < size[1] / size[0]:
        resized = size[0], round(width / height * size[0])
    else:
        resized = size
    return Placement(picture, resized, size, round((size[0] - resized[0]) * 0.5), round((size[1] - resized[1]) * 0.5))


def onnx_keep_aspect(picture: Size, size: Size, *, policy: str = "not_larger") -> Placement:
    """Resize-18's ``keep_aspect_ratio_policy`` as onnxruntime 1.32 rounds it; it never pads."""
    if policy not in ("not_larger", "not_smaller"):
        raise ValueError(f"the policy is not_larger or not_smaller; got {policy!r}")
    choose = min if policy == "not_larger" else max
    ratio = choose(np.float32(size[0]) / np.float32(picture[0]), np.float32(size[1]) / np.float32(picture[1]))
    resized = tuple(math.floor(np.float32(ratio * np.float32(side)) + np.float32(0.5)) for side in picture)
    return Placement(picture, (resized[0], resized[1]), (resized[0], resized[1]))


def crop(picture: Size, size: Size) -> Placement:
    """The middle of the picture at its own resolution, padded where it is smaller."""
    return tf_crop_or_pad(picture, size)


def cover(picture: Size, size: Size) -> Placement:
    """The smallest resize that leaves no border, then the middle of it."""
    ratio = max(size[0] / picture[0], size[1] / picture[1])
    resized = max(round(picture[0] * ratio), size[0]), max(round(picture[1] * ratio), size[1])
    return Placement(picture, resized, size, -((resized[0] - size[0]) // 2), -((resized[1] - size[1]) // 2))


def shortest_edge(picture: Size, size: Size, *, shorter: int | None = None) -> Placement:
    """Torchvision's way for classifiers: the shorter side to ``shorter`` (size / 0.875 unless told), then a centre
    crop.
    """
    return torchvision(picture, shorter or math.floor(min(size) / 0.875), crop=size)


def _cut(side: float) -> int:
    whole = int(side)
    if whole < 1:
        raise ValueError("the picture is so narrow that one of its sides would be 0 pixels")
    return whole


def _multiple(size: Size, divisor: int) -> Size:
    return math.ceil(size[0] / divisor) * divisor, math.ceil(size[1] / divisor) * divisor


def _pads(have: Size, want: Size) -> Size:
    return max(want[0] - have[0], 0) // 2, max(want[1] - have[1], 0) // 2


def _shorter_side(picture: Size, shorter: int, longest: int | None) -> Size:
    short, long = min(picture), max(picture)
    sides = shorter, int(shorter * long / short)
    if longest is not None and sides[1] > longest:
        sides = int(longest * sides[0] / sides[1]), longest
    return sides if picture[0] <= picture[1] else (sides[1], sides[0])


CONVENTIONS: dict[str, Callable[..., Placement]] = {
    "stretch": stretch,
    "letterbox": ultralytics,
    "letterbox-top-left": yolox,
    "shortest-edge": shortest_edge,
    "crop": crop,
    "cover": cover,
    "ultralytics": ultralytics,
    "yolox": yolox,
    "mmdet": mmdet,
    "insightface": insightface,
    "text-line": text_line,
    "detr": detr,
    "torchvision": torchvision,
    "torchvision-detection": torchvision_detection,
    "transformers": transformers,
    "timm": timm,
    "keras-center-crop": keras_center_crop,
    "tf-central-crop": tf_central_crop,
    "tf-crop-or-pad": tf_crop_or_pad,
    "tf-resize-with-pad": tf_resize_with_pad,
    "pil-pad": pillow_pad,
    "onnx-keep-aspect": onnx_keep_aspect,
}
