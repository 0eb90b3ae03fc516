"""``aliasaudit demo``: the audit of the built-in example network."""

from __future__ import annotations

import typer

from auditor.cli import options
from auditor.cli.session import ProgramSession


def demo(
    context: typer.Context,
    output_format: options.OutputFormat = None,
    report: options.Reports = None,
    color: options.Color = "auto",
    verbose: options.Verbose = False,
) -> None:
    """Audit the built-in example, a small trained network.

    It reads handwritten digits. Shows what `aliasaudit check` says about a real model. Settings files are left out,
    and findings do not change the exit code.
    """
    from auditor.audit.run import ModelFile
    from auditor.cli.auditing import Output, run
    from auditor.cli.output import say
    from auditor.cli.reports import report_files
    from auditor.demo import demo_model

    say("auditing the built-in example, a trained network that reads handwritten digits")
    settings = options.settings_from(isolated=True, command_line={"output-format": output_format})
    show = Output(
        color=color,
        verbose=verbose,
        exit_zero=True,
        debug=context.ensure_object(ProgramSession).debug,
        reports=report_files(report),
    )
    code = run([ModelFile(demo_model(), "demo/digits.onnx")], [], settings, show)
    say("next: `aliasaudit check MODEL.onnx` audits a model of yours, `aliasaudit rule AA101` explains a finding")
    raise typer.Exit(code)
