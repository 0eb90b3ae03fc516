"""AA202 misaligned-join: branches meet whose samples stand for different places of the input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from auditor.findings import Finding, Severity
from auditor.rule import Context, Rule
from auditor.sampling.result import MisalignedJoin

from ._common import node_finding, number


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per join, with the largest offset over its axes."""
    limit = float(context.options["warning"])
    for _, axes in groupby(context.analysis.joins, key=lambda join: join.node.order):
        join = max(axes, key=lambda axis: axis.delta)
        yield node_finding(
            RULE,
            join.node,
            Severity.WARNING if join.delta >= limit else Severity.NOTE,
            _message(join),
            "Give both branches the same centre: the same kernel parity and padding at the strided nodes, or an odd"
            " kernel instead of an even one on one of them. A trained network has adapted to the offset, so fine-tune.",
            {"delta": number(join.delta), "branches": len(join.offsets)},
        )


def _message(join: MisalignedJoin) -> str:
    strides = sorted({abs(stride) for stride in join.strides})
    apart = f"{number(join.delta)} input sample{'' if join.delta == 1 else 's'} apart"
    if len(strides) > 1:
        factors = ", ".join(str(number(stride)) for stride in strides)
        return f"Branches with different subsampling factors ({factors}) meet here; their centres are up to {apart}."
    return f"Branches meet here whose centres are up to {apart}: the same index means different places of the input."


RULE = Rule(
    code="AA202",
    name="misaligned-join",
    summary="Branches meet whose samples have different centres in the input.",
    severities=(Severity.WARNING, Severity.NOTE),
    check=check,
    options={"warning": 1.0},
)
