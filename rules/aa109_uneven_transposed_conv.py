"""AA109 uneven-transposed-conv: output phases of a transposed convolution receive different numbers of taps."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per transposed convolution with uneven overlap."""
    limit = float(context.options["warning"])
    for up in context.analysis.upsamplings:
        axes = [taps for taps in up.taps if taps]
        fewest, most = prod(min(taps) for taps in axes), prod(max(taps) for taps in axes)
        if fewest == most:
            continue
        yield node_finding(
            RULE,
            up.node,
            Severity.WARNING if most >= limit * fewest else Severity.NOTE,
            f"Between {fewest} and {most} kernel taps reach an output position, depending on its phase:"
            " a checkerboard pattern that stays put when the input moves.",
            "Make the kernel size a multiple of the stride (4 for stride 2), or resize and then convolve. Both need"
            " retraining; a blur behind the node only softens the pattern.",
            {"fewest_taps": fewest, "most_taps": most},
        )


RULE = Rule(
    code="AA109",
    name="uneven-transposed-conv",
    summary="A transposed convolution whose kernel overlaps unevenly draws a checkerboard.",
    severities=(Severity.WARNING, Severity.NOTE),
    check=check,
    options={"warning": 2.0},
)
