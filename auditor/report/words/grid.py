"""What the grid of a model means, in a sentence: which shifts it leaves exact, or why that is open."""

from __future__ import annotations

from fractions import Fraction
from math import lcm, prod

from auditor.facts.report import ModelReport
from auditor.onnxfile.graph import ModelFormat
from auditor.report.words.geometry import centres, coverage
from auditor.report.words.numbers import axes_text, factor_text
from auditor.sampling.result import Analysis, HeadKind
from auditor.text import count_text


def subsampling(model: ModelReport) -> str:
    """What the grid of a model means and where outputs lie on it, or why nothing is known of it."""
    if model.format is not ModelFormat.ONNX:
        return f"No static audit: {model.format.value} files are run, not read."
    analysis = model.analysis
    return " ".join(filter(None, (meaning(analysis), coverage(analysis), *centres(analysis))))


def meaning(analysis: Analysis) -> str:
    """One sentence on the largest cumulative factor of a model: what shifts it leaves exact, or why that is open."""
    total, open_ends = analysis.subsampling, _open_ends(analysis)
    if total is None or total <= 1:
        if open_ends:
            return f"How much the input grid is subsampled is not known: {open_ends}."
        if total is None:
            return "No subsampling of an input grid was found."
        return "The input grid is not subsampled: the cumulative factor is 1."
    start = f"Cumulative subsampling {factor_text(total)}"
    if open_ends:
        start += f" at least ({open_ends})"
    exact = _exact_shifts(analysis)
    if exact is None:
        return f"{start}."
    sizes = [analysis.sources[source].size for source in exact]
    steps = [*exact.values()]
    if 0 in steps:
        return f"{start}: no shift of the input brings the grid back to the same phase."
    if any(step > size for step, size in zip(steps, sizes, strict=True)):
        return f"{start}: no shift that is smaller than the input brings the grid back to the same phase."
    if set(steps) == {1}:
        return f"{start}." if open_ends else f"{start}, on no path to an output: the outputs follow every whole shift."
    multiples, share = axes_text(map(Fraction, steps)), factor_text(Fraction(prod(steps)))
    exactly = f"shift-equivariance can be exact only for multiples of {multiples} input samples"
    return f"{start}: {exactly}, 1 in {share} shifts."


def _open_ends(analysis: Analysis) -> str:
    """Why the largest factor may be larger than the known one; empty where it is not."""
    unknown = sum(all(factor is None for factor in site.cumulative) for site in analysis.sites)
    reasons = []
    if analysis.untracked or any(head.kind is HeadKind.UNTRACKED for head in analysis.heads):
        reasons.append(f"the analysis lost the grid at {count_text(max(len(analysis.untracked), 1), 'place')}")
    if unknown:
        reasons.append(f"the total at {count_text(unknown, 'site')} is open")
    return ", and ".join(reasons)


def _exact_shifts(analysis: Analysis) -> dict[int, int] | None:
    """Per source axis of an input, the integer shifts that every output's grid follows exactly; 0: none.

    None: not known.
    """
    steps: dict[int, int] = {}
    for head in analysis.heads:
        for source, period in head.period.items():
            # A period p/q in lowest terms is met by integer shifts at the multiples of p.
            steps[source] = lcm(steps.get(source, 1), 0 if period is None else period.numerator)
    if not steps:
        return None
    first = analysis.sources[min(steps)].input
    return {source: step for source, step in sorted(steps.items()) if analysis.sources[source].input == first}
