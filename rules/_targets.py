"""What the rules about deployment targets share: a finding per node and target, worded from the target's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule

if TYPE_CHECKING:
    from auditor.targets.review import TargetVerdict

# Of the largest difference on noise of standard deviation 1. What was not measured may be as large as the signal.
ERROR_OPTIONS: Mapping[str, float] = {"error": 0.1}


def verdict_findings(rule: Rule, context: Context, effect: str) -> Iterator[Finding]:
    """Yield one finding per node and target with this effect, in graph order."""
    verdicts = () if context.targets is None else context.targets.verdicts
    for verdict in sorted(verdicts, key=lambda one: one.node.order):
        if verdict.entry.effect.value == effect:
            yield _finding(rule, context, verdict)


def _finding(rule: Rule, context: Context, verdict: TargetVerdict) -> Finding:
    entry = verdict.entry
    numbers: dict[str, float | int | str] = {
        "target": verdict.target,
        "versions": entry.versions.text,
        "form": entry.form,
    }
    if entry.error is not None:
        numbers["error"] = entry.error
    silent = entry.effect.value != "refused"
    light = silent and entry.error is not None and entry.error < float(context.options["error"])
    return Finding(
        rule=rule.code,
        name=rule.name,
        severity=Severity.WARNING if light else Severity.ERROR,
        message=_message(verdict),
        advice=_advice(verdict),
        node=verdict.node,
        numbers=numbers,
    )


def _message(verdict: TargetVerdict) -> str:
    entry = verdict.entry
    does = _DOES[entry.effect.value].format(verdict.words)
    size = f", off by up to {entry.error:.2g} at a standard deviation of 1" if entry.error is not None else ""
    words = f"{verdict.title} {entry.versions.text} {does}: {entry.does}{size}"
    evidence = ", ".join((*[f"measured with {verdict.measured}"] * verdict.was_run, *entry.evidence))
    also = "".join(f" Also {words}." for words in verdict.also)
    return f"{words} ({evidence}).{also}"


_DOES = {
    "ignored": "ignores a part of {}",
    "differs": "computes {} differently",
    "refused": "refuses {}",
}


def _advice(verdict: TargetVerdict) -> str:
    """The portable form, and that the program writes it."""
    from auditor.rewrite.portable.table import lowered_forms

    words = verdict.portable[:1].upper() + verdict.portable[1:]
    return f"{words} `aliasaudit fix --portable` writes it." if verdict.entry.form in lowered_forms() else words
