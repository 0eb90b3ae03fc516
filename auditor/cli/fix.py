"""``aliasaudit fix``: rewrite a model so that it samples properly, and say what that does to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli import measuring_options, options, repair_options
from auditor.cli.errors import UsageError
from auditor.cli.panels import Panel, option

if TYPE_CHECKING:
    from auditor.cli.auditing import Output
    from auditor.cli.repair_options import RepairRequest
    from auditor.policy.settings import Settings
    from auditor.repair.original import Original
    from auditor.repair.result import Staged

_FORMATS = ("text", "json")


def fix(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    target: Annotated[
        str | None, option(Panel.REWRITE, "--output", "-o", metavar="FILE", text="Write the rewritten model here.")
    ] = None,
    strategy: repair_options.Strategy = None,
    site: repair_options.Sites = None,
    kernel: repair_options.Kernel = None,
    where: repair_options.Where = None,
    padding: repair_options.Padding = None,
    blend: repair_options.Blend = None,
    phases: repair_options.Phases = None,
    lowering: repair_options.Lowering = None,
    margin: repair_options.Margin = None,
    calibrate: repair_options.Calibrate = None,
    calibrate_images: repair_options.CalibrateImages = None,
    refit: repair_options.Refit = None,
    verify: Annotated[
        bool,
        option(Panel.MEASURING, "--verify", text="Measure both models before the new one is kept."),
    ] = False,
    require_gain: repair_options.RequireGain = False,
    max_cost: repair_options.MaxCost = None,
    max_drop: repair_options.MaxDrop = None,
    state: repair_options.State = None,
    plot: repair_options.Plot = None,
    images: measuring_options.Images = None,
    labels: measuring_options.Labels = None,
    images_limit: measuring_options.ImagesLimit = None,
    preset: measuring_options.Preset = None,
    image_input: measuring_options.ImageInput = None,
    measured_task: measuring_options.TaskName = None,
    measured_output: measuring_options.MeasuredOutput = None,
    device: measuring_options.Device = None,
    plan: Annotated[
        bool, option(Panel.REWRITE, "--plan", text="Show what applies at each site, and its cost.")
    ] = False,
    recipe: Annotated[
        bool, option(Panel.REWRITE, "--recipe", text="Print the matching PyTorch edits instead.")
    ] = False,
    diff: Annotated[bool, option(Panel.REPORT, "--diff", text="List every node that is added or edited.")] = False,
    dry_run: Annotated[bool, option(Panel.REWRITE, "--dry-run", text="Write no model.")] = False,
    unsafe_fixes: repair_options.UnsafeFixes = False,
    in_place: Annotated[
        bool, option(Panel.REWRITE, "--in-place", text="Replace the model; the old one becomes FILE.bak.")
    ] = False,
    inline: repair_options.Inline = False,
    input_shape: options.InputShape = None,
    output_format: Annotated[
        str | None,
        option(Panel.REPORT, "--output-format", metavar="text|json", text="Format of the report. [default: text]"),
    ] = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    no_progress: options.NoProgress = False,
) -> None:
    """Rewrite an ONNX model so that it samples properly.

    Keeps inputs, outputs, weights, metadata and the centre of every lattice, and edits nothing but the nodes at the
    sampling sites. A rewrite that changes what the network computes needs --strategy or --unsafe-fixes.

    With --verify both models run on the same images and shifts, and the difference is stated before the file appears.
    --strategy auto tries several rewrites that way and keeps the best within --max-cost and --max-drop, or none.

    Exit codes: 0 written (or planned), 1 nothing could be rewritten or nothing gained, 2 usage, settings or internal
    error, 3 the model could not be read or nothing that it answers can be measured, 130 interrupted.
    """
    from auditor.audit.run import ModelFile
    from auditor.cli.auditing import Output, fit_input_shapes
    from auditor.cli.output import say
    from auditor.onnxfile import ModelFileError
    from auditor.policy.verdict import ExitCode
    from auditor.repair.original import opened
    from auditor.rewrite.result import RewriteError
    from auditor.verify.errors import NothingMeasuredError, VerifyError

    settings = options.settings_from(
        config,
        isolated,
        False,
        {
            "output-format": output_format,
            "input-shapes": options.shapes(input_shape),
            "verify": options.given(
                {
                    "images": images,
                    "labels": labels,
                    "images-limit": images_limit,
                    "preset": preset,
                    "image-input": image_input,
                    "task": measured_task,
                    "measured-output": measured_output,
                    "device": device,
                }
            ),
        },
    )
    if output_format is not None and output_format not in _FORMATS:
        raise UsageError(f"--output-format must be one of {', '.join(_FORMATS)}")
    wanted = repair_options.read(
        repair_options.RepairFlags(
            strategy=strategy,
            sites=tuple(site or ()),
            kernel=kernel,
            where=where,
            padding=padding,
            blend=blend,
            phases=phases,
            lowering=lowering,
            margin=margin,
            calibrate=calibrate,
            calibrate_images=calibrate_images,
            refit=refit,
            require_gain=require_gain,
            max_cost=max_cost,
            max_drop=max_drop,
            state=state,
            plot=plot,
            unsafe_fixes=unsafe_fixes,
        ),
        settings,
    )
    if in_place and target is not None:
        raise UsageError("--in-place replaces the model itself, so it cannot go with --output")
    output = Path(model) if in_place else Path(target) if target is not None else None
    if output is None and (wanted.auto or wanted.method) and not plan and not dry_run and not recipe:
        raise UsageError("say where to write with --output FILE or --in-place, or give --plan or --dry-run")
    task = _Task(model, wanted, settings, Output(progress=not no_progress))
    measured = verify or require_gain or images is not None
    goal = None if dry_run else output
    fit_input_shapes([ModelFile(Path(model), model)], settings)
    try:
        with opened(Path(model), settings, goal, in_place=in_place, inline=inline) as original:
            if recipe:
                code = _recipe(task, original)
            elif plan or not (wanted.auto or wanted.method):
                code = _plan(task, original, held_back=not plan)
            else:
                code = _repair(task, original, measured, diff)
    except ModelFileError as error:
        say(f"{model}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except NothingMeasuredError as error:
        say(f"{model}: {error}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except (RewriteError, VerifyError) as error:
        raise UsageError(f"{model}: {error}") from error
    raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class _Task:
    """What the user asked for; ``name`` is the model as the user wrote it."""

    name: str
    wanted: RepairRequest
    settings: Settings
    show: Output

    @property
    def as_json(self) -> bool:
        from auditor.facts.formats import Format

        return self.settings.output_format is Format.JSON


def _plan(task: _Task, original: Original, *, held_back: bool) -> int:
    from auditor.cli.output import emit
    from auditor.report.repair.outcome import plan_json, plan_text
    from auditor.rewrite.planning import plan

    found = plan(original.model, original.analysis, task.wanted.how)
    emit((plan_json if task.as_json else plan_text)(task.name, found, held_back))
    return 1 if held_back else 0


def _recipe(task: _Task, original: Original) -> int:
    from auditor.cli.output import emit
    from auditor.report.repair.recipe import recipe_json, recipe_text
    from auditor.rewrite.recipe import recipe

    found = recipe(original.model, original.analysis, task.wanted.how, task.wanted.sites)
    emit((recipe_json if task.as_json else recipe_text)(task.name, found))
    return 0


def _repair(task: _Task, original: Original, measured: bool, diff: bool) -> int:
    from auditor.cli.output import emit
    from auditor.cli.searching import draw, job_for, resumable
    from auditor.policy.verdict import ExitCode
    from auditor.repair.run import run
    from auditor.report.repair.gains import gain_lines
    from auditor.report.repair.outcome import RepairOutcome, outcome_json, outcome_text, written_lines
    from auditor.report.repair.search import search_json, search_text

    drawn = True

    def told(made: Staged) -> None:
        nonlocal drawn
        if made.search is not None:
            if not task.as_json:
                emit(search_text(task.name, made.search))
            drawn = draw(made.search, task.wanted.plot)
        elif made.gain is not None and not task.as_json:
            emit("\n".join(gain_lines(made.gain)) + "\n\n")

    with resumable(task.wanted.state):
        done = run(original, job_for(original, task.name, task.wanted, task.show, measured=measured), told)
    if done.search is not None:
        if task.as_json:
            emit(search_json(task.name, done.search, done))
        else:
            emit("".join(f"{line}\n" for line in written_lines(done)))
        if not drawn:
            return ExitCode.ERROR
        return 0 if done.search.best is not None else 1
    after = None if done.path is None else original.read(done.path)[1]
    outcome = RepairOutcome(task.name, done, task.wanted.how, original.analysis, after, dry=original.target is None)
    emit(outcome_json(outcome) if task.as_json else outcome_text(outcome, diff))
    (rewritten,) = done.rewrites
    return 0 if done.path is not None or (rewritten.changes and original.target is None) else 1
