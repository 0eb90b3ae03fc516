"""Which sentence the numbers allow: one for each verdict, and the near misses."""

from __future__ import annotations

import numpy as np
import pytest

from auditor.audit.packs import load_builtin
from auditor.resizing.judge import CHANGED, LESS_STABLE, judged
from auditor.resizing.result import Estimate, KernelRow, ResizeVerdict
from auditor.verify.interval import Interval


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, Interval(low, high), 64)


def row(
    agreement: Estimate | None,
    loss: Estimate | None,
    excess: Estimate | None = None,
    low_pass: bool = False,
) -> KernelRow:
    return KernelRow("cv2-linear", low_pass, 0.01, agreement, None, None, None, loss, None, excess, "pil-bilinear")


def verdict(found: KernelRow | None, changed: float = 0.1) -> ResizeVerdict:
    return judged(found, np.full(64, changed), 0.95).verdict


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (None, ResizeVerdict.NOT_NAMED),
        (row(estimate(0.5, 0.7), estimate(0, 0.1), estimate(0.1, 0.3), low_pass=True), ResizeVerdict.FILTERS),
        (row(estimate(0.5, 0.7), estimate(-0.1, 0.1), estimate(0.1, 0.3)), ResizeVerdict.ALIASES),
        (row(estimate(0.5, 0.7), estimate(-0.1, 0.1), None), ResizeVerdict.ALIASES),
        # Two filters differ as much: what is changed is no sign of aliasing.
        (row(estimate(0.5, 0.7), estimate(-0.1, 0.1), estimate(-0.1, 0.1)), ResizeVerdict.UNDECIDED),
        (row(estimate(0.9, 1.0), estimate(0.03, 0.2), estimate(-0.1, 0.1)), ResizeVerdict.ALIASES),
        (row(estimate(0.96, 1.0), estimate(-0.02, 0.03), estimate(-0.1, 0.1)), ResizeVerdict.NO_DIFFERENCE),
        (row(estimate(0.96, 1.0), estimate(-0.02, 0.2), estimate(-0.1, 0.1)), ResizeVerdict.UNDECIDED),
        (row(estimate(0.7, 0.97), estimate(-0.02, 0.2), estimate(-0.1, 0.1)), ResizeVerdict.UNDECIDED),
        (row(Estimate(0.2, None, 5), Estimate(0.5, None, 5)), ResizeVerdict.UNDECIDED),
    ],
)
def test_a_verdict_is_what_the_whole_interval_holds(found: KernelRow | None, expected: ResizeVerdict) -> None:
    assert verdict(found) is expected


def test_an_open_verdict_says_how_many_pictures_would_decide() -> None:
    changed = np.array([1.0] * 12 + [0.0] * 52)
    needed = judged(row(estimate(0.7, 0.97), None), changed, 0.95).needed
    assert needed is not None
    assert 64 <= needed.low <= needed.high


def test_where_another_filter_may_change_as_many_the_number_is_of_what_tells_the_two_apart() -> None:
    changed = np.array([1.0] * 12 + [0.0] * 52)
    beyond = np.array([1.0] * 10 + [-1.0] * 4 + [0.0] * 50)
    found = row(estimate(0.7, 0.9), None, estimate(-0.05, 0.25))
    told = judged(found, changed, 0.95, beyond=beyond)
    assert told.verdict is ResizeVerdict.UNDECIDED
    assert told.needed is not None
    assert told.needed.low > 64


def test_five_pictures_promise_no_number() -> None:
    assert judged(row(Estimate(0.2, None, 5), None), np.ones(5), 0.95).needed is None


def test_the_rule_fires_from_where_the_verdict_speaks() -> None:
    (rule,) = (rule for rule in load_builtin().rules if rule.name == "resize-aliases")
    assert rule.options["warning"] == CHANGED
    assert rule.options["stability-warning"] == LESS_STABLE
