"""AA301 size-dependent-padding: the phase that a strided node keeps depends on the size of the input."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule

from ._common import node_finding, number


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per strided node whose padding, and so its phase, follows the input size."""
    for _, axes in groupby(context.analysis.paddings, key=lambda padding: padding.node.order):
        padding = max(axes, key=lambda axis: max(axis.offsets, default=0) - min(axis.offsets, default=0))
        spread = max(padding.offsets, default=0) - min(padding.offsets, default=0)
        moves = f"by up to {number(spread)} of its input samples" if spread else "by an amount that is not known"
        yield node_finding(
            RULE,
            padding.node,
            Severity.WARNING,
            f"The padding depends on the input size, and with it the phase that is kept: the grid moves {moves} between"
            " inputs of different size.",
            "Write explicit pads (auto_pad=NOTSET) for the size that the model was trained at, or fix the input size at"
            " export.",
            {"phases": len(padding.offsets), "spread": number(spread)},
        )


RULE = Rule(
    code="AA301",
    name="size-dependent-padding",
    summary="SAME padding that follows the input size moves the sampling grid.",
    severities=(Severity.WARNING,),
    check=check,
)
