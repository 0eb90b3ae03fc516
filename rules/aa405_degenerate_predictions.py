"""AA405 degenerate-predictions: nearly all images get the same class, so the preprocessing is wrong."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.findings import Finding, Severity
from auditor.rule import Context, Need, Rule

from ._common import node_finding, percent


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding per classifier output that nearly always gives the same class."""
    for output in context.verification.outputs if context.verification is not None else ():
        images = sum(count for _, count in output.predictions)
        if images < int(context.options["images"]):
            continue
        label, most = output.predictions[0]
        if most / images >= float(context.options["share"]):
            yield node_finding(
                RULE,
                None,
                Severity.ERROR,
                f"{percent(most / images)} of {images} images get class {label}: the model does not see what it was "
                "trained on, and its consistency says nothing.",
                "Check --preset, --mean, --std, --channels (RGB or BGR) and --layout against the training code. If the "
                "images really are of one class, raise the option share.",
                {"class": label, "share": round(most / images, 4), "images": images},
            )


RULE = Rule(
    code="AA405",
    name="degenerate-predictions",
    summary="Nearly all images get the same class: the preprocessing is wrong.",
    severities=(Severity.ERROR,),
    check=check,
    options={"share": 0.9, "images": 16},
    needs=frozenset({Need.MEASUREMENT}),
)
