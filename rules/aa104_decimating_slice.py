"""AA104 decimating-slice: positions picked at a constant step, with no filter at all."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import SiteKind

from ._common import ALIAS_OPTIONS, ALIAS_SEVERITIES, RETRAIN, alias_finding, low_pass, open_sites, steps

_WORDS = {
    SiteKind.SLICE: "Slice with a step of",
    SiteKind.GATHER: "Gather at every",
    SiteKind.RESIZE_NEAREST: "Nearest-neighbour resize down by",
}
_WRITTEN_OUT = {
    **dict.fromkeys(("MatMul", "Einsum"), "A constant matrix that resamples down by"),
    "Reshape": "A convolution with interleaved phases that resamples down by",
}


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per Slice, Gather or nearest-neighbour Resize that picks positions and drops the rest."""
    for site in open_sites(context, *_WORDS):
        if site.kind is SiteKind.RESIZE_NEAREST:
            advice = "Resize with mode=linear and antialias=1 (opset 18), or average the area each output stands for."
        else:
            advice = f"Put {low_pass(site)} in front of it, or average what it now drops."
        words = _WRITTEN_OUT.get(site.node.op.raw, _WORDS[site.kind])
        does = f"{words} {steps(site.factor)} keeps single positions without a filter"
        yield alias_finding(RULE, context, site, does, f"{advice} {RETRAIN}")


RULE = Rule(
    code="AA104",
    name="decimating-slice",
    summary="A Slice, Gather or nearest-neighbour Resize keeps every n-th position without any filter.",
    severities=ALIAS_SEVERITIES,
    check=check,
    options=ALIAS_OPTIONS,
)
