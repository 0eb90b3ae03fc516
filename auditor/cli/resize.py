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
    from auditor.facts.resizing import ResizeReport
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
    from auditor.cli.auditing import fit_input_shapes, read_baseline
    from auditor.cli.inputs import gathered
    from auditor.cli.output import refuse_overwriting
    from auditor.cli.reports import refuse_models
    from auditor.policy.settings import DEFAULT, Selector
    from auditor.policy.verdict import ExitCode, verdict

    settings = settings_from(sources, selection, policy, output, measuring)
    if settings.select is None:
        settings = replace(settings, select=tuple(Selector(text, DEFAULT) for text in RESIZE_RULES))
    if settings.output_format.value not in FORMATS:  # of the environment
        raise UsageError(f"resize writes {', '.join(FORMATS)}, not {settings.output_format.value}")
    with gathered([model], settings.limits.max_file_bytes) as (files, _):
        if len(files) != 1:
            raise UsageError(f"{model}: resize looks at one model at a time; name a file")
        (file,) = files
        if output.output is not None:
            refuse_overwriting(output.output, [file.path])
        refuse_models(output.report, [file.path])
        rules, baseline = load_rules(settings), read_baseline(settings)
        fit_input_shapes(files, settings, output.quiet)
        compare = _compared(file, settings, resizing, output)
        outcome = audit_resize(file, rules, settings, compare, baseline, output.debug)
    _show(outcome.report, settings, output)
    found = outcome.report.comparison
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
    from auditor.cli.measuring import trusted_values, watched
    from auditor.cli.output import say
    from auditor.resizing.options import resize_request
    from auditor.resizing.run import compare_kernels
    from auditor.verify.errors import DataError
    from auditor.verify.worker.providers import installed_clash

    values = trusted_values(settings, project_path(file, settings.root))
    allowed = {declared.key for name, declared in Measuring.options.items() if name in SHARED}
    values = {name: value for name, value in values.items() if name in allowed}
    refused: DataError | None = None
    try:
        request = resize_request(values, resizing)
    except DataError as error:
        refused = error
    except ValueError as error:
        raise UsageError(f"--{error}") from error
    clash = installed_clash()
    if clash and not output.quiet:
        say(clash)

    def compare(file: ModelFile, model: Model, analysis: Analysis) -> ResizeComparison:
        if refused is not None:
            raise refused
        with watched(output) as observer:
            return compare_kernels(model, request, file.name, analysis, observer)

    return compare


def _show(report: ResizeReport, settings: Settings, output: Output) -> None:
    from auditor.cli.output import deliver, render_options, say_problems
    from auditor.cli.reports import write_each
    from auditor.facts.formats import Format
    from auditor.report.resize import render_resize

    options = render_options(output.color, output.output is not None, output.quiet, False, False)
    options = replace(options, max_bytes=output.markdown_limit)
    write_each(output.report, options, lambda wanted, plain: render_resize(report, wanted, plain))
    deliver(render_resize(report, settings.output_format, options), output.output, output.quiet)
    if output.output is not None or settings.output_format is not Format.TEXT:
        say_problems(report.problems)
