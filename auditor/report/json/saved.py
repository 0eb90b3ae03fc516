"""The report read back from its JSON, to be rendered again without running anything.

Every format comes out as it would have in the first place, except that numbers have six decimals. The file may come
from a run that somebody else controlled, so it is checked while it is read, and its texts are trusted no more than a
model's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NoReturn

from auditor.facts.comparison import Comparison
from auditor.facts.finding import Severity
from auditor.facts.report import (
    Accepted,
    AcceptedBy,
    InputReport,
    ModelReport,
    Problem,
    ProblemKind,
    Report,
    RuleInfo,
)
from auditor.report.json.codec import Cursor, MissingMemberError, SavedReportError
from auditor.report.json.parts import SCHEMA_VERSION
from auditor.report.json.reading import (
    Places,
    lattice_of,
    read_finding,
    read_fraction,
    read_integers,
    read_known,
    read_name,
    read_node,
    read_site,
    read_source,
)
from auditor.sampling.result import (
    Analysis,
    Head,
    HeadKind,
    Lattice,
    MisalignedJoin,
    SourceAxis,
    Untracked,
)
from auditor.text import ModelText

if TYPE_CHECKING:
    from auditor.verify.result import AliasMeasurement


def read_report(document: str | bytes, pages: Mapping[str, str] | None = None) -> Report:
    """The report in a JSON document. ``pages`` are the Markdown pages of rules by code, which the JSON leaves out.

    Raises:
        SavedReportError: The document is not a JSON report of this program and version of the format.
    """
    try:
        found = Cursor(json.loads(document, parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        raise SavedReportError(f"is not valid JSON: {' '.join(str(error).split())[:200]}") from error
    version = found["schema_version"].text
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        words = f"schema_version is {version[:20]}, and this program reads {SCHEMA_VERSION}"
        raise SavedReportError(f"{words}: {_anew(found)}")
    try:
        return _report(found, pages or {})
    except MissingMemberError as error:
        raise SavedReportError(
            f"{error}, so that another version wrote it, or it is damaged: {_anew(found)}"
        ) from error


def _anew(found: Cursor) -> str:
    """What to type for a report of this version."""
    models = found.get("models")
    entries = models.raw if models is not None and isinstance(models.raw, list) else []
    compared = any(isinstance(entry, dict) and entry.get("comparison") is not None for entry in entries)
    command = "compare BASE NEW" if compared else "check MODEL"
    return f"make a new one with `aliasaudit {command} --output-format json -o REPORT`"


def _report(found: Cursor, pages: Mapping[str, str]) -> Report:
    settings = found["run"]["settings"]
    return Report(
        version=found["tool"]["version"].text,
        models=tuple(_model(model) for model in found["models"]),
        problems=tuple(_problem(problem) for problem in found["problems"]),
        settings={key: value.raw for key, value in settings.items()},
        rules=tuple(_rule(rule, pages) for rule in found["run"]["rules"]),
        remarks=tuple(remark.text for remark in found.get("remarks") or ()),
    )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a JSON number")


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
        from auditor.report.json.measured_saved import read_verification

        verification = read_verification(measured)
    else:
        verification = None
    analysis = _analysis(found)
    return ModelReport(
        path=found["path"].text,
        file_bytes=found["file_bytes"].integer,
        ir_version=found["ir_version"].integer,
        opsets={"" if domain == "ai.onnx" else domain: one.integer for domain, one in found["opsets"].items()},
        producer=read_name(found["producer"]),
        inputs=tuple(_input(one) for one in found["inputs"]),
        analysis=analysis,
        findings=tuple(read_finding(one) for one in found["findings"]),
        verification=verification,
        accepted=tuple(_accepted(one) for one in found["accepted"]),
        baselined=found["baselined"].flag,
        comparison=_comparison(found, analysis),
        alias=_alias(found),
    )


def _alias(found: Cursor) -> AliasMeasurement | None:
    measured = found.get("alias_measurement")
    if measured is None:
        return None
    from auditor.verify.result import AliasMeasurement, DataKind, SiteAlias

    shares = [(site.get("alias_energy_measured"), site["alias_energy_measured_images"]) for site in found["sites"]]
    return AliasMeasurement(
        sites={
            index: SiteAlias(float(share.number), images.integer)
            for index, (share, images) in enumerate(shares)
            if share is not None
        },
        images=measured["images"].integer,
        data=measured["data"].one_of(DataKind),
        preprocessing=measured["preprocessing"].text,
        preset_assumed=measured["preset_assumed"].text,
        notes=tuple(note.text for note in measured["notes"]),
        incomplete=measured["incomplete"].text,
    )


def _comparison(found: Cursor, analysis: Analysis) -> Comparison | None:
    compared = found.get("comparison")
    if compared is None:
        return None
    from auditor.report.json.compared import read_comparison

    return read_comparison(compared, _places(analysis.sources))


def _input(found: Cursor) -> InputReport:
    dims = None if found["dims"].null else tuple(_dim(dim) for dim in found["dims"])
    sizes = tuple(None if size.null else size.integer for size in found["sizes"])
    assumed = read_integers(found["assumed_axes"])
    if (dims is not None and len(dims) != len(sizes)) or not set(assumed) <= set(range(len(sizes))):
        raise found.wrong("has sizes for other axes than dimensions")
    return InputReport(read_name(found["name"]), dims, sizes, assumed)


def _dim(found: Cursor) -> int | ModelText | None:
    if found.null:
        return None
    return read_name(found) if isinstance(found.raw, str) else found.integer


def _analysis(found: Cursor) -> Analysis:
    axes = list(found["axes"])
    sources = tuple(
        SourceAxis(read_name(one["input"]), one["axis"].integer, one["size"].integer, one["assumed"].flag)
        for one in axes
    )
    places = _places(sources)
    sites = tuple(read_site(one, places) for one in found["sites"])
    sizes = [tuple(size.integer for size in one["size"]) for one in found["sites"]]
    tensors = {
        site.output.raw: tuple(lattice_of(site, axis, size) for axis, size in enumerate(made))
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


def _places(sources: Iterable[SourceAxis]) -> Places:
    return {(source.input.raw, source.axis): index for index, source in enumerate(sources)}


def _head(found: Cursor, places: Places) -> Head:
    cause, context = found.get("cause"), found.get("global_context")
    return Head(
        output=read_name(found["output"]),
        kind=found["kind"].one_of(HeadKind),
        subsampling=read_known(found["subsampling"]),
        period={read_source(one, places): read_known(one["shift"]) for one in found["period"]},
        lattice=tuple(
            Lattice(
                source=read_source(one, places),
                stride=read_fraction(one["stride"]),
                offset=read_fraction(one["offset"]),
                receptive_field=read_fraction(one["receptive_field"]),
                size=one["size"].integer,
                size_dependent=one["size_dependent"].flag,
            )
            for one in found["grid"]
        ),
        cause=read_node(cause) if cause is not None else None,
        global_context=context.flag if context is not None else False,
    )


def _join(found: Cursor, places: Places) -> MisalignedJoin:
    branches = list(found["branches"])
    resize, coordinates = found.get("resize"), found.get("coordinates")
    return MisalignedJoin(
        node=read_node(found),
        source=read_source(found["source"], places),
        strides=tuple(read_fraction(one["stride"]) for one in branches),
        offsets=tuple(read_fraction(one["offset"]) for one in branches),
        delta=read_fraction(found["delta"]),
        branches=tuple(read_name(one["tensor"]) for one in branches),
        resize=read_node(resize) if resize is not None else None,
        coordinates=coordinates.text if coordinates is not None else "",
    )


def _untracked(found: Cursor) -> Untracked:
    return Untracked(
        node=read_node(found),
        tensor=read_name(found["tensor"]),
        reason=found["reason"].text,
        hidden_nodes=found["hidden_nodes"].integer,
        hidden_strided=found["hidden_strided"].integer,
    )


def _accepted(found: Cursor) -> Accepted:
    by = found["accepted_by"].one_of(AcceptedBy)
    return Accepted(read_finding(found), by, found["reason"].text, found["owner"].text, found["expires"].text)
