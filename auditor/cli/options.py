"""The options that several commands share, and how they become settings.

Values arrive as plain text and are checked by :mod:`auditor.policy.validate`, like those of a settings file: one set of
rules and of messages for both.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from auditor.cli.errors import UsageError
from auditor.cli.panels import VALUES, Panel, option

if TYPE_CHECKING:
    from auditor.policy.settings import Settings, SettingsLayer

FORMATS, LEVELS, COLOR_CHOICES = VALUES["FORMAT"], VALUES["LEVEL"], VALUES["WHEN"]

FORMAT_VARIABLE = "ALIASAUDIT_OUTPUT_FORMAT"
CONFIG_VARIABLE = "ALIASAUDIT_CONFIG"
PROGRESS_VARIABLE = "ALIASAUDIT_NO_PROGRESS"


def _rule_words(incomplete: str) -> list[str]:
    """Shell completion of codes and names."""
    from auditor.audit.packs import load_builtin

    words = [word for rule in load_builtin().rules for word in (rule.code, rule.name)]
    return [word for word in words if word.startswith(incomplete)]


Models = Annotated[
    list[str],
    typer.Argument(metavar="MODEL", help="ONNX files, folders of them, or - for standard input."),
]
Select = Annotated[
    list[str] | None,
    option(
        Panel.RULES,
        "--select",
        metavar="RULES",
        text="Run only these: codes, prefixes (AA1), names, ALL.",
        complete=_rule_words,
    ),
]
ExtendSelect = Annotated[
    list[str] | None,
    option(
        Panel.RULES,
        "--extend-select",
        metavar="RULES",
        text="Run these on top of the selected ones.",
        complete=_rule_words,
    ),
]
Ignore = Annotated[
    list[str] | None,
    option(Panel.RULES, "--ignore", metavar="RULES", text="Do not run these rules.", complete=_rule_words),
]
RuleFolders = Annotated[
    list[str] | None,
    option(Panel.RARE, "--rules", metavar="DIR", text="Also load this rule pack; its code runs."),
]
AllowRuleDirs = Annotated[
    bool,
    option(Panel.RARE, "--allow-rule-dirs", text="Let the settings file name rule packs."),
]
FailOn = Annotated[
    str | None,
    option(
        Panel.VERDICT,
        "--fail-on",
        metavar="LEVEL|never",
        text="Exit with 1 at this level or above. [default: error]",
        complete=lambda incomplete: [word for word in (*LEVELS, "never") if word.startswith(incomplete)],
    ),
]
MinSeverity = Annotated[
    str | None,
    option(Panel.VERDICT, "--min-severity", metavar="LEVEL", text="Hide findings below this severity. [default: note]"),
]
ExitZero = Annotated[bool, option(Panel.VERDICT, "--exit-zero", text="Exit with 0 even when there are findings.")]
OutputFormat = Annotated[
    str | None,
    option(Panel.REPORT, "--output-format", metavar="FORMAT", text="Format of the report. [default: text]"),
]
Reports = Annotated[
    list[str] | None,
    option(
        Panel.REPORT,
        "--report",
        metavar="FORMAT=FILE",
        text="Also write a report to this file; repeatable.",
        complete=lambda incomplete: [f"{word}=" for word in FORMATS if word.startswith(incomplete)],
    ),
]
MarkdownLimit = Annotated[
    str | None,
    option(Panel.RARE, "--markdown-limit", metavar="BYTES", text="Longest Markdown report. [default: 1000000]"),
]
OutputFile = Annotated[
    str | None,
    option(Panel.REPORT, "--output", "-o", metavar="FILE", text="Write the report to this file, not to stdout."),
]
InputShape = Annotated[
    list[str] | None,
    option(Panel.INPUT, "--input-shape", metavar="NAME=SHAPE", text="Size an open input: image=1x3x224x224."),
]
Baseline = Annotated[
    str | None,
    option(Panel.VERDICT, "--baseline", metavar="FILE", text="Known findings; only new ones fail."),
]
NoWaivers = Annotated[bool, option(Panel.VERDICT, "--no-waivers", text="Ignore waivers.")]
ShowWaived = Annotated[
    bool, option(Panel.REPORT, "--show-waived", text="Also list findings that do not count, and why.")
]
Today = Annotated[
    str | None,
    option(Panel.RARE, "--today", metavar="DAY", text="Judge waivers as on YYYY-MM-DD. [default: today]"),
]
Strict = Annotated[
    bool, option(Panel.VERDICT, "--strict", text="Fail on waivers and baseline entries without a match.")
]
Config = Annotated[
    str | None,
    option(Panel.RARE, "--config", metavar="FILE", text="Read this settings file."),
]
Isolated = Annotated[bool, option(Panel.RARE, "--isolated", text="Read no settings file.")]
Color = Annotated[
    str,
    option(Panel.RARE, "--color", metavar="WHEN", text="Colour on stdout. [default: auto]"),
]
NoProgress = Annotated[bool, option(Panel.RARE, "--no-progress", text="Show no progress bar on stderr.")]
Quiet = Annotated[bool, option(Panel.REPORT, "--quiet", "-q", text="Show findings and the summary only.")]
Verbose = Annotated[bool, option(Panel.REPORT, "--verbose", "-v", text="Show the numbers behind each finding.")]
Statistics = Annotated[bool, option(Panel.REPORT, "--statistics", text="Count the findings per rule.")]


def settings_from(
    config: str | None = None,
    isolated: bool = False,
    allow_rule_dirs: bool = False,
    command_line: dict[str, object] | None = None,
    today: str | None = None,
) -> Settings:
    """The settings of this run: one file, the environment, and what the command line gave (None values left out).

    ``today`` is the day on which waivers are judged; None is the one that the clock says.

    Raises:
        SettingsError: A value is not valid.
        UsageError: The settings file names folders of rules, which was not allowed.
    """
    from auditor.policy.discover import project_root
    from auditor.policy.settings import DEFAULT, SettingsLayer, Source, ValueOrigin, resolve
    from auditor.policy.validate import check_values

    layers = [SettingsLayer(DEFAULT, {}, project_root(Path.cwd()))]
    found = _file_layer(config, isolated)
    if found is not None:
        if found.values.get("rule-dirs") and not allow_rule_dirs:
            raise UsageError(
                f"{found.origin}: rule-dirs names folders whose code would run; give --allow-rule-dirs to trust them"
            )
        layers.append(found)
    environment = ValueOrigin(Source.ENVIRONMENT, f"environment variable {FORMAT_VARIABLE}")
    if os.environ.get(FORMAT_VARIABLE):
        values = check_values({"output-format": os.environ[FORMAT_VARIABLE]}, environment)
        layers.append(SettingsLayer(environment, values))
    typed = ValueOrigin(Source.COMMAND_LINE, "command line")
    given = {key: value for key, value in (command_line or {}).items() if value is not None}
    folders = given.pop("rule-dirs", None)
    values = check_values(given, typed)
    if isinstance(folders, list):  # named here, they are trusted, and come on top of those of the file
        earlier = found.values.get("rule-dirs", ()) if found is not None else ()
        values["rule-dirs"] = (*earlier, *(Path(folder) for folder in folders))
    return replace(resolve([*layers, SettingsLayer(typed, values)]), today=_day(today))


def policy(baseline: str | None, no_waivers: bool, strict: bool) -> dict[str, object]:
    """The settings behind the flags of the policy."""
    return {"baseline": baseline, "waiver": [] if no_waivers else None, "strict": strict or None}


def _day(given: str | None) -> date:
    from datetime import datetime, timezone

    from auditor.policy.waivers import read_day

    if given is None:
        return datetime.now(timezone.utc).date()
    try:
        return read_day(given)
    except ValueError as error:
        raise UsageError(f"--today {given}: {error}") from None


def words(given: Sequence[str] | None) -> list[str] | None:
    """Words separated by commas, over all uses of a repeatable option; None where it was not used."""
    if not given:
        return None
    return [word.strip() for text in given for word in text.split(",") if word.strip()]


def shapes(given: Sequence[str] | None) -> dict[str, object] | None:
    """``NAME=1x3x224x224`` by name. Names may hold ``=``, shapes never do.

    Raises:
        UsageError: There is no name.
    """
    table: dict[str, object] = {}
    for text in given or ():
        name, equals, shape = text.rpartition("=")
        if not equals or not name:
            raise UsageError(f'--input-shape {text}: write the input\'s name and its shape, as in "image=1x3x224x224"')
        table[name] = shape
    return table or None


def given(options: dict[str, object]) -> dict[str, object] | None:
    """The options that were used, None where none was."""
    return {name: value for name, value in options.items() if value not in (None, [])} or None


def _file_layer(config: str | None, isolated: bool) -> SettingsLayer | None:
    from auditor.policy.discover import find_layer, read_layer

    if isolated:
        if config is not None:
            raise UsageError("--isolated reads no settings file, so it cannot go with --config")
        return None
    named = config or os.environ.get(CONFIG_VARIABLE)
    return read_layer(Path(named), Path.cwd()) if named else find_layer(Path.cwd())
