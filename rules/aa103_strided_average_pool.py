"""AA103 strided-average-pool: an average-pool or Lp-pool whose box filter is too weak a low-pass for its stride."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import Site, SiteKind

from ._common import ALIAS_OPTIONS, ALIAS_SEVERITIES, RETRAIN, alias_finding, dims, low_pass, open_sites, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per strided average-pool or Lp-pool that is not anti-aliased."""
    for site in open_sites(context, SiteKind.AVERAGE_POOL, SiteKind.LP_POOL):
        pooling = "Average-pooling" if site.kind is SiteKind.AVERAGE_POOL else "Lp-pooling"
        does = f"{pooling} {dims(site.kernel)} with stride {steps(site.stride)}"
        yield alias_finding(RULE, context, site, does, _advice(site))


def _advice(site: Site) -> str:
    if site.kind is SiteKind.AVERAGE_POOL:
        return f"Replace the box average by {low_pass(site)} with the same stride and centre. {RETRAIN}"
    return f"Run it at stride 1, then subsample behind {low_pass(site)}. {RETRAIN}"


RULE = Rule(
    code="AA103",
    name="strided-average-pool",
    summary="An average-pool or Lp-pool with a stride: its box is a weak low-pass.",
    severities=ALIAS_SEVERITIES,
    check=check,
    options=ALIAS_OPTIONS,
)
