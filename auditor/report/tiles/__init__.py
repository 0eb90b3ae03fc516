"""The report of ``tiles``, one file per format."""

from __future__ import annotations

from importlib import import_module

from auditor.facts.formats import Format
from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions

FORMATS = (Format.TEXT, Format.JSON, Format.MARKDOWN)


def render_tiles(report: TilesReport, output_format: Format, options: RenderOptions | None = None) -> str:
    """The report in one of :data:`FORMATS`, ending in a newline.

    Raises:
        ValueError: there is no such report in this format.
    """
    if output_format not in FORMATS:
        known = ", ".join(one.value for one in FORMATS)
        raise ValueError(f"a plan of tiles is written as {known}, not as {output_format.value}")
    module = import_module(f"{__name__}.{output_format.value}")
    text: str = module.render(report, options or RenderOptions())
    return text
