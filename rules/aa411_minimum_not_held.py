"""AA411 minimum-not-held: what the task is judged by is surely worse than was asked, or nobody can tell yet."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule
from auditor.verify.verdict import Required, Verdict, needed_words

from ._common import node_finding

_UNDECIDED = {"fail": Severity.ERROR, "warn": Severity.NOTE}
_ADVICE = "Find the layer that costs most (AA402), and see what `aliasaudit fix --plan` can repair."


def check(context: Context) -> Iterator[Finding]:
    """Yield a finding where the model does not hold its minimum, or where it is open whether it does."""
    asked = None if context.verification is None else context.verification.required
    if asked is None:
        return
    condition = asked.condition
    looks = "" if asked.looks is None or len(asked.looks.planned) == 1 else f", {asked.looks.short}"
    value, limit = _value(asked, asked.value), _value(asked, condition.limit)
    named = f"{asked.measure[0].upper()}{asked.measure[1:]} is {value}"
    if condition.verdict is Verdict.FAIL:
        side = "less" if asked.higher_is_better else "more"
        message = f"{named}, surely {side} than the {limit} asked{looks}."
        yield node_finding(RULE, None, Severity.ERROR, message, _ADVICE, _numbers(asked))
    severity = _UNDECIDED.get(asked.inconclusive)
    if condition.verdict is Verdict.INCONCLUSIVE and severity is not None:
        side = "at least" if asked.higher_is_better else "at most"
        message = f"{named}, and whether it is {side} the {limit} asked is undecided{looks}."
        words = needed_words(condition.images_needed, condition.images_enough)
        advice = f"{words[0].upper()}{words[1:]}: --images, --images-limit."
        yield node_finding(RULE, None, severity, message, advice, _numbers(asked))


def _numbers(asked: Required) -> dict[str, float | int | str]:
    condition = asked.condition
    numbers: dict[str, float | int | str] = {
        "measure": asked.measure,
        "value": round(asked.value, 6),
        "limit": condition.limit,
        "images": asked.images,
        "verdict": condition.verdict.value,
    }
    if asked.looks is not None:
        numbers |= {"look": asked.looks.taken, "looks": len(asked.looks.planned), "level": asked.looks.level}
    if condition.images_needed is not None and condition.images_enough is not None:
        numbers |= {"images_needed": condition.images_needed, "images_enough": condition.images_enough}
    return numbers


def _value(asked: Required, value: float) -> str:
    return f"{100 * value:.4g} %" if asked.unit == "share" else f"{value:.4g}"


RULE = Rule(
    code="AA411",
    name="minimum-not-held",
    summary="What the task is judged by is worse than was asked of the model, or it is open whether it is.",
    severities=(Severity.ERROR, Severity.NOTE),
    check=check,
    since="0.3.0",
    needs=frozenset({Need.MEASUREMENT}),
)
