"""``aliasaudit baseline write|prune``: accept the findings of today, and forget those that are gone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.commands import PlainCommand, PlainGroup
from auditor.cli.flags import flags
from auditor.cli.options import Models, settings_from
from auditor.cli.session import ProgramSession
from auditor.options.flatten import Only
from auditor.options.general import InputShapes, Policy, Selection, Sources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.policy.baseline import Audited, Baseline
    from auditor.policy.settings import Settings


@flags
def write(
    context: typer.Context,
    models: Models,
    policy: Annotated[Policy, Only("baseline")],
    selection: Annotated[Selection, Only("rules")],
    inputs: InputShapes,
    sources: Sources,
) -> None:
    """Accept every finding that these models have today, waived ones left out.

    What the baseline says of other models stays. Commit the file; with `baseline = "FILE"` in the settings, or
    `check --baseline FILE`, only new findings fail.

    Exit codes: 0 written, 2 usage, settings or internal error, 3 a model could not be audited and nothing was written.
    """
    settings = settings_from(sources, _with_notes(policy), selection, inputs)
    raise typer.Exit(_renew(context.ensure_object(ProgramSession).debug, models, settings, prune=False))


@flags
def prune(
    context: typer.Context,
    models: Models,
    policy: Annotated[Policy, Only("baseline")],
    selection: Annotated[Selection, Only("rules")],
    inputs: InputShapes,
    sources: Sources,
) -> None:
    """Forget the entries of these models that match no finding any more; nothing new is accepted.

    Budgets with a ratchet are lowered to what is left.

    Exit codes: 0 written, 2 usage, settings or internal error, 3 a model could not be audited and nothing was written.
    """
    settings = settings_from(sources, _with_notes(policy), selection, inputs)
    raise typer.Exit(_renew(context.ensure_object(ProgramSession).debug, models, settings, prune=True))


def _with_notes(policy: Policy) -> Policy:
    """Notes are in a baseline too, whatever a report leaves out."""
    return policy.but(min_severity="note")


def _renew(debug: bool, models: Sequence[str], settings: Settings, prune: bool) -> int:
    from auditor.audit.run import audit_all, load_rules
    from auditor.audit.settle import audited, settle
    from auditor.cli.auditing import fit_input_shapes
    from auditor.cli.inputs import gathered, shown
    from auditor.cli.output import emit, refuse_overwriting, say, say_problems, write_file
    from auditor.facts.report import ProblemKind
    from auditor.policy.baseline import DEFAULT_NAME, Baseline, dump, load, pruned, written
    from auditor.policy.verdict import ExitCode
    from auditor.text import plain

    path = settings.baseline or settings.root / DEFAULT_NAME
    old = load(path, shown(path)) if prune or path.exists() else Baseline()
    rules = load_rules(settings)
    with gathered(models, settings.limits.max_file_bytes) as (files, problems):
        refuse_overwriting(path, [file.path for file in files], "--baseline")
        fit_input_shapes(files, settings)
        outcomes = settle(list(audit_all(files, rules, settings, reraise=debug)), rules, settings, reraise=debug)
    problems += [problem for outcome in outcomes for problem in outcome.problems]
    say_problems(problems)
    if problems or not outcomes:
        say(f"{shown(path)} was not written")
        internal = any(one.kind in (ProblemKind.INTERNAL, ProblemKind.RULE_PACK) for one in problems)
        return ExitCode.ERROR if internal else ExitCode.INCOMPLETE
    found = [audited(outcome, rules, settings) for outcome in outcomes]
    new = (pruned if prune else written)(old, found)
    write_file(path, dump(new), "--baseline")
    emit(f"{plain(shown(path))}: {_change(old, new, found)}\n")
    if settings.baseline is None:
        say(f'name it in the settings (baseline = "{DEFAULT_NAME}") or with --baseline, so that check reads it')
    return ExitCode.CLEAN


def _change(old: Baseline, new: Baseline, found: Sequence[Audited]) -> str:
    """What became of the entries, in words; an entry that was brought up to date is still the same."""
    from auditor.text import count_text

    places = {one.place for one in found}
    before = sum(one.model in places for one in old.entries)
    after = sum(one.model in places for one in new.entries)
    words = f"{count_text(after, 'known finding')} in {count_text(len(places), 'model')}, {before} before"
    others = len(new.entries) - after
    return f"{words}; {others} of other models kept" if others else words


baseline = typer.Typer(
    cls=PlainGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Accept the findings of today, so that only new ones fail.",
)
for _command in (write, prune):
    baseline.command(cls=PlainCommand)(_command)
