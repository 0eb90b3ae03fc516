"""The figure of a search: what every candidate costs against what it gains, as a PNG or SVG file.

matplotlib is optional (the extra ``plots``) and is imported inside functions. All words are our own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.files import replacing
from auditor.repair.search.search import CandidateVerdict, Search, Trial
from auditor.verify.errors import VerifyError
from auditor.verify.plots import COLOURS, FORMATS, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from auditor.facts.comparison import MeasuredChange

_BLUE, _RED = COLOURS[0], COLOURS[1]
_GREY = "#767676"
_DPI = 120


def write_search(found: Search, path: Path) -> None:
    """Draw a search into a file whose name ends in one of :data:`auditor.verify.plots.FORMATS`.

    Raises:
        VerifyError: matplotlib is missing, or the file cannot be written.
        ValueError: the name ends otherwise.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"the figure of a search is written as {' or '.join(FORMATS)}")
    content = render(search_figure(found), kind)
    try:
        with replacing(path) as sink:
            sink.write(content)
    except OSError as error:
        raise VerifyError(f"the figure cannot be written ({error.strerror})", str(path)) from error


def search_figure(found: Search) -> Figure:
    """Change of the leading measure against cost, with 95 % intervals; better is higher, the original is (1, 0).

    The line is the frontier: through the original and what gains more than all that is cheaper. Candidates that fell
    out earlier are hollow, at their predicted cost; those that were never measured are listed only.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise VerifyError("plots need matplotlib: install aliasaudit[plots], or leave out --plot") from error
    figure = Figure(figsize=(9.6, 4.8), dpi=_DPI, layout="constrained")
    axes, names = figure.subplots(1, 2, width_ratios=(3, 2))
    leading = next((trial.gain.leading[0] for trial in found.trials if trial.gain and trial.gain.leading), None)
    _draw(axes, found, leading)
    _list(names, found)
    return figure


def _draw(axes: Axes, found: Search, leading: MeasuredChange | None) -> None:
    scale = 1.0 if leading is None or leading.unit != "share" else 100.0
    placed = [(number, trial, _place(trial, leading, scale)) for number, trial in enumerate(found.trials, 1)]
    axes.axhline(0, color=_GREY, linewidth=0.8)
    if found.budget.cost < _most(found, 4.0):
        axes.axvline(found.budget.cost, color=_GREY, linewidth=0.8, linestyle=":")
        axes.annotate(
            "largest cost ",
            (found.budget.cost, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            fontsize=7,
            color=_GREY,
        )
    whole = [place[:2] for _, trial, place in placed if place is not None and trial.images == found.images]
    down = leading is not None and not leading.higher_is_better
    axes.plot(*zip(*_frontier(whole, down), strict=True), color=_BLUE, linewidth=1.2, alpha=0.6, zorder=2)
    axes.plot(1, 0, marker="x", color="black", markersize=8, linestyle="none", zorder=4)
    axes.annotate("original", (1, 0), xytext=(6, -11), textcoords="offset points", fontsize=8)
    for number, trial, place in placed:
        if place is None:
            continue
        cost, value, low, high = place
        colour, faint = _colour(trial), trial.images < found.images
        speed = None if trial.gain is None else trial.gain.speed
        if not faint:
            across = None if speed is None else [[cost - speed.low], [speed.high - cost]]
            axes.errorbar(
                cost, value, [[value - low], [high - value]], across, color=colour, alpha=0.45, linewidth=1, zorder=1
            )
        chosen = trial.verdict is CandidateVerdict.BEST
        axes.plot(
            cost,
            value,
            marker="*" if chosen else "o",
            markersize=15 if chosen else 7,
            color=colour,
            markerfacecolor="white" if faint else colour,
            zorder=3,
        )
        axes.annotate(str(number), (cost, value), xytext=(7, 5), textcoords="offset points", fontsize=8, color=colour)
    axes.set_xlabel("cost, as a multiple of the original's time (hollow: predicted; bars: 95 %)")
    if leading is not None:
        unit = " (points)" if scale > 1 else ""
        axes.set_ylabel(f"change of {leading.measure}{unit}", parse_math=False)
        if not leading.higher_is_better:
            axes.invert_yaxis()
    axes.grid(alpha=0.25)
    axes.margins(x=0.12, y=0.12)


def _list(axes: Axes, found: Search) -> None:
    """Names and verdicts beside the figure, by the numbers in it."""
    axes.set_axis_off()
    step = 1 / max(len(found.trials), 12)
    for number, trial in enumerate(found.trials, 1):
        words = f"{number}  {trial.candidate.name}: {trial.verdict.value}"
        axes.text(
            0, 1 - step * (number - 0.5), words, fontsize=7.5, va="center", color=_colour(trial), parse_math=False
        )


def _place(trial: Trial, leading: MeasuredChange | None, scale: float) -> tuple[float, float, float, float] | None:
    """Cost, change and its bounds; None where either is not known."""
    gain = trial.gain
    change = None if gain is None or leading is None else gain.change(leading.measure)
    if gain is None or change is None or math.isnan(change.difference):
        return None
    cost = trial.candidate.cost if gain.speed is None else gain.speed.ratio
    if cost is None:
        return None
    span = change.interval
    low, high = (change.difference, change.difference) if span is None else (span.low, span.high)
    return cost, scale * change.difference, scale * min(low, change.difference), scale * max(high, change.difference)


def _frontier(points: Sequence[tuple[float, float]], down: bool) -> list[tuple[float, float]]:
    """The original, and by rising cost what is better than all before it; ``down`` says that less is better."""
    line = [(1.0, 0.0)]
    for cost, value in sorted(points):
        if (value < line[-1][1]) if down else (value > line[-1][1]):
            line.append((cost, value))
    return line


def _most(found: Search, share: float) -> float:
    """A cost within which the largest allowed one is worth a line, so that it does not squeeze the rest."""
    costs = [trial.candidate.cost for trial in found.trials if trial.candidate.cost is not None]
    return share * max([1.0, *costs])


def _colour(trial: Trial) -> str:
    good: Sequence[CandidateVerdict] = (CandidateVerdict.WITHIN,)
    return _RED if trial.verdict is CandidateVerdict.BEST else _BLUE if trial.verdict in good else _GREY
