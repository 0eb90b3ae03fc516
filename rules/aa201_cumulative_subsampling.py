"""AA201 cumulative-subsampling: all strides on the way to an output multiplied exceed a threshold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction
from math import prod

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Rule
from auditor.onnxfile.noderef import NodeRef
from auditor.sampling.result import Analysis, Head

from ._common import node_finding, number, steps

_NAMED = 6  # outputs listed by number in one sentence
_ADVICE = (
    "Put a low-pass in front of each subsampling, or remove strides late in the network, and retrain."
    " Without retraining, averaging the outputs over two diagonal phases of the last strided site is the cheapest gain."
)


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding for all outputs over the threshold that share a factor and a period.

    Where the factor of no output is known, yield one for the whole graph.
    """
    analysis, limit = context.analysis, float(context.options["threshold"])
    alike: dict[tuple[int, Fraction, str], list[int]] = defaultdict(list)
    for index, head in enumerate(analysis.heads):
        if head.subsampling is not None and head.subsampling > limit:
            node = _node(analysis, head.subsampling) or head.cause
            order = -1 if node is None else node.order
            alike[order, head.subsampling, _exact(analysis, head)].append(index)
    for (_, factor, exact), outputs in sorted(alike.items()):
        yield node_finding(
            RULE,
            _node(analysis, factor) or analysis.heads[outputs[0]].cause,
            Severity.WARNING,
            f"{_outputs(outputs, len(analysis.heads))} a cumulative subsampling factor of {number(factor)}: {exact}.",
            _ADVICE,
            {"subsampling": number(factor), "outputs": len(outputs)},
        )
    total = analysis.subsampling
    if total is not None and total > limit and all(head.subsampling is None for head in analysis.heads):
        yield node_finding(
            RULE,
            _node(analysis, total),
            Severity.WARNING,
            f"The grid is subsampled by {number(total)} in all here; how the outputs depend on it is not known.",
            _ADVICE,
            {"subsampling": number(total), "outputs": 0},
        )


def _outputs(indices: list[int], count: int) -> str:
    """The outputs of a finding as the subject of its sentence, counted from 1 in the model's order."""
    if count == 1:
        return "The output has"
    if len(indices) == count:
        return f"All {count} outputs have"
    named = ", ".join(str(index + 1) for index in indices[:_NAMED])
    more = f" and {len(indices) - _NAMED} more" if len(indices) > _NAMED else ""
    return f"Output {named} of {count} has" if len(indices) == 1 else f"Outputs {named}{more} of {count} have"


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
    beyond = False
    for source, period in sorted(head.period.items()):
        periods[analysis.sources[source].input.raw].append(period)
        beyond = beyond or (period is not None and abs(period.numerator) > analysis.sources[source].size)
    exact = [tuple(abs(p.numerator) for p in axes if p is not None) for axes in periods.values() if None not in axes]
    if len(exact) < len(periods):
        return "no shift is exact on every axis, since the grid never returns to the same phase"
    if beyond:
        return "no shift that is smaller than the input is exact on every axis"
    if not exact or all(step == 1 for axes in exact for step in axes):
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
