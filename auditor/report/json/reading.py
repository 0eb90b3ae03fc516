"""What a saved report and a saved comparison share: a site and a finding read back."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from auditor.facts.finding import Finding, Severity
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.report.json.codec import Cursor
from auditor.report.words.numbers import json_number
from auditor.sampling.result import AliasBasis, AliasEnergy, Lattice, Site, SiteKind
from auditor.text import ModelText

_MOST_PARTS = 1000  # denominators that six decimals tell apart


_Places = Mapping[tuple[str, int], int]


def _source(found: Cursor, places: _Places) -> int:
    place = (found["input"].text, found["axis"].integer)
    if place not in places:
        raise found.wrong("is none of the model's axes")
    return places[place]


def read_site(found: Cursor, places: Mapping[tuple[str, int], int]) -> Site:
    """The site at this place; ``places`` are the axes by input and axis. SavedReportError where there is none."""
    cumulative = _fractions(found["cumulative"])
    factor = tuple(read_fraction(one) for one in found["factor"])
    if len(cumulative) != len(factor):
        raise found.wrong("has factors for other axes than cumulative factors")
    basis = found.get("alias_basis")
    alias = None
    if basis is not None:
        expected = found.get("alias_energy_expected")
        alias = AliasEnergy(
            flat=float(found["alias_energy"].number),
            worst_channel=float(found["alias_energy_worst_channel"].number),
            basis=basis.one_of(AliasBasis),
            per_axis=tuple(float(share.number) for share in found["alias_energy_per_axis"]),
            expected=float(expected.number) if expected is not None else None,
            missing=found["alias_energy_expected_missing"].text,
            picture=found["alias_energy_of_picture"].flag,
        )
    return Site(
        node=_node(found, "name"),
        kind=found["kind"].one_of(SiteKind),
        input=_name(found["input"]),
        output=_name(found["output"]),
        sources=tuple(None if one.null else _source(one, places) for one in found["sources"]),
        factor=factor,
        cumulative=cumulative,
        offset=_fractions(found["offset"]),
        receptive_field=_fractions(found["receptive_field"]),
        kernel=_integers(found["kernel"]),
        stride=_integers(found["stride"]),
        dilation=_integers(found["dilation"]),
        groups=found["groups"].integer,
        alias=alias,
        antialiased=found["antialiased"].flag,
        reason=found["reason"].text,
        skipped=read_fraction(found["skipped"]),
        reads_input=found["reads_input"].flag,
        members=tuple(_node(one) for one in found["members"]),
        labels=(labels := found.get("labels")) is not None and labels.flag,
    )


def _lattice(site: Site, axis: int, size: int) -> Lattice:
    """What a report needs of the tensor that a site makes: its size."""
    return Lattice(axis, site.cumulative[axis] or Fraction(0), Fraction(0), Fraction(0), size, False)


def read_finding(found: Cursor) -> Finding:
    """The finding at this place; SavedReportError where there is none."""
    return Finding(
        rule=found["rule"].text,
        name=found["name"].text,
        severity=found["severity"].one_of(Severity),
        message=found["message"].text,
        advice=found["advice"].text,
        node=None if found["node"].null else _node(found),
        related=tuple(_node(one) for one in found["related"]),
        numbers={
            key: value.text if isinstance(value.raw, str) else value.number
            for key, value in found["numbers"].items()
            if not value.null
        },
        fingerprint=found["fingerprint"].text,
    )


def _node(found: Cursor, name: str = "node") -> NodeRef:
    origin = found.get("origin")
    return NodeRef(
        name=_name(found[name]),
        op=_name(found["op"]),
        scope=_name(found["scope"]),
        output=_name(found["output"]),
        order=0,  # the report stands in order already
        origin=Origin(_name(origin["module"]), _name(origin["source"])) if origin is not None else None,
    )


def _name(found: Cursor) -> ModelText:
    return ModelText(found.text)


def _integers(found: Cursor) -> tuple[int, ...]:
    return tuple(one.integer for one in found)


def _fractions(found: Cursor) -> tuple[Fraction | None, ...]:
    return tuple(_known(one) for one in found)


def _known(found: Cursor) -> Fraction | None:
    return None if found.null else read_fraction(found)


def read_fraction(found: Cursor) -> Fraction:
    """The simplest fraction that is written as this number; 0 for null, which stands for one beyond every number."""
    if found.null:
        return Fraction(0)
    number = found.number
    exact = Fraction(str(number))
    simple = exact.limit_denominator(_MOST_PARTS)
    return simple if json_number(simple) == number else exact
