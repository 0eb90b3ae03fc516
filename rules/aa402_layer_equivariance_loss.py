"""AA402 layer-equivariance-loss: the features behind a sampling site do not move with the input."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per layer that adds much error, in graph order."""
    for layer in context.verification.layers if context.verification is not None else ():
        if layer.added >= float(context.options["warning"]):
            severity = Severity.WARNING
        elif layer.added >= float(context.options["note"]):
            severity = Severity.NOTE
        else:
            continue
        yield node_finding(
            RULE,
            layer.node,
            severity,
            f"After a shift of the input is undone, the features differ by {layer.error:.2f} of their size (cosine "
            f"{layer.cosine:.3f}), {layer.added:.2f} more than in front of this layer.",
            "Blur in front of this subsampling, or average its phases; the later the site, the cheaper the average.",
            {"added": round(layer.added, 4), "error": round(layer.error, 4), "cosine": round(layer.cosine, 4)},
        )


RULE = Rule(
    code="AA402",
    name="layer-equivariance-loss",
    summary="The features behind a sampling site do not move with the input.",
    severities=(Severity.WARNING, Severity.NOTE),
    check=check,
    options={"warning": 0.2, "note": 0.1},
    needs=frozenset({Need.MEASUREMENT}),
)
