"""AA910 runtime-crashed: running the model killed onnxruntime or exceeded the limits."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.facts.finding import Finding, Severity
from auditor.facts.rule import Context, Need, Rule

from ._common import node_finding


def check(context: Context) -> Iterator[Finding]:
    """Yield one finding if the model was run and its process did not come to an end by itself."""
    if context.crash:
        yield node_finding(
            RULE,
            None,
            Severity.ERROR,
            f"The model could not be measured: {context.crash}.",
            "Do not deploy a model that ends the process that runs it. Check where it comes from, export it again, and "
            "report the crash to onnxruntime.",
            {},
        )


RULE = Rule(
    code="AA910",
    name="runtime-crashed",
    summary="Running the model killed onnxruntime, or exceeded its limits.",
    severities=(Severity.ERROR,),
    check=check,
    needs=frozenset({Need.MEASUREMENT}),
)
