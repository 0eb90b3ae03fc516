"""What ``resize`` compares: its own options, beside those of a measurement."""

from __future__ import annotations

from auditor.options.kinds import text, words
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class Resizing(Group):
    """The kernels to compare, and the pipeline that is deployed."""

    resize: str | None = option(
        text("KERNEL"), "The kernel that you deploy, such as cv2-linear. Its row is marked and judged.", Panel.IMAGES
    )
    kernels: tuple[str, ...] = option(
        words("KERNELS"),
        "The kernels to compare. Separated by commas.",
        Panel.IMAGES,
        shown="cv2-area, pil-bilinear, pil-bicubic, cv2-linear, cv2-cubic, cv2-nearest",
    )
    preset: str | None = option(
        text("PRESET"),
        "A whole pipeline such as ultralytics, or how pixels become numbers. Without one, a report says that it is"
        " assumed.",
        Panel.IMAGES,
        shown="imagenet",
    )
    fit: str | None = option(
        text("FIT"), "How a picture is placed in the input.", Panel.IMAGES, shown="that of the preset, else cover"
    )
    layout: str | None = option(
        text("LAYOUT"),
        "Layout of the outputs such as yolov8, or axes of the input. The axes are NCHW, NHWC or NHW.",
        Panel.MEASURING,
    )
