"""Whether a model holds what was asked of it, in one word and a sentence, and when its measurement ended."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.report.words.numbers import number
from auditor.verify.verdict import Looks, Required, Verdict, needed_words

WORDS = {Verdict.PASS: "HOLDS", Verdict.FAIL: "FAILS", Verdict.INCONCLUSIVE: "UNDECIDED"}


def required_words(asked: Required) -> Iterator[str]:
    """``FAILS: consistency 84.1 %, less than the 90 % asked``, and when and why the measurement ended."""
    yield f"{WORDS[asked.condition.verdict]}: {reason(asked)}"
    if asked.looks is not None and len(asked.looks.planned) > 1:
        yield ended(asked.looks)


def reason(asked: Required) -> str:
    """Why it holds or does not, and after how many images."""
    condition = asked.condition
    value, limit = number(asked.value, asked.unit), number(condition.limit, asked.unit)
    side = ("at least", "less than") if asked.higher_is_better else ("at most", "more than")
    looks = asked.looks
    after = f"; {looks.short}" if looks is not None and len(looks.planned) > 1 else f"; {asked.images} images"
    if condition.verdict is Verdict.PASS:
        return f"{asked.measure} {value}, surely {side[0]} the {limit} asked{after}"
    if condition.verdict is Verdict.FAIL:
        return f"{asked.measure} {value}, surely {side[1]} the {limit} asked{after}"
    needed = needed_words(condition.images_needed, condition.images_enough)
    return f"{asked.measure} {value}, and whether it is {side[0]} the {limit} asked is open{after}; {needed}"


def ended(looks: Looks) -> str:
    """When and why a measurement ended, and what that does to the numbers."""
    rate, level = f"{100 * looks.error:.3g} %", f"{100 * looks.level:.3g} %"
    count = f"look {looks.taken} of {len(looks.planned)}"
    spent = f"a wrong verdict in at most {level} of the runs at this look, in at most {rate} at any of them"
    if not looks.early:
        return f"ended at {count}, with all {looks.images} images: {spent}, and intervals are wider for that"
    return (
        f"ended at {count}, after {looks.images} of at most {looks.planned[-1]} images, since the verdict was certain: "
        f"{spent}, and intervals are wider for that; a value at an early end leans to the side of its verdict"
    )
