"""The one word that the report gives each sampling site."""

from __future__ import annotations

from enum import Enum

from auditor.sampling.result import Site, SiteKind

# From half of the power on, what folds outweighs what is kept: no filter worth the name stands there.
ALIASED_FROM = 0.5


class SiteVerdict(Enum):
    """What a site does to the frequencies above its new Nyquist limit."""

    ALIASED = "aliased"
    WEAK_FILTER = "weak filter"
    ANTI_ALIASED = "anti-aliased"
    MIXED_PHASES = "mixed phases"  # space-to-depth loses nothing, but the channels mean another phase each
    UNKNOWN = "unknown"  # the weights were not there to judge by


def verdict(site: Site) -> SiteVerdict:
    """The verdict on a site, from what the analysis recognised and its alias energy under a flat input spectrum."""
    if site.antialiased:
        return SiteVerdict.ANTI_ALIASED
    if site.kind is SiteKind.PHASE_TO_CHANNEL:
        return SiteVerdict.MIXED_PHASES
    if site.alias is None:
        return SiteVerdict.UNKNOWN
    return SiteVerdict.ALIASED if site.alias.flat >= ALIASED_FROM else SiteVerdict.WEAK_FILTER
