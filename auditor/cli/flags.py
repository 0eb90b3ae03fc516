"""Groups of options as the flags of a command.

    @flags
    def check(models: Models, selection: Annotated[Selection, Only("select", "ignore")], output: Output) -> None: ...

Typer sees a signature with the options in the place of their groups; the function gets the groups, read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import update_wrapper
from typing import Annotated, Any, get_args, get_origin

import typer

from auditor.cli.errors import UsageError
from auditor.cli.session import ProgramSession
from auditor.options.option import Group, Option, refused
from auditor.policy.errors import SettingsError


class Only:
    """Of a group only these options, by name; ``shown`` are other words for a default, by name."""

    def __init__(self, *names: str, **shown: str) -> None:
        self.names, self.shown = names, shown

    def of(self, group: type[Group]) -> list[Option]:
        """The options, in the order of the group."""
        unknown = {*self.names, *self.shown} - group.options.keys()
        if unknown:
            raise TypeError(f"{group.__name__} has no option {min(unknown)!r}")
        wanted = self.names or group.options.keys()
        return [declared for name, declared in group.options.items() if name in wanted and not declared.program]


def flags(function: Callable[..., None]) -> Callable[..., None]:
    """The function as a command with the options of its groups, which ``command.options`` holds by name."""
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, tuple[type[Group], list[Option]]] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for parameter in signature.parameters.values():
        annotated = get_args(parameter.annotation) if get_origin(parameter.annotation) is Annotated else ()
        group = annotated[0] if annotated else parameter.annotation
        if not (isinstance(group, type) and issubclass(group, Group)):
            parameters[parameter.name] = parameter
            continue
        only = next((part for part in annotated[1:] if isinstance(part, Only)), Only())
        groups[parameter.name] = (group, only.of(group))
        for declared in only.of(group):
            if declared.name in parameters:
                raise TypeError(f"{function.__name__} has two options {declared.name!r}")
            parameters[declared.name] = _parameter(declared, only.shown.get(declared.name))

    def command(**values: Any) -> None:
        session = values["context"].ensure_object(ProgramSession) if "context" in values else ProgramSession()
        read: dict[str, Any] = {}
        for name, (group, options) in groups.items():
            given = _given(options, values)
            if session.debug and "debug" in group.options:
                given["debug"] = True
            read[name] = group(**given)
        function(**{name: values[name] for name in signature.parameters if name not in groups}, **read)

    update_wrapper(command, function)
    del command.__dict__["__wrapped__"]  # its signature is not that of the command
    ordered = sorted(parameters.values(), key=lambda parameter: parameter.default is not parameter.empty)
    command.__dict__["__signature__"] = signature.replace(
        parameters=[parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in ordered]
    )
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    command.__dict__["options"] = {declared.name: declared for _, options in groups.values() for declared in options}
    return command


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


def _given(options: list[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that were given, read. Raises UsageError, and SettingsError for those that a file can have too."""
    given = {declared: values[declared.name] for declared in options}
    return {
        declared.name: _read(declared, value) for declared, value in given.items() if value not in (None, [], False)
    }


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
