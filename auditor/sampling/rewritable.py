"""Which sites a rewrite could steady, told from the analysis alone: an upper bound that costs nothing.

A plan (:mod:`auditor.rewrite.planning`) asks every strategy at every site and follows what stands behind it, which
takes longer than the audit. Here a site is left out only for a reason that holds for all strategies and shows at the
site itself; so a plan never offers anything at a site that is left out, and may refuse at one that is not.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.sampling.result import Analysis, Site, SiteKind

INTEGER_OPERATORS = ("QLinear", "NhwcMaxPool", "ConvInteger")
"""How operators on integers begin, which no strategy rewrites."""
_UNCHANGED = frozenset({SiteKind.PHASE_TO_CHANNEL, SiteKind.FRAMES, SiteKind.GATHER})
_RESIZES = frozenset({SiteKind.RESIZE, SiteKind.RESIZE_NEAREST})
_RESIZERS = frozenset({"Resize", "Upsample"})


def rewritable(analysis: Analysis) -> Iterator[Site]:
    """The sites without anti-aliasing at which a strategy may apply to the file as it stands."""
    open_sized = {padding.node.order for padding in analysis.paddings}
    for site in analysis.sites:
        if site.unprotected and not site.node.scope and site.node.order not in open_sized and _has_form(site):
            yield site


def _has_form(site: Site) -> bool:
    op = site.node.op.raw
    if site.kind in _UNCHANGED or op.startswith(INTEGER_OPERATORS):
        return False
    return site.kind not in _RESIZES or op in _RESIZERS
