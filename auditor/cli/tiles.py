"""``aliasaudit tiles``: on which grid tiles of a large picture lie, how far they overlap, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Output, Sources
from auditor.options.kinds import choice
from auditor.options.measuring import Measuring
from auditor.options.reports import reports
from auditor.options.tiling import Tiling
from auditor.tiling.options import SHARED

if TYPE_CHECKING:
    from auditor.audit.run import ModelFile
    from auditor.audit.tiling import MeasureSeams
    from auditor.facts.tiling import TilesReport
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.tiling.result import TilePlan

FORMATS = ("text", "json", "markdown")


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
            kinds={"output_format": choice("FORMAT", FORMATS), "report": reports("FORMAT=FILE", FORMATS)},
        ),
    ],
    sources: Annotated[Sources, Only("config", "isolated")],
) -> None:
    """Plan the tiles of a picture that is too large for one call of the model.

    Grid, receptive field, halo and overlap follow from the graph; so does what makes tiles differ from the whole
    picture whatever the overlap. Memory is an estimate from shapes. --verify runs tiles and the whole picture, and
    measures the difference.

    Exit codes: 0 exact tiles are advised, 1 no tile gives what the whole picture gives, or none fits, 2 usage, settings
    or internal error, 3 the model has no map or could not be measured, 130 interrupted.
    """
    from auditor.audit.tiling import audit_tiles
    from auditor.cli.single import one_model, show
    from auditor.report.tiles import render_tiles
    from auditor.tiling.plan import TileRequest, TileSizeError

    settings = settings_from(sources, input_shapes, output, measuring)
    if settings.output_format.value not in FORMATS:  # of the environment
        raise UsageError(f"tiles writes {', '.join(FORMATS)}, not {settings.output_format.value}")
    with one_model(model, "tiles", settings, output) as file:
        measure = _measured(file, settings, tiling, output) if tiling.verify else None
        try:
            report = audit_tiles(file, TileRequest(tiling.memory, tiling.tile), settings, measure, output.debug)
        except TileSizeError as error:
            raise UsageError(str(error)) from error
    show(lambda wanted, options: render_tiles(report, wanted, options), report.problems, settings, output)
    raise typer.Exit(_code(report, output.exit_zero))


def _measured(file: ModelFile, settings: Settings, tiling: Tiling, output: Output) -> MeasureSeams:
    """The function that runs tiles of the model.

    Raises:
        SettingsError: an option is not valid, or a settings file turns on what only the command line may.
        UsageError: an option of this command is not valid.
    """
    from auditor.audit.run import project_path
    from auditor.cli.measuring import say_of_clash, trusted_values, watched
    from auditor.cli.single import requested
    from auditor.tiling.options import seam_request
    from auditor.tiling.seams import measure_seams

    values = trusted_values(settings, project_path(file, settings.root))
    request = requested(lambda: seam_request(values, tiling.tolerance))
    say_of_clash(output)

    def measure(model: Model, plan: TilePlan) -> TilePlan:
        seams = request()
        with watched(output) as observer:
            return measure_seams(model, plan, seams, observer)

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
