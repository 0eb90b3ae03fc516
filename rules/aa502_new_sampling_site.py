"""AA502 new-sampling-site: the new model samples at a place where its base does not."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import number, site_finding, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per new site; an error where the factor to an output rose too, a note where it is protected."""
    comparison = context.comparison
    if comparison is None:
        return
    risen = [change for change in comparison.outputs if change.rose]
    for site in comparison.new_sites:
        if not site.unprotected:
            severity = Severity.NOTE
        else:
            severity = Severity.ERROR if risen else Severity.WARNING
        grown = ""
        if risen:
            factor = max(change.after for change in risen if change.after is not None)
            grown = f", and the cumulative factor rose to {number(factor)}"
        how = "labels" if site.labels else "behind a low-pass" if site.antialiased else "without a low-pass"
        yield site_finding(
            RULE,
            site,
            severity,
            f"The base does not sample here; this model subsamples by {steps(site.factor)} {how}{grown}.",
            "Where the change is meant, waive it with the reason; else look for a stride or a pool that came with it.",
        )


RULE = Rule(
    code="AA502",
    name="new-sampling-site",
    summary="The new model subsamples at a place where its base does not.",
    severities=(Severity.ERROR, Severity.WARNING, Severity.NOTE),
    check=check,
    needs=frozenset({Need.COMPARISON}),
)
