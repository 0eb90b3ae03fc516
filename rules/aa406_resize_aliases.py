"""AA406 resize-aliases: the resize in front of the model has no low-pass, and it changes answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding

if TYPE_CHECKING:
    from auditor.resizing.result import Estimate, KernelRow, ResizeComparison


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding where the deployed kernel surely changes answers, or surely makes them less stable."""
    found = context.resize
    row = found.row(found.deployed) if found is not None and found.deployed else None
    if found is None or row is None or row.low_pass:
        return
    changed, severity = _changed(row), None
    if changed is not None and (row.excess is None or _surely(row.excess) > 0):
        severity = _level(changed, context, "error", "warning")
    lost = _surely(row.stability_loss)
    severity = _worse(severity, _level(lost, context, "stability-error", "stability-warning"))
    if severity is not None:
        yield node_finding(RULE, None, severity, _message(found, row), _advice(found), _numbers(row))


def _changed(row: KernelRow) -> float | None:
    """The share of answers that surely changes."""
    span = None if row.agreement is None else row.agreement.interval
    return None if span is None else 1 - span.high


def _surely(estimate: Estimate | None) -> float:
    return -1.0 if estimate is None or estimate.interval is None else estimate.interval.low


def _level(value: float, context: Context, error: str, warning: str) -> Severity | None:
    for severity, name in ((Severity.ERROR, error), (Severity.WARNING, warning)):
        if value > float(context.options[name]):
            return severity
    return None


def _worse(one: Severity | None, other: Severity | None) -> Severity | None:
    known = [severity for severity in (one, other) if severity is not None]
    return max(known, key=lambda severity: severity.rank, default=None)


def _message(found: ResizeComparison, row: KernelRow) -> str:
    words = f"{row.kernel} shrinks pictures without a low-pass"
    agreement, loss = row.agreement, row.stability_loss
    if agreement is not None:
        words += f": {100 * (1 - agreement.value):.0f} % of the answers differ from those behind {found.reference}"
        if agreement.interval is not None:
            words += f" ({100 * (1 - agreement.interval.high):.0f} to {100 * (1 - agreement.interval.low):.0f} %)"
    if loss is not None and loss.interval is not None and loss.interval.low > 0:
        words += f", and a move by one pixel changes {100 * loss.value:.0f} points more of them"
    return f"{words}."


def _advice(found: ResizeComparison) -> str:
    line = next((line for line in found.code if line.deployed), found.code[0])
    return f"Shrink with a low-pass, {line.library}: {line.code}. The model stays as it is."


def _numbers(row: KernelRow) -> dict[str, float | int | str]:
    numbers: dict[str, float | int | str] = {"kernel": row.kernel}
    if row.agreement is not None:
        numbers |= {"changed": round(1 - row.agreement.value, 4), "images": row.agreement.pictures}
        if row.agreement.interval is not None:
            numbers["low"] = round(1 - row.agreement.interval.high, 4)
            numbers["high"] = round(1 - row.agreement.interval.low, 4)
    if row.stability_loss is not None:
        numbers["stability-loss"] = round(row.stability_loss.value, 4)
    return numbers


RULE = Rule(
    code="AA406",
    name="resize-aliases",
    summary="The resize in front of the model has no low-pass, and it changes answers.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    options={"error": 0.2, "warning": 0.05, "stability-error": 0.1, "stability-warning": 0.02},
    since="0.2.0",
    needs=frozenset({Need.RESIZE}),
)
