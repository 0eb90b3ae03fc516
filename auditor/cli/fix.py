"""``aliasaudit fix``: rewrite a model so that it samples properly, and say what that does to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Output, Selection, Sources, TextOrJson
from auditor.options.kinds import file, switch
from auditor.options.measuring import COMMON, Measuring
from auditor.options.option import Group, option
from auditor.options.panels import Panel
from auditor.rewrite.options import Rewriting, SearchBudget

if TYPE_CHECKING:
    from auditor.cli.repair_options import RepairRequest
    from auditor.policy.settings import Settings
    from auditor.repair.original import Original
    from auditor.repair.result import Staged


class Writing(Group):
    """Where the rewritten model goes, and what is said of it."""

    written: Path | None = option(file("FILE"), "Write the rewritten model here.", Panel.REWRITE, "--output", "-o")
    verify: bool = option(switch(), "Measure both models before the new one is kept.", Panel.MEASURING)
    plan: bool = option(switch(), "Show what applies at each site, and its cost.", Panel.REWRITE)
    recipe: bool = option(switch(), "Print the matching PyTorch edits instead.", Panel.REWRITE)
    dry_run: bool = option(switch(), "Write no model.", Panel.REWRITE)
    in_place: bool = option(switch(), "Replace the model; the old one becomes FILE.bak.", Panel.REWRITE)
    diff: bool = option(switch(), "List every node that is added or edited.", Panel.REPORT)


@flags
def fix(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    writing: Writing,
    rewriting: Rewriting,
    search: SearchBudget,
    measuring: Annotated[Measuring, Only(*COMMON)],
    inputs: InputShapes,
    selection: Annotated[Selection, Only("target")],
    report: TextOrJson,
    sources: Annotated[Sources, Only("config", "isolated")],
    output: Annotated[Output, Only("no_progress")],
) -> None:
    """Rewrite an ONNX model so that it samples properly.

    Keeps inputs, outputs, weights, metadata and the centre of every lattice, and edits nothing but the nodes at the
    sampling sites. A rewrite that changes what the network computes needs --strategy or --unsafe-fixes.

    With --portable, nodes that the runtimes of --target (or of the settings; all known without any) ignore, refuse or
    compute differently are written in forms that all compute alike, to 1e-4 of the range: with a strategy behind its
    rewrite, and alone without changing what the network computes. --max-cost bounds the time of each form against
    that of the node, 1.5 unless given.

    With --verify both models run on the same images and shifts, and the difference is stated before the file appears.
    --strategy auto tries several rewrites that way and keeps the best within --max-cost and --max-drop, or none.

    Exit codes: 0 written (or planned), 1 nothing could be rewritten or nothing gained, 2 usage, settings or internal
    error, 3 the model could not be read or nothing that it answers can be measured, 130 interrupted.
    """
    from auditor.audit.run import ModelFile
    from auditor.cli.auditing import fit_input_shapes
    from auditor.cli.output import say
    from auditor.cli.repair_options import read
    from auditor.onnxfile import ModelFileError
    from auditor.policy.verdict import ExitCode
    from auditor.repair.original import opened
    from auditor.rewrite.result import RewriteError
    from auditor.verify.errors import NothingMeasuredError, VerifyError

    settings = settings_from(sources, report.output, inputs, measuring, selection)
    wanted = read(rewriting, search, settings)
    if writing.in_place and writing.written is not None:
        raise UsageError("--in-place replaces the model itself, so it cannot go with --output")
    target = Path(model) if writing.in_place else writing.written
    works = wanted.auto or wanted.method is not None or wanted.lowers_only
    if target is None and works and not (writing.plan or writing.dry_run or writing.recipe):
        raise UsageError("say where to write with --output FILE or --in-place, or give --plan or --dry-run")
    task = _Task(model, wanted, settings, output)
    measured = writing.verify or rewriting.require_gain or measuring.images is not None
    if measured and wanted.lowers_only:
        raise UsageError("--portable alone keeps what the network computes: give --strategy to measure a rewrite")
    if "max_drop" in search.given and not (measured or wanted.auto):
        raise UsageError("--max-drop holds what is measured: give --verify with it, and --labels")
    if selection.target and not rewriting.portable:
        raise UsageError("--target says for what to lower: give --portable with it")
    goal = None if writing.dry_run else target
    fit_input_shapes([ModelFile(Path(model), model)], settings)
    try:
        with opened(Path(model), settings, goal, in_place=writing.in_place, inline=rewriting.inline) as original:
            if writing.recipe:
                code = _recipe(task, original)
            elif writing.plan and rewriting.portable:
                code = _portable_plan(task, original)
            elif writing.plan or not works:
                code = _plan(task, original, held_back=not writing.plan)
            else:
                code = _repair(task, original, measured, writing.diff)
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
    from auditor.cli.output import emit, terminal_width
    from auditor.report.lines import fitted
    from auditor.report.repair.outcome import plan_json, plan_text
    from auditor.rewrite.planning import plan

    found = plan(original.model, original.analysis, task.wanted.how)
    shown = (plan_json if task.as_json else plan_text)(task.name, found, held_back)
    emit(shown if task.as_json else fitted(shown, terminal_width()))
    return 1 if held_back else 0


def _portable_plan(task: _Task, original: Original) -> int:
    from auditor.cli.output import emit
    from auditor.repair.portable import lowered, portability
    from auditor.report.repair.portable import portable_plan_json, portable_plan_text

    options = task.wanted.rewriting, task.wanted.search
    wanted = portability(*options, original.settings, searches=task.wanted.auto)
    assert wanted is not None  # asked for
    found = lowered(original, original.model, wanted, None)
    emit((portable_plan_json if task.as_json else portable_plan_text)(task.name, found))
    return 0


def _recipe(task: _Task, original: Original) -> int:
    from auditor.cli.output import emit
    from auditor.report.repair.recipe import recipe_json, recipe_text
    from auditor.rewrite.recipe import recipe

    found = recipe(original.model, original.analysis, task.wanted.how, task.wanted.sites)
    emit((recipe_json if task.as_json else recipe_text)(task.name, found))
    return 0


def _repair(task: _Task, original: Original, measured: bool, diff: bool) -> int:
    from auditor.cli.output import emit, terminal_width
    from auditor.cli.searching import draw, job_for, resumable
    from auditor.policy.verdict import ExitCode
    from auditor.repair.run import run
    from auditor.report.lines import fitted
    from auditor.report.repair.gains import gain_lines
    from auditor.report.repair.outcome import RepairOutcome, feeding_lines, outcome_json, outcome_text, written_lines
    from auditor.report.repair.portable import (
        LoweringOutcome,
        lowering_json,
        lowering_text,
        portable_json,
        portable_lines,
    )
    from auditor.report.repair.search import search_json, search_text
    from auditor.report.repair.trials import trial_lines

    drawn = True

    def told(made: Staged) -> None:
        nonlocal drawn
        if made.search is not None:
            if not task.as_json:
                width = terminal_width()
                emit(fitted(search_text(task.name, made.search, width), width))
            drawn = draw(made.search, task.wanted.search.plot)
        elif made.gain is not None and not task.as_json:
            emit("\n".join((*gain_lines(made.gain), *trial_lines(made.trials))) + "\n\n")

    with resumable(task.wanted.search.state):
        done = run(original, job_for(original, task.name, task.wanted, task.show, measured=measured), told)
    portable = {} if done.lowered is None else {"portable": portable_json(done.lowered)}
    lines = [] if done.lowered is None else list(portable_lines(done.lowered))
    if done.search is not None:
        if task.as_json:
            emit(search_json(task.name, done.search, done, portable))
        else:
            emit("".join(f"{line}\n" for line in (*lines, *written_lines(done), *feeding_lines(done))))
        if not drawn:
            return ExitCode.ERROR
        return 0 if done.search.best is not None else 1
    if task.wanted.lowers_only:
        lowering = LoweringOutcome(task.name, done, dry=original.target is None)
        emit(lowering_json(lowering) if task.as_json else lowering_text(lowering, diff))
        return lowering.code
    after = None if done.path is None else original.read(done.path)[1]
    outcome = RepairOutcome(task.name, done, task.wanted.how, original.analysis, after, dry=original.target is None)
    shown = outcome_json(outcome, portable) if task.as_json else outcome_text(outcome, diff, lines)
    emit(shown if task.as_json else fitted(shown, terminal_width()))
    (rewritten,) = done.rewrites
    return 0 if done.path is not None or (rewritten.changes and original.target is None) else 1
