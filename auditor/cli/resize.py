"""``aliasaudit resize``: which resize in front of a model harms, and how much."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Output, Policy, Selection, Sources
from auditor.options.kinds import choice
from auditor.options.measuring import Measuring
from auditor.options.reports import reports
from auditor.options.resizing import ResizeOptions
from auditor.resizing.options import SHARED

if TYPE_CHECKING:
    from auditor.audit.resize import CompareKernels
    from auditor.audit.run import ModelFile
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.resizing.result import ResizeComparison
    from auditor.sampling.result import Analysis

RESIZE_RULES = ("AA406",)
FORMATS = ("text", "json", "markdown", "html")


@flags
def resize(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or - for standard input.")],
    resizing: ResizeOptions,
    measuring: Annotated[Measuring, Only(*SHARED)],
    selection: Annotated[Selection, Only("select", "ignore")],
    policy: Annotated[Policy, Only("fail_on")],
    output: Annotated[
        Output,
        Only(
            "output_format",
            "exit_zero",
            "output",
            "report",
            "quiet",
            "markdown_limit",
            "color",
            "no_progress",
            kinds={"output_format": choice("FORMAT", FORMATS), "report": reports("FORMAT=FILE", FORMATS)},
        ),
    ],
    sources: Annotated[Sources, Only("config", "isolated")],
) -> None:
    """Compare resize kernels in front of a model, on your own pictures.

    Pictures are shrunk by each kernel as your pipeline does it, and once more after they moved by one of their own
    pixels. The model itself stays as it is: a kernel with a low-pass is the cheapest repair there is.

    Exit codes: 0 clean, 1 the deployed kernel harms at or above --fail-on, 2 usage, settings or internal error, 3
    nothing could be measured (no usable picture, none is shrunk, the model crashed), 130 interrupted.
    """
    from auditor.audit.resize import audit_resize
    from auditor.audit.run import load_rules
    from auditor.cli.auditing import read_baseline
    from auditor.cli.single import one_model, show
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.verdict import ExitCode, verdict
    from auditor.report.resize import render_resize

    settings = settings_from(sources, selection, policy, output, measuring)
    if settings.select is None:
        settings = replace(settings, select=tuple(Selector(text, DEFAULT) for text in RESIZE_RULES))
    if settings.output_format.value not in FORMATS:  # of the environment
        raise UsageError(f"resize writes {', '.join(FORMATS)}, not {settings.output_format.value}")
    with one_model(model, "resize", settings, output) as file:
        rules, baseline = load_rules(settings), read_baseline(settings)
        compare = _compared(file, settings, resizing, output)
        outcome = audit_resize(file, rules, settings, compare, baseline, output.debug)
    report = outcome.report
    show(lambda wanted, options: render_resize(report, wanted, options), report.problems, settings, output)
    found = report.comparison
    if found is not None and found.incomplete.startswith("interrupted"):
        raise typer.Exit(ExitCode.INTERRUPTED)
    raise typer.Exit(verdict(outcome.judged, settings.fail_on, output.exit_zero))


def _compared(file: ModelFile, settings: Settings, resizing: ResizeOptions, output: Output) -> CompareKernels:
    """The function that runs the model behind the kernels that the options name.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
        UsageError: an option of this command is not valid.
    """
    from auditor.audit.run import project_path
    from auditor.cli.measuring import say_of_clash, trusted_values, watched
    from auditor.cli.single import requested
    from auditor.resizing.options import resize_request
    from auditor.resizing.run import compare_kernels

    values = trusted_values(settings, project_path(file, settings.root))
    allowed = {declared.key for name, declared in Measuring.options.items() if name in SHARED}
    values = {name: value for name, value in values.items() if name in allowed}
    request = requested(lambda: resize_request(values, resizing))
    say_of_clash(output)

    def compare(file: ModelFile, model: Model, analysis: Analysis) -> ResizeComparison:
        kernels = request()
        with watched(output) as observer:
            return compare_kernels(model, kernels, file.name, analysis, observer)

    return compare
