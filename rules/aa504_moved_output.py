"""AA504 moved-output: the grid of an output lies elsewhere in the picture than that of the base."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from auditor.facts.comparison import GridChange
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding, number, steps

_ADVICE = (
    "Look for padding that changed sides, a Resize with other coordinates or an even kernel in place of an odd one:"
    " converters split SAME padding and translate align_corners differently."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per output whose grid moved, got another step, or sees more or less of the picture."""
    if context.comparison is None:
        return
    limit = float(context.options["error"])
    for index, output in enumerate(context.comparison.outputs):
        grid = output.grid
        if grid is None or output.new is None or grid.same:
            continue
        moved = max(grid.shift, grid.detour)
        if moved:
            severity = Severity.ERROR if moved >= limit else Severity.WARNING
        else:
            severity = Severity.WARNING if _changed(grid.steps) else Severity.NOTE
        yield node_finding(RULE, None, severity, _message(grid), _ADVICE if moved else _MEANT, _numbers(index, grid))


_MEANT = "Where the change is meant, waive it with the reason; else compare the layers that make the output."


def _message(grid: GridChange) -> str:
    facts = []
    if grid.shift:
        axes = f" ({_per_axis(grid.shifts)} along its axes)" if len(set(grid.shifts)) > 1 else ""
        facts.append(f"The centre of the output moved by {_pixels(grid.shift)}{axes} against the base")
    elif grid.detour:
        facts.append(
            f"The deepest path to the output moved by {_pixels(grid.detour)} against the base, and others did not"
        )
    if _changed(grid.steps):
        before, after = (steps([pair[place] for pair in grid.steps]) for place in (0, 1))
        facts.append(f"the distance of its neighbours went from {before} to {after} px")
    if _changed(grid.fields):
        before, after = (steps([pair[place] for pair in grid.fields]) for place in (0, 1))
        facts.append(f"its receptive field went from {before} to {after} px")
    words = "; ".join(facts)
    return f"{words[0].upper()}{words[1:]}."


def _pixels(value: Fraction) -> str:
    return f"{number(abs(value))} input pixel{'' if abs(value) == 1 else 's'}"


def _per_axis(values: tuple[Fraction, ...]) -> str:
    return ", ".join(f"{float(value):+g}" if value else "0" for value in values)


def _changed(pairs: tuple[tuple[Fraction, Fraction], ...]) -> bool:
    return any(before != after for before, after in pairs)


def _numbers(index: int, grid: GridChange) -> dict[str, float | int | str]:
    return {
        "output": index,
        "shift": number(grid.shift),
        "path_shift": number(grid.detour),
        "step_before": number(max(before for before, _ in grid.steps)),
        "step_after": number(max(after for _, after in grid.steps)),
    }


RULE = Rule(
    code="AA504",
    name="moved-output",
    summary="The same index of an output means another place of the input than in the base.",
    severities=(Severity.ERROR, Severity.WARNING, Severity.NOTE),
    check=check,
    since="0.2.0",
    needs=frozenset({Need.COMPARISON}),
    options={"error": 1.0},
)
