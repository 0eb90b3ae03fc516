"""The remark of ``check --fix`` on the rewrite that stands between the two models of a comparison. Pure."""

from __future__ import annotations

from auditor.report.repair.outcome import CALIBRATED, NOTICES
from auditor.rewrite.result import Rewritten
from auditor.text import count_text


def remark(done: Rewritten) -> str:
    """What was done and what that means, in our own words: strategy, sites, predicted cost, and the honest notice."""
    where = f"at {count_text(len(done.sites), 'site')}" if done.sites else "at the input"
    left = f", {count_text(len(done.skipped), 'site')} left as before" if done.skipped else ""
    cost = "" if done.flops is None else f", x{done.flops:.3g} multiply-adds (predicted)"
    notice = CALIBRATED if done.calibrated else NOTICES[done.strategy]
    return f"rewritten with {done.strategy.value} {where}{left}{cost}; {notice}"
