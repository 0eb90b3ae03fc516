"""``aliasaudit tiles``: on which grid tiles of a large picture lie, how far they overlap, and what that costs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Output, Sources
from auditor.options.measuring import Measuring
from auditor.options.tiling import Tiling
from auditor.tiling.options import SHARED

if TYPE_CHECKING:
    from auditor.audit.run import ModelFile
    from auditor.audit.tiling import MeasureSeams
    from auditor.facts.tiling import TilesReport
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.tiling.result import TilePlan


@flags
def tiles(
    context: typer.Context,  # noqa: ARG001 - says whether to show tracebacks
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file, or - for standard input.")],
    tiling: Tiling,
    input_shapes: InputShapes,
    measuring: Annotated[Measuring, Only(*SHARED)],
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
        ),
    ],
    sources: Annotated[Sources, Only("config", "isolated")],
) -> None:
    """Plan the tiles of a picture that is too large for one call of the model.

    Grid, receptive field, halo and overlap follow from the graph; so does what makes tiles differ from the whole
    picture whatever the overlap. Memory is an estimate from shapes. --verify runs tiles and the whole picture, and
    measures the difference. Formats: text, json, markdown.

    Exit codes: 0 exact tiles are advised, 1 no tile gives what the whole picture gives, or none fits, 2 usage, settings
    or internal error, 3 the model has no map or could not be measured, 130 interrupted.
    """
    from auditor.audit.tiling import audit_tiles
    from auditor.cli.auditing import fit_input_shapes
    from auditor.cli.inputs import gathered
    from auditor.cli.output import refuse_overwriting
    from auditor.cli.reports import refuse_models
    from auditor.facts.formats import Format
    from auditor.report.tiles import FORMATS
    from auditor.tiling.plan import TileRequest, TileSizeError

    settings = settings_from(sources, input_shapes, output, measuring)
    for wanted in (settings.output_format, *(Format(file.format) for file in output.report)):
        if wanted not in FORMATS:
            raise UsageError(f"tiles writes {', '.join(one.value for one in FORMATS)}, not {wanted.value}")
    with gathered([model], settings.limits.max_file_bytes) as (files, _):
        if len(files) != 1:
            raise UsageError(f"{model}: tiles looks at one model at a time; name a file")
        (file,) = files
        if output.output is not None:
            refuse_overwriting(output.output, [file.path])
        refuse_models(output.report, [file.path])
        fit_input_shapes(files, settings, output.quiet)
        measure = _measured(file, settings, tiling, output) if tiling.verify else None
        try:
            report = audit_tiles(file, TileRequest(tiling.memory, tiling.tile), settings, measure, output.debug)
        except TileSizeError as error:
            raise UsageError(str(error)) from error
    _show(report, settings, output)
    raise typer.Exit(_code(report, output.exit_zero))


def _measured(file: ModelFile, settings: Settings, tiling: Tiling, output: Output) -> MeasureSeams:
    """The function that runs tiles of the model.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
        UsageError: an option of this command is not valid.
    """
    from auditor.audit.run import project_path
    from auditor.cli.measuring import trusted_values, watched
    from auditor.tiling.options import seam_request
    from auditor.tiling.seams import measure_seams
    from auditor.verify.errors import DataError

    values = trusted_values(settings, project_path(file, settings.root))
    refused: DataError | None = None
    try:
        request = seam_request(values, tiling.tolerance)
    except DataError as error:
        refused = error
    except ValueError as error:
        raise UsageError(f"--{error}") from error

    def measure(model: Model, plan: TilePlan) -> TilePlan:
        if refused is not None:
            raise refused
        with watched(output) as observer:
            return measure_seams(model, plan, request, observer)

    return measure


def _code(report: TilesReport, exit_zero: bool) -> int:
    from auditor.facts.report import ProblemKind
    from auditor.policy.verdict import ExitCode

    if report.problems:
        fault = any(problem.kind is ProblemKind.INTERNAL for problem in report.problems)
        return ExitCode.ERROR if fault else ExitCode.INCOMPLETE
    plan = report.plan
    good = plan is not None and plan.exact and plan.advised is not None
    return ExitCode.CLEAN if good or exit_zero else ExitCode.FINDINGS


def _show(report: TilesReport, settings: Settings, output: Output) -> None:
    from auditor.cli.output import deliver, render_options, say_problems
    from auditor.cli.reports import write_each
    from auditor.facts.formats import Format
    from auditor.report.tiles import render_tiles

    options = render_options(output.color, output.output is not None, output.quiet, False, False)
    options = replace(options, max_bytes=output.markdown_limit)
    write_each(output.report, options, lambda wanted, plain: render_tiles(report, wanted, plain))
    deliver(render_tiles(report, settings.output_format, options), output.output, output.quiet)
    if output.output is not None or settings.output_format is not Format.TEXT:
        say_problems(report.problems)
