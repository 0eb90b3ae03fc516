"""What to type next, after an audit: nothing is analysed for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from auditor.facts.report import ModelReport, ProblemKind, Report
from auditor.text import plain

_STDIN = "-"
_WIDTH = 80


def next_steps(report: Report, width: int | None = None) -> list[str]:
    """Lines with a command and the question that it answers, in ``width`` columns; None leaves names whole.

    None where nothing is open, or where a run or a comparison has answered it already or failed.
    """
    models = [model for model in report.models if _is_open(model)]
    answered = any(model.verification or model.comparison for model in report.models)
    failed = any(problem.kind is ProblemKind.NOT_MEASURED for problem in report.problems)
    if not models or answered or failed:
        return []
    name = shlex.quote(plain(max(models, key=_weight).path, None))
    lines = list(_lines(name))
    if width is not None and max(map(len, lines)) > width:
        lines = list(_lines("MODEL"))
    return lines


def _lines(name: str) -> Iterator[str]:
    """Commands for a shell, each with its question as a comment where both of them fit."""
    commands = (f"aliasaudit verify --images DIR {name}", f"aliasaudit fix --plan {name}")
    questions = ("does it matter?", "what can be repaired?")
    column = max(map(len, commands))
    lines = [f"{command:{column}}  # {question}" for command, question in zip(commands, questions, strict=True)]
    fits = max(map(len, lines)) + len("next: ") <= _WIDTH
    for label, line in zip(("next: ", "      "), lines if fits else commands, strict=True):
        yield f"{label}{line}"


def _is_open(model: ModelReport) -> bool:
    return any(site.unprotected for site in model.analysis.sites) and model.path != _STDIN


def _weight(model: ModelReport) -> tuple[int, ...]:
    """By errors, then warnings, then notes."""
    ranks = [finding.severity.rank for finding in model.findings]
    return tuple(ranks.count(rank) for rank in (2, 1, 0))
