"""AA106 skipped-input: a kernel smaller than its stride, so that part of the input is never read."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import SiteKind

from ._common import dims, low_pass, open_sites, percent, site_finding, steps

# Slices, gathers and resizes skip by definition and are AA104's and AA105's; here a kernel claims to look at the input.
_KINDS = (SiteKind.CONV, SiteKind.MAX_POOL, SiteKind.AVERAGE_POOL, SiteKind.LP_POOL)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per convolution or pool that leaves input positions unread."""
    limit = float(context.options["warning"])
    for site in open_sites(context, *_KINDS):
        if not site.skipped:
            continue
        severity = Severity.WARNING if site.skipped >= limit else Severity.NOTE
        dilation = "" if set(site.dilation) <= {1} else f" and dilation {steps(site.dilation)}"
        yield site_finding(
            RULE,
            site,
            severity,
            f"Kernel {dims(site.kernel)} with stride {steps(site.stride)}{dilation}"
            f" never reads {percent(float(site.skipped))} of its input positions.",
            f"Such a kernel cannot learn a low-pass: subsample behind {low_pass(site)} and run this node at stride 1"
            " (`avg_down` in timm averages in front of the 1x1 shortcut). Keep the same centre on both branches of a"
            " residual block.",
        )


RULE = Rule(
    code="AA106",
    name="skipped-input",
    summary="A kernel smaller than its stride never reads part of the input.",
    severities=(Severity.WARNING, Severity.NOTE),
    check=check,
    options={"warning": 0.5},
)
