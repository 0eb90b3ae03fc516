"""Building the sites: one place where a strided operator's axes, lattice, alias energy and verdict come together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from auditor.sampling.lattice.state import Atom, AxisTrack, State
from auditor.sampling.result import AliasEnergy, Site, SiteKind
from auditor.sampling.spectrum.replicas import Averaged
from auditor.sampling.walk.call import Call
from auditor.sampling.walk.labels import REASON
from auditor.text import ModelText

if TYPE_CHECKING:
    pass

BENT = "a low-pass filter stands in front of a non-linearity"
PASSING = 0.105
"""Flat alias energy along every axis up to which a site counts as anti-aliased, on one, two and three axes alike.

At a stride of 2, Tri-3 folds 7.6 % along each axis and passes (Zhang 2019 trains with it); a max over 3 positions folds
14.6 % or more, Rect-2, the mean of two, 18.2 %, and they do not."""


@dataclass(frozen=True, slots=True)
class Strided:
    """One operator's sampling, per spatial axis in tensor order.

    ``atoms`` are what is left of each axis at the output (None: not known, or not a grid of the network input).
    ``kernel``, ``stride`` and ``dilation`` are empty where they mean nothing; ``members`` are sites that this one
    replaces. ``averaged`` computes the alias energy that is left where several of its phases are averaged. ``labels``:
    what is sampled are labels or a mask. ``own`` is the alias energy without the filter in front, where a non-linearity
    behind that filter has bent it.
    """

    kind: SiteKind
    factor: tuple[Fraction, ...]
    atoms: tuple[Atom | None, ...]
    alias: AliasEnergy | None
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    skipped: Fraction = Fraction(0)
    filtered: str = ""
    members: tuple[int, ...] = field(default=())
    averaged: Averaged | None = None
    labels: bool = False
    own: AliasEnergy | None = None


def record_site(
    call: Call, strided: Strided, given: State, windows: Mapping[int, AxisTrack], read: str | None = None
) -> int:
    """Records a sampling site and returns its index; ``given`` is the input's state, ``windows`` those of the
    output. ``read`` is the name of the input (None: the first of the node).
    """
    record = call.record
    seen = [(atom, windows[atom.source]) if atom is not None and atom.source >= 0 else None for atom in strided.atoms]
    bent = given.response is not None and not given.response.linear
    # What a non-linearity leaves of a low-pass depends on the signal: it is a number, and no property of the filter.
    antialiased = passes(strided.own if bent else strided.alias)
    filtered = strided.filtered if not bent else "" if antialiased else BENT
    inputs = call.node.inputs
    if call.node.outputs:
        record.made[call.scope.path, call.node.outputs[0]] = len(record.sites)
    if strided.averaged is not None:
        record.averaged[len(record.sites)] = strided.averaged
    record.sites.append(
        Site(
            node=record.ref(call.scope.path, call.node, call.order),
            kind=strided.kind,
            input=ModelText(read if read is not None else inputs[0] if inputs else ""),
            output=ModelText(call.node.outputs[0] if call.node.outputs else ""),
            sources=tuple(None if pair is None else pair[0].source for pair in seen),
            factor=strided.factor,
            cumulative=tuple(None if pair is None else abs(pair[0].stride) for pair in seen),
            offset=tuple(None if pair is None else pair[1].offset for pair in seen),
            receptive_field=tuple(None if pair is None else pair[1].field for pair in seen),
            kernel=strided.kernel,
            stride=strided.stride,
            dilation=strided.dilation,
            groups=strided.groups,
            alias=strided.alias,
            antialiased=antialiased,
            reason=REASON if strided.labels else reason_words(strided.alias, antialiased, filtered),
            skipped=strided.skipped,
            reads_input=given.raw,
            members=tuple(record.remove_sites(strided.members)),
            labels=strided.labels,
        )
    )
    return len(record.sites) - 1


def passes(alias: AliasEnergy | None) -> bool:
    """Whether a filter is a low-pass for its stride along every axis."""
    return alias is not None and bool(alias.per_axis) and max(alias.per_axis) <= PASSING


def reason_words(alias: AliasEnergy | None, antialiased: bool, filtered: str) -> str:
    """Why a site of an alias energy is passed or not; ``filtered`` says what protects it, if anything."""
    if alias is None:
        return "no alias energy: the weights are not in the file or do not fit the operator"
    worst = max(alias.per_axis, default=alias.flat)
    along = " along its worst axis" if len(alias.per_axis) > 1 else ""
    share = f"{100 * worst:.1f} % of a flat spectrum folds{along}"
    if antialiased:
        return f"{filtered or 'its own kernel is low-pass'}: {share}, at most {100 * PASSING:.1f} %"
    return f"{filtered}, but {share}" if filtered else share


def skipped_share(kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Fraction:
    """Share of input positions that no window reads, away from the borders: per axis the distinct residues of d*j mod
    s.
    """
    read = Fraction(1)
    for size, step, spread in zip(kernel, stride, dilation, strict=True):
        residues = (
            {spread * tap % step for tap in range(min(size, step))} if step <= 4096 else set(range(min(size, step)))
        )
        read *= Fraction(min(len(residues), step), step)
    return 1 - read
