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


Places = Mapping[tuple[str, int], int]


def read_source(found: Cursor, places: Places) -> int:
    """The number of the input axis that is named."""
    place = (found["input"].text, found["axis"].integer)
    if place not in places:
        raise found.wrong("is none of the model's axes")
    return places[place]


def read_site(found: Cursor, places: Mapping[tuple[str, int], int]) -> Site:
    """The site at this place; ``places`` are the axes by input and axis. SavedReportError where there is none."""
    cumulative = read_fractions(found["cumulative"])
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
        node=read_node(found, "name"),
        kind=found["kind"].one_of(SiteKind),
        input=read_name(found["input"]),
        output=read_name(found["output"]),
        sources=tuple(None if one.null else read_source(one, places) for one in found["sources"]),
        factor=factor,
        cumulative=cumulative,
        offset=read_fractions(found["offset"]),
        receptive_field=read_fractions(found["receptive_field"]),
        kernel=read_integers(found["kernel"]),
        stride=read_integers(found["stride"]),
        dilation=read_integers(found["dilation"]),
        groups=found["groups"].integer,
        alias=alias,
        antialiased=found["antialiased"].flag,
        reason=found["reason"].text,
        skipped=read_fraction(found["skipped"]),
        reads_input=found["reads_input"].flag,
        members=tuple(read_node(one) for one in found["members"]),
        labels=(labels := found.get("labels")) is not None and labels.flag,
    )


def lattice_of(site: Site, axis: int, size: int) -> Lattice:
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
        node=None if found["node"].null else read_node(found),
        related=tuple(read_node(one) for one in found["related"]),
        numbers={
            key: value.text if isinstance(value.raw, str) else value.number
            for key, value in found["numbers"].items()
            if not value.null
        },
        fingerprint=found["fingerprint"].text,
    )


def read_node(found: Cursor, name: str = "node") -> NodeRef:
    """A node, whose own name stands under the key ``name``."""
    origin = found.get("origin")
    return NodeRef(
        name=read_name(found[name]),
        op=read_name(found["op"]),
        scope=read_name(found["scope"]),
        output=read_name(found["output"]),
        order=0,  # the report stands in order already
        origin=Origin(read_name(origin["module"]), read_name(origin["source"])) if origin is not None else None,
    )


def read_name(found: Cursor) -> ModelText:
    """A name that came from a model."""
    return ModelText(found.text)


def read_integers(found: Cursor) -> tuple[int, ...]:
    """A list of whole numbers."""
    return tuple(one.integer for one in found)


def read_fractions(found: Cursor) -> tuple[Fraction | None, ...]:
    """A list of exact numbers, None where one is not known."""
    return tuple(read_known(one) for one in found)


def read_known(found: Cursor) -> Fraction | None:
    """An exact number, or None where it is not known."""
    return None if found.null else read_fraction(found)


def read_fraction(found: Cursor) -> Fraction:
    """The simplest fraction that is written as this number; 0 for null, which stands for one beyond every number."""
    if found.null:
        return Fraction(0)
    number = found.number
    exact = Fraction(str(number))
    simple = exact.limit_denominator(_MOST_PARTS)
    return simple if json_number(simple) == number else exact
