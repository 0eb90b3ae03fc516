"""What a measurement says in one sentence, and what stands behind it in a second one: for the top of a page."""

from __future__ import annotations

import math
from collections.abc import Iterator

from auditor.report.words.numbers import number
from auditor.report.words.sentence import Sentence
from auditor.text import count_text
from auditor.verify.measures import MEASURES
from auditor.verify.measures.facts import Gate
from auditor.verify.result import Measure, OutputResult, Task, Verification
from auditor.verify.statistics import FEW_IMAGES

_THINGS = {Task.CLASSIFICATION: "answers", Task.TEXT: "lines of text", Task.EMBEDDING: "embeddings"}
# Shares of what changes, and what that is; and how far something moves.
_CHANGES = {"massc": "positions", "text-changes": "lines of text", "value-consistency": "numbers"}
_MOVES = {
    "keypoint-jitter": ("joints move by", ""),
    "equivariance-error": ("the output differs by", " of its own size"),
    "value-change": ("the numbers change by", ""),
}
_SCORES = {
    "mac": "the winning score",
    "score-deviation": "the score of a box",
}


def headline_measure(found: Verification) -> Measure | None:
    """The measure that stands for all of them at the top of a page."""
    named = (found.measure(facts.name) for facts in MEASURES.values() if facts.gate is not Gate.NONE)
    return next((one for one in named if one is not None and math.isfinite(one.value)), None)


def sentence(found: Verification) -> Sentence | None:
    """What happens to somebody whose picture moves; None where nothing was measured that can be said so."""
    output = next(iter(found.outputs), None)
    measure = headline_measure(found)
    if output is None or measure is None or found.incomplete:
        return None
    if output.task is Task.DETECTION:
        return _boxes(output, measure)
    if measure.name == "consistency":
        return _answers(output, measure)
    value = number(measure.value, measure.unit)
    if measure.name in _MOVES:
        start, end = _MOVES[measure.name]
        return Sentence(f"Shift the picture and {start} ", value, f"{end}.")
    if measure.name in _CHANGES:
        things, share = _CHANGES[measure.name], 1 - measure.value if measure.higher_is_better else measure.value
        if not share:
            return Sentence(f"None of the {things} changed ", "", "at any shift tried.")
        return Sentence("Shift the picture and ", f"{_of_100(share)} of 100", f" {things} change.")
    facts = MEASURES[measure.name]
    return Sentence("Shift the picture: ", f"{facts.name} {value}", f" ({facts.meaning}).")


def _answers(output: OutputResult, measure: Measure) -> Sentence:
    things = _THINGS.get(output.task, "answers")
    if measure.value == 1:
        return Sentence(f"No {things[:-1] if things.endswith('s') else things} changed ", "", "at any shift tried.")
    start = Sentence("Shift the picture and ", f"{_of_100(1 - measure.value)} of 100", f" {things} change.")
    near = output.measure("top1-change")
    if near is not None and near.value > 0:
        return start._replace(end=f"{start.end} One pixel can be enough.")
    return start


def _boxes(output: OutputResult, measure: Measure) -> Sentence:
    flicker = output.measure("flicker")
    if flicker is not None and flicker.value > 0:
        return Sentence("Shift the picture and ", f"{_of_100(flicker.value)} of 100", " boxes come or go.")
    if flicker is not None and flicker.value == 0 and measure.unit == "px":
        return Sentence("No box came or went; their centres ", f"move by {number(measure.value, 'px')}", ".")
    return Sentence("Shift the picture: ", f"{measure.name} {number(measure.value, measure.unit)}", ".")


def _of_100(share: float) -> str:
    """A share as so many of a hundred, never 0 or 100 where it is neither."""
    return str(min(max(round(100 * share), 1), 99)) if 0 < share < 1 else f"{100 * share:.0f}"


def lead(found: Verification) -> Iterator[str]:
    """How far the scores move, and how sure the numbers are, in sentences."""
    reach = f"up to {found.shifts.radius} px"
    for name, thing in _SCORES.items():
        measure = found.measure(name)
        if measure is not None and math.isfinite(measure.value):
            span = measure.interval
            ends = f" ({number(span.low, measure.unit)} to {number(span.high, measure.unit)})" if span else ""
            moved = number(measure.value, measure.unit)
            yield f"Between two shifts of {reach} {thing} moves by {moved} on average{ends}."
    measure = headline_measure(found)
    images = found.data.images if measure is None else measure.images
    if images < FEW_IMAGES:
        all_images = count_text(found.data.images, "image")
        rests = f"{images} of {all_images}" if images < found.data.images else all_images
        yield f"These numbers rest on {rests}, so intervals are wide; {FEW_IMAGES} or more would narrow them."
