"""Groups of options as the flags of a command.

    @flags
    def check(models: Models, selection: Annotated[Selection, Only("select", "ignore")], output: Output) -> None: ...

Typer sees a signature with the options in the place of their groups; the function gets the groups, read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from auditor.cli.errors import UsageError
from auditor.cli.session import ProgramSession
from auditor.options.flatten import flattened
from auditor.options.option import Group, Option, refused
from auditor.policy.errors import SettingsError


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """The function as a command with the options of its groups, which ``command.options`` holds by name."""
    return flattened(function, _parameter, _group)


def rule_words(incomplete: str) -> list[str]:
    """Shell completion of codes and names."""
    from auditor.audit.packs import load_builtin

    known = [word for rule in load_builtin().rules for word in (rule.code, rule.name)]
    return [word for word in known if word.startswith(incomplete)]


def _parameter(declared: Option, shown: str | None) -> inspect.Parameter:
    kind = declared.kind
    info: Any = typer.Option(
        *declared.flags,
        metavar=kind.metavar,
        help=declared.short_help(shown),
        rich_help_panel=declared.panel.value,
        autocompletion=rule_words if kind.metavar == "RULES" else _completion(kind.words),
        show_default=False,
    )
    default: Any = inspect.Parameter.empty if declared.required else False if kind.switch else None
    annotation: Any = bool if kind.switch else list[str] if kind.repeatable else str
    annotation = annotation if declared.required or kind.switch else annotation | None
    return inspect.Parameter(
        declared.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[annotation, info]
    )


def _completion(words: tuple[str, ...]) -> Callable[[str], list[str]] | None:
    known = [word for word in words if ":" not in word]
    return (lambda incomplete: [word for word in known if word.startswith(incomplete)]) if known else None


def _group(group: type[Group], taken: Mapping[str, Option], values: Mapping[str, Any]) -> Group:
    """Raises UsageError, and SettingsError for options that a file can have too."""
    given = {declared: values.get(name) for name, declared in taken.items()}
    read = {
        declared.name: _read(declared, value) for declared, value in given.items() if value not in (None, [], False)
    }
    session = values["context"].ensure_object(ProgramSession) if "context" in values else ProgramSession()
    if session.debug and "debug" in group.options:
        read["debug"] = True
    return group(**read)


def _read(declared: Option, value: Any) -> Any:
    try:
        value = declared.kind.typed(value)
    except ValueError as error:
        raise UsageError(f"{declared.flag} {error}") from None
    try:
        return declared.kind.read(value)
    except ValueError as error:
        if declared.table is None:
            raise UsageError(f"{declared.flag} {error}") from None
        if not declared.table:
            raise SettingsError(f"command line: {declared.key} {error}") from None
        raise SettingsError(f"{declared.table}: {refused(declared.key, error, value)}") from None
