"""``check --fix``: rewrite a model, audit (and measure) it and the result, and show one report of before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.acceptance import settle
from auditor.audit import Measure, ModelFile, Outcome, load_rules
from auditor.cli.auditing import Show, conclude, read_baseline
from auditor.cli.errors import UsageError
from auditor.cli.inputs import shown
from auditor.cli.output import refuse_overwriting, say
from auditor.cli.reports import refuse_models
from auditor.comparison.run import Change, compare_all
from auditor.onnxfile import ModelFileError, read_model
from auditor.policy.settings import Settings
from auditor.policy.verdict import ExitCode
from auditor.report.model import AcceptedBy, Problem, worst_first
from auditor.report.repaired import remark
from auditor.rewrite import RewriteError, Rewritten, Strategy, rewrite
from auditor.rule import Need
from auditor.sampling import analyse


@dataclass(frozen=True, slots=True)
class Repair:
    """Where the rewritten model goes and how it is made."""

    target: Path
    strategy: Strategy


def repair_from(fix: bool, target: str | None, strategy: str | None, unsafe_fixes: bool) -> Repair:
    """The repair that the flags ask for.

    Raises:
        UsageError: Flags are missing, do not go together, or name no strategy.
    """
    if not fix:
        raise UsageError("--fix-output, --strategy and --unsafe-fixes say how to repair: give --fix with them")
    if target is None:
        raise UsageError("--fix writes a new model: name it with --fix-output FILE")
    if strategy is None and not unsafe_fixes:
        raise UsageError(
            "--fix: every rewrite changes what the network computes; choose one with --strategy, or give "
            "--unsafe-fixes for the one that harms least"
        )
    words = [one.value for one in Strategy]
    if strategy is not None and strategy not in words:
        raise UsageError(f"--strategy must be one of {', '.join(words)}; `aliasaudit fix` also searches (auto)")
    return Repair(Path(target), Strategy(strategy) if strategy is not None else Strategy.PHASE_AVERAGE)


def run_repaired(
    files: Sequence[ModelFile],
    problems: Sequence[Problem],
    settings: Settings,
    show: Show,
    repair: Repair,
    measure: Measure | None,
) -> ExitCode | None:
    """Rewrite the one model and report on the result, with what changed; None where nothing was rewritten.

    What the rewritten model still has counts like the findings of any audit.

    Raises:
        UsageError: There is not exactly one model, a file would be overwritten, or the result cannot be written.
    """
    if len(files) != 1 or problems:
        raise UsageError("--fix takes exactly one model that exists")
    source = files[0]
    fixed = ModelFile(repair.target, shown(repair.target))
    refuse_overwriting(repair.target, [source.path], "--fix-output")
    models = [source.path, repair.target]
    if show.output is not None:
        refuse_overwriting(show.output, models)
        _refuse_same(show.output, repair.target, "--output")
    refuse_models(show.reports, models)
    for report in show.reports:
        _refuse_same(report.path, repair.target, "--report")
    rules, known = load_rules(settings), read_baseline(settings)
    try:
        done = _rewritten(source, repair, settings)
    except RewriteError as error:
        raise UsageError(f"{source.name}: {error}") from error
    except ModelFileError:
        return None  # the audit says what is wrong with the file
    if done.path is None:
        reasons = "; ".join(dict.fromkeys(skip.refusal.reason for skip in done.skipped)) or "it has no sampling site"
        say(f"{source.name}: nothing was written, no site could be rewritten: {reasons}")
        return None
    outcomes = settle(
        list(compare_all([Change(source, fixed)], rules, settings, measure, reraise=show.debug)),
        rules,
        settings,
        known,
        show.debug,
    )
    if not show.quiet:
        say(f"wrote {repair.target.as_posix()}")
    given = {Need.POLICY, Need.COMPARISON, *([Need.MEASUREMENT] if measure is not None else [])}
    whole = [_with_remaining(outcome, remark(done)) for outcome in outcomes]
    return conclude(whole, (), rules, rules.ready(given), settings, show)


def _rewritten(source: ModelFile, repair: Repair, settings: Settings) -> Rewritten:
    model = read_model(source.path, settings.limits)
    analysis = analyse(model, settings.input_shapes, settings.limits)
    return rewrite(model, analysis, repair.target, repair.strategy)


def _refuse_same(report: Path, target: Path, option: str) -> None:
    if report.resolve() == target.resolve():
        raise UsageError(f"{option} {report.as_posix()}: the rewritten model goes there; choose another name")


def _with_remaining(outcome: Outcome, done: str) -> Outcome:
    """The outcome with what the source has too among its findings: a repair that left it there did not repair it."""
    report = outcome.report
    if report is None or report.comparison is None:
        return outcome
    left = [one.finding for one in report.accepted if one.by is AcceptedBy.BASE]
    return replace(
        outcome,
        report=replace(
            report,
            findings=tuple(sorted((*report.findings, *left), key=worst_first)),
            accepted=tuple(one for one in report.accepted if one.by is not AcceptedBy.BASE),
            comparison=replace(report.comparison, remarks=(done, *report.comparison.remarks)),
        ),
    )
