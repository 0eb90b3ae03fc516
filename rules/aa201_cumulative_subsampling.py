"""AA201 cumulative-subsampling: all strides on the way to an output multiplied exceed a threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from math import prod

from auditor.findings import Finding, NodeRef, Severity
from auditor.rule import Context, Rule
from auditor.sampling.result import Analysis, Head

from ._common import node_finding, number, steps

_ADVICE = (
    "Put a low-pass in front of each subsampling, or remove strides late in the network, and retrain."
    " Without retraining, averaging the outputs over two diagonal phases of the last strided site is the cheapest gain."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per graph output over the threshold; one in all where no output's factor is known."""
    analysis, limit = context.analysis, float(context.options["threshold"])
    known = [(index, head) for index, head in enumerate(analysis.heads) if head.subsampling is not None]
    for index, head in known:
        factor = head.subsampling
        if factor is None or factor <= limit:
            continue
        which = f"Output {index + 1} of {len(analysis.heads)}" if len(analysis.heads) > 1 else "The output"
        yield node_finding(
            RULE,
            _node(analysis, factor) or head.cause,
            Severity.WARNING,
            f"{which} has a cumulative subsampling factor of {number(factor)}: {_exact(analysis, head)}.",
            _ADVICE,
            {"subsampling": number(factor), "output": index},
        )
    total = analysis.subsampling
    if not known and total is not None and total > limit:
        yield node_finding(
            RULE,
            _node(analysis, total),
            Severity.WARNING,
            f"The grid is subsampled by {number(total)} in all here; how the outputs depend on it is not known.",
            _ADVICE,
            {"subsampling": number(total)},
        )


def _node(analysis: Analysis, factor: Fraction) -> NodeRef | None:
    """The last site that brings the grid to this factor."""
    reaching = [site for site in analysis.sites if any(c is not None and abs(c) == factor for c in site.cumulative)]
    return reaching[-1].node if reaching else None


def _exact(analysis: Analysis, head: Head) -> str:
    """Which integer shifts leave the output exact: those by whole periods, 1 in S^2 (S^d on d axes).

    A period p/q in lowest terms is met by integer shifts at multiples of p only. Several inputs shift independently;
    the one with the rarest exact shifts is named.
    """
    periods: dict[str, list[Fraction | None]] = defaultdict(list)
    for source, period in sorted(head.period.items()):
        periods[analysis.sources[source].input.raw].append(period)
    exact = [tuple(abs(p.numerator) for p in axes if p is not None) for axes in periods.values() if None not in axes]
    if len(exact) < len(periods):
        return "no shift is exact on every axis, since the grid never returns to the same phase"
    if not exact:
        return "equivariance is exact only for whole multiples of it"
    axes = max(exact, key=prod)
    power = f" ({steps(axes)}^{len(axes)})" if len(axes) > 1 and len(set(axes)) == 1 else ""
    unit = "px" if len(axes) == 2 else "samples"
    return f"exact equivariance only for multiples of {steps(axes)} {unit}, 1 in {number(prod(axes))}{power} shifts"


RULE = Rule(
    code="AA201",
    name="cumulative-subsampling",
    summary="All strides to an output multiplied exceed a threshold.",
    severities=(Severity.WARNING,),
    check=check,
    options={"threshold": 16},
)
