"""What ``resize`` compares: its own options, beside those of a measurement."""

from __future__ import annotations

from auditor.options.kinds import words
from auditor.options.option import Group, option
from auditor.options.panels import Panel


class ResizeOptions(Group):
    """The kernels to compare."""

    kernels: tuple[str, ...] = option(
        words("KERNELS"),
        "Kernels to compare. Separated by commas; without it cv2-area, pil-bilinear, pil-bicubic, cv2-linear,"
        " cv2-cubic and cv2-nearest, and the deployed one in any case.",
        Panel.IMAGES,
        shown="six usual ones",
    )
