"""``aliasaudit fix``: rewrite a model so that it samples properly, and say what that does to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from auditor.cli import measuring_options, options
from auditor.cli.errors import UsageError

if TYPE_CHECKING:
    from auditor.cli.fix_measured import Original
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.rewrite.calibration import Pictures
    from auditor.rewrite.result import Options, Strategy
    from auditor.sampling.result import Analysis

_AUTO = "auto"
_STRATEGIES = ("blur", "phase-average", "input-average", "phase-select", _AUTO)
_KERNELS = ("rect2", "tri3", "bin4", "bin5", "bin6", "bin7", "identity")
_WHERE = ("post", "pre")
_PADDINGS = ("auto", "reflect", "edge", "zero")
_PHASES = ("diagonal", "all")
_FORMATS = ("text", "json")
_LEAST_HARMFUL = "phase-average"

_Choice = TypeVar("_Choice", bound=Enum)


def _choice(flag: str, words: tuple[str, ...], text: str) -> typer.models.OptionInfo:
    choice: typer.models.OptionInfo = typer.Option(
        flag, metavar="|".join(words), help=text, autocompletion=lambda: [*words], show_default=False
    )
    return choice


def fix(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    target: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the rewritten model to this file.")
    ] = None,
    strategy: Annotated[
        str | None, _choice("--strategy", _STRATEGIES, "How to rewrite; each one changes what the network computes.")
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option("--site", metavar="NAME", help="Rewrite only the sampling sites at these nodes; repeatable."),
    ] = None,
    kernel: Annotated[str, _choice("--kernel", _KERNELS, "The low-pass of blur. [default: tri3]")] = "tri3",
    where: Annotated[
        str, _choice("--where", _WHERE, "Blur behind the activation, or in front of the operator. [default: post]")
    ] = "post",
    padding: Annotated[
        str, _choice("--padding", _PADDINGS, "How blur continues a map at its border. [default: auto]")
    ] = "auto",
    blend: Annotated[
        str,
        typer.Option(
            "--lambda",
            metavar="SHARE",
            help="The share of the low-pass in a partial blur, above 0 up to 1. [default: 1]",
            show_default=False,
        ),
    ] = "1",
    phases: Annotated[str, _choice("--phases", _PHASES, "The phases or shifts to average. [default: diagonal]")] = (
        "diagonal"
    ),
    calibrate: Annotated[
        str | None,
        typer.Option(
            "--calibrate",
            metavar="DIR|FILE|synthetic",
            help="Fit the blurred maps to the original ones on these unlabelled pictures.",
        ),
    ] = None,
    calibrate_images: Annotated[
        str,
        typer.Option(
            "--calibrate-images", metavar="N", help="At most this many pictures. [default: 100]", show_default=False
        ),
    ] = "100",
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Measure both models on the same shifted images before the new one is kept."),
    ] = False,
    require_gain: Annotated[
        bool, typer.Option("--require-gain", help="Keep nothing unless consistency or MAC surely got better.")
    ] = False,
    max_cost: Annotated[
        str,
        typer.Option(
            "--max-cost", metavar="FACTOR", help="With auto: the largest cost. [default: 2]", show_default=False
        ),
    ] = "2",
    max_drop: Annotated[
        str,
        typer.Option(
            "--max-drop",
            metavar="POINTS",
            help="With auto: the largest loss of accuracy (of agreement without labels). [default: 0.5]",
            show_default=False,
        ),
    ] = "0.5",
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
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="Without --strategy: allow the one that harms least.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace the model; the old one stays beside it as FILE.bak.")
    ] = False,
    input_shape: options.InputShape = None,
    output_format: Annotated[
        str | None, _choice("--output-format", _FORMATS, "The format of the report. [default: text]")
    ] = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
) -> None:
    """Rewrite an ONNX model so that it samples properly.

    Keeps inputs, outputs, weights, metadata and the centre of every lattice, and edits nothing but the nodes at the
    sampling sites. A rewrite that changes what the network computes needs --strategy or --unsafe-fixes.

    With --verify both models run on the same images and shifts, and the difference is stated before the file appears.
    --strategy auto tries several rewrites that way and keeps the best within --max-cost and --max-drop, or none.

    Exit codes: 0 written (or planned), 1 nothing could be rewritten or nothing gained, 2 usage, settings or internal
    error, 3 the model could not be read, 130 interrupted.
    """
    from auditor.cli.fix_measured import Original, positive
    from auditor.cli.output import say
    from auditor.onnxfile import ModelFileError
    from auditor.policy.verdict import ExitCode
    from auditor.rewrite.result import RewriteError, Strategy
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
    chosen = strategy or (_LEAST_HARMFUL if unsafe_fixes else None)
    auto = chosen == _AUTO
    method = None if chosen is None or auto else _one(Strategy, "--strategy", chosen, _STRATEGIES)
    how = _options(kernel, where, padding, blend, phases)
    if in_place and target is not None:
        raise UsageError("--in-place replaces the model itself, so it cannot go with --output")
    output = Path(model) if in_place else Path(target) if target is not None else None
    if output is None and chosen is not None and not plan and not dry_run and not recipe:
        raise UsageError("say where to write with --output FILE or --in-place, or give --plan or --dry-run")
    if calibrate is not None and method is not Strategy.BLUR and not auto:
        raise UsageError("--calibrate fits blurred maps, so it goes with --strategy blur or auto")
    if auto and site:
        raise UsageError("--strategy auto chooses the sites itself: leave --site out")
    measured = verify or require_gain or images is not None
    # Points and not shares, as everybody says them.
    budget = (
        positive("--max-cost", max_cost, "a factor such as 2"),
        positive("--max-drop", max_drop, "points such as 0.5") / 100,
    )
    pictures = None if calibrate is None else _pictures(calibrate, calibrate_images, settings)
    try:
        read, analysis = _read(Path(model), settings)
        source = Original(
            model, read, analysis, None if dry_run else output, in_place, partial(_read, settings=settings)
        )
        if recipe:
            code = _recipe(model, read, analysis, how, tuple(site or ()), settings)
        elif auto and not plan:
            code = _search(source, settings, budget, pictures)
        elif plan or method is None:
            code = _plan(model, read, analysis, how, settings, held_back=not plan)
        else:
            code = _rewrite(
                _Task(source, method, how, tuple(site or ()), measured, require_gain), settings, diff, pictures
            )
    except ModelFileError as error:
        say(f"{model}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except (RewriteError, VerifyError) as error:
        raise UsageError(f"{model}: {error}") from error
    raise typer.Exit(code)


def _one(kind: type[_Choice], flag: str, word: str, words: tuple[str, ...]) -> _Choice:
    if word not in words:
        raise UsageError(f"{flag} must be one of {', '.join(words)}")
    return kind(word)


def _options(kernel: str, where: str, padding: str, blend: str, phases: str) -> Options:
    from auditor.rewrite.result import Kernel, Options, Padding, Phases, Where

    try:
        share = float(blend)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError("--lambda must be a number above 0, at most 1")
    return Options(
        kernel=_one(Kernel, "--kernel", kernel, _KERNELS),
        where=_one(Where, "--where", where, _WHERE),
        padding=_one(Padding, "--padding", padding, _PADDINGS),
        blend=share,
        phases=_one(Phases, "--phases", phases, _PHASES),
    )


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


def _recipe(
    name: str, model: Model, analysis: Analysis, how: Options, sites: tuple[str, ...], settings: Settings
) -> int:
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.recipes import recipe_json, recipe_text
    from auditor.rewrite.recipe import recipe

    shown = recipe_json if settings.output_format is Format.JSON else recipe_text
    emit(shown(name, recipe(model, analysis, how, sites)))
    return 0


@dataclass(frozen=True, slots=True)
class _Task:
    """One rewrite to do. ``measured``: both models are run before the new one is kept."""

    source: Original
    method: Strategy
    how: Options
    sites: tuple[str, ...]
    measured: bool
    require_gain: bool


def _rewrite(task: _Task, settings: Settings, diff: bool, pictures: Pictures | None) -> int:
    from auditor.cli.fix_measured import rewrite_measured, state_gain
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.rewriting import Outcome, outcome_json, outcome_text
    from auditor.rewrite import rewrite
    from auditor.rewrite.candidates import Step

    source, gain = task.source, None
    as_json = settings.output_format is Format.JSON
    done = rewrite(
        source.model,
        source.analysis,
        None if task.measured else source.target,
        task.method,
        task.how,
        task.sites,
        in_place=source.in_place,
        pictures=None if task.measured else pictures,
    )
    if task.measured and done.changes:
        step = Step(task.method, task.how, task.sites, calibrated=pictures is not None)
        done, gain = rewrite_measured(
            source, step, settings, pictures, task.require_gain, lambda found: None if as_json else state_gain(found)
        )
    after = None if done.path is None else source.read(done.path)[1]
    outcome = Outcome(source.name, done, task.how, source.analysis, after, dry=source.target is None, gain=gain)
    emit(outcome_json(outcome) if as_json else outcome_text(outcome, diff))
    return 0 if done.path is not None or (done.changes and source.target is None) else 1


def _search(source: Original, settings: Settings, budget: tuple[float, float], pictures: Pictures | None) -> int:
    from auditor.cli.fix_measured import search_measured
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.gains import search_json, search_text
    from auditor.rewrite.search import Budget
    from auditor.text import plain

    as_json = settings.output_format is Format.JSON
    found, written, backup = search_measured(
        source,
        settings,
        Budget(*budget),
        pictures,
        lambda table: None if as_json else emit(search_text(source.name, table)),
    )
    if as_json:
        emit(search_json(source.name, found, written, backup))
    elif written is not None:
        emit(f"wrote {plain(written)}\n" + ("" if backup is None else f"backup: {plain(backup)}\n"))
    return 0 if found.best is not None else 1


def _pictures(where: str, limit: str, settings: Settings) -> Pictures:
    """The calibration pictures, prepared as ``verify`` would prepare them."""
    from auditor.rewrite.pictures import WorkerPictures
    from auditor.verify.errors import VerifyError
    from auditor.verify.options import read_request

    general = {name: value for name, value in settings.verify.items() if not isinstance(value, dict)}
    source = {} if where == "synthetic" else {"images": where}
    general.pop("images", None)
    general.pop("labels", None)
    try:
        request = read_request({**general, **source, "images-limit": limit})
        return WorkerPictures(request.source(), request.settings)
    except (ValueError, VerifyError) as error:
        raise UsageError(f"--calibrate: {error}") from error
