"""AA105 unfiltered-resize: a linear or cubic resize that shrinks the grid without widening its kernel."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import SiteKind

from ._common import ALIAS_OPTIONS, ALIAS_SEVERITIES, alias_finding, open_sites, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per shrinking linear or cubic Resize without antialias, or weights that do the same."""
    for site in open_sites(context, SiteKind.RESIZE):
        if site.node.op.raw not in ("Resize", "Upsample"):
            phases = site.node.op.raw == "Reshape"
            by = "A convolution with interleaved phases" if phases else "A constant matrix"
            does = f"{by} that resamples down by {steps(site.factor)} interpolates between neighbours only"
            advice = (
                "Compute its weights with a filter (the weights of a Resize with antialias=1), or put an average over"
                " the scale in front of it. What follows was trained on the unfiltered result, so check the accuracy"
                " afterwards."
            )
            yield alias_finding(RULE, context, site, does, advice)
            continue
        yield alias_finding(
            RULE,
            context,
            site,
            f"Resize down by {steps(site.factor)} interpolates between neighbours only, without antialias",
            "Set antialias=1 (opset 18; `interpolate(..., antialias=True)` in torch), or put an average over the scale"
            " in front of it. What follows was trained on the unfiltered result, so check the accuracy afterwards.",
        )


RULE = Rule(
    code="AA105",
    name="unfiltered-resize",
    summary="A linear or cubic Resize shrinks the grid with a kernel made for enlarging.",
    severities=ALIAS_SEVERITIES,
    check=check,
    options=ALIAS_OPTIONS,
)
