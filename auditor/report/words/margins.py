"""How near answers lie to where another answer begins, in words."""

from __future__ import annotations

from auditor.text import count_text
from auditor.verify.margin import Margin


def margin_line(found: Margin, over: str = "shifts") -> str:
    """How many answers lie within their own jitter, how many cross, and which two thresholds would stop that."""
    boxes = found.of == "score"
    answers = count_text(found.answers, "box", "boxes") if boxes else count_text(found.answers, "answer")
    where = f"of the threshold {found.threshold:g}" if boxes else "of another class"
    words = f"{found.near} of {answers} within their own jitter {where} (median {found.jitter:.3f})"
    if not found.crossings:
        return f"{words}; {over} take none of them across"
    words = f"{words}; {count_text(found.crossings, 'crossing')}"
    if found.low is None or found.high is None:
        return f"{words}, and no two thresholds would stop 95 % of them"
    stops = f"would stop {found.stopped} of {found.crossings}"
    if boxes:
        return f"{words}: to come at {found.high:.2f} and to go below {found.low:.2f} {stops}"
    return f"{words}: to change the class only for one that leads by {found.high:.2f} {stops}"
