"""``aliasaudit fix``: rewrite a model so that it samples properly, and say what that does to it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from auditor.cli import options
from auditor.cli.errors import UsageError

if TYPE_CHECKING:
    from auditor.onnxfile.graph import Model
    from auditor.policy.settings import Settings
    from auditor.rewrite.result import Options, Strategy
    from auditor.sampling.result import Analysis

_STRATEGIES = ("blur", "phase-average", "input-average", "phase-select")
_KERNELS = ("rect2", "tri3", "bin4", "bin5", "bin6", "bin7", "identity")
_WHERE = ("post", "pre")
_PADDINGS = ("auto", "reflect", "edge", "zero")
_PHASES = ("diagonal", "all")
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
    plan: Annotated[bool, typer.Option("--plan", help="Show what applies at each site and what it costs.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="List every node that is added or edited.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write no model.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="Without --strategy: allow the one that harms least.")
    ] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Replace the model; the old one stays beside it as FILE.bak.")
    ] = False,
    input_shape: options.InputShape = None,
    output_format: options.OutputFormat = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
) -> None:
    """Rewrite an ONNX model so that it samples properly.

    Keeps inputs, outputs, weights, metadata and the centre of every lattice, and edits nothing but the nodes at the
    sampling sites. A rewrite that changes what the network computes needs --strategy or --unsafe-fixes.

    Exit codes: 0 written (or planned), 1 nothing could be rewritten, 2 usage, settings or internal error, 3 the model
    could not be read, 130 interrupted.
    """
    from auditor.cli.output import say
    from auditor.onnxfile import ModelFileError
    from auditor.policy.verdict import ExitCode
    from auditor.rewrite.result import RewriteError, Strategy

    settings = options.settings_from(
        config, isolated, False, {"output-format": output_format, "input-shapes": options.shapes(input_shape)}
    )
    chosen = strategy or (_LEAST_HARMFUL if unsafe_fixes else None)
    method = None if chosen is None else _one(Strategy, "--strategy", chosen, _STRATEGIES)
    how = _options(kernel, where, padding, blend, phases)
    if in_place and target is not None:
        raise UsageError("--in-place replaces the model itself, so it cannot go with --output")
    output = Path(model) if in_place else Path(target) if target is not None else None
    if output is None and method is not None and not plan and not dry_run:
        raise UsageError("say where to write with --output FILE or --in-place, or give --plan or --dry-run")
    try:
        read, analysis = _read(Path(model), settings)
        if plan or method is None:
            code = _plan(model, read, analysis, how, settings, held_back=not plan)
        else:
            code = _rewrite(
                model, read, analysis, None if dry_run else output, method, how, site or [], settings, diff, in_place
            )
    except ModelFileError as error:
        say(f"{model}: {error.reason}")
        raise typer.Exit(ExitCode.INCOMPLETE) from error
    except RewriteError as error:
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


def _rewrite(
    name: str,
    model: Model,
    analysis: Analysis,
    target: Path | None,
    method: Strategy,
    how: Options,
    sites: list[str],
    settings: Settings,
    diff: bool,
    in_place: bool,
) -> int:
    from auditor.cli.output import emit
    from auditor.report import Format
    from auditor.report.rewriting import Outcome, outcome_json, outcome_text
    from auditor.rewrite import rewrite

    done = rewrite(model, analysis, target, method, how, sites, in_place=in_place)
    after = None if done.path is None else _read(done.path, settings)[1]
    outcome = Outcome(name, done, how, analysis, after, dry=target is None)
    emit(outcome_json(outcome) if settings.output_format is Format.JSON else outcome_text(outcome, diff))
    return 0 if done.changes else 1
