"""From the options that a command was given to the settings of its run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.options.general import Output, Sources
from auditor.options.option import Group

if TYPE_CHECKING:
    from auditor.policy.settings import Settings, SettingsLayer

FORMAT_VARIABLE = "ALIASAUDIT_OUTPUT_FORMAT"
CONFIG_VARIABLE = "ALIASAUDIT_CONFIG"
PROGRESS_VARIABLE = "ALIASAUDIT_NO_PROGRESS"

Models = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="ONNX files, folders of them, or - for standard input."),
]


def settings_from(sources: Sources, *groups: Group) -> Settings:
    """The settings of this run: one file, the environment, and what of the groups was given on the command line.

    Raises:
        SettingsError: A value is not valid.
        UsageError: The settings file names folders of rules, which was not allowed.
    """
    from auditor.policy.discover import project_root
    from auditor.policy.settings import DEFAULT, SettingsLayer, Source, ValueOrigin, resolve
    from auditor.policy.validate import check_values

    _refuse_unwritable(groups)
    layers = [SettingsLayer(DEFAULT, {}, project_root(Path.cwd()))]
    found = _file_layer(sources)
    if found is not None:
        if found.values.get("rule-dirs") and not sources.allow_rule_dirs:
            raise UsageError(
                f"{found.origin}: rule-dirs names folders whose code would run; give --allow-rule-dirs to trust them"
            )
        layers.append(found)
    environment = ValueOrigin(Source.ENVIRONMENT, f"environment variable {FORMAT_VARIABLE}")
    if os.environ.get(FORMAT_VARIABLE):
        values = check_values({"output-format": os.environ[FORMAT_VARIABLE]}, environment)
        layers.append(SettingsLayer(environment, values))
    given = {key: value for group in groups for key, value in group.layer().items()}
    if "rule-dirs" in given:  # named here, they are trusted, and come on top of those of the file
        earlier = found.values.get("rule-dirs", ()) if found is not None else ()
        given["rule-dirs"] = (*earlier, *map(Path, given["rule-dirs"]))
    settings = resolve([*layers, SettingsLayer(ValueOrigin(Source.COMMAND_LINE, "command line"), given)])
    return replace(settings, today=sources.today or datetime.now(timezone.utc).date())


def _refuse_unwritable(groups: Iterable[Group]) -> None:
    """The reports can be written: what a run says is not lost at its end."""
    for group in groups:
        if isinstance(group, Output):
            from auditor.cli.output import refuse_unwritable

            if group.output is not None:
                refuse_unwritable(group.output, "--output")
            for file in group.report:
                page = file.path / "index.html" if file.folder else file.path
                refuse_unwritable(page, "--report", makes_folders=True)


def _file_layer(sources: Sources) -> SettingsLayer | None:
    from auditor.policy.discover import find_layer, read_layer

    if sources.isolated:
        if sources.config is not None:
            raise UsageError("--isolated reads no settings file, so it cannot go with --config")
        return None
    named = sources.config or os.environ.get(CONFIG_VARIABLE)
    return read_layer(Path(named), Path.cwd()) if named else find_layer(Path.cwd())
