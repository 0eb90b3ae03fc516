"""The report as SARIF 2.1.0 (OASIS, 2020), for code scanning and editors.

A model is a binary file, so results have no ``region``: GitHub would hash the file line by line to tell them apart, for
seconds per model. They carry the finding's own fingerprint as ``primaryLocationLineHash`` instead. Every result has an
``artifactLocation.uri``; without one GitHub rejects the whole file. The node is named in the message, because GitHub
does not show logical locations, and again as a logical location for viewers that do.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import Accepted, ModelReport, Problem, Report, RuleInfo
from auditor.onnxfile.noderef import NodeRef
from auditor.report import RenderOptions
from auditor.report.words.numbers import json_number
from auditor.report.words.place import node_name, node_op, origin_text
from auditor.report.words.sheet import ACCEPTED_WORDS
from auditor.text import inert_json, plain, sarif_words, uri

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# GitHub refuses a file with more results, and keeps 100 locations of a result.
MOST_RESULTS = 25_000
_MOST_RELATED = 100

_ROOT = "%SRCROOT%"
_PROBLEM_SEVERITY = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}

Json: TypeAlias = dict[str, Any]


def render(report: Report, options: RenderOptions) -> str:
    """The report as one SARIF log with one run. Accepted findings are in it only where they are asked for."""
    rules = _rules(report)
    places = {rule.code: index for index, rule in enumerate(rules)}
    results = [_result(model, finding, places) for model in report.models for finding in model.findings]
    if options.show_accepted:
        results += [_accepted(model, one, places) for model in report.models for one in model.accepted]
    notifications = [_problem(problem) for problem in report.problems]
    if len(results) > MOST_RESULTS:
        results.sort(key=lambda result: -Severity(result["level"]).rank)
        left_out = f"{len(results) - MOST_RESULTS} of {len(results)} findings are left out, the lightest first."
        notifications.append({"level": "warning", "message": {"text": left_out}})
    run: Json = {
        "tool": {
            "driver": {
                "name": "aliasaudit",
                "semanticVersion": plain(report.version),
                "rules": [_descriptor(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": "aliasaudit/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The folder that the tool ran in."}}},
        "invocations": [
            {"executionSuccessful": not report.problems, "toolExecutionNotifications": notifications},
        ],
        "artifacts": [
            {"location": _artifact(model.path), "length": model.file_bytes, "roles": ["analysisTarget"]}
            for model in report.models
        ],
        "results": results[:MOST_RESULTS],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return inert_json(json.dumps(document, ensure_ascii=True, indent=1, allow_nan=False)) + "\n"


def _rules(report: Report) -> Sequence[RuleInfo]:
    """The rules that ran and those that findings name, by code."""
    rules = {rule.code: rule for rule in report.rules}
    for model in report.models:
        for finding in (*model.findings, *(one.finding for one in model.accepted)):
            named = RuleInfo(finding.rule, finding.name, finding.name, (finding.severity,))
            rules.setdefault(finding.rule, named)
    return [rules[code] for code in sorted(rules)]


def _descriptor(rule: RuleInfo) -> Json:
    worst = max(rule.severities, key=lambda severity: severity.rank, default=Severity.WARNING)
    text = plain(rule.summary, 1024)
    return {
        "id": plain(rule.code),
        "name": plain(rule.name, 255),
        "shortDescription": {"text": text},
        "fullDescription": {"text": text},
        "defaultConfiguration": {"level": worst.value},
        "help": {"text": text} | ({"markdown": rule.page} if rule.page else {}),
        "properties": {
            "tags": ["aliasing", "onnx", "shift-equivariance"],
            "precision": "high",
            "problem.severity": _PROBLEM_SEVERITY[worst],
        },
    }


def _result(model: ModelReport, finding: Finding, places: Mapping[str, int]) -> Json:
    result: Json = {
        "ruleId": plain(finding.rule),
        "ruleIndex": places[finding.rule],
        "level": finding.severity.value,
        "message": {"text": "\n".join(_message(finding))},
        "locations": [_location(model, finding.node)],
    }
    if finding.related:
        result["relatedLocations"] = list(_related(model, finding.related))
    if finding.fingerprint:
        key = plain(finding.fingerprint)
        result["partialFingerprints"] = {"primaryLocationLineHash": key, "aliasauditNode/v1": key.partition(":")[0]}
    numbers = {
        plain(key): plain(value) if isinstance(value, str) else json_number(value)
        for key, value in sorted(finding.numbers.items())
    }
    known = {key: value for key, value in numbers.items() if value is not None}  # null fails GitHub's schema check
    if known:
        result["properties"] = known
    return result


def _message(finding: Finding) -> Iterator[str]:
    """The first sentence is the title of GitHub's alert."""
    where = f"{node_name(finding.node)} ({node_op(finding.node)}): " if finding.node is not None else ""
    yield sarif_words(f"{where}{finding.message}", None)
    origin = origin_text(finding.node.origin) if finding.node is not None else ""
    if origin:
        yield f"Module {sarif_words(origin, None)}"
    if finding.advice:
        yield sarif_words(finding.advice, None)


def _accepted(model: ModelReport, one: Accepted, places: Mapping[str, int]) -> Json:
    notes = [plain(one.reason)] if one.reason else []
    notes += [f"owner: {plain(one.owner)}"] if one.owner else []
    notes += [f"expires: {plain(one.expires)}"] if one.expires else []
    justification = "; ".join(notes) or ACCEPTED_WORDS[one.by]
    suppression = {"kind": "external", "status": "accepted", "justification": justification}
    return _result(model, one.finding, places) | {"suppressions": [suppression]}


def _location(model: ModelReport, node: NodeRef | None) -> Json:
    location: Json = {"physicalLocation": {"artifactLocation": _artifact(model.path)}}
    if node is not None:
        name = node_name(node)
        location["logicalLocations"] = [{"name": name, "fullyQualifiedName": f"main_graph/{name}", "kind": "member"}]
    return location


def _related(model: ModelReport, nodes: Iterable[NodeRef]) -> Iterator[Json]:
    for index, node in zip(range(_MOST_RELATED), nodes, strict=False):
        text = sarif_words(f"{node_name(node)} ({node_op(node)})", None)
        yield {"id": index, "message": {"text": text}, **_location(model, node)}


def _artifact(path: str) -> Json:
    address = uri(path)
    return {"uri": address} if address.startswith("file:") else {"uri": address, "uriBaseId": _ROOT}


def _problem(problem: Problem) -> Json:
    notification: Json = {
        "level": "error",
        "descriptor": {"id": plain(problem.code)},
        "message": {"text": sarif_words(problem.message, None)},
    }
    if problem.path:
        notification["locations"] = [{"physicalLocation": {"artifactLocation": _artifact(problem.path)}}]
    return notification
