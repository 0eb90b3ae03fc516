"""What to type next, after an audit: nothing is analysed for it."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from auditor.facts.report import ModelReport, ProblemKind, Report
from auditor.sampling.rewritable import rewritable
from auditor.text import count_text, plain
from auditor.verify.result import Verification

_STDIN = "-"
_MEASURE = "does it matter on your pictures?"
_REPAIR = "repair without retraining, then compare on the same pictures:"

# The end of `Preprocessing.describe`.
_NAMED = re.compile(r"\((?:--preset ([^,)]+))?(?:, changed by )?((?:--[a-z]+ ?)*)\)$")


class NextStep(NamedTuple):
    """A question or an invitation, and the commands that follow it."""

    words: str
    commands: tuple[str, ...]


def next_steps(report: Report, width: int | None = None) -> list[str]:
    """What to type next as lines, in ``width`` columns; None leaves names whole.

    None where nothing is open, or where a comparison has answered it already or a run failed.
    """
    models = [model for model in report.models if _is_open(model)]
    measured = [model for model in models if model.verification is not None]
    failed = any(problem.kind is ProblemKind.NOT_MEASURED for problem in report.problems)
    if not models or failed or any(model.comparison for model in report.models):
        return []
    model = max(measured or models, key=_weight)
    lines = list(_lines(steps_of(model, shlex.quote(plain(model.path, None)))))
    if width is not None and max(map(len, lines)) > width:
        lines = [part for line in _lines(steps_of(model, "MODEL")) for part in _broken(line, width)]
    return lines


def steps_of(model: ModelReport, name: str) -> tuple[NextStep, ...]:
    """What to type next for a model that a shell calls ``name``: measure and plan, or repair what was measured."""
    if model.verification is None:
        return (
            NextStep(_MEASURE, (f"aliasaudit verify --images DIR {name}",)),
            NextStep(repairable(model), (f"aliasaudit fix --plan {name}",)),
        )
    how = f"--images DIR{_prepared(model.verification)} {name}"
    commands = (
        f"aliasaudit fix --strategy auto {how} -o fixed.onnx",
        f"aliasaudit compare --verify {how} fixed.onnx",
    )
    return (NextStep(_REPAIR, commands),)


def _prepared(found: Verification) -> str:
    """The preset as it was named and the options that changed it, so that the command measures in the same way."""
    told = _NAMED.search(found.preprocessing)
    if told is None:
        return ""
    preset, changed = told.groups()
    named = f" --preset {plain(preset)}" if preset and not found.preset_assumed else ""
    return named + "".join(f" {option} {option.removeprefix('--').upper()}" for option in changed.split())


def repairable(model: ModelReport) -> str:
    """At how many of its sites without anti-aliasing a repair may apply."""
    total = sum(site.unprotected for site in model.analysis.sites)
    count = sum(1 for _ in rewritable(model.analysis))
    sites = count_text(total, "site")
    if not count:
        return f"none of {sites} can be repaired in the file as it is; why:"
    return f"up to {count} of {sites} can be repaired without retraining:"


def _lines(steps: Sequence[NextStep]) -> Iterator[str]:
    """Each command below its question."""
    label = "next: "
    for step in steps:
        yield f"{label}{step.words}"
        yield from (f"        {command}" for command in step.commands)
        label = " " * len(label)


def _broken(line: str, width: int) -> list[str]:
    """A command on as many lines as it takes, as a shell reads them; a sentence as it is wrapped."""
    if len(line) <= width:
        return [line]
    mark = " \\" if line.startswith(" " * 8) else ""
    parts = textwrap.wrap(
        line,
        max(width - len(mark), 20),
        subsequent_indent=" " * 10,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    return [*(f"{part}{mark}" for part in parts[:-1]), parts[-1]]


def _is_open(model: ModelReport) -> bool:
    return any(site.unprotected for site in model.analysis.sites) and model.path != _STDIN


def _weight(model: ModelReport) -> tuple[int, ...]:
    """By errors, then warnings, then notes."""
    ranks = [finding.severity.rank for finding in model.findings]
    return tuple(ranks.count(rank) for rank in (2, 1, 0))
