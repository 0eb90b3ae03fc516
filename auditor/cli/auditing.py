"""What ``check`` and ``demo`` share: audit files, show the report, and give the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from msgspec import structs

from auditor._version import __version__
from auditor.audit.facts import run_facts
from auditor.audit.input_shapes import check_input_shapes
from auditor.audit.run import Measure, MeasureAlias, ModelFile, Outcome, RuleSet, audit_all, load_rules
from auditor.audit.settle import settle
from auditor.cli.images_file import with_images_file
from auditor.cli.inputs import shown
from auditor.cli.naming import hint_at_names
from auditor.cli.options import PROGRESS_VARIABLE
from auditor.cli.output import deliver, refuse_overwriting, render_options, say, say_problems
from auditor.cli.reports import refuse_models, write_reports
from auditor.facts.formats import Format
from auditor.facts.report import Problem, ProblemKind, Report
from auditor.facts.rule import Need, Rule
from auditor.facts.search import SearchFacts
from auditor.options.general import Output
from auditor.policy.baseline import Baseline, load
from auditor.policy.settings import FailOn, Settings
from auditor.policy.verdict import ExitCode, failing_from, verdict
from auditor.report import render


def run(
    files: Sequence[ModelFile],
    problems: Sequence[Problem],
    settings: Settings,
    show: Output,
    measure: Measure | None = None,
    measure_alias: MeasureAlias | None = None,
    remarks: Sequence[str] = (),
    only_measured: bool = False,
    search: SearchFacts | None = None,
) -> ExitCode:
    """Audit the files and show the report. ``remarks`` say why models are missing, where some are.

    ``only_measured``: where nothing could be measured, a person is told why, and not what the graphs are like.
    ``search`` is what was tried to repair the one model.

    Raises:
        SettingsError: The settings ask for rules or options that do not exist.
        UsageError: The output cannot be written, or a flag is not valid.
    """
    if show.output is not None:
        refuse_overwriting(show.output, [file.path for file in files])
    refuse_models(show.report, [file.path for file in files])
    rules, baseline = load_rules(settings), read_baseline(settings)
    fit_input_shapes(files, settings, show.quiet)
    if not files and not problems and not remarks:
        problems = [Problem(ProblemKind.NO_INPUTS, "no models to audit")]
    measured = measure is not None or measure_alias is not None
    with _progress(0 if measured else len(files), show) as done:
        outcomes = list(audit_all(files, rules, settings, done, show.debug, measure, measure_alias))
    given = frozenset({Need.POLICY} if measure is None else {Need.POLICY, Need.MEASUREMENT})
    outcomes = list(settle(outcomes, rules, settings, baseline, show.debug))
    report = report_of(outcomes, problems, rules, rules.ready(given), settings, remarks)
    if search is not None:
        report = structs.replace(report, models=tuple(structs.replace(one, search=search) for one in report.models))
    unmeasured = only_measured and not any(model.verification for model in report.models)
    return _concluded(report, settings, show, structs.replace(report, models=()) if unmeasured else report)


def fit_input_shapes(files: Iterable[ModelFile], settings: Settings, quiet: bool = False) -> None:
    """Hold the input shapes of the settings to the models, and say which of the file are for none of them.

    Raises:
        SettingsError: A shape does not fit, or a name that was typed is no input.
    """
    for name in check_input_shapes(files, settings):
        if not quiet:
            say(f"{settings.origin(f'input-shapes.{name}')}: input-shapes.{name} is for none of these models")


def read_baseline(settings: Settings) -> Baseline | None:
    """The baseline that the settings name.

    Raises:
        SettingsError: It cannot be used.
    """
    return None if settings.baseline is None else load(settings.baseline, shown(settings.baseline))


def report_of(
    outcomes: Sequence[Outcome],
    problems: Sequence[Problem],
    rules: RuleSet,
    ran: Sequence[Rule],
    settings: Settings,
    remarks: Sequence[str] = (),
) -> Report:
    """The report on settled outcomes. ``ran`` are the rules that had what they need."""
    run = run_facts(rules, ran, settings, None if settings.baseline is None else shown(settings.baseline))
    return Report(
        version=__version__,
        models=tuple(outcome.report for outcome in outcomes if outcome.report is not None),
        problems=(*problems, *(problem for outcome in outcomes for problem in outcome.problems)),
        settings=run.settings,
        rules=tuple(structs.replace(rule, page=_page(rules, rule.code)) for rule in run.rules),
        remarks=tuple(remarks),
    )


def conclude(
    outcomes: Sequence[Outcome],
    problems: Sequence[Problem],
    rules: RuleSet,
    ran: Sequence[Rule],
    settings: Settings,
    show: Output,
    remarks: Sequence[str] = (),
) -> ExitCode:
    """Show the report on settled outcomes, and say what it means. ``ran`` are the rules that had what they need.

    Raises:
        UsageError: The output cannot be written, or a flag is not valid.
    """
    report = report_of(outcomes, problems, rules, ran, settings, remarks)
    return _concluded(report, settings, show, report)


def _concluded(report: Report, settings: Settings, show: Output, told: Report) -> ExitCode:
    """Show a report, or in text what is ``told`` of it, and say what it means."""
    shown_as = settings.output_format
    _show(report, told if shown_as is Format.TEXT else report, shown_as, settings.fail_on, show)
    measured = [one for model in report.models for one in (model.verification, model.alias) if one is not None]
    if any(one.incomplete.startswith("interrupted") for one in measured):
        return ExitCode.INTERRUPTED
    return verdict(report, settings.fail_on, show.exit_zero)


def _page(rules: RuleSet, code: str) -> str:
    pack = next(pack for pack in rules.packs if code in {rule.code for rule in pack.rules})
    try:
        return pack.page(code)
    except OSError:  # gone since the pack was loaded; the report can do without
        return ""


def _show(report: Report, told: Report, output_format: Format, fail_on: FailOn, show: Output) -> None:
    to_file, whole = show.output is not None, show.show_all
    options = render_options(show.color, to_file, show.quiet, show.verbose, show.statistics, whole)
    options = replace(
        options, fail_on=failing_from(fail_on), max_bytes=show.markdown_limit, show_accepted=show.show_waived
    )
    write_reports(report, show.report, options)
    hint_at_names(report, {output_format, *(Format(file.format) for file in show.report)}, show.quiet)
    told = with_images_file(told, output_format, show.output, "--output", show.quiet)
    deliver(render(told, output_format, options), show.output, show.quiet)
    if show.output is not None or output_format is not Format.TEXT:
        say_problems(report.problems)


@contextmanager
def _progress(count: int, show: Output) -> Iterator[Callable[[ModelFile], None]]:
    """A bar on stderr where a person may be watching several models."""
    wanted = (
        not show.no_progress and not show.quiet and not os.environ.get(PROGRESS_VARIABLE) and not os.environ.get("CI")
    )
    if count < 2 or not wanted or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

    console = Console(stderr=True, color_system="auto" if show.color != "never" else None)
    columns = ("auditing", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=count)
        yield lambda _: progress.advance(task)
