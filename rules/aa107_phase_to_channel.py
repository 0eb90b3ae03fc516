"""AA107 phase-to-channel: space-to-depth, Focus or patch merging, which moves sampling phases into channels."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import Site, SiteKind

from ._common import open_sites, site_finding, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per rearrangement of space into channels."""
    for site in open_sites(context, SiteKind.PHASE_TO_CHANNEL):
        yield site_finding(
            RULE,
            site,
            Severity.WARNING,
            f"Moves the phases of a {steps(site.factor)}-fold coarser grid into channels: nothing is lost here, but a"
            f" shift by anything but multiples of {_period(site)} permutes channels that the following layers treat"
            " differently.",
            "The next layer that mixes channels acts as a convolution with this factor as its stride. Low-pass it"
            " like one when retraining (overlapping kernels, blur in front); in a trained network, average the outputs"
            " over shifts of the input.",
        )


def _period(site: Site) -> str:
    """The shift that leaves the channels in place."""
    known = [value for value in site.cumulative if value is not None]
    if len(known) == len(site.cumulative) and known:
        return f"{steps(tuple(known))} input samples"
    return f"{steps(site.factor)} samples of its own input"


RULE = Rule(
    code="AA107",
    name="phase-to-channel",
    summary="Space-to-depth, Focus or patch merging turns sampling phases into channels.",
    severities=(Severity.WARNING,),
    check=check,
)
