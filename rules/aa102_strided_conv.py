"""AA102 strided-conv: a convolution that subsamples and whose own kernel is no low-pass."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import Site, SiteKind

from ._common import (
    ALIAS_OPTIONS,
    ALIAS_SEVERITIES,
    RETRAIN,
    alias_finding,
    dims,
    largest,
    low_pass,
    number,
    open_sites,
    percent,
    site_finding,
    steps,
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per strided convolution that is not anti-aliased, patch embeddings left to AA108.

    The frames of a short-time Fourier transform, as an operator or a convolution, are a note with their own advice.
    """
    for site in open_sites(context, SiteKind.CONV):
        yield alias_finding(
            RULE,
            context,
            site,
            f"Convolution {dims(site.kernel)} with stride {steps(site.stride)}",
            f"{_advice(site)} {RETRAIN}",
        )
    for site in open_sites(context, SiteKind.FRAMES):
        share = "" if site.alias is None else f": {percent(site.alias.flat)} of what each bin passes folds"
        yield site_finding(
            RULE,
            site,
            Severity.NOTE,
            f"Frames of {dims(tuple(size for size in site.kernel if size > 1))} samples, {number(largest(site.factor))}"
            f" apart, of a short-time Fourier transform{share}.",
            "The hop of a spectrogram is no sampling of a picture, and no blur belongs here: choose a smaller hop, a"
            " quarter of a Hann window or less.",
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
