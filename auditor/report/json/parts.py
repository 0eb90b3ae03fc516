"""What the documents of a report and of a comparison share: a site and a finding as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding
from auditor.onnxfile.noderef import NodeRef, Origin
from auditor.report.json.shapes import Json
from auditor.report.words.numbers import json_number, json_share
from auditor.report.words.place import site_size
from auditor.report.words.verdict import verdict
from auditor.sampling.result import Analysis, Site, SourceAxis
from auditor.text import exact

if TYPE_CHECKING:
    from auditor.verify.result import SiteAlias

SCHEMA_VERSION = "1.0"


def node_json(node: NodeRef) -> Json:
    """A node by its name, operator, scope and tensors, and where the exporter says it came from."""
    return {
        "node": exact(node.name),
        "op": exact(node.op),
        "scope": exact(node.scope),
        "output": exact(node.output),
        "origin": _origin(node.origin),
    }


def _origin(origin: Origin | None) -> Json | None:
    return None if origin is None else {"module": exact(origin.module), "source": exact(origin.source)}


def site_json(site: Site, analysis: Analysis, measured: SiteAlias | None = None) -> Json:
    """A site of the analysed model as JSON values; ``measured`` is its alias energy on pictures."""
    alias, sources = site.alias, analysis.sources
    described = node_json(site.node)
    del described["node"]
    return described | {
        "name": exact(site.node.name),
        "kind": site.kind.value,
        "verdict": verdict(site).value,
        "input": exact(site.input),
        "output": exact(site.output),
        "sources": [None if source is None else source_json(sources, source) for source in site.sources],
        "factor": [json_number(value) for value in site.factor],
        "cumulative": [json_number(value) for value in site.cumulative],
        "offset": [json_number(value) for value in site.offset],
        "receptive_field": [json_number(value) for value in site.receptive_field],
        "size": list(site_size(analysis, site)),
        "kernel": list(site.kernel),
        "stride": list(site.stride),
        "dilation": list(site.dilation),
        "groups": site.groups,
        "alias_energy": None if alias is None else json_share(alias.flat),
        "alias_energy_per_axis": [] if alias is None else [json_share(share) for share in alias.per_axis],
        "alias_energy_expected": None if alias is None else json_share(alias.expected),
        "alias_energy_expected_missing": "" if alias is None else alias.missing,
        "alias_energy_of_picture": False if alias is None else alias.picture,
        "alias_energy_measured": None if measured is None else json_share(measured.share),
        "alias_energy_measured_images": 0 if measured is None else measured.images,
        "alias_energy_worst_channel": None if alias is None else json_share(alias.worst_channel),
        "alias_basis": None if alias is None else alias.basis.value,
        "antialiased": site.antialiased,
        "labels": site.labels,
        "reason": site.reason,
        "skipped": json_share(site.skipped),
        "reads_input": site.reads_input,
        "members": [node_json(member) for member in site.members],
    }


def source_json(sources: Sequence[SourceAxis], index: int) -> Json:
    """An axis of an input by the input's name and its number."""
    return {"input": exact(sources[index].input), "axis": sources[index].axis}


def finding_json(finding: Finding) -> Json:
    """A finding as JSON values."""
    where = {"node": None, "op": None, "scope": None, "output": None, "origin": None}
    return (node_json(finding.node) if finding.node is not None else where) | {
        "rule": finding.rule,
        "name": finding.name,
        "severity": finding.severity.value,
        "message": finding.message,
        "advice": finding.advice,
        "related": [node_json(node) for node in finding.related],
        "numbers": {
            key: value if isinstance(value, str) else json_number(value) for key, value in finding.numbers.items()
        },
        "fingerprint": finding.fingerprint,
    }
