"""``aliasaudit demo``: the audit of the built-in example network."""

from __future__ import annotations

from typing import Annotated

import typer

from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Output, Sources


@flags
def demo(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    output: Annotated[Output, Only("output_format", "report", "color", "verbose")],
) -> None:
    """Audit the built-in example, a small trained network.

    It reads handwritten digits. Shows what `aliasaudit check` says about a real model. Settings files are left out,
    and findings do not change the exit code.
    """
    from auditor.audit.run import ModelFile
    from auditor.cli.auditing import run
    from auditor.cli.output import say
    from auditor.demo import demo_model

    say("auditing the built-in example, a trained network that reads handwritten digits")
    settings = settings_from(Sources(isolated=True), output)
    code = run([ModelFile(demo_model(), "demo/digits.onnx")], [], settings, output.but(exit_zero=True))
    say("next: `aliasaudit check MODEL.onnx` audits a model of yours, `aliasaudit rule AA101` explains a finding")
    raise typer.Exit(code)
