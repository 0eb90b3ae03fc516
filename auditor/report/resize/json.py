"""The comparison of kernels as a JSON document of its own; pictures are left out, their names and answers are not."""

from __future__ import annotations

from auditor.codec import encode
from auditor.facts.resizing import ResizeReport
from auditor.report import RenderOptions


def render(report: ResizeReport, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one JSON document."""
    return encode(report)
