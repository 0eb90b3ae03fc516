"""The request that the options of ``resize`` make, together with those of a measurement."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.choices import suggestion
from auditor.options.measuring import Measuring
from auditor.options.resizing import ResizeOptions
from auditor.verify.options import read_request

if TYPE_CHECKING:
    from auditor.resizing.run import ResizeRequest

SHARED = (
    "images",
    "images_limit",
    "max_megapixels",
    "preset",
    "resize",
    "fit",
    "mean",
    "std",
    "scale",
    "channels",
    "layout",
    "size",
    "task",
    "image_input",
    "measured_output",
    "feed",
    "box_score",
    "confidence",
    "device",
    "jobs",
    "ray",
    "threads",
    "allow_domain",
    "custom_ops",
    "step_timeout",
    "max_memory",
)
"""The options of a measurement that ``resize`` has: the shifts are its own, and layers are another question."""


def read_resize(values: Mapping[str, object]) -> ResizeRequest:
    """The request of a Python caller, who spells options as keywords (``images_limit``).

    Raises:
        ValueError: an option is not what it must be, or there is none of that name; the message begins with its name.
        DataError: there are no such images.
    """
    own, shared = ResizeOptions.by_keyword(), Measuring.by_keyword()
    known = [*own, *(name for name, declared in shared.items() if declared.name in SHARED)]
    for name in values:
        if name not in known:
            raise ValueError(f"there is no option {name!r}{suggestion(name, known)}; there is {', '.join(known)}")
    resizing = ResizeOptions.from_keywords({name: value for name, value in values.items() if name in own})
    measuring = Measuring.from_keywords({name: value for name, value in values.items() if name not in own})
    general = {declared.key: getattr(measuring, name) for name, declared in Measuring.options.items()}
    given = {declared.key for name, declared in Measuring.options.items() if name in measuring.given}
    return resize_request({key: value for key, value in general.items() if key in given}, resizing)


def resize_request(measuring: Mapping[str, object], resizing: ResizeOptions) -> ResizeRequest:
    """The request that the options of a measurement, by their names in a settings file, and our own make.

    Raises:
        ValueError: an option is not what it must be; the message begins with its name.
        DataError: there are no such images.
    """
    from auditor.resizing.kernels import chosen_kernels
    from auditor.resizing.run import ResizeRequest

    if measuring.get("images") is None:
        raise ValueError("images must be given: your own pictures, as large as they come to the model's resize")
    deployed = str(measuring.get("resize") or "")
    try:
        chosen_kernels(resizing.kernels, deployed)
    except ValueError as error:
        raise ValueError(f"{'kernels' if resizing.kernels else 'resize'}: {error}") from None
    request = read_request(measuring)
    return ResizeRequest(
        source=request.source(),
        settings=request.settings,
        kernels=tuple(resizing.kernels),
        deployed=deployed,
        asked=request,
    )
