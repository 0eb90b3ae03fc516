"""AA406 resize-aliases: the resize in front of the model has no low-pass, and it changes answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, OptionValue, Rule

from ._common import node_finding

if TYPE_CHECKING:
    from auditor.resizing.result import KernelRow, ResizeComparison


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding where the deployed kernel surely changes answers, or surely makes them less stable."""
    found = context.resize
    row = found.row(found.deployed) if found is not None and found.deployed else None
    if found is None or row is None or row.low_pass:
        return
    severity = _severity(row, context.options)
    if severity is not None:
        yield node_finding(RULE, None, severity, _message(found, row), _advice(found), _numbers(row))


def _severity(row: KernelRow, options: Mapping[str, OptionValue]) -> Severity | None:
    """The worst that the changed answers or the loss of stability come to."""
    for severity in (Severity.ERROR, Severity.WARNING):
        changed, lost = options[severity.value], options[f"stability-{severity.value}"]
        if row.changes_answers(float(changed)) or row.is_less_stable(float(lost)):
            return severity
    return None


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
