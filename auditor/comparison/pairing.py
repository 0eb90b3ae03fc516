"""Recognising a place of one network in another.

Passes, the surest first. The fingerprint of the neighbourhood survives retraining and new names; where places look
alike it only counts them, so that equal names come before it. What is left of the sampling sites is recognised by what
they do (operator, factor, kernel, cumulative factor), in the order of the graph, for exports that changed both: the
float operator and its quantised forms are one, and so are a site and the blur that replaced it, or averaged phases and
such a blur. Each place is taken once.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from auditor.audit.fingerprints import fill, target_of
from auditor.facts.finding import Finding, Severity
from auditor.onnxfile.graph import Model
from auditor.onnxfile.limits import Limits
from auditor.onnxfile.noderef import NodeRef
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
    passes = (FINGERPRINT, FINGERPRINT, NAME, NAME, FINGERPRINT, ROLE, ROLE, ROLE, ROLE)
    alone = _alone([one.fingerprint for one in base]) & _alone([one.fingerprint for one in new])
    return _paired(
        [_site_keys(one, alone, one.site.antialiased) for one in base],
        [_site_keys(one, alone, not one.site.antialiased) for one in new],
        passes,
    )


def pair_findings(
    base: Sequence[Finding], new: Sequence[Finding], sites: Iterable[tuple[NodeRef, NodeRef]]
) -> tuple[Pair, ...]:
    """The findings that both models have, in the order of ``new``; ``sites`` are the nodes of sites that are paired.

    A finding at a site is the same where the site is; its role says that already.
    """
    into_new = {_place(before): _place(after) for before, after in sites}
    same = {place: place for place in into_new.values()}
    alone = _alone([one.fingerprint for one in base]) & _alone([one.fingerprint for one in new])
    return _paired(
        [_finding_keys(one, into_new, alone) for one in base],
        [_finding_keys(one, same, alone) for one in new],
        (FINGERPRINT, ROLE, FINGERPRINT, NAME, NAME, FINGERPRINT, ROLE),
    )


def _alone(fingerprints: Sequence[str]) -> frozenset[str]:
    """The fingerprints, without their ordinals, that one place alone has."""
    counts = Counter(one.partition(":")[0] for one in fingerprints)
    return frozenset(one for one, count in counts.items() if one and count == 1)


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


def _site_keys(one: MarkedSite, alone: frozenset[str], blurred: bool) -> _Keys:
    """The keys of a site. ``blurred`` is what the two networks must differ in where a blur took the place of a site."""
    site, plain = one.site, one.fingerprint.partition(":")[0]
    name, called = _named(site.node, site.kind), _plainly_named(site.node, site.kind)
    does = (site.kind, family(site.node.op.raw), site.factor, site.cumulative)
    return (
        None if name is None or not one.fingerprint else (name, plain),
        plain if plain in alone else None,
        name,
        called,
        one.fingerprint or None,
        (*does, site.kernel, site.stride),
        does,
        (site.factor, site.cumulative, blurred),
        (site.factor, site.cumulative) if site.antialiased else None,
    )


def _finding_keys(one: Finding, places: Mapping[Hashable, Hashable], alone: frozenset[str]) -> _Keys:
    place = None if one.node is None else places.get(_place(one.node))
    kind = (one.rule, *target_of(one))
    name = None if one.node is None else _named(one.node, kind)
    plain = one.fingerprint.partition(":")[0]
    sure = place if place is not None else name
    return (
        None if sure is None or not one.fingerprint else (one.fingerprint, sure),
        None if place is None else (kind, place),
        plain if plain in alone else None,
        name,
        None if one.node is None else _plainly_named(one.node, kind),
        one.fingerprint or None,
        None
        if one.node is None or place is not None or not one.numbers or "factor" in one.numbers  # sites have their own
        else (one.rule, family(one.node.op.raw), one.severity, tuple(one.numbers.items())),
    )


def family(op: str) -> str:
    """The float operator of which ``op`` is a quantised or fused form."""
    plain = op.removeprefix("QLinear").removeprefix("Nhwc").removeprefix("Fused").removesuffix("Integer")
    return _FAMILIES.get(plain, plain)


_FAMILIES = {
    "QGemm": "Gemm",
    "DynamicQuantizeMatMul": "MatMul",
    "MatMulIntegerToFloat": "MatMul",
    "MatMulNBits": "MatMul",
}
_SUFFIXES = ("_quant", "_quantized", "_QuantizeLinear", "_DequantizeLinear")


def _named(node: NodeRef, kind: object) -> Hashable | None:
    return (kind, node.name.raw) if node.name else None


def _plainly_named(node: NodeRef, kind: object) -> Hashable | None:
    """The name without what quantisers append to it."""
    name = node.name.raw
    for suffix in _SUFFIXES:
        name = name.removesuffix(suffix)
    return (kind, name) if name else None


def _place(node: NodeRef) -> Hashable:
    return (node.scope.raw, node.output.raw, node.order)
