"""AA505 risen-alias-energy: more folds at a sampling site than at the same site of the base."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from auditor.facts.comparison import KeptSite
from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule
from auditor.sampling.result import AliasEnergy

from ._common import percent, site_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per site of both models at which the alias energy rose by more than is allowed."""
    if context.comparison is None:
        return
    for kept in context.comparison.risen_sites:
        before, after = kept.before.alias, kept.after.alias
        severity = _severity(kept, context)
        if before is None or after is None or severity is None:
            continue
        finding = site_finding(
            RULE,
            kept.after,
            severity,
            _words(before, after),
            "Look for a smaller kernel at the stride or a blur that was lost; where the change is meant, waive it with"
            " the reason.",
        )
        rises = {"alias_energy_before": round(before.flat, 4), "rise": round(kept.rise, 4)}
        if before.expected is not None:
            rises["alias_energy_expected_before"] = round(before.expected, 4)
        if kept.expected_rise is not None:
            rises["rise_expected"] = round(kept.expected_rise, 4)
        yield replace(finding, numbers={**finding.numbers, **rises})


def _severity(kept: KeptSite, context: Context) -> Severity | None:
    """Error by the expected number, the flat one where there is none; a warning where either of them rose.

    A blur that was lost in front of a picture changes the expected number by little, and what folds there is seen.
    """
    flat = round(kept.rise, 9)
    known = kept.expected_rise
    expected = flat if known is None else round(known, 9)
    if expected >= float(context.options["error" if known is None else "expected-error"]):
        return Severity.ERROR
    if max(flat, expected) >= float(context.options["warning"]):
        return Severity.WARNING
    return None


def _words(before: AliasEnergy, after: AliasEnergy) -> str:
    flat = f"{percent(after.flat)} of a flat spectrum"
    was = f"{percent(before.flat)} in the base"
    if before.expected is None or after.expected is None:
        missing = after.missing or before.missing
        why = f": {missing}" if missing else ""
        return f"{flat} folds here, and {was}; how much of real activations is not known{why}."
    return (
        f"About {percent(after.expected)} of what it samples is expected to fold, and {percent(before.expected)} in the"
        f" base ({flat}, and {was})."
    )


RULE = Rule(
    code="AA505",
    name="risen-alias-energy",
    summary="More of the signal folds at a sampling site than at the same site of the base.",
    severities=(Severity.ERROR, Severity.WARNING),
    check=check,
    since="0.2.0",
    needs=frozenset({Need.COMPARISON}),
    options={"warning": 0.1, "error": 0.25, "expected-error": 0.15},
)
