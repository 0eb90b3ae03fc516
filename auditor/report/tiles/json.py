"""The plan of tiles as a JSON document of its own."""

from __future__ import annotations

from auditor.codec import encode
from auditor.facts.tiling import TilesReport
from auditor.report import RenderOptions


def render(report: TilesReport, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one JSON document."""
    return encode(report)
