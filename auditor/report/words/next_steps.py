"""What to type next, after an audit: nothing is analysed for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from auditor.facts.report import ModelReport, ProblemKind, Report
from auditor.sampling.rewritable import rewritable
from auditor.text import count_text, plain

_STDIN = "-"
_MEASURE = "does it matter on your pictures?"


def next_steps(report: Report, width: int | None = None) -> list[str]:
    """Questions, each with the command that answers it, in ``width`` columns; None leaves names whole.

    None where nothing is open, or where a run or a comparison has answered it already or failed.
    """
    models = [model for model in report.models if _is_open(model)]
    answered = any(model.verification or model.comparison for model in report.models)
    failed = any(problem.kind is ProblemKind.NOT_MEASURED for problem in report.problems)
    if not models or answered or failed:
        return []
    model = max(models, key=_weight)
    lines = list(_lines(model, shlex.quote(plain(model.path, None))))
    if width is not None and max(map(len, lines)) > width:
        lines = list(_lines(model, "MODEL"))
    return lines


def repairable(model: ModelReport) -> str:
    """At how many of its sites without anti-aliasing a repair may apply."""
    total = sum(site.unprotected for site in model.analysis.sites)
    count = sum(1 for _ in rewritable(model.analysis))
    sites = count_text(total, "site")
    if not count:
        return f"none of {sites} can be repaired in the file as it is; why:"
    return f"up to {count} of {sites} can be repaired without retraining:"


def _lines(model: ModelReport, name: str) -> Iterator[str]:
    steps = (
        (_MEASURE, f"aliasaudit verify --images DIR {name}"),
        (repairable(model), f"aliasaudit fix --plan {name}"),
    )
    for label, (question, command) in zip(("next: ", "      "), steps, strict=True):
        yield f"{label}{question}"
        yield f"        {command}"


def _is_open(model: ModelReport) -> bool:
    return any(site.unprotected for site in model.analysis.sites) and model.path != _STDIN


def _weight(model: ModelReport) -> tuple[int, ...]:
    """By errors, then warnings, then notes."""
    ranks = [finding.severity.rank for finding in model.findings]
    return tuple(ranks.count(rank) for rank in (2, 1, 0))
