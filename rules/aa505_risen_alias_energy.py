"""AA505 risen-alias-energy: more folds at a sampling site than at the same site of the base."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import percent, site_finding, site_numbers


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per site of both models at which the alias energy rose by more than is allowed."""
    if context.comparison is None:
        return
    for kept in context.comparison.risen_sites:
        rise = round(kept.rise, 9)
        if kept.before.alias is None or kept.after.alias is None or rise < float(context.options["warning"]):
            continue
        severity = Severity.ERROR if rise >= float(context.options["error"]) else Severity.WARNING
        before, after = kept.before.alias.flat, kept.after.alias.flat
        finding = site_finding(
            RULE,
            kept.after,
            severity,
            f"{percent(after)} of a flat spectrum folds here, and {percent(before)} in the base.",
            "Look for a smaller kernel at the stride or a blur that was lost; where the change is meant, waive it with"
            " the reason.",
        )
        yield Finding(
            rule=finding.rule,
            name=finding.name,
            severity=finding.severity,
            message=finding.message,
            advice=finding.advice,
            node=finding.node,
            related=finding.related,
            numbers=site_numbers(kept.after) | {"alias_energy_before": round(before, 4), "rise": round(rise, 4)},
        )


RULE = Rule(
    code="AA505",
    name="risen-alias-energy",
    summary="More of the signal folds at a sampling site than at the same site of the base.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    needs=frozenset({Need.COMPARISON}),
    options={"warning": 0.1, "error": 0.25},
)
