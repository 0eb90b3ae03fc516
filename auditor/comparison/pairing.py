"""Recognising a place of one network in another.

Three passes, the surest first: the fingerprint of the neighbourhood, which survives retraining and new names; the name,
which survives changes close by; and for sampling sites what they do (operator, factor, kernel, cumulative factor), in
the order of the graph, for exports that changed both. Each place is taken once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from auditor.findings import Finding, NodeRef, Severity
from auditor.fingerprints import fill
from auditor.onnxfile.graph import Model
from auditor.onnxfile.limits import Limits
from auditor.sampling.result import Site

FINGERPRINT, NAME, ROLE = "fingerprint", "name", "role"


@dataclass(frozen=True, slots=True)
class Pair:
    """Indices into the base's and the new model's list, and what they were recognised by."""

    base: int
    new: int
    how: str


@dataclass(frozen=True, slots=True)
class MarkedSite:
    """A site with the fingerprint of its node."""

    site: Site
    fingerprint: str


def marked(model: Model, sites: Sequence[Site], limits: Limits) -> tuple[MarkedSite, ...]:
    """The sites with their fingerprints. Raises ModelFileError where the model cannot be walked within ``limits``."""
    stand_ins = [Finding("site", "site", Severity.NOTE, "", node=site.node) for site in sites]
    found = fill(model, "", stand_ins, limits)
    return tuple(MarkedSite(site, one.fingerprint) for site, one in zip(sites, found, strict=True))


def pair_sites(base: Sequence[MarkedSite], new: Sequence[MarkedSite]) -> tuple[Pair, ...]:
    """The sites that both networks have, in the order of the new one."""
    return _paired([_site_keys(one) for one in base], [_site_keys(one) for one in new], (FINGERPRINT, NAME, ROLE))


def pair_findings(
    base: Sequence[Finding], new: Sequence[Finding], sites: Iterable[tuple[NodeRef, NodeRef]]
) -> tuple[Pair, ...]:
    """The findings that both models have, in the order of ``new``; ``sites`` are the nodes of sites that are paired.

    A finding at a site is the same where the site is; its role says that already.
    """
    into_new = {_place(before): _place(after) for before, after in sites}
    same = {place: place for place in into_new.values()}
    return _paired(
        [_finding_keys(one, into_new) for one in base],
        [_finding_keys(one, same) for one in new],
        (FINGERPRINT, ROLE, NAME),
    )


_Keys: TypeAlias = "Sequence[Hashable | None]"


def _paired(base: Sequence[_Keys], new: Sequence[_Keys], passes: Sequence[str]) -> tuple[Pair, ...]:
    """Pairs by the first key, then by the second what is left, and so on; None matches nothing."""
    left, waiting = [*range(len(base))], [*range(len(new))]
    pairs: list[Pair] = []
    for number, how in enumerate(passes):
        queues: defaultdict[Hashable, deque[int]] = defaultdict(deque)
        for index in left:
            queues[base[index][number]].append(index)
        queues.pop(None, None)
        found = [Pair(queues[key].popleft(), index, how) for index in waiting if queues.get(key := new[index][number])]
        pairs += found
        of_base, of_new = {pair.base for pair in found}, {pair.new for pair in found}
        left = [index for index in left if index not in of_base]
        waiting = [index for index in waiting if index not in of_new]
    return tuple(sorted(pairs, key=lambda pair: pair.new))


def _site_keys(one: MarkedSite) -> _Keys:
    site = one.site
    role = (site.kind, site.node.op.raw, site.factor, site.kernel, site.stride, site.cumulative)
    return (one.fingerprint or None, _named(site.node, site.kind), role)


def _finding_keys(one: Finding, places: Mapping[Hashable, Hashable]) -> _Keys:
    place = None if one.node is None else places.get(_place(one.node))
    return (
        one.fingerprint or None,
        None if place is None else (one.rule, place),
        None if one.node is None else _named(one.node, one.rule),
    )


def _named(node: NodeRef, kind: object) -> Hashable | None:
    return (kind, node.name.raw) if node.name else None


def _place(node: NodeRef) -> Hashable:
    return (node.scope.raw, node.output.raw, node.order)
