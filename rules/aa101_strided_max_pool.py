"""AA101 strided-max-pool: a max-pool that subsamples without a low-pass."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import SiteKind

from ._common import ALIAS_OPTIONS, ALIAS_SEVERITIES, RETRAIN, alias_finding, dims, low_pass, open_sites, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per strided max-pool that is not anti-aliased."""
    for site in open_sites(context, SiteKind.MAX_POOL):
        yield alias_finding(
            RULE,
            context,
            site,
            f"Max-pooling {dims(site.kernel)} with stride {steps(site.stride)}",
            f"Take the maximum at stride 1, then subsample behind {low_pass(site)} (MaxBlurPool). {RETRAIN}",
        )


RULE = Rule(
    code="AA101",
    name="strided-max-pool",
    summary="A max-pool with a stride keeps one position out of several without a low-pass.",
    severities=ALIAS_SEVERITIES,
    check=check,
    options=ALIAS_OPTIONS,
)
