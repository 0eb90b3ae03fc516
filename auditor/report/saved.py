"""The report read back from its JSON, to be rendered again without running anything.

Every format comes out as it would have in the first place, except that numbers have six decimals. The file may come
from a run that somebody else controlled, so it is checked while it is read, and its texts are trusted no more than a
model's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import NoReturn

from auditor.findings import Finding, NodeRef, Origin, Severity
from auditor.gate import Comparison
from auditor.report.cursor import Cursor, SavedReportError
from auditor.report.json_format import SCHEMA_VERSION
from auditor.report.model import (
    Accepted,
    AcceptedBy,
    InputReport,
    ModelReport,
    Problem,
    ProblemKind,
    Report,
    RuleInfo,
)
from auditor.report.numbers import json_number
from auditor.sampling.result import (
    AliasBasis,
    AliasEnergy,
    Analysis,
    Head,
    HeadKind,
    Lattice,
    MisalignedJoin,
    Site,
    SiteKind,
    SourceAxis,
    Untracked,
)
from auditor.text import ModelText

_MOST_PARTS = 1000  # denominators that six decimals tell apart


def read_report(document: str | bytes, pages: Mapping[str, str] | None = None) -> Report:
    """The report in a JSON document. ``pages`` are the Markdown pages of rules by code, which the JSON leaves out.

    Raises:
        SavedReportError: The document is no JSON report of this program and version of the format.
    """
    try:
        found = Cursor(json.loads(document, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise SavedReportError(f"is no JSON: {' '.join(str(error).split())[:200]}") from error
    version = found["schema_version"].text
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise SavedReportError(f"schema_version is {version[:20]}, and this program reads {SCHEMA_VERSION}")
    settings = found["run"]["settings"]
    return Report(
        version=found["tool"]["version"].text,
        models=tuple(_model(model) for model in found["models"]),
        problems=tuple(_problem(problem) for problem in found["problems"]),
        settings={key: value.raw for key, value in settings.items()},
        rules=tuple(_rule(rule, pages or {}) for rule in found["run"]["rules"]),
        remarks=tuple(remark.text for remark in found.get("remarks") or ()),
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _rule(found: Cursor, pages: Mapping[str, str]) -> RuleInfo:
    code = found["code"].text
    severities = tuple(one.one_of(Severity) for one in found["severities"])
    return RuleInfo(code, found["name"].text, found["summary"].text, severities, pages.get(code, ""))


def _problem(found: Cursor) -> Problem:
    path = found.get("path")
    kind = found["kind"].one_of(ProblemKind)
    return Problem(kind, found["message"].text, path.text if path is not None else "", found["code"].text)


def _model(found: Cursor) -> ModelReport:
    measured = found.get("verification")
    if measured is not None:
        from auditor.report.measured_saved import read_verification

        verification = read_verification(measured)
    else:
        verification = None
    analysis = _analysis(found)
    return ModelReport(
        path=found["path"].text,
        file_bytes=found["file_bytes"].integer,
        ir_version=found["ir_version"].integer,
        opsets={"" if domain == "ai.onnx" else domain: one.integer for domain, one in found["opsets"].items()},
        producer=_name(found["producer"]),
        inputs=tuple(_input(one) for one in found["inputs"]),
        analysis=analysis,
        findings=tuple(read_finding(one) for one in found["findings"]),
        verification=verification,
        accepted=tuple(_accepted(one) for one in found["accepted"]),
        baselined=found["baselined"].flag,
        comparison=_comparison(found, analysis),
    )


def _comparison(found: Cursor, analysis: Analysis) -> Comparison | None:
    compared = found.get("comparison")
    if compared is None:
        return None
    from auditor.report.compared_json import read_comparison

    return read_comparison(compared, _places(analysis.sources))


def _input(found: Cursor) -> InputReport:
    dims = None if found["dims"].null else tuple(_dim(dim) for dim in found["dims"])
    sizes = tuple(None if size.null else size.integer for size in found["sizes"])
    assumed = _integers(found["assumed_axes"])
    if (dims is not None and len(dims) != len(sizes)) or not set(assumed) <= set(range(len(sizes))):
        raise found.wrong("has sizes for other axes than dimensions")
    return InputReport(_name(found["name"]), dims, sizes, assumed)


def _dim(found: Cursor) -> int | ModelText | None:
    if found.null:
        return None
    return _name(found) if isinstance(found.raw, str) else found.integer


def _analysis(found: Cursor) -> Analysis:
    axes = list(found["axes"])
    sources = tuple(
        SourceAxis(_name(one["input"]), one["axis"].integer, one["size"].integer, one["assumed"].flag) for one in axes
    )
    places = _places(sources)
    sites = tuple(read_site(one, places) for one in found["sites"])
    sizes = [tuple(size.integer for size in one["size"]) for one in found["sites"]]
    tensors = {
        site.output.raw: tuple(_lattice(site, axis, size) for axis, size in enumerate(made))
        for site, made in zip(sites, sizes, strict=True)
        if len(made) == len(site.factor)
    }
    return Analysis(
        sources=sources,
        spatial=frozenset(index for index, one in enumerate(axes) if one["spatial"].flag),
        sites=sites,
        upsamplings=(),
        joins=tuple(_join(one, places) for one in found["joins"]),
        heads=tuple(_head(one, places) for one in found["heads"]),
        untracked=tuple(_untracked(one) for one in found["untracked"]),
        data_dependent=(),
        paddings=(),
        encodings=(),
        tensors=tensors,
        nodes=found["nodes"].integer,
        tracked_nodes=found["tracked_nodes"].integer,
    )


_Places = Mapping[tuple[str, int], int]


def _places(sources: Iterable[SourceAxis]) -> _Places:
    return {(source.input.raw, source.axis): index for index, source in enumerate(sources)}


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
    )


def _lattice(site: Site, axis: int, size: int) -> Lattice:
    """What a report needs of the tensor that a site makes: its size."""
    return Lattice(axis, site.cumulative[axis] or Fraction(0), Fraction(0), Fraction(0), size, False)


def _head(found: Cursor, places: _Places) -> Head:
    cause, context = found.get("cause"), found.get("global_context")
    return Head(
        output=_name(found["output"]),
        kind=found["kind"].one_of(HeadKind),
        subsampling=_known(found["subsampling"]),
        period={_source(one, places): _known(one["shift"]) for one in found["period"]},
        lattice=tuple(
            Lattice(
                source=_source(one, places),
                stride=read_fraction(one["stride"]),
                offset=read_fraction(one["offset"]),
                receptive_field=read_fraction(one["receptive_field"]),
                size=one["size"].integer,
                size_dependent=one["size_dependent"].flag,
            )
            for one in found["grid"]
        ),
        cause=_node(cause) if cause is not None else None,
        global_context=context.flag if context is not None else False,
    )


def _join(found: Cursor, places: _Places) -> MisalignedJoin:
    branches = list(found["branches"])
    resize, coordinates = found.get("resize"), found.get("coordinates")
    return MisalignedJoin(
        node=_node(found),
        source=_source(found["source"], places),
        strides=tuple(read_fraction(one["stride"]) for one in branches),
        offsets=tuple(read_fraction(one["offset"]) for one in branches),
        delta=read_fraction(found["delta"]),
        branches=tuple(_name(one["tensor"]) for one in branches),
        resize=_node(resize) if resize is not None else None,
        coordinates=coordinates.text if coordinates is not None else "",
    )


def _untracked(found: Cursor) -> Untracked:
    return Untracked(
        node=_node(found),
        tensor=_name(found["tensor"]),
        reason=found["reason"].text,
        hidden_nodes=found["hidden_nodes"].integer,
        hidden_strided=found["hidden_strided"].integer,
    )


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


def _accepted(found: Cursor) -> Accepted:
    by = found["accepted_by"].one_of(AcceptedBy)
    return Accepted(read_finding(found), by, found["reason"].text, found["owner"].text, found["expires"].text)


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
