"""``aliasaudit fix``: rewrite a model so that it samples properly, and say what that does to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli import measuring_options, options, repair_options
from auditor.cli.errors import UsageError

if TYPE_CHECKING:
    from auditor.cli.fix_measured import Original
    from auditor.cli.repair_options import Wanted
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.rewrite.result import Options, Strategy
    from auditor.sampling.result import Analysis

_FORMATS = ("text", "json")


def fix(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rewritten model to this file.")
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
        typer.Option("--verify", help="Measure both models on the same shifted images before the new one is kept."),
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
    device: measuring_options.Device = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what applies at each site and what it costs.")] = False,
    recipe: Annotated[
        bool, typer.Option("--recipe", help="Print the edits of the PyTorch code that blur stands for; write no model.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="List every node that is added or edited.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write no model.")] = False,
    unsafe_fixes: repair_options.UnsafeFixes = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace the model; the old one stays beside it as FILE.bak.")
    ] = False,
    inline: Annotated[
        bool,
        typer.Option(
            "--inline", help="Put local functions in the place of their calls first; the result is one graph."
        ),
    ] = False,
    input_shape: options.InputShape = None,
    output_format: Annotated[
        str | None, repair_options.choice("--output-format", _FORMATS, "The format of the report. [default: text]")
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
    error, 3 the model could not be read, 130 interrupted.
    """
    from auditor.cli.fix_measured import Original
    from auditor.cli.output import say
    from auditor.onnxfile import ModelFileError
    from auditor.policy.verdict import ExitCode
    from auditor.rewrite.result import RewriteError
    from auditor.verify.errors import VerifyError

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
                    "device": device,
                }
            ),
        },
    )
    if output_format is not None and output_format not in _FORMATS:
        raise UsageError(f"--output-format must be one of {', '.join(_FORMATS)}")
    wanted = repair_options.read(
        repair_options.Typed(
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
    measured = verify or require_gain or images is not None
    try:
        with _opened(Path(model), settings, inline) as (named, read, analysis):
            goal = None if dry_run else output
            source = Original(model, read, analysis, goal, in_place, partial(_read, settings=settings), named)
            if recipe:
                code = _recipe(model, read, analysis, wanted, settings)
            elif wanted.auto and not plan:
                code = _search(source, settings, wanted, not no_progress)
            elif plan or wanted.method is None:
                code = _plan(model, read, analysis, wanted.how, settings, held_back=not plan)
            else:
                code = _rewrite(_Task(source, wanted.method, wanted, measured, not no_progress), settings, diff)
    except ModelFileError as error:
        say(f"{model}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except (RewriteError, VerifyError) as error:
        raise UsageError(f"{model}: {error}") from error
    raise typer.Exit(code)


@contextmanager
def _opened(path: Path, settings: Settings, inline: bool) -> Iterator[tuple[Model, Model, Analysis]]:
    """The model, and what is rewritten, with its analysis: the model itself or a copy without functions."""
    from auditor.onnxfile import read_model
    from auditor.rewrite.graph.inline import inlined
    from auditor.sampling import analyse

    named = read_model(path, settings.limits)
    with inlined(named, settings.limits) if inline else nullcontext(named) as model:
        yield named, model, analyse(model, settings.input_shapes, settings.limits)


def _read(path: Path, settings: Settings) -> tuple[Model, Analysis]:
    from auditor.onnxfile import read_model
    from auditor.sampling import analyse

    model = read_model(path, settings.limits)
    return model, analyse(model, settings.input_shapes, settings.limits)


def _plan(name: str, model: Model, analysis: Analysis, how: Options, settings: Settings, *, held_back: bool) -> int:
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.rewriting import plan_json, plan_text
    from auditor.rewrite import plan

    found = plan(model, analysis, how)
    shown = plan_json if settings.output_format is Format.JSON else plan_text
    emit(shown(name, found, held_back))
    return 1 if held_back else 0


def _recipe(name: str, model: Model, analysis: Analysis, wanted: Wanted, settings: Settings) -> int:
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.recipes import recipe_json, recipe_text
    from auditor.rewrite.recipe import recipe

    shown = recipe_json if settings.output_format is Format.JSON else recipe_text
    emit(shown(name, recipe(model, analysis, wanted.how, wanted.sites)))
    return 0


@dataclass(frozen=True, slots=True)
class _Task:
    """One rewrite to do. ``measured``: both models are run before the new one is kept."""

    source: Original
    method: Strategy
    wanted: Wanted
    measured: bool
    progress: bool


def _rewrite(task: _Task, settings: Settings, diff: bool) -> int:
    from auditor.cli.auditing import Show
    from auditor.cli.fix_measured import rewrite_measured, state_gain
    from auditor.cli.measuring import watched
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.rewriting import Outcome, outcome_json, outcome_text
    from auditor.rewrite.graph.inline import rewrite_inlined
    from auditor.rewrite.search.candidates import Step

    source, wanted, gain = task.source, task.wanted, None
    as_json = settings.output_format is Format.JSON
    done = rewrite_inlined(
        source.named or source.model,
        source.model,
        source.analysis,
        None if task.measured else source.target,
        task.method,
        wanted.how,
        wanted.sites,
        in_place=source.in_place,
        pictures=None if task.measured else wanted.pictures,
    )
    if task.measured and done.changes:
        step = Step(task.method, wanted.how, wanted.sites, calibrated=wanted.pictures is not None)
        done, gain = rewrite_measured(
            source,
            step,
            settings,
            wanted.pictures,
            wanted.typed.require_gain,
            watched(Show(progress=task.progress)),
            lambda found: None if as_json else state_gain(found),
        )
    after = None if done.path is None else source.read(done.path)[1]
    outcome = Outcome(source.name, done, wanted.how, source.analysis, after, dry=source.target is None, gain=gain)
    emit(outcome_json(outcome) if as_json else outcome_text(outcome, diff))
    return 0 if done.path is not None or (done.changes and source.target is None) else 1


def _search(source: Original, settings: Settings, wanted: Wanted, progress: bool) -> int:
    from auditor.cli.auditing import Show
    from auditor.cli.measuring import watched
    from auditor.cli.output import emit
    from auditor.cli.searching import draw, searching
    from auditor.policy.verdict import ExitCode
    from auditor.report import Format
    from auditor.report.gains import search_json, search_text
    from auditor.text import plain

    as_json = settings.output_format is Format.JSON
    with searching(source, settings, wanted, watched(Show(progress=progress))) as found:
        if not as_json:
            emit(search_text(source.name, found.search))
        drawn = draw(found.search, wanted.plot)
        written, backup = None, None
        if found.path is not None and source.target is not None:
            backup = source.keep(found.path)
            written = source.target.as_posix()
    if as_json:
        emit(search_json(source.name, found.search, written, backup))
    elif written is not None:
        emit(f"wrote {plain(written)}\n" + ("" if backup is None else f"backup: {plain(backup)}\n"))
    if not drawn:
        return ExitCode.ERROR
    return 0 if found.search.best is not None else 1
