"""``aliasaudit rule``: the pages of the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli.errors import UsageError
from auditor.cli.flags import flags, rule_words
from auditor.cli.options import settings_from
from auditor.options.flatten import Only
from auditor.options.general import Selection, Sources
from auditor.options.kinds import choice, switch
from auditor.options.option import Group, option
from auditor.options.panels import Panel

if TYPE_CHECKING:
    from auditor.audit.packs import Pack
    from auditor.facts.rule import Rule


class Pages(Group):
    """Which pages, and how they are printed."""

    every: bool = option(switch(), "Show every rule.", Panel.INPUT, "--all")
    output_format: str = option(choice("text|markdown|json"), "How to print.", Panel.REPORT, default="text")


@flags
def rule(
    pages: Pages,
    selection: Annotated[Selection, Only("rules")],
    word: Annotated[
        str | None, typer.Argument(metavar="[RULE]", help="A code or a name.", autocompletion=rule_words)
    ] = None,
) -> None:
    """Explain a rule: what it does, why it matters, and what to do."""
    from auditor.audit.run import load_packs
    from auditor.cli.output import emit, terminal_width
    from auditor.report.lines import reflowed

    if pages.every == (word is not None):
        raise UsageError("name a rule, as in `aliasaudit rule AA101`, or give --all")
    packs = load_packs(settings_from(Sources(isolated=True), selection))
    listed = [(pack, found) for pack in packs for found in pack.rules]
    if word is not None:
        listed = [_named(word, listed)]
    if pages.output_format == "json":
        emit(json.dumps([_described(pack, found) for pack, found in listed], indent=1, sort_keys=True) + "\n")
    elif pages.output_format == "text" and pages.every:
        emit(_listed([found for _, found in listed]))
    else:
        page = "\n".join(pack.page(found.code).rstrip("\n") + "\n" for pack, found in listed)
        emit(reflowed(page, terminal_width()) if pages.output_format == "text" else page)


def _named(word: str, pages: Sequence[tuple[Pack, Rule]]) -> tuple[Pack, Rule]:
    from auditor.choices import suggestion

    for pack, found in pages:
        if word.upper() == found.code or word.lower() == found.name:
            return pack, found
    known = [text for _, found in pages for text in (found.code, found.name)]
    raise UsageError(f'no rule is called "{word}"{suggestion(word, known)}; `aliasaudit rule --all` lists them')


def _listed(rules: Sequence[Rule]) -> str:
    width = max(len(found.name) for found in rules)
    return "".join(f"{found.code}  {found.name:{width}}  {found.summary}\n" for found in rules)


def _described(pack: Pack, found: Rule) -> dict[str, Any]:
    return {
        "code": found.code,
        "name": found.name,
        "summary": found.summary,
        "severities": [severity.value for severity in found.severities],
        "options": dict(found.options),
        "status": found.status,
        "since": found.since,
        "pack": pack.name,
        "page": pack.page(found.code),
    }
