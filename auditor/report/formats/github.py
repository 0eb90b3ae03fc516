"""The report as annotations of GitHub Actions: commands that the runner reads from a step's log.

The runner keeps 10 annotations of each kind per step and cuts a message at 4096 characters, so the worst errors and
warnings are named and the rest is counted. Annotations have no line: the file is binary. Text of a model never begins a
line, and is escaped as the runner's own toolkit does.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.report import ModelReport, Problem, Report
from auditor.report import RenderOptions
from auditor.report.words.place import node_name, node_op, origin_text, rule_title
from auditor.report.words.sheet import summary
from auditor.text import count_text, plain, runner_data, runner_property

PER_KIND = 10
_LONGEST_MESSAGE = 4096
_STDIN = "-"


def render(report: Report, options: RenderOptions) -> str:  # noqa: ARG001 - every renderer has this signature
    """One command per line, at most 10 errors, 10 warnings and one notice, then the summary as a line of the log."""
    found = [(model, finding) for model in report.models for finding in model.findings]
    errors = [_problem(problem) for problem in report.problems]
    errors += [_finding("error", *one) for one in found if one[1].severity is Severity.ERROR]
    warnings = [_finding("warning", *one) for one in found if one[1].severity is Severity.WARNING]
    lines = [*errors[:PER_KIND], *warnings[:PER_KIND]]
    more = len(found) + len(report.problems) - len(lines)
    if more:
        lines.append(f"::notice title=aliasaudit::... and {count_text(more, 'more finding')}, see the summary")
    return "\n".join([*lines, f"aliasaudit: {summary(report)}"]) + "\n"


def _finding(kind: str, model: ModelReport, finding: Finding) -> str:
    return _command(kind, model.path, rule_title(finding), " ".join(_message(finding)))


def _problem(problem: Problem) -> str:
    return _command("error", problem.path, f"incomplete audit ({plain(problem.code)})", plain(problem.message, None))


def _message(finding: Finding) -> Iterator[str]:
    if finding.node is not None:
        yield f"{node_name(finding.node)} ({node_op(finding.node)}):"
    yield plain(finding.message, None)
    origin = origin_text(finding.node.origin) if finding.node is not None else ""
    if origin:
        yield f"(module {origin})"
    yield plain(finding.advice, None)


def _command(kind: str, path: str, title: str, message: str) -> str:
    file = f"file={runner_property(path)}," if path and path != _STDIN else ""
    return f"::{kind} {file}title={runner_property(title)}::{runner_data(message.strip(), _LONGEST_MESSAGE)}"
