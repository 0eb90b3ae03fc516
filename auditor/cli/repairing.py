"""``check --fix``: rewrite a model, audit (and measure) it and the result, and show one report of before and after.

The rewritten model lies in a hidden folder until it is reported on, and only then gets its name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from auditor.audit.run import Measure, ModelFile, Outcome, load_rules, project_path
from auditor.audit.settle import settle
from auditor.cli.auditing import conclude, fit_input_shapes, read_baseline
from auditor.cli.errors import UsageError
from auditor.cli.inputs import shown
from auditor.cli.output import refuse_overwriting, say
from auditor.cli.repair_options import RepairRequest, read
from auditor.cli.reports import refuse_models
from auditor.cli.searching import draw, job_for, resumable
from auditor.comparison.run import ModelPair, compare_all
from auditor.facts.report import AcceptedBy, Problem, worst_first
from auditor.facts.rule import Need
from auditor.facts.search import SearchFacts
from auditor.onnxfile import ModelFileError
from auditor.options.general import Output
from auditor.policy.settings import Settings
from auditor.policy.verdict import ExitCode
from auditor.repair.original import Original, opened
from auditor.repair.result import Staged
from auditor.repair.run import repairing
from auditor.report.repair.gains import NOT_RISEN
from auditor.report.repair.outcome import remark
from auditor.report.repair.portable import portable_remarks
from auditor.report.repair.search import search_remarks
from auditor.report.repair.tried import search_facts
from auditor.rewrite.options import Rewriting, SearchBudget
from auditor.rewrite.result import RewriteError
from auditor.verify.errors import NothingMeasuredError, VerifyError


@dataclass(frozen=True, slots=True)
class Repair:
    """Where the rewritten model goes and how it is made."""

    target: Path
    wanted: RepairRequest


@dataclass(frozen=True, slots=True)
class Made:
    """A rewritten model that has no name yet, without ``path`` where nothing was rewritten.

    ``drawn`` is False where the figure of its search could not be.

    ``refusal`` says why it is not to be kept, None where nothing is against it. ``search`` is what was tried first.
    """

    path: Path | None
    remarks: tuple[str, ...]
    search: SearchFacts | None = None
    drawn: bool = True
    refusal: str | None = None


def repair_from(
    fix: bool, target: Path | None, rewriting: Rewriting, search: SearchBudget, settings: Settings
) -> Repair:
    """The repair that the options ask for.

    Raises:
        UsageError: Options are missing, or do not go together.
    """
    if not fix:
        raise UsageError("--fix-output, --strategy and their like say how to repair: give --fix with them")
    if target is None:
        raise UsageError("--fix writes a new model: name it with --fix-output FILE")
    if rewriting.strategy is None and not (rewriting.unsafe_fixes or rewriting.portable):
        raise UsageError(
            "--fix: every rewrite changes what the network computes; choose one with --strategy, or give "
            "--unsafe-fixes for the least harmful one"
        )
    return Repair(target, read(rewriting, search, settings))


def run_repaired(
    files: Sequence[ModelFile],
    problems: Sequence[Problem],
    settings: Settings,
    show: Output,
    repair: Repair,
    measure: Measure | None,
) -> tuple[ExitCode | None, SearchFacts | None]:
    """Rewrite the one model and report on the result, with what changed; None where nothing was rewritten.

    Returns what was tried, too, where a search was.

    What the rewritten model still has counts like the findings of any audit. It is kept after the report was shown;
    where it was to be measured, only if it was, and where a gain is required, only if there is one.

    Raises:
        UsageError: There is not exactly one model, a file would be overwritten, or the result cannot be written.
    """
    if len(files) != 1 or problems:
        raise UsageError("--fix takes exactly one model that exists")
    source = files[0]
    refuse_overwriting(repair.target, [source.path], "--fix-output")
    models = [source.path, repair.target]
    if show.output is not None:
        refuse_overwriting(show.output, models)
        _refuse_same(show.output, repair.target, "--output")
    refuse_models(show.report, models)
    for report in show.report:
        _refuse_same(report.path, repair.target, "--report")
    fit_input_shapes(files, settings, show.quiet)
    try:
        with (
            opened(source.path, settings, repair.target, inline=repair.wanted.rewriting.inline) as original,
            _made(original, source.name, repair.wanted, show, measure is not None) as made,
        ):
            code = None if made.path is None else _reported(source, original, made, made.path, show, repair, measure)
            return code, made.search
    except NothingMeasuredError as error:
        say(f"{source.name}: {error}")
        return ExitCode.INCOMPLETE, None
    except (RewriteError, VerifyError) as error:
        raise UsageError(f"{source.name}: {error}") from error
    except ModelFileError:
        return None, None  # the audit says what is wrong with the file


def _reported(
    source: ModelFile,
    original: Original,
    made: Made,
    path: Path,
    show: Output,
    repair: Repair,
    measure: Measure | None,
) -> ExitCode:
    """Audit and measure both models, show the report, and then keep the rewritten one, or say why not."""
    settings = original.settings
    rules, known = load_rules(settings), read_baseline(settings)
    place = project_path(ModelFile(repair.target, shown(repair.target)), settings.root)
    fixed = ModelFile(path, shown(repair.target), place)
    compared = compare_all([ModelPair(source, fixed)], rules, settings, measure, reraise=show.debug)
    outcomes = settle(list(compared), rules, settings, known, show.debug)
    refusal = made.refusal
    if refusal is None and measure is not None:
        refusal = _refusal(outcomes[0], repair.wanted.rewriting.require_gain)
    remarks = made.remarks if refusal is None else (refusal, *made.remarks)
    given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if measure is not None else [])}
    whole = [_with_remaining(outcome, remarks, made.search) for outcome in outcomes]
    code = conclude(whole, (), rules, rules.ready(given), settings, show)
    if refusal is not None:
        say(f"{source.name}: {refusal}")
        return max(code, ExitCode.FINDINGS)
    original.keep(path)
    if not show.quiet:
        say(f"wrote {repair.target.as_posix()}")
    return code if made.drawn else ExitCode.ERROR


def _refusal(outcome: Outcome, require_gain: bool) -> str | None:
    """Why a rewritten model that was to be measured is not kept."""
    from auditor.comparison.measured import NotComparableError
    from auditor.repair.search.gains import gain_between

    report = outcome.report
    after = None if report is None else report.verification
    before = None if report is None or report.comparison is None else report.comparison.base_verification
    if before is None or after is None or after.incomplete:
        return "nothing was written: the two models could not be measured side by side"
    try:
        gain = gain_between(before, after)
    except NotComparableError as error:
        return f"nothing was written: {error}"
    return NOT_RISEN if require_gain and not gain.rose else None


@contextmanager
def _made(original: Original, name: str, wanted: RepairRequest, show: Output, measured: bool) -> Iterator[Made]:
    """The rewritten model in a hidden folder, which is gone when the context ends."""
    from auditor.report.repair.trials import lock_refusal, trial_lines
    from auditor.rewrite.result import Strategy

    tested = measured and wanted.method is Strategy.GRID_LOCK
    with (
        resumable(wanted.search.state),
        repairing(original, job_for(original, name, wanted, show, measured=tested)) as repaired,
    ):
        if repaired.search is not None:
            drawn, search = draw(repaired.search, wanted.search.plot), search_facts(repaired.search)
            remarks = tuple(search_remarks(repaired.search))
            if repaired.path is None:
                for line in (*remarks, "nothing helps, so nothing was written"):
                    say(f"{name}: {line}")
        else:
            drawn, search, remarks = True, None, ()
            if repaired.path is None:
                say(f"{name}: nothing was written{_reasons(repaired)}")
        remarks = (*map(remark, repaired.rewrites), *portable_remarks(repaired.lowered), *remarks)
        remarks = (*remarks, *(line.strip() for line in trial_lines(repaired.trials)))
        yield Made(repaired.path, remarks, search, drawn, lock_refusal(repaired.trials))


def _reasons(repaired: Staged) -> str:
    """Why a repair wrote nothing."""
    if repaired.lowered is not None:
        reasons = "; ".join(dict.fromkeys(left.reason for left in repaired.lowered.left))
        return f", no node could be lowered: {reasons}" if reasons else ": it is portable already"
    refusals = (skip.refusal.reason for done in repaired.rewrites for skip in done.skipped)
    reasons = "; ".join(dict.fromkeys(refusals)) or "it has no sampling site"
    return f", no site could be rewritten: {reasons}"


def _refuse_same(report: Path, target: Path, option: str) -> None:
    if report.resolve() == target.resolve():
        raise UsageError(f"{option} {report.as_posix()}: the rewritten model goes there; choose another name")


def _with_remaining(outcome: Outcome, remarks: tuple[str, ...], search: SearchFacts | None) -> Outcome:
    """The outcome with what the source has too among its findings: a repair that left it there did not repair it."""
    report = outcome.report
    if report is None or report.comparison is None:
        return outcome
    left = [one.finding for one in report.accepted if one.by is AcceptedBy.BASE]
    return replace(
        outcome,
        report=structs.replace(
            report,
            findings=tuple(sorted((*report.findings, *left), key=worst_first)),
            accepted=tuple(one for one in report.accepted if one.by is not AcceptedBy.BASE),
            comparison=structs.replace(report.comparison, remarks=(*remarks, *report.comparison.remarks)),
            search=search,
        ),
    )
