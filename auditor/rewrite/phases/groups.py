"""Sites that must be shifted together: branches that sample the same grid and meet again behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from auditor.rewrite.graph.surgery import Surgeon
from auditor.rewrite.phases.sites import part_of
from auditor.rewrite.phases.tail import TailError
from auditor.rewrite.strategies.strategy import common_refusal
from auditor.sampling.result import Site

_SKIP = "a branch that does not pass a site like it meets its map again: the phases would be shifted against it"


def together(surgeon: Surgeon, site: Site, foreign: Callable[[Sequence[str]], str | None]) -> tuple[Site, ...]:
    """The site with those on other branches that must be shifted with it (residual shortcuts, Inception blocks).

    ``foreign`` names, for the outputs of sites that are shifted, a tensor that meets what stands behind them and must
    come from a site as well. Raises TailError where it does not.
    """
    sites = [site]
    while True:
        tensor = foreign([part_of(surgeon, member).outputs[0] for member in sites])
        if tensor is None:
            return tuple(sites)
        for member in _sites_behind(surgeon, tensor, site):
            if any(member is other for other in sites):
                raise TailError(_SKIP)
            reason = common_refusal(surgeon, member, blurred=True)
            if reason is not None:
                raise TailError(f"a branch beside it cannot be shifted: {reason}")
            sites.append(member)


def _sites_behind(surgeon: Surgeon, tensor: str, like: Site) -> list[Site]:
    """The sites that a branch passes on its way to ``tensor``, all sampling as ``like`` does. Raises TailError."""
    by_part = {surgeon.part(site): site for site in surgeon.analysis.sites if surgeon.part(site) is not None}
    found: list[Site] = []
    waiting, seen = [tensor], {tensor}
    while waiting:
        part = surgeon.producer(waiting.pop())
        if part is None:
            raise TailError(_SKIP)
        site = by_part.get(part)
        if site is not None:
            if site.factor != like.factor or site.cumulative != like.cumulative:
                raise TailError(_SKIP)
            found.append(site)
            continue
        for name in part.inputs:
            if name and name not in seen and surgeon.is_dynamic(name):
                seen.add(name)
                waiting.append(name)
    return found
