"""Sites that must be shifted together: branches that sample the same grid and meet again behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from auditor.rewrite.graph.marks import common_refusal
from auditor.rewrite.graph.parts import EditNode
from auditor.rewrite.graph.surgery import GraphEditor
from auditor.rewrite.phases.sites import part_of
from auditor.rewrite.phases.tail_operators import TailError
from auditor.sampling.result import Site

_SERIES = "a branch that meets its map again passes two sites one after the other: the phases would be shifted twice"
_SKIP = "a branch that does not pass a site like it meets its map again: the phases would be shifted against it"


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind sites: ``foreign`` tensors that must come from a site as well, and whether a node is there."""

    foreign: Sequence[str]
    reads: Callable[[EditNode], bool]


def together(editor: GraphEditor, site: Site, behind: Callable[[Sequence[str]], Behind]) -> tuple[Site, ...]:
    """The site with those on other branches that must be shifted with it (residual shortcuts, Inception blocks).

    ``behind`` says what stands behind the outputs of sites that are shifted. Raises TailError where a tensor that meets
    it comes from no site, or from one in front of another, which would shift what is shifted already.
    """
    sites = {site.node.order: site}
    while True:
        parts = [part_of(editor, member) for member in sites.values()]
        found = behind([part.outputs[0] for part in parts])
        if any(map(found.reads, parts)):
            raise TailError(_SERIES)
        if not found.foreign:
            return tuple(sites.values())
        beside = {
            member.node.order: member for tensor in found.foreign for member in _sites_behind(editor, tensor, site)
        }
        if not beside.keys().isdisjoint(sites):
            raise TailError(_SKIP)
        for member in beside.values():
            reason = common_refusal(editor, member, blurred=True)
            if reason is not None:
                raise TailError(f"a branch beside it cannot be shifted: {reason}")
        sites.update(beside)


def _sites_behind(editor: GraphEditor, tensor: str, like: Site) -> list[Site]:
    """The sites that a branch passes on its way to ``tensor``, all sampling as ``like`` does. Raises TailError."""
    by_part = editor.remembered("sites", lambda: {editor.part(site): site for site in editor.analysis.sites})
    found: list[Site] = []
    waiting, seen = [tensor], {tensor}
    while waiting:
        part = editor.producer(waiting.pop())
        if part is None:
            raise TailError(_SKIP)
        site = by_part.get(part)
        if site is not None:
            if site.factor != like.factor or site.cumulative != like.cumulative:
                raise TailError(_SKIP)
            found.append(site)
            continue
        for name in part.inputs:
            if name and name not in seen and editor.is_dynamic(name):
                seen.add(name)
                waiting.append(name)
    return found
