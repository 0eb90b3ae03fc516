"""AA202 misaligned-join: branches meet whose samples stand for different places of the input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.sampling.result import MisalignedJoin

from ._common import number


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per join, with the largest offset over its axes."""
    limit = float(context.options["warning"])
    for _, axes in groupby(context.analysis.joins, key=lambda join: join.node.order):
        join = max(axes, key=lambda axis: axis.delta)
        yield Finding(
            rule=RULE.code,
            name=RULE.name,
            severity=Severity.WARNING if join.delta >= limit else Severity.NOTE,
            message=_message(join),
            advice=_advice(join),
            node=join.node,
            related=() if join.resize is None else (join.resize,),
            numbers={"delta": number(join.delta), "branches": len(join.offsets)},
        )


def _advice(join: MisalignedJoin) -> str:
    if join.resize is None:
        cure = (
            "Give both branches the same centre: the same kernel parity and padding at the strided nodes, or an odd"
            " kernel instead of an even one on one of them."
        )
    elif join.coordinates == "half_pixel":
        cure = (
            "The Resize on one branch moves its samples: linear mode with half_pixel coordinates (align_corners=False)"
            " would keep them in place."
        )
    else:
        cure = (
            "The Resize on one branch centres its samples between pixels, while the strides in front of it keep every"
            " other one: linear mode with asymmetric coordinates would put them back in their places, and so would even"
            " kernels at those strides."
        )
    return f"{cure} A trained network has adapted to the offset, so fine-tune."


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
