"""What a report says about the run itself: the rules, and the settings that change what is found."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.audit.run import RuleSet
from auditor.facts.report import RuleInfo, RunFacts
from auditor.facts.rule import Rule
from auditor.policy.settings import Settings


def run_facts(rules: RuleSet, ran: Sequence[Rule], settings: Settings, baseline: str | None) -> RunFacts:
    """The facts of a run. ``ran`` are the rules that had what they need, ``baseline`` is what its file is called."""
    return RunFacts(
        settings={
            "rules": [rule.code for rule in ran],
            "rule-options": {rule.code: dict(rules.options[rule.code]) for rule in ran if rule.options},
            "input-shapes": {name: list(shape) for name, shape in settings.input_shapes.items()},
            "min-severity": settings.min_severity.value,
            **_policy(settings, baseline),
        },
        rules=tuple(RuleInfo(rule.code, rule.name, rule.summary, rule.severities) for rule in ran),
    )


def _policy(settings: Settings, baseline: str | None) -> dict[str, object]:
    """What decides which findings count, where anything does; the day only where a waiver depends on it."""
    facts: dict[str, object] = {}
    if settings.targets:
        facts["targets"] = list(settings.targets)
    if settings.waivers:
        facts["waivers"] = len(settings.waivers)
    if settings.today is not None and any(waiver.expires for waiver in settings.waivers):
        facts["today"] = settings.today.isoformat()
    if baseline is not None:
        facts["baseline"] = baseline
    if settings.strict:
        facts["strict"] = True
    return facts
