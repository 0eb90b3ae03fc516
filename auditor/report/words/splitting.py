"""What of the change by shifts a repair of the sampling can reach, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.report.words.numbers import number
from auditor.verify.measures import MEASURES
from auditor.verify.result import OutputResult
from auditor.verify.split import LossSplit


def split_lines(output: OutputResult) -> Iterator[str]:
    """The split of each variance, then the ceiling of any repair; nothing where it was not made."""
    for split in output.splits:
        yield _shares(split)
    for split in output.splits[:1]:
        ends = [
            f"{_title(one.measure)} {number(one.aligned, one.unit)} (beside them {number(one.beside, one.unit)})"
            for one in split.ceilings
        ]
        if ends:
            yield f"the ceiling of any repair is what holds at multiples of {split.period} px: {', '.join(ends)}"


def _shares(split: LossSplit) -> str:
    reach = f"{split.period} px" if split.radius == split.period else f"{split.period} to {split.radius} px"
    start = f"of the change ({_title(split.measure)}) at shifts of {reach}"
    span = split.interval
    if span is None:
        return f"{start} no part is told with so few pictures: {100 * split.grid:.0f} % would be the sampling grid's"
    low, high = (100 * min(max(1 - end, 0.0), 1.0) for end in (span.high, span.low))
    if not split.decided:
        return (
            f"{start} between {low:.0f} and {high:.0f} % is the sampling grid's, which a repair can reach, and the "
            "rest border and content: more pictures tell (--images)"
        )
    return (
        f"{start} about {100 * split.grid:.0f} % [{low:.0f}, {high:.0f}] is the sampling grid's, which a repair can "
        f"reach, and {100 - 100 * split.grid:.0f} % border and content"
    )


def _title(measure: str) -> str:
    return MEASURES[measure].heading.removesuffix(", px") if measure in MEASURES else measure  # numbers have their unit
