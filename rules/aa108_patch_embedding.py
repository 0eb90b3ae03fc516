"""AA108 patch-embedding: the grid is cut into patches that do not overlap."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import SiteKind

from ._common import open_sites, percent, site_finding, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per patch embedding that is not anti-aliased."""
    for site in open_sites(context, SiteKind.PATCH_EMBEDDING):
        share = None if site.alias is None else site.alias.expected
        folds = "" if share is None else f", about {percent(share)} of what it samples is expected to fold"
        yield site_finding(
            RULE,
            site,
            Severity.WARNING,
            f"Cuts the grid into patches of {steps(site.factor)} without overlap{folds}."
            " A shift by anything but whole patches gives different tokens.",
            "Overlapping patches or a convolutional stem with low-passed strides alias less, and need training."
            " A blur of a few taps does nothing here. Without training, average over shifts of the input.",
        )


RULE = Rule(
    code="AA108",
    name="patch-embedding",
    summary="Patches without overlap sample the input at the patch size in one step.",
    severities=(Severity.WARNING,),
    check=check,
)
