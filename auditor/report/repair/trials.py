"""The tests of a grid lock, as lines and as JSON. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from auditor.repair.trials import OBJECT, LockTest
from auditor.report.words.numbers import json_number
from auditor.text import count_text


def trial_lines(trials: Sequence[LockTest]) -> Iterator[str]:
    """Every test with its number, its bound and its limit, each line beginning with words of the tool."""
    for one in trials:
        if one.in_share and not one.images:
            yield f"  test {one.protocol}: not measured, since the images have no labels; give --labels, or measure it"
            continue
        verdict = "passed" if one.passed else "failed" if one.asked else "over the limit, and not asked for"
        yield f"  test {one.protocol}: {_numbers(one)}, {one.what}; {_limit(one)}: {verdict}"


def lock_refusal(trials: Sequence[LockTest]) -> str | None:
    """Why a lock is not kept, in one line with the numbers; None where every test was passed."""
    failed = [one for one in trials if one.held_back]
    if not failed:
        return None
    reasons = "; ".join(f"{one.protocol} {_numbers(one)}, {one.what} ({_limit(one)})" for one in failed)
    return f"nothing was written: the lock failed on these pictures: {reasons}{_advice(failed)}"


def trials_json(trials: Sequence[LockTest]) -> list[dict[str, Any]]:
    """The tests as JSON values; shares of the original's own change."""
    return [
        {
            "protocol": one.protocol,
            "what": one.what,
            "change": json_number(one.change),
            "upper_bound": json_number(one.bound),
            "limit": json_number(one.limit),
            "images": one.images,
            "required": one.asked,
            "passed": one.passed,
        }
        for one in trials
    ]


def _numbers(one: LockTest) -> str:
    if one.in_share:
        return f"{100 * one.change:+.1f} points (at most {100 * one.bound:+.1f}, {count_text(one.images, 'image')})"
    if math.isnan(one.bound):
        return f"not measurable on {count_text(one.images, 'image')}"
    return f"{100 * one.change:+.0f} % (upper bound {100 * one.bound:+.0f} %, {count_text(one.images, 'image')})"


def _limit(one: LockTest) -> str:
    if one.in_share:
        return f"at most {100 * one.limit:+.1f} (--max-drop)"
    return f"must be below {100 * one.limit:+.0f} %" if one.strictly else f"at most {100 * one.limit:+.0f} %"


def _advice(failed: Sequence[LockTest]) -> str:
    advice = []
    if any(one.in_share or math.isnan(one.bound) or one.change <= one.limit for one in failed):
        advice.append("more --images narrow the bounds")
    if any(one.protocol == OBJECT.name for one in failed):
        advice.append("where the camera moves, say so with --camera moving")
    return f"; {', and '.join(advice)}" if advice else ""
