"""``aliasaudit rule``: the pages of the rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.cli import options
from auditor.cli.errors import UsageError
from auditor.cli.panels import Panel, option

if TYPE_CHECKING:
    from auditor.audit.packs import Pack
    from auditor.facts.rule import Rule

_FORMATS = ("text", "markdown", "json")


def rule(
    word: Annotated[
        str | None,
        typer.Argument(metavar="[RULE]", help="A code or a name.", autocompletion=options._rule_words),
    ] = None,
    every: Annotated[bool, option(Panel.INPUT, "--all", text="Show every rule.")] = False,
    output_format: Annotated[
        str,
        option(Panel.REPORT, "--output-format", metavar="text|markdown|json", text="How to print. [default: text]"),
    ] = "text",
    rules: options.RuleFolders = None,
) -> None:
    """Explain a rule: what it does, why it matters, and what to do."""
    from auditor.audit.run import load_packs
    from auditor.cli.output import emit

    if output_format not in _FORMATS:
        raise UsageError(f"--output-format must be one of {', '.join(_FORMATS)}")
    if every == (word is not None):
        raise UsageError("name a rule, as in `aliasaudit rule AA101`, or give --all")
    packs = load_packs(options.settings_from(isolated=True, command_line={"rule-dirs": list(rules) if rules else None}))
    pages = [(pack, found) for pack in packs for found in pack.rules]
    if word is not None:
        pages = [_named(word, pages)]
    if output_format == "json":
        emit(json.dumps([_described(pack, found) for pack, found in pages], indent=1, sort_keys=True) + "\n")
    elif output_format == "text" and every:
        emit(_listed([found for _, found in pages]))
    else:
        emit("\n".join(pack.page(found.code).rstrip("\n") + "\n" for pack, found in pages))


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
