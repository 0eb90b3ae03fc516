"""What a caller asks of ``tiles``: the options of the plan, and those of a measurement that it shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from auditor.choices import suggestion
from auditor.options.measuring import Measuring

if TYPE_CHECKING:
    from auditor.tiling.seams import SeamRequest

BUILTIN_PICTURES = 4
SHARED = (
    "images",
    "images_limit",
    "max_megapixels",
    "preset",
    "mean",
    "std",
    "scale",
    "channels",
    "layout",
    "image_input",
    "feed",
    "device",
    "threads",
    "allow_domain",
    "custom_ops",
    "step_timeout",
    "max_memory",
)
"""The options of a measurement that ``tiles`` has: pictures stay as large as they are, and nothing is shifted."""


def read_seams(values: Mapping[str, object], tolerance: float) -> SeamRequest:
    """The request of a Python caller, who spells options as keywords (``images_limit``).

    Raises:
        ValueError: an option is not what it must be, or there is none of that name; the message begins with its name.
        DataError: there are no such images.
    """
    known = [name for name, declared in Measuring.by_keyword().items() if declared.name in SHARED]
    for name in values:
        if name not in known:
            raise ValueError(f"there is no option {name!r}{suggestion(name, known)}; there is {', '.join(known)}")
    options = Measuring.from_keywords(values)
    given = {
        declared.key: getattr(options, name) for name, declared in options.options.items() if name in options.given
    }
    return seam_request(given, tolerance)


def seam_request(values: Mapping[str, object], tolerance: float) -> SeamRequest:
    """The request that the options of a measurement, by their names in a settings file, make.

    Raises:
        ValueError: an option is not what it must be; the message begins with its name.
        DataError: there are no such images.
    """
    from auditor.tiling.seams import SeamRequest
    from auditor.verify.options import read_request

    known = {declared.key for name, declared in Measuring.options.items() if name in SHARED}
    request = read_request({name: value for name, value in values.items() if name in known})
    if request.limit is None and request.images is None:
        request = replace(request, limit=BUILTIN_PICTURES)
    return SeamRequest(request.source(), request.settings, tolerance, request)
