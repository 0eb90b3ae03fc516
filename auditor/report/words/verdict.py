"""The one word that the report gives each sampling site."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from auditor.sampling.result import Site, SiteKind

# Of what folds along an axis without any filter; from here on, no filter worth the name stands there.
ALIASED_FROM = 0.6


class SiteVerdict(Enum):
    """What a site does to the frequencies above its new Nyquist limit."""

    ALIASED = "aliased"
    WEAK_FILTER = "weak filter"
    ANTI_ALIASED = "anti-aliased"
    MIXED_PHASES = "mixed phases"  # space-to-depth loses nothing, but the channels mean another phase each
    LABELS = "labels"  # a mask or a map of labels, which a filter would spoil
    UNKNOWN = "unknown"  # the weights were not there to judge by


def verdict(site: Site) -> SiteVerdict:
    """The verdict on a site's filter, from what the analysis recognised and what of a flat spectrum folds per axis."""
    if site.labels:
        return SiteVerdict.LABELS
    if site.antialiased:
        return SiteVerdict.ANTI_ALIASED
    if site.kind is SiteKind.PHASE_TO_CHANNEL:
        return SiteVerdict.MIXED_PHASES
    if site.alias is None:
        return SiteVerdict.UNKNOWN
    bare = [float(1 - 1 / max(abs(step), Fraction(1))) for step in site.factor]
    shares = zip(site.alias.per_axis, bare, strict=False)
    aliased = any(share >= ALIASED_FROM * most > 0 for share, most in shares)
    return SiteVerdict.ALIASED if aliased else SiteVerdict.WEAK_FILTER
