"""The report as JSON, for programs. :mod:`auditor.report.json.schema` is its JSON Schema.

Keys are sorted, bytes are ASCII, and nothing depends on the clock, the machine or the hash seed, so that two reports of
the same models compare equal. Names keep their exact text, lone surrogates included, and are inert as bytes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.facts.finding import Severity
from auditor.facts.report import Accepted, InputReport, ModelReport, Problem, Report, RuleInfo
from auditor.report import RenderOptions
from auditor.report.json.parts import SCHEMA_VERSION, finding_json, node_json, site_json, source_json
from auditor.report.json.shapes import Json
from auditor.report.words.numbers import json_number, json_share
from auditor.sampling.result import Analysis, Head, MisalignedJoin, SourceAxis, Untracked, worst_alias
from auditor.text import ModelText, exact, inert_json

if TYPE_CHECKING:
    from auditor.verify.result import AliasMeasurement, Verification


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one JSON document."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "aliasaudit", "version": report.version},
        "run": {"settings": dict(report.settings), "rules": [_rule(rule) for rule in report.rules]},
        "models": [_model(model) for model in report.models],
        "problems": [_problem(problem) for problem in report.problems],
        "remarks": list(report.remarks),
        "summary": _summary(report),
    }
    return inert_json(json.dumps(document, ensure_ascii=True, sort_keys=True, indent=1, allow_nan=False)) + "\n"


def _model(model: ModelReport) -> Json:
    return {
        "path": model.path,
        "file_bytes": model.file_bytes,
        "ir_version": model.ir_version,
        "opsets": {domain or "ai.onnx": version for domain, version in model.opsets.items()},
        "producer": exact(model.producer),
        "inputs": [_input(item) for item in model.inputs],
        **analysis_json(model.analysis, model.alias),
        "alias_measurement": _alias(model.alias),
        "findings": [finding_json(finding) for finding in model.findings],
        "accepted": [_accepted(one) for one in model.accepted],
        "baselined": model.baselined,
        "comparison": _comparison(model),
        "verification": _verification(model.verification),
    }


def analysis_json(analysis: Analysis, alias: AliasMeasurement | None = None) -> Json:
    """What the analysis of one model found, as JSON values: a part of what is written about the model.

    ``alias`` is what was measured at its sites.
    """
    measured = {} if alias is None else alias.sites
    return {
        "nodes": analysis.nodes,
        "tracked_nodes": analysis.tracked_nodes,
        "subsampling": {
            "outputs": {exact(head.output): json_number(head.subsampling) for head in analysis.heads},
            "overall": json_number(analysis.subsampling),
        },
        "axes": [
            {
                "input": exact(source.input),
                "axis": source.axis,
                "size": source.size,
                "assumed": source.assumed,
                "spatial": index in analysis.spatial,
            }
            for index, source in enumerate(analysis.sources)
        ],
        "sites": [site_json(site, analysis, measured.get(index)) for index, site in enumerate(analysis.sites)],
        "heads": [_head(head, analysis.sources) for head in analysis.heads],
        "joins": [_join(join, analysis.sources) for join in analysis.joins],
        "untracked": [_untracked(place) for place in analysis.untracked],
    }


def _alias(found: AliasMeasurement | None) -> Json | None:
    if found is None:
        return None
    return {
        "images": found.images,
        "data": found.data.value,
        "preprocessing": found.preprocessing,
        "preset_assumed": found.preset_assumed,
        "notes": list(found.notes),
        "incomplete": found.incomplete,
    }


def _comparison(model: ModelReport) -> Json | None:
    if model.comparison is None:
        return None
    from auditor.report.json.compared import comparison_json

    return comparison_json(model.comparison, model.analysis)


def _verification(found: Verification | None) -> Json | None:
    if found is None:
        return None
    from auditor.report.json.measured import verification_json

    return verification_json(found)


def _input(item: InputReport) -> Json:
    dims = item.dims
    return {
        "name": exact(item.name),
        "dims": None if dims is None else [exact(dim) if isinstance(dim, ModelText) else dim for dim in dims],
        "sizes": list(item.sizes),
        "assumed_axes": list(item.assumed),
    }


def _head(head: Head, sources: Sequence[SourceAxis]) -> Json:
    return {
        "output": exact(head.output),
        "kind": head.kind.value,
        "subsampling": json_number(head.subsampling),
        "period": [
            source_json(sources, source) | {"shift": json_number(period)}
            for source, period in sorted(head.period.items())
        ],
        "grid": [
            source_json(sources, axis.source)
            | {
                "size": axis.size,
                "stride": json_number(axis.stride),
                "offset": json_number(axis.offset),
                "receptive_field": json_number(axis.receptive_field),
                "size_dependent": axis.size_dependent,
            }
            for axis in head.lattice
        ],
        "cause": None if head.cause is None else node_json(head.cause),
        "global_context": head.global_context,
    }


def _join(join: MisalignedJoin, sources: Sequence[SourceAxis]) -> Json:
    return node_json(join.node) | {
        "source": source_json(sources, join.source),
        "delta": json_number(join.delta),
        "resize": None if join.resize is None else node_json(join.resize),
        "coordinates": join.coordinates or None,
        "branches": [
            {"tensor": exact(tensor), "stride": json_number(stride), "offset": json_number(offset)}
            for tensor, stride, offset in zip(join.branches, join.strides, join.offsets, strict=False)
        ],
    }


def _untracked(place: Untracked) -> Json:
    return node_json(place.node) | {
        "tensor": exact(place.tensor),
        "reason": place.reason,
        "hidden_nodes": place.hidden_nodes,
        "hidden_strided": place.hidden_strided,
    }


def _accepted(one: Accepted) -> Json:
    why = {"accepted_by": one.by.value, "reason": one.reason, "owner": one.owner, "expires": one.expires}
    return finding_json(one.finding) | why


def _rule(rule: RuleInfo) -> Json:
    severities = [severity.value for severity in rule.severities]
    return {"code": rule.code, "name": rule.name, "summary": rule.summary, "severities": severities}


def _problem(problem: Problem) -> Json:
    return {
        "code": problem.code,
        "kind": problem.kind.value,
        "message": problem.message,
        "path": problem.path or None,
    }


def _summary(report: Report) -> Json:
    sites = [site for model in report.models for site in model.analysis.sites]
    worst = worst_alias(sites)
    known = [total for model in report.models if (total := model.analysis.subsampling) is not None]
    by_severity = report.by_severity()
    return {
        "models": len(report.models),
        "sites": len(sites),
        "antialiased_sites": sum(not site.unprotected for site in sites),
        "findings": sum(by_severity.values()),
        "errors": by_severity[Severity.ERROR],
        "warnings": by_severity[Severity.WARNING],
        "notes": by_severity[Severity.NOTE],
        "rules": {code: count for (code, _), count in report.by_rule().items()},
        "problems": len(report.problems),
        "subsampling": json_number(max(known, default=None)) if len(known) == len(report.models) else None,
        "worst_alias_energy": None if worst is None else json_share(worst.value),
        "worst_alias_energy_kind": None if worst is None else "expected" if worst.expected else "flat",
    }
