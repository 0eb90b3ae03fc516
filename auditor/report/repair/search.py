"""What a search among rewrites found, as text and as JSON, and as remarks for the report of another command. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from auditor.facts.comparison import Comparison, MeasuredChange
from auditor.repair.result import Repaired
from auditor.repair.search.gain import Gain, Loss, Yardstick
from auditor.repair.search.search import Search, Trial
from auditor.report.repair.frontier import frontier_lines, why_lines
from auditor.report.repair.gains import agreed_text, columns, gain_json, gain_lines, speed_text
from auditor.report.repair.outcome import document, posix
from auditor.report.repair.trials import trial_lines
from auditor.report.repair.trials import trials_json as tests_json
from auditor.report.words.changes import measured_rows
from auditor.report.words.numbers import json_number
from auditor.rewrite.result import Step
from auditor.text import ModelText, count_text, exact, plain
from auditor.verify.measures import MEASURES
from auditor.verify.measures import leading as leading_measures
from auditor.verify.result import Task
from auditor.verify.statistics import FEW_IMAGES

NOTHING_HELPS = "nothing helps: no candidate within the budget surely gained, so nothing was written"
_CHOSEN = (
    "note: the best of several on the same images looks a little better than it is: measure it on other images with "
    "`aliasaudit verify`"
)
_LOST = {
    Yardstick.LABELS: "accuracy on shifted inputs",
    Yardstick.ORIGINAL: "agreement below the original's own consistency",
    Yardstick.POSITIONS: "agreement, position by position, below the original's own under shifts",
    Yardstick.BOXES: "agreement, box by box, below the original's own under shifts",
    Yardstick.JOINTS: "agreement, joint by joint, below the original's own under shifts",
    Yardstick.LINES: "agreement, line by line, below the original's own under shifts",
    Yardstick.COSINE: "cosine to the original's output, below the original's own under shifts",
}


def search_text(name: str, found: Search, width: int | None = None) -> str:
    """The table of a search, and the measured gain of the best; a line for each candidate where the table is too wide
    for so many columns.
    """
    budget = found.budget
    limits = f"cost at most x{budget.cost:g}, loss at most {100 * budget.loss:g} points of {yardstick_words(found)}"
    lines = [
        f"model {plain(name)}",
        f"  searched {count_text(len(found.trials), 'candidate')} on {count_text(found.images, 'image')}",
        f"  budget: {limits}",
        "",
        *(f"  {line}" for line in _candidates(found, width)),
        "  * no other candidate that was measured on all images is cheaper and gains more",
    ]
    for part in (frontier_lines(found), why_lines(found)):
        lines += ["", *(f"  {line}" for line in part)]
    failed = [trial for trial in found.trials if trial.reason]
    lines += [f"  failed: {trial.candidate.name}: {plain(trial.reason)}" for trial in failed]
    lines += [line for trial in found.trials if trial is not found.best for line in trial_lines(trial.tests)]
    if found.images < FEW_IMAGES:
        lines.append(f"  note: {found.images} images are few: intervals are wide, and what gains little is not told")
    best = found.best
    if best is None or best.gain is None:
        return "\n".join([*lines, "", NOTHING_HELPS]) + "\n"
    said = f"  {' then '.join(map(_said, best.candidate.steps))}"
    lines += ["", f"best: {best.candidate.name}", said, *(f"  {line}" for line in gain_lines(best.gain))]
    lines += [*trial_lines(best.tests), "", _CHOSEN]
    return "\n".join(lines) + "\n"


def _candidates(found: Search, width: int | None) -> Sequence[str]:
    table = columns(_budgeted(found))
    if width is None or max(map(len, table)) + 2 <= width:
        return table
    _, *clauses = search_remarks(found, marked=True)
    return clauses


def search_remarks(found: Search, marked: bool = False) -> Iterator[str]:
    """What a search tried, one clause for each candidate, for the report of another command.

    ``marked``: those of the frontier have their star.
    """
    budget, tried = found.budget, count_text(len(found.trials), "candidate")
    limits = f"cost at most x{budget.cost:g}, loss at most {100 * budget.loss:g} points of {yardstick_words(found)}"
    yield f"searched {tried} on {count_text(found.images, 'image')}: {limits}"
    (names, *titles, _), *rows = _table(found)
    assert names == "candidate"
    for trial, (name, *cells, verdict) in zip(found.trials, rows, strict=True):
        facts = ", ".join(f"{title} {cell}" for title, cell in zip(titles, cells, strict=True) if cell)
        why = f" ({plain(trial.reason)})" if trial.reason else ""
        yield f"{name}: {facts}: {verdict if marked else verdict.removesuffix(' *')}{why}"


def trials_json(found: Search) -> list[dict[str, Any]]:
    """The candidates of a search, each with its verdict and what it gained, as JSON values."""
    return [
        {
            "candidate": trial.candidate.name,
            "steps": [_step_json(step) for step in trial.candidate.steps],
            "multiply_adds_ratio": json_number(trial.candidate.cost),
            "verdict": trial.verdict.value,
            "images": trial.images,
            "frontier": trial.frontier,
            "reason": trial.reason or None,
            "gain": None if trial.gain is None else gain_json(trial.gain),
            "tests": tests_json(trial.tests),
        }
        for trial in found.trials
    ]


def search_json(name: str, found: Search, done: Repaired, further: Mapping[str, Any]) -> str:
    """A search, and what was written then, as a JSON document; with ``further`` members."""
    content = {
        "model": name,
        "strategy": "auto",
        "budget": {"max_cost": json_number(found.budget.cost), "max_drop": json_number(found.budget.loss)},
        "best": None if found.best is None else found.best.candidate.name,
        "candidates": trials_json(found),
        "feeding": next((one.feeding for one in done.rewrites if one.feeding), None),
        "written": posix(done.path),
        "backup": posix(done.backup),
        **further,
    }
    return document(content)


def _said(step: Step) -> str:
    """A step as ``fix`` takes it."""
    pairs = [*(("--site", name) for name in step.sites), *(("--merge", name) for name in step.options.merges)]
    return " ".join([f"--strategy {step.strategy.value}", *(f"{flag} {plain(name)}" for flag, name in pairs)])


def _step_json(step: Step) -> dict[str, Any]:
    names = {"sites": step.sites, "merges": step.options.merges}
    return {"strategy": step.strategy.value, **{key: [exact(ModelText(n)) for n in v] for key, v in names.items()}}


def _budgeted(found: Search) -> list[tuple[str, ...]]:
    """The table with a row of what the budget allows, each number above those that it is held against."""
    header, *rows = _table(found)
    cost, loss = f"<= x{found.budget.cost:g}", f"<= {100 * found.budget.loss:g} points"
    allowed = {"candidate": "(budget)", "cost": cost, "time": cost, "loss": loss}
    return [header, tuple(allowed.get(title, "") for title in header), *rows]


def _table(found: Search) -> list[tuple[str, ...]]:
    gains = [trial.gain for trial in found.trials if trial.gain is not None]
    leading = _shown(gains[0]) if gains else leading_measures(Task.CLASSIFICATION)
    titles = [MEASURES[measure].heading for measure in leading]
    header = ("candidate", "cost", "time", "images", *titles, "agreement", "loss", "verdict")
    return [header, *(_row(trial, leading) for trial in found.trials)]


def _shown(gain: Gain) -> tuple[str, ...]:
    """The measures that a gain is told by, and beside them the variance that timid scores cannot lower."""
    variances = [one.measure for one in gain.variances if MEASURES[one.measure].summary]
    return (*(one.measure for one in gain.leading), *variances)


def _row(trial: Trial, leading: Sequence[str]) -> tuple[str, ...]:
    gain = trial.gain
    name, cost = trial.candidate.name, trial.candidate.cost
    predicted = "?" if cost is None else f"x{cost:.3g}"
    if gain is None:
        return (name, predicted, "", "", *("" for _ in leading), "", "", trial.verdict.value)
    return (
        name,
        predicted,
        "" if gain.speed is None else speed_text(gain.speed),
        str(trial.images),
        *(_cell(gain.change(measure)) for measure in leading),
        "" if gain.agreement is None else agreed_text(gain.agreement),
        "" if gain.loss is None else _loss(gain.loss),
        f"{trial.verdict.value}{' *' if trial.frontier else ''}",
    )


def _cell(change: MeasuredChange | None) -> str:
    if change is None:
        return "-"
    (row,) = measured_rows(Comparison("", measured=(change,)))
    return f"{row.difference} [{row.interval}]" if row.interval else row.difference


def _loss(loss: Loss) -> str:
    span = "" if loss.interval is None else f" [{_points(loss.interval.low)} to {_points(loss.interval.high)}]"
    return f"{_points(loss.value)} points{span}"


def _points(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:+.1f}"  # no minus in front of nothing


def yardstick_words(found: Search) -> str:
    """What counts as lost."""
    losses = (trial.gain.loss for trial in found.trials if trial.gain is not None)
    return _LOST[next((loss.yardstick for loss in losses if loss is not None), Yardstick.LABELS)]
