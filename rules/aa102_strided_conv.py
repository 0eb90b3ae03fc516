"""AA102 strided-conv: a convolution that subsamples and whose own kernel is no low-pass."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.findings import Finding
from auditor.rule import Context, Rule
from auditor.sampling.result import Site, SiteKind

from ._common import ALIAS_OPTIONS, ALIAS_SEVERITIES, RETRAIN, alias_finding, dims, low_pass, open_sites, steps


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per strided convolution that is not anti-aliased, patch embeddings left to AA108."""
    for site in open_sites(context, SiteKind.CONV):
        yield alias_finding(
            RULE,
            context,
            site,
            f"Convolution {dims(site.kernel)} with stride {steps(site.stride)}",
            f"{_advice(site)} {RETRAIN}",
        )


def _advice(site: Site) -> str:
    # A 1x1 kernel commutes with a blur, which is cheaper in front; usually it is a shortcut without an activation.
    if set(site.kernel) == {1}:
        return f"Subsample behind {low_pass(site)}, then run it at stride 1 (`avg_down` in timm)."
    return (
        f"Run it at stride 1 and subsample after the activation, behind {low_pass(site)}"
        " (ConvBlurPool; `aa_layer` in timm)."
    )


RULE = Rule(
    code="AA102",
    name="strided-conv",
    summary="A strided convolution folds the high frequencies that its kernel lets through.",
    severities=ALIAS_SEVERITIES,
    check=check,
    options=ALIAS_OPTIONS,
)
