"""The report as a GitLab code quality artifact: a list of issues, placed at the first line of the model's file.

GitLab shows neither the name of the check nor anything but the description, so that names the rule and the node.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, TypeAlias

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport, Problem, Report
from auditor.report import RenderOptions
from auditor.report.words.place import node_name, node_op, rule_title
from auditor.text import inert_json, plain

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTE: "info"}
_INCOMPLETE = "blocker"
_NOWHERE = "."

Json: TypeAlias = dict[str, Any]


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """The report as one JSON list. Fingerprints are unique in it, as GitLab drops all but one of equal ones."""
    issues = [_problem(problem) for problem in report.problems]
    issues += [_finding(model, finding) for model in report.models for finding in model.findings]
    seen: Counter[str] = Counter()
    for issue in issues:
        fingerprint = issue["fingerprint"]
        if seen[fingerprint]:
            issue["fingerprint"] = f"{fingerprint}:{seen[fingerprint]}"
        seen[fingerprint] += 1
    return inert_json(json.dumps(issues, ensure_ascii=True, indent=1, allow_nan=False)) + "\n"


def _finding(model: ModelReport, finding: Finding) -> Json:
    where = f" at {node_name(finding.node)} ({node_op(finding.node)})" if finding.node is not None else ""
    return _issue(
        f"{rule_title(finding)}{where}: {plain(finding.message, None)}",
        plain(finding.name),
        plain(finding.fingerprint) or _digest(finding.rule, model.path, finding.message),
        _SEVERITIES[finding.severity],
        model.path,
    )


def _problem(problem: Problem) -> Json:
    description = f"incomplete audit: {plain(problem.message, None)}"
    return _issue(
        description,
        plain(problem.code),
        _digest(problem.code, problem.path, problem.message),
        _INCOMPLETE,
        problem.path,
    )


def _issue(description: str, check: str, fingerprint: str, severity: str, path: str) -> Json:
    return {
        "description": description,
        "check_name": check,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {"path": plain(path, None) or _NOWHERE, "lines": {"begin": 1}},
    }


def _digest(*parts: str) -> str:
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]
